"""Forms that browsers send from pages of this service; those of strangers are small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import KIBANA_SIZE, read_strangers_body
from tocsin.api.dependencies import service_of
from tocsin.api.security import COOKIE, address_of

_MOST_FIELDS = 2_000
_LARGE = 4 << 20  # bytes
Fields = Mapping[str, list[str]]


async def read_form(request: Request) -> Fields:
    """Return the fields of a form. Its `csrf` is what the session's check is given. Raises ApiError."""
    return await _read_form(request, KIBANA_SIZE)


async def read_large_form(request: Request) -> Fields:
    """Return the fields of a form that may carry a document along, percent-encoded. Raises ApiError."""
    return await _read_form(request, _LARGE)


async def _read_form(request: Request, most: int) -> Fields:
    if not _is_from_here(request):
        raise ApiError(403, "security_exception", "another site's page sent this form")
    body = await (
        read_strangers_body(request, most) if await _has_session(request) else read_strangers_body(request)
    )
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise bad_request(f"the form cannot be read: {error}") from None
    request.state.csrf_given = fields.get("csrf", [""])[0]
    return fields


# Stands before the visitor in a handler's parameters: what it reads the check of the session needs.
Form = Annotated[Fields, Depends(read_form)]
LargeForm = Annotated[Fields, Depends(read_large_form)]


async def _has_session(request: Request) -> bool:
    """Tell whether a browser has logged in, whose forms may be larger: that of a rule has its guide."""
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return False
    gate = service_of(request).gate
    return await run_in_threadpool(gate.check_cookie, cookie, address_of(request)) is not None


def field(form: Fields, name: str) -> str:
    """Return a field's first value, an empty text where there is none."""
    return form.get(name, [""])[0]


def _is_from_here(request: Request) -> bool:
    """Tell by what a browser says of the page that sends a request; a program says nothing of one."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # no browser writes such an address
        return False
