"""An aggregation as it was read, and the interface of its kinds; modules of kinds add theirs to `KINDS`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ecs import Schema
from tocsin.engine.column import CodedColumn, Rows, ranges
from tocsin.engine.evaluate import Evaluator, Plan, plan
from tocsin.engine.graph import Target, compile_conditions
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s
from tocsin.query_dsl.context import Context, base_name
from tocsin.query_dsl.parse import read_query
from tocsin.search.documents import read_sort
from tocsin.search.errors import SearchError
from tocsin.store.events import StoredBatch

_Made = Callable[["Aggregation", Schema], "Collected"]
MOST_VALUES = 2_000_000  # distinct values that are held; they are counted exactly
KINDS: dict[str, _Made] = {}  # filled by the modules of the kinds


class Collected(Protocol):
    """The state of an aggregation over the rows that it has taken so far."""

    @abstractmethod
    def take(self, batch: StoredBatch, table: EventTable, rows: Rows) -> None:
        """Take rows of a batch into account."""

    @abstractmethod
    def answer(self, *, parsed: bool) -> dict[str, Any]:
        """Return the result as Elasticsearch answers it."""


@dataclass
class MatchingQueries:
    """Which rows of a table meet queries: found once, however many buckets ask for some of the rows."""

    evaluator: Evaluator
    names: Sequence[str]
    _table: EventTable | None = None
    _masks: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def among(self, table: EventTable, rows: Rows) -> Iterator[tuple[str, Rows]]:
        """Yield the name of each query with those of `rows` that meet it, in their order."""
        if self._table is not table:
            matches = self.evaluator.matches(table)
            self._table, self._masks = table, {name: _mask(matches, name, table) for name in self.names}
        for name, mask in self._masks.items():
            yield name, rows[mask[rows]]


def _mask(matches: Mapping[Target, Rows], name: str, table: EventTable) -> npt.NDArray[np.bool_]:
    mask = np.zeros(table.rows, np.bool_)
    mask[matches.get((name, 0), _NO_ROWS)] = True
    return mask


_NO_ROWS = np.empty(0, np.intp)


@dataclass(frozen=True)
class Aggregation:
    """An aggregation that was read: its kind, what it asks for, and those within its buckets."""

    kind: str
    about: Mapping[str, Any]
    context: Context
    below: Mapping[str, Aggregation] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The field that it is about."""
        return base_name(str(self.about.get("field", "")))

    def fields(self) -> frozenset[str]:
        """Return every field that it reads."""
        own = {self.name} - {""}
        if self.kind == "top_hits":
            own |= {key.field for key in read_sort(self.about.get("sort"), self.context.schema)[0]}
        for condition in self.conditions.values():
            own |= set(s.field_names(condition))
        return frozenset(own).union(*(aggregation.fields() for aggregation in self.below.values()))

    @cached_property
    def conditions(self) -> dict[str, s.Expression]:
        """Return the queries of a filter aggregation by their names."""
        if self.kind == "filter":
            return {"": read_query(dict(self.about), self.context)}
        if self.kind == "filters":
            given = self.about.get("filters")
            if not isinstance(given, dict):
                raise SearchError("[filters] takes queries by name")
            return {str(name): read_query(query, self.context) for name, query in given.items()}
        return {}

    @cached_property
    def plan(self) -> Plan:
        """The plan that evaluates the queries of a filter aggregation, made once for all its buckets."""
        return plan(compile_conditions(((name, 0), condition) for name, condition in self.conditions.items()))

    @cached_property
    def matching(self) -> MatchingQueries:
        """What its queries find in the table at hand, for all its buckets."""
        return MatchingQueries(Evaluator(self.plan), list(self.conditions))

    def collect(self, schema: Schema) -> Collected:
        """Return the aggregation with nothing collected yet."""
        return KINDS[self.kind](self, schema)


def codes_of(column: CodedColumn, rows: Rows) -> tuple[Rows, Rows]:
    """Return places among `rows` and codes of their values: as many of each as there are values, without nulls."""
    if column.offsets is None:
        codes = column.codes[rows]
        places = np.arange(len(rows))
    else:
        starts = column.offsets[rows]
        lengths = column.offsets[rows + 1] - starts
        codes = column.codes[ranges(starts, lengths)]
        places = np.repeat(np.arange(len(rows)), lengths)
    present = codes >= 0
    return places[present].astype(np.intp), codes[present].astype(np.intp)


def numbers_of(column: CodedColumn | None, rows: Rows) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the values of rows as numbers."""
    if column is None or pa.types.is_string(column.values.type):
        return np.empty(0)
    _, codes = codes_of(column, rows)
    values = column.values
    if not pa.types.is_boolean(values.type):
        values = values.cast(
            pa.float64(), safe=False
        )  # moments in nanoseconds are rounded to some hundreds of them
    numbers: np.ndarray[Any, np.dtype[np.float64]] = values.to_numpy(zero_copy_only=False)[codes].astype(
        np.float64
    )
    return numbers
