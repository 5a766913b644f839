"""Parts of pages that belong to no page: the menu of a value, completion in query bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.elasticsearch.searching import RequestSearches, patterns_of
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.queries.completion import (
    field_options,
    fitting_values,
    options,
    typed_in_eql,
    values_search,
)
from tocsin.desk.queries.value_menu import too_long, value_menu
from tocsin.desk.searches import search
from tocsin.desk.shown import LONGEST_DATA
from tocsin.desk.visitor import Reader
from tocsin.ecs import FieldType, Schema
from tocsin.eql.compile import read as read_eql
from tocsin.errors import QueryError
from tocsin.kql.complete import VALUE, TypedPart, typed_part
from tocsin.kql.read import read_kql
from tocsin.moments import DAY, iso, to_nanoseconds
from tocsin.query_dsl.context import Context
from tocsin.search.selection import Clock
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import EventReader

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LONGEST_QUERY = 16_000  # characters
_VALUES_WITHIN = "2s"  # how long values are looked for


# It is asked for by POST because of long values; it changes nothing.
@router.post("/desk/value-menu")
async def show_value_menu(request: Request, form: Form, visitor: Reader) -> Response:
    """Show what can be done with a value: `field`, `value` as JSON, its `page` and its `time` if it has one.

    A value that is too long for all of that is left out; `whole` tells that the page has it all the same.
    """
    since, until = _around(field(form, "time"))
    name, text = field(form, "field"), field(form, "value")
    if text:
        menu = value_menu(name, _value(text), field(form, "page"), since, until)
    else:
        menu = too_long(name, is_here="whole" in form)
    return page(request, "queries/value_menu.html", visitor, menu=menu, longest=LONGEST_DATA)


def _value(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"[value] is no JSON: {error}") from None
    if not isinstance(value, str | int | float | bool):
        raise bad_request("[value] is a text, a number, true or false")
    return value


def _around(moment: str) -> tuple[str, str]:
    """Return the moments a day before and after another, nothing where there is none."""
    try:
        at = to_nanoseconds(moment)
        return iso(at - DAY), iso(at + DAY)
    except (ValueError, OverflowError):
        return "", ""


@router.get("/desk/completion")
async def complete(request: Request, visitor: Reader, searches: RequestSearches) -> Response:
    """Show what may stand at the cursor `at` of a query `q`, and what is wrong with the query.

    `language` is kql, eql, or field for a name alone; `index` has the patterns, `from` and `to` the time.
    """
    asked = request.query_params
    query, language = asked.get("q", ""), asked.get("language", "kql")
    patterns = patterns_of(asked.get("index") or ALERTS_INDEX)
    if len(query) > _LONGEST_QUERY:
        raise bad_request(f"a query that is completed has at most {_LONGEST_QUERY:,} characters")
    cursor = _from_browser(query, asked.get("at", ""))

    def look(reader: EventReader, clock: Clock) -> tuple[Mapping[str, FieldType], Schema, QueryError | None]:
        kinds = {name: next(iter(types)) for name, types in reader.fields(patterns).items()}
        schema = reader.schema(patterns)
        return kinds, schema, _problem(query, language, schema)

    fields, schema, problem = await searches.look_up(look)
    if language == "field":
        part = TypedPart("field", query, 0, len(query))
        choices = field_options(query, fields, schema, end="")
    elif language == "eql":
        part = typed_in_eql(query, cursor)
        choices = field_options(part.text, fields, schema, end=" ") if part.text else []
    else:
        part = typed_part(query, cursor)
        values = await _values(request, patterns, part, fields) if part.kind == VALUE else []
        choices = options(part, fields, schema, values)
    return page(
        request,
        "queries/completion.html",
        visitor,
        options=choices,
        problem=problem,
        start=_for_browser(query, part.start),
        end=_for_browser(query, part.end),
    )


async def _values(
    request: Request, patterns: list[str], part: TypedPart, fields: Mapping[str, FieldType]
) -> list[Any]:
    kind = fields.get(part.field)
    if kind is None or kind is FieldType.DATE:
        return []
    asked = request.query_params
    body = values_search(part, kind, asked.get("from", ""), asked.get("to", ""))
    try:
        answer = await search(request, patterns, body, _VALUES_WITHIN)
    except ApiError:  # a time that cannot be read, too many values to look at: what is typed may still be right
        return []
    return fitting_values(part, answer["aggregations"]["values"]["buckets"])


def _problem(query: str, language: str, schema: Schema) -> QueryError | None:
    """Return what is wrong with a query, None for nothing."""
    if not query.strip() or language == "field":
        return None
    try:
        if language == "eql":
            read_eql(query, schema)
        else:
            read_kql(query, Context(schema))
    except QueryError as error:
        return error
    return None


def _from_browser(text: str, at: str) -> int:
    """Return a place that a browser counts in units of UTF-16 as one in characters; the end for none."""
    if not (at.isascii() and at.isdigit() and len(at) < 9):
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")[: int(at) * 2].decode("utf-16-le", "ignore"))


def _for_browser(text: str, at: int) -> int:
    return len(text[:at].encode("utf-16-le", "surrogatepass")) // 2
