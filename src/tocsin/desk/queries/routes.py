"""Parts of pages that belong to no page: the menu of a value."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import bad_request
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.queries.value_menu import too_long, value_menu
from tocsin.desk.visitor import Reader
from tocsin.moments import DAY, iso, to_nanoseconds

router = APIRouter(route_class=PageRoute, include_in_schema=False)


# It is asked for by POST because of long values; it changes nothing.
@router.post("/desk/value-menu")
async def show_value_menu(request: Request, form: Form, visitor: Reader) -> Response:
    """Show what can be done with a value: `field`, `value` as JSON, its `page` and its `time` if it has one.

    A value that is too long for all of that is left out.
    """
    since, until = _around(field(form, "time"))
    name, text = field(form, "field"), field(form, "value")
    menu = value_menu(name, _value(text), field(form, "page"), since, until) if text else too_long(name)
    return page(request, "queries/value_menu.html", visitor, menu=menu)


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
