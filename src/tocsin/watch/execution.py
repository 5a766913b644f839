"""One execution of a rule: the windows of a tick -> findings -> new alerts, and what is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detection.schedule import SECOND, Window
from tocsin.errors import TocsinError
from tocsin.store.events import ID, EventReader
from tocsin.store.records.database import Records
from tocsin.watch.documents import Making, alert_id, alerts_of, flat
from tocsin.watch.esql import of_esql
from tocsin.watch.findings import Finding, Place, of_events, of_sequences
from tocsin.watch.indicators import Fetch, matching_indicators, read_indicators
from tocsin.watch.kept import KeptEvents
from tocsin.watch.ledger import Done
from tocsin.watch.memory import Memory
from tocsin.watch.new_terms import Earlier, new_terms
from tocsin.watch.raised import Raised, Recorded, counted_by
from tocsin.watch.rule import WatchedRule
from tocsin.watch.suppression import Suppressor, Told, policy_of
from tocsin.watch.threshold import CountedTo, over_threshold

log = logging.getLogger(__name__)
_READERS = 2  # indices whose events are fetched at once


@dataclass(frozen=True)
class Asking:
    """One window of a rule, and what the rule may ask for beside its rows.

    `counted_to` tells up to when alerts have counted groups of its events, `earlier` returns rows of a span of
    time, as far as they had arrived `before` a moment, and `fetch` whole events.
    """

    store: EventReader
    tick: int
    before: int
    window: Window
    counted_to: CountedTo
    earlier: Earlier
    fetch: Fetch


Find = Callable[[WatchedRule, pa.Table, Asking], list[Finding]]


def _events(rule: WatchedRule, rows: pa.Table, asking: Asking) -> list[Finding]:
    return of_events(rule, rows) if rule.ready.joined is None else of_sequences(rule, rows, asking.window)


def _threshold(rule: WatchedRule, rows: pa.Table, asking: Asking) -> list[Finding]:
    return over_threshold(rule, rows, asking.counted_to)


def _new_terms(rule: WatchedRule, rows: pa.Table, asking: Asking) -> list[Finding]:
    history, start = rule.history(asking.tick), asking.window.start
    assert history is not None
    assert start is not None
    return new_terms(rule, rows, asking.earlier, history, start)


def _threat_match(rule: WatchedRule, rows: pa.Table, asking: Asking) -> list[Finding]:
    now = datetime.fromtimestamp(asking.tick // SECOND, UTC)
    schema = asking.store.schema(rule.rule.threat_index)
    groups = read_indicators(asking.store, rule.rule, schema, asking.before, now)
    return matching_indicators(rule, rows, groups, asking.fetch)


def _esql(rule: WatchedRule, rows: pa.Table, asking: Asking) -> list[Finding]:
    return of_esql(rule, rows, asking.tick, asking.counted_to)


_FINDS: Mapping[str, Find] = {
    "threshold": _threshold, "new_terms": _new_terms, "threat_match": _threat_match, "esql": _esql,
}  # fmt: skip


@dataclass(frozen=True)
class Executor:
    """Runs rules over what is remembered for them."""

    store: EventReader
    records: Records
    kept: KeptEvents = field(default_factory=KeptEvents)

    def run(
        self,
        rule: WatchedRule,
        memory: Memory,
        ticks: Sequence[int],
        before: int,
        now: int,
        kind: str = "scheduled",
        raised: Raised | None = None,
    ) -> Done:
        """Run the windows of some ticks, as they are with what had arrived before a moment.

        The last tick is the one that is due. Alerts that `raised` knows, or else records, are not made again. A
        fault of the rule is told in what is returned; one of the store or the database is raised.
        """
        window = rule.schedule.window(ticks[-1])
        done = Done(rule.uuid, ticks[-1], ticks[-1], 1, window, kind, late=max(0, now - ticks[-1]))
        began = time.perf_counter()
        raised = raised or Recorded(self.records, rule.uuid)
        taken: set[str] = set()
        policy = policy_of(rule.rule)
        suppressor = None if policy is None else Suppressor(policy, raised.last_of_groups)
        for tick in ticks:
            span = rule.schedule.window(tick)
            rows = memory.window(span, before)
            if rows is None:
                continue
            find = _FINDS.get(rule.rule.type, _events)
            asking = Asking(
                self.store,
                tick,
                before,
                span,
                _counted_to(raised, done),
                lambda start, end: memory.window(Window(start, end), before),
                self.fetch,
            )
            try:
                findings = find(rule, rows, asking)
            except (TocsinError, OSError):  # of the store or the database: it is tried again
                raise
            except Exception as error:
                log.exception("rule %s failed", rule.rule.name)
                done.failure = f"{type(error).__name__}: {error}"
                return done
            began = _lap(done, "evaluating", began)
            making = Making(done.uuid, kind, tick, now)
            self._keep(rule, rows, findings, done, taken, suppressor, making, raised)
            began = _lap(done, "making alerts", began)
        if suppressor is not None:
            done.suppressed = suppressor.suppressed
            if suppressor.cut:
                told = f"{suppressor.cut} events have more combinations of values than groups are made of"
                done.messages.append(f"suppression: {told}")
            done.grown = [group for group in suppressor.groups.values() if group.added]
        return done

    def _keep(
        self,
        rule: WatchedRule,
        rows: pa.Table,
        findings: Sequence[Finding],
        done: Done,
        taken: set[str],
        suppressor: Suppressor | None,
        making: Making,
        raised: Raised,
    ) -> None:
        """Make alerts of those findings that are new and not suppressed, so many as the rule may."""
        done.matches += len(findings)
        sorted_out: list[tuple[Finding, Told | None]] = [(finding, None) for finding in findings]
        if suppressor is not None:
            sorted_out = suppressor.sort(rule, rows, findings)
        ids = [alert_id(rule, finding) for finding, _ in sorted_out]
        known = taken | raised.known(set(ids) - taken)
        new: list[tuple[str, Finding, Told | None]] = []
        for id_, (finding, told) in zip(ids, sorted_out, strict=True):
            if id_ in known:
                done.duplicates += 1
            else:
                known.add(id_)
                new.append((id_, finding, told))
        most = rule.rule.max_signals
        if len(new) > most:
            done.messages.append(f"max alerts reached: {most} of {len(new)}")
        chosen = new[:most]
        wanted = [place for _, one, _ in chosen if one.fetched for place in one.places if place is not None]
        events = self.fetch(wanted)
        for id_, finding, told in chosen:
            if finding.fetched and any(place is not None and place not in events for place in finding.places):
                done.messages.append("an event that matched is in the store no more")
                continue
            alerts = alerts_of(rule, finding, events, making)
            if suppressor is not None and told is not None:
                suppressor.raised(told, alerts[-1])
            done.alerts += alerts
            taken.add(id_)

    def fetch(self, places: Iterable[Place]) -> dict[Place, dict[str, Any]]:
        """Return events of the store, flat; those that are there no more are missing."""
        by_index: dict[str, list[str]] = {}
        found: dict[Place, dict[str, Any]] = {}
        for place in dict.fromkeys(places):
            source = self.kept.get(place)
            if source is None:
                by_index.setdefault(place.index, []).append(place.id)
            else:
                found[place] = {**flat(source), "_index": place.index}
        if by_index:
            with ThreadPoolExecutor(_READERS, thread_name_prefix="watch-fetch") as pool:
                for some in pool.map(self._find, *zip(*by_index.items(), strict=True)):
                    found.update(some)
        return found

    def _find(self, index: str, ids: Sequence[str]) -> dict[Place, dict[str, Any]]:
        """Return events of an index; unpacking the files that hold them leaves the interpreter to others."""
        found: dict[Place, dict[str, Any]] = {}
        for batch in self.store.find([index], ids):
            column = batch.columns.get(ID)
            if column is None:
                continue
            rows = np.flatnonzero(pc.is_in(column.cast(pa.string()), value_set=pa.array(ids, pa.string())))
            here = column.take(pa.array(rows)).to_pylist()
            for id_, source in zip(here, batch.sources(rows.tolist()), strict=True):
                found[Place(index, id_)] = {**flat(source), "_index": index}
        return found


def _counted_to(raised: Raised, done: Done) -> CountedTo:
    """Return what tells up to when groups are counted: by earlier alerts, and by those not kept yet."""

    def asked(groups: Iterable[str]) -> Mapping[str, int]:
        names = frozenset(groups)
        found = raised.counted_to(names)
        for name, upto in counted_by(done.alerts, names).items():
            found[name] = max(found.get(name, 0), upto)
        return found

    return asked


def _lap(done: Done, stage: str, since: float) -> float:
    now = time.perf_counter()
    done.durations[stage] = done.durations.get(stage, 0.0) + now - since
    return now


def late_ticks(rule: WatchedRule, memory: Memory, previous: int, tick: int, since: int) -> list[int]:
    """Return the ticks before one, but not before `since`, whose windows hold what arrived only since then.

    `previous` is the tick before: what had arrived by then, the ticks up to it have seen.
    """
    if rule.by_arrival or not memory.rows:
        return []
    times = memory.late_times(previous, tick)
    found: list[int] = []
    if not len(times):
        return found
    interval, earlier = rule.schedule.interval, previous
    while earlier > since:
        window = rule.schedule.window(earlier)
        assert window.start is not None
        assert window.end is not None
        if window.end <= times[0]:
            break
        low, high = np.searchsorted(times, (window.start, window.end))
        if low < high:
            found.append(earlier)
        # Between windows that hold something there may be years of others that hold nothing.
        free = 0 if low < high else window.start - int(times[low - 1]) - rule.schedule.uneven
        earlier -= max(interval, free // interval * interval)
    return found[::-1]


def needed_from(rule: WatchedRule, tick: int) -> int:
    """Return the earliest moment that the window of a tick holds, or the history that it looks at."""
    start = rule.schedule.window(tick).start
    assert start is not None
    history = rule.history(tick)
    return start if history is None else min(history, start)
