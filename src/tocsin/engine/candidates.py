"""Candidates of a sequence or sample: rows that fit a step, with their places and join keys, as columns.

Rows and keys are numbers throughout. `Candidates` gathers table by table and matches when all are there, as a
hunt over files in any order needs it, keys that cannot complete being counted out first; `SequenceStream` matches
each table as it comes, and its state can be saved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.addresses import number_of
from tocsin.ecs import TIMESTAMP, FieldType
from tocsin.engine.column import CodedColumn, Codes
from tocsin.engine.evaluate import spread
from tocsin.engine.join_keys import Key, Keyed, KeyNumbers, compact, with_key
from tocsin.engine.sequence import (
    CEILING,
    EVENT,
    NO_TIEBREAKER,
    Fits,
    SequenceMatch,
    SequenceMatcher,
    in_order,
    no_fits,
)
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s

TIEBREAKER = "event.sequence"
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Result:
    """A result of a sequence or sample query: join keys, and events by number of arrival, None if missing."""

    keys: Key
    events: tuple[int | None, ...]


class Ordering(NamedTuple):
    """The fields that give an event its place."""

    timestamp: str = TIMESTAMP
    tiebreaker: str = TIEBREAKER


class Places:
    """Where the events of one table stand. Many rules ask, so that what is asked often is read once and whole."""

    def __init__(self, table: EventTable, arrival: int) -> None:
        self._table, self.arrival = table, arrival
        self._read: dict[Ordering, tuple[Codes, npt.NDArray[np.bool_]]] = {}
        self._asked: Counter[Ordering] = Counter()
        self._parts: dict[bytes, EventTable] = {}

    def of(self, rows: Rows, ordering: Ordering) -> tuple[Codes, npt.NDArray[np.bool_]]:
        """Return the place (rows, 3) of some rows, and which of them have one: those with a time."""
        self._asked[ordering] += len(rows)
        if self._asked[ordering] * 2 < self._table.rows:
            return self._places(self.part(rows), ordering, rows)
        if ordering not in self._read:
            self._read[ordering] = self._places(self._table, ordering, np.arange(self._table.rows))
        places, timed = self._read[ordering]
        return places[rows], timed[rows]

    def part(self, rows: Rows) -> EventTable:
        """Return a table of some rows; steps that the same rows fit share its columns."""
        key = rows.tobytes()
        if key not in self._parts:
            self._parts[key] = self._table.take(rows)
        return self._parts[key]

    def _places(self, table: EventTable, ordering: Ordering, rows: Rows) -> tuple[Codes, npt.NDArray[np.bool_]]:
        every = np.arange(table.rows, dtype=np.int64)
        times, timed = whole_numbers(table.column(ordering.timestamp, distinct=False), every)
        ties, tied = whole_numbers(table.column(ordering.tiebreaker, distinct=False), every)
        ties[~tied] = NO_TIEBREAKER
        return np.stack((times, ties, rows + self.arrival), axis=1), timed


def _keyed(table: EventTable, rows: Rows, refs: Sequence[s.FieldRef], at: Codes, places: Places) -> Keyed:
    """Read the keys of some rows whose places are `at`; those without a needed key are left out."""
    # Reading a column for few rows is cheaper than encoding it whole.
    part = places.part(rows) if len(rows) * 2 < table.rows else None
    inner = np.arange(len(rows), dtype=np.int64) if part is not None else rows.astype(np.int64)
    chosen = [np.arange(len(rows), dtype=np.int64)]
    columns = [(part or table).column(ref.name) for ref in refs]
    for column in columns:
        inner, chosen = spread(inner, chosen, column)
    keep = np.ones(len(inner), np.bool_)
    for ref, codes in zip(refs, chosen[1:], strict=True):
        if not ref.optional:
            keep &= codes >= 0
    kept = [compact(codes[keep], column) for codes, column in zip(chosen[1:], columns, strict=True)]
    return Keyed(at[chosen[0][keep]], tuple(codes for codes, _ in kept), tuple(values for _, values in kept))


def whole_numbers(column: CodedColumn | None, rows: Codes) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """Return a whole-number column's (first) values at some rows, and where there is one."""
    if column is None or not len(column.values):
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    if column.offsets is None:
        codes = column.codes[rows]
    else:
        starts, ends = column.offsets[rows], column.offsets[rows + 1]
        codes = np.where(ends > starts, np.append(column.codes, -1)[starts], -1)
    values = column.values.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "iu":
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    return np.append(values, 0)[codes].astype(np.int64), codes >= 0


