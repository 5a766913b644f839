"""Sequences one key at a time, as plainly as they can be written: what the matcher is held to.

Nothing is forgotten and nothing is sorted out early: every list keeps every event, and what should be missing is
looked for among all events once a sequence is complete.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One bracket: what `kind` an event must have, how many times; `missing` when no such event may be there."""

    kind: str
    missing: bool = False
    runs: int = 1


Event = dict[str, Any]  # time in ms, key (None, or a list of values), kind
View = tuple[int, int, Sequence[int]]  # from when to when events are known, by the time that each is held by
Result = tuple[Any, tuple[int | None, ...]]


def sequences(
    steps: Sequence[Step],
    events: Sequence[Event],
    maxspan: int | None,
    until: str | None,
    view: View | None = None,
) -> set[Result]:
    """Return (key, numbers of the events, None where one is missing) of each sequence.

    Beyond a `view` whatever should be missing may be.
    """
    steps = [step for step in steps for _ in range(step.runs)]
    order = sorted(range(len(events)), key=lambda n: (events[n]["time"], n))
    keys = {key for event in events for key in event["key"] if key is not None}
    return {(key, found) for key in keys for found in _of_key(steps, events, order, key, maxspan, until, view)}


def _of_key(
    steps: Sequence[Step],
    events: Sequence[Event],
    order: Sequence[int],
    key: Any,
    maxspan: int | None,
    until: str | None,
    view: View | None,
) -> list[tuple[int | None, ...]]:
    mine = [number for number in order if key in events[number]["key"]]
    wanted = [step.kind for step in steps if not step.missing]
    waiting: list[list[list[int]]] = [[] for _ in wanted]  # behind each step, sequences that got so far
    complete: list[list[int]] = []
    for number in mine:
        for step in reversed(range(len(wanted))):
            if events[number]["kind"] != wanted[step]:
                continue
            if step == 0:
                reached = [number]
            else:
                if not waiting[step - 1] or waiting[step - 1][-1][-1] == number:
                    continue
                reached = [*waiting[step - 1][-1], number]
                waiting[step - 1] = []
                if maxspan is not None and events[number]["time"] - events[reached[0]]["time"] > maxspan:
                    continue
            (complete if step == len(wanted) - 1 else waiting[step]).append(reached)
        if events[number]["kind"] == until:
            waiting = [[] for _ in wanted]
    span = maxspan or 0
    return [_placed(steps, found) for found in complete if _missing(steps, events, mine, found, span, view)]


def _placed(steps: Sequence[Step], found: list[int]) -> tuple[int | None, ...]:
    rest = iter(found)
    return tuple(None if step.missing else next(rest) for step in steps)


def _missing(
    steps: Sequence[Step],
    events: Sequence[Event],
    mine: Sequence[int],
    found: list[int],
    span: int,
    view: View | None,
) -> bool:
    """Is there, for some start of a span that holds the sequence, no event of those that should be missing?"""
    at = [mine.index(number) for number in found]
    first, last = events[found[0]]["time"], events[found[-1]]["time"]
    reached = 0
    before: int | None = None
    behind: int | None = None
    for step in steps:
        if not step.missing:
            reached += 1
        elif reached == 0:
            before = _nearest(before, [n for n in mine[: at[0]] if events[n]["kind"] == step.kind], events, max)
        elif reached == len(found):
            behind = _nearest(
                behind, [n for n in mine[at[-1] + 1 :] if events[n]["kind"] == step.kind], events, min
            )
        elif any(events[n]["kind"] == step.kind for n in mine[at[reached - 1] + 1 : at[reached]]):
            return False
    if view is not None:
        start, end, held = view
        before = start - 1 - held[found[-1]] + last if before is None else before
        behind = end - held[found[0]] + first if behind is None else behind
    if steps[0].missing and steps[-1].missing:
        return before is None or behind is None or behind - before > span
    if steps[0].missing:
        return before is None or before < last - span
    return not steps[-1].missing or behind is None or behind > first + span


def _nearest(
    known: int | None, numbers: Sequence[int], events: Sequence[Event], choose: Callable[[list[int]], int]
) -> int | None:
    times = [events[number]["time"] for number in numbers]
    times += [] if known is None else [known]
    return choose(times) if times else None
