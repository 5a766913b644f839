"""What a mapping table is.

A table has two parts: what each kind of event means (`Kind`), and one `Row` for each ECS field that a value of a
record becomes. Tables are data: to correct a mapping, correct its row. `readers.py` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.ecs import default_schema
from tocsin.sources.values import Converter, text

# What a record says of its kind: an event id, or the name of its table or type.
Key = int | str


@dataclass(frozen=True)
class Kind:
    """What a kind of event means: ECS categorisation, action and outcome.

    `always` is a field that every event of the kind has: one without it came without its values. `source` says
    what this follows, where that is not what the whole dataset follows.
    """

    category: tuple[str, ...]
    type: tuple[str, ...]
    action: str | tuple[str, ...] | None = None
    outcome: str | None = None
    source: str = ""
    always: str = ""

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions, of which few kinds have more than one."""
        return (self.action,) if isinstance(self.action, str) else self.action or ()


@dataclass(frozen=True)
class Row:
    """`source`, the name of a value in a record, becomes ECS field `target` by way of `convert`.

    `events` limits the row to some kinds of event, `but_for` keeps it from some. Of several rows with one target
    the last with a value wins; a target that holds many values (`related.*`) gathers them all.
    """

    source: str
    target: str
    convert: Converter = text
    events: frozenset[Key] = frozenset()
    but_for: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Derived:
    """ECS field `target`, worked out by `read` from several values of a record, each a text or None.

    It comes before rows with the same target, which are asked where it gives None.
    """

    target: str
    sources: tuple[str, ...]
    read: Callable[..., Any]
    events: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Dataset:
    """The mapping of one channel, provider or product, and the index of its events.

    Values of a record that are kept under their own names lie below `kept`; `source` says what the tables follow.
    `provider` is the one whose events these are, where there is one.
    """

    name: str
    module: str
    index: str
    kinds: Mapping[Any, Kind]
    rows: Sequence[Row]
    default: Kind = Kind((), ())
    derived: Sequence[Derived] = ()
    kept: str = "winlog.event_data"
    source: str = ""
    provider: str = ""

    @property
    def sources(self) -> frozenset[str]:
        """The names of the values that the table reads."""
        derived = (name for derived_field in self.derived for name in derived_field.sources)
        return frozenset((*(row.source for row in self.rows), *derived))

    def kind(self, key: Key) -> Kind:
        """Return what a kind of event means here."""
        return self.kinds.get(key, self.default)

    def rows_of(self, key: Key) -> list[Row]:
        """Return the rows that hold for a kind of event."""
        return [row for row in self.rows if (not row.events or key in row.events) and key not in row.but_for]

    def derived_of(self, key: Key) -> list[Derived]:
        """Return what is worked out for a kind of event."""
        return [derived for derived in self.derived if not derived.events or key in derived.events]


DATASETS: dict[str, Dataset] = {}
# The field that every event of a kind has, by the dataset's name or its provider, and the event's code.
ALWAYS: dict[tuple[str, str], str] = {}


def register(dataset: Dataset) -> Dataset:
    """Make a dataset known by its name. Raises ValueError for a row whose target no schema knows."""
    always = {str(key): kind.always for key, kind in dataset.kinds.items() if kind.always}
    targets = [*(row.target for row in dataset.rows), *(derived.target for derived in dataset.derived)]
    targets += always.values()
    unknown = [target for target in targets if default_schema().find(target) is None]
    if unknown:
        raise ValueError(f"{dataset.name} maps to unknown fields: {', '.join(unknown)}")
    DATASETS[dataset.name] = dataset
    for name in filter(None, (dataset.name, dataset.provider)):
        ALWAYS.update({(name, code): field for code, field in always.items()})
    return dataset


def rows(
    source: str,
    *targets: tuple[str, Converter] | str,
    events: Sequence[Key] = (),
    but_for: Sequence[Key] = (),
) -> tuple[Row, ...]:
    """Return a row for each target of one source."""
    pairs = ((target, text) if isinstance(target, str) else target for target in targets)
    limits = frozenset(events), frozenset(but_for)
    return tuple(Row(source, target, convert, *limits) for target, convert in pairs)
