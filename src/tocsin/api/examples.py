"""Requests that a newcomer begins with, and their answers, as the description of the interface shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON, NDJSON = "application/json", "application/x-ndjson"


@dataclass(frozen=True)
class Example:
    """A request's body, by its media type, and the answer, by its status."""

    request: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[int, Any] = field(default_factory=dict)


_INDEX = "logs-windows.sysmon_operational-default"
_EVENT = {
    "@timestamp": "2026-11-20T12:00:00.000Z",
    "event": {"category": ["process"], "type": ["start"]},
    "host": {"name": "ws-17"},
    "process": {
        "name": "powershell.exe",
        "command_line": "powershell -enc SQBFAFgA",
        "parent": {"name": "winword.exe"},
    },
}
_HIT = {"_index": _INDEX, "_id": "nF0oXK0d3NNyC2qM", "_source": _EVENT}
_SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
_BULK = """{"create": {"_index": "logs-windows.sysmon_operational-default"}}
{"@timestamp": "2026-11-20T12:00:00.000Z", "event": {"category": ["process"], "type": ["start"]}, \
"host": {"name": "ws-17"}, "process": {"name": "powershell.exe", "command_line": "powershell -enc SQBFAFgA", \
"parent": {"name": "winword.exe"}}}
"""
_STORED = {
    "_index": _INDEX, "_id": "nF0oXK0d3NNyC2qM", "_version": 1, "result": "created", "_seq_no": 0,
    "_primary_term": 1, "status": 201,
}  # fmt: skip
_SEARCH = {
    "query": {"bool": {"filter": [{"term": {"process.name": "powershell.exe"}}]}},
    "sort": [{"@timestamp": "desc"}],
    "size": 10,
}
_FOUND = {
    "took": 4,
    "timed_out": False,
    "_shards": _SHARDS,
    "hits": {
        "total": {"value": 1, "relation": "eq"},
        "max_score": None,
        "hits": [{**_HIT, "_score": None, "sort": [1795176000000]}],
    },
}
_EQL_SEARCH = {
    "query": 'process where process.parent.name == "winword.exe" and process.name == "powershell.exe"',
    "size": 10,
}
_EVENTS_FOUND = {
    "is_partial": False,
    "is_running": False,
    "took": 6,
    "timed_out": False,
    "hits": {"total": {"value": 1, "relation": "eq"}, "events": [_HIT]},
}
_RULE = {
    "rule_id": "office-starts-powershell",
    "name": "PowerShell Started by an Office Program",
    "description": "An Office program has started PowerShell, as documents with malicious macros do.",
    "type": "eql",
    "language": "eql",
    "index": ["logs-windows.*"],
    "query": 'process where process.parent.name : "winword.exe" and process.name : "powershell.exe"',
    "severity": "high",
    "risk_score": 73,
    "interval": "5m",
    "from": "now-9m",
    "enabled": True,
    "tags": ["Windows"],
}
_ALERTS_SEARCH = {
    "query": {"term": {"kibana.alert.workflow_status": "open"}},
    "sort": [{"@timestamp": "desc"}],
    "size": 20,
}
_CLOSE = {"status": "closed", "query": {"term": {"kibana.alert.rule.rule_id": "office-starts-powershell"}}}
_CLOSED = {
    "took": 0, "timed_out": False, "total": 1, "updated": 1, "deleted": 0, "batches": 1, "version_conflicts": 0,
    "noops": 0, "failures": [],
}  # fmt: skip
_RULE_ID = "office-starts-powershell"
_TO_ALERTS = {"query": {"term": {"kibana.alert.rule.rule_id": _RULE_ID}}}
_LIST = {
    "list_id": "allowed-tools",
    "name": "Tools that may do this",
    "description": "Scanners of our own.",
    "type": "detection",
}
_ENTRIES = [
    {"field": "process.executable", "operator": "included", "type": "match", "value": "C:\\Tools\\scan.exe"},
    {"field": "host.name", "operator": "included", "type": "match_any", "value": ["ws-17", "ws-18"]},
]
_EXCEPTION = {
    "list_id": "allowed-tools",
    "item_id": "allowed-scanner",
    "name": "The scanner of the network",
    "description": "It scans every night.",
    "type": "simple",
    "entries": _ENTRIES,
    "os_types": ["windows"],
    "expire_time": "2099-01-01T00:00:00Z",
}
_CONNECTOR = {
    "name": "The team's channel",
    "connector_type_id": ".webhook",
    "config": {
        "url": "https://chat.example.org/hooks/alerts",
        "method": "post",
        "headers": {"Content-Type": "application/json"},
        "hasAuth": True,
    },
    "secrets": {"user": "tocsin", "password": "the password of the hook"},
}
_ADD_TAG = {
    "action": "edit",
    "query": 'alert.attributes.tags: "Windows"',
    "edit": [{"type": "add_tags", "value": ["Office"]}],
}
_PREVIEW = {**_RULE, "rule_id": "a-trial", "invocationCount": 12, "timeframeEnd": "2026-11-20T12:05:00Z"}
_NEW_KEY = {"name": "winlogbeat", "scopes": ["ingest"], "expiration": "90d"}
_KEY = {
    "id": "vCxkO3nYQ5mB1s0w",
    "name": "winlogbeat",
    "api_key": "2Fh8dDkP0sVn7aXw",
    "encoded": "dkN4a08zbllRNW1CMXMwdzoyRmg4ZERrUDBzVm43YVh3",
}

