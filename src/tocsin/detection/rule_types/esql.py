"""ES|QL rules: the events of a window go through the commands of the query.

A query without `stats` makes an alert of each event that is left; a query with `stats` makes an alert of each row,
which stands for many events. An event counts for only one alert of its group, also when windows overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, ORDER, TIME
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow, key_of_group
from tocsin.engine.column import CodedColumn
from tocsin.engine.table import EventTable
from tocsin.esql import table as t
from tocsin.esql.pipeline import Pipeline
from tocsin.esql.scope import SAME_METADATA
from tocsin.query_dsl.context import base_name, is_caseless

_ANCESTORS = 100  # events that an alert names


class EventNames(Protocol):
    """The indices and ids of a batch of events."""

    def indices(self) -> pa.DictionaryArray:
        """Return the index of each row."""

    def ids(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of the events in some rows."""


def selected(
    pipeline: Pipeline, table: EventTable, rows: npt.NDArray[np.intp], names: EventNames
) -> npt.NDArray[np.intp]:
    """Return those of some rows of events that pass the commands of the query that look at single events."""

    def load(name: str, events: t.Codes) -> t.Values:
        chosen = rows[events]
        if name == "_index":
            return t.from_list(names.indices().take(pa.array(chosen)).to_pylist()).distinct()
        if name == "_id":
            return t.from_list(names.ids(chosen.tolist()))
        if name in SAME_METADATA:
            return t.constant(SAME_METADATA[name], len(events))
        column = table.column(base_name(name))
        if column is None:
            return t.constant(None, len(events))
        if column.offsets is None:
            return _folded(name, t.Values(column.codes[chosen], column.objects))
        return _folded(name, _of_lists(column.take(chosen)))

    left = pipeline.select(t.source(len(rows), load))
    return rows[left]


def _of_lists(column: CodedColumn) -> t.Values:
    """Return a column whose rows may have several values, though few have."""
    codes, values = column.first_codes(), list(column.objects)
    assert column.offsets is not None
    numbers: dict[tuple[int, ...], int] = {}
    for row in np.flatnonzero(column.counts > 1).tolist():
        several = tuple(
            code for code in column.codes[column.offsets[row] : column.offsets[row + 1]].tolist() if code >= 0
        )
        if several not in numbers:
            numbers[several] = len(values)
            values.append(tuple(column.objects[code] for code in several))
        codes[row] = numbers[several]
    return t.Values(codes, values)


def esql_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return a finding for each row that the query returns."""
    pipeline = rule.pipeline
    assert pipeline is not None
    result = pipeline.run(t.source(rows.num_rows, _loader(rows)), window.now)
    places = list(map(Place, rows.column(INDEX).to_pylist(), rows.column(ID).to_pylist()))
    order, held = rows.column(ORDER).to_numpy(), rows.column(TIME).to_numpy()
    if not pipeline.aggregating:
        first: dict[int, int] = {}  # of the rows that `mv_expand` has made of one event
        for number, event in enumerate(result.events.tolist()):
            first.setdefault(event, number)
        return [
            Finding((places[event],), int(order[event]), int(held[event]), row=pipeline.row(result, number))
            for event, number in first.items()
        ]
    names = [key_of_group(_group(result, number)) for number in range(result.rows)]
    upto = window.counted_to(names)
    findings = []
    for number, name in enumerate(names):
        events = result.events_of(number)
        times = held[events]
        if not len(events) or times.min() <= upto.get(name, times.min() - 1):
            continue
        last = sorted(events.tolist(), key=lambda event: (held[event], places[event]))
        findings.append(
            Finding(
                tuple(places[event] for event in last[-_ANCESTORS:]),
                int(order[events].max()),
                int(times.max()),
                group=_group(result, number),
                about={"key": [int(times.min()), int(times.max())]},
                row=pipeline.row(result, number),
                fetched=False,
            )
        )
    return findings


def _group(result: t.Table, row: int) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in result.keys[row].items()}


def _loader(rows: pa.Table) -> t.Load:
    def load(name: str, events: t.Codes) -> t.Values:
        if name in SAME_METADATA:
            return t.constant(SAME_METADATA[name], len(events))
        own = {"_index": INDEX, "_id": ID}.get(name, base_name(name))
        column = rows.column(own).take(pa.array(events))
        if own in (INDEX, ID):
            return t.from_list(column.to_pylist())
        if pa.types.is_timestamp(column.type.value_type):
            column = column.cast(pa.list_(pa.int64()))
        values = (_several(cell or []) for cell in column.to_pylist())
        return _folded(name, t.from_list(values).distinct())

    return load


def _several(values: list[Any]) -> t.Value:
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def _folded(name: str, column: t.Values) -> t.Values:
    """Return a column in lower case if it is a caseless multi-field, otherwise as it is."""
    if not is_caseless(name):
        return column
    return t.Values(column.codes, [_lower(value) for value in column.values])


def _lower(value: t.Value) -> t.Value:
    return tuple(map(_lower, value)) if isinstance(value, tuple) else value.lower() if value is not None else None
