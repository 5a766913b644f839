"""Alerts with the moments that measures go by: of their events, of taking them up and of closing them.

What an alert is comes from the rows of the index of alerts, what became of it from its history. Histories are
read once; of alerts that are changed they are read again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.management.alert_workflows import alert_workflows, all_alert_workflows
from tocsin.management.standing_changes import AlertWorkflow
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.alerts.rows import AlertRows
from tocsin.store.columns.fields import MANY, column_name
from tocsin.store.records.database import Records

NEVER = int(np.iinfo(np.int64).min)  # as a moment: it has not happened
_AT_ONCE = 2_000  # changed alerts, from which on all histories are read
Moments = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CodedTexts:
    """A text of each alert, as its place among the different texts; -1 where it has none."""

    codes: npt.NDArray[np.int64]
    values: Sequence[str]

    def is_one_of(self, *texts: str) -> Marks:
        """Tell of each alert whether its text is one of some."""
        places = [place for place, value in enumerate(self.values) if value in texts]
        marks: Marks = np.isin(self.codes, places)
        return marks

    def text(self, place: int) -> str:
        """Return the text of an alert, an empty one where it has none."""
        code = int(self.codes[place])
        return self.values[code] if code >= 0 else ""

    def where(self, marks: Marks) -> CodedTexts:
        """Return the texts of some alerts."""
        return CodedTexts(self.codes[marks], self.values)


@dataclass(frozen=True)
class _Workflows:
    """What became of alerts, a row for each; moments are NEVER where it did not happen."""

    taken_up: Moments
    closed: Moments
    automatic: Marks
    reasons: npt.NDArray[np.object_]

    @staticmethod
    def of(size: int) -> _Workflows:
        """Return the rows of alerts that nothing became of."""
        never = np.full(size, NEVER, np.int64)
        return _Workflows(never, never.copy(), np.zeros(size, np.bool_), np.full(size, None, np.object_))

    def longer(self, size: int) -> _Workflows:
        """Return the rows as copies that can be written to, with more behind them up to a size."""
        more = _Workflows.of(size - len(self.closed))
        return _Workflows(
            np.concatenate((self.taken_up, more.taken_up)), np.concatenate((self.closed, more.closed)),
            np.concatenate((self.automatic, more.automatic)), np.concatenate((self.reasons, more.reasons)),
        )  # fmt: skip

    def set(self, place: int, workflow: AlertWorkflow) -> None:
        """Write what became of an alert."""
        closing = workflow.closing
        self.taken_up[place] = NEVER if workflow.taken_up is None else workflow.taken_up
        self.closed[place] = NEVER if closing is None else closing.time
        self.automatic[place] = closing is not None and closing.is_automatic
        self.reasons[place] = None if closing is None else closing.reason


@dataclass(frozen=True)
class MeasuredAlerts:
    """Alerts without building blocks, a row for each. Moments are ns since 1970, NEVER where it did not happen.

    `event_times` are those of the (last) event. `automatic` belongs to the closing. Alerts of runs that somebody
    asked for over earlier times are `by_hand`. `fired` has the ids of all rules that have raised any alert, or a
    building block.
    """

    ids: pa.Array
    created: Moments
    event_times: Moments
    taken_up: Moments
    closed: Moments
    automatic: Marks
    by_hand: Marks
    rules: CodedTexts
    rule_names: CodedTexts
    severities: CodedTexts
    hosts: CodedTexts
    statuses: CodedTexts
    reasons: CodedTexts
    fired: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """Return how many alerts there are."""
        return len(self.created)


class MeasuredAlertsReader:
    """Reads alerts as measures need them, and keeps what became of each until it is changed."""

    def __init__(self, records: Records, index: AlertIndex) -> None:
        self._records, self._index, self._lock = records, index, threading.Lock()
        self._rows, self._workflows = AlertRows(), _Workflows.of(0)

    def read(self) -> MeasuredAlerts:
        """Return the alerts as they are now."""
        with self._lock:
            rows = self._index.rows()
            self._workflows = self._updated(rows)
            self._rows = rows
            return _measured(rows, self._workflows)

    def _updated(self, rows: AlertRows) -> _Workflows:
        """Return what became of alerts as of some rows."""
        known = self._rows
        if rows.epoch > known.number:  # alerts were removed: others have their places
            known, self._workflows = AlertRows(), _Workflows.of(0)
        changed = np.flatnonzero(known.changed != rows.changed[: len(known)])
        stale = np.concatenate((changed, np.arange(len(known), len(rows))))
        if not len(stale):
            return self._workflows
        workflows = self._workflows.longer(len(rows))
        with self._records.transaction() as session:
            if len(stale) > _AT_ONCE:
                _set(workflows, rows, all_alert_workflows(session))
            else:
                ids: list[str] = rows.ids.take(pa.array(stale)).to_pylist()
                by_id = alert_workflows(session, ids)
                for place, id_ in zip(stale.tolist(), ids, strict=True):
                    workflows.set(place, by_id[id_])
        return workflows


def _set(workflows: _Workflows, rows: AlertRows, read: Iterable[tuple[str, AlertWorkflow]]) -> None:
    """Write what became of many alerts; of those that are not named nothing did."""
    ids, values = list[str](), list[AlertWorkflow]()
    for id_, workflow in read:
        ids.append(id_)
        values.append(workflow)
    at, which = rows.places(ids)
    for place, number in zip(at.tolist(), which.tolist(), strict=True):
        workflows.set(place, values[number])


def _measured(rows: AlertRows, workflows: _Workflows) -> MeasuredAlerts:
    def column(name: str) -> CodedTexts:
        return _coded(rows, name)

    rules, blocks = column("kibana.alert.rule.uuid"), column("kibana.alert.building_block_type")
    shown: Marks = blocks.codes < 0
    alerts = MeasuredAlerts(
        rows.ids, rows.created, rows.event_times, workflows.taken_up, workflows.closed, workflows.automatic,
        column("kibana.alert.rule.execution.type").is_one_of("manual"), rules,
        column("kibana.alert.rule.name"), column("kibana.alert.severity"), column("host.name"),
        column("kibana.alert.workflow_status"), _encoded(pa.array(workflows.reasons, pa.string())),
        frozenset(rules.values[code] for code in np.unique(rules.codes).tolist() if code >= 0),
    )  # fmt: skip
    return alerts if shown.all() else _where(alerts, shown)


def _where(alerts: MeasuredAlerts, marks: Marks) -> MeasuredAlerts:
    moments = ("created", "event_times", "taken_up", "closed", "automatic", "by_hand")
    coded = ("rules", "rule_names", "severities", "hosts", "statuses", "reasons")
    return replace(
        alerts,
        ids=alerts.ids.filter(pa.array(marks)),
        **{name: getattr(alerts, name)[marks] for name in moments},
        **{name: getattr(alerts, name).where(marks) for name in coded},
    )


def _coded(rows: AlertRows, field: str) -> CodedTexts:
    """Return the values of a field; of several that an alert has the first."""
    column, many = rows.columns.get(column_name(field)), rows.columns.get(column_name(field) + MANY)
    texts = _encoded(column) if column is not None else CodedTexts(np.full(len(rows), -1, np.int64), [])
    if many is None:
        return texts
    lists = many.dictionary_decode() if pa.types.is_dictionary(many.type) else many
    single = [texts.text(place) or None for place in range(len(rows))]
    firsts = [(values or [None])[0] for values in lists.to_pylist()]
    return _encoded(pa.array([text or first for text, first in zip(single, firsts, strict=True)], pa.string()))


def _encoded(column: pa.Array) -> CodedTexts:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return CodedTexts(codes, [str(value) for value in encoded.dictionary.to_pylist()])
