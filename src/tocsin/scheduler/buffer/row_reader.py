"""Events of the store -> rows for the rules that they fit: every event is read once, for all rules together."""

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
_FEW = 64  # events of a batch that fit a step, for the step to count as rare
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
        self._compile(rules, dict.fromkeys(self.rules, ()))
        self._schemas = {rule.uuid: schema_of(rule.row_types) for rule in rules}
        self._rare: dict[str, deque[int]] = {}  # by rule, the join keys of events that fit rare steps

    def _compile(self, rules: Iterable[CompiledRule], own: Mapping[str, Own]) -> None:
        """Compile rules; those whose `own` fields have the same types are compiled together."""
        chosen = [rule for rule in rules if rule.uuid not in self.broken]
        of_group: dict[Own, list[CompiledRule]] = {}
        for rule in chosen:
            of_group.setdefault(own[rule.uuid], []).append(rule)
        self._own = dict(own)
        self._groups, self.fields = {}, frozenset({TIMESTAMP, ARRIVAL})
        for types, group in of_group.items():
            program = compile_queries(rule.keyed_query(any_index=False, key=rule.uuid) for rule in group)
            self._groups[types] = Evaluator(plan(program))
            self.fields = self.fields.union(program.fields, *(rule.columns_read for rule in group))
        self.patterns = _patterns(chosen)

    def _compile_for(self, schema: Schema) -> None:
        """Compile the rules again where their own indices have fields in other types than all indices together."""
        if schema is self._read_as:
            return
        self._read_as = schema
        own = {uuid: _own_types(rule, schema) for uuid, rule in self.rules.items()}
        if own != self._own:
            self._compile(self.rules.values(), own)

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
        """Return, for each rule, the rows of events that arrived, and happened, in a span of time.

        The events that are read are counted in `event_counts`; of those that will be alerts, some of each rule go
        into `event_cache`.
        """
        rows_by_rule: dict[str, list[pa.Table]] = {}
        if not self.rules or not self.patterns:
            return rows_by_rule
        self._compile_for(schema)
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
                _gather(rows_by_rule, before)  # the rows of one batch are made while the next is evaluated
                before = pool.submit(self._rows, batch, table, fits, arrived, event_cache)
            _gather(rows_by_rule, before)
        return rows_by_rule

    def _fields(self, store: EventReader) -> frozenset[str]:
        """Return the fields to read; a name with a wildcard becomes all fields that events have by now."""
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
        self._compile(self.rules.values(), self._own)
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
            self._cache(batch, fitting, every, part, event_cache)
        arrived = arrived[every]
        return [
            (uuid, self._rows_of_step(self.rules[uuid], step, part, fit, arrived[fit.rows]))
            for (uuid, step), fit in fitting.items()
        ]

    def _cache(
        self,
        batch: JoinedBatch,
        fitting: Mapping[Target, Fitting],
        every: Rows,
        part: EventPart,
        event_cache: EventCache,
    ) -> None:
        """Cache the events that alerts will most likely need; of each step as many as its rule may alert on."""
        sure, likely = [], []
        for (uuid, step), fit in sorted(fitting.items(), key=lambda entry: len(entry[1].rows)):
            rule = self.rules[uuid]
            if rule.of_events:
                sure.append(fit.rows[: rule.rule.max_signals])
            elif rule.join_keys(step):
                likely.append(fit.rows[self._likely(rule, fit)][: rule.rule.max_signals])
        for wanted, is_sure in ((sure, True), (likely, False)):
            if not wanted:
                continue
            chosen = np.unique(np.concatenate(wanted))
            at = pa.array(chosen)
            places = zip(part.indices.take(at).to_pylist(), part.ids.take(at).to_pylist(), strict=True)
            for place, source in zip(places, batch.sources(every[chosen].tolist()), strict=True):
                event_cache.add(Place(*place), source, sure=is_sure)

    def _likely(self, rule: CompiledRule, fit: Fitting) -> npt.NDArray[np.bool_]:
        """Return which events of a step will most likely be part of a sequence.

        These are the events of a rare step, and events with a join key that such an event had.
        """
        rare = self._rare.setdefault(rule.uuid, deque(maxlen=_RARE_KEYS))
        if len(fit.rows) <= _FEW:
            rare.extend(fit.keys[fit.joinable].tolist())
            return fit.joinable
        return fit.joinable & np.isin(fit.keys, np.fromiter(rare, np.int64, len(rare)))

    def _selected(self, target: Target, rows: Rows, batch: JoinedBatch, table: EventTable) -> Rows:
        """Return those of a rule's rows that its ES|QL pipeline selects one by one."""
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

    def _rows_of_step(
        self,
        rule: CompiledRule,
        step: int,
        part: EventPart,
        fit: Fitting,
        arrived: Times,
    ) -> pa.Table:
        table, times = part.table, arrived
        rows, keys, joinable = fit
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
    """Return the fields of a rule that have another type in its own indices than in a schema."""
    fields = []
    for name, own in sorted(rule.known_fields.items()):
        known = schema.find(name)
        if known is not None and _AS_TEXT.get(known.type, known.type) != _AS_TEXT.get(own.type, own.type):
            fields.append((name, own.type))
    return tuple(fields)


def _as_own(table: EventTable, own: Own) -> EventTable:
    """Return a table with some columns in other types."""
    if not own:
        return table
    return table.typed(table.schema.extended(Field(name, kind) for name, kind in own))


def _patterns(rules: Iterable[CompiledRule]) -> list[str]:
    """Return patterns that fit every index that a rule reads; each rule applies its exclusions itself."""
    patterns: dict[str, None] = {}
    for rule in rules:
        wanted = [pattern for pattern in rule.index if not pattern.startswith("-")]
        patterns.update(dict.fromkeys(wanted or ["*"]))
    return list(patterns)


def _gather(rows_by_rule: dict[str, list[pa.Table]], rows: Future[list[tuple[str, pa.Table]]] | None) -> None:
    for uuid, part in () if rows is None else rows.result():
        rows_by_rule.setdefault(uuid, []).append(part)


def _count(
    event_counts: EventCounts, batch: JoinedBatch, table: EventTable, arrived: Times, inside: npt.NDArray[np.bool_]
) -> None:
    """Count the events of a batch that lie in the span that is read."""
    times, _ = moments_of(table, TIMESTAMP, np.arange(table.rows))
    for index, start, end in batch.parts():
        rows = start + np.flatnonzero(inside[start:end])
        if len(rows):
            event_counts.add(index, times[rows], arrived[rows])


def _arrivals(table: EventTable, rows: npt.NDArray[np.intp]) -> Times:
    """Return when events arrived; 0 for those of old tables, which arrived before any moment asked for."""
    arrived, known = moments_of(table, ARRIVAL, rows)
    return np.where(known, arrived, 0)


def _within(times: Times, start: int | None, end: int | None) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(times), np.bool_)
    if start is not None:
        inside &= times >= start
    if end is not None:
        inside &= times < end
    return inside
