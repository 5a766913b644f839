"""What a mapping table is, and how it becomes a plan for one kind of event.

A table has two parts: what each event id means (`Kind`), and one `Row` for each ECS field that a value of the
event data becomes. Tables are data: to correct a mapping, correct its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tocsin.ecs import default_schema
from tocsin.sources.windows.values import EMPTY, Converter, text


@dataclass(frozen=True)
class Kind:
    """What an event id means: ECS categorisation and action."""

    category: tuple[str, ...]
    type: tuple[str, ...]
    action: str | None = None


@dataclass(frozen=True)
class Row:
    """`source`, a name in the event data, becomes ECS field `target` by way of `convert`.

    `events` limits the row to some event ids. Of several rows with one target the last with a value wins; a
    target that holds many values (`related.*`) gathers them all.
    """

    source: str
    target: str
    convert: Converter = text
    events: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Dataset:
    """The mapping of one channel or provider, and where its events land."""

    name: str
    module: str
    index: str
    kinds: Mapping[int, Kind]
    rows: Sequence[Row]
    default: Kind = Kind((), ())


Plan = tuple[tuple[str, str, Converter, bool], ...]
Event = dict[str, Any]


@cache
def _plan(dataset: str, event_id: int, wanted: frozenset[str] | None) -> Plan:
    rows = DATASETS[dataset].rows
    return tuple(
        (row.source, row.target, row.convert, _gathers(row.target))
        for row in rows
        if (not row.events or event_id in row.events) and (wanted is None or row.target in wanted)
    )


def _gathers(target: str) -> bool:
    return target.startswith("related.")


def apply(dataset: Dataset, event_id: int, data: Mapping[str, str], wanted: frozenset[str] | None) -> Event:
    """Map event data (name -> text) to flat ECS fields; with `wanted`, only to those."""
    event: Event = {}
    for source, target, convert, gathers in _plan(dataset.name, event_id, wanted):
        raw = data.get(source)
        if raw is None or raw in EMPTY:
            continue
        value = convert(raw)
        if value is None:
            continue
        if gathers:
            gathered = event.setdefault(target, [])
            gathered.extend(v for v in (value if isinstance(value, list) else (value,)) if v not in gathered)
        else:
            event[target] = value
    return event


DATASETS: dict[str, Dataset] = {}


def register(dataset: Dataset) -> Dataset:
    """Make a dataset known by its name. Raises ValueError for a row whose target no schema knows."""
    unknown = [row.target for row in dataset.rows if default_schema().find(row.target) is None]
    if unknown:
        raise ValueError(f"{dataset.name} maps to unknown fields: {', '.join(unknown)}")
    DATASETS[dataset.name] = dataset
    return dataset


def rows(source: str, *targets: tuple[str, Converter] | str, events: Sequence[int] = ()) -> tuple[Row, ...]:
    """Return a row for each target of one source."""
    pairs = ((target, text) if isinstance(target, str) else target for target in targets)
    return tuple(Row(source, target, convert, frozenset(events)) for target, convert in pairs)
