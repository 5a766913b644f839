"""For those who run the service: is it alive, is it ready, what does it count, who changed what?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tocsin.api.answers import answer
from tocsin.api.dependencies import RunningService, ServiceMetrics, ServiceRecords
from tocsin.api.operations_models import Alive, AuditLog, AuditRow, DamagedPart, Readiness, Status
from tocsin.api.security import allow
from tocsin.moments import iso
from tocsin.printable import printable
from tocsin.store.records.access import Scope
from tocsin.store.records.models import AuditEntry

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
    checks = {
        "events": await run_in_threadpool(service.store.check),
        "records": await run_in_threadpool(service.records.check),
        "rules": service.scheduler.check(),
        "service": "stopping" if service.stopping else None,
    }
    wrong = {name: problem for name, problem in checks.items() if problem}
    damaged = [
        DamagedPart(name=printable(damage.name), reason=printable(damage.reason), since=iso(damage.since))
        for damage in service.store.set_aside()
    ]
    trouble, clock = service.scheduler.problem, service.clock.problem()
    state: Status = "not ready" if wrong else "degraded" if damaged or trouble or clock else "ready"
    if trouble:
        wrong.setdefault("rules", trouble)
    if clock:
        wrong["clock"] = clock
    readiness = Readiness(status=state, problems=wrong, set_aside=damaged)
    return JSONResponse(readiness.model_dump(), 503 if state == "not ready" else 200)


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
            rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(size))
            return [
                AuditRow(
                    **{"@timestamp": iso(row.time)}, actor=row.actor, actor_id=row.actor_id, address=row.address,
                    action=row.action, target=row.target, detail=row.detail,
                )
                for row in rows
            ]  # fmt: skip

    return answer(request, AuditLog(entries=await run_in_threadpool(newest)))
