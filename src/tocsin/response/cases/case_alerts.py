"""Alerts of cases: attached and taken off, and given the status of their case.

An alert's document says in which cases it is (`kibana.alert.case_ids`), as Kibana's do.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.management.alert_changes import STATUS, HistoryEntries, WorkflowChange, change_alerts
from tocsin.response.cases.activity import note, shortened
from tocsin.response.cases.checklist import add_steps_of_rules
from tocsin.response.cases.fields import CLOSED, IN_PROGRESS, OPEN
from tocsin.response.cases.locking import locked_case
from tocsin.response.cases.observables import indicators_of, keep_indicators
from tocsin.store.records.access import Actor
from tocsin.store.records.alerts import find_alerts, keep_documents
from tocsin.store.records.cases import CaseAlert, StoredCase
from tocsin.store.records.database import chunks
from tocsin.store.records.models import StoredAlert

MOST_ALERTS = 1_000  # of a case, as in Kibana
CASE_IDS = "kibana.alert.case_ids"
ALERT_STATUSES: Mapping[str, str] = {OPEN: "open", IN_PROGRESS: "acknowledged", CLOSED: "closed"}
_Document = dict[str, Any]


@dataclass(frozen=True)
class AttachedAlerts:
    """What became of alerts that were to be attached: ids of those that are new to the case, and of no alert."""

    added: Sequence[str]
    unknown: Sequence[str]


def add_alerts(session: Session, actor: Actor, case_id: str, ids: Collection[str]) -> AttachedAlerts:
    """Attach alerts to a case. Those that are in it already are left alone.

    The case takes up the steps of their rules' guides and their observables; with `sync_alerts` open alerts get
    the status of the case. Raises NotFoundError, also where there is none of the alerts, and InvalidError for more
    alerts than a case has and for a closed case.
    """
    return attach(session, actor, locked_case(session, case_id), ids)


def attach(session: Session, actor: Actor, case: StoredCase, ids: Collection[str]) -> AttachedAlerts:
    """Do as `add_alerts` with a case that is locked."""
    if case.status == CLOSED:
        raise InvalidError("alerts cannot be added to a closed case", hint="open it again, or make another")
    wanted = list(dict.fromkeys(ids))
    present = set(alert_ids(session, case.id))
    new = [id_ for id_ in wanted if id_ not in present]
    if len(present) + len(new) > MOST_ALERTS:
        raise InvalidError(
            f"a case has at most {MOST_ALERTS:,} alerts: this one has {len(present):,}, "
            f"and {len(new):,} were to be added",
            hint="select fewer, or except what is alike by an exception of the rule",
        )
    documents = _change_case_ids(session, actor, new, lambda cases: [*cases, case.id])
    unknown = [id_ for id_ in new if id_ not in documents]
    if unknown and not documents and not present.intersection(wanted):
        raise NotFoundError(
            f"there is no alert {unknown[0]}" + (f" nor {len(unknown) - 1:,} others" if unknown[1:] else "")
        )
    added = [id_ for id_ in new if id_ in documents]
    if added:
        _keep_attachments(session, actor, case, documents)
        note(session, actor, case, "comment", "create", {"alerts": shortened(added), "count": len(added)})
        keep_indicators(session, actor, case, indicators_of(documents.values()))
        add_steps_of_rules(session, actor, case, documents.values())
        if case.sync_alerts and case.status != OPEN:
            still_open = [id_ for id_ in added if documents[id_].get(STATUS) == "open"]
            change_alerts(session, actor, still_open, WorkflowChange(ALERT_STATUSES[case.status]))
    return AttachedAlerts(added, unknown)


def remove_alerts(session: Session, actor: Actor, case_id: str, ids: Collection[str]) -> list[str]:
    """Take alerts off a case; return the ids of those that were in it. Raises NotFoundError and InvalidError."""
    case = locked_case(session, case_id)
    removed = [id_ for id_ in dict.fromkeys(ids) if id_ in set(alert_ids(session, case.id))]
    detach(session, actor, case, removed)
    if removed:
        note(session, actor, case, "comment", "delete", {"alerts": shortened(removed), "count": len(removed)})
    return removed


def detach(session: Session, actor: Actor, case: StoredCase, ids: Sequence[str]) -> None:
    """Take alerts off a locked case, without an entry in its log."""
    _change_case_ids(session, actor, ids, lambda cases: [id_ for id_ in cases if id_ != case.id])
    for chunk in chunks(ids):
        session.execute(delete(CaseAlert).where(CaseAlert.case_id == case.id, CaseAlert.alert_id.in_(chunk)))


def alert_ids(session: Session, case_id: str) -> list[str]:
    """Return the ids of a case's alerts, in the order in which they were added."""
    query = select(CaseAlert.alert_id).where(CaseAlert.case_id == case_id)
    return list(session.scalars(query.order_by(CaseAlert.added, CaseAlert.alert_id)))


