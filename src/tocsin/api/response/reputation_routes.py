"""What services say of observables, and what is set about these services, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceLook
from tocsin.api.models import NOT_FOUND
from tocsin.api.response.reputation_models import (
    OwnDomains,
    OwnDomainsDocument,
    ReputationAnswer,
    ReputationLimit,
    ReputationQuestion,
    ReputationServiceChange,
    ReputationServiceDocument,
    ReputationServices,
)
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.response.reputation import service_settings as settings
from tocsin.response.reputation.look_ups import QuotaError
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/reputation", tags=["reputation"])
_Responder = Annotated[Actor, Depends(allow(Scope.RESPOND))]
_Admin = Annotated[Actor, Depends(allow(Scope.ADMIN))]
_Id = Annotated[str, Path(description="The service.", examples=["virustotal"])]


@router.post("/_ask", response_model=ReputationAnswer, responses=NOT_FOUND)
async def ask(
    request: Request,
    actor: _Responder,
    look: ServiceLook,
    body: Annotated[ReputationQuestion, json_body(ReputationQuestion)],
) -> Response:
    """Ask a service that is switched on about an observable, or return what it said within a day.

    Values of private networks and own domains are never sent. A quota that is used up is answered with 429.
    """
    try:
        said = await run_in_threadpool(look.up, actor, body.service, body.kind, body.value, again=body.again)
    except QuotaError as error:
        raise ApiError(429, "es_rejected_execution_exception", error.message, {"Retry-After": "60"}) from None
    return answer(
        request,
        ReputationAnswer(
            service=said.service.id, state=said.state, asked=said.asked, asked_by=said.asked_by,
            rating=said.verdict.rating if said.verdict else None,
            says=said.verdict.says if said.verdict else said.problem,
        ),
    )  # fmt: skip


@router.get("/services", response_model=ReputationServices)
async def read_services(request: Request, actor: _Admin, transactions: RequestTransactions) -> Response:
    """Return what is set about services, without their keys, and how much of their quotas is used."""

    def work(session: Session) -> ReputationServices:
        return ReputationServices(
            services=[_document(of) for of in settings.service_settings(session)],
            own_domains=list(settings.own_domains(session)),
        )

    return answer(request, await transactions.read(work))


@router.put("/services/{id}", response_model=ReputationServiceDocument, responses=NOT_FOUND)
async def change_service(
    request: Request,
    id: _Id,
    actor: _Admin,
    transactions: RequestTransactions,
    body: Annotated[ReputationServiceChange, json_body(ReputationServiceChange)],
) -> Response:
    """Set whether a service is asked, and with which key, which is kept encrypted and never given back."""
    change = settings.ServiceChange(body.enabled, body.automatic, body.key, body.address, body.remove_key)
    changed = await transactions.run(
        lambda session: _document(settings.change_service(session, actor, id, change))
    )
    return answer(request, changed)


@router.put("/own_domains", response_model=OwnDomainsDocument)
async def change_own_domains(
    request: Request,
    actor: _Admin,
    transactions: RequestTransactions,
    body: Annotated[OwnDomains, json_body(OwnDomains)],
) -> Response:
    """Set the domains of which nothing is sent to services."""
    names = await transactions.run(lambda session: settings.change_own_domains(session, actor, body.own_domains))
    return answer(request, OwnDomainsDocument(own_domains=list(names)))


def _document(of: settings.ServiceSettings) -> ReputationServiceDocument:
    return ReputationServiceDocument(
        id=of.service.id, name=of.service.name, enabled=of.enabled, automatic=of.automatic, address=of.address,
        has_key=of.has_key, kinds=list(of.service.questions), blocked_until=of.blocked_until,
        limits=[
            ReputationLimit(questions=usage.limit.questions, seconds=usage.limit.seconds, used=usage.used)
            for usage in of.usage
        ],
    )  # fmt: skip
