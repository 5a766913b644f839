"""Candidates of a sequence or sample: rows that fit a step, with their join keys, gathered table by table.

Rows and keys are kept as numbers, so that a candidate costs little, and those whose keys cannot complete a
sequence are sorted out by counting before any of them reaches the matcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tocsin.ecs import TIMESTAMP
from tocsin.engine.evaluate import spread
from tocsin.engine.sequence import CEILING, Candidate, Found, Key, Ordinal, SequenceMatcher, in_order, ordinal
from tocsin.engine.table import Codes, Column, EventTable
from tocsin.eql import syntax as s

TIEBREAKER = "event.sequence"
Rows = npt.NDArray[np.intp]
_NO_TIEBREAKER = np.iinfo(np.int64).max


def steps_of(query: s.Sequence | s.Sample) -> tuple[s.Step, ...]:
    """Return the steps, with `until` behind them."""
    until = (query.until,) if isinstance(query, s.Sequence) and query.until else ()
    return (*query.steps, *until)


class Candidates:
    """What fits the steps of one query. `untimed` counts events that have no time and so no place."""

    def __init__(
        self, query: s.Sequence | s.Sample, timestamp: str = TIMESTAMP, tiebreaker: str = TIEBREAKER
    ) -> None:
        self.query = query
        self.steps = steps_of(query)
        self.untimed = 0
        self._timestamp, self._tiebreaker = timestamp, tiebreaker
        self._keys: dict[Key, int] = {}
        self._fits: list[tuple[int, Codes, Codes]] = []  # step, arrivals, numbers of keys
        self._places: list[tuple[Codes, Codes, Codes]] = []  # arrivals, times, tiebreakers

    def add(self, table: EventTable, rows_of_steps: Sequence[Rows], arrival: int) -> Rows:
        """Take up the rows of a table that fit each step; its first row is the `arrival`th event.

        Returns the rows that may become part of a result.
        """
        every = np.unique(np.concatenate(rows_of_steps)) if rows_of_steps else np.empty(0, np.intp)
        if not len(every):
            return every
        times, timed = _numbers(table.column(self._timestamp), every)
        ties, tied = _numbers(table.column(self._tiebreaker), every)
        ties[~tied] = _NO_TIEBREAKER
        self.untimed += int(np.count_nonzero(~timed))
        self._places.append((every[timed] + arrival, times[timed], ties[timed]))
        placed = every[timed]
        taken: list[Codes] = []
        for number, (step, rows) in enumerate(zip(self.steps, rows_of_steps, strict=True)):
            kept = np.intersect1d(rows, placed, assume_unique=True)
            if len(kept):
                numbers, keys = self._key_numbers(table, step, kept)
                self._fits.append((number, numbers + arrival, keys))
                if number < len(self.query.steps) and not step.missing:
                    taken.append(numbers)
        return np.unique(np.concatenate(taken)) if taken else every[:0]

    def _key_numbers(self, table: EventTable, step: s.Step, rows: Rows) -> tuple[Codes, Codes]:
        """Return rows and the number of each of their keys; a row without a needed key is left out."""
        fields = (*self.query.by, *step.by)
        columns = [table.column(ref.name) for ref in fields]
        spread_rows: Codes = rows.astype(np.int64)
        chosen: list[Codes] = []
        for column in columns:
            spread_rows, chosen = spread(spread_rows, chosen, column)
        keep = np.ones(len(spread_rows), np.bool_)
        for ref, codes in zip(fields, chosen, strict=True):
            if not ref.optional:
                keep &= codes >= 0
        spread_rows = spread_rows[keep]
        if not fields:
            return spread_rows, np.full(len(spread_rows), self._number(()), np.int64)
        combined = np.stack([codes[keep] for codes in chosen], axis=1)
        distinct, inverse = np.unique(combined, axis=0, return_inverse=True)
        objects = [None if column is None else column.objects for column in columns]
        numbers = np.fromiter((self._number(_key(codes, objects)) for codes in distinct), np.int64, len(distinct))
        pairs = np.unique(np.stack([spread_rows, numbers[inverse.reshape(-1)]], axis=1), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def _number(self, key: Key) -> int:
        return self._keys.setdefault(key, len(self._keys))

    # ---- out

    def in_order(self) -> Iterator[Candidate]:
        """Yield the candidates that can be part of a result, in order of time, tiebreaker and arrival."""
        able = self._able_keys()
        fits = [(number, a[able[k]], k[able[k]]) for number, a, k in self._fits]
        if not any(len(arrivals) for _, arrivals, _ in fits):
            return
        steps = np.concatenate([np.full(len(a), number) for number, a, _ in fits])
        arrivals = np.concatenate([a for _, a, _ in fits])
        keys = np.concatenate([k for _, _, k in fits])
        known, times, ties = (np.concatenate(column) for column in zip(*self._places, strict=True))
        at = np.searchsorted(known, arrivals)
        order = np.lexsort((keys, steps, arrivals, ties[at], times[at]))
        names = list(self._keys)
        yield from _grouped(steps[order], arrivals[order], keys[order], times[at][order], ties[at][order], names)

    def _able_keys(self) -> npt.NDArray[np.bool_]:
        """Tell for each key whether it has enough candidates for every step that must be there."""
        able = np.ones(len(self._keys), np.bool_)
        for number, step in enumerate(self.query.steps):
            if step.missing:
                continue
            counts = np.zeros(len(self._keys), np.int64)
            for of_step, _, keys in self._fits:
                if of_step == number:
                    counts += np.bincount(keys, minlength=len(self._keys))
            able &= counts >= step.runs
        return able

    def joined(self) -> list[tuple[int, int]]:
        """Return for each step how many of its events have every join key, and how many keys they have."""
        found = []
        for number in range(len(self.steps)):
            mine = [(arrivals, keys) for of_step, arrivals, keys in self._fits if of_step == number]
            events = {arrival for arrivals, _ in mine for arrival in arrivals.tolist()}
            found.append((len(events), len({key for _, keys in mine for key in keys.tolist()})))
        return found

    def complete_keys(self) -> int:
        """Return how many keys have events enough for every step."""
        return int(np.count_nonzero(self._able_keys()))

    def samples(self) -> list[tuple[Key, tuple[int, ...]]]:
        """Return, for each key that has one, a sample: its arrivals, one a step, all different."""
        by_key: dict[Key, list[list[int]]] = {}
        for candidate in self.in_order():
            for step, keys in candidate.fits:
                for key in keys:
                    lists = by_key.setdefault(key, [[] for _ in self.query.steps])
                    lists[step].append(candidate.event)
        found = []
        for key in sorted(by_key, key=lambda k: [(p is not None, str(p)) for p in k]):
            picked = _distinct(by_key[key])
            if picked is not None:
                found.append((key, picked))
        return found


def _numbers(column: Column | None, rows: Rows) -> tuple[Codes, npt.NDArray[np.bool_]]:
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


def _key(codes: npt.NDArray[np.int64], objects: Sequence[list[Any] | None]) -> Key:
    return tuple(
        None if code < 0 or values is None else values[code] for code, values in zip(codes, objects, strict=True)
    )


def _grouped(
    steps: Codes, arrivals: Codes, keys: Codes, times: Codes, ties: Codes, names: Sequence[Key]
) -> Iterator[Candidate]:
    """Join the fits of one event, which stand one behind the other, into a candidate."""
    event, place, fits = -1, Ordinal(0, (1, 0), -1), {}  # type: int, Ordinal, dict[int, list[Key]]
    columns = (column.tolist() for column in (steps, arrivals, keys, times, ties))
    for step, arrival, key, time, tie in zip(*columns, strict=True):
        if arrival != event:
            if fits:
                yield Candidate(place, tuple((n, tuple(k)) for n, k in fits.items()), event)
            event, fits = arrival, {}
            place = ordinal(time, None if tie == _NO_TIEBREAKER else tie, arrival)
        fits.setdefault(step, []).append(names[key])
    if fits:
        yield Candidate(place, tuple((n, tuple(k)) for n, k in fits.items()), event)


def _distinct(lists: Sequence[Sequence[int]], taken: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    """Choose one of each list, all different, the earliest first; None when there is no such choice."""
    if len(taken) == len(lists):
        return taken
    # As many as there are steps always suffice: a step can be robbed once by each other.
    for choice in lists[len(taken)][: len(lists)]:
        if choice not in taken:
            picked = _distinct(lists, (*taken, choice))
            if picked is not None:
                return picked
    return None


def results(candidates: Candidates, ceiling: int = CEILING) -> list[Found]:
    """Return what a query finds among its candidates, in order; events are their numbers of arrival."""
    if isinstance(candidates.query, s.Sample):
        nowhere = ordinal(0, None, 0)
        return [Found(key, events, nowhere, nowhere) for key, events in candidates.samples()]
    matcher = SequenceMatcher(candidates.query, ceiling)
    return in_order([*matcher.feed(candidates.in_order()), *matcher.finish()])
