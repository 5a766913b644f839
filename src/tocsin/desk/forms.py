"""Forms that browsers send: small, read before it is known who sends them, from pages of this service alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends
from starlette.requests import Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import read_strangers_body

_MOST_FIELDS = 2_000
Fields = Mapping[str, list[str]]


async def read_form(request: Request) -> Fields:
    """Return the fields of a form. Its `csrf` is what the session's check is given. Raises ApiError."""
    if not _is_from_here(request):
        raise ApiError(403, "security_exception", "another site's page sent this form")
    body = await read_strangers_body(request)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise bad_request(f"the form cannot be read: {error}") from None
    request.state.csrf_given = fields.get("csrf", [""])[0]
    return fields


# Stands before the visitor in a handler's parameters: what it reads the check of the session needs.
Form = Annotated[Fields, Depends(read_form)]


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
