"""Lists of indicators over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import IMPORT_SIZE, UploadedFiles, files_body, json_body
from tocsin.api.dependencies import ServiceRecords, ServiceWork
from tocsin.api.models import CONFLICT, NOT_FOUND, AcknowledgedChange
from tocsin.api.response.reputation_models import (
    IndicatorListDocument,
    IndicatorLists,
    IndicatorValues,
    LoadedIndicators,
    NewIndicatorList,
    RemovedIndicators,
)
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.api.working import Pace, worked
from tocsin.response.reputation import indicator_lists as lists
from tocsin.sources.indicators import Indicators, indicators_of
from tocsin.sources.text_files import TextFile
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.reputation import IndicatorList

router = APIRouter(prefix="/api/indicator_lists", tags=["reputation"])
_READ = [Depends(allow(Scope.READ))]
_Writer = Annotated[Actor, Depends(allow(Scope.WRITE_RULES))]
_Id = Annotated[str, Path(description="The list's id or its name.", examples=["ISAC, weekly"])]
_Mode = Annotated[
    Literal["append", "replace"],
    Query(
        description="`replace` takes away what the list has; `append` adds to it, and replaces the same values."
    ),
]
MOST_FILES = 200
_Files = Annotated[
    UploadedFiles,
    files_body("STIX bundles, CSV, NDJSON, feeds of MISP or plain lists", IMPORT_SIZE, most_files=MOST_FILES),
]


def uploaded_indicators(files: UploadedFiles) -> Indicators:
    """Return the indicators of uploaded files, each a text. Raises InputError."""
    return indicators_of(
        TextFile(file.name or "file", file.data.decode("utf-8", "replace")) for file in files.files
    )


@router.get("", response_model=IndicatorLists, dependencies=_READ)
async def read_lists(request: Request, transactions: RequestTransactions) -> Response:
    """Return the lists of indicators, without their indicators: these are in `logs-ti_custom.indicator-lists`."""
    known = await transactions.read(lambda session: [_document(of) for of in lists.indicator_lists(session)])
    return answer(request, IndicatorLists(lists=known))


@router.post("", response_model=IndicatorListDocument, responses=CONFLICT)
async def make(
    request: Request,
    actor: _Writer,
    transactions: RequestTransactions,
    body: Annotated[NewIndicatorList, json_body(NewIndicatorList)],
) -> Response:
    """Make a list of indicators, without any."""
    made = await transactions.run(lambda session: _document(lists.make_list(session, actor, _new(body))))
    return answer(request, made)


@router.put("/{id}", response_model=IndicatorListDocument, responses=NOT_FOUND)
async def change(
    request: Request,
    id: _Id,
    actor: _Writer,
    transactions: RequestTransactions,
    body: Annotated[NewIndicatorList, json_body(NewIndicatorList)],
) -> Response:
    """Change what a list says of itself, from its next load on; its name stays."""
    changed = await transactions.run(lambda session: _document(lists.change_list(session, actor, id, _new(body))))
    return answer(request, changed)


@router.post("/{id}/_load", response_model=LoadedIndicators, responses=NOT_FOUND)
async def load(
    request: Request,
    id: _Id,
    actor: _Writer,
    records: ServiceRecords,
    work: ServiceWork,
    files: _Files,
    mode: _Mode = "append",
) -> Response:
    """Load a list with the indicators of files: STIX, MISP, CSV, NDJSON or plain lists, told by what they hold."""

    def run(pace: Pace) -> lists.LoadResult:
        read = uploaded_indicators(files)
        return lists.load_list(records, actor, id, read, replace=mode == "replace", go_on=pace.check)

    result = await worked(request, work, run)
    return answer(
        request,
        LoadedIndicators(taken=result.taken, indicators=result.indicators, skipped=dict(result.skipped)),
    )


@router.post("/{id}/_remove", response_model=RemovedIndicators, responses=NOT_FOUND)
async def remove_values(
    request: Request,
    id: _Id,
    actor: _Writer,
    records: ServiceRecords,
    work: ServiceWork,
    body: Annotated[IndicatorValues, json_body(IndicatorValues)],
) -> Response:
    """Remove the indicators of a list that have one of the values."""

    def run(pace: Pace) -> int:
        return lists.remove_indicators(records, actor, id, body.values, pace.check)

    return answer(request, RemovedIndicators(removed=await worked(request, work, run)))


@router.delete("/{id}", response_model=AcknowledgedChange, responses=NOT_FOUND)
async def remove(request: Request, id: _Id, actor: _Writer, transactions: RequestTransactions) -> Response:
    """Remove a list with its indicators."""

    def work(session: Session) -> None:
        lists.remove_list(session, actor, id)

    await transactions.run(work)
    return answer(request, AcknowledgedChange())


def _new(body: NewIndicatorList) -> lists.NewList:
    return lists.NewList(body.name, body.source, body.confidence, body.valid_days)


def _document(known: IndicatorList) -> IndicatorListDocument:
    names = IndicatorListDocument.model_fields
    return IndicatorListDocument(**{name: getattr(known, name) for name in names})
