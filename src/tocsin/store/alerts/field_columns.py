"""Columns of the fields that are in no row: made of documents when someone asks, and kept as far as they fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from tocsin.store.alerts.arrays import Order, Positions, changed
from tocsin.store.alerts.cache import SizedCache
from tocsin.store.alerts.documents import AlertDocument, AlertDocuments
from tocsin.store.alerts.members import ColumnBuilder, stacked
from tocsin.store.alerts.rows import AlertRows
from tocsin.store.columns.fields import MANY, IndexFields, column_name

_CACHED = 48 << 20  # bytes of columns
_AT_ONCE = 4096  # alerts whose documents become columns together
_MOST_NAMES = 32  # fields that are kept of one question: a search in every field would drive out all others
_MOST_CHANGED = 2048  # rows that a column which is kept is mended in; if more have changed it is made anew

Columns = Mapping[str, pa.Array]  # by their names in tables

# What alerts are often searched by, in Kibana and by rules on alerts, and of which many have the same values:
# their columns are made along with the rows of a start.
COMMON_FIELDS = (
    "agent.id",
    "event.action",
    "event.category",
    "event.code",
    "event.kind",
    "event.module",
    "file.name",
    "host.id",
    "host.os.type",
    "kibana.alert.rule.category",
    "kibana.alert.rule.tags",
    "kibana.alert.rule.threat.tactic.name",
    "kibana.alert.rule.threat.technique.id",
    "process.executable",
    "process.name",
    "process.parent.name",
    "source.ip",
    "user.domain",
    "user.id",
)


def columns_of(names: Collection[str], columns: Columns) -> dict[str, pa.Array]:
    """Return the columns of some fields."""
    own = [column for name in names for column in (column_name(name), column_name(name) + MANY)]
    return {column: columns[column] for column in own if column in columns}


@dataclass(frozen=True)
class _FieldColumns:
    """The columns of one field, none where no alert has it, as of a change of the rows."""

    columns: Columns
    rows: int
    number: int


class CachedColumns:
    """The columns of fields, as far as they are kept."""

    def __init__(self, documents: AlertDocuments, fields: IndexFields) -> None:
        self._documents, self._fields = documents, fields
        self._cache = SizedCache[_FieldColumns](
            _CACHED, lambda known: sum(array.nbytes for array in known.columns.values())
        )

    def find(self, rows: AlertRows, names: Collection[str]) -> dict[str, Columns]:
        """Return the columns of those of some fields that are kept, as of some rows."""
        current: dict[str, Columns] = {}
        old: dict[tuple[int, int], dict[str, _FieldColumns]] = {}
        for name in names:
            known = self._cache.get(name)
            if known is None:
                continue
            if known.number == rows.number:
                current[name] = known.columns
            elif known.number < rows.number:
                old.setdefault((known.number, known.rows), {})[name] = known
        for (number, count), known_columns in old.items():
            places = rows.changed_since(number, count)
            if places is not None and len(places) <= _MOST_CHANGED:
                current.update(self._mended(rows, known_columns, places, count))
        return current

    def _mended(
        self, rows: AlertRows, known: Mapping[str, _FieldColumns], places: Positions, count: int
    ) -> dict[str, Columns]:
        """Return columns with the values of rows that were changed or added since."""
        builder = ColumnBuilder(known, self._fields)
        ids, moments = rows.ids.take(pa.array(places)).to_pylist(), rows.changed[places].tolist()
        documents = self._documents.find(ids, moments)
        for id_ in ids:
            _add(builder, documents.get(id_))
        new = builder.columns()
        order = np.arange(len(rows))
        order[places] = count + np.arange(len(places))
        in_order, mended = Order(order), dict[str, Columns]()
        for name, before in known.items():
            columns = {}
            for column in (column_name(name), column_name(name) + MANY):
                array = changed(before.columns.get(column), new.get(column), (count, len(places)), in_order)
                if array is not None:
                    columns[column] = array
            mended[name] = columns
            self._cache.put(name, _FieldColumns(columns, len(rows), rows.number))
        return mended

    def read(
        self, rows: AlertRows, names: Collection[str], places: Positions
    ) -> Iterator[tuple[Positions, Columns]]:
        """Yield the columns of fields for some rows, a few thousand at a time, from documents.

        Those of all rows are kept.
        """
        keeps = len(places) == len(rows) and len(names) <= _MOST_NAMES
        made, size = list[tuple[int, Columns]](), 0
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            columns = self._built(rows, names, part)
            yield part, columns
            if keeps:
                made.append((len(part), columns))
                size += sum(array.nbytes for array in columns.values())
                keeps = size <= 2 * _CACHED  # what parts have in common is held once when they are together
        if keeps:
            self.keep(rows, names, stacked(made))

    def keep(self, rows: AlertRows, names: Collection[str], columns: Columns) -> None:
        """Keep the columns that fields have of all rows, as far as they fit."""
        for name in names:
            self._cache.put(name, _FieldColumns(columns_of([name], columns), len(rows), rows.number))

    def _built(self, rows: AlertRows, names: Collection[str], places: Positions) -> Columns:
        builder = ColumnBuilder(names, self._fields)
        ids: list[str] = rows.ids.take(pa.array(places)).to_pylist()
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            documents = {document.id: document for document in self._documents.read(chunk)}
            for id_ in chunk:
                _add(builder, documents.get(id_))
        return builder.columns()

    @property
    def size(self) -> int:
        """How many bytes the columns take that are kept."""
        return self._cache.size


_GONE = AlertDocument("", 0, 0, 0, "{}")


def _add(builder: ColumnBuilder, document: AlertDocument | None) -> None:
    """Add the row of a document, an empty one where the alert is gone."""
    document = document or _GONE
    builder.add(document, orjson.loads(document.text))
