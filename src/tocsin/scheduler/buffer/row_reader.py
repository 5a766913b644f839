"""Events of the store -> rows for the rules that they fit: every event once, all rules together."""

from __future__ import annotations

import logging
from collections import ChainMap, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detection.columns import schema_of
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rows import EventPart, Fitting, moments_of, rows_of
from tocsin.detection.rule_types.esql import selected
from tocsin.detection.rule_types.findings import Place
from tocsin.ecs import INDEX as INDEX_FIELD
from tocsin.ecs import TIMESTAMP, Field, FieldType, Schema
from tocsin.engine.column import Rows
from tocsin.engine.evaluate import Evaluator, plan
from tocsin.engine.graph import Target, compile_queries
from tocsin.engine.table import EventTable
from tocsin.field_patterns import field_pattern, with_fields
from tocsin.scheduler.buffer.event_cache import EventCache
from tocsin.scheduler.buffer.event_counts import EventCounts
from tocsin.scheduler.buffer.joined_batches import JoinedBatch, join_batches
from tocsin.store.events import ARRIVED as ARRIVAL
from tocsin.store.events import EventReader, Scan

log = logging.getLogger(__name__)
_FEW = 64  # events of a batch that fit a step: a step that is met seldom
_RARE_KEYS = 1 << 14
Times = npt.NDArray[np.int64]
Own = tuple[tuple[str, FieldType], ...]  # fields whose types are those of a rule's own indices
_AS_TEXT = {FieldType.VERSION: FieldType.KEYWORD}  # types whose columns are those of another