def attachments(session: Session, case_id: str) -> Sequence[CaseAlert]:
    """Return what a case keeps of its alerts, in the order in which they were added."""
    query = select(CaseAlert).where(CaseAlert.case_id == case_id)
    return session.scalars(query.order_by(CaseAlert.added, CaseAlert.alert_id)).all()


def count_alerts(session: Session, case_ids: Collection[str]) -> dict[str, int]:
    """Return how many alerts cases have, those that have any."""
    query = select(CaseAlert.case_id, func.count()).group_by(CaseAlert.case_id)
    return {
        case_id: count
        for chunk in chunks(case_ids)
        for case_id, count in session.execute(query.where(CaseAlert.case_id.in_(chunk)))
    }


def alert_documents(session: Session, case_id: str) -> list[_Document]:
    """Return the documents of a case's alerts that are still there, the newest first."""
    query = select(StoredAlert.document).join(CaseAlert, CaseAlert.alert_id == StoredAlert.id)
    documents = session.scalars(
        query.where(CaseAlert.case_id == case_id).order_by(StoredAlert.created.desc(), StoredAlert.id)
    )
    return [orjson.loads(document) for document in documents]


def cases_of_alert(session: Session, alert_id: str) -> Sequence[StoredCase]:
    """Return the cases that an alert belongs to, the newest first."""
    query = select(StoredCase).join(CaseAlert, CaseAlert.case_id == StoredCase.id)
    return session.scalars(query.where(CaseAlert.alert_id == alert_id).order_by(StoredCase.number.desc())).all()


def sync_alerts(session: Session, actor: Actor, case: StoredCase) -> int:
    """Give the alerts of a locked case its status, closed ones with its reason; return how many are changed."""
    change = WorkflowChange(ALERT_STATUSES[case.status], case.close_reason if case.status == CLOSED else None)
    return len(change_alerts(session, actor, alert_ids(session, case.id), change).alerts)


def _keep_attachments(
    session: Session, actor: Actor, case: StoredCase, documents: Mapping[str, _Document]
) -> None:
    now = datetime.now(UTC)
    session.add_all(
        CaseAlert(
            case_id=case.id, alert_id=id_, id=str(uuid.uuid4()), added=now, added_by=actor.name[:160],
            rule_uuid=str(document.get("kibana.alert.rule.uuid", ""))[:36],
            rule_name=str(document.get("kibana.alert.rule.name", "")),
        )
        for id_, document in documents.items()
    )  # fmt: skip
    session.flush()


def _change_case_ids(session: Session, actor: Actor, ids: Collection[str], change: Any) -> dict[str, _Document]:
    """Change in which cases alerts say that they are; return the documents of those that are there."""
    history, documents = HistoryEntries(session, actor), dict[str, _Document]()

    def changed() -> Iterator[tuple[StoredAlert, _Document]]:
        for alert in find_alerts(session, ids):
            document: _Document = orjson.loads(alert.document)
            before = list(document.get(CASE_IDS) or [])
            after = list(dict.fromkeys(change(before)))
            history.note(alert.id, "cases", before, after)
            document[CASE_IDS] = after
            documents[alert.id] = document
            yield alert, document

    keep_documents(session, changed())
    history.write()
    return documents
