"""The matcher of sequences: whole columns of candidates at once, stage by stage, with what is unfinished kept.

What it does is Elasticsearch's: an event that fits stage n continues the newest sequence that waits for it (its
last event strictly before), and that sequence and every older one leave the list; one that would exceed maxspan
or has an `until` behind its last event is gone with them. A step `with runs=n` is n stages. Missing events are
looked for when the other events of a sequence are there.

The list of one stage depends on the stages before it alone, so stages are worked off one after the other: sort
what waits, what could continue it and the `until` events by key and place, and an event continues a sequence
exactly where it stands directly behind it (docs/decisions/006-sequence-matching.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tocsin.eql import syntax as s

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CEILING = 1_000_000  # unfinished sequences kept between two feeds; beyond, the oldest are dropped and counted
NO_TIEBREAKER = int(np.iinfo(np.int64).max)  # an event without a tiebreaker comes last
TIME, TIEBREAKER, EVENT = range(3)  # what a place is: nanoseconds, tiebreaker, the event's number of arrival


class Fits(NamedTuple):
    """Events that fit a step, once for each of their keys: `keys` (n) are numbers, `places` (n, 3)."""

    keys: Codes
    places: Codes


class View(NamedTuple):
    """The span of time (nanoseconds, `end` excluded) whose events are known, by the times `held` (events).

    These are the events' own times, or when they came in. Beyond the span an event that should be missing may be
    there: a sequence for which that could matter is not found.
    """

    start: int
    end: int
    held: Codes


class Partials(NamedTuple):
    """Sequences that got equally far: `keys` (n), and the `places` (n, stages, 3) of their events."""

    keys: Codes
    places: Codes

    def where(self, kept: Mask) -> Partials:
        """Return some of them."""
        return Partials(self.keys[kept], self.places[kept])

    def with_more(self, others: Partials) -> Partials:
        """Return these and others that got as far."""
        if not len(others.keys):
            return self
        return Partials(np.concatenate((self.keys, others.keys)), np.concatenate((self.places, others.places)))


@dataclass(frozen=True)
class SequenceMatch:
    """A finished sequence: the number of its key, and its events' places in order, None where one is missing."""

    key: int
    places: tuple[tuple[int, int, int] | None, ...]

    @property
    def events(self) -> tuple[int | None, ...]:
        """The numbers of arrival of its events."""
        return tuple(None if place is None else place[EVENT] for place in self.places)

    @property
    def order(self) -> tuple[Any, ...]:
        """What results are ordered by: the last event, then the first."""
        present = [place for place in self.places if place is not None]
        return present[-1], present[0], self.key


def no_fits() -> Fits:
    """Return a step's fits when there are none."""
    return Fits(np.empty(0, np.int64), np.empty((0, 3), np.int64))


def _none_of(stages: int) -> Partials:
    return Partials(np.empty(0, np.int64), np.empty((0, stages, 3), np.int64))


