"""Alerts in records: found by their ids, and given another document."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.store.records.database import begin_to_write, chunks
from tocsin.store.records.models import StoredAlert


def find_alerts(session: Session, ids: Collection[str]) -> Iterator[StoredAlert]:
    """Yield the alerts with some ids, which nobody else changes until the transaction ends."""
    begin_to_write(session)
    for chunk in chunks(ids):
        alerts = select(StoredAlert).where(StoredAlert.id.in_(chunk)).order_by(StoredAlert.id)
        yield from session.scalars(alerts.with_for_update())


def find_alert(session: Session, id_: str) -> StoredAlert | None:
    """Return an alert, which nobody else changes until the transaction ends; None where there is none."""
    return next(find_alerts(session, [id_]), None)


def keep_document(session: Session, alert: StoredAlert, document: dict[str, Any]) -> None:
    """Give an alert another document, and mark it as changed now."""
    keep_documents(session, [(alert, document)])


def keep_documents(session: Session, documents: Iterable[tuple[StoredAlert, dict[str, Any]]]) -> None:
    """Give alerts other documents, and mark each as changed now, one after the other."""
    latest: int | None = None
    for alert, document in documents:
        if latest is None:
            latest = session.scalar(select(func.max(StoredAlert.changed))) or 0
        latest = max(time.time_ns(), latest + 1)
        alert.document, alert.changed = orjson.dumps(document).decode(), latest
