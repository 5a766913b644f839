"""The matcher of sequences: events in order of time, a list of unfinished sequences for each key and stage.

What it does is Elasticsearch's: an event that fits stage n continues the newest sequence that waits for it (its
last event strictly before), and that sequence and every older one leave the list; one that would exceed maxspan
or has an `until` behind its last event is gone with them. A step `with runs=n` is n stages. Missing events are
looked for when the other events of a sequence are there.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tocsin.eql import syntax as s

Key = tuple[Any, ...]
CEILING = 1_000_000  # unfinished sequences; beyond, the oldest are dropped and counted


class Ordinal(NamedTuple):
    """The place of an event: its time, its tiebreaker (none is last), and when it arrived."""

    time: int
    tiebreaker: tuple[int, Any]
    arrival: int


def ordinal(time: int, tiebreaker: Any, arrival: int) -> Ordinal:
    """Return an event's place; `time` in nanoseconds."""
    return Ordinal(time, (1, 0) if tiebreaker is None else (0, tiebreaker), arrival)


class Candidate(NamedTuple):
    """An event that fits some steps: `fits` holds (step, keys) pairs; `until` is the step behind the last."""

    ordinal: Ordinal
    fits: tuple[tuple[int, tuple[Key, ...]], ...]
    event: Any


@dataclass(frozen=True)
class Found:
    """A finished sequence: its join keys and its events in order, None where an event is missing."""

    keys: Key
    events: tuple[Any, ...]
    ordinal: Ordinal
    start: Ordinal


@dataclass
class _Partial:
    """An unfinished sequence: the places and events of the stages so far (missing stages left out)."""

    ordinals: tuple[Ordinal, ...]
    events: tuple[Any, ...]


@dataclass
class _OfKey:
    """What is remembered of one key: waiting sequences by stage, and the places of events that should miss."""

    waiting: dict[int, list[_Partial]] = field(default_factory=dict)
    missing: dict[int, list[Ordinal]] = field(default_factory=dict)
    pending: list[_Partial] = field(default_factory=list)  # complete but for a missing event at the end


@dataclass(frozen=True)
class _Stage:
    step: int
    missing: bool


