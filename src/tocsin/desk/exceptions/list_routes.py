"""Exception lists: all of them, one with its exceptions, files of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import NdjsonResponse
from tocsin.api.body import IMPORT_SIZE, Upload, file_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.exceptions.conditions import OPERATOR_NAMES, OPERATORS
from tocsin.desk.exceptions.hidden import DAYS, hidden_by
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader, RuleWriter
from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.exceptions.documents import item_document, list_document, read_list
from tocsin.management.exceptions.usage import (
    TYPES_OF_RULES,
    ListUsage,
    leave_list,
    rule_names,
    rules_called,
    use_list,
    used_lists,
)
from tocsin.management.exports import exported_lists
from tocsin.management.imports import ImportResult, Overwrite, import_objects, lines_of
from tocsin.management.rules.saving import schema_of
from tocsin.store.records import exceptions as records_of_exceptions
from tocsin.store.records.models import ExceptionItem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST_SHOWN = 500  # exceptions of a list that one page shows
# The types of lists, in Kibana's words where it has some.
TYPES: Mapping[str, str] = {
    "rule_default": N_("one rule's own"),
    "detection": N_("shared"),
    "endpoint": N_("Elastic Endpoint's"),
}
_OTHER_TYPE = N_("for Elastic's agent, not for rules")
_FILE = Annotated[Upload, file_body("an export, one object a line", IMPORT_SIZE)]


@dataclass(frozen=True)
class ShownItem:
    """An exception as a list shows it: its document, and whether it has expired."""

    document: Mapping[str, Any]
    expires: datetime | None

    @property
    def has_expired(self) -> bool:
        """Tell whether it hides nothing any more."""
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def has(self, text: str) -> bool:
        """Tell whether its name, a condition or a comment holds a text."""
        about = [self.document.get(name) for name in ("name", "entries", "comments", "created_by")]
        return text.lower() in str(about).lower()


def shown_item(item: ExceptionItem) -> ShownItem:
    """Return an exception as a list shows it."""
    return ShownItem(item_document(item), item.expires)


@router.get("/exceptions")
async def show_lists(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show all exception lists, those whose name, id or rule holds a text."""
    text = request.query_params.get("q", "")
    lists = await records.run(used_lists)
    return page(
        request, "exceptions/lists.html", visitor, lists=[usage for usage in lists if _has(usage, text)],
        count=len(lists), text=text, types=TYPES, other_type=_OTHER_TYPE, problem="", imported=None,
    )  # fmt: skip


def _has(usage: ListUsage, text: str) -> bool:
    names = [usage.name, usage.stored.list_id, *(rule.name for rule in usage.rules)]
    return any(text.lower() in name.lower() for name in names)


@router.post("/exceptions")
async def add_list(request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions) -> Response:
    """Make a list that rules share."""
    name = field(form, "name").strip()
    if not name:
        raise InvalidError("a list has a name")
    about = {"name": name, "description": field(form, "description").strip(), "type": "detection"}
    document = read_list(about)

    def add(session: Session) -> str:
        return records_of_exceptions.add_list(session, visitor.actor, document).id

    return RedirectResponse(address_of_list(await records.run(add)), 303)


@router.post("/exceptions/import")
async def import_file(
    request: Request, visitor: RuleWriter, records: RequestTransactions, store: ServiceStore, file: _FILE
) -> Response:
    """Import a file of exception lists, as Kibana exports them, and say what has come of it."""
    overwrites = file.fields.get("overwrite") == "on"
    replaced = Overwrite(rules=False, exceptions=overwrites)

    def load(session: Session, go_on: GoOn) -> ImportResult:
        return import_objects(session, visitor.actor, lines_of(file.data), schema_of(store), replaced, go_on)

    result = await records.run_in_turn(load)
    return page(request, "exceptions/imported.html", visitor, result=result)


