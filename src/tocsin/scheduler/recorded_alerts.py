"""The earlier alerts of a rule, read from records; and new alerts in the form in which records keep them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.documents import BUILDING_BLOCK, ExecutionContext, alert_documents
from tocsin.detection.alerts.suppression import Group
from tocsin.ecs import TIMESTAMP
from tocsin.moments import iso
from tocsin.store.records.database import Records, chunks
from tocsin.store.records.models import StoredAlert


@dataclass(frozen=True)
class RecordedAlerts:
    """The alert history of a rule in records."""

    records: Records
    rule: str  # its uuid

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids for which there is an alert."""
        if not ids:
            return set()
        known: set[str] = set()
        with self.records.transaction() as session:
            for chunk in chunks(ids):
                known.update(session.scalars(select(StoredAlert.id).where(StoredAlert.id.in_(chunk))))
        return known

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""
        latest: dict[str, int] = {}
        with self.records.transaction() as session:
            for chunk in chunks(groups):
                query = select(StoredAlert.group_key, StoredAlert.counted_to).where(
                    StoredAlert.rule_uuid == self.rule, StoredAlert.group_key.in_(chunk)
                )
                for key, upto in session.execute(query):
                    if upto is not None:
                        latest[str(key)] = max(latest.get(str(key), upto), upto)
        return latest

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each group that has one."""
        groups: dict[str, Group] = {}
        with self.records.transaction() as session:
            for chunk in chunks(keys):
                query = select(StoredAlert).where(
                    StoredAlert.rule_uuid == self.rule, StoredAlert.group_key.in_(chunk)
                )
                for alert in session.scalars(query.order_by(StoredAlert.time)):
                    counted_to = alert.time if alert.counted_to is None else alert.counted_to
                    groups[str(alert.group_key)] = Group(
                        alert.id, alert.time, counted_to, alert.status == "closed"
                    )
        return groups


def stored_alerts(alert: Alert, execution: ExecutionContext) -> list[StoredAlert]:
    """Return an alert as records keep it, after the building blocks of its sequence."""
    *blocks, document = alert_documents(alert, execution)
    stored = []
    for part in (*blocks, document):
        is_last = part is document
        stored.append(
            StoredAlert(
                id=part["kibana.alert.uuid"],
                rule_uuid=alert.compiled.uuid,
                created=execution.now,
                time=alert.finding.held,
                status="open",
                severity=part["kibana.alert.severity"],
                building_block=BUILDING_BLOCK in part,
                group_key=alert.group_key if is_last else None,
                counted_to=alert.counted_to if is_last else None,
                changed=execution.now,
                document=orjson.dumps(part, default=str).decode(),
            )
        )
    return stored


def stamp(alert: StoredAlert, now: int) -> None:
    """Give an alert a later moment than that at which it was made, so that queries for new alerts return it."""
    document = orjson.loads(alert.document)
    document[TIMESTAMP] = iso(now)
    alert.document, alert.created, alert.changed = orjson.dumps(document).decode(), now, now
