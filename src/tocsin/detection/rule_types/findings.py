"""Findings: the interface of all rule types, and what they share.

A rule type is a function: a compiled rule, the rows of events that fit it in a window, and the window with what
the rule may ask for (`RuleWindow`) -> findings, each of which becomes an alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import Window
from tocsin.ecs import INDEX as EVENT_INDEX
from tocsin.ecs import Schema


class Place(NamedTuple):
    """Where an event lies: its index and id."""

    index: str  # type: ignore[assignment]  # a tuple has a method of this name
    id: str


@dataclass(frozen=True)
class Finding:
    """One match of a rule: its events by step (None for a missing one), and the time of the last one.

    `held` is that time too, but the one that windows go by, which may be that of arrival.

    `keys` are the join keys of a sequence. `group` holds the values that a group of events shares, by field.
    `about` holds more fields of the alert; its `key` distinguishes findings of the same events or group. `row`
    holds columns that a query has computed. If not `fetched`, the alert does not hold an event.
    """

    places: tuple[Place | None, ...]
    time: int
    held: int
    keys: tuple[Any, ...] = ()
    group: Mapping[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    row: Mapping[str, Any] = field(default_factory=dict)
    fetched: bool = True


def event_place(event: Event) -> Place:
    """Return the place of an event that lies in no store: its index, and a hash of its content."""
    content = {name: value for name, value in event.items() if name != EVENT_INDEX}
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)
    return Place(str(event.get(EVENT_INDEX, "")), hashlib.sha256(text).hexdigest()[:40])


def key_of_group(group: Mapping[str, Any]) -> str:
    """Return the name of a group: a hash of its values by field."""
    return hashlib.sha256(orjson.dumps(dict(group), option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


Event = Mapping[str, Any]  # flat: dotted field name -> value or list of values
CountedTo = Callable[[Iterable[str]], Mapping[str, int]]
RowsBetween = Callable[[int, int], pa.Table | None]
Fetch = Callable[[Iterable[Place]], Mapping[Place, Event]]


@dataclass(frozen=True)
class IndicatorReader:
    """Reads indicators: their schema, the rows of those that fit a query, and their documents."""

    schema: Schema
    rows: Callable[[CompiledRule], Iterable[pa.Table]]
    documents: Fetch


@dataclass(frozen=True)
class RuleWindow:
    """One window of a rule, and what the rule may ask for besides its rows.

    `now` is the moment that dates in its query are relative to, nanoseconds since 1970. `counted_to` returns up to
    which time alerts have counted groups of its events, `history` returns rows from one moment to another,
    `indicators` returns the reader of indicators.
    """

    now: int
    window: Window
    counted_to: CountedTo
    history: RowsBetween
    indicators: Callable[[], IndicatorReader]


Findings = Callable[[CompiledRule, pa.Table, RuleWindow], list[Finding]]


def many(value: Any) -> list[Any]:
    """Return a field's value from `values_of` as a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of lists with moments in microseconds: Python has no nanoseconds."""
    kind = column.type
    if not pa.types.is_list(kind) or not pa.types.is_timestamp(kind.value_type):
        return column
    return column.cast(pa.list_(pa.timestamp("us", "UTC")), safe=False)


def values_of(rows: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return fields of rows as plain values: a single value, or a list of several."""
    values = [_plain(rows.column(name)).to_pylist() for name in names]
    return [
        {n: value[0] if len(value) == 1 else value for n, value in zip(names, row, strict=True) if value}
        for row in (zip(*values, strict=True) if values else ((),) * rows.num_rows)
    ]
