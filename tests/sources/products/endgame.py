"""Elastic Endgame: the sensor's own events. No public pipeline maps them, so that there is no result to agree with
but the schema of its query language: what `process_path` of a `process_event` is in ECS.
"""

from __future__ import annotations

from tests.sources.products.case import MD5, SHA256, Case, Process, Record

FILETIME = 134_357_516_001_234_567  # 2026-10-06T09:13:20.1234567Z
_ACTOR = {
    "pid": 4120,
    "process_name": "powershell.exe",
    "process_path": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "unique_pid": 2041,
    "user_domain": "CORP",
    "user_name": "m.weber",
    "user_sid": "S-1-5-21-1004336348-1177238915-682003330-1104",
}
_COMMON = {
    "@timestamp": "2026-10-06T09:13:20.1234567Z",
    "process.pid": 4120,
    "process.name": "powershell.exe",
    "process.executable": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    "process.entity_id": "2041",
    "user.domain": "CORP",
    "user.name": "m.weber",
    "user.id": "S-1-5-21-1004336348-1177238915-682003330-1104",
    "host.os.type": "windows",
}


def event(kind: str, subtype: str, values: Record) -> Record:
    """Return a sensor's event."""
    return {
        "event_type": kind.removesuffix("_event"),
        "event_type_full": kind,
        "event_subtype_full": subtype,
        "serial_event_id": 75304,
        "timestamp": FILETIME,
        **values,
    }


def process_started(process: Process) -> Record:
    """Render the start of a process."""
    return event("process_event", "creation_event", {
        "opcode": 1,
        "hostname": process.host,
        "command_line": process.command_line,
        "md5": MD5,
        "sha256": SHA256,
        "original_file_name": process.original_file_name,
        "pid": process.pid,
        "ppid": process.parent_pid,
        "parent_process_name": process.parent_name,
        "parent_process_path": process.parent,
        "process_name": process.name,
        "process_path": process.image,
        "unique_pid": 2042,
        "unique_ppid": 2041,
        "user_domain": process.domain,
        "user_name": process.user,
        "user_sid": process.sid,
    })  # fmt: skip


CERTUTIL = Process(
    "C:\\Windows\\System32\\certutil.exe", 'certutil.exe -f "http://a b"', original_file_name="CertUtil.exe"
)

CASES: tuple[Case, ...] = (
    Case(
        "process created",
        process_started(CERTUTIL),
        {
            "@timestamp": "2026-10-06T09:13:20.1234567Z",
            "event.category": ["process"],
            "event.type": ["start"],
            "event.action": "creation_event",
            "host.name": "WS-0142.corp.example.com",
            "host.os.type": "windows",
            "process.name": "certutil.exe",
            "process.executable": "C:\\Windows\\System32\\certutil.exe",
            "process.pid": 7316,
            "process.entity_id": "2042",
            "process.command_line": 'certutil.exe -f "http://a b"',
            "process.args": ["certutil.exe", "-f", "http://a b"],
            "process.args_count": 3,
            "process.hash.md5": MD5,
            "process.hash.sha256": SHA256,
            "process.pe.original_file_name": "CertUtil.exe",
            "process.parent.name": "cmd.exe",
            "process.parent.executable": "C:\\Windows\\System32\\cmd.exe",
            "process.parent.pid": 5120,
            "process.parent.entity_id": "2041",
            "user.name": "m.weber",
            "user.domain": "CORP",
            "user.id": "S-1-5-21-1004336348-1177238915-682003330-1104",
        },
    ),
    Case(
        "file renamed, below `endgame`",
        {"endgame": event("file_event", "file_rename_event", {
            **_ACTOR, "file_path": "C:\\b.locked", "file_name": "b.locked", "old_file_path": "C:\\a.txt",
        })},
        {
            **_COMMON,
            "event.category": ["file"],
            "event.type": ["change"],
            "file.path": "C:\\b.locked",
            "file.name": "b.locked",
            "file.extension": "locked",
            "file.Ext.original.path": "C:\\a.txt",
        },
    ),
    Case(
        "registry value set",
        event("registry_event", "registry_modify_event", {
            **_ACTOR, "registry_path": "\\REGISTRY\\MACHINE\\SOFTWARE\\A\\Updater",
            "registry_key": "\\REGISTRY\\MACHINE\\SOFTWARE\\A", "registry_value": "Updater",
            "bytes_written_string_list": ["en-US", "en"], "registry_type": "multi_string",
        }),
        {
            **_COMMON,
            "event.category": ["registry"],
            "event.type": ["change"],
            "registry.path": "\\REGISTRY\\MACHINE\\SOFTWARE\\A\\Updater",
            "registry.key": "\\REGISTRY\\MACHINE\\SOFTWARE\\A",
            "registry.value": "Updater",
            "registry.data.strings": ["en-US", "en"],
            "registry.data.type": "REG_MULTI_SZ",
        },
    ),
    Case(
        "connection out",
        event("network_event", "ipv4_connection_attempt_event", {
            **_ACTOR, "protocol": "tcp", "source_address": "10.1.2.3", "source_port": 50112,
            "destination_address": "203.0.113.9", "destination_port": 443,
        }),
        {
            **_COMMON,
            "event.category": ["network"],
            "event.type": ["start", "connection"],
            "source.ip": "10.1.2.3",
            "source.port": 50112,
            "destination.ip": "203.0.113.9",
            "destination.port": 443,
            "network.transport": "tcp",
            "network.direction": "egress",
        },
    ),
    Case(
        "name asked for",
        event("dns_event", "request_event", {**_ACTOR, "query_name": "cdn.example.com."}),
        {**_COMMON, "event.category": ["network"], "dns.question.name": "cdn.example.com"},
    ),
)  # fmt: skip
