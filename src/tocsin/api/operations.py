"""For those who run the service: is it alive, is it ready, what does it count, who changed what?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tocsin.api.answers import answer
from tocsin.api.dependencies import RunningService, ServiceMetrics, ServiceRecords
from tocsin.api.operations_models import Alive, AuditLog, AuditRow, Readiness
from tocsin.api.readiness import readiness_of
from tocsin.api.security import allow
from tocsin.management.audit import AuditFilter, audit_document, audit_entries
from tocsin.store.records.access import Scope

router = APIRouter(tags=["operations"])
_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Events cannot be stored, or records not be read."}
}


@router.get("/healthz", response_model=Alive)
async def alive() -> JSONResponse:
    """Say that the process answers."""
    return JSONResponse(Alive().model_dump())


@router.get("/readyz", response_model=Readiness, responses=_NOT_READY)
async def ready(service: RunningService) -> JSONResponse:
    """Say whether events can be stored and records be read."""
    readiness = await run_in_threadpool(readiness_of, service)
    return JSONResponse(readiness.model_dump(), 503 if readiness.status == "not ready" else 200)


@router.get("/metrics", dependencies=[Depends(allow(Scope.READ))], response_class=PlainTextResponse)
async def metrics(metrics: ServiceMetrics) -> Response:
    """Return everything that is counted, in Prometheus' text format."""
    text = await run_in_threadpool(metrics.render)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/audit", dependencies=[Depends(allow(Scope.ADMIN))], response_model=AuditLog)
async def audit(request: Request, records: ServiceRecords, size: int = Query(100, ge=1, le=1000)) -> Response:
    """Return the newest changes: when, by whom, from where, what was done to what."""

    def newest() -> list[AuditRow]:
        with records.transaction() as session:
            return [AuditRow(**audit_document(entry)) for entry in audit_entries(session, AuditFilter(), size)]

    return answer(request, AuditLog(entries=await run_in_threadpool(newest)))
