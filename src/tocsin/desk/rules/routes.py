"""The list of rules: its page, the part of it that changes, and actions on many rules at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import ServiceStore, service_of
from tocsin.api.transactions import GoOn, RequestTransactions, TransactionRunner
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.rules.alert_counts import DAY, MONTH, alert_counts, alerts_address
from tocsin.desk.rules.view import PAGE_SIZE, RulesView
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader, RuleWriter, Visitor
from tocsin.management.exports import exported_rules
from tocsin.management.rules.bulk_actions import BulkResult, Change, apply_action, select_rules
from tocsin.management.rules.saving import schema_of
from tocsin.management.rules.summaries import RuleSummary, rule_summaries, with_alerts

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# What is done with many rules, with a sentence about what was done.
_ACTIONS: Mapping[str, str] = {
    "enable": N_("Rules enabled: %(count)s."),
    "disable": N_("Rules disabled: %(count)s."),
    "duplicate": N_("Rules duplicated: %(count)s. The copies are disabled."),
    "delete": N_("Rules removed: %(count)s. Their alerts stay."),
    "add_tags": N_("Rules that have the tag now: %(count)s."),
    "delete_tags": N_("Rules that the tag was taken from: %(count)s."),
    "run": N_("Rules that run over the span now: %(count)s."),
    "fill_gaps": N_("Rules whose missed windows are run now: %(count)s."),
}
_SHOWN_FAILURES, _SHOWN_NAMES = 20, 30


@dataclass(frozen=True)
class ActionOutcome:
    """What an action on rules has done: a sentence, with its number, and each failure, by its name, with why."""

    sentence: str
    count: int
    failures: Sequence[tuple[str, str]] = ()

    @property
    def more(self) -> int:
        """How many failures there are beside those that are shown."""
        return max(0, len(self.failures) - _SHOWN_FAILURES)

    @property
    def shown(self) -> Sequence[tuple[str, str]]:
        """The first failures."""
        return self.failures[:_SHOWN_FAILURES]


@router.get("/rules")
async def list_rules(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show rules: the page, or what of it changes with another choice."""
    return await _list(request, visitor, records, RulesView.of(request.query_params))


async def _list(
    request: Request,
    visitor: Visitor,
    records: TransactionRunner,
    view: RulesView,
    outcome: ActionOutcome | None = None,
) -> Response:
    rules = await _summaries(request, records)
    rows = view.rows(rules)
    first = (view.page - 1) * PAGE_SIZE
    template = "rules/list.html" if "hx-request" in request.headers else "rules/page.html"
    context: dict[str, Any] = {
        "view": view, "rows": rows[first : first + PAGE_SIZE], "total": len(rows), "number": len(rules),
        "enabled": sum(rule.enabled for rule in rules), "facets": view.counts(rules), "page_size": PAGE_SIZE,
        "outcome": outcome, "alerts_address": alerts_address, "day": DAY, "month": MONTH,
    }  # fmt: skip
    return page(request, template, visitor, **context)


async def _summaries(request: Request, records: TransactionRunner) -> list[RuleSummary]:
    names = service_of(request).store.names()
    alerts, rules = await asyncio.gather(
        alert_counts(request), records.run(lambda session: rule_summaries(session, names))
    )
    return with_alerts(rules, alerts)


async def _chosen(
    request: Request, records: TransactionRunner, form: Fields
) -> tuple[RulesView, list[RuleSummary]]:
    """Return the list that a form stands in, and the rules that are selected, or all that its filter finds."""
    view = RulesView.of(QueryParams(parse_qsl(field(form, "view"))))
    rules = await _summaries(request, records)
    if field(form, "every"):
        return view, view.rows(rules)
    ids = set(form.get("id", ()))
    return view, [rule for rule in rules if rule.id in ids]


@router.post("/rules/action")
async def act(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore
) -> Response:
    """Do something with the rules that are selected. Removing asks first."""
    name, tag = field(form, "action"), field(form, "tag").strip()
    if name not in _ACTIONS:
        raise bad_request(f"[action] is one of {', '.join(_ACTIONS)}, not `{name}`")
    view, rules = await _chosen(request, records, form)
    if not rules:
        return await _list(request, visitor, records, view, ActionOutcome(N_("No rule is selected."), 0))
    if name == "delete" and not field(form, "sure"):
        context: dict[str, Any] = {"view": view, "rules": rules, "shown": rules[:_SHOWN_NAMES]}
        template = "rules/remove.html" if "hx-request" in request.headers else "rules/remove_page.html"
        return page(request, template, visitor, **context)
    action, options = _options(name, tag, form)
    schemas, ids = schema_of(store), [rule.id for rule in rules]

    def work(session: Session, go_on: GoOn) -> BulkResult:
        chosen, _ = select_rules(session, ids, None, None)
        return apply_action(action, chosen, Change(session, visitor.actor, schemas, options), go_on=go_on)

    result = await records.run_in_turn(work)
    failures = [(failure.name or failure.id, failure.error.message) for failure in result.failures]
    if not failures and "hx-request" not in request.headers:
        return RedirectResponse(view.address(page=view.page), 303)
    return await _list(request, visitor, records, view, ActionOutcome(_ACTIONS[name], result.succeeded, failures))


def _options(name: str, tag: str, form: Fields) -> tuple[str, dict[str, Any]]:
    """Return the action, and its options, as Kibana's interface has them. Raises ApiError."""
    if name in ("add_tags", "delete_tags"):
        if not tag or len(tag) > 255:
            raise bad_request("[tag] has 1 to 255 characters")
        return "edit", {"edit": [{"type": name, "value": [tag]}]}
    if name in ("run", "fill_gaps"):
        start, end = field(form, "from").strip() or None, field(form, "to").strip() or None
        return name, {name: {"start_date": start, "end_date": end}}
    return name, {}


@router.post("/rules/export")
async def export(request: Request, form: Form, visitor: Reader, records: RequestTransactions) -> Response:
    """Answer with the rules that are selected as a file: an export, with the exceptions that they name."""
    _, rules = await _chosen(request, records, form)
    ids = [rule.id for rule in rules]

    def work(session: Session) -> bytes:
        return exported_rules(session, select_rules(session, ids, None, None)[0])

    return export_file(await records.read(work), "rules.ndjson")


def export_file(text: bytes, name: str) -> Response:
    """Return an export as a file that a browser saves."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="application/ndjson", headers=headers)
