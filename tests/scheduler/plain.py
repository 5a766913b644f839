"""One perfect pass, written as plainly as it can be: what every rule has to raise, whatever befell the service.

Nothing here is the watch's own: a window is a list of events, looked at from its beginning. Ticks whose windows
hold nothing are passed over, which is all that makes a year of them bearable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.engine import plain_sequences

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE
Identity = tuple[Any, ...]


@dataclass(frozen=True)
class Happened:
    """An event as rules see it; times in nanoseconds."""

    id: str
    time: int
    arrived: int
    name: str
    host: str


@dataclass(frozen=True)
class Plan:
    """A rule of the year: when it is due, what it sees, and how it finds."""

    kind: str
    interval: int
    look_back: int
    by_arrival: bool
    find: Callable[[Window], Iterable[Identity]]
    names: frozenset[str]  # of the events that it looks at
    most: int = 100
    history: int = 0

    def held(self, event: Happened) -> int:
        return event.arrived if self.by_arrival else event.time


@dataclass
class Window:
    """What a rule sees at a tick: the events of its window, those of the history before, and what it remembers.

    The window ends with its `tick`, and holds what had come in `before` another.
    """

    plan: Plan
    tick: int
    before: int
    events: list[Happened]
    past: list[Happened]
    indicators: Sequence[tuple[str, int]]
    counted: dict[str, int]  # group -> up to when its alerts have counted

    def in_order(self) -> list[Happened]:
        """Return the events by their time, those of one time by arrival."""
        return sorted(self.events, key=lambda event: (event.time, event.arrived, event.id))


def perfect(
    plan: Plan, events: Sequence[Happened], indicators: Sequence[tuple[str, int]], start: int, upto: int
) -> list[Identity]:
    """Return what a rule raises from its start on to a moment, in order."""
    mine = [event for event in events if event.name in plan.names]
    raised: dict[Identity, None] = {}
    counted: dict[str, int] = {}
    for tick in ticks(plan, mine, start, upto):
        new = [event for event in mine if tick - plan.interval <= event.arrived < tick]
        late: set[int] = set()
        if not plan.by_arrival:
            for event in new:
                late.update(t for t in holding(plan, event) if tick - DAY < t < tick)
        for due in (*sorted(late), tick):
            low = due - plan.look_back
            window = Window(
                plan, due, tick,
                [e for e in mine if low <= plan.held(e) < due and e.arrived < tick],
                [e for e in mine if due - plan.history <= plan.held(e) < low and e.arrived < tick],
                indicators, counted,
            )  # fmt: skip
            found = [one for one in dict.fromkeys(plan.find(window)) if one not in raised]
            for one in found[: plan.most]:
                raised[one] = None
                if one[0] == "group":
                    counted[one[1]] = max(counted.get(one[1], 0), one[3])
    return list(raised)


def ticks(plan: Plan, events: Sequence[Happened], start: int, upto: int) -> list[int]:
    """Return the ticks at which a rule sees anything."""
    found = set()
    for event in events:
        first = event.arrived // plan.interval * plan.interval + plan.interval
        found.add(first)
        found.update(tick for tick in holding(plan, event) if tick > first)
    return sorted(tick for tick in found if start < tick <= upto)


def holding(plan: Plan, event: Happened) -> range:
    """Return the ticks whose windows hold an event."""
    held = plan.held(event)
    first = held // plan.interval * plan.interval + plan.interval
    return range(first, held + plan.look_back + 1, plan.interval)


# ---- what rules find


def of_events(window: Window) -> Iterable[Identity]:
    return [("event", event.id) for event in window.in_order()]


def of_sequences(steps: str, maxspan: int, until: str | None = None, *, by_host: bool = True) -> Any:
    """Return a finder of sequences: a letter a step, `!` before one that should be missing; maxspan in minutes.

    Beyond the window whatever should be missing may be there.
    """
    named = [plain_sequences.Step(step[-1], missing=step[0] == "!") for step in steps.split()]

    def find(window: Window) -> Iterable[Identity]:
        ordered = window.in_order()
        events = [
            {"time": event.time, "key": [event.host if by_host else "all"], "kind": event.name}
            for event in ordered
        ]
        view = (window.tick - window.plan.look_back, window.tick, [window.plan.held(event) for event in ordered])
        found = plain_sequences.sequences(named, events, maxspan * MINUTE, until, view)
        places = sorted(tuple(n for n in result if n is not None) for _, result in found)
        return [("events", *(ordered[n].id for n in some)) for some in places]

    return find


def of_samples(window: Window) -> Iterable[Identity]:
    firsts: dict[str, dict[str, str]] = {}
    for event in window.in_order():
        firsts.setdefault(event.host, {}).setdefault(event.name, event.id)
    return [("events", f["a"], f["b"]) for _, f in sorted(firsts.items()) if "a" in f and "b" in f]


def _groups(window: Window, *, by_host: bool) -> dict[str, list[Happened]]:
    groups: dict[str, list[Happened]] = {}
    for event in sorted(window.events, key=lambda event: (event.arrived, event.id)):
        groups.setdefault(event.host if by_host else "", []).append(event)
    return groups


def over_threshold(least: int, names: int = 0, *, by_host: bool = True) -> Any:
    """Return a finder of groups of so many events that no alert of the group has counted."""

    def find(window: Window) -> Iterable[Identity]:
        held = window.plan.held
        found = []
        for host, events in _groups(window, by_host=by_host).items():
            left = [event for event in events if held(event) > window.counted.get(host, -1)]
            if len(left) >= least and len({event.name for event in left}) >= names:
                times = [held(event) for event in left]
                found.append(("group", host, min(times), max(times), len(left)))
        return found

    return find


def of_new_terms(window: Window) -> Iterable[Identity]:
    seen = {(event.name, event.host) for event in window.past}
    found = []
    for event in window.in_order():
        if (event.name, event.host) not in seen:
            seen.add((event.name, event.host))
            found.append(("term", event.id, event.name, event.host))
    return found


def of_indicators(window: Window) -> Iterable[Identity]:
    known = {host for host, arrived in window.indicators if arrived < window.before}
    return [("event", event.id) for event in window.in_order() if event.host in known]


def of_grouped_rows(least: int) -> Any:
    """Return a finder of groups of so many events of which none is counted yet."""

    def find(window: Window) -> Iterable[Identity]:
        held = window.plan.held
        found = []
        for host, events in _groups(window, by_host=True).items():
            times = [held(event) for event in events]
            if len(events) >= least and min(times) > window.counted.get(host, -1):
                found.append(("group", host, min(times), max(times), len(events)))
        return found

    return find
