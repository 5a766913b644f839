"""Events of the store -> rows for the rules that they fit: every event once, all rules together."""

from __future__ import annotations

import logging
from collections import ChainMap, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.ecs import INDEX as INDEX_FIELD
from tocsin.ecs import TIMESTAMP, Field, FieldType, Schema
from tocsin.engine.candidates import whole_numbers
from tocsin.engine.column import Column, Rows
from tocsin.engine.evaluate import Evaluator, plan
from tocsin.engine.graph import Target, compile_rules
from tocsin.engine.sequence import NO_TIEBREAKER
from tocsin.engine.table import EventTable
from tocsin.eql import syntax as s
from tocsin.field_patterns import field_pattern, with_fields
from tocsin.store.events import ARRIVED as ARRIVAL
from tocsin.store.events import EventReader, Scan
from tocsin.watch import memory as m
from tocsin.watch.esql import selected
from tocsin.watch.findings import Place
from tocsin.watch.joining import Joined, joined
from tocsin.watch.kept import KeptEvents
from tocsin.watch.rule import WatchedRule
from tocsin.watch.volume import Volume

log = logging.getLogger(__name__)
_FEW = 64  # events of a batch that fit a step: a step that is met seldom
_RARE_KEYS = 1 << 14
Times = npt.NDArray[np.int64]
Own = tuple[tuple[str, FieldType], ...]  # fields whose types are those of a rule's own indices
_AS_TEXT = {FieldType.VERSION: FieldType.KEYWORD}  # types whose columns are those of another


