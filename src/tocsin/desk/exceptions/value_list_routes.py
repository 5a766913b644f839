"""Lists of values: made, filled one by one or by the file, searched, exported; and where each is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.body import VALUES_SIZE, Upload, file_body
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.desk.exceptions.list_routes import as_file
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute, leave_page
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader, RuleWriter, Visitor
from tocsin.errors import InvalidError, TocsinError
from tocsin.management.exceptions.usage import exceptions_by_values, value_counts, value_lists
from tocsin.management.exceptions.values import TYPES, add_value, check_type, import_values, remove_value
from tocsin.store.records import exceptions as records_of_exceptions
from tocsin.store.records.models import ExceptionItem, ExceptionList, ListedValue, ValueList

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PAGE_SIZE = 100
_LONGEST_NAME = 250
_FILE = Annotated[Upload, file_body("a text file with one value a line", VALUES_SIZE)]


@dataclass(frozen=True)
class ValuesPage:
    """A page of a list's values: those that hold a text, how many these are, and who uses the list."""

    stored: ValueList
    values: list[ListedValue]
    fitting: int
    count: int
    uses: list[tuple[ExceptionItem, ExceptionList]]
    text: str
    number: int

    def address(self, number: int) -> str:
        """Return the address of another page."""
        return _address(self.stored.id, q=self.text, page=str(number))


@router.get("/value-lists")
async def show_lists(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the lists of values."""
    return await _lists(request, visitor, records)


@router.post("/value-lists")
async def add_list(request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions) -> Response:
    """Make a list of values, with those that the form brings along."""
    name, kind = field(form, "name").strip(), field(form, "type") or "keyword"
    text = field(form, "values")

    def add(session: Session, go_on: GoOn) -> None:
        if not name or len(name) > _LONGEST_NAME:
            raise InvalidError(f"the name has 1 to {_LONGEST_NAME} characters")
        check_type(kind)
        about = {"id": name, "name": name, "type": kind, "description": field(form, "description").strip()}
        stored = records_of_exceptions.add_values_list(session, visitor.actor, about)
        if text.strip():
            import_values(session, visitor.actor, text.encode(), stored, name=name, kind=kind, go_on=go_on)

    try:
        await records.run_in_turn(add)
    except TocsinError as error:
        return await _lists(request, visitor, records, problem=error.message, form=form)
    return RedirectResponse(_address(name), 303)


async def _lists(
    request: Request, visitor: Visitor, records: RequestTransactions, *, problem: str = "", form: Any = None
) -> Response:
    def read(session: Session) -> list[tuple[ValueList, int, int]]:
        counts, uses = value_counts(session), exceptions_by_values(session)
        return [
            (stored, counts.get(stored.id, 0), len(uses.get(stored.id, ()))) for stored in value_lists(session)
        ]

    given = {name: field(form or {}, name) for name in ("name", "type", "description", "values")}
    return page(
        request, "exceptions/value_lists.html", visitor, status=400 if problem else 200, problem=problem,
        lists=await records.run(read), types=TYPES, given=given,
    )  # fmt: skip


@router.get("/value-lists/values")
async def show_values(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show the values of a list, page by page, those that hold a text."""
    return await _values(request, visitor, records, id)


@router.post("/value-lists/values")
async def change_values(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Add values to a list, one a line, or remove those that are ticked."""
    text, gone = field(form, "values"), form.get("value", [])

    def change(session: Session, go_on: GoOn) -> None:
        stored = records_of_exceptions.get_values(session, id)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if "remove" in form:
            for value in gone:
                go_on()
                remove_value(session, visitor.actor, stored, value)
        elif not lines:
            raise InvalidError("there is no value to add")
        elif len(lines) == 1:
            add_value(session, visitor.actor, stored, lines[0])
        else:
            import_values(session, visitor.actor, text.encode(), stored, name=id, kind=stored.type, go_on=go_on)

    try:
        await records.run_in_turn(change)
    except TocsinError as error:
        return await _values(request, visitor, records, id, problem=error.message, given=text)
    return RedirectResponse(_address(id), 303)


@router.post("/value-lists/upload")
async def upload(
    request: Request, visitor: RuleWriter, records: RequestTransactions, id: str, file: _FILE
) -> Response:
    """Add the values of a file, one a line."""

    def load(session: Session, go_on: GoOn) -> None:
        stored = records_of_exceptions.get_values(session, id)
        import_values(session, visitor.actor, file.data, stored, name=id, kind=stored.type, go_on=go_on)

    await records.run_in_turn(load)
    return leave_page(_address(id))


@router.post("/value-lists/remove")
async def remove_list(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, id: str
) -> Response:
    """Remove a list with its values."""

    def remove(session: Session, go_on: GoOn) -> None:
        stored = records_of_exceptions.get_values(session, id)
        records_of_exceptions.remove_values_list(session, visitor.actor, stored)

    await records.run_in_turn(remove)
    return RedirectResponse("/value-lists", 303)


@router.get("/value-lists/export")
async def export(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Return the values of a list as a file, one a line."""

    def read(session: Session, go_on: GoOn) -> bytes:
        records_of_exceptions.get_values(session, id)
        return "".join(f"{value}\n" for value in records_of_exceptions.values_of(session, id)).encode()

    text = await records.run_in_turn(read)
    return Response(text, media_type="text/plain; charset=utf-8", headers=as_file(id))


async def _values(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    id_: str,
    *,
    problem: str = "",
    given: str = "",
) -> Response:
    text = request.query_params.get("q", "").strip()
    asked = request.query_params.get("page", "1")
    number = max(1, int(asked[:6])) if asked.isdecimal() and asked.isascii() else 1

    def read(session: Session) -> ValuesPage:
        stored = records_of_exceptions.get_values(session, id_)
        first = (number - 1) * _PAGE_SIZE
        values, fitting = records_of_exceptions.page_of_values(session, id_, first, _PAGE_SIZE, text)
        count = value_counts(session).get(id_, 0)
        uses = [
            (item, records_of_exceptions.get_list(session, list_id=item.list_id))
            for item in exceptions_by_values(session).get(id_, ())
        ]
        return ValuesPage(stored, values, fitting, count, uses, text, number)

    return page(
        request, "exceptions/values.html", visitor, status=400 if problem else 200, shown=await records.run(read),
        problem=problem, given=given, page_size=_PAGE_SIZE,
    )  # fmt: skip


def _address(id_: str, **more: str) -> str:
    kept = {name: value for name, value in more.items() if value and (name, value) != ("page", "1")}
    return f"/value-lists/values?{urlencode({'id': id_, **kept})}"
