"""Cookies in which a browser keeps how its user wants to see pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.security import is_encrypted

_A_YEAR = 31_536_000  # seconds


def keep_in_browser(request: Request, reply: Response, name: str, value: str) -> None:
    """Have a browser keep a value for a year, and forget an empty one. Scripts of pages can read it."""
    if value:
        reply.set_cookie(name, value, _A_YEAR, path="/", samesite="lax", secure=is_encrypted(request))
    else:
        reply.delete_cookie(name, path="/")
