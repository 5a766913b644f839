"""An exception of a list: made, changed and removed, with what it would have hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError, api_error
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.alerts.undo_offers import ActionMessage, Sentence, say
from tocsin.desk.exceptions.conditions import OPERATORS, ConditionRow
from tocsin.desk.exceptions.hidden import DAYS, ExceptionPreview, hidden_by
from tocsin.desk.exceptions.item_form import ItemForm, form_of_item, read_item_form
from tocsin.desk.exceptions.list_routes import address_of_list, rule_ids
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.translations import N_
from tocsin.desk.visitor import RuleWriter, Visitor
from tocsin.errors import TocsinError
from tocsin.management.exceptions.documents import item_document
from tocsin.management.exceptions.items import change_item, create_item, find_item
from tocsin.management.exceptions.usage import ListUsage, used_lists, value_lists
from tocsin.store.records.exceptions import get_list, remove_item
from tocsin.store.records.models import ExceptionItem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ROWS = 8  # alerts that are shown of what would have been hidden
_NEW = "new"
_SAVED = N_("The exception is saved: it holds from each rule's next run.")
_REMOVED = N_("The exception is removed: what it hid raises alerts again.")


@dataclass(frozen=True)
class EditedItem:
    """An exception that is edited: the saved one, None for a new one; its list; types of lists of values by id."""

    usage: ListUsage
    item: ExceptionItem | None
    value_lists: Mapping[str, str]
    version: str

    @property
    def address(self) -> str:
        """The address of its page."""
        return f"{address_of_list(self.usage.stored.id)}/items/{self.item.id if self.item else _NEW}"

    @property
    def comments(self) -> Sequence[Mapping[str, Any]]:
        """What was said of it."""
        return () if self.item is None else item_document(self.item)["comments"]

    def body(self, form: ItemForm, visitor: Visitor) -> dict[str, Any]:
        """Return the exception as a form has it, with what the form does not show. Raises ApiError."""
        about = form.body(visitor.zone, self.value_lists)
        if self.item is None:
            return {**about, "list_id": self.usage.stored.list_id}
        description = self.item.document.get("description") or about["description"]
        return {**self.item.document, **about, "description": description}


@router.get("/exceptions/{id}/items/{item}")
async def edit(
    request: Request, visitor: RuleWriter, records: RequestTransactions, id: str, item: str
) -> Response:
    """Show an exception as a form, an empty one for a new one."""
    edited = await _edited(records, id, item)
    empty = ItemForm("", [ConditionRow("")])
    return _shown(request, visitor, edited, form_of_item(edited.item, visitor.zone) if edited.item else empty)


@router.post("/exceptions/{id}/items/{item}")
async def save(
    request: Request,
    form: Form,
    visitor: RuleWriter,
    records: RequestTransactions,
    store: ServiceStore,
    id: str,
    item: str,
) -> Response:
    """Save an exception; or show the form with one more condition."""
    edited, given = await _edited(records, id, item), read_item_form(form)
    if "add_condition" in form:
        reply = _shown(
            request, visitor, edited, replace(given, rows=[*given.rows, ConditionRow(field(form, "add").strip())])
        )
        reply.headers["HX-Trigger-After-Settle"] = "conditions"
        return reply
    try:
        body = edited.body(given, visitor)
        if "preview" in form:
            (hidden,) = await hidden_by(request, records, [body], rule_ids(edited.usage), rows=_ROWS)
            return _shown(request, visitor, edited, given, hidden=hidden)
        if edited.item is not None and field(form, "version") != edited.version:
            reason = "somebody else has changed this exception since this page was shown: open it anew"
            raise ApiError(409, "version_conflict_engine_exception", reason)

        def keep(session: Session, go_on: GoOn) -> None:
            if edited.item is None:
                create_item(session, visitor.actor, body, store.schema())
            else:
                change_item(session, visitor.actor, find_item(session, item, None), body, store.schema())

        await records.run_in_turn(keep)
    except (ApiError, TocsinError) as error:
        refusal = error if isinstance(error, ApiError) else api_error(error)
        return _shown(request, visitor, edited, given, problem=refusal.reason, status=refusal.status)
    return say(request, visitor, RedirectResponse(address_of_list(id), 303), ActionMessage(Sentence(_SAVED)))


@router.post("/exceptions/{id}/items/{item}/preview")
async def preview(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str, item: str
) -> Response:
    """Show what an exception would have hidden."""
    edited, given = await _edited(records, id, item), read_item_form(form)
    context: dict[str, Any] = {"hidden": None, "problem": "", "rules": len(edited.usage.rules)}
    try:
        body = edited.body(replace(given, name=given.name or "-"), visitor)
        (hidden,) = await hidden_by(request, records, [body], rule_ids(edited.usage), rows=_ROWS)
        context |= {"hidden": hidden, "problem": hidden.fault}
    except ApiError as error:
        context["problem"] = error.reason
    return page(request, "exceptions/preview_answer.html", visitor, days=DAYS, of_many=False, fits=True, **context)


@router.post("/exceptions/{id}/items/{item}/remove")
async def remove(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str, item: str
) -> Response:
    """Remove an exception."""
    await records.run_in_turn(
        lambda session, _: remove_item(session, visitor.actor, find_item(session, item, None))
    )
    return say(request, visitor, RedirectResponse(address_of_list(id), 303), ActionMessage(Sentence(_REMOVED)))


def _shown(
    request: Request,
    visitor: Visitor,
    edited: EditedItem,
    form: ItemForm,
    *,
    hidden: ExceptionPreview | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    return page(
        request, "exceptions/item.html", visitor, status=status, edited=edited, form=form, operators=OPERATORS,
        value_lists=edited.value_lists, fields=(), problem=problem, hidden=hidden, fits=True,
        rules=len(edited.usage.rules), days=DAYS, of_many=False,
    )  # fmt: skip


async def _edited(records: RequestTransactions, id_: str, item_id: str) -> EditedItem:
    """Return the exception that an address names. Raises NotFoundError."""

    def read(session: Session) -> EditedItem:
        stored = get_list(session, id_=id_)
        usage = next(usage for usage in used_lists(session) if usage.stored.id == stored.id)
        item = None if item_id == _NEW else find_item(session, item_id, None, within=stored.list_id)
        types = {held.id: held.type for held in value_lists(session)}
        return EditedItem(usage, item, types, item.updated.isoformat() if item else "")

    return await records.run(read)
