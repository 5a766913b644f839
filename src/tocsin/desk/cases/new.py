"""A case of selected alerts: what is known of the same is shown, then a new one is made, or one takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alerts.actions import selected_alerts
from tocsin.desk.cases.form import follow_up_of, names_of
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute, leave_page, path_of
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Responder, Visitor
from tocsin.management.alerts import assignable_users
from tocsin.response.cases import listing
from tocsin.response.cases.case_alerts import MOST_ALERTS, AttachedAlerts, add_alerts
from tocsin.response.cases.cases import NewCase, make_case
from tocsin.response.cases.fields import IN_PROGRESS, LONGEST_TITLE, OPEN, SEVERITIES
from tocsin.response.cases.locking import find_case
from tocsin.response.cases.observables import Indicator, cases_with, indicators_of
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.cases import StoredCase
from tocsin.store.records.database import chunks
from tocsin.store.records.models import StoredAlert

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_OFFERED = 100  # open cases that alerts can be added to from a list
_ASKED, _SHOWN = 20, 10  # values whose earlier verdicts are looked for, verdicts that are shown
# Where an alert's event has a value, by the type of the value.
_FIELDS: Mapping[str, Sequence[str]] = {
    "hash": tuple(
        f"{of}.hash.{kind}"
        for of in ("process", "process.parent", "file", "dll")
        for kind in ("sha256", "sha1", "md5")
    ),
    "domain": ("dns.question.name", "destination.domain", "url.domain", "server.domain"),
    "address": ("source.ip", "destination.ip", "dns.resolved_ip", "server.ip", "client.ip"),
    "URL": ("url.full", "url.original"),
}  # fmt: skip


@dataclass(frozen=True)
class SelectedAlerts:
    """What is known of alerts for which a case is to be made, from their documents."""

    documents: Sequence[FlatDocument]
    indicators: Sequence[Indicator]

    @property
    def title(self) -> str:
        """A title for a case: the rule, and the host where there is but one."""
        rules = {document.text("kibana.alert.rule.name"): None for document in self.documents}
        hosts = {document.text("host.name"): None for document in self.documents} if self.documents else {}
        rule = next(iter(rules), "")
        host = f" · {next(iter(hosts))}" if len(hosts) == 1 and any(hosts) else ""
        return f"{rule}{host}"[:LONGEST_TITLE]

    @property
    def severity(self) -> str:
        """The highest severity among them."""
        held = {document.text("kibana.alert.severity") for document in self.documents}
        return next((severity for severity in reversed(SEVERITIES) if severity in held), SEVERITIES[0])


@router.get("/cases/new")
async def show_form(request: Request, visitor: Responder, records: RequestTransactions) -> Response:
    """Show the form of a new case, with the alerts that the address names."""
    return await _form_page(request, visitor, records, request.query_params.getlist("id"), "/cases")


@router.post("/cases/select")
async def select_alerts(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions
) -> Response:
    """Show the form of a new case with the alerts that are selected in a list."""
    back = path_of(request.headers.get("hx-current-url") or field(form, "back"))
    ids = await selected_alerts(request, form)
    if not ids:
        raise bad_request("no alert is selected")
    return await _form_page(request, visitor, records, ids, back)


async def _form_page(
    request: Request, visitor: Visitor, records: RequestTransactions, ids: Sequence[str], back: str
) -> Response:
    if len(ids) > MOST_ALERTS:
        raise bad_request(
            f"a case has at most {MOST_ALERTS:,} alerts, and {len(ids):,} are selected: select fewer"
        )

    def read(session: Session) -> dict[str, Any]:
        alerts = _selected(session, ids)
        return {
            "alerts": alerts,
            "similar": cases_with(session, alerts.indicators),
            "open_cases": listing.find_cases(
                session, listing.CaseFilter((OPEN, IN_PROGRESS)), size=_OFFERED, sort="updatedAt"
            ),
            "users": assignable_users(session),
        }

    context = await records.read(read)
    verdicts = await _verdicts(request, context["alerts"].indicators, ids)
    template = "cases/new_form.html" if "hx-request" in request.headers else "cases/new.html"
    return page(
        request,
        template,
        visitor,
        ids=[document.id for document in context["alerts"].documents],
        verdicts=verdicts,
        severities=SEVERITIES,
        back=back,
        most_shown=_SHOWN,
        **context,
    )


@router.post("/cases/new")
async def add_case(request: Request, form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Make a case, or add alerts to the one that is chosen (`case`)."""
    ids, chosen = form.get("id", []), field(form, "case").strip()

    def work(session: Session) -> tuple[StoredCase, AttachedAlerts]:
        if chosen:
            attached = add_alerts(session, visitor.actor, chosen, ids)
            return find_case(session, chosen), attached
        made = make_case(session, visitor.actor, _new_case(form, visitor, ids))
        return made.case, made.alerts

    case, _ = await records.run(work)
    address = f"/cases/{case.number}"
    return leave_page(address) if "hx-request" in request.headers else RedirectResponse(address, 303)


def _new_case(form: Fields, visitor: Visitor, ids: Sequence[str]) -> NewCase:
    return NewCase(
        field(form, "title"),
        field(form, "description"),
        field(form, "severity") or None,
        names_of(field(form, "tags")),
        [name for name in dict.fromkeys(form.get("assignee", [])) if name],
        sync_alerts=field(form, "sync_alerts") == "1",
        follow_up=follow_up_of(field(form, "follow_up"), visitor.zone),
        follow_up_note=field(form, "follow_up_note"),
        alerts=ids,
    )


def _selected(session: Session, ids: Sequence[str]) -> SelectedAlerts:
    documents: list[dict[str, Any]] = []
    for chunk in chunks(dict.fromkeys(ids)):
        kept = session.scalars(select(StoredAlert.document).where(StoredAlert.id.in_(chunk)))
        documents += map(orjson.loads, kept)
    flat = [
        flat_document({"_id": document["kibana.alert.uuid"], "_index": ALERTS_INDEX, "_source": document})
        for document in documents
    ]
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    worst_first = sorted(flat, key=lambda document: -order.get(document.text("kibana.alert.severity"), -1))
    return SelectedAlerts(worst_first, indicators_of(documents))


async def _verdicts(request: Request, indicators: Iterable[Indicator], ids: Sequence[str]) -> list[FlatDocument]:
    """Return the last closed alerts of the same values, with the reasons for which they were closed."""
    asked = list(indicators)[:_ASKED]
    tests = [
        {"term": {name: {"value": value, "case_insensitive": type_ != "address"}}}
        for type_, value in asked
        for name in _FIELDS.get(type_, ())
    ]
    tests += [
        {"wildcard": {"process.command_line": {"value": f"*{_as_pattern(value)}*", "case_insensitive": True}}}
        for _, value in asked
    ]
    if not tests:
        return []
    query = {
        "bool": {
            "filter": [{"term": {"kibana.alert.workflow_status": "closed"}}],
            "should": tests,
            "minimum_should_match": 1,
            "must_not": [{"ids": {"values": list(ids)}}],
        }
    }
    body = {"query": query, "size": _SHOWN, "sort": [{"@timestamp": "desc"}]}
    answer = await search(request, [ALERTS_INDEX], body)
    return [flat_document(hit) for hit in answer["hits"]["hits"]]


def _as_pattern(text: str) -> str:
    """Return a pattern that a text alone fits."""
    return re.sub(r"([\\*?])", r"\\\1", text)
