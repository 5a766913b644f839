"""What every source yields: a batch of events as columns, and each event whole on request."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tocsin.ecs import INDEX
from tocsin.engine.table import EventRow, EventTable, table_from_events
from tocsin.nesting import MOST_LEVELS
from tocsin.printable import escaped_json
from tocsin.sources.unseen import Judge, Unseen

_PASSED = 10_000  # files that were passed over whose names are held
_LONGEST_LINE = 64 << 20  # bytes

Event = dict[str, Any]  # flat: dotted field name -> value or list of values


@dataclass(frozen=True)
class RawEvent:
    """An event as its source holds it: the raw content, the input it came from, and how it becomes an event."""

    content: bytes
    origin: str
    decode: Callable[[bytes], Event]

    def event(self) -> Event:
        """Return the event with every field."""
        return self.decode(self.content)


@dataclass(frozen=True)
class EventBatch:
    """Some events of one input. `table` holds the wanted fields; `raw` gives row i whole.

    `counts` says how many events of each dataset the batch stands for; events that no loaded rule can match
    may be counted without being in the table. A `borrowed` batch reads its file, and is good until the next one.
    """

    table: EventTable
    raw: Callable[[int], RawEvent]
    counts: Mapping[str, int]
    borrowed: bool = False

    @property
    def events(self) -> int:
        """How many events were read for this batch."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class RowBatch:
    """Events that were read one by one: their wanted fields, and whole on request, as in EventBatch.

    Rules run at the same cost over one row and over thousands, so `gather` joins small ones.
    """

    rows: Sequence[EventRow]
    raw: Callable[[int], RawEvent]
    counts: Mapping[str, int]


def gather(batches: Iterable[EventBatch | RowBatch], fields: Iterable[str], size: int) -> Iterator[EventBatch]:
    """Join row batches until they hold at least `size` rows; pass event batches through, in order."""
    waiting: list[RowBatch] = []
    names = tuple(fields)
    for batch in batches:
        if isinstance(batch, EventBatch):
            if waiting:
                yield _join(waiting, names)
                waiting = []
            yield batch
            continue
        waiting.append(batch)
        if sum(len(w.rows) for w in waiting) >= size:
            yield _join(waiting, names)
            waiting = []
    if waiting:
        yield _join(waiting, names)


def _join(batches: Sequence[RowBatch], fields: Sequence[str]) -> EventBatch:
    starts = [0]
    counts: Counter[str] = Counter()
    for batch in batches:
        starts.append(starts[-1] + len(batch.rows))
        counts.update(batch.counts)

    def raw(row: int) -> RawEvent:
        number = bisect_right(starts, row) - 1
        return batches[number].raw(row - starts[number])

    rows = [row for batch in batches for row in batch.rows]
    return EventBatch(table_from_events(rows, fields, events=whole_events(raw)), raw, counts)


def whole_events(raw: Callable[[int], RawEvent]) -> Callable[[int], Event]:
    """Return a function that gives the whole event in a row."""
    return lambda row: raw(row).event()


@dataclass(frozen=True)
class Wanted:
    """What the loaded rules need: fields, and event categories (None: every category).

    `judge` says which events no rule can see, None where no rules are.
    """

    fields: frozenset[str]
    categories: frozenset[str] | None = None
    judge: Judge | None = None

    def any_of(self, categories: Iterable[str]) -> bool:
        """Return whether a loaded rule may read events of these categories."""
        return self.categories is None or not self.categories.isdisjoint(categories)


@dataclass(frozen=True)
class Reject:
    """Something that could not be read: where, why, and the thing itself as far as it is known."""

    file: str
    position: str
    reason: str
    detail: str = ""
    content: str = ""