class RowReader:
    """Some rules, compiled together. `broken` names the rules that cannot be evaluated, and why."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self.rules = {rule.uuid: rule for rule in rules}
        self.broken: dict[str, str] = {}
        self._read_as: Schema | None = None
        self._groups: dict[Own, Evaluator] = {}
        self._ready(rules, dict.fromkeys(self.rules, ()))
        self._schemas = {rule.uuid: schema_of(rule.row_types) for rule in rules}
        self._rare: dict[str, deque[int]] = {}  # by rule, join keys that steps had which few events fit

    def _ready(self, rules: Iterable[CompiledRule], own: Mapping[str, Own]) -> None:
        """Compile rules, those together that have the same types of fields of their `own`."""
        chosen = [rule for rule in rules if rule.uuid not in self.broken]
        of_group: dict[Own, list[CompiledRule]] = {}
        for rule in chosen:
            of_group.setdefault(own[rule.uuid], []).append(rule)
        self._own = dict(own)
        self._groups, self.fields = {}, frozenset({TIMESTAMP, ARRIVAL})
        for key, some in of_group.items():
            program = compile_queries(rule.keyed_query(any_index=False, key=rule.uuid) for rule in some)
            self._groups[key] = Evaluator(plan(program))
            self.fields = self.fields.union(program.fields, *(rule.columns_read for rule in some))
        self.patterns = _patterns(chosen)

    def _look_as(self, schema: Schema) -> None:
        """Part the rules by the fields that their own indices have in other types than all indices together."""
        if schema is self._read_as:
            return
        self._read_as = schema
        own = {uuid: _own_types(rule, schema) for uuid, rule in self.rules.items()}
        if own != self._own:
            self._ready(self.rules.values(), own)

    def read(
        self,
        store: EventReader,
        schema: Schema,
        *,
        arrived_from: int | None = None,
        arrived_to: int | None = None,
        start: int | None = None,
        end: int | None = None,
        event_counts: EventCounts | None = None,
        event_cache: EventCache | None = None,
    ) -> dict[str, list[pa.Table]]:
        """Return, for each rule, the rows of events that arrived, and happened, in some span of time.

        What it reads is counted into `event_counts`; events that will be alerts go into `event_cache`, some of
        each rule.
        """
        found: dict[str, list[pa.Table]] = {}
        if not self.rules or not self.patterns:
            return found
        self._look_as(schema)
        fields = self._fields(store) - {INDEX_FIELD}
        schema = schema.extended([Field(ARRIVAL, FieldType.DATE)])
        scan = Scan(self.patterns, fields, start, end, arrived_from=arrived_from, arrived_to=arrived_to)
        with ThreadPoolExecutor(1, thread_name_prefix="watch-rows") as pool:
            before: Future[list[tuple[str, pa.Table]]] | None = None
            for batch in join_batches(store.scan(scan)):
                table = self._table(batch, schema)
                every = np.arange(table.rows)
                arrived = _arrivals(table, every)
                inside = _within(arrived, arrived_from, arrived_to)
                if start is not None or end is not None:
                    inside &= _within(moments_of(table, TIMESTAMP, every)[0], start, end)
                if not inside.any():
                    continue
                if event_counts is not None:
                    _count(event_counts, batch, table, arrived, inside)
                fits = {target: fit[inside[fit]] for target, fit in self._fits(table).items()}
                _gather(found, before)  # while one batch is evaluated, the rows of the one before are put together
                before = pool.submit(self._rows, batch, table, fits, arrived, event_cache)
            _gather(found, before)
        return found

    def _fields(self, store: EventReader) -> frozenset[str]:
        """Return the fields to read: of a name that stands for many, all that events have by now."""
        if not any(map(field_pattern, self.fields)):
            return self.fields
        return with_fields(self.fields, store.fields(self.patterns))

    def _table(self, batch: JoinedBatch, schema: Schema) -> EventTable:
        columns = batch.columns
        if INDEX_FIELD in self.fields:
            columns = ChainMap({INDEX_FIELD: batch.indices()}, columns)  # type: ignore[arg-type]
        return EventTable(columns, batch.rows, schema)

    def _fits(self, table: EventTable) -> Mapping[Target, Rows]:
        fits: dict[Target, Rows] = {}
        try:
            for own, evaluator in self._groups.items():
                fits.update(evaluator.matches(_as_own(table, own)))
        except Exception:
            log.exception("evaluating the rules together failed; each is tried by itself")
        else:
            return fits
        fits.clear()
        for uuid, rule in self.rules.items():
            if uuid in self.broken:
                continue
            try:
                alone = Evaluator(plan(compile_queries([rule.keyed_query(any_index=False, key=uuid)])))
                fits.update(alone.matches(_as_own(table, self._own[uuid])))
            except Exception as error:
                log.exception("rule %s cannot be evaluated", rule.rule.name)
                self.broken[uuid] = f"its query cannot be evaluated: {type(error).__name__}: {error}"
        self._ready(self.rules.values(), self._own)
        return fits

    def _rows(
        self,
        batch: JoinedBatch,
        table: EventTable,
        fits: Mapping[Target, Rows],
        arrived: Times,
        event_cache: EventCache | None,
    ) -> list[tuple[str, pa.Table]]:
        fits = {target: self._selected(target, rows, batch, table) for target, rows in fits.items() if len(rows)}
        wanted = [rows for rows in fits.values() if len(rows)]
        if not wanted:
            return []
        every = np.unique(np.concatenate(wanted))
        ids = pa.array(batch.ids(every.tolist()), pa.string())
        names = batch.indices().take(pa.array(every))
        part = EventPart(table.take(every), ids, names)
        fitting = {
            (uuid, step): part.fitting(self.rules[uuid].join_keys(step), np.searchsorted(every, rows))
            for (uuid, step), rows in fits.items()
            if len(rows)
        }
        if event_cache is not None:
            self._keep(batch, fitting, every, part, event_cache)
        arrived = arrived[every]
        return [
            (uuid, self._remembered(self.rules[uuid], step, part, found, arrived[found.rows]))
            for (uuid, step), found in fitting.items()
        ]

    def _keep(
        self,
        batch: JoinedBatch,
        fitting: Mapping[Target, Fitting],
        every: Rows,
        part: EventPart,
        event_cache: EventCache,
    ) -> None:
        """Keep events that alerts will most likely need; so many of a rule's step as one execution may raise."""
        sure, likely = [], []
        for (uuid, step), found in sorted(fitting.items(), key=lambda one: len(one[1].rows)):
            rule = self.rules[uuid]
            if rule.of_events:
                sure.append(found.rows[: rule.rule.max_signals])
            elif rule.join_keys(step):
                likely.append(found.rows[self._likely(rule, found)][: rule.rule.max_signals])
        for wanted, is_sure in ((sure, True), (likely, False)):
            if not wanted:
                continue
            chosen = np.unique(np.concatenate(wanted))
            at = pa.array(chosen)
            places = zip(part.indices.take(at).to_pylist(), part.ids.take(at).to_pylist(), strict=True)
            for place, source in zip(places, batch.sources(every[chosen].tolist()), strict=True):
                event_cache.add(Place(*place), source, sure=is_sure)

    def _likely(self, rule: CompiledRule, found: Fitting) -> npt.NDArray[np.bool_]:
        """Tell which events of a sequence's step will most likely be part of one.

        Those of a step that few events fit, and those that have a join key which such an event had.
        """
        rare = self._rare.setdefault(rule.uuid, deque(maxlen=_RARE_KEYS))
        if len(found.rows) <= _FEW:
            rare.extend(found.keys[found.joinable].tolist())
            return found.joinable
        return found.joinable & np.isin(found.keys, np.fromiter(rare, np.int64, len(rare)))

    def _selected(self, target: Target, rows: Rows, batch: JoinedBatch, table: EventTable) -> Rows:
        """Return those of a rule's rows that pass what its query asks of each by itself, beside its conditions."""
        uuid, _ = target
        pipeline = self.rules[uuid].pipeline
        if pipeline is None:
            return rows
        try:
            return selected(pipeline, table, rows, batch)
        except Exception as error:
            log.exception("rule %s cannot be evaluated", self.rules[uuid].rule.name)
            self.broken[uuid] = f"its query cannot be evaluated: {type(error).__name__}: {error}"
            return rows[:0]

    def _remembered(
        self,
        rule: CompiledRule,
        step: int,
        part: EventPart,
        found: Fitting,
        arrived: Times,
    ) -> pa.Table:
        table, times = part.table, arrived
        rows, keys, joinable = found
        if not joinable.all():
            rows, keys, times, arrived = rows[joinable], keys[joinable], times[joinable], arrived[joinable]
        if not rule.by_arrival:
            times, timed = moments_of(table, rule.time_field, rows)
            if rule.falls_back:
                other, known = moments_of(table, TIMESTAMP, rows)
                times, timed = np.where(timed, times, other), timed | known
            if not timed.all():
                rows, keys, times, arrived = rows[timed], keys[timed], times[timed], arrived[timed]
        chosen = Fitting(rows, keys, joinable[joinable])
        return rows_of(rule, step, part, chosen, times, arrived, self._schemas[rule.uuid])


