"""Comments and alerts of cases."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import bad_request
from tocsin.api.body import json_body
from tocsin.api.kibana.cases.case_routes import CaseIdInPath
from tocsin.api.kibana.cases.documents import all_attachments, case_answer, read_version
from tocsin.api.kibana.cases.models import (
    Attachment,
    AttachmentBody,
    AttachmentsPage,
    CaseAnswer,
    CommentChangeBody,
)
from tocsin.api.kibana.parameters import SortOrder
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions
from tocsin.errors import NotFoundError
from tocsin.response.cases.case_alerts import add_alerts, remove_alerts
from tocsin.response.cases.comments import add_comment, change_comment, remove_comment
from tocsin.response.cases.locking import find_case
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/cases/{case_id}/comments", tags=["cases"])
_READ = Depends(allow(Scope.READ))
_Responder = Annotated[Actor, Depends(allow(Scope.RESPOND))]
_CommentId = Annotated[str, Path(description="The id of the comment or alert within the case.")]


@router.post("", response_model=CaseAnswer, responses=NOT_FOUND)
async def add_attachment(
    transactions: RequestTransactions,
    actor: _Responder,
    case_id: CaseIdInPath,
    body: Annotated[AttachmentBody, json_body(AttachmentBody)],
) -> Response:
    """Add a comment of a user, or alerts, to a case."""

    def work(session: Session) -> CaseAnswer:
        if body.type == "user":
            add_comment(session, actor, case_id, body.comment or "")
        else:
            ids = [body.alertId] if isinstance(body.alertId, str) else body.alertId
            if not ids:
                raise bad_request("[alertId] names no alert")
            add_alerts(session, actor, case_id, ids)
        return case_answer(session, find_case(session, case_id), with_comments=True)

    return await transactions.answer(work)


@router.patch("", response_model=CaseAnswer, responses=NOT_FOUND | CONFLICT)
async def change_attachment(
    transactions: RequestTransactions,
    actor: _Responder,
    case_id: CaseIdInPath,
    body: Annotated[CommentChangeBody, json_body(CommentChangeBody)],
) -> Response:
    """Give a comment another text, where it has the version that was seen."""
    if body.type != "user":
        raise bad_request("[type] is user: alerts of a case are added and removed, not changed")

    def work(session: Session) -> CaseAnswer:
        change_comment(session, actor, case_id, body.id, body.comment or "", read_version(body.version))
        return case_answer(session, find_case(session, case_id), with_comments=True)

    return await transactions.answer(work)


@router.get("", response_model=list[Attachment], responses=NOT_FOUND, dependencies=[_READ])
async def get_attachments(transactions: RequestTransactions, case_id: CaseIdInPath) -> Response:
    """Return all comments and alerts of a case."""
    return await transactions.answer(lambda session: all_attachments(session, find_case(session, case_id).id))


@router.get("/_find", response_model=AttachmentsPage, responses=NOT_FOUND, dependencies=[_READ])
async def find_attachments(
    transactions: RequestTransactions,
    case_id: CaseIdInPath,
    page: Annotated[int, Query(ge=1, le=10_000, description="Which page; the first is 1.")] = 1,
    perPage: Annotated[int, Query(ge=1, le=100, description="How many a page has at most.")] = 20,  # noqa: N803
    sortOrder: SortOrder = "asc",  # noqa: N803
) -> Response:
    """Return comments and alerts of a case, page by page."""

    def work(session: Session) -> AttachmentsPage:
        kept = all_attachments(session, find_case(session, case_id).id)
        ordered = kept if sortOrder == "asc" else kept[::-1]
        return AttachmentsPage(
            comments=ordered[(page - 1) * perPage : page * perPage], page=page, per_page=perPage, total=len(kept)
        )

    return await transactions.answer(work)


@router.get("/{comment_id}", response_model=Attachment, responses=NOT_FOUND, dependencies=[_READ])
async def get_attachment(
    transactions: RequestTransactions, case_id: CaseIdInPath, comment_id: _CommentId
) -> Response:
    """Return a comment or an alert of a case."""
    return await transactions.answer(
        lambda session: _attachment(session, find_case(session, case_id).id, comment_id)
    )


@router.delete("/{comment_id}", status_code=204, responses=NOT_FOUND)
async def remove_attachment(
    transactions: RequestTransactions, actor: _Responder, case_id: CaseIdInPath, comment_id: _CommentId
) -> Response:
    """Remove a comment from a case, or take an alert off it. The activity log keeps what it was."""

    def work(session: Session) -> None:
        case = find_case(session, case_id)
        attachment = _attachment(session, case.id, comment_id)
        _remove(session, actor, case.id, attachment)

    await transactions.run(work)
    return Response(status_code=204)


@router.delete("", status_code=204, responses=NOT_FOUND)
async def remove_attachments(
    transactions: RequestTransactions, actor: _Responder, case_id: CaseIdInPath
) -> Response:
    """Remove all comments from a case, and take all alerts off it."""

    def work(session: Session) -> None:
        case = find_case(session, case_id)
        for attachment in all_attachments(session, case.id):
            _remove(session, actor, case.id, attachment)

    await transactions.run(work)
    return Response(status_code=204)


def _remove(session: Session, actor: Actor, case_id: str, attachment: Attachment) -> None:
    if attachment.alertId:
        remove_alerts(session, actor, case_id, attachment.alertId)
    else:
        remove_comment(session, actor, case_id, attachment.id)


def _attachment(session: Session, case_id: str, comment_id: str) -> Attachment:
    attachments = (kept for kept in all_attachments(session, case_id) if kept.id == comment_id)
    attachment = next(attachments, None)
    if attachment is None:
        raise NotFoundError(f"the case has no comment {comment_id}")
    return attachment
