"""Alerts of the desk as one self-contained HTML page, made of their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from tocsin.detection.alerts.alert import as_text
from tocsin.investigation.guides.guide import guide_text_html, note_of
from tocsin.investigation.happened import who_did_what
from tocsin.investigation.processes.windows_executables import Remark
from tocsin.moments import iso, to_nanoseconds
from tocsin.printable import printable, printable_line
from tocsin.report.moments_shown import shown_time
from tocsin.report.page import report_page
from tocsin.report.reported_alerts import (
    ReportedAlert,
    ReportedAlerts,
    ReportedProcess,
    ReportedRule,
    ReportedStep,
)

Document = Mapping[str, Any]
MOST_ALERTS = 500  # of a report: each has its event, and many their guide
_RULE, _HAPPENED = "kibana.alert.rule", "kibana.alert.original_time"
# What became of an alert: what it is called, and the field that says so.
_FACTS = (
    ("status", "kibana.alert.workflow_status"),
    ("reason for closing", "kibana.alert.workflow_reason"),
    ("status changed", "kibana.alert.workflow_status_updated_at"),
    ("assigned to", "kibana.alert.workflow_assignee_ids"),
    ("tags", "kibana.alert.workflow_tags"),
)
_MOMENTS = frozenset({"kibana.alert.workflow_status_updated_at"})


@dataclass(frozen=True)
class AlertsReport:
    """What a report is of: alerts by their documents, flat, the newest first.

    `total` is how many there are where these are the first of them. `about` says what was asked for. Of one alert
    there are the events of its sequence (`steps`), the nodes of its process tree (`processes`) and its `history`.
    """

    documents: Sequence[Document]
    total: int
    about: str
    made: str
    steps: Sequence[Document] = ()
    processes: Sequence[Mapping[str, Any]] = ()
    history: Sequence[tuple[str, str]] = ()

    def html(self) -> str:
        """Return the page."""
        rules: dict[str, ReportedRule] = {}
        alerts = [_reported(document, rules) for document in self.documents]
        if len(alerts) == 1:
            alerts = [self._with_all(alerts[0])]
        whole = ReportedAlerts(alerts)
        return report_page(
            "alerts.html",
            places=sorted({mark.x for mark in whole.marks}),
            alerts=whole,
            total=self.total,
            about=self.about,
            made=shown_time(self.made),
        )

    def _with_all(self, alert: ReportedAlert) -> ReportedAlert:
        steps = [ReportedStep(_event(step), _origin(step)) for step in self.steps]
        return replace(
            alert,
            steps=steps or alert.steps,
            is_sequence=len(steps) > 1,
            processes=[_process(node) for node in self.processes],
            facts=[*alert.facts, *self.history],
        )


def reported_alerts(documents: Sequence[Document]) -> ReportedAlerts:
    """Return alerts as reports show them, of their documents, flat."""
    rules: dict[str, ReportedRule] = {}
    return ReportedAlerts([_reported(document, rules) for document in documents])


def about_one(alert: Document) -> str:
    """Return what the report of one alert says that it is of: how bad the alert is."""
    severity, score = (as_text(alert.get(f"kibana.alert.{name}")) for name in ("severity", "risk_score"))
    return f"{severity} {score}."


def history_line(time: datetime, actor: str, field: str, old: object, new: object) -> tuple[str, str]:
    """Return a change of an alert as a report has it: when, and who changed what."""
    return f"{shown_time(iso(time))} UTC", f"{actor} {field}: {old} → {new}"


def _reported(document: Document, rules: dict[str, ReportedRule]) -> ReportedAlert:
    def text(name: str) -> str:
        return as_text(document.get(name))

    id_, moment = text(f"{_RULE}.uuid"), document.get(_HAPPENED) or document.get("@timestamp")
    rule = rules.setdefault(f"{id_} {text('kibana.alert.severity')}", _rule(document))
    hosts, users = _texts(document.get("host.name")), _texts(document.get("user.name"))
    sentence = who_did_what(lambda name: printable_line(text(name))) or printable_line(text("kibana.alert.reason"))
    return ReportedAlert(
        id=text("kibana.alert.uuid"),
        rule=rule,
        time=_moment(moment),
        timestamp=as_text(moment),
        host=printable(", ".join(hosts)),
        hosts=hosts,
        user=", ".join(users),
        users=users,
        what_happened=sentence,
        steps=[ReportedStep(_event(document), _origin(document))],
        is_sequence=False,
        guide=partial(_guide, document),
        facts=[(name, _fact(field, document[field])) for name, field in _FACTS if document.get(field)],
    )


def _fact(field: str, value: Any) -> str:
    return f"{shown_time(value)} UTC" if field in _MOMENTS else printable(as_text(value))


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(as_text(member) for member in values if member not in (None, ""))


def _moment(value: Any) -> int:
    try:
        return to_nanoseconds(value[0] if isinstance(value, list) else value)
    except (ValueError, TypeError, IndexError):
        return 0


def _event(document: Document) -> Document:
    """Return the event's own fields: those that the alert adds to it are shown elsewhere."""
    event = {name: value for name, value in document.items() if not name.startswith(("kibana.", "tocsin."))}
    return event | {"@timestamp": document.get(_HAPPENED) or document.get("@timestamp")}


def _origin(document: Document) -> str:
    ancestors = document.get("kibana.alert.ancestors") or []
    first = ancestors[0] if isinstance(ancestors, list) and ancestors else {}
    return "/".join(as_text(first.get(name)) for name in ("index", "id")) if isinstance(first, Mapping) else ""


def _guide(document: Document) -> str:
    return printable(guide_text_html(note_of(document), document))


def _rule(document: Document) -> ReportedRule:
    parameters = _parameters(document)
    threats = [threat for threat in parameters.get("threat") or () if isinstance(threat, Mapping)]
    tactics = [threat["tactic"] for threat in threats if isinstance(threat.get("tactic"), Mapping)]
    techniques = [t for threat in threats for t in threat.get("technique") or () if isinstance(t, Mapping)]
    return ReportedRule(
        id=as_text(document.get(f"{_RULE}.uuid")),
        name=as_text(document.get(f"{_RULE}.name")),
        severity=as_text(document.get("kibana.alert.severity")),
        risk_score=int(document.get("kibana.alert.risk_score") or 0),
        description=as_text(parameters.get("description")),
        query=as_text(parameters.get("query")),
        tactics=tuple(dict.fromkeys(as_text(tactic.get("id")) for tactic in tactics)),
        links=[
            (f"{as_text(entry.get('id'))} {as_text(entry.get('name'))}", address)
            for entry in [*tactics, *techniques]
            if (address := as_text(entry.get("reference"))).startswith(("https://", "http://"))
        ],
    )


def _parameters(document: Document) -> Mapping[str, Any]:
    """Return the rule's parameters, whether they are an object or flat fields."""
    prefix = f"{_RULE}.parameters"
    whole = document.get(prefix)
    if isinstance(whole, Mapping):
        return whole
    return {name.removeprefix(f"{prefix}."): v for name, v in document.items() if name.startswith(f"{prefix}.")}


def _process(node: Mapping[str, Any]) -> ReportedProcess:
    remarks = [Remark(**remark) for remark in node["remarks"]]
    return ReportedProcess(
        depth=node["depth"],
        name=node["name"] or "(no name)",
        pid="" if node["pid"] is None else str(node["pid"]),
        line=node["command_line"] or node["executable"],
        start=shown_time(node["start"]) if node["recorded"] else "not recorded",
        is_alert=node["relation"] == "alert",
        remarks=[(remark.state, remark.sentence) for remark in remarks],
    )
