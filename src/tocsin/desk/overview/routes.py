"""The overview: what happened since the visitor last looked, and that they have seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import RunningService
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.overview.health import events_address, service_health
from tocsin.desk.overview.view import AGES, RANGES, OverviewView, open_address, open_search, overview_address
from tocsin.desk.overview.words import CAUSE_WORDS, PROBLEM_WORDS
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader
from tocsin.management.activity import activity_since, closed_since
from tocsin.management.last_look import last_look, set_last_look
from tocsin.management.rules.outlines import rule_outlines
from tocsin.management.rules.troubles import failed_rules, new_gaps, rules_with_earlier_alerts
from tocsin.moments import datetime_nanoseconds, iso
from tocsin.response.cases.listing import due_cases
from tocsin.rules.model import SEVERITIES
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHOWN = 12  # rows of a list on the first screen; a link leads to the others


@dataclass(frozen=True)
class CountedAlerts:
    """Alerts of a rule or a host: how many, of which severities; of a rule, whether it had raised none before."""

    name: str
    count: int
    severities: Mapping[str, int]
    is_first: bool = False

    @property
    def worst(self) -> str:
        """The highest severity among them."""
        return next((severity for severity in reversed(SEVERITIES) if self.severities.get(severity)), "")


@router.get("/overview")
async def show_overview(
    request: Request, visitor: Reader, service: RunningService, records: RequestTransactions, since: str = ""
) -> Response:
    """Show what happened since the visitor last said that they had seen it, or since what the address says."""
    look = await records.run(lambda session: last_look(session, visitor.actor))
    view = OverviewView.of(since, look, datetime.now(UTC))
    raised, ages, known, health = await asyncio.gather(
        search(request, [ALERTS_INDEX], view.search()),
        search(request, [ALERTS_INDEX], open_search()),
        records.run(lambda session: _recorded(session, view)),
        run_in_threadpool(service_health, service),
    )
    figures = raised["aggregations"]
    silent = [source for source in health.sources if source.state == "silent"]
    rejected = service.ingest.rejected
    context: dict[str, Any] = {
        **known,
        "view": view, "look": look, "ranges": RANGES, "address": overview_address,
        "total": raised["hits"]["total"]["value"], "open": figures["open"]["doc_count"],
        "severities": [(name, _severities(figures).get(name, 0)) for name in reversed(SEVERITIES)],
        "rules": _rules(figures["rules"]["buckets"], known["alerted"]),
        "hosts": [
            CountedAlerts(bucket["key"], bucket["doc_count"], _severities(bucket))
            for bucket in figures["hosts"]["buckets"]
        ],
        "ages": [
            (since, until, label, ages["aggregations"][str(place)]["doc_count"],
             _severities(ages["aggregations"][str(place)]))
            for place, (since, until, label) in enumerate(AGES)
        ],
        "open_address": open_address, "shown": SHOWN, "health": health, "readiness": health.readiness,
        "silent": silent, "events_of": events_address,
        "newly_silent": {s.index for s in silent if s.fell_silent_after(datetime_nanoseconds(view.since))},
        "rejected": rejected.by_reason(view.since),
        "rejected_since": rejected.began if rejected.began > view.since else None,
        "problem_words": PROBLEM_WORDS, "cause_words": CAUSE_WORDS, "until": iso(view.until),
    }  # fmt: skip
    return page(request, "overview/page.html", visitor, **context)


@router.post("/overview/seen")
async def set_seen(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Keep that the visitor has seen what happened up to the moment at which their page was written."""
    try:
        moment = datetime.fromisoformat(field(form, "seen"))
    except ValueError:
        raise bad_request("[seen] is a moment, as in 2026-11-27T12:00:00.000Z") from None
    if moment.tzinfo is None:
        raise bad_request("[seen] names no zone, as in 2026-11-27T12:00:00.000Z")
    await records.run(lambda session: set_last_look(session, visitor.actor, moment))
    return RedirectResponse("/overview", 303)


def _recorded(session: Session, view: OverviewView) -> dict[str, Any]:
    rules = rule_outlines(session)
    return {
        "failed": failed_rules(session, view.since),
        "gaps": new_gaps(session, view.since),
        "activity": activity_since(session, view.since, view.until),
        "closed": closed_since(session, view.since, view.until),
        "due_cases": due_cases(session, view.until),
        "names": {rule.id: rule.name for rule in rules},
        "enabled": sum(rule.enabled for rule in rules),
        "alerted": rules_with_earlier_alerts(session, view.since),
    }


def _rules(buckets: Sequence[Mapping[str, Any]], alerted: set[str]) -> list[CountedAlerts]:
    """Return the rules that raised alerts: those that never had before first, then by severity and number."""
    rules = [
        CountedAlerts(
            (bucket["names"]["buckets"] or [bucket])[0]["key"], bucket["doc_count"], _severities(bucket),
            is_first=bucket["key"] not in alerted,
        )
        for bucket in buckets
    ]  # fmt: skip
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    return sorted(rules, key=lambda rule: (not rule.is_first, -order.get(rule.worst, -1), -rule.count, rule.name))


def _severities(figures: Mapping[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in figures["severities"]["buckets"]}
