"""Evidence of cases: copies of what was seen, each with the SHA-256 of its bytes. It is added, never changed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from tocsin.errors import InvalidError, NotFoundError
from tocsin.response.cases.activity import note
from tocsin.response.cases.fields import checked_text
from tocsin.response.cases.locking import locked_case
from tocsin.store.records.access import Actor
from tocsin.store.records.cases import CaseEvidence

PICTURE = "picture"
DOCUMENT_KINDS = ("alert", "event", "file", "query_result", "action", "indicator", "note")
KINDS = (*DOCUMENT_KINDS, PICTURE)
LARGEST_DOCUMENT, LARGEST_PICTURE = 1_000_000, 5_000_000  # bytes
MOST_EVIDENCE, LARGEST_OF_CASE = 1_000, 200_000_000  # pieces and bytes of a case
_JSON = "application/json"
# How files of pictures begin.
_PICTURES: Mapping[bytes, str] = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_LONGEST_TITLE = 255


def add_evidence(
    session: Session,
    actor: Actor,
    case_id: str,
    kind: str,
    title: str,
    document: Mapping[str, Any] | Sequence[Any],
) -> CaseEvidence:
    """Add a document to a case, as JSON of at most a million bytes.

    The same one of the same kind and title is in a case once. Raises NotFoundError and InvalidError.
    """
    if kind not in DOCUMENT_KINDS:
        raise InvalidError(f"[kind] is one of {', '.join(DOCUMENT_KINDS)}, not `{kind}`")
    try:
        content = orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError) as error:
        raise InvalidError(f"[document] cannot be written as JSON: {error}") from None
    if len(content) > LARGEST_DOCUMENT:
        raise InvalidError(
            f"[document] has {len(content):,} bytes, and evidence at most {LARGEST_DOCUMENT:,}",
            hint="select fewer rows or columns",
        )
    return _add(session, actor, case_id, kind, title, _JSON, content)


def add_picture(session: Session, actor: Actor, case_id: str, title: str, content: bytes) -> CaseEvidence:
    """Add a picture to a case: a PNG or JPEG file by its content. Raises NotFoundError and InvalidError."""
    media_type = next((name for head, name in _PICTURES.items() if content.startswith(head)), None)
    if media_type is None:
        raise InvalidError("the file is neither a PNG nor a JPEG picture", hint="save it as one of these")
    if len(content) > LARGEST_PICTURE:
        raise InvalidError(f"the picture has {len(content):,} bytes, and evidence at most {LARGEST_PICTURE:,}")
    return _add(session, actor, case_id, PICTURE, title, media_type, content)


def evidence_of(session: Session, case_id: str) -> Sequence[CaseEvidence]:
    """Return the evidence of a case without its content, the oldest first."""
    query = select(CaseEvidence).where(CaseEvidence.case_id == case_id)
    return session.scalars(query.order_by(CaseEvidence.added, CaseEvidence.id)).all()


def find_evidence(session: Session, case_id: str, evidence_id: str) -> CaseEvidence:
    """Return a piece of evidence with its content. Raises NotFoundError."""
    query = select(CaseEvidence).where(CaseEvidence.id == evidence_id, CaseEvidence.case_id == case_id)
    evidence = session.scalar(query.options(undefer(CaseEvidence.content)))
    if evidence is None:
        raise NotFoundError(f"the case has no evidence {evidence_id}")
    return evidence


def _add(
    session: Session, actor: Actor, case_id: str, kind: str, title: str, media_type: str, content: bytes
) -> CaseEvidence:
    title = checked_text("title", title, _LONGEST_TITLE)
    case = locked_case(session, case_id)
    digest = hashlib.sha256(content).hexdigest()
    of_case = CaseEvidence.case_id == case.id
    same = select(CaseEvidence).where(of_case, CaseEvidence.sha256 == digest, CaseEvidence.kind == kind)
    kept = session.scalar(same.where(CaseEvidence.title == title).limit(1))
    if kept is not None:
        return kept
    count, size = session.execute(select(func.count(), func.sum(CaseEvidence.size)).where(of_case)).one()
    if count >= MOST_EVIDENCE or (size or 0) + len(content) > LARGEST_OF_CASE:
        raise InvalidError(
            f"a case has at most {MOST_EVIDENCE:,} pieces of evidence of {LARGEST_OF_CASE:,} bytes together",
            hint="go on in a case that is linked to it",
        )
    evidence = CaseEvidence(
        id=str(uuid.uuid4()), case_id=case.id, kind=kind, title=title, media_type=media_type, size=len(content),
        sha256=digest, content=content, added=datetime.now(UTC), added_by=actor.name[:160],
    )  # fmt: skip
    session.add(evidence)
    payload = {"id": evidence.id, "kind": kind, "title": title, "sha256": digest, "size": len(content)}
    note(session, actor, case, "evidence", "add", payload)
    return evidence
