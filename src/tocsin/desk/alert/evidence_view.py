"""What the evidence of an alert shows, as the address says it: which process, which of its events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

from tocsin.desk.alerts.neighbours import list_address
from tocsin.desk.translations import N_
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.investigation.processes.process_events import KINDS
from tocsin.investigation.processes.processes import Process
from tocsin.moments import to_nanoseconds

PAGE_SIZE = 100
_MOST_PAGES = 10_000 // PAGE_SIZE
_MILLISECOND = 1_000_000
_WRITTEN = re.compile(r"([0-9]{0,10})\.([0-9]{0,13})\.([0-9]{0,13})\.(.*)", re.DOTALL)


@dataclass(frozen=True)
class EventColumn:
    """A column of a table of events: the first of some fields that an event has, in a form."""

    label: str
    fields: tuple[str, ...]
    form: str = "text"  # or moment, mono, alert


_TIME = EventColumn(N_("Time"), ("@timestamp",), "moment")
_ACTION = EventColumn(N_("Action"), ("event.action", "event.type"))
_SIGNED_BY = ("dll.code_signature.subject_name", "file.code_signature.subject_name")
# The columns of events of a kind.
COLUMNS: Mapping[str, tuple[EventColumn, ...]] = {
    "network": (
        _TIME,
        EventColumn(N_("Destination"), ("destination.ip", "destination.address"), "mono"),
        EventColumn(N_("Port"), ("destination.port",), "mono"),
        EventColumn(N_("Name"), ("destination.domain", "dns.question.name"), "mono"),
        EventColumn(N_("Protocol"), ("network.protocol", "network.transport")),
        EventColumn(N_("Source"), ("source.ip",), "mono"),
    ),
    "files": (
        _TIME, _ACTION, EventColumn(N_("Path"), ("file.path", "file.name"), "mono"),
        EventColumn("SHA-256", ("file.hash.sha256", "file.hash.sha1", "file.hash.md5"), "mono"),
    ),
    "registry": (
        _TIME, _ACTION, EventColumn(N_("Path"), ("registry.path", "winlog.event_data.TargetObject"), "mono"),
        EventColumn(N_("Data"), ("registry.data.strings", "winlog.event_data.Details"), "mono"),
    ),
    "dns": (
        _TIME, EventColumn(N_("Asked for"), ("dns.question.name",), "mono"),
        EventColumn(N_("Answers"), ("dns.answers.data", "dns.resolved_ip"), "mono"),
    ),
    "libraries": (
        _TIME, EventColumn(N_("Library"), ("dll.path", "file.path"), "mono"),
        EventColumn(N_("Signed by"), _SIGNED_BY),
        EventColumn("SHA-256", ("dll.hash.sha256", "file.hash.sha256"), "mono"),
    ),
    "alerts": (
        _TIME, EventColumn(N_("Severity"), ("kibana.alert.severity",)),
        EventColumn(N_("Rule"), ("kibana.alert.rule.name",), "alert"),
        EventColumn(N_("Status"), ("kibana.alert.workflow_status",)),
    ),
}  # fmt: skip
LABELS: Mapping[str, str] = {
    "process": N_("Process"), "network": N_("Network"), "files": N_("Files"), "registry": N_("Registry"),
    "dns": "DNS", "libraries": N_("Libraries"), "alerts": N_("Alerts"), "host": N_("Host"), "user": N_("User"),
    "prevalence": N_("Prevalence"), "observables": N_("Observables"), "sequence": N_("Steps"),
    "event": N_("Event of the alert"), "json": "JSON",
}  # fmt: skip


@dataclass(frozen=True)
class EvidenceView:
    """A process and what of it is shown. `process` is empty for that of the alert.

    `ever` shows its events of all time, not those of the day before and after the alert alone; `further` looks for
    parents further back. `list` is the address of the list that the alert was opened from, empty
    where it was from none.
    """

    alert: str
    process: str = ""
    show: str = "process"
    page: int = 1
    ever: bool = False
    further: bool = False
    list: str = ""

    @staticmethod
    def of(alert: str, parameters: QueryParams) -> EvidenceView:
        """Return what an address asks for."""
        show, page = parameters.get("show", "process"), parameters.get("page", "1")
        return EvidenceView(
            alert,
            parameters.get("process", "")[:500],
            show if show in LABELS else "process",
            max(1, read_whole_number(page, _MOST_PAGES) or 1),
            parameters.get("ever") == "1",
            parameters.get("further") == "1",
            list_address(parameters.get("list", "")),
        )

    def address(self, part: str = "", **changes: Any) -> str:
        """Return the address of the alert's page, or of a part of it, with changes."""
        view = replace(self, **{"page": 1, **changes})
        parameters = {"process": view.process, "show": view.show if view.show != "process" else ""}
        parameters |= {"ever": "1" if view.ever else "", "further": "1" if view.further else ""}
        if view.page > 1:
            parameters["page"] = str(view.page)
        parameters["list"] = view.list
        query = urlencode({name: value for name, value in parameters.items() if value})
        return f"/alerts/{quote(view.alert, safe='')}{part}{'?' if query else ''}{query}"

    def search(self, events: Mapping[str, Any]) -> dict[str, Any]:
        """Return the search that counts events by kind, with the rows of a page where a kind is shown."""
        counting: dict[str, Any] = {"query": events, "aggs": {"kinds": {"filters": {"filters": dict(KINDS)}}}}
        if self.show not in KINDS:
            return {**counting, "size": 0}
        fields = dict.fromkeys(name for column in COLUMNS[self.show] for name in column.fields)
        return {
            **counting, "post_filter": KINDS[self.show],
            "size": PAGE_SIZE, "from": (self.page - 1) * PAGE_SIZE,
            "sort": [{"@timestamp": "asc"}], "_source": False,
            "fields": [*fields, "kibana.alert.uuid"],
        }  # fmt: skip


def written_process(node: Mapping[str, Any]) -> str:
    """Return what an address calls a process of a tree: pid, start and end in milliseconds, entity id."""
    times = (node["start"], node["end"])
    numbers = ["" if at is None else str(to_nanoseconds(at) // _MILLISECOND) for at in times]
    return ".".join(["" if node["pid"] is None else str(node["pid"]), *numbers, node["entity_id"]])


def read_process(host: str, text: str) -> Process | None:
    """Return the process that an address means, None for what means none."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    pid, start, end = (int(part) if part else None for part in written.group(1, 2, 3))
    start, end = (None if at is None else at * _MILLISECOND for at in (start, end))
    return Process(host=host, entity_id=written[4], pid=pid, start=start, end=end)
