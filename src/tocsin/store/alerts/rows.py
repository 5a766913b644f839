"""A small row of each alert in memory: its id, its times, and what alerts are sorted and filtered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.alerts.arrays import Order, Positions, changed, joined, same_values, with_dictionary
from tocsin.store.alerts.documents import AlertDocument

Moments = npt.NDArray[np.int64]  # nanoseconds since 1970
Places = tuple[Positions, Positions]  # of rows, and of what stands for them in a list
_CHANGES = 64  # of which it is known what rows they changed

# What the pages of alerts of Kibana and of the desk sort, filter and count by.
ROW_FIELDS = (
    "kibana.alert.workflow_status",
    "kibana.alert.workflow_tags",
    "kibana.alert.workflow_assignee_ids",
    "kibana.alert.severity",
    "kibana.alert.risk_score",
    "kibana.alert.building_block_type",
    "kibana.alert.depth",
    "kibana.alert.rule.uuid",
    "kibana.alert.rule.rule_id",
    "kibana.alert.rule.name",
    "kibana.alert.rule.rule_type_id",
    "kibana.alert.rule.execution.type",
    "kibana.space_ids",
    "host.name",
    "user.name",
)


@dataclass(frozen=True)
class AlertRows:
    """The rows of all alerts as of one moment; rows keep their places until alerts are removed.

    `event_times` are those of each alert's (last) event. `columns` are those of ROW_FIELDS, by their names in
    tables. `number` grows with every change, and `changes` holds the numbers of the last ones with the places of
    the rows that they changed. Places from before `epoch`, the number of the last removal, mean other rows.
    """

    ids: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    changed: Moments = field(default_factory=lambda: np.zeros(0, np.int64))
    created: Moments = field(default_factory=lambda: np.zeros(0, np.int64))
    event_times: Moments = field(default_factory=lambda: np.zeros(0, np.int64))
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    number: int = 0
    epoch: int = 0
    changes: tuple[tuple[int, Positions], ...] = ()

    def __len__(self) -> int:
        """Return how many alerts there are."""
        return len(self.created)

    @property
    def newest(self) -> int:
        """The moment of the last change."""
        return int(self.changed.max(initial=0))

    @property
    def size(self) -> int:
        """How many bytes the rows take."""
        arrays = (self.ids, *self.columns.values(), self.changed, self.created, self.event_times)
        return int(sum(array.nbytes for array in arrays))

    def places(self, ids: Sequence[str], created: Sequence[int] | None = None) -> Places:
        """Return the places of those alerts of `ids` that there are, and which of `ids` each is.

        To look among the alerts of some moments is quicker: `created` are theirs.
        """
        wanted = pa.array(ids, pa.string())
        if created is None:
            which = pc.index_in(self.ids, value_set=wanted)
            at = np.flatnonzero(which.is_valid().to_numpy(zero_copy_only=False))
            return at, which.take(pa.array(at)).to_numpy().astype(np.int64)
        moments = pc.is_in(pa.array(self.created), value_set=pa.array(created, pa.int64()))
        near = np.flatnonzero(moments.to_numpy(zero_copy_only=False))
        which = pc.index_in(self.ids.take(pa.array(near)), value_set=wanted)
        there = which.is_valid()
        return near[there.to_numpy(zero_copy_only=False)], which.filter(there).to_numpy().astype(np.int64)

    def with_documents(
        self, documents: Sequence[AlertDocument], columns: Mapping[str, pa.Array], places: Mapping[str, int]
    ) -> AlertRows:
        """Return the rows with those of some alerts, whose columns are given; all that are new have no place."""
        if not documents:
            return self
        before, more = len(self), len(documents)
        at_each = np.array([places.get(document.id, -1) for document in documents], np.int64)
        which, new = np.flatnonzero(at_each >= 0), np.flatnonzero(at_each < 0)
        at = at_each[which]
        order = np.concatenate((np.arange(before), before + new))
        order[at] = before + which
        changed_at, created, event_times = (
            np.concatenate((mine, np.array([getattr(document, name) for document in documents], np.int64)))[order]
            for mine, name in (
                (self.changed, "changed"), (self.created, "created"), (self.event_times, "time"),
            )
        )  # fmt: skip
        names = dict.fromkeys((*self.columns, *columns))
        in_order = Order(order) if len(at) else None
        changed_places = pa.array(at)

        def merged_column(name: str) -> pa.Array | None:
            mine, theirs = self.columns.get(name), columns.get(name)
            if len(at) == more and mine is not None and same_values(mine.take(changed_places), theirs):
                return mine  # most changes are of one field
            return changed(mine, theirs, (before, more), in_order)

        merged = {name: merged_column(name) for name in names}
        added = pa.array([documents[row].id for row in new.tolist()], pa.string())
        number = self.number + 1
        return replace(
            self,
            ids=joined([self.ids, added]) if len(added) else self.ids,
            changed=changed_at,
            created=created,
            event_times=event_times,
            columns={name: array for name, array in merged.items() if array is not None},
            number=number,
            changes=(*self.changes, (number, at))[-_CHANGES:],
        )

    def without(self, ids: pa.Array) -> AlertRows:
        """Return the rows without those of alerts that are not among `ids`."""
        stays = pc.is_in(self.ids, value_set=ids)
        kept = stays.to_numpy(zero_copy_only=False)
        if kept.all():
            return self
        number = self.number + 1
        return replace(
            self,
            ids=self.ids.filter(stays),
            changed=self.changed[kept],
            created=self.created[kept],
            event_times=self.event_times[kept],
            columns={name: with_dictionary(array.filter(stays)) for name, array in self.columns.items()},
            number=number,
            epoch=number,
            changes=(),
        )

    def changed_since(self, number: int, rows: int) -> Positions | None:
        """Return the places of rows that were changed or added since there were so many; None if not known."""
        if number < self.epoch or number < self.number - len(self.changes):
            return None
        places = [at for of, at in self.changes if of > number]
        return np.unique(np.concatenate([*places, np.arange(rows, len(self))])).astype(np.int64)
