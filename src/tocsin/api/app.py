"""The application: routes, errors, headers, and what every request has to pass."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin import __version__
from tocsin.api import access_routes, docs, operations
from tocsin.api.answers import ApiError, api_error, bad_request, refused
from tocsin.api.docs import add_docs
from tocsin.api.elasticsearch import eql_routes, index_routes, ingest_routes, mapping_routes, probes, search_routes
from tocsin.api.kibana import alert_routes, connector_routes, session_routes, space_routes
from tocsin.api.kibana.cases import attachment_routes, case_routes
from tocsin.api.kibana.exceptions import (
    endpoint_list_routes,
    item_routes,
    list_routes,
    value_list_routes,
    value_routes,
)
from tocsin.api.kibana.rules import bulk_routes, file_routes, rule_routes
from tocsin.api.openapi import add_description
from tocsin.api.osquery import remote_routes
from tocsin.api.response import action_routes, indicator_hunt_routes, indicator_list_routes, reputation_routes
from tocsin.api.security import is_encrypted
from tocsin.api.service import Service
from tocsin.api.working import stops
from tocsin.errors import TocsinError
from tocsin.moments import SECOND
from tocsin.store.events import StoreError
from tocsin.store.records.database import RecordsError

log = logging.getLogger(__name__)

_HEADERS = {
    "X-Elastic-Product": "Elasticsearch",  # without it the official clients refuse to go on
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_STRICT_TRANSPORT = "max-age=31536000"


# Addresses that name an index by a parameter come last: they would take any other.
_ROOMS = (
    operations, access_routes, remote_routes, rule_routes, file_routes, bulk_routes, alert_routes, list_routes,
    item_routes, endpoint_list_routes, value_list_routes, value_routes, connector_routes, session_routes,
    attachment_routes, case_routes, action_routes,
    indicator_list_routes, indicator_hunt_routes, reputation_routes, space_routes, eql_routes, search_routes,
    index_routes, ingest_routes, probes, mapping_routes,
)  # fmt: skip


def create_app(service: Service, pages: Sequence[APIRouter] = ()) -> FastAPI:
    """Return the application of a service; `pages` are routes that come before those of the interface."""
    app = FastAPI(title="tocsin", version=__version__, docs_url=None, redoc_url=None)
    app.state.service = service
    add_docs(app)
    for router in pages:
        app.include_router(router)
    for room in _ROOMS:
        app.include_router(room.router)
    add_description(app)
    _add_errors(app)
    app.add_middleware(_Around, service=service)
    app.add_middleware(space_routes.DefaultSpace)
    return app


class _Around:
    """Times, counts and logs each request, gives every answer the headers that all have, and answers what failed.

    Not one of Starlette's `BaseHTTPMiddleware`: those run a request in tasks whose cancelled ends refer to one
    another, and what a request held, its body too, was there until the next full garbage collection.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, started = Request(scope, receive), time.perf_counter()
        request_id = request.headers.get("x-opaque-id", "")[:128] or uuid.uuid4().hex
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(request, MutableHeaders(scope=message))
                self._note(request, message["status"], time.perf_counter() - started, request_id)
            await send(message)

        try:
            if "\ufffd" in scope["path"] and b"%ef%bf%bd" not in scope.get("raw_path", b"").lower():
                raise ApiError(400, "illegal_argument_exception", "the address is not written in UTF-8")
            await self._app(scope, receive, send_on)
        except ApiError as error:
            await refused(request, error)(scope, receive, send_on)
        except asyncio.CancelledError:  # the service stops, and has waited for it
            if begun:
                raise
            await refused(request, stops())(scope, receive, send_on)
        except Exception:
            log.exception("request failed", extra={"http.request.id": request_id, "url.path": request.url.path})
            if begun:
                raise  # the server ends the connection: the rest of the answer is not there
            reason = f"an error of tocsin's own; its log has it under {request_id}"
            await refused(request, ApiError(500, "exception", reason))(scope, receive, send_on)

    def _note(self, request: Request, status: int, seconds: float, request_id: str) -> None:
        """Count and log an answer that begins."""
        route = getattr(request.scope.get("route"), "path", "unmatched")
        metrics = self._service.metrics
        metrics.requests.labels(request.method, route, status).inc()
        metrics.seconds.labels(route).observe(seconds)
        log.log(
            logging.WARNING if status >= 500 else logging.DEBUG,
            "%s %s %d",
            request.method,
            request.url.path,
            status,
            extra={
                "http.request.method": request.method,
                "url.path": request.url.path,
                "http.response.status_code": status,
                "event.duration": int(seconds * SECOND),
                "http.request.id": request_id,
                "source.ip": request.client.host if request.client else None,
            },
        )


def _add_headers(request: Request, headers: MutableHeaders) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", docs.POLICY if request.url.path == "/docs" else _POLICY)
    if is_encrypted(request):
        headers["Strict-Transport-Security"] = _STRICT_TRANSPORT
    if opaque := request.headers.get("x-opaque-id"):
        headers["X-Opaque-Id"] = opaque[:128]


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refuse(request: Request, error: ApiError) -> Response:
        return refused(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return refused(request, bad_request(f"[{'.'.join(map(str, first['loc'][1:]))}] {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kind = {404: "resource_not_found_exception", 405: "method_not_allowed"}.get(error.status_code, "exception")
        reason = f"{request.method} {request.url.path}: {error.detail}"
        return refused(request, ApiError(error.status_code, kind, reason, error.headers))

    @app.exception_handler(RecordsError)
    @app.exception_handler(StoreError)
    async def unavailable(request: Request, error: TocsinError) -> Response:
        log.warning("%s", error)
        return refused(
            request, ApiError(503, "service_unavailable_exception", error.message, {"Retry-After": "5"})
        )

    @app.exception_handler(TocsinError)
    async def wrong(request: Request, error: TocsinError) -> Response:
        return refused(request, api_error(error))