class Reader:
    """Some rules, compiled together. `broken` names the rules that cannot be evaluated, and why."""

    def __init__(self, rules: Sequence[WatchedRule]) -> None:
        self.rules = {rule.uuid: rule for rule in rules}
        self.broken: dict[str, str] = {}
        self._read_as: Schema | None = None
        self._groups: dict[Own, Evaluator] = {}
        self._ready(rules, dict.fromkeys(self.rules, ()))
        self._schemas = {rule.uuid: m.schema_of(rule.types) for rule in rules}
        self._rare: dict[str, deque[int]] = {}  # by rule, join keys that steps had which few events fit

    def _ready(self, rules: Iterable[WatchedRule], own: Mapping[str, Own]) -> None:
        """Compile rules, those together that have the same types of fields of their `own`."""
        chosen = [rule for rule in rules if rule.uuid not in self.broken]
        of_group: dict[Own, list[WatchedRule]] = {}
        for rule in chosen:
            of_group.setdefault(own[rule.uuid], []).append(rule)
        self._own = dict(own)
        self._groups, self.fields = {}, frozenset({TIMESTAMP, ARRIVAL})
        for key, some in of_group.items():
            program = compile_rules(rule.ready.event_rule(any_index=False, key=rule.uuid) for rule in some)
            self._groups[key] = Evaluator(plan(program))
            self.fields = self.fields.union(program.fields, *(rule.read for rule in some))
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
        volume: Volume | None = None,
        kept: KeptEvents | None = None,
    ) -> dict[str, list[pa.Table]]:
        """Return, for each rule, the rows of events that arrived, and happened, in some span of time.

        What it reads is counted into `volume`; events that will be alerts go into `kept`, some of each rule.
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
            for batch in joined(store.scan(scan)):
                table = self._table(batch, schema)
                every = np.arange(table.rows)
                arrived = _arrivals(table, every)
                inside = _within(arrived, arrived_from, arrived_to)
                if start is not None or end is not None:
                    inside &= _within(_moments(table, TIMESTAMP, every)[0], start, end)
                if not inside.any():
                    continue
                if volume is not None:
                    _count(volume, batch, table, arrived, inside)
                fits = {target: fit[inside[fit]] for target, fit in self._fits(table).items()}
                _gather(found, before)  # while one batch is evaluated, the rows of the one before are put together
                before = pool.submit(self._rows, batch, table, fits, arrived, kept)
            _gather(found, before)
        return found

    def _fields(self, store: EventReader) -> frozenset[str]:
        """Return the fields to read: of a name that stands for many, all that events have by now."""
        if not any(map(field_pattern, self.fields)):
            return self.fields
        return with_fields(self.fields, store.fields(self.patterns))

    def _table(self, batch: Joined, schema: Schema) -> EventTable:
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
                alone = Evaluator(plan(compile_rules([rule.ready.event_rule(any_index=False, key=uuid)])))
                fits.update(alone.matches(_as_own(table, self._own[uuid])))
            except Exception as error:
                log.exception("rule %s cannot be evaluated", rule.rule.name)
                self.broken[uuid] = f"its query cannot be evaluated: {type(error).__name__}: {error}"
        self._ready(self.rules.values(), self._own)
        return fits

    def _rows(
        self,
        batch: Joined,
        table: EventTable,
        fits: Mapping[Target, Rows],
        arrived: Times,
        kept: KeptEvents | None,
    ) -> list[tuple[str, pa.Table]]:
        fits = {target: self._selected(target, rows, batch, table) for target, rows in fits.items() if len(rows)}
        wanted = [rows for rows in fits.values() if len(rows)]
        if not wanted:
            return []
        every = np.unique(np.concatenate(wanted))
        ids = pa.array(batch.ids(every.tolist()), pa.string())
        names = batch.indices().take(pa.array(every))
        part = _Part(table.take(every), ids, names)
        fitting = {
            (uuid, step): part.fitting(self.rules[uuid].join_keys(step), np.searchsorted(every, rows))
            for (uuid, step), rows in fits.items()
            if len(rows)
        }
        if kept is not None:
            self._keep(batch, fitting, every, part, kept)
        arrived = arrived[every]
        return [
            (uuid, self._remembered(self.rules[uuid], step, part, found, arrived[found.rows]))
            for (uuid, step), found in fitting.items()
        ]

    def _keep(
        self, batch: Joined, fitting: Mapping[Target, _Fitting], every: Rows, part: _Part, kept: KeptEvents
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
                kept.add(Place(*place), source, sure=is_sure)

    def _likely(self, rule: WatchedRule, found: _Fitting) -> npt.NDArray[np.bool_]:
        """Tell which events of a sequence's step will most likely be part of one.

        Those of a step that few events fit, and those that have a join key which such an event had.
        """
        rare = self._rare.setdefault(rule.uuid, deque(maxlen=_RARE_KEYS))
        if len(found.rows) <= _FEW:
            rare.extend(found.keys[found.joinable].tolist())
            return found.joinable
        return found.joinable & np.isin(found.keys, np.fromiter(rare, np.int64, len(rare)))

    def _selected(self, target: Target, rows: Rows, batch: Joined, table: EventTable) -> Rows:
        """Return those of a rule's rows that pass what its query asks of each by itself, beside its conditions."""
        uuid, _ = target
        pipeline = self.rules[uuid].ready.pipeline
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
        rule: WatchedRule,
        step: int,
        part: _Part,
        found: _Fitting,
        arrived: Times,
    ) -> pa.Table:
        table, times = part.table, arrived
        rows, keys, joinable = found
        if not joinable.all():
            rows, keys, times, arrived = rows[joinable], keys[joinable], times[joinable], arrived[joinable]
        if not rule.by_arrival:
            times, timed = _moments(table, rule.time_field, rows)
            if rule.falls_back:
                other, known = _moments(table, TIMESTAMP, rows)
                times, timed = np.where(timed, times, other), timed | known
            if not timed.all():
                rows, keys, times, arrived = rows[timed], keys[timed], times[timed], arrived[timed]
        ordering = rule.ready.ordering
        order, ordered = _moments(table, ordering.timestamp, rows)
        ties, tied = _moments(table, ordering.tiebreaker, rows)
        columns: list[pa.Array] = [
            pa.array(np.full(len(rows), step)),
            pa.array(times),
            pa.array(arrived),
            pa.array(np.where(ordered, order, times)),
            pa.array(np.where(tied, ties, NO_TIEBREAKER)),
            pa.array(keys),
            part.indices.take(pa.array(rows)),
            part.ids.take(pa.array(rows)),
        ]
        schema = self._schemas[rule.uuid]
        columns += (_lists(table, name, rows, schema.field(name).type) for name in rule.kept)
        return pa.Table.from_arrays(columns, schema=schema)


def _own_types(rule: WatchedRule, schema: Schema) -> Own:
    """Return the fields of a rule whose values it looks at as another type than a schema has."""
    found = []
    for name, mine in sorted(rule.fields.items()):
        known = schema.find(name)
        if known is not None and _AS_TEXT.get(known.type, known.type) != _AS_TEXT.get(mine.type, mine.type):
            found.append((name, mine.type))
    return tuple(found)


def _as_own(table: EventTable, own: Own) -> EventTable:
    """Return a table whose columns are of other types."""
    if not own:
        return table
    return table.typed(table.schema.extended(Field(name, kind) for name, kind in own))


