"""The application: routes, errors, headers, and what every request has to pass."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tocsin import __version__
from tocsin.api import access_routes, docs, operations
from tocsin.api.answers import ApiError, bad_request, refused
from tocsin.api.docs import add_docs
from tocsin.api.elasticsearch import eql_routes, index_routes, ingest_routes, mapping_routes, probes, search_routes
from tocsin.api.kibana import (
    alert_routes,
    connector_routes,
    endpoint_list_routes,
    exception_item_routes,
    exception_routes,
    list_routes,
    list_value_routes,
    rule_bulk_routes,
    rule_file_routes,
    rule_routes,
    session_routes,
    space_routes,
)
from tocsin.api.security import is_encrypted
from tocsin.api.service import Service
from tocsin.errors import TocsinError
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
    operations, access_routes, rule_routes, rule_file_routes, rule_bulk_routes, alert_routes, exception_routes,
    exception_item_routes, endpoint_list_routes, list_routes, list_value_routes, connector_routes, session_routes,
    space_routes, eql_routes, search_routes, index_routes, ingest_routes, probes,
    mapping_routes,
)  # fmt: skip


def create_app(service: Service) -> FastAPI:
    """Return the application of a service."""
    app = FastAPI(title="tocsin", version=__version__, docs_url=None, redoc_url=None)
    app.state.service = service
    add_docs(app)
    for room in _ROOMS:
        app.include_router(room.router)
    _add_errors(app)
    app.middleware("http")(_around)
    app.add_middleware(space_routes.DefaultSpace)
    return app


async def _around(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Time, count and log a request, and give its answer the headers that all have."""
    service: Service = request.app.state.service
    started = time.perf_counter()
    request_id = request.headers.get("x-opaque-id", "")[:128] or uuid.uuid4().hex
    try:
        response = await call_next(request)
    except Exception:
        log.exception("request failed", extra={"http.request.id": request_id, "url.path": request.url.path})
        reason = f"an error of tocsin's own; its log has it under {request_id}"
        response = refused(request, ApiError(500, "exception", reason))
    seconds = time.perf_counter() - started
    route = getattr(request.scope.get("route"), "path", "unmatched")
    service.metrics.requests.labels(request.method, route, response.status_code).inc()
    service.metrics.seconds.labels(route).observe(seconds)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    is_docs = request.url.path == "/docs"
    response.headers["Content-Security-Policy"] = docs.POLICY if is_docs else _POLICY
    if is_encrypted(request):
        response.headers["Strict-Transport-Security"] = _STRICT_TRANSPORT
    if opaque := request.headers.get("x-opaque-id"):
        response.headers["X-Opaque-Id"] = opaque[:128]
    level = logging.WARNING if response.status_code >= 500 else logging.DEBUG
    log.log(
        level,
        "%s %s %d",
        request.method,
        request.url.path,
        response.status_code,
        extra={
            "http.request.method": request.method,
            "url.path": request.url.path,
            "http.response.status_code": response.status_code,
            "event.duration": int(seconds * 1e9),
            "http.request.id": request_id,
            "source.ip": request.client.host if request.client else None,
        },
    )
    return response


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def told(request: Request, error: ApiError) -> Response:
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
        return refused(request, bad_request(str(error)))
