"""Rules of a hunt that look at many events together: rows are gathered batch by batch, findings made at the end.

These are threshold, new-terms, indicator-match and ES|QL rules, and every rule with suppression. Their rows lie in
memory, their events in a spool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detection.alerts.history import AlertsInMemory
from tocsin.detection.alerts.suppression import policy_of
from tocsin.detection.columns import ID, INDEX, TIME, Numbers, schema_of
from tocsin.detection.compiled_rule import INGESTED, CompiledRule, with_rows
from tocsin.detection.rows import EventPart, Fitting, moments_of, rows_of
from tocsin.detection.rule_buffer import RuleBuffer
from tocsin.detection.rule_run import RuleRun
from tocsin.detection.rule_types.esql import selected
from tocsin.detection.rule_types.findings import (
    Event,
    Finding,
    IndicatorReader,
    Place,
    RuleWindow,
    event_place,
)
from tocsin.detection.rule_types.new_terms import first_terms
from tocsin.detection.schedule import Window
from tocsin.detection.spool import Spool
from tocsin.ecs import INDEX as EVENT_INDEX
from tocsin.ecs import TIMESTAMP, default_schema
from tocsin.engine.graph import Target
from tocsin.engine.table import EventTable
from tocsin.sources.batch import EventBatch, RawEvent

Rows = npt.NDArray[np.intp]
Truth = npt.NDArray[np.bool_]
MOST_BYTES = 1 << 30  # that the rows of all rules may take
_TOGETHER = frozenset({"threshold", "new_terms", "threat_match", "esql"})
_BY_TIME = frozenset({"threshold", "new_terms"})  # types that ignore events without a time
_NEVER = (1 << 63) - 1


def needs_rows(rule: CompiledRule) -> bool:
    """Return whether a rule looks at many events together."""
    return rule.rule.type in _TOGETHER or policy_of(rule.rule) is not None


class _Names:
    """The indices of a batch of events, and numbers instead of ids: the place of each event in the spool."""

    def __init__(self, table: EventTable, arrival: int) -> None:
        self._table, self._arrival = table, arrival

    def indices(self) -> pa.DictionaryArray:
        """Return the index of each row."""
        column = self._table.column(EVENT_INDEX)
        if column is None:
            codes = pa.array(np.zeros(self._table.rows, np.int32))
            return pa.DictionaryArray.from_arrays(codes, pa.array([""], pa.string()))
        names = pa.array([*map(str, column.objects), ""], pa.string())
        first = column.first_codes()
        codes = np.where(first < 0, len(names) - 1, first).astype(np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(codes), names)

    def ids(self, rows: Sequence[int]) -> list[str]:
        """Return the numbers of some events, all of one width, so that they sort by arrival."""
        return [f"{self._arrival + row:015d}" for row in rows]


@dataclass
class _Gathered:
    """The rows of a rule: those of the hunted span, and those of the history before."""

    rule: CompiledRule
    schema: pa.Schema
    rows: RuleBuffer
    history: RuleBuffer

    @property
    def size(self) -> int:
        return self.rows.size + self.history.size


@dataclass(frozen=True)
class NewTermsHistory:
    """How far back the history of a new-terms rule should reach, and how far it does (nanoseconds)."""

    wanted: int
    reached: int


@dataclass
class RowSearch:
    """Gathers the rows of rules, and returns their alerts when all input is read.

    `history_window` (nanoseconds) is used instead of the history of new-terms rules.
    """

    rules: Sequence[CompiledRule]
    window: Window
    most: int
    indicators: IndicatorReader
    history_window: int | None = None
    most_bytes: int = MOST_BYTES
    untimed: int = 0  # events that fit, but lack the time that their rule needs
    histories: list[NewTermsHistory] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._gathered: dict[str, _Gathered] = {}
        for rule in self.rules:
            rule = with_rows(rule, default_schema())
            gathered = _Gathered(
                rule, schema_of(rule.row_types), RuleBuffer.of(rule, -_NEVER), RuleBuffer.of(rule, -_NEVER)
            )
            self._gathered[rule.rule.rule_id] = gathered
        self._spool, self._arrived = Spool(), 0
        self.given_up: dict[str, str] = {}  # rules that were given up, and why

    @property
    def fields(self) -> frozenset[str]:
        """The fields that are read besides those of the rules' conditions."""
        names = frozenset[str]().union(*(gathered.rule.columns_read for gathered in self._gathered.values()))
        return names | {EVENT_INDEX} if self._gathered else names

    def add(
        self,
        batch: EventBatch,
        fits: Mapping[Target, Rows],
        inside: Truth | None,
        *,
        history: bool,
    ) -> None:
        """Add the rows of a batch that fit rules and are `inside` the window; with `history`, only as history.

        New-terms rules also get the events before the window: these are their history.
        """
        if not self._gathered:
            return
        names = _Names(batch.table, self._arrived)
        wanted: dict[Target, tuple[_Gathered, Rows]] = {}
        for (rule_id, step), rows in fits.items():
            gathered = self._gathered.get(rule_id)
            if gathered is None or not len(rows) or (history and gathered.rule.rule.type != "new_terms"):
                continue
            if inside is not None and gathered.rule.rule.type != "new_terms":
                rows = rows[inside[rows]]
            if gathered.rule.pipeline is not None and len(rows):
                try:
                    rows = selected(gathered.rule.pipeline, batch.table, rows, names)
                except Exception as error:  # an error of one rule does not end the hunt
                    self.given_up[rule_id] = f"{type(error).__name__}: {error}"
                    del self._gathered[rule_id]
                    continue
            if len(rows):
                wanted[rule_id, step] = gathered, rows
        if wanted:
            self._take(batch, wanted, names, history=history)
        self._arrived += batch.table.rows

    def _take(
        self, batch: EventBatch, wanted: Mapping[Target, tuple[_Gathered, Rows]], names: _Names, *, history: bool
    ) -> None:
        every = np.unique(np.concatenate([rows for _, rows in wanted.values()]))
        ids = pa.array(names.ids(every.tolist()), pa.string())
        part = EventPart(batch.table.take(every), ids, names.indices().take(pa.array(every)))
        spooled: list[Rows] = []
        for (_, step), (gathered, rows) in wanted.items():
            rule = gathered.rule
            fitting = part.fitting(rule.join_keys(step), np.searchsorted(every, rows))
            times, timed = _times(rule, part.table, fitting.rows)
            keep = fitting.joinable.copy()
            if rule.rule.type in _BY_TIME:
                self.untimed += int(np.count_nonzero(~timed))
                keep &= timed
            before = np.zeros(len(keep), np.bool_)
            if rule.rule.type == "new_terms":
                if self.window.end is not None:
                    keep &= times < self.window.end
                if history:
                    before[:] = True
                elif self.window.start is not None:
                    before = times < self.window.start
            for chosen, buffer in ((keep & ~before, gathered.rows), (keep & before, gathered.history)):
                if chosen.any():
                    at = Fitting(fitting.rows[chosen], fitting.keys[chosen], fitting.joinable[chosen])
                    held = times[chosen]
                    buffer.add(rows_of(rule, step, part, at, held, held, gathered.schema))
                    if buffer is gathered.rows:
                        spooled.append(every[at.rows])
        if spooled:
            rows = np.unique(np.concatenate(spooled)).tolist()
            self._spool.add((self._arrived + row for row in rows), map(batch.raw, rows))
        self._limit_memory()

    def _limit_memory(self) -> None:
        """Give up the rule with the most rows while all rows together are too large."""
        while sum(gathered.size for gathered in self._gathered.values()) > self.most_bytes:
            rule_id, gathered = max(self._gathered.items(), key=lambda item: item[1].size)
            rows = gathered.rows.rows + gathered.history.rows
            self.given_up[rule_id] = (
                f"more than {rows:,} events fit its query, more than are held in memory: hunt a shorter span"
            )
            del self._gathered[rule_id]

    def run(self, rule_id: str) -> RuleRun | None:
        """Return the run of a rule, None if the rule was given up. Its rows are removed."""
        gathered = self._gathered.pop(rule_id, None)
        if gathered is None:
            return None
        rule = gathered.rule
        events = _SpooledEvents(self._spool)
        run = RuleRun(rule, AlertsInMemory(), events.fetch, self.most, events.origin)
        rows = gathered.rows.window(Window(), _NEVER)
        if rows is None:
            return run
        now = self.window.end
        if now is None:
            now = int(rows.column(TIME).to_numpy().max()) + 1
        if rule.rule.type == "new_terms":
            findings = self._new_terms(gathered, rows, now)
        else:
            window = RuleWindow(now, self.window, run.counted_to, _no_rows, lambda: self.indicators)
            findings = run.findings(rows, window)
        run.raise_alerts(*events.named(rows, findings))
        run.finish()
        return run

    def _new_terms(self, gathered: _Gathered, rows: pa.Table, now: int) -> list[Finding]:
        rule, start = gathered.rule, gathered.rule.history(now)
        assert start is not None
        length = self.history_window or now - start
        earlier = gathered.history.window(Window(), _NEVER)
        times = rows.column(TIME).to_numpy()
        oldest = int(times.min()) if earlier is None else int(earlier.column(TIME).to_numpy().min())
        self.histories.append(NewTermsHistory(length, max(0, int(times.max()) - oldest)))
        return first_terms(rule, rows, earlier, length)

    def close(self) -> None:
        """Remove the spooled events."""
        self._spool.close()


