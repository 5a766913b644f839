"""Documents that are in ECS already: Elastic Defend's and Winlogbeat's."""

from __future__ import annotations

from tests.sources.products.case import SHA256, Process, Record


def defend_process_started(process: Process) -> Record:
    """Render the start of a process as Elastic Defend writes it."""
    return {
        "@timestamp": process.started,
        "agent": {"type": "endpoint", "id": "d3b4c5d6", "version": "9.2.1"},
        "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "default"},
        "ecs": {"version": "8.17.0"},
        "event": {
            "action": "start", "category": ["process"], "type": ["start"], "kind": "event", "module": "endpoint",
            "dataset": "endpoint.events.process", "sequence": 4711,
        },
        "host": {"id": "5d2f6d1e", "name": process.host, "hostname": process.host, "os": {"type": "windows"}},
        "process": {
            "Ext": {"ancestry": ["a1", "a0"], "token": {"integrity_level_name": "high"}},
            "args": process.arguments,
            "args_count": len(process.arguments),
            "command_line": process.command_line,
            "entity_id": "ZDNiNGM1ZDYtNzMxNg==",
            "executable": process.image,
            "hash": {"sha256": SHA256},
            "name": process.name,
            "parent": {
                "entity_id": "ZDNiNGM1ZDYtNTEyMA==", "executable": process.parent, "name": process.parent_name,
            },
            "pe": {"original_file_name": process.original_file_name},
            "pid": process.pid,
        },
        "user": {"domain": process.domain, "id": process.sid, "name": process.user},
    }  # fmt: skip


def winlogbeat_process_started(process: Process) -> Record:
    """Render the start of a process as Winlogbeat ships it from Sysmon."""
    return {
        "@timestamp": process.started,
        "agent": {"type": "winlogbeat", "version": "9.2.1"},
        "event": {"action": "Process Create (rule: ProcessCreate)", "category": ["process"], "type": ["start"],
                  "code": "1", "kind": "event", "module": "sysmon", "provider": "Microsoft-Windows-Sysmon"},
        "host": {"name": process.host, "os": {"type": "windows", "family": "windows"}},
        "process": {
            "args": process.arguments,
            "command_line": process.command_line,
            "entity_id": "{747f3d96-d8df-5f8a-0000-0010572f7200}",
            "executable": process.image,
            "name": process.name,
            "parent": {"executable": process.parent, "name": process.parent_name},
            "pe": {"original_file_name": process.original_file_name},
            "pid": process.pid,
        },
        "user": {"domain": process.domain, "name": process.user},
        "winlog": {"channel": "Microsoft-Windows-Sysmon/Operational", "event_id": "1"},
    }  # fmt: skip
