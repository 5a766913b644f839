"""An exception from an alert: its conditions proposed, what it would have hidden shown, the alerts closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, api_error
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions, TransactionRunner
from tocsin.desk.alert.shown_alert import ShownAlert, find_alert
from tocsin.desk.alerts.neighbours import list_address
from tocsin.desk.alerts.undo_offers import ActionMessage, Sentence, say
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.exceptions.conditions import OPERATORS, ConditionRow, row_of_value
from tocsin.desk.exceptions.hidden import DAYS, ExceptionPreview, hidden_by
from tocsin.desk.exceptions.item_form import ItemForm, read_item_form
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.translations import N_
from tocsin.desk.visitor import RuleWriter, Visitor
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.errors import NotFoundError, TocsinError
from tocsin.investigation.highlighted_fields import highlighted_fields, offered_fields
from tocsin.management import alerts
from tocsin.management.alert_changes import REASONS
from tocsin.management.exceptions.items import add_to_rule, create_item
from tocsin.management.exceptions.usage import ListUsage, use_list, used_lists, value_lists
from tocsin.management.rules.saving import find_rule
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.records.exceptions import get_list

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ROWS = 8  # alerts that are shown of what would have been hidden
_CLOSES = (
    ("this", N_("this alert")),
    ("all", N_("this alert and those it would have hidden")),
    ("", N_("no alert")),
)
_ARGUMENTS, _COMMAND_LINE = "process.args", "process.command_line"
_SAVED = N_("The exception is saved: it holds from the rule's next run.")
_SAVED_AND_CLOSED = N_("The exception is saved: it holds from the rule's next run. Alerts closed: %(count)s.")
_CLOSING_REASON = "benign_positive"
# Rules of these types raise alerts of many events, of whose fields an alert has some.
_OF_MANY_EVENTS = frozenset({"threshold", "esql", "machine_learning"})


@dataclass(frozen=True)
class AlertOfException:
    """The alert that an exception is made from: the event whose fields are proposed, and its rule's lists.

    `steps` are the events of a sequence, of which the one with number `step` is proposed, the last by itself.
    """

    alert: ShownAlert
    event: Mapping[str, Any]
    steps: Sequence[FlatDocument]
    step: int
    has_rule: bool
    lists: Sequence[ListUsage]
    value_lists: Mapping[str, str]  # types by id

    @property
    def rule_uuid(self) -> str:
        """The id of its rule."""
        return self.alert.flat.text("kibana.alert.rule.uuid")

    @property
    def address(self) -> str:
        """The address of the page."""
        step = f"?step={self.step}" if self.steps else ""
        return f"/alerts/{quote(self.alert.flat.id, safe='')}/exception{step}"

    def scope(self, target: str) -> list[str]:
        """Return the rules that an exception in a list would be an exception of."""
        rules = next((usage.rules for usage in self.lists if usage.stored.list_id == target), ())
        return list(dict.fromkeys([self.rule_uuid, *(rule.id for rule in rules)]))


@router.get("/alerts/{id}/exception")
async def propose(request: Request, visitor: RuleWriter, records: RequestTransactions, id: str) -> Response:
    """Propose an exception that an alert's event fits."""
    subject = await _subject(request, records, id)
    form = _proposal(subject)
    return _shown(request, visitor, subject, form)


@router.post("/alerts/{id}/exception")
async def save(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, id: str
) -> Response:
    """Save the exception, close what is to be closed; or show the form with one more condition."""
    subject = await _subject(request, records, id)
    given = read_item_form(form)
    if name := field(form, "add").strip() if "add_condition" in form else "":
        value = subject.event.get(name)
        row = ConditionRow(name) if value is None else row_of_value(name, value, used=True)
        reply = _shown(request, visitor, subject, replace(given, rows=[*given.rows, row]))
        reply.headers["HX-Trigger-After-Settle"] = "conditions"  # what it would have hidden is asked for anew
        return reply
    try:
        body = given.body(visitor.zone, subject.value_lists, subject.event)
        scope = subject.scope(given.target)
        if "preview" in form:
            (hidden,) = await hidden_by(request, records, [body], scope, rows=_ROWS, alert=id)
            return _shown(request, visitor, subject, given, hidden=hidden, rules=len(scope))
        ids = [id] if given.closes else []
        if given.closes == "all":
            (hidden,) = await hidden_by(request, records, [body], scope, ids=True)
            ids = list(dict.fromkeys([id, *hidden.ids]))
        reason = field(form, "reason") or _CLOSING_REASON

        def keep(session: Session, go_on: GoOn) -> None:
            if given.target:
                exceptions = get_list(session, list_id=given.target)
                create_item(session, visitor.actor, {**body, "list_id": given.target}, store.schema())
                if subject.has_rule:
                    use_list(session, visitor.actor, find_rule(session, subject.rule_uuid), exceptions)
            else:
                rule = find_rule(session, subject.rule_uuid)
                add_to_rule(session, visitor.actor, rule, [body], store.schema())
            if ids:
                alerts.set_status(session, visitor.actor, ids, "closed", reason)
                if given.comment:
                    alerts.add_note(session, visitor.actor, id, given.comment)

        await records.run_in_turn(keep)
    except (ApiError, TocsinError) as error:
        refusal = error if isinstance(error, ApiError) else api_error(error)
        return _shown(request, visitor, subject, given, problem=refusal.reason, status=refusal.status)
    reply = RedirectResponse(_in_its_list(request, f"/alerts/{quote(id, safe='')}"), 303)
    done = Sentence(_SAVED_AND_CLOSED, {"count": f"{len(ids):,}"}) if ids else Sentence(_SAVED)
    return say(request, visitor, reply, ActionMessage(done))


