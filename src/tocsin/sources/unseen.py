"""Events that are read and that rules cannot see: counted by reason and file, so that none is lost in silence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.counted import counted
from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP, default_schema
from tocsin.moments import read_moment, time_of
from tocsin.sources.date_order import DateOrder
from tocsin.sources.event_time import Named, unreadable_time
from tocsin.sources.mapping import ALWAYS


class Reason(StrEnum):
    """Why an event is not seen, as a summary says it after a count and "events have"."""

    NO_TIME = "no time that can be read"
    ARRIVED = "no time but that of their arrival"
    NO_FIELD = "no field that any rule reads"
    NO_INDEX = "an index that no rule names"
    NO_ACTION = "no column that says what happened"
    NO_VALUES = "none of the values of their kind"
    UNKNOWN = "no field that a rule could read"
    RESERVED = "members with names of metadata, such as `_type`, which were left out"


# What to do about it.
ADVICE = {
    Reason.NO_TIME: "windows, sequences and `--from` miss them; docs/sources.md has the spellings that are read",
    Reason.ARRIVED: "the store took it for when they happened",
    Reason.NO_FIELD: "of an unknown source? name it with `--source`; `tocsin sources list` has the names",
    Reason.NO_INDEX: "`--all-indices` runs every rule on them",
    Reason.NO_ACTION: "export `ActionType` too",
    Reason.NO_VALUES: "their writer left out the names of event data, or the data; export the log itself",
    Reason.UNKNOWN: "of an unknown source? name it with `--source`; `tocsin sources list` has the names",
    Reason.RESERVED: "`event.original` has them",
}


@dataclass
class Unseen:
    """Events by reason and file, and in which order each file's dates by number were read."""

    counts: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    orders: dict[str, DateOrder] = field(default_factory=dict)
    unread_times: dict[str, Named] = field(default_factory=dict)  # by file, the first that cannot be read

    def add(self, reason: Reason, file: str, count: int = 1) -> None:
        """Count events."""
        if count:
            self.counts[reason, file] += count

    def judge(self, event: Mapping[str, Any], file: str, *, stored: bool = False) -> None:
        """Count a whole event that no rule could ever see, or that is `stored` by the time of its arrival."""
        for reason in of_whole_event(event):
            arrives = stored and reason is Reason.NO_TIME and event.get(TIMESTAMP) is None
            self.add(Reason.ARRIVED if arrives else reason, file)
            if reason is Reason.NO_TIME:
                self.name_time(event, file)

    def name_time(self, event: Mapping[str, Any], file: str) -> None:
        """Keep the field of a flat event that should hold its time and cannot be read, the first of a file."""
        if file not in self.unread_times and (named := unreadable_time(event)) is not None:
            self.unread_times[file] = named

    def total(self, reason: Reason) -> int:
        """Return how many events one reason was counted for."""
        return sum(count for (why, _), count in self.counts.items() if why is reason)

    def by_reason(self) -> dict[Reason, Counter[str]]:
        """Return the files and their events by reason, in the order of the reasons."""
        files_by_reason: dict[Reason, Counter[str]] = {}
        for reason in Reason:
            files = Counter({file: count for (why, file), count in self.counts.items() if why is reason})
            if files:
                files_by_reason[reason] = files
        return files_by_reason

    def document(self) -> dict[str, dict[str, int]]:
        """Return the figures for machines: by reason and file."""
        return {reason.value: dict(files.most_common()) for reason, files in self.by_reason().items()}

    def dates(self) -> dict[str, str]:
        """Return, by file, how its dates by number were read."""
        return {file: summary for file, order in self.orders.items() if (summary := order.summary())}

    def lines(self) -> list[str]:
        """Return a sentence for each reason, and one for each file with dates by number."""
        sentences = []
        for reason, files in self.by_reason().items():
            named = ", ".join(
                f"{file} {number:,}{self._unread(reason, file)}" for file, number in files.most_common(_NAMED)
            )
            more = f" and {counted(len(files) - _NAMED, 'more file')}" if len(files) > _NAMED else ""
            sentences.append(self.sentence(reason, f" ({named}{more})"))
        return sentences + [f"{file}: {summary}" for file, summary in self.dates().items()]

    def sentence(self, reason: Reason, files: str = "") -> str:
        """Return how many events have a reason, the files that are given, and what to do."""
        return f"{counted(self.total(reason), 'event has', 'events have')} {reason}{files}: {ADVICE[reason]}"

    def described(self, reason: Reason, file: str) -> str:
        """Return a file, with what could not be read in it where the reason is a time."""
        return f"{file}{self._unread(reason, file)}"

    def _unread(self, reason: Reason, file: str) -> str:
        named = self.unread_times.get(file) if reason in (Reason.NO_TIME, Reason.ARRIVED) else None
        return "" if named is None else f", where `{named.name}` is {repr(named.value)[:_SHOWN]}"