def _patterns(rules: Iterable[WatchedRule]) -> list[str]:
    """Return patterns that take every index which a rule reads: those that exclude some narrow each rule alone."""
    found: dict[str, None] = {}
    for rule in rules:
        wanted = [p for p in rule.ready.index if not p.startswith("-")]
        found.update(dict.fromkeys(wanted or ["*"]))
    return list(found)


def _gather(found: dict[str, list[pa.Table]], rows: Future[list[tuple[str, pa.Table]]] | None) -> None:
    for uuid, part in () if rows is None else rows.result():
        found.setdefault(uuid, []).append(part)


class _Fitting(NamedTuple):
    """Events of a part that fit a step: where, a hash of their join keys, and which have every key they need."""

    rows: npt.NDArray[np.intp]
    keys: Times
    joinable: npt.NDArray[np.bool_]


class _Part:
    """The events of a batch that any rule fits."""

    def __init__(self, table: EventTable, ids: pa.Array, indices: pa.DictionaryArray) -> None:
        self.table, self.ids, self.indices = table, ids, indices
        self._hashes: dict[str, Times] = {}

    def fitting(self, fields: Sequence[s.FieldRef], rows: npt.NDArray[np.intp]) -> _Fitting:
        """Return some rows with a hash of their join keys, which are in some fields."""
        keys, joinable = np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
        several = np.zeros(len(rows), np.bool_)
        for field in fields:
            column = self.table.column(field.name)
            if column is None:
                codes = np.full(len(rows), -1, np.int64)
            elif column.offsets is None:
                codes = column.codes[rows]
            else:
                codes = column.take(rows).first_codes()
                several |= column.counts[rows] > 1
            if not field.optional:
                joinable &= codes >= 0
            keys = keys * 1_000_003 + self._hash(field.name, column)[codes]
        keys &= ~1
        keys[several] = m.ANY_KEY
        return _Fitting(rows, keys, joinable)

    def _hash(self, name: str, column: Column | None) -> Times:
        """Return the hashes of a column's values, with that of null behind."""
        if name not in self._hashes:
            values = [] if column is None else column.objects
            self._hashes[name] = np.append(m.hashes_of(values), 0)
        return self._hashes[name]


def _count(
    volume: Volume, batch: Joined, table: EventTable, arrived: Times, inside: npt.NDArray[np.bool_]
) -> None:
    """Count the events of a batch that lie within what is asked for."""
    times, _ = _moments(table, TIMESTAMP, np.arange(table.rows))
    for index, start, end in batch.parts():
        rows = start + np.flatnonzero(inside[start:end])
        if len(rows):
            volume.add(index, times[rows], arrived[rows])


def _arrivals(table: EventTable, rows: npt.NDArray[np.intp]) -> Times:
    """Return when events arrived; 0 for those of old tables, which were there before anything that is asked."""
    arrived, known = _moments(table, ARRIVAL, rows)
    return np.where(known, arrived, 0)


def _moments(table: EventTable, name: str, rows: npt.NDArray[np.intp]) -> tuple[Times, npt.NDArray[np.bool_]]:
    """Return a column of moments or other whole numbers at some rows, and where there is one."""
    return whole_numbers(table.column(name, distinct=False), rows)


def _within(times: Times, start: int | None, end: int | None) -> npt.NDArray[np.bool_]:
    inside = np.ones(len(times), np.bool_)
    if start is not None:
        inside &= times >= start
    if end is not None:
        inside &= times < end
    return inside


def _lists(table: EventTable, name: str, rows: npt.NDArray[np.intp], kind: pa.DataType) -> pa.Array:
    """Return a field's values in some rows as lists of one type; a value that is not of the type becomes null."""
    column = table.column(name)
    if column is None:
        return pa.nulls(len(rows), kind)
    taken = column.take(rows)
    values = column.values
    if pa.types.is_timestamp(kind.value_type) and pa.types.is_integer(values.type):
        values = pa.array(values.to_numpy(zero_copy_only=False), kind.value_type)
    elif values.type != kind.value_type:
        values = _cast(values, kind.value_type)
    present = taken.codes >= 0
    codes = taken.codes[present]
    counted = np.concatenate(([0], np.cumsum(present)))
    offsets = counted if taken.offsets is None else counted[taken.offsets]
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values.take(pa.array(codes)))


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_converted(value, kind) for value in values.to_pylist()], kind)


def _converted(value: object, kind: pa.DataType) -> object:
    try:
        return pa.scalar(value).cast(kind).as_py() if value is not None else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
