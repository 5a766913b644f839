"""Evidence of cases: added by pages of the desk, by pictures, out of timelines; and shown."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.body import Upload, file_body
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, LargeForm, field
from tocsin.desk.page_route import PageRoute, leave_page
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader, Responder
from tocsin.management.timelines import saved_timeline
from tocsin.response.cases import evidence
from tocsin.response.cases.cases import NewCase, create_case
from tocsin.response.cases.locking import find_case

router = APIRouter(route_class=PageRoute, include_in_schema=False)
NEW = "new"
_PICTURE = Annotated[Upload, file_body("a picture, PNG or JPEG", evidence.LARGEST_PICTURE + 10_000, is_text=False)]
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_ENDINGS = {"application/json": "json", "image/png": "png", "image/jpeg": "jpg"}


@router.post("/cases/evidence")
async def add_evidence(
    request: Request, form: LargeForm, visitor: Responder, records: RequestTransactions
) -> Response:
    """Add a document (JSON in `document`) to a case by its id or number, or to a new one (`case` is `new`)."""
    kind, title, text = field(form, "kind"), field(form, "title"), field(form, "document")
    try:
        document: Any = orjson.loads(text)
    except ValueError as error:
        raise bad_request(f"[document] is no JSON: {error}") from None

    def work(session: Session) -> int:
        wanted = field(form, "case").strip()
        case_id = create_case(session, visitor.actor, NewCase(title[:160])).id if wanted == NEW else wanted
        evidence.add_evidence(session, visitor.actor, case_id, kind, title[:255], document)
        return find_case(session, case_id).number

    address = f"/cases/{await records.run(work)}#evidence"
    return leave_page(address) if "hx-request" in request.headers else RedirectResponse(address, 303)


@router.post("/cases/timeline")
async def add_pinned_events(form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Add the pinned events of a saved timeline (`timeline`) to a case, each as a piece of evidence."""

    def work(session: Session) -> int:
        timeline = saved_timeline(session, visitor.actor, field(form, "timeline"))
        pins = timeline.document.get("pins", ())
        if not pins:
            raise bad_request("the timeline has no pinned events")
        wanted = field(form, "case").strip()
        title = timeline.name[:160]
        case_id = create_case(session, visitor.actor, NewCase(title)).id if wanted == NEW else wanted
        for pin in pins:
            document = {"_index": pin["index"], "_id": pin["id"], "cut": pin["cut"], "_source": pin["document"]}
            moment = pin["document"].get("@timestamp", "")
            evidence.add_evidence(
                session, visitor.actor, case_id, "event", f"{timeline.name} · {moment}"[:255], document
            )
        return find_case(session, case_id).number

    return RedirectResponse(f"/cases/{await records.run(work)}#evidence", 303)


@router.post("/cases/{id}/pictures")
async def add_picture(visitor: Responder, records: RequestTransactions, id: str, uploaded: _PICTURE) -> Response:
    """Add a picture to a case, as one of a timeline."""
    title = uploaded.fields.get("title", "").strip() or uploaded.name or "picture"

    def work(session: Session) -> int:
        evidence.add_picture(session, visitor.actor, id, title[:255], uploaded.data)
        return find_case(session, id).number

    return leave_page(f"/cases/{await records.run(work)}#evidence")


@router.get("/cases/{id}/evidence/{evidence_id}")
async def show_evidence(
    request: Request, visitor: Reader, records: RequestTransactions, id: str, evidence_id: str
) -> Response:
    """Show a piece of evidence: a document on a page, a picture as it is."""

    def read(session: Session) -> tuple[Any, Any]:
        case = find_case(session, id)
        return case, evidence.find_evidence(session, case.id, evidence_id)

    case, piece = await records.read(read)
    if piece.kind == evidence.PICTURE:
        return _file(piece, "inline")
    text = orjson.dumps(orjson.loads(piece.content), option=orjson.OPT_INDENT_2).decode()
    return page(request, "cases/evidence.html", visitor, case=case, piece=piece, text=text)


@router.get("/cases/{id}/evidence/{evidence_id}/file")
async def download_evidence(visitor: Reader, records: RequestTransactions, id: str, evidence_id: str) -> Response:
    """Return a piece of evidence as a file, the bytes that its SHA-256 is of."""

    def read(session: Session) -> Any:
        return evidence.find_evidence(session, find_case(session, id).id, evidence_id)

    return _file(await records.read(read), "attachment")


def _file(piece: Any, disposition: str) -> Response:
    """Return the bytes of a piece of evidence, which a browser neither guesses the type of nor runs."""
    name = _NOT_IN_A_NAME.sub("-", piece.title).strip("-.")[:80] or "evidence"
    ending = _ENDINGS[piece.media_type]
    headers = {
        "Content-Disposition": f'{disposition}; filename="{name.removesuffix(f".{ending}")}.{ending}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(piece.content, media_type=piece.media_type, headers=headers)