@router.post("/alerts/{id}/exception/preview")
async def preview(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Show what the exception would have hidden."""
    subject = await _subject(request, records, id)
    given = read_item_form(form)
    context: dict[str, Any] = {"hidden": None, "problem": "", "fits": True, "rules": 1}
    try:
        body = replace(given, name=given.name or "-").body(visitor.zone, subject.value_lists, subject.event)
        scope = subject.scope(given.target)
        (hidden,) = await hidden_by(request, records, [body], scope, rows=_ROWS, alert=id)
        context |= {"hidden": hidden, "problem": hidden.fault, "fits": hidden.hides, "rules": len(scope)}
    except ApiError as error:
        context["problem"] = error.reason
    return page(
        request, "exceptions/preview_answer.html", visitor, days=DAYS, of_many=_is_of_many(subject), **context
    )


def _shown(
    request: Request,
    visitor: Visitor,
    subject: AlertOfException,
    form: ItemForm,
    *,
    hidden: ExceptionPreview | None = None,
    rules: int = 1,
    problem: str = "",
    status: int = 200,
) -> Response:
    shared = [usage for usage in subject.lists if usage.type == "detection"]
    return page(
        request, "exceptions/of_alert.html", visitor, status=status,
        subject=subject, address=_in_its_list(request, subject.address), alert=subject.alert.flat,
        alerts_list=list_address(request.query_params.get("list", "")),
        back=_in_its_list(request, f"/alerts/{quote(subject.alert.flat.id, safe='')}"),
        form=form, operators=OPERATORS, shared=shared, closes=_CLOSES,
        value_lists=subject.value_lists, reasons=REASONS, closing_reason=_CLOSING_REASON, problem=problem,
        hidden=hidden, fits=hidden is None or hidden.hides, rules=rules, days=DAYS, of_many=_is_of_many(subject),
        fields=sorted(subject.event),
    )  # fmt: skip


def _in_its_list(request: Request, address: str) -> str:
    """Return an address with the list that the alert was opened from, if there is one."""
    if not (alerts_list := list_address(request.query_params.get("list", ""))):
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'list': alerts_list})}"


def _is_of_many(subject: AlertOfException) -> bool:
    return subject.alert.flat.text("kibana.alert.rule.type") in _OF_MANY_EVENTS


def _proposal(subject: AlertOfException) -> ItemForm:
    event = subject.event
    parameters = subject.alert.document.get("kibana.alert.rule.parameters") or {}
    named = (parameters.get("investigation_fields") or {}).get("field_names") or ()
    chosen = highlighted_fields(event, map(str, named))
    offered = [name for name in offered_fields(event) if name not in chosen]
    used = set(chosen)
    if _COMMAND_LINE in event:  # any one of the arguments would do
        used = used - {_ARGUMENTS} | {_COMMAND_LINE}
    rows = [row_of_value(name, event[name], used=name in used) for name in (*chosen, *offered)]
    return ItemForm(subject.alert.flat.text("kibana.alert.rule.name")[:200], rows, closes="this")


async def _subject(request: Request, records: TransactionRunner, id_: str) -> AlertOfException:
    """Return the alert that an exception is made from. Raises ApiError."""
    alert = await find_alert(request, id_)
    steps = await _steps(request, alert)
    step = read_whole_number(request.query_params.get("step", ""), len(steps)) or len(steps)
    event = _event_of(steps[step - 1] if steps else alert.flat)

    def look_up(session: Session) -> tuple[bool, list[ListUsage], dict[str, str]]:
        try:
            find_rule(session, alert.flat.text("kibana.alert.rule.uuid"))
            known = True
        except NotFoundError:
            known = False
        return known, used_lists(session), {held.id: held.type for held in value_lists(session)}

    return AlertOfException(alert, event, steps, step, *await records.run(look_up))


async def _steps(request: Request, alert: ShownAlert) -> list[FlatDocument]:
    """Return the alerts of a sequence's events, in their order."""
    group = alert.flat.raw("kibana.alert.group.id")
    if group is None or alert.flat.raw("kibana.alert.building_block_type") is not None:
        return []
    tests = [{"term": {"kibana.alert.group.id": group}}, {"exists": {"field": "kibana.alert.building_block_type"}}]
    body = {"query": {"bool": {"filter": tests}}, "size": 100, "sort": [{"kibana.alert.group.index": "asc"}]}
    return list(map(flat_document, (await search(request, [ALERTS_INDEX], body))["hits"]["hits"]))


def _event_of(alert: FlatDocument) -> dict[str, Any]:
    """Return the fields of an alert's event, as the event had them."""
    event = {
        name: value for name, value in alert.values.items() if not name.startswith(("kibana.", "tocsin.", "_"))
    }
    for name in ("event.kind", "@timestamp"):
        original = f"kibana.alert.original_{'time' if name == '@timestamp' else name}"
        event[name] = alert.raw(original)
    return {name: value for name, value in event.items() if value is not None and not _has_objects(value)}


def _has_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(held, dict) for held in value))