class Candidates:
    """What fits the steps of one query. `untimed` counts events that have no time and so no place.

    A sample query finds up to `samples` for each of its keys.
    """

    def __init__(
        self, query: s.Sequence | s.Sample, ordering: Ordering | None = None, *, samples: int = 1
    ) -> None:
        self.query = query
        self.steps = s.steps_of(query)
        self.untimed = 0
        self._ordering = ordering or Ordering()
        self._samples = samples
        self._addresses: set[int] = set()  # positions of join keys that are addresses
        self._keyed: list[tuple[int, Keyed]] = []

    def add(self, table: EventTable, rows_of_steps: Sequence[Rows], places: Places) -> Rows:
        """Take up the rows of a table that fit each step. Returns those that may become part of a result."""
        taken: list[Codes] = [np.empty(0, np.int64)]
        for number, (step, rows) in enumerate(zip(self.steps, rows_of_steps, strict=True)):
            if not len(rows):
                continue
            keys = (*self.query.by, *step.by)
            kinds = (table.schema.find(ref.name) for ref in keys)
            self._addresses.update(n for n, known in enumerate(kinds) if known and known.type is FieldType.IP)
            at, timed = places.of(rows, self._ordering)
            self.untimed += int(np.count_nonzero(~timed))
            keyed = _keyed(table, rows[timed], keys, at[timed], places)
            self._keyed.append((number, keyed))
            if number < len(self.query.steps) and not step.missing:
                taken.append(keyed.places[:, EVENT] - places.arrival)
        return np.unique(np.concatenate(taken))

    def _numbered(self) -> tuple[list[Fits], KeyNumbers]:
        """Return the fits of each step, and what their keys' numbers stand for."""
        numbers = KeyNumbers([keyed for _, keyed in self._keyed], len(self.query.by) + len(self.steps[0].by))
        parts: list[list[Fits]] = [[no_fits()] for _ in self.steps]
        start = 0
        for step, keyed in self._keyed:
            end = start + len(keyed.places)
            parts[step].append(Fits(numbers.numbers[start:end], keyed.places))
            start = end
        return [_unique(of_step) for of_step in parts], numbers

    def _able(self, fits: Sequence[Fits], keys: int) -> npt.NDArray[np.bool_]:
        """Tell for each key whether it has enough candidates for every step that must be there."""
        able = np.ones(keys, np.bool_)
        for step, fit in zip(self.query.steps, fits, strict=False):
            if not step.missing:
                able &= np.bincount(fit.keys, minlength=keys) >= step.runs
        return able

    # ---- out

    def results(self, matcher: SequenceMatcher | None = None) -> list[Result]:
        """Return what the query finds, in order, and drop what cannot be part of it.

        `matcher`, a new one, counts what was lost.
        """
        self._keep_keys_of_rarest_step()
        fits, numbers = self._numbered()
        able = self._able(fits, numbers.count)
        fits = [Fits(fit.keys[able[fit.keys]], fit.places[able[fit.keys]]) for fit in fits]
        if isinstance(self.query, s.Sample):
            samples = _samples(fits, numbers, self._samples)
            return sorted(samples, key=lambda result: [self._rank(*part) for part in enumerate(result.keys)])
        matcher = matcher or SequenceMatcher(self.query)
        matches = in_order([*matcher.feed(fits), *matcher.finish()])
        return [Result(numbers.key(match.key), match.events) for match in matches]

    def _rank(self, position: int, part: Any) -> tuple[Any, ...]:
        """Return what orders a part of a key: null first, numbers and addresses as what they are."""
        if isinstance(part, (int, float)):
            return (1, part, "")
        if part is not None and position in self._addresses:
            with suppress(ValueError):
                return (1, number_of(part), "")
        return (0, 0, "") if part is None else (2, 0, part)

    def _keep_keys_of_rarest_step(self) -> None:
        """Drop what shares no key with the step that has the fewest events, of those that must be there."""
        counts = [0] * len(self.steps)
        for number, keyed in self._keyed:
            counts[number] += len(keyed.places)
        needed = [number for number, step in enumerate(self.query.steps) if not step.missing]
        rarest = min(needed, key=counts.__getitem__)
        if not counts[rarest]:
            self._keyed = []
            return
        if counts[rarest] * 2 > sum(counts):
            return
        for position in range(len(self.query.by) + len(self.steps[0].by)):
            parts = [keyed for number, keyed in self._keyed if number == rarest]
            values = [part.values[position] for part in parts]
            present = [v for v in values if v is not None and len(v)]
            if len({v.type for v in present}) != 1:
                continue
            allowed = pa.chunked_array(present).unique()
            null = any((part.codes[position] < 0).any() for part in parts)
            self._keyed = [(n, with_key(keyed, position, allowed, null)) for n, keyed in self._keyed]

    def joined(self) -> list[tuple[int, int]]:
        """Return for each step how many of its events have every join key, and how many keys they have."""
        fits, _ = self._numbered()
        return [(len(np.unique(fit.places[:, EVENT])), len(np.unique(fit.keys))) for fit in fits]

    def complete_keys(self) -> int:
        """Return how many keys have events enough for every step."""
        fits, numbers = self._numbered()
        return int(np.count_nonzero(self._able(fits, numbers.count)))