class SequenceMatcher:
    """Finds the sequences of one query. Feed it candidates in order; `finish` when no more will come."""

    def __init__(self, query: s.Sequence, ceiling: int = CEILING) -> None:
        self._stages = tuple(
            _Stage(number, step.missing) for number, step in enumerate(query.steps) for _ in range(step.runs)
        )
        self._positive = [n for n, stage in enumerate(self._stages) if not stage.missing]
        self._stages_of: dict[int, list[int]] = {}
        for number, stage in enumerate(self._stages):
            self._stages_of.setdefault(stage.step, []).insert(0, number)
        self._until = len(query.steps) if query.until else -1
        self._maxspan = None if query.maxspan is None else query.maxspan * 1_000_000
        self._trailing = self._stages[-1].missing
        self._has_missing = len(self._positive) < len(self._stages)
        self._ceiling = ceiling
        self._keys: dict[Key, _OfKey] = {}
        self._unfinished = 0
        self._since_forgetting = 0
        # Why sequences went unfinished: `maxspan`, `until`, `missing` (what should miss was there), `ceiling`.
        self.lost: Counter[str] = Counter()
        self.reached: Counter[int] = Counter()  # step -> how many sequences got as far

    # ---- feeding

    def feed(self, candidates: Iterable[Candidate]) -> Iterator[Found]:
        """Take candidates in order of their ordinals and yield the sequences that they finish."""
        for candidate in candidates:
            yield from self._take(candidate)
            self._since_forgetting += 1
            # As many candidates as keys between two sweeps, so that sweeping stays a share of the work.
            if self._since_forgetting > max(10_000, len(self._keys)):
                yield from self._forget(candidate.ordinal.time)

    def finish(self) -> Iterator[Found]:
        """Yield the sequences that waited for a missing event at their end."""
        for key, state in self._keys.items():
            for partial in state.pending:
                yield from self._complete(key, state, partial)
            state.pending = []

    def _take(self, candidate: Candidate) -> Iterator[Found]:
        place = candidate.ordinal
        # The last stage first, so that no event follows itself.
        for step, keys in reversed(candidate.fits):
            if step == self._until:
                continue
            for key in keys:
                for stage in self._stages_of[step]:
                    if self._stages[stage].missing:
                        self._note_missing(stage, key, place)
                    else:
                        yield from self._advance(stage, key, candidate)
        for step, keys in candidate.fits:
            if step == self._until:
                for key in keys:
                    self._end(key)

    def _note_missing(self, stage: int, key: Key, place: Ordinal) -> None:
        state = self._keys.setdefault(key, _OfKey())
        bisect.insort(state.missing.setdefault(stage, []), place)

    def _end(self, key: Key) -> None:
        """An `until` event: whatever waits for this key has an until behind its last event."""
        state = self._keys.get(key)
        if state is not None:
            ended = sum(len(waiting) for waiting in state.waiting.values())
            self._unfinished -= ended
            self.lost["until"] += ended
            state.waiting.clear()
            if not state.missing and not state.pending:
                del self._keys[key]

    def _advance(self, stage: int, key: Key, candidate: Candidate) -> Iterator[Found]:
        position = self._positive.index(stage)
        if position == 0:
            partial: _Partial | None = _Partial((candidate.ordinal,), (candidate.event,))
            state = self._keys.setdefault(key, _OfKey())
        else:
            known = self._keys.get(key)
            if known is None:
                return
            state = known
            partial = self._continue(state, self._positive[position - 1], candidate)
        if partial is None:
            return
        self.reached[self._stages[stage].step] += 1
        if stage != self._positive[-1]:
            self._wait(state, stage, partial)
        elif self._trailing:
            state.pending.append(partial)
        else:
            yield from self._complete(key, state, partial)

    def _continue(self, state: _OfKey, previous: int, candidate: Candidate) -> _Partial | None:
        """Take the newest sequence before the candidate out of the list, and every older one."""
        waiting = state.waiting.get(previous)
        if not waiting:
            return None
        place = candidate.ordinal
        cut = bisect.bisect_left(waiting, place, key=lambda partial: partial.ordinals[-1])
        if not cut:
            return None
        newest = waiting[cut - 1]
        del waiting[:cut]
        self._unfinished -= cut
        if self._maxspan is not None and place.time - newest.ordinals[0].time > self._maxspan:
            self.lost["maxspan"] += 1
            return None
        return _Partial((*newest.ordinals, place), (*newest.events, candidate.event))

    def _wait(self, state: _OfKey, stage: int, partial: _Partial) -> None:
        state.waiting.setdefault(stage, []).append(partial)
        self._unfinished += 1
        if self._unfinished > self._ceiling:
            self._drop_oldest()

    # ---- missing events

    def _complete(self, key: Key, state: _OfKey, partial: _Partial) -> Iterator[Found]:
        if self._has_missing and not self._nothing_between(state, partial.ordinals):
            self.lost["missing"] += 1
            return
        events: list[Any] = [None] * len(self._stages)
        for stage, event in zip(self._positive, partial.events, strict=True):
            events[stage] = event
        yield Found(key, tuple(events), partial.ordinals[-1], partial.ordinals[0])

    def _nothing_between(self, state: _OfKey, places: Sequence[Ordinal]) -> bool:
        first, last = self._positive[0], self._positive[-1]
        before: Ordinal | None = None  # the nearest unwanted event in front of the sequence
        behind: Ordinal | None = None  # and behind it
        for stage, unwanted in state.missing.items():
            if stage < first:
                at = bisect.bisect_left(unwanted, places[0])
                if at and (before is None or unwanted[at - 1] > before):
                    before = unwanted[at - 1]
            elif stage > last:
                at = bisect.bisect_right(unwanted, places[-1])
                if at < len(unwanted) and (behind is None or unwanted[at] < behind):
                    behind = unwanted[at]
            else:
                following = bisect.bisect_left(self._positive, stage)
                at = bisect.bisect_right(unwanted, places[following - 1])
                if at < len(unwanted) and unwanted[at] < places[following]:
                    return False
        return self._span_fits(before, behind, places)

    def _span_fits(self, before: Ordinal | None, behind: Ordinal | None, places: Sequence[Ordinal]) -> bool:
        """Tell whether some span of maxspan holds the sequence and no unwanted event."""
        span = self._maxspan or 0  # the checker asks for maxspan where events are missing
        leading, trailing = self._stages[0].missing, self._trailing
        if leading and trailing:
            return before is None or behind is None or behind.time - before.time > span
        if leading:
            return before is None or before.time < places[-1].time - span
        return not trailing or behind is None or behind.time > places[0].time + span

    # ---- bounds

    def forget(self, now: int) -> list[Found]:
        """Drop what maxspan has outlived by `now` (nanoseconds), and return what waited for it to pass."""
        return list(self._forget(now))

    def _forget(self, now: int) -> Iterator[Found]:
        self._since_forgetting = 0
        if self._maxspan is None:
            return
        oldest = now - self._maxspan
        for key in list(self._keys):
            state = self._keys[key]
            for stage, waiting in list(state.waiting.items()):
                keep = [partial for partial in waiting if partial.ordinals[0].time >= oldest]
                self._unfinished -= len(waiting) - len(keep)
                self.lost["maxspan"] += len(waiting) - len(keep)
                state.waiting[stage] = keep
            due = [partial for partial in state.pending if partial.ordinals[0].time < oldest]
            state.pending = [partial for partial in state.pending if partial.ordinals[0].time >= oldest]
            for partial in due:
                yield from self._complete(key, state, partial)
            for stage, unwanted in list(state.missing.items()):
                # An unwanted event may stand a whole span in front of a sequence that lasts a whole span.
                del unwanted[: bisect.bisect_left(unwanted, (oldest - self._maxspan,))]
                if not unwanted:
                    del state.missing[stage]
            if not any(state.waiting.values()) and not state.pending and not state.missing:
                del self._keys[key]

    def _drop_oldest(self) -> None:
        """Drop the older half of the unfinished sequences."""
        starts = sorted(p.ordinals[0] for st in self._keys.values() for w in st.waiting.values() for p in w)
        middle = starts[len(starts) // 2]
        for state in self._keys.values():
            for stage, waiting in list(state.waiting.items()):
                keep = [partial for partial in waiting if partial.ordinals[0] > middle]
                self.lost["ceiling"] += len(waiting) - len(keep)
                self._unfinished -= len(waiting) - len(keep)
                state.waiting[stage] = keep

    # ---- saving

    def save(self) -> dict[str, Any]:
        """Return the state as plain data; events are kept as they were given."""
        return {
            "lost": dict(self.lost),
            "reached": {str(step): count for step, count in self.reached.items()},
            "keys": [
                {
                    "key": list(key),
                    "waiting": {str(n): [_plain(p) for p in w] for n, w in state.waiting.items() if w},
                    "missing": {str(n): [list(o) for o in m] for n, m in state.missing.items()},
                    "pending": [_plain(p) for p in state.pending],
                }
                for key, state in self._keys.items()
            ],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.lost = Counter(saved["lost"])
        self.reached = Counter({int(step): count for step, count in saved["reached"].items()})
        self._keys = {}
        for entry in saved["keys"]:
            state = _OfKey(
                {int(n): [_partial(p) for p in w] for n, w in entry["waiting"].items()},
                {int(n): [_place(o) for o in m] for n, m in entry["missing"].items()},
                [_partial(p) for p in entry["pending"]],
            )
            self._keys[tuple(entry["key"])] = state
        self._unfinished = sum(len(w) for state in self._keys.values() for w in state.waiting.values())


def _plain(partial: _Partial) -> dict[str, Any]:
    return {"ordinals": [list(o) for o in partial.ordinals], "events": list(partial.events)}


def _place(saved: Sequence[Any]) -> Ordinal:
    time, tiebreaker, arrival = saved
    return Ordinal(time, (tiebreaker[0], tiebreaker[1]), arrival)


def _partial(saved: dict[str, Any]) -> _Partial:
    return _Partial(tuple(_place(o) for o in saved["ordinals"]), tuple(saved["events"]))


def in_order(found: Iterable[Found]) -> list[Found]:
    """Return sequences in order of their last events, then their first, then their keys."""
    return sorted(found, key=lambda f: (f.ordinal, f.start, [_rank(part) for part in f.keys]))


def _rank(part: Any) -> tuple[int, Any]:
    if part is None:
        return (0, 0)
    return (1, part) if isinstance(part, int | float) else (2, str(part))
