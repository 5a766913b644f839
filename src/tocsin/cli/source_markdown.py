"""A source's events as a table in Markdown: what each means, who acts, which process, and what says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.sources.mapping import Dataset, Key, Kind

_OTHER = -1  # stands for every kind of event that no table names
_NAMES = ("event", "category", "type", "action", "user", "process", "after")


def events_in_markdown(dataset: Dataset) -> str:
    """Return a row for each kind of event that the dataset's table names, and one for all others."""
    beside = (kind.source for kind in dataset.kinds.values() if kind.source)
    sources = list(dict.fromkeys((dataset.source, *beside)))
    keys = [*sorted(dataset.kinds), _OTHER]
    lines = [_line(_NAMES), _line("---" for _ in _NAMES), *(_line(_cells(dataset, key, sources)) for key in keys)]
    notes = (f"{number}. {source}" for number, source in enumerate(sources, 1))
    return "\n".join((*lines, "", *notes))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(dataset: Dataset, key: Key, sources: list[str]) -> Iterator[str]:
    kind = dataset.kind(key)
    yield "any other" if key == _OTHER else str(key)
    yield ", ".join(kind.category)
    yield ", ".join(kind.type)
    yield ", ".join(kind.actions) or "the task's name"
    yield _values_of(dataset, key, ("user.name",))
    yield _values_of(dataset, key, ("process.executable", "process.pid"))
    yield "" if key == _OTHER else _note(kind, sources)


def _note(kind: Kind, sources: list[str]) -> str:
    return str(sources.index(kind.source) + 1 if kind.source else 1)


def _values_of(dataset: Dataset, key: Key, fields: tuple[str, ...]) -> str:
    """Return the values that the first of the fields with any is taken from, the one that counts first."""
    for field in fields:
        names = dict.fromkeys(row.source for row in reversed(dataset.rows_of(key)) if row.target == field)
        if names:
            return ", ".join(f"`{name}`" for name in names)
    return ""
