"""What a rule has alerted on before, as records have it; and new alerts as records keep them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import orjson

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.documents import BUILDING_BLOCK, ExecutionContext, alert_documents
from tocsin.detection.alerts.suppression import Group
from tocsin.ecs import TIMESTAMP
from tocsin.moments import iso
from tocsin.scheduler import execution_records
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert


@dataclass(frozen=True)
class RecordedAlerts:
    """What records have of a rule."""

    records: Records
    rule: str  # its uuid

    def known(self, ids: Collection[str]) -> set[str]:
        """Return those of some alert ids that there are."""
        if not ids:
            return set()
        with self.records.transaction() as session:
            return execution_records.known_alerts(session, ids)

    def counted_to(self, groups: Collection[str]) -> dict[str, int]:
        """Return, for groups of events, up to which time alerts have counted them."""
        with self.records.transaction() as session:
            return dict(execution_records.counted_to(session, self.rule, groups))

    def last_of_groups(self, keys: Iterable[str]) -> Mapping[str, Group]:
        """Return the last alert of each of some groups that has one."""
        with self.records.transaction() as session:
            return execution_records.last_of_groups(session, self.rule, keys)


def stored_alerts(alert: Alert, execution: ExecutionContext) -> list[StoredAlert]:
    """Return an alert as records keep it, behind the building blocks of a sequence."""
    *blocks, document = alert_documents(alert, execution)
    stored = []
    for one in (*blocks, document):
        is_last = one is document
        stored.append(
            StoredAlert(
                id=one["kibana.alert.uuid"],
                rule_uuid=alert.compiled.uuid,
                created=execution.now,
                time=alert.finding.held,
                status="open",
                severity=one["kibana.alert.severity"],
                building_block=BUILDING_BLOCK in one,
                group_key=alert.group_key if is_last else None,
                counted_to=alert.counted_to if is_last else None,
                changed=execution.now,
                document=orjson.dumps(one, default=str).decode(),
            )
        )
    return stored


def stamp(alert: StoredAlert, now: int) -> None:
    """Let an alert be of a later moment than that of its making: those who ask for what is new have to find it."""
    document = orjson.loads(alert.document)
    document[TIMESTAMP] = iso(now)
    alert.document, alert.created, alert.changed = orjson.dumps(document).decode(), now, now