# By method and address.
EXAMPLES: dict[tuple[str, str], Example] = {
    ("POST", "/_bulk"): Example(
        {NDJSON: _BULK}, {200: {"errors": False, "took": 3, "items": [{"create": _STORED}]}}
    ),
    ("POST", "/_search"): Example({JSON: _SEARCH}, {200: _FOUND}),
    ("POST", "/{index}/_search"): Example({JSON: _SEARCH}, {200: _FOUND}),
    ("POST", "/{index}/_eql/search"): Example({JSON: _EQL_SEARCH}, {200: _EVENTS_FOUND}),
    ("POST", "/{index}/_doc"): Example({JSON: _EVENT}),
    ("POST", "/api/detection_engine/rules"): Example({JSON: _RULE}),
    ("POST", "/api/detection_engine/signals/search"): Example({JSON: _ALERTS_SEARCH}),
    ("POST", "/api/detection_engine/signals/status"): Example({JSON: _CLOSE}, {200: _CLOSED}),
    ("POST", "/api/detection_engine/signals/tags"): Example(
        {JSON: {**_TO_ALERTS, "tags": {"tags_to_add": ["phishing"], "tags_to_remove": []}}}, {200: _CLOSED}
    ),
    ("POST", "/api/detection_engine/signals/assignees"): Example(
        {JSON: {**_TO_ALERTS, "assignees": {"add": ["admin"], "remove": []}}}, {200: _CLOSED}
    ),
    ("PATCH", "/api/detection_engine/rules"): Example({JSON: {"rule_id": _RULE_ID, "enabled": False}}),
    ("PUT", "/api/detection_engine/rules"): Example({JSON: {**_RULE, "interval": "10m"}}),
    ("POST", "/api/detection_engine/rules/_bulk_action"): Example({JSON: _ADD_TAG}),
    ("POST", "/api/detection_engine/rules/preview"): Example({JSON: _PREVIEW}),
    ("POST", "/api/detection_engine/rules/_export"): Example({JSON: {"objects": [{"rule_id": _RULE_ID}]}}),
    ("POST", "/api/exception_lists"): Example({JSON: _LIST}),
    ("POST", "/api/exception_lists/items"): Example({JSON: _EXCEPTION}),
    ("PUT", "/api/exception_lists/items"): Example({JSON: {**_EXCEPTION, "os_types": []}}),
    ("POST", "/api/exception_lists/items/_preview"): Example({JSON: {"entries": _ENTRIES}}),
    ("POST", "/api/actions/connector"): Example({JSON: _CONNECTOR}),
    ("POST", "/_security/api_key"): Example({JSON: _NEW_KEY}, {200: _KEY}),
}
