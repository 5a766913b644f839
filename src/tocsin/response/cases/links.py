"""Cases that belong together: linked, or one merged into another, which takes over all that it has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.response.cases.activity import note, shortened
from tocsin.response.cases.case_alerts import alert_ids, attach, detach
from tocsin.response.cases.checklist import MOST_TASKS, STEP
from tocsin.response.cases.comments import MOST_COMMENTS
from tocsin.response.cases.evidence import LARGEST_OF_CASE, MOST_EVIDENCE
from tocsin.response.cases.fields import CLOSED
from tocsin.response.cases.locking import find_case, locked_case
from tocsin.response.cases.observables import keep_indicators, observables_of
from tocsin.store.records.access import Actor
from tocsin.store.records.cases import CaseComment, CaseEvidence, CaseLink, CaseTask, StoredCase

_MOST_LINKS = 200


def linked_cases(session: Session, case_id: str) -> Sequence[StoredCase]:
    """Return the cases that are linked to one, and those that were merged into it, the newest first."""
    links = select(CaseLink).where(or_(CaseLink.case_id == case_id, CaseLink.other_id == case_id))
    ids = [link.other_id if link.case_id == case_id else link.case_id for link in session.scalars(links)]
    query = select(StoredCase).where(or_(StoredCase.id.in_(ids), StoredCase.merged_into == case_id))
    return session.scalars(query.order_by(StoredCase.number.desc())).all()


def link_cases(session: Session, actor: Actor, case_id: str, other_id: str) -> StoredCase:
    """Link two cases, and return the other. Raises NotFoundError and InvalidError."""
    case, other = _both(session, case_id, other_id)
    if _link(session, case, other) is not None:
        return other
    if len(linked_cases(session, case.id)) >= _MOST_LINKS:
        raise InvalidError(f"a case has at most {_MOST_LINKS} links")
    first, second = sorted((case.id, other.id))
    session.add(CaseLink(case_id=first, other_id=second, added=datetime.now(UTC), added_by=actor.name[:160]))
    for holder, linked in ((case, other), (other, case)):
        note(
            session,
            actor,
            holder,
            "link",
            "add",
            {"case": linked.id, "number": linked.number, "title": linked.title},
        )
    session.flush()
    return other


def unlink_cases(session: Session, actor: Actor, case_id: str, other_id: str) -> None:
    """Take the link between two cases away. Raises NotFoundError and InvalidError."""
    case, other = _both(session, case_id, other_id)
    link = _link(session, case, other)
    if link is None:
        return
    session.delete(link)
    for holder, linked in ((case, other), (other, case)):
        note(session, actor, holder, "link", "delete", {"case": linked.id, "number": linked.number})
    session.flush()


def merge_cases(session: Session, actor: Actor, case_id: str, into_id: str) -> StoredCase:
    """Merge a case into another, and return the latter.

    Alerts, tasks, comments, evidence and observables go over; what both have stays once. The merged case is
    closed without closing its alerts, keeps its log, and takes no more changes. Raises NotFoundError, and
    InvalidError also where the other would have more than a case may have.
    """
    case, into = _both(session, case_id, into_id)
    if into.status == CLOSED:
        raise InvalidError("a case cannot be merged into a closed one", hint="open that one again")
    _check_room(session, case, into)
    alerts = alert_ids(session, case.id)
    detach(session, actor, case, alerts)
    evidence = session.scalars(select(CaseEvidence).where(CaseEvidence.case_id == case.id)).all()
    if alerts:
        attach(session, actor, into, alerts)
    note(session, actor, into, "merge", "add", {"case": case.id, "number": case.number, "title": case.title})
    for piece in evidence:
        payload = {
            "id": piece.id,
            "kind": piece.kind,
            "title": piece.title,
            "sha256": piece.sha256,
            "size": piece.size,
        }
        note(session, actor, into, "evidence", "add", {**payload, "from": case.id})
    _take_over(session, actor, case, into)
    moved = {"case": into.id, "number": into.number, "title": into.title, "alerts": shortened(alerts)}
    case.status, case.merged_into = CLOSED, into.id
    case.closed, case.closed_by, case.close_reason = datetime.now(UTC), actor.name[:160], "merged"
    case.follow_up = case.follow_up_note = None
    note(session, actor, case, "merge", "update", moved)
    session.flush()
    return into


def _take_over(session: Session, actor: Actor, case: StoredCase, into: StoredCase) -> None:
    """Give a case what another has beside alerts, each thing that it has not yet."""
    for kind in (CaseComment, CaseEvidence):
        session.execute(update(kind).where(kind.case_id == case.id).values(case_id=into.id))
    keep_indicators(session, actor, into, ((kept.type, kept.value) for kept in observables_of(session, case.id)))
    steps = {task.text: task for task in _tasks(session, into) if task.kind == STEP}
    last = max((task.position for task in _tasks(session, into)), default=0)
    for number, task in enumerate(_tasks(session, case), 1):
        same = steps.get(task.text) if task.kind == STEP else None
        if same is None:
            task.case_id, task.position = into.id, last + number
        elif same.done is None:
            same.done, same.done_by = task.done, task.done_by


def _check_room(session: Session, case: StoredCase, into: StoredCase) -> None:
    """Raise InvalidError where a case would have too much of something. Alerts are checked as they are added."""
    for kind, most, name in (
        (CaseComment, MOST_COMMENTS, "comments"), (CaseEvidence, MOST_EVIDENCE, "pieces of evidence"),
        (CaseTask, MOST_TASKS, "tasks"),
    ):  # fmt: skip
        query = select(func.count()).select_from(kind).where(kind.case_id.in_((case.id, into.id)))
        if (session.scalar(query) or 0) > most:
            raise InvalidError(f"together the cases have more than {most:,} {name}", hint="link them instead")
    size = select(func.sum(CaseEvidence.size)).where(CaseEvidence.case_id.in_((case.id, into.id)))
    if (session.scalar(size) or 0) > LARGEST_OF_CASE:
        raise InvalidError(
            f"together their evidence has more than {LARGEST_OF_CASE:,} bytes", hint="link them instead"
        )


def _tasks(session: Session, case: StoredCase) -> Sequence[CaseTask]:
    return session.scalars(select(CaseTask).where(CaseTask.case_id == case.id).order_by(CaseTask.position)).all()


def _both(session: Session, case_id: str, other_id: str) -> tuple[StoredCase, StoredCase]:
    """Return two cases locked, always in the same order. Raises NotFoundError and InvalidError."""
    ids = [find_case(session, id_).id for id_ in (case_id, other_id)]
    if ids[0] == ids[1]:
        raise InvalidError("these are the same case")
    locked = {id_: locked_case(session, id_) for id_ in sorted(ids)}
    return locked[ids[0]], locked[ids[1]]


def _link(session: Session, case: StoredCase, other: StoredCase) -> CaseLink | None:
    return session.get(CaseLink, tuple(sorted((case.id, other.id))))