@dataclass
class Rejects:
    """Counts what could not be read, by reason, and keeps it in a file that is created on the first one.

    A file of that name is replaced where it holds rejects, and left alone where it holds anything else.
    Files of a folder or an archive that are no telemetry are counted separately, and written to the same file.
    `unseen` counts what was read and cannot be seen by rules.
    """

    path: Path | None = None
    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, Reject] = field(default_factory=dict)
    recovered: Counter[str] = field(default_factory=Counter)  # records of damaged chunks that were read, by file
    passed_over: int = 0  # files that are no telemetry
    passed: list[Reject] = field(default_factory=list)  # the first of them
    unkept: str = ""  # why the file could not be written
    unseen: Unseen = field(default_factory=Unseen)
    _file: TextIO | None = None

    def add(self, reject: Reject) -> None:
        """Count and keep one."""
        self.counts[reject.reason] += 1
        self.first.setdefault(reject.reason, reject)
        self._keep(reject)

    def recover(self, file: str, records: int) -> None:
        """Count records of a damaged file that could be read all the same."""
        if records:
            self.recovered[file] += records

    def pass_over(self, file: str, why: str) -> None:
        """Count a file that nobody named and that is no telemetry."""
        reject = Reject(file, "", "no telemetry", why)
        self.passed_over += 1
        if len(self.passed) < _PASSED:
            self.passed.append(reject)
        self._keep(reject)

    def _keep(self, reject: Reject) -> None:
        if self.path is None or self.unkept:
            return
        try:
            if self._file is None:
                if not may_keep_rejects(self.path):
                    self.unkept = f"{self.path} is there and holds something else"
                    return
                self._file = self.path.open("w", encoding="utf-8")
            self._file.write(escaped_json(json.dumps(vars_of(reject), ensure_ascii=False)) + "\n")
        except OSError as error:
            self.unkept = f"{self.path} cannot be written: {error.strerror}"

    @property
    def total(self) -> int:
        """How many were rejected."""
        return self.counts.total()

    @property
    def anything(self) -> bool:
        """Whether there was anything that gave no event: rejected, or passed over."""
        return bool(self.total or self.passed_over)

    def close(self) -> None:
        """Finish the file. One that an earlier run left stays when there was nothing to keep."""
        if self._file is not None:
            self._file.close()
            self._file = None


def may_keep_rejects(path: Path) -> bool:
    """Return whether rejects may be written to a file: it is missing, empty, a device, or holds rejects."""
    if not path.is_file():
        return True
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_LINE)
            line = json.loads(first) if first else None
    except (OSError, ValueError):
        return False
    if not first:
        return True
    return isinstance(line, dict) and line.keys() == vars_of(Reject("", "", "")).keys()


def vars_of(reject: Reject) -> dict[str, str]:
    """Return a reject as the object that its line in the reject file holds."""
    return {
        "file": reject.file,
        "position": reject.position,
        "reason": reject.reason,
        "detail": reject.detail,
        "content": reject.content,
    }


def flatten(document: Mapping[str, Any], prefix: str = "", into: Event | None = None) -> Event:
    """Return nested objects as dotted names; values of objects in a list are gathered under one name."""
    flat: Event = {} if into is None else into
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flatten(value, name + ".", flat)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for item in value:
                for inner, content in (flatten(item) if isinstance(item, dict) else {"": item}).items():
                    _gather(flat, f"{name}.{inner}" if inner else name, content)
        elif value is not None:
            if name in flat:
                _gather(flat, name, value)
            else:
                flat[name] = value
    return flat


def as_document(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flat event as nested objects, without the index that it lies in."""
    return unflatten({name: value for name, value in event.items() if name != INDEX})


def _gather(flat: Event, name: str, value: Any) -> None:
    known = flat.get(name)
    gathered = known if isinstance(known, list) else [] if known is None else [known]
    gathered.extend(value if isinstance(value, list) else [value])
    flat[name] = gathered


def unflatten(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a flat event as nested objects.

    A name that is both value and object, or has very many parts, keeps its dotted form.
    """
    nested: dict[str, Any] = {}
    for name, value in event.items():
        parts = name.split(".") if not name.startswith(("@", "_")) else [name]
        if len(parts) > MOST_LEVELS:
            parts = [name]
        target = nested
        for part in parts[:-1]:
            below = target.setdefault(part, {})
            if not isinstance(below, dict):
                target = nested
                parts = [name]
                break
            target = below
        if isinstance(target.get(parts[-1]), dict):
            nested[name] = value
        else:
            target[parts[-1]] = value
    return nested
