"""The activity log of cases: each change is an entry that holds the hash of the one before it.

Whoever changes, removes or inserts an entry breaks the chain from there on; how long the chain is and its last
hash stand in the case and in the audit log. Types and actions are those of Kibana's user actions (`status`,
`comment`, …; `create`, `update`, `add`, `delete`), with others where Kibana has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.store.records.access import Actor, record
from tocsin.store.records.cases import CaseActivity, CaseEvidence, StoredCase
from tocsin.store.records.models import AuditEntry

NO_HASH = "0" * 64  # stands before the first entry
_DOCUMENTED = 500  # members of a list that an entry holds


@dataclass(frozen=True)
class ActivityFault:
    """What is wrong with the activity log of a case, or with its evidence, and behind which entry."""

    case_id: str
    sequence: int
    reason: str


def note(
    session: Session, actor: Actor, case: StoredCase, type_: str, action: str, payload: Mapping[str, Any]
) -> None:
    """Add an entry to the log of a case that this transaction has locked, and one to the audit log."""
    now = datetime.now(UTC)
    entry = CaseActivity(
        case_id=case.id,
        sequence=case.activity_length + 1,
        time=now,
        actor=actor.name[:160],
        actor_id=actor.id[:64],
        type=type_,
        action=action,
        payload=orjson.dumps(payload, default=str).decode(),
        previous_hash=case.activity_hash,
    )
    entry.hash = _hash(entry)
    session.add(entry)
    case.activity_length, case.activity_hash = entry.sequence, entry.hash
    case.revision += 1
    case.updated, case.updated_by = now, actor.name[:160]
    record(
        session,
        actor,
        f"case.{type_}",
        case.id,
        change=action,
        title=case.title,
        entry=entry.sequence,
        hash=entry.hash,
    )


def activity_of(session: Session, case_id: str, *, newest_first: bool = False) -> Sequence[CaseActivity]:
    """Return the log of a case, also of one that was removed."""
    order = CaseActivity.sequence.desc() if newest_first else CaseActivity.sequence
    return session.scalars(select(CaseActivity).where(CaseActivity.case_id == case_id).order_by(order)).all()


def shortened(members: Sequence[str]) -> list[str]:
    """Return the members of a list that an entry holds."""
    return list(members[:_DOCUMENTED])


def verify(session: Session, case_id: str | None = None) -> list[ActivityFault]:
    """Return what is wrong with the logs of all cases, or of one of them; nothing when all of it holds."""
    known = select(CaseActivity.case_id).distinct().union(select(StoredCase.id))
    ids = [case_id] if case_id is not None else session.scalars(known).all()
    return [fault for id_ in sorted(ids) for fault in _faults(session, id_)]


def _faults(session: Session, case_id: str) -> Iterator[ActivityFault]:
    sequence, previous = 0, NO_HASH
    evidence: set[str] = set()
    hashes: dict[int, str] = {}
    removed = False
    entries = session.scalars(
        select(CaseActivity).where(CaseActivity.case_id == case_id).order_by(CaseActivity.sequence)
    )
    for entry in entries.yield_per(500):
        if entry.sequence != sequence + 1:
            missing = entry.sequence - sequence - 1
            yield ActivityFault(case_id, sequence, f"{missing:,} entries are missing")
        elif entry.previous_hash != previous:
            yield ActivityFault(case_id, entry.sequence, "it does not follow the entry before it")
        if entry.hash != _hash(entry):
            yield ActivityFault(case_id, entry.sequence, "it was changed: its hash is another")
        sequence, previous, hashes[entry.sequence] = entry.sequence, entry.hash, entry.hash
        removed = removed or (entry.type, entry.action) == ("delete_case", "delete")
        if entry.type == "evidence":
            evidence.add(orjson.loads(entry.payload).get("sha256", ""))
    case = session.scalar(select(StoredCase).where(StoredCase.id == case_id))
    if case is None and not removed:
        yield ActivityFault(case_id, sequence, "the case is gone, and no entry says that it was removed")
    if case is not None and (case.activity_length, case.activity_hash) != (sequence, previous):
        yield ActivityFault(
            case_id, sequence, f"the log ends here; the case says that it has {case.activity_length:,} entries"
        )
    yield from _audit_faults(session, case_id, hashes)
    if case is not None:
        yield from _evidence_faults(session, case, evidence)


def _audit_faults(session: Session, case_id: str, hashes: Mapping[int, str]) -> Iterator[ActivityFault]:
    """Compare with the audit log, as far as that goes back."""
    audited = session.scalars(
        select(AuditEntry).where(AuditEntry.target == case_id, AuditEntry.action.startswith("case."))
    )
    for entry in audited.yield_per(500):
        sequence = entry.detail.get("entry")
        if isinstance(sequence, int) and hashes.get(sequence) != entry.detail.get("hash"):
            reason = (
                "the audit log has another hash for it" if sequence in hashes else "it is in the audit log alone"
            )
            yield ActivityFault(case_id, sequence, reason)


def _evidence_faults(session: Session, case: StoredCase, noted: set[str]) -> Iterator[ActivityFault]:
    """Compare the content of evidence with its hashes, and these with those in the log.

    What a merged case had belongs to the other, whose log has it.
    """
    rows = select(CaseEvidence.title, CaseEvidence.sha256, CaseEvidence.content)
    there = set()
    for title, sha256, content in session.execute(rows.where(CaseEvidence.case_id == case.id)).yield_per(5):
        there.add(sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            yield ActivityFault(case.id, 0, f"the evidence `{title}` is not what its SHA-256 says")
        elif sha256 not in noted:
            yield ActivityFault(case.id, 0, f"no entry says that the evidence `{title}` was added")
    for sha256 in sorted(noted - there) if case.merged_into is None else ():
        yield ActivityFault(case.id, 0, f"the evidence with the SHA-256 {sha256} is gone")


def _hash(entry: CaseActivity) -> str:
    parts = [
        entry.case_id, entry.sequence, entry.time.astimezone(UTC).isoformat(timespec="microseconds"), entry.actor,
        entry.actor_id, entry.type, entry.action, entry.payload, entry.previous_hash,
    ]  # fmt: skip
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
