"""The ways into the timeline: from an alert, a process, and a query of a guide, each with its query and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tocsin.desk.timeline.view import TimelineView
from tocsin.investigation.guides.alert_queries import AlertQuery, TimeSpan
from tocsin.investigation.processes.processes import SECOND, Process
from tocsin.kql.write import condition
from tocsin.moments import iso, to_datetime, to_nanoseconds

_AROUND = timedelta(minutes=15)
# What of a process's events the tabs of an alert show.
_KINDS: Mapping[str, str] = {
    "network": "event.category: network", "files": "event.category: file",
    "registry": "event.category: registry", "dns": "(dns.question.name: * or event.category: dns)",
    "libraries": "event.category: library", "alerts": "kibana.alert.uuid: *",
}  # fmt: skip


def host_timeline(event: Mapping[str, Any]) -> str:
    """Return the address of what happened on an event's host around it; of everything where it names no host."""
    host = event.get("host.name")
    name = host[0] if isinstance(host, list) and host else host
    time = event.get("@timestamp")
    moment = to_datetime(to_nanoseconds(time[0] if isinstance(time, list) else time))
    return TimelineView(
        text=condition("host.name", name) if name else "",
        since=iso(moment - _AROUND),
        until=iso(moment + _AROUND),
    ).address()


def process_timeline(process: Process, show: str) -> str:
    """Return the address of a process's events, those of a tab's kind; empty where nothing names the process."""
    if process.entity_id:
        text = condition("process.entity_id", process.entity_id)
    elif process.pid is not None and process.start is not None:
        text = f"{condition('host.name', process.host)} and {condition('process.pid', process.pid)}"
    else:
        return ""
    kind = f" and {_KINDS[show]}" if show in _KINDS else ""
    since = "" if process.start is None else iso(process.start - SECOND)
    until = iso(process.end + SECOND) if process.end is not None and not process.entity_id else ""
    return TimelineView(text=f"{text}{kind}", since=since, until=until, sort="oldest").address()


def guide_timeline(query: AlertQuery) -> str:
    """Return the address of what a guide's query finds, empty if nothing can meet it; its times are absolute."""
    if query.query is None:
        return ""
    text = query.asked_kql
    if len(query.spans) > 1:
        either = " or ".join(f"({times})" for times in map(_times, query.spans) if times)
        text = f"({text}) and ({either})" if either else text
    starts, ends = [span.start for span in query.spans], [span.after for span in query.spans]
    return TimelineView(text=text, since=_outermost(starts, min), until=_outermost(ends, max)).address()


def _times(span: TimeSpan) -> str:
    bounds = ((">=", span.start), ("<", span.after))
    return " and ".join(f'@timestamp {sign} "{iso(at, 6)}"' for sign, at in bounds if at is not None)


def _outermost(moments: list[datetime | None], choose: Any) -> str:
    known = [moment for moment in moments if moment is not None]
    return iso(choose(known), 6) if known and len(known) == len(moments) else ""
