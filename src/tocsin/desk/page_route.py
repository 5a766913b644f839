"""Routes of pages: taken for browsers alone, and answered by a page also when something fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from tocsin.api.answers import ApiError, api_error, bad_request
from tocsin.desk.pages import error_page
from tocsin.desk.translations import N_
from tocsin.desk.visitor import visitor_of
from tocsin.errors import TocsinError

_BROKEN = N_("This page could not be written: that is an error of tocsin's own. The service's log has it.")
log = logging.getLogger(__name__)
_OF_ADDRESSES = ":/%#?=@[]!$&'()*+,;"  # what has a meaning in them


class PageRoute(APIRoute):
    """A route that browsers alone are given: clients of Elasticsearch may have an index of the same name.

    What can be got can be asked for its head alone.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        return super().matches(scope) if _is_from_browser(scope) else (Match.NONE, {})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request, and says on a page what was wrong with it."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                return _refused(request, error)
            except TocsinError as error:
                return _refused(request, api_error(error))
            except RequestValidationError as error:
                wrong = error.errors()[0]
                return _refused(request, bad_request(f"[{wrong['loc'][-1]}] {wrong['msg']}"))
            except HTTPException:
                raise
            except Exception:  # whoever looks at a page gets one, also where the service itself is at fault
                log.exception("a page could not be written", extra={"url.path": request.url.path})
                return _refused(request, ApiError(500, "exception", _BROKEN))

        return answer


def _is_from_browser(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    accept = headers.get("accept", "")  # a picture of a page is asked for as `image/avif,image/webp,…`
    return "hx-request" in headers or "text/html" in accept or "image/" in accept


def _refused(request: Request, error: ApiError) -> Response:
    if error.status == 401:
        return log_in_first(request)
    visitor = visitor_of(request)
    if visitor is not None and visitor.actor.one_time and request.method == "GET":
        return RedirectResponse("/password", 303)
    return error_page(request, error)


def log_in_first(request: Request) -> Response:
    """Return the way to the log-in page, and from there back to where the visitor was."""
    is_part = "hx-request" in request.headers
    back = request.headers.get("hx-current-url", "/") if is_part else str(request.url.include_query_params())
    address = f"/login?next={quote(path_of(back), safe='')}"
    if is_part:  # the whole page goes there, not the part that was to be replaced
        return leave_page(address, 401)
    return RedirectResponse(address, 303)


def leave_page(address: str, status: int = 204) -> Response:
    """Return an answer to a request for a part of a page that has the whole page go to an address."""
    # A header has characters of its own alone: what else stands in an address is encoded, as in a `Location`.
    return Response(status_code=status, headers={"HX-Redirect": quote(address, safe=_OF_ADDRESSES)})


def path_of(address: str) -> str:
    """Return the path and query of an address of this service; `/alerts` for what leads elsewhere."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/alerts"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/alerts"