def _own_types(rule: CompiledRule, schema: Schema) -> Own:
    """Return the fields of a rule whose values it looks at as another type than a schema has."""
    found = []
    for name, mine in sorted(rule.known_fields.items()):
        known = schema.find(name)
        if known is not None and _AS_TEXT.get(known.type, known.type) != _AS_TEXT.get(mine.type, mine.type):
            found.append((name, mine.type))
    return tuple(found)


def _as_own(table: EventTable, own: Own) -> EventTable:
    """Return a table whose columns are of other types."""
    if not own:
        return table
    return table.typed(table.schema.extended(Field(name, kind) for name, kind in own))


def _patterns(rules: Iterable[CompiledRule]) -> list[str]:
    """Return patterns that take every index which a rule reads: those that exclude some narrow each rule alone."""
    found: dict[str, None] = {}
    for rule in rules:
        wanted = [p for p in rule.index if not p.startswith("-")]
        found.update(dict.fromkeys(wanted or ["*"]))
    return list(found)


def _gather(found: dict[str, list[pa.Table]], rows: Future[list[tuple[str, pa.Table]]] | None) -> None:
    for uuid, part in () if rows is None else rows.result():
        found.setdefault(uuid, []).append(part)


def _count(
    event_counts: EventCounts, batch: JoinedBatch, table: EventTable, arrived: Times, inside: npt.NDArray[np.bool_]
) -> None:
    """Count the events of a batch that lie within what is asked for."""
    times, _ = moments_of(table, TIMESTAMP, np.arange(table.rows))
    for index, start, end in batch.parts():
        rows = start + np.flatnonzero(inside[start:end])
        if len(rows):
            event_counts.add(index, times[rows], arrived[rows])


def _arrivals(table: EventTable, rows: npt.NDArray[np.intp]) -> Times:
    """Return when events arrived; 0 for those of old tables, which were there before anything that is asked."""
    arrived, known = moments_of(table, ARRIVAL, rows)
    return np.where(known, arrived, 0)


def _within(times: Times, start: int | None, end: int | None) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(times), np.bool_)
    if start is not None:
        inside &= times >= start
    if end is not None:
        inside &= times < end
    return inside
