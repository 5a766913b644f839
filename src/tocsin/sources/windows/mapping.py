"""What a mapping table is.

A table has two parts: what each event id means (`Kind`), and one `Row` for each ECS field that a value of the
event data becomes. Tables are data: to correct a mapping, correct its row. `record.py` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.ecs import default_schema
from tocsin.sources.windows.values import Converter, text


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
class Derived:
    """A field that needs several others: worked out by `read` from an event, for some event ids."""

    events: frozenset[int]
    read: Callable[[Callable[[str], Any]], Any]


@dataclass(frozen=True)
class Dataset:
    """The mapping of one channel or provider, and where its events land."""

    name: str
    module: str
    index: str
    kinds: Mapping[int, Kind]
    rows: Sequence[Row]
    default: Kind = Kind((), ())
    derived: Mapping[str, Derived] = field(default_factory=dict)

    def kind(self, event_id: int) -> Kind:
        """Return what an event id means here."""
        return self.kinds.get(event_id, self.default)


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