_NAMED, _SHOWN = 3, 60  # files in a sentence, characters of a value

# Fields that say where an event comes from, and not what happened.
_BESIDE = re.compile(r"(?:host|data_stream|agent|ecs|tags|labels|message|log)(?:\..*)?")
_OF_SOURCE = frozenset(
    (INDEX, TIMESTAMP, "_id", "event.dataset", "event.module", "event.ingested", "event.created")
)


def describes_event(name: str) -> bool:
    """Return whether a field says what happened in an event."""
    return name not in _OF_SOURCE and _BESIDE.fullmatch(name) is None


@cache
def known_objects() -> frozenset[str]:
    """Return the outermost names of the fields that say what happened."""
    return frozenset(name.partition(".")[0] for name in default_schema().fields if describes_event(name))


@dataclass(frozen=True)
class Judge:
    """Says which events no rule can see.

    `fields` are those that rules read, `indices` the index patterns of each, () for one of every index.
    """

    fields: frozenset[str]
    indices: frozenset[tuple[str, ...]] = frozenset(((),))

    @cached_property
    def seen_by(self) -> frozenset[str]:
        """The fields of which an event has at least one if a rule can see it; none where rules see every event.

        Names with `*` stand for all fields, and say of no field that it is known.
        """
        named = frozenset(name for name in self.fields if describes_event(name) and "*" not in name)
        return named | {CATEGORY} if named else named

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
        compiled = []
        for patterns in self.indices:
            wanted = [pattern for pattern in patterns if not pattern.startswith("-")]
            unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("-")]
            compiled.append((_any_of(wanted or ["*"]), _any_of(unwanted)))
        return compiled

    @cached_property
    def _known(self) -> dict[str, bool]:
        return {}

    def reads_index(self, index: Any) -> bool:
        """Return whether any rule names an index, or one of several; where it is unknown, every rule reads it."""
        if index is None or () in self.indices:
            return True
        names = index if isinstance(index, list) else [index]
        return any(self._reads(str(name)) for name in names)

    def _reads(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = any(yes.fullmatch(name) and not no.fullmatch(name) for yes, no in self._patterns)
        return self._known[name]

    def of_document(self, event: Mapping[str, Any]) -> Iterator[Reason]:
        """Yield why no rule sees an event in ECS."""
        if not is_timed(event.get(TIMESTAMP)):
            yield Reason.NO_TIME
        if self.seen_by and self.seen_by.isdisjoint(event):
            yield Reason.NO_FIELD
        elif not self.reads_index(event.get(INDEX)):
            yield Reason.NO_INDEX
        if lacks_values(event.get):
            yield Reason.NO_VALUES


def lacks_values(get: Callable[[str], Any]) -> bool:
    """Return whether an event lacks the field that every event of its kind has; `get` gives a field's value."""
    code = get(_CODE)
    if code is None:
        return False
    for name in _TOLD_BY:
        field = ALWAYS.get((str(get(name)), str(code)))
        if field is not None:
            return get(field) is None
    return False


def fields_of_kinds(documents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the fields that show which of such flat documents lack their values; none for other kinds."""
    for event in documents:
        if any((str(event.get(name)), str(event.get(_CODE))) in ALWAYS for name in _TOLD_BY):
            return of_kinds()
    return frozenset()


def of_kinds() -> frozenset[str]:
    """Return the fields that show which events lack the values of their kind."""
    return frozenset((_CODE, *_TOLD_BY, *ALWAYS.values()))


def rows_without_values(columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: int) -> int:
    """Count the events in columns that lack the field that every event of their kind has."""
    code = _encoded(columns.get(_CODE))
    judged = np.zeros(rows, bool)
    count = 0
    for name in _TOLD_BY:
        names = _encoded(columns.get(name))
        if code is None or names is None:
            continue
        for which, value in enumerate(names[1]):
            for number, key in enumerate(code[1]):
                field = ALWAYS.get((str(value), str(key)))
                if field is None:
                    continue
                here = (names[0] == which) & (code[0] == number) & ~judged
                judged |= here
                column = columns.get(field)
                count += int(
                    (here if column is None else here & column.is_null().to_numpy(zero_copy_only=False)).sum()
                )
    return count


def _encoded(column: pa.Array | pa.ChunkedArray | None) -> tuple[npt.NDArray[np.int64], list[Any]] | None:
    """Return the codes of a column's values, -1 for null, and the values."""
    if column is None or pa.types.is_list(column.type):
        return None
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


# The fields that identify the kind of a Windows event.
_CODE, _TOLD_BY = "event.code", ("event.dataset", "event.provider")


def of_whole_event(event: Mapping[str, Any]) -> Iterator[Reason]:
    """Yield why no rule could ever see an event."""
    if not is_timed(event.get(TIMESTAMP)):
        yield Reason.NO_TIME
    if not any(describes_event(name) and default_schema().find(name) is not None for name in event):
        yield Reason.UNKNOWN
    elif lacks_values(event.get):
        yield Reason.NO_VALUES


# What most times look like: on a day that every month has, so that nothing more needs to be looked at.
_PLAINLY_TIMED = re.compile(
    r"(?:19|20|21)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z",
    re.ASCII,
)


def is_timed(value: Any) -> bool:
    """Return whether an event's time can be read."""
    if isinstance(value, str) and _PLAINLY_TIMED.fullmatch(value):
        return True
    try:
        read_moment(time_of(value))
    except ValueError:
        return False
    return True


def of_columns(
    judge: Judge, columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: int, *, in_ecs: bool
) -> Counter[Reason]:
    """Count why no rule sees some of the events that columns hold; `in_ecs` says that they came as documents."""
    counts: Counter[Reason] = Counter()
    counts[Reason.NO_TIME] = _untimed(columns.get(TIMESTAMP), rows)
    if in_ecs and judge.seen_by:
        counts[Reason.NO_FIELD] = _without_any((columns[n] for n in judge.seen_by if n in columns), rows)
    index = columns.get(INDEX)
    if index is not None and counts[Reason.NO_FIELD] < rows:
        names = pc.value_counts(index)
        counts[Reason.NO_INDEX] = sum(
            entry["counts"].as_py() for entry in names if not judge.reads_index(entry["values"].as_py())
        )
    return counts


def _untimed(times: pa.Array | pa.ChunkedArray | None, rows: int) -> int:
    if times is None:
        return rows
    if pa.types.is_timestamp(times.type):
        return int(times.null_count)
    return sum(not is_timed(value) for value in times.to_pylist())


def first_untimed(times: pa.Array | pa.ChunkedArray | None) -> int:
    """Return the first row without a time; there has to be one."""
    return 0 if times is None else next(row for row, value in enumerate(times.to_pylist()) if not _is_timed(value))


def _is_timed(value: Any) -> bool:
    return isinstance(value, datetime) or is_timed(value)


def _without_any(columns: Iterable[pa.ChunkedArray], rows: int) -> int:
    """Return how many rows are null in all of some columns."""
    null: Any = None
    for column in sorted(columns, key=lambda column: column.null_count):
        if not column.null_count:
            return 0
        missing = column.is_null()
        null = missing if null is None else pc.and_(null, missing)
        if not pc.any(null).as_py():
            return 0
    return rows if null is None else int(pc.sum(null).as_py() or 0)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    parts = (".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)
    return re.compile("|".join(parts) or r"(?!)", re.DOTALL)