@router.get("/exceptions/{id}")
async def show_list(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show a list with its exceptions."""
    text = request.query_params.get("q", "")

    def read(session: Session) -> tuple[ListUsage, list[ShownItem], Sequence[str]]:
        stored = records_of_exceptions.get_list(session, id_=id)
        usage = next(usage for usage in used_lists(session) if usage.stored.id == stored.id)
        items = records_of_exceptions.items_of(session, [stored.list_id])
        joins = visitor.may_write_rules and usage.type in ("detection", "endpoint")
        return usage, [shown_item(item) for item in reversed(items)], rule_names(session) if joins else ()

    usage, items, joining = await records.run(read)
    fitting = [item for item in items if item.has(text)]
    return page(
        request, "exceptions/list.html", visitor, usage=usage, document=list_document(usage.stored),
        items=fitting[:_MOST_SHOWN], fitting=len(fitting), count=len(items), text=text, types=TYPES,
        other_type=_OTHER_TYPE, operators=OPERATORS, names=OPERATOR_NAMES, days=DAYS,
        of_rules=usage.type in TYPES_OF_RULES, joining=joining,
    )  # fmt: skip


@router.get("/exceptions/{id}/counts")
async def count_hidden(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show how many alerts each exception of a list would have hidden."""

    def read(session: Session) -> tuple[ListUsage, list[dict[str, Any]]]:
        stored = records_of_exceptions.get_list(session, id_=id)
        usage = next(usage for usage in used_lists(session) if usage.stored.id == stored.id)
        items = records_of_exceptions.items_of(session, [stored.list_id])
        return usage, [item_document(item) for item in reversed(items)][:_MOST_SHOWN]

    usage, documents = await records.run(read)
    counts = await hidden_by(request, records, documents, [rule.id for rule in usage.rules])
    return page(
        request, "exceptions/counts.html", visitor, counted=list(zip(documents, counts, strict=True)), days=DAYS
    )


@router.post("/exceptions/{id}")
async def change_list(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Give a list another name and description."""
    name = field(form, "name").strip()
    if not name:
        raise InvalidError("a list has a name")
    about = {"name": name, "description": field(form, "description").strip()}

    def change(session: Session) -> None:
        stored = records_of_exceptions.get_list(session, id_=id)
        records_of_exceptions.change_list(session, visitor.actor, stored, {**stored.document, **read_list(about)})

    await records.run(change)
    return RedirectResponse(address_of_list(id), 303)


@router.post("/exceptions/{id}/rules")
async def change_rules(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Have a rule use a shared list, by the rule's name or id; or use it no more."""
    name, leaves = field(form, "rule").strip(), "leave" in form

    def change(session: Session, go_on: GoOn) -> None:
        stored = records_of_exceptions.get_list(session, id_=id)
        if list_document(stored)["type"] == "rule_default":
            raise InvalidError("this list is one rule's own: other rules cannot use it")
        rules = rules_called(session, name)
        if not rules:
            raise NotFoundError(f"no rule is called `{name}`")
        for rule in rules:
            if leaves:
                leave_list(session, visitor.actor, rule, stored)
            else:
                use_list(session, visitor.actor, rule, stored)

    await records.run_in_turn(change)
    return RedirectResponse(address_of_list(id), 303)


@router.post("/exceptions/{id}/remove")
async def remove_list(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Remove a list with its exceptions."""

    def remove(session: Session, go_on: GoOn) -> None:
        stored = records_of_exceptions.get_list(session, id_=id)
        records_of_exceptions.remove_list(session, visitor.actor, stored)

    await records.run_in_turn(remove)
    return RedirectResponse("/exceptions", 303)


@router.post("/exceptions/{id}/copy")
async def copy_list(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Copy a list with its exceptions, without those that have expired."""

    def copy(session: Session, go_on: GoOn) -> str:
        stored = records_of_exceptions.get_list(session, id_=id)
        return records_of_exceptions.copy_list(session, visitor.actor, stored, expired=False).id

    return RedirectResponse(address_of_list(await records.run_in_turn(copy)), 303)


@router.get("/exceptions/{id}/export")
async def export_list(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Return a list with its exceptions as a file, in Kibana's form."""

    def export(session: Session, go_on: GoOn) -> bytes:
        return exported_lists(session, [records_of_exceptions.get_list(session, id_=id)])

    file = await records.run_in_turn(export)
    return NdjsonResponse(file, headers=as_file(f"exceptions-{id}.ndjson"))


def as_file(name: str) -> dict[str, str]:
    """Return the headers with which a browser keeps an answer as a file."""
    return {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }


def address_of_list(id_: str) -> str:
    """Return the address of a list's page."""
    return f"/exceptions/{quote(id_, safe='')}"


def rule_ids(usage: ListUsage) -> Sequence[str]:
    """Return the ids of the rules that use a list."""
    return [rule.id for rule in usage.rules]