class _SpooledEvents:
    """Events of a spool by their own places; rows have numbers instead of ids."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._events: dict[Place, tuple[Event, str]] = {}
        self._places: dict[str, Place] = {}

    def named(self, rows: pa.Table, findings: Sequence[Finding]) -> tuple[pa.Table, list[Finding]]:
        """Return rows and findings with the events' own places."""
        named = [
            replace(finding, places=tuple(place and self._place(place) for place in finding.places))
            for finding in findings
        ]
        numbers = rows.column(ID).to_pylist()
        indices = rows.column(INDEX).to_pylist()
        places = [self._places.get(number, Place(i, number)) for i, number in zip(indices, numbers, strict=True)]
        names, ids = pa.array([p.index for p in places]), pa.array([p.id for p in places])
        rows = rows.set_column(rows.column_names.index(INDEX), INDEX, names)
        return rows.set_column(rows.column_names.index(ID), ID, ids), named

    def _place(self, place: Place) -> Place:
        known = self._places.get(place.id)
        if known is None:
            raw: RawEvent = self._spool.get(int(place.id))
            event = raw.event()
            known = self._places[place.id] = event_place(event)
            self._events[known] = event, raw.origin
        return known

    def fetch(self, places: Iterable[Place]) -> Mapping[Place, Event]:
        """Return events."""
        return {place: self._events[place][0] for place in places}

    def origin(self, place: Place) -> str:
        """Return the file that an event lies in."""
        return self._events[place][1]


def _no_documents(places: Iterable[Place]) -> Mapping[Place, Event]:
    return {}


NO_INDICATORS = IndicatorReader(default_schema(), lambda query: (), _no_documents)


def _no_rows(start: int, end: int) -> pa.Table | None:
    return None


def _times(rule: CompiledRule, table: EventTable, rows: Rows) -> tuple[Numbers, Truth]:
    """Return when events happened, by the time field of their rule, and whether they have one; 0 without."""
    times, timed = moments_of(table, TIMESTAMP, rows)
    if rule.time_field not in (TIMESTAMP, INGESTED):
        own, known = moments_of(table, rule.time_field, rows)
        times, timed = np.where(known, own, times), known | timed
    return np.where(timed, times, 0), timed
