"""Hunts for indicators over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceHunts
from tocsin.api.models import NOT_FOUND
from tocsin.api.response.reputation_models import (
    IndicatorHuntDocument,
    IndicatorHuntDocuments,
    NewIndicatorHunt,
)
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.errors import InvalidError
from tocsin.response.reputation import indicator_hunts as hunts
from tocsin.response.reputation.indicator_lists import documents_of
from tocsin.sources.batch import Event
from tocsin.sources.indicators import indicators_of
from tocsin.sources.text_files import TextFile
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.reputation import IndicatorHunt

router = APIRouter(prefix="/api/indicator_hunts", tags=["reputation"])
_READ = [Depends(allow(Scope.READ))]
_Responder = Annotated[Actor, Depends(allow(Scope.RESPOND))]
_Id = Annotated[str, Path(description="The hunt's id.")]
_CaseId = Annotated[str | None, Query(description="Only those of this case.")]


def indicators_in(session: Session, values: list[str], list_name: str | None) -> list[Event]:
    """Return the indicators that values are, or those of a list. Raises TocsinError."""
    if list_name:
        return documents_of(session, list_name)
    text = "\n".join(line for value in values for line in value.splitlines())
    if not text.strip():
        raise InvalidError("[indicators] or [indicator_list] says what is hunted for")
    return list(indicators_of([TextFile("indicators", text)]).documents)


@router.post("", response_model=IndicatorHuntDocument, responses=NOT_FOUND)
async def ask(
    request: Request,
    actor: _Responder,
    transactions: RequestTransactions,
    service_hunts: ServiceHunts,
    body: Annotated[NewIndicatorHunt, json_body(NewIndicatorHunt)],
) -> Response:
    """Ask for a hunt through all stored events of all hosts; it is run in its turn."""

    def work(session: Session) -> IndicatorHuntDocument:
        documents = indicators_in(session, body.indicators, body.indicator_list)
        return _document(hunts.ask_hunt(session, actor, body.name, documents, body.case_id))

    asked = await transactions.run(work)
    service_hunts.wake()
    return answer(request, asked)


@router.get("", response_model=IndicatorHuntDocuments, dependencies=_READ)
async def read_hunts(request: Request, transactions: RequestTransactions, case_id: _CaseId = None) -> Response:
    """Return the hunts that are kept, without their results."""
    known = await transactions.read(
        lambda session: [_document(hunt) for hunt in hunts.indicator_hunts(session, case_id)]
    )
    return answer(request, IndicatorHuntDocuments(hunts=known))


@router.get("/{id}", response_model=IndicatorHuntDocument, dependencies=_READ, responses=NOT_FOUND)
async def read_hunt(request: Request, id: _Id, transactions: RequestTransactions) -> Response:
    """Return a hunt with its result."""

    def work(session: Session) -> IndicatorHuntDocument:
        hunt = hunts.find_hunt(session, id)
        return _document(hunt, with_result=True)

    return answer(request, await transactions.read(work))


@router.post("/{id}/_cancel", response_model=IndicatorHuntDocument, responses=NOT_FOUND)
async def cancel(request: Request, id: _Id, actor: _Responder, transactions: RequestTransactions) -> Response:
    """Have a hunt end; one that has ended stays as it is."""
    ended = await transactions.run(lambda session: _document(hunts.cancel_hunt(session, actor, id)))
    return answer(request, ended)


def _document(hunt: IndicatorHunt, *, with_result: bool = False) -> IndicatorHuntDocument:
    return IndicatorHuntDocument(
        id=hunt.id, name=hunt.name, case_id=hunt.case_id, state=hunt.state, asked=hunt.asked,
        asked_by=hunt.asked_by, ended=hunt.ended, progress=hunt.progress, error=hunt.error,
        result=hunt.result if with_result else None,
    )  # fmt: skip