class SequenceMatcher:
    """Finds the sequences of one query. Feed it fits of every step, each feed behind the one before in time.

    Without a `view` there are no events but those that it is fed with.
    """

    def __init__(self, query: s.Sequence, ceiling: int = CEILING, view: View | None = None) -> None:
        self._stages = tuple(number for number, step in enumerate(query.steps) for _ in range(step.runs))
        missing = {number for number, step in enumerate(query.steps) if step.missing}
        self._wanted = [n for n, step in enumerate(self._stages) if step not in missing]
        self._unwanted = [n for n, step in enumerate(self._stages) if step in missing]
        self._until = len(query.steps) if query.until else None
        self._maxspan = None if query.maxspan is None else query.maxspan * 1_000_000
        self._ceiling = ceiling
        self._view = view
        # State: behind each wanted stage but the last what waits; unwanted events; what waits for a missing end.
        self._waiting = [_none_of(n + 1) for n in range(len(self._wanted) - 1)]
        self._seen = {step: no_fits() for step in missing}
        self._pending = _none_of(len(self._wanted))
        # Why sequences went unfinished: `maxspan`, `until`, `missing` (what should miss was there), `ceiling`.
        self.lost: Counter[str] = Counter()
        self.reached: Counter[int] = Counter()  # step -> how many sequences got as far

    # ---- feeding

    def feed(self, fits: Sequence[Fits]) -> list[SequenceMatch]:
        """Take the fits of each step, `until` behind the last, and return the sequences that are finished."""
        until = no_fits() if self._until is None else fits[self._until]
        first = fits[self._stages[self._wanted[0]]]
        new = Partials(first.keys, first.places[:, None, :])
        self.reached[self._stages[self._wanted[0]]] += len(new.keys)
        for position, stage in enumerate(self._wanted[1:]):
            step = self._stages[stage]
            new, self._waiting[position] = self._advance(self._waiting[position].with_more(new), fits[step], until)
            self.reached[step] += len(new.keys)
        for step, seen in self._seen.items():
            keys, places = fits[step]
            self._seen[step] = Fits(np.concatenate((seen.keys, keys)), np.concatenate((seen.places, places)))
        latest = max((int(fit.places[:, TIME].max()) for fit in fits if len(fit.keys)), default=None)
        if self._unwanted and self._unwanted[-1] > self._wanted[-1]:
            self._pending = self._pending.with_more(new)
            matches = []
        else:
            matches = self._complete(new)
        if latest is not None:
            matches += self.forget(latest)
        self._hold_ceiling()
        return matches

    def finish(self) -> list[SequenceMatch]:
        """Return the sequences that waited for a missing event at their end: no event will come any more."""
        matches = self._complete(self._pending)
        self._pending = _none_of(len(self._wanted))
        return matches

    def _advance(self, waiting: Partials, fits: Fits, until: Fits) -> tuple[Partials, Partials]:
        """Return the sequences that the fits continue, and those that still wait."""
        if not len(waiting.keys) or not (len(fits.keys) or len(until.keys)):
            return _none_of(waiting.places.shape[1] + 1), waiting
        keys = np.concatenate((fits.keys, waiting.keys, until.keys))
        places = np.concatenate((fits.places, waiting.places[:, -1], until.places))
        counts = (len(fits.keys), len(waiting.keys), len(until.keys))
        # Of one event: it continues others first, then waits itself, then ends what waits.
        kinds = np.repeat(np.arange(3), counts)
        numbers = np.concatenate([np.arange(count) for count in counts])
        order = _order(keys, places, kinds)
        keys, kinds, numbers = keys[order], kinds[order], numbers[order]
        waits = kinds == 1
        continued = np.flatnonzero((kinds[1:] == 0) & waits[:-1] & (keys[1:] == keys[:-1]))
        before, after = numbers[continued], numbers[continued + 1]
        if self._maxspan is not None:
            within = fits.places[after, TIME] - waiting.places[before, 0, TIME] <= self._maxspan
            self.lost["maxspan"] += int(np.count_nonzero(~within))
            before, after = before[within], after[within]
        grown = np.concatenate((waiting.places[before], fits.places[after][:, None, :]), axis=1)
        # Whatever has an event that continues it, or an `until`, anywhere behind it has left the list.
        ends = np.minimum.accumulate(np.where(waits, len(keys), np.arange(len(keys)))[::-1])[::-1]
        last = np.minimum(ends, len(keys) - 1)
        gone = (ends < len(keys)) & (keys[last] == keys) & waits
        self.lost["until"] += int(np.count_nonzero(gone & (kinds[last] == 2)))
        stays = np.zeros(len(waiting.keys), np.bool_)
        stays[numbers[waits & ~gone]] = True
        return Partials(waiting.keys[before], grown), waiting.where(stays)

    # ---- missing events

    def _complete(self, partials: Partials) -> list[SequenceMatch]:
        if self._unwanted:
            met = self._nothing_unwanted(partials)
            self.lost["missing"] += int(np.count_nonzero(~met))
            partials = partials.where(met)
        matches = []
        for key, places in zip(partials.keys.tolist(), partials.places.tolist(), strict=True):
            at: list[tuple[int, int, int] | None] = [None] * len(self._stages)
            for stage, place in zip(self._wanted, places, strict=True):
                at[stage] = tuple(place)
            matches.append(SequenceMatch(key, tuple(at)))
        return matches

    def _nothing_unwanted(self, partials: Partials) -> Mask:
        """Tell for each sequence whether what should be missing is: between its events, in front, or behind."""
        count, length = partials.places.shape[:2]
        met = np.ones(count, np.bool_)
        nearest = [np.zeros(count, np.bool_) for _ in range(2)]  # is there one in front, one behind?
        before, behind = np.zeros(count, np.int64), np.zeros(count, np.int64)  # when
        for stage in self._unwanted:
            seen = self._seen[self._stages[stage]]
            if not len(seen.keys) or not count:
                continue
            all_keys = np.concatenate((seen.keys, np.repeat(partials.keys, length)))
            ranks = _ranks(all_keys, np.concatenate((seen.places, partials.places.reshape(-1, 3))))
            order = np.argsort(ranks[: len(seen.keys)])
            unwanted, keys, times = ranks[order], seen.keys[order], seen.places[order, TIME]
            mine = ranks[len(seen.keys) :].reshape(count, length)
            following = int(np.searchsorted(self._wanted, stage))
            if 0 < following < length:
                low = np.searchsorted(unwanted, mine[:, following - 1], "right")
                met &= np.searchsorted(unwanted, mine[:, following], "left") == low
            elif not following:
                at = np.searchsorted(unwanted, mine[:, 0], "left") - 1
                there = (at >= 0) & (keys[at] == partials.keys)
                before = np.where(there & (~nearest[0] | (times[at] > before)), times[at], before)
                nearest[0] |= there
            else:
                at = np.searchsorted(unwanted, mine[:, -1], "right")
                there = at < len(unwanted)
                at = np.minimum(at, len(unwanted) - 1)
                there &= keys[at] == partials.keys
                behind = np.where(there & (~nearest[1] | (times[at] < behind)), times[at], behind)
                nearest[1] |= there
        return met & self._span_fits(partials, nearest[0], before, nearest[1], behind)

    def _span_fits(self, partials: Partials, in_front: Mask, before: Codes, at_end: Mask, behind: Codes) -> Mask:
        """Tell whether some span of maxspan holds each sequence and no unwanted event."""
        span = self._maxspan or 0  # the checker asks for maxspan where events are missing
        leading, trailing = self._unwanted[0] < self._wanted[0], self._unwanted[-1] > self._wanted[-1]
        first, last = partials.places[:, 0], partials.places[:, -1]
        if self._view is not None:
            start, end, held = self._view
            # By an event's own time the view reaches as far from it as by the time that it is held by.
            before = np.where(in_front, before, start - 1 + last[:, TIME] - held[last[:, EVENT]])
            behind = np.where(at_end, behind, end + first[:, TIME] - held[first[:, EVENT]])
            in_front = at_end = np.ones(len(first), np.bool_)
        if leading and trailing:
            return ~in_front | ~at_end | (behind - before > span)
        if leading:
            return ~in_front | (before < last[:, TIME] - span)
        if trailing:
            return ~at_end | (behind > first[:, TIME] + span)
        return np.ones(len(first), np.bool_)

    # ---- bounds

    def forget(self, now: int) -> list[SequenceMatch]:
        """Drop what maxspan has outlived by `now` (nanoseconds), and return what waited for it to pass."""
        if self._maxspan is None:
            return []
        oldest = now - self._maxspan
        for position, waiting in enumerate(self._waiting):
            kept = waiting.places[:, 0, TIME] >= oldest
            self.lost["maxspan"] += int(np.count_nonzero(~kept))
            self._waiting[position] = waiting.where(kept)
        due = self._pending.places[:, 0, TIME] < oldest
        matches = self._complete(self._pending.where(due))
        self._pending = self._pending.where(~due)
        for step, seen in self._seen.items():
            # An unwanted event may stand a whole span in front of a sequence that lasts a whole span.
            recent = seen.places[:, TIME] >= oldest - self._maxspan
            self._seen[step] = Fits(seen.keys[recent], seen.places[recent])
        return matches

    def _hold_ceiling(self) -> None:
        """Drop the oldest unfinished sequences beyond the ceiling."""
        starts = np.concatenate(
            [waiting.places[:, 0, TIME] for waiting in self._waiting] or [np.empty(0, np.int64)]
        )
        if len(starts) <= self._ceiling:
            return
        oldest = np.partition(starts, len(starts) - self._ceiling)[len(starts) - self._ceiling]
        for position, waiting in enumerate(self._waiting):
            kept = waiting.places[:, 0, TIME] >= oldest
            self.lost["ceiling"] += int(np.count_nonzero(~kept))
            self._waiting[position] = waiting.where(kept)

    # ---- saving

    @property
    def keys(self) -> Codes:
        """The numbers of the keys that the state still needs."""
        held = [partials.keys for partials in (*self._waiting, self._pending)] + [
            fits.keys for fits in self._seen.values()
        ]
        return np.unique(np.concatenate(held))

    def save(self) -> dict[str, Any]:
        """Return the state as plain data; keys and events are the numbers that they were given as."""
        return {
            "waiting": [_plain(waiting) for waiting in self._waiting],
            "pending": _plain(self._pending),
            "seen": {str(step): _plain(seen) for step, seen in self._seen.items()},
            "lost": dict(self.lost),
            "reached": {str(step): count for step, count in self.reached.items()},
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up a saved state."""
        self._waiting = [Partials(*_arrays(waiting, n + 1)) for n, waiting in enumerate(saved["waiting"])]
        self._pending = Partials(*_arrays(saved["pending"], len(self._wanted)))
        self._seen = {int(step): Fits(*_arrays(seen, None)) for step, seen in saved["seen"].items()}
        self.lost = Counter(saved["lost"])
        self.reached = Counter({int(step): count for step, count in saved["reached"].items()})


def _order(keys: Codes, places: Codes, kinds: Codes) -> npt.NDArray[np.intp]:
    """Return the order by key, place and kind."""
    return np.lexsort((kinds, places[:, EVENT], places[:, TIEBREAKER], places[:, TIME], keys))


def _ranks(keys: Codes, places: Codes) -> Codes:
    """Number what has a key and a place in order of both; equal ones get one number."""
    order = np.lexsort((places[:, EVENT], places[:, TIEBREAKER], places[:, TIME], keys))
    rows = np.concatenate((keys[:, None], places), axis=1)[order]
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.concatenate(([0], np.cumsum((rows[1:] != rows[:-1]).any(axis=1))))
    return ranks


def _plain(held: Fits | Partials) -> dict[str, Any]:
    return {"keys": held.keys.tolist(), "places": held.places.tolist()}


def _arrays(saved: Mapping[str, Any], stages: int | None) -> tuple[Codes, Codes]:
    shape = (-1, 3) if stages is None else (-1, stages, 3)
    return np.array(saved["keys"], np.int64), np.array(saved["places"], np.int64).reshape(shape)


def in_order(matches: Iterable[SequenceMatch]) -> list[SequenceMatch]:
    """Return sequences in order of their last events, then their first, then their keys."""
    return sorted(matches, key=lambda match: match.order)
