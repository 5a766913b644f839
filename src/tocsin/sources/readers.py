"""How the fields of a record are read by its mapping table, each when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.ecs import CATEGORY, ECS_VERSION, INDEX
from tocsin.sources.mapping import Dataset, Derived, Key, Row


class Readable(Protocol):
    """A record whose values are read by name."""

    def text(self, name: str, /) -> str | None:
        """Return a value as text, None where there is none."""


Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class ConstantReader:
    """A reader that gives every record of a kind the same value."""

    value: Any

    def __call__(self, record: Any) -> Any:
        """Return the value."""
        return self.value


def constants_of(dataset: Dataset, key: Key) -> dict[str, Any]:
    """Return the fields that have the same value in every record of a kind."""
    kind = dataset.kind(key)
    constants = {
        INDEX: dataset.index,
        CATEGORY: list(kind.category),
        "data_stream.dataset": dataset.name,
        "ecs.version": ECS_VERSION,
        "event.action": list(kind.action) if isinstance(kind.action, tuple) else kind.action,
        "event.outcome": kind.outcome,
        "event.dataset": dataset.name,
        "event.kind": "event",
        "event.module": dataset.module,
        "event.type": list(kind.type),
    }
    return {name: value for name, value in constants.items() if value}


class Readers(dict[str, Reader | None]):
    """How each field of one kind of record is read; None for a field that it cannot have.

    Derived fields come first, then rows, then `head`, which reads what all records have and what is the same for
    the whole kind, and last `kept`, which finds a reader for a value that keeps its own name.
    """

    def __init__(
        self,
        dataset: Dataset,
        key: Key,
        head: Mapping[str, Reader],
        kept: Callable[[str], Reader | None],
    ) -> None:
        super().__init__()
        self.dataset, self.key = dataset, key
        self._head, self._kept = head, kept
        self.constants = {name: read.value for name, read in head.items() if isinstance(read, ConstantReader)}

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def constant(self, field: str) -> tuple[bool, Any]:
        """Return whether every record of this kind has the same value in a field, and which."""
        reader = self[field]
        if reader is None:
            return True, None
        return (True, reader.value) if isinstance(reader, ConstantReader) else (False, None)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of every event of this kind."""
        return self.dataset.kind(self.key).category

    @property
    def targets(self) -> list[str]:
        """The fields that a record of this kind may have, but for those that keep their names."""
        rows = (row.target for row in self.dataset.rows_of(self.key))
        derived = (derived.target for derived in self.dataset.derived_of(self.key))
        return list(dict.fromkeys((*rows, *derived, *self._head)))

    def __missing__(self, field: str) -> Reader | None:
        reader = self[field] = self._find(field)
        return reader

    def _find(self, field: str) -> Reader | None:
        rows = [row for row in self.dataset.rows_of(self.key) if row.target == field]
        derived_from = [derived for derived in self.dataset.derived_of(self.key) if derived.target == field]
        if field.startswith("related."):
            head = self._head.get(field)
            return _gathering(rows, derived_from, head) if rows or derived_from or head else None
        reader = self._head.get(field) or self._kept(field)
        if rows:
            reader = _first_of(rows[::-1], reader)
        for derived in derived_from:
            reader = _worked_out(derived, reader)
        return reader


def _first_of(rows: Sequence[Row], otherwise: Reader | None) -> Reader:
    pairs = [(row.source, row.convert) for row in rows]

    def read(record: Readable) -> Any:
        for source, convert in pairs:
            raw = record.text(source)
            if raw is not None and (value := convert(raw)) is not None:
                return value
        return otherwise(record) if otherwise else None

    return read


def _worked_out(derived: Derived, otherwise: Reader | None) -> Reader:
    def read(record: Readable) -> Any:
        value = derived.read(*(record.text(source) for source in derived.sources))
        return otherwise(record) if value is None and otherwise else value

    return read


def _gathering(rows: Sequence[Row], derived: Sequence[Derived], head: Reader | None) -> Reader:
    pairs = [(row.source, row.convert) for row in rows]
    beside = [*(_worked_out(field, None) for field in derived), *([head] if head else [])]

    def read(record: Readable) -> list[Any] | None:
        values = [convert(raw) for source, convert in pairs if (raw := record.text(source)) is not None]
        return gathered([*values, *(reader(record) for reader in beside)])

    return read


def gathered(values: Any) -> list[Any] | None:
    """Return values and lists of values as one list without repetitions; None if there are none."""
    distinct: dict[Any, None] = {}
    for value in values:
        if value is not None:
            distinct.update(dict.fromkeys(value if isinstance(value, list) else (value,)))
    return list(distinct) or None
