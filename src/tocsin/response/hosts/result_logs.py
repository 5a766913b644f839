"""What hosts log, as events: results of packs in `logs-osquery_manager.result-*`, and warnings of osqueryd.

Fields are those of Elastic's Osquery Manager: of osquerybeat's publisher (elastic/beats,
x-pack/osquerybeat/internal/pub) and its integration (elastic/integrations, packages/osquery_manager): the row
below `osquery`, about it `osquery_meta`, and where a pack's query maps columns to ECS, those fields. Elastic keeps
no log of osqueryd in a data stream; here its warnings and errors are in `logs-osquery_manager.status-*`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from tocsin.ingest.bulk import Action
from tocsin.moments import iso
from tocsin.response.hosts.host_registry import EnrolledNode
from tocsin.response.hosts.packs import named_pack_query
from tocsin.sources.batch import unflatten

RESULTS, STATUS = "logs-osquery_manager.result-default", "logs-osquery_manager.status-default"
MOST_EVENTS = 50_000  # of one request
_LEVELS = {"0": "info", "1": "warning", "2": "error", "3": "critical"}  # osquery's severities, those of glog
_OS_TYPES = {"windows": "windows", "linux": "linux", "darwin": "macos"}  # ECS: host.os.type
Queries = Mapping[tuple[str, str], Mapping[str, Any]]


class LogActions(NamedTuple):
    """What a request of the logger stores; how many lines hold nothing that is kept, and rows beyond the most."""

    actions: list[Action]
    left_out: int
    cut: int


def log_actions(
    node: EnrolledNode, log_type: str, data: Any, queries: Queries, now: datetime, most: int = MOST_EVENTS
) -> LogActions:
    """Return what a request of the logger stores. A line that comes again has the same id, and is stored once.

    `queries` are those of packs, which map columns to ECS.
    """
    actions: list[Action] = []
    left_out = cut = 0
    for entry in data if isinstance(data, list) else []:
        events = [] if not isinstance(entry, Mapping) else _events(entry, log_type, queries)
        left_out += not events
        for number, event in enumerate(events):
            if len(actions) == most:
                cut += len(events) - number
                break
            index = STATUS if log_type == "status" else RESULTS
            digest = hashlib.sha256(orjson.dumps([node.id, index, number, entry], default=str))
            document = unflatten({**event, **_source(node, index, entry, now)})
            actions.append(Action("create", index, digest.hexdigest()[:40], orjson.dumps(document, default=str)))
    return LogActions(actions, left_out, cut)


def _events(entry: Mapping[str, Any], log_type: str, queries: Queries) -> list[dict[str, Any]]:
    return list(_status(entry) if log_type == "status" else _results(entry, queries))


def _source(node: EnrolledNode, index: str, entry: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    dataset = index.removeprefix("logs-").removesuffix("-default")
    platform = node.platform
    about = {
        "@timestamp": iso(_moment(entry.get("unixTime"), now)),
        "host.name": node.name, "host.hostname": node.name, "host.id": node.hardware_uuid or node.id,
        "host.os.type": _OS_TYPES.get(platform), "host.os.platform": platform, "host.os.name": node.os_name,
        "host.os.version": node.os_version, "agent.id": node.id, "agent.name": node.name, "agent.type": "osquery",
        "agent.version": node.osquery_version, "event.dataset": dataset, "data_stream.type": "logs",
        "data_stream.dataset": dataset, "data_stream.namespace": "default",
    }  # fmt: skip
    return {name: value for name, value in about.items() if value}


def _results(entry: Mapping[str, Any], queries: Queries) -> Iterator[dict[str, Any]]:
    """Yield the events of a line: one a row. A line is of one row, of a snapshot, or of a batch of differences."""
    name = str(entry.get("name") or "")
    meta = {
        "osquery_meta.type": "snapshot" if "snapshot" in entry else "diff",
        "osquery_meta.calendar_type": entry.get("calendarTime"),
        "osquery_meta.unix_time": _number(entry, "unixTime"), "osquery_meta.epoch": _number(entry, "epoch"),
        "osquery_meta.counter": _number(entry, "counter"),
    }  # fmt: skip
    pair = named_pack_query(name, queries)
    of_pack = {"pack_name": pair[0], "query_name": pair[1]} if pair else {}
    mapping = dict(queries.get(pair, {}).get("ecs_mapping") or {}) if pair else {}
    for action, row in _rows(entry):
        about = {"osquery_meta.action": action} if action else {}
        yield {
            **{f"osquery.{column}": value for column, value in row.items()}, **_mapped(mapping, row),
            "event.module": "osquery_manager", "action_id": name, **of_pack,
            **{key: value for key, value in meta.items() if value is not None}, **about,
        }  # fmt: skip


def _rows(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(snapshot := entry.get("snapshot"), list):
        pairs = [("", row) for row in snapshot]
    elif isinstance(differences := entry.get("diffResults"), Mapping):
        pairs = [(action, row) for action in ("added", "removed") for row in list(differences.get(action) or [])]
    else:
        pairs = [(str(entry.get("action") or ""), entry.get("columns"))]
    yield from ((action, row) for action, row in pairs if isinstance(row, Mapping))


def _mapped(mapping: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ECS that a row fills: from a column, or with a value that is always the same."""
    fields: dict[str, Any] = {}
    for name, source in mapping.items():
        if isinstance(source, Mapping) and (column := source.get("field")) is not None:
            if column in row:
                fields[name] = row[column]
        elif isinstance(source, Mapping) and "value" in source:
            fields[name] = source["value"]
    return fields


def _status(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if _LEVELS.get(str(entry.get("severity")), "info") == "info":
        return  # what osqueryd did is of no interest to anybody, and comes with every query
    fields = {
        "message": entry.get("message"), "log.level": _LEVELS.get(str(entry.get("severity"))),
        "log.origin.file.name": entry.get("filename"), "log.origin.file.line": _number(entry, "line"),
        "event.module": "osquery_manager",
    }  # fmt: skip
    yield {name: value for name, value in fields.items() if value is not None}


def _number(entry: Mapping[str, Any], name: str) -> int | None:
    try:
        return int(entry.get(name))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _moment(unix_time: Any, now: datetime) -> datetime:
    """Return when a line was written; now where that cannot be told, or lies in the future by more than a day."""
    try:
        moment = datetime.fromtimestamp(int(unix_time), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now
    return moment if 0 < moment.timestamp() <= now.timestamp() + 86_400 else now
