"""What became of alerts, read from their histories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from tocsin.management.standing_changes import AlertWorkflow, HistoryChange, workflow_of
from tocsin.moments import datetime_nanoseconds
from tocsin.store.records.database import chunks
from tocsin.store.records.models import AlertChange

_FIELDS = ("status", "reason", "assignees")
_AT_ONCE = 10_000  # changes
_Changes = Iterable[Sequence[Any]]  # rows of alert, time, actor, field, old, new, undoes


def alert_workflows(session: Session, ids: Collection[str]) -> dict[str, AlertWorkflow]:
    """Return what became of alerts by their ids; of one that nobody has changed nothing did."""
    workflows = dict.fromkeys(ids, AlertWorkflow())
    for chunk in chunks(ids):
        workflows.update(_workflows(session.execute(_asked().where(AlertChange.alert_id.in_(chunk)))))
    return workflows


def all_alert_workflows(session: Session) -> Iterator[tuple[str, AlertWorkflow]]:
    """Yield what became of all alerts that somebody has changed, with their ids."""
    yield from _workflows(session.execute(_asked().execution_options(yield_per=_AT_ONCE)))


def _asked() -> Any:
    # As text: most values are among a few, which are read once.
    values = cast(AlertChange.old, String), cast(AlertChange.new, String)
    columns = (AlertChange.alert_id, AlertChange.time, AlertChange.actor, AlertChange.field)
    asked = select(*columns, *values, AlertChange.undoes).where(AlertChange.field.in_(_FIELDS))
    return asked.order_by(AlertChange.alert_id, AlertChange.id)


def _workflows(changes: _Changes) -> Iterator[tuple[str, AlertWorkflow]]:
    known: dict[str, Any] = {}

    def value(text: str) -> Any:
        if text not in known:
            known[text] = orjson.loads(text)[0]
        return known[text]

    for id_, rows in groupby(changes, key=itemgetter(0)):
        yield (
            id_,
            workflow_of(
                HistoryChange(datetime_nanoseconds(moment), actor, field, value(old), value(new), undoes)
                for _, moment, actor, field, old, new, undoes in rows
            ),
        )
