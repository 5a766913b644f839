"""A case as its report has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from tocsin.moments import iso
from tocsin.report.case_report import CaseReport, ReportedEvidence, ReportedTask
from tocsin.response.cases.activity import activity_of
from tocsin.response.cases.case_alerts import alert_documents, count_alerts
from tocsin.response.cases.checklist import tasks_of
from tocsin.response.cases.comments import comments_of
from tocsin.response.cases.evidence import evidence_of
from tocsin.response.cases.links import linked_cases
from tocsin.response.cases.locking import find_case
from tocsin.response.cases.observables import observables_of
from tocsin.sources.batch import flatten
from tocsin.store.records.cases import CaseActivity, StoredCase

_MOST_ALERTS, _MOST_ENTRIES = 200, 2_000


def case_report(session: Session, case_id: str) -> CaseReport:
    """Return what a report of a case is of. Raises NotFoundError."""
    case = find_case(session, case_id)
    return CaseReport(
        number=case.number,
        title=case.title,
        severity=case.severity,
        description=case.description,
        facts=_facts(case),
        tasks=[
            ReportedTask(task.depth, task.text, f"{task.done_by}, {iso(task.done)}" if task.done else "")
            for task in tasks_of(session, case.id)
        ],
        evidence=[
            ReportedEvidence(
                piece.title, piece.kind, piece.size, piece.sha256, f"{piece.added_by}, {iso(piece.added)}"
            )
            for piece in evidence_of(session, case.id)
        ],
        comments=[(note.created_by, iso(note.created), note.text) for note in comments_of(session, case.id)],
        observables=[(kept.type, kept.value) for kept in observables_of(session, case.id)],
        linked=[f"#{other.number} {other.title}, {other.status}" for other in linked_cases(session, case.id)],
        activity=[
            (iso(entry.time), entry.actor, _said(entry)) for entry in activity_of(session, case.id)[:_MOST_ENTRIES]
        ],
        alerts=[flatten(document) for document in alert_documents(session, case.id)[:_MOST_ALERTS]],
        alert_count=count_alerts(session, [case.id]).get(case.id, 0),
        made=iso(datetime.now(UTC)),
    )


def _facts(case: StoredCase) -> list[tuple[str, str]]:
    closed = f"{iso(case.closed)} by {case.closed_by}" if case.closed else ""
    facts = {
        "id": case.id, "status": case.status, "severity": case.severity, "reason for closing": case.close_reason,
        "answers for it": case.owner, "assigned to": ", ".join(case.assignees), "tags": ", ".join(case.tags),
        "category": case.category, "made": f"{iso(case.created)} by {case.created_by}",
        "changed": f"{iso(case.updated)} by {case.updated_by}", "closed": closed,
        "follow up on": iso(case.follow_up) if case.follow_up else "", "what then": case.follow_up_note,
        "last hash of its activity log": case.activity_hash,
    }  # fmt: skip
    return [(name, str(value)) for name, value in facts.items() if value]


def _said(entry: CaseActivity) -> str:
    """Return an entry of the activity log in a line: what was done, and with what."""
    payload: dict[str, Any] = orjson.loads(entry.payload)
    after = payload.get(entry.type, payload.get("text", payload.get("value", payload.get("title", ""))))
    text = after if isinstance(after, str) else orjson.dumps(after).decode()
    return f"{entry.type} {entry.action} {text}".strip()
