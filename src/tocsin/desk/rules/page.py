"""The page of one rule: what it says, how it runs, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.rules.alert_counts import DAY, MONTH, alerts_a_day, alerts_address
from tocsin.desk.rules.facts import about_facts, definition_facts, schedule_facts, threats, web_address
from tocsin.desk.rules.guide import shown_markdown
from tocsin.desk.rules.highlighting import highlighted
from tocsin.desk.rules.routes import export_file
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader, RuleWriter
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.management.exports import exported_rules
from tocsin.management.rules.bulk_actions import Change, apply_action
from tocsin.management.rules.details import rule_called_by, rule_details, rule_history
from tocsin.management.rules.runs import read_span, request_backfill
from tocsin.management.rules.saving import schema_of
from tocsin.management.rules.snoozing import FOREVER, snooze_rule
from tocsin.store.records.models import StoredRule

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LATEST = 2**63 - 1  # ns since 1970, of a window that a rule missed
EXECUTIONS_PAGE = 50
# How long actions are held back: the hours, None for as long as nobody ends it.
SNOOZES: dict[str, tuple[str, float | None]] = {
    "1h": (N_("1 hour"), 1), "8h": (N_("8 hours"), 8), "1d": (N_("1 day"), 24), "7d": (N_("7 days"), 7 * 24),
    "forever": (N_("until I end it"), None),
}  # fmt: skip


@router.get("/rules/{id}")
async def show_rule(
    request: Request, visitor: Reader, records: RequestTransactions, store: ServiceStore, id: str
) -> Response:
    """Show a rule: how it fares, what it says, its guide."""
    names, schemas = store.names(), schema_of(store)
    details = await records.run(lambda session: rule_details(session, rule_called_by(session, id), schemas, names))
    rule = details.rule
    alerts, histogram, problem = None, None, ""
    try:
        alerts, histogram = await alerts_a_day(request, rule.id)
    except ApiError as error:
        problem = error.reason
    document = rule.document
    context: dict[str, Any] = {
        "tab": "rule", "rule": rule, "document": document, "details": details, "alerts": alerts,
        "histogram": histogram, "problem": problem, "about": about_facts(document),
        "definition": definition_facts(document), "schedule": schedule_facts(document),
        "threats": threats(document), "guide": shown_markdown(document.get("note"), visitor),
        "setup": shown_markdown(document.get("setup"), visitor), "highlighted": highlighted,
        "web_address": web_address, "alerts_address": alerts_address, "day": DAY, "month": MONTH,
        "snoozes": SNOOZES,
    }  # fmt: skip
    return page(request, "rules/rule.html", visitor, **context)


@router.get("/rules/{id}/executions")
async def show_executions(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show the executions of a rule, its gaps, and the runs that were asked for."""
    given = request.query_params.get("page", "1")
    number = max(1, int(given[:6])) if given.isdecimal() else 1

    def read(session: Session) -> dict[str, Any]:
        rule = rule_called_by(session, id)
        start = (number - 1) * EXECUTIONS_PAGE
        return {"rule": rule, "history": rule_history(session, rule, start=start, size=EXECUTIONS_PAGE)}

    context = await records.run(read) | {
        "tab": "executions", "number": number, "page_size": EXECUTIONS_PAGE, "alerts_address": alerts_address,
        "snoozes": SNOOZES,
    }  # fmt: skip
    return page(request, "rules/executions.html", visitor, **context)


@router.post("/rules/{id}/action")
async def act_on_rule(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, id: str
) -> Response:
    """Enable or disable a rule, run it, fill its gaps, hold its actions back, copy or remove it."""
    name = field(form, "action")
    if name not in _ACTIONS:
        raise bad_request(f"[action] is one of {', '.join(_ACTIONS)}, not `{name}`")
    if name == "delete" and not field(form, "sure"):
        rule = await records.run(lambda session: rule_called_by(session, id))
        return page(request, "rules/remove_rule.html", visitor, rule=rule)
    schemas = schema_of(store)

    def work(session: Session, go_on: GoOn) -> str:
        rule = rule_called_by(session, id)
        return _ACTIONS[name](Change(session, visitor.actor, schemas), rule, form)

    return RedirectResponse(await records.run_in_turn(work), 303)


def rule_address(rule: StoredRule, tab: str = "") -> str:
    """Return the address of a rule's page, or of one of its tabs."""
    return f"/rules/{quote(rule.id, safe='')}{tab}"


def _apply(action: str) -> Callable[[Change, StoredRule, Fields], str]:
    def apply(change: Change, rule: StoredRule, form: Fields) -> str:
        result = apply_action(action, [rule], change)
        for failure in result.failures:
            raise failure.error
        if action == "delete":
            return "/rules"
        return f"/rules/{result.created[0]['id']}" if result.created else rule_address(rule)

    return apply


def _run(change: Change, rule: StoredRule, form: Fields) -> str:
    options = {"start_date": field(form, "from").strip() or None, "end_date": field(form, "to").strip() or None}
    asked = Change(change.session, change.actor, change.schemas, {"run": options})
    asked.run(rule)
    return rule_address(rule, "/executions")


def _fill(change: Change, rule: StoredRule, form: Fields) -> str:
    first, last = (read_whole_number(field(form, name), _LATEST) for name in ("first", "last"))
    span = None
    if first is not None and last is not None:
        span = first, last
    elif field(form, "from").strip():
        span = read_span(field(form, "from").strip(), field(form, "to").strip() or None)
    request_backfill(change.session, change.actor, rule, span)
    return rule_address(rule, "/executions")


def _snooze(change: Change, rule: StoredRule, form: Fields) -> str:
    span = field(form, "span")
    if span not in SNOOZES:
        raise bad_request(f"[span] is one of {', '.join(SNOOZES)}")
    hours = SNOOZES[span][1]
    until = FOREVER if hours is None else datetime.now(UTC) + timedelta(hours=hours)
    snooze_rule(change.session, change.actor, rule, until)
    return rule_address(rule)


def _end_snooze(change: Change, rule: StoredRule, form: Fields) -> str:
    snooze_rule(change.session, change.actor, rule, None)
    return rule_address(rule)


_ACTIONS: dict[str, Callable[[Change, StoredRule, Fields], str]] = {
    "enable": _apply("enable"), "disable": _apply("disable"), "duplicate": _apply("duplicate"),
    "delete": _apply("delete"), "run": _run, "fill_gaps": _fill, "snooze": _snooze, "end_snooze": _end_snooze,
}  # fmt: skip


@router.get("/rules/{id}/export")
async def export_rule(visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Answer with a rule as a file: an export, with the exceptions that it names."""

    def work(session: Session) -> bytes:
        return exported_rules(session, [rule_called_by(session, id)])

    return export_file(await records.run(work), "rule.ndjson")