def _unique(parts: Sequence[Fits]) -> Fits:
    """Join fits; an event that has a key twice fits once."""
    keys, places = np.concatenate([p.keys for p in parts]), np.concatenate([p.places for p in parts])
    if len(keys) and len(np.unique(places[:, EVENT])) < len(keys):
        pairs = np.stack((places[:, EVENT], keys), axis=1)
        first = np.unique(pairs, axis=0, return_index=True)[1]
        keys, places = keys[first], places[first]
    return Fits(keys, places)


def _samples(fits: Sequence[Fits], numbers: KeyNumbers, most: int) -> list[Result]:
    """Return so many samples at most for each key that has one: the earliest events, within each all different."""
    by_key: dict[int, list[list[int]]] = {}
    for step, (keys, places) in enumerate(fits):
        order = np.lexsort(places.T[::-1])
        for key, event in zip(keys[order].tolist(), places[order, EVENT].tolist(), strict=True):
            by_key.setdefault(key, [[] for _ in fits])[step].append(event)
    return [
        Result(numbers.key(number), picked)
        for number, lists in by_key.items()
        # A step can be robbed once by each other, so that as many as there are steps suffice for the first sample.
        for picked in islice(_distinct([events[: len(fits) + most - 1] for events in lists]), most)
    ]


def _distinct(lists: Sequence[Sequence[int]], taken: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield the choices of one of each list, all different, the earliest first."""
    if len(taken) == len(lists):
        yield taken
        return
    for choice in lists[len(taken)]:
        if choice not in taken:
            yield from _distinct(lists, (*taken, choice))


class SequenceStream:
    """A sequence query over tables that come in order of time; each result comes once, when it is complete."""

    def __init__(self, query: s.Sequence, ordering: Ordering | None = None, ceiling: int = CEILING) -> None:
        self.matcher = SequenceMatcher(query, ceiling)
        self._query, self._ordering = query, ordering or Ordering()
        self._numbers: dict[Key, int] = {}
        self._next = 0

    def feed(self, table: EventTable, rows_of_steps: Sequence[Rows], arrival: int) -> list[Result]:
        """Take up the rows of a table that fit each step; its first row is the `arrival`th event."""
        gathered = Candidates(self._query, self._ordering)
        gathered.add(table, rows_of_steps, Places(table, arrival))
        fits, local = gathered._numbered()
        renumbered = np.array([self._number(local.key(n)) for n in range(local.count)], np.int64)
        matches = self.matcher.feed([Fits(renumbered[fit.keys], fit.places) for fit in fits])
        return self._results(matches)

    def forget(self, now: int) -> list[Result]:
        """Drop what maxspan has outlived by `now` (nanoseconds), and return what waited for it to pass."""
        return self._results(self.matcher.forget(now))

    def finish(self) -> list[Result]:
        """Return what waited for a missing event at its end: no table will come any more."""
        return self._results(self.matcher.finish())

    def _number(self, key: Key) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._next
            self._next += 1
        return number

    def _results(self, matches: Iterable[SequenceMatch]) -> list[Result]:
        results = in_order(matches)
        names = {number: key for key, number in self._numbers.items()} if results else {}
        held = set(self.matcher.keys.tolist())
        self._numbers = {key: number for key, number in self._numbers.items() if number in held}
        return [Result(names[match.key], match.events) for match in results]

    def save(self) -> dict[str, Any]:
        """Return the state as plain data (JSON), keys and all."""
        keys = [[list(key), number] for key, number in self._numbers.items()]
        return {"keys": keys, "next": self._next, "matcher": self.matcher.save()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up a saved state."""
        self._numbers = {tuple(key): number for key, number in saved["keys"]}
        self._next = saved["next"]
        self.matcher.restore(saved["matcher"])
