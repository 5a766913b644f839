"""A query ready to run: its commands as functions from table to table, checked against the known fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any, NamedTuple

import numpy as np

from tocsin.ecs import FieldType, Schema
from tocsin.eql import syntax as s
from tocsin.eql.versions import version_key
from tocsin.errors import QueryError
from tocsin.esql import syntax as q
from tocsin.esql.compile import compile_condition, compile_expression
from tocsin.esql.evaluate import evaluate, true_rows
from tocsin.esql.functions.function import address_order, several, shown
from tocsin.esql.parse import parse
from tocsin.esql.patterns import Parts, PatternError, bounded_patterns, dissect, grok
from tocsin.esql.prefilter import extracted, prefilter
from tocsin.esql.scope import METADATA, ColumnScope, Kind
from tocsin.esql.searches import is_search
from tocsin.esql.stats import StatsGrouping, grouping
from tocsin.esql.table import Codes, Table, Value, Values, combinations
from tocsin.esql.uri_parts import URI_PARTS, uri_parts
from tocsin.linear_regex import star_match
from tocsin.query_dsl.context import base_name

Run = Callable[[Table, int], Table]  # the time of `now()` in nanoseconds


class PipelineStep(NamedTuple):
    """A command ready to run; `local` says that it looks at one row at a time, whatever the time is."""

    run: Run
    local: bool


@dataclass(frozen=True)
class Pipeline:
    """A query ready to run.

    `prefilter` is what every event must meet that it may take; `fields` are those of events that it reads, `nulls`
    those that are null in each; `kinds` the types of the columns that it makes. An `aggregating` query makes one
    row of many events.
    """

    query: q.Query
    prefilter: s.Expression
    fields: tuple[str, ...]
    kinds: Mapping[str, Kind]
    steps: tuple[PipelineStep, ...]
    aggregating: bool
    nulls: tuple[str, ...] = ()

    def select(self, table: Table) -> Codes:
        """Return the numbers of the events that pass the commands which look at one row at a time."""
        table = table.with_nulls(self.nulls)
        with bounded_patterns():
            for step in self.steps:
                if not step.local or not table.rows:
                    break
                table = step.run(table, 0)
        return table.events

    def run(self, table: Table, now: int) -> Table:
        """Return what becomes of a table of events at a moment (nanoseconds since 1970)."""
        table = table.with_nulls(self.nulls)
        with bounded_patterns():
            for step in self.steps:
                table = step.run(table, now)
        return table

    def row(self, table: Table, row: int) -> dict[str, Any]:
        """Return the columns that the query has made, in one row of its result, as JSON has them; no nulls."""
        values = {name: shown(table.column(name).of(row), self.kinds[name]) for name in sorted(table.made)}
        return {name: value for name, value in values.items() if value is not None}


def read_esql(text: str, schema: Schema, *, unmapped: str | None = None) -> Pipeline:
    """Return a query ready to run. Raises QueryError with line, column and hint.

    `unmapped` says what a field is that no index has, in the place of what the query's own setting says.
    """
    query = parse(text)
    for name in query.metadata:
        if name not in METADATA:
            raise QueryError(f"there is no metadata `{name}`", hint=f"there is {', '.join(METADATA)}", text=text)
    scope = ColumnScope(schema, text, query.metadata, unmapped=unmapped or query.unmapped)
    steps: list[PipelineStep] = []
    aggregating = False
    for command in query.commands:
        timed = any(q.calls(node, "now") for node in _expressions(command))
        run = _STEPS[type(command)](command, scope)
        steps.append(PipelineStep(run, isinstance(command, _LOCAL) and not timed))
        scope.in_prefilter &= not isinstance(command, (q.Stats, q.Limit))
        aggregating |= isinstance(command, q.Stats) and not command.inline
    fields = tuple(dict.fromkeys(name if name in METADATA else base_name(name) for name in scope.read))
    condition = prefilter(query.commands, schema)
    return Pipeline(query, condition, fields, dict(scope.made), tuple(steps), aggregating, tuple(scope.nulls))


_LOCAL = (q.Where, q.Eval, q.Keep, q.Rename, q.Extract, q.UriParts)


def _expressions(command: q.Command) -> list[q.Expression]:
    match command:
        case q.Where(condition):
            return [condition]
        case q.Eval(columns):
            return [expression for _, expression in columns]
        case q.Extract(value) | q.UriParts(_, value):
            return [value]
        case _:
            return []


# ---- commands


def _where(command: q.Where, scope: ColumnScope) -> Run:
    whole = command.condition
    conditions = [
        compile_condition(operand, scope)
        for operand in (whole.operands if isinstance(whole, q.And) else (whole,))
        # Whoever evaluates the query's prefilter has answered a search beside `and` already.
        if not _is_answered(operand, scope)
    ]
    conditions.sort(key=lambda condition: len(condition.columns))

    def run(table: Table, now: int) -> Table:
        for condition in conditions:  # one by one: each reads few columns, which have few combinations of values
            rows = true_rows(condition, table, now)
            table = table if len(rows) == table.rows else table.take(rows)
        return table

    return run


def _is_answered(node: q.Expression, scope: ColumnScope) -> bool:
    """Tell whether an operand of `where` is a search in another language over events. Raises QueryError."""
    if not isinstance(node, q.Call) or not is_search(node):
        return False
    scope.check_search(node)
    return scope.in_prefilter


def _eval(command: q.Eval, scope: ColumnScope) -> Run:
    compiled = []
    for name, expression in command.columns:
        definition = compile_expression(expression, scope)
        scope.made[name] = definition.kind
        compiled.append((name, definition))

    def run(table: Table, now: int) -> Table:
        for name, definition in compiled:
            table = table.defined({name: evaluate(definition, table, now)})
        return table

    return run


def _keep(command: q.Keep, scope: ColumnScope) -> Run:
    wanted = [star_match(p.name) for p in command.patterns]

    def named(name: str) -> bool:
        return any(fits(name) for fits in wanted) is not command.drop

    for pattern in command.patterns:
        if "*" not in pattern.name:
            scope.check(pattern)
    before = scope.visible
    if before is not None:
        scope.visible = lambda name: before(name) and named(name)
    gone = [name for name in scope.made if not named(name)]
    for name in gone:
        del scope.made[name]
    return lambda table, now: table.without(gone) if gone else table


def _rename(command: q.Rename, scope: ColumnScope) -> Run:
    for old, new in command.names:
        scope.made[new] = scope.kind(q.ColumnRef(old))
        scope.made.pop(old, None)
        _hide(scope, old)

    def run(table: Table, now: int) -> Table:
        for old, new in command.names:
            table = table.defined({new: table.column(old)}).without([old])
        return table

    return run


def _hide(scope: ColumnScope, name: str) -> None:
    before = scope.visible
    if before is not None:
        scope.visible = lambda other: other != name and before(other)


def _extract(command: q.Extract, scope: ColumnScope) -> Run:
    value = compile_expression(command.value, scope)
    if value.kind not in (FieldType.KEYWORD, FieldType.IP, None):
        raise scope.refuse(f"patterns are for texts, and this is a {value.kind}", command.place)
    try:
        if command.dissect:
            parts = [dissect(pattern, command.separator) for pattern in command.patterns]
        else:
            parts = [grok(pattern) for pattern in command.patterns]
        kinds = extracted(command)
    except PatternError as error:
        raise scope.refuse(str(error), command.place) from None
    scope.made.update(kinds)

    def run(table: Table, now: int) -> Table:
        texts = evaluate(value, table, now)
        matches = [_parts(text, parts, kinds) for text in texts.values]
        return table.defined({name: Values(texts.codes, [match.get(name) for match in matches]) for name in kinds})

    return run


def _uri_parts(command: q.UriParts, scope: ColumnScope) -> Run:
    value = compile_expression(command.value, scope)
    if value.kind not in (FieldType.KEYWORD, None):
        raise scope.refuse(f"a URI is a text, and this is a {value.kind}", command.place)
    names = {f"{command.prefix}.{part}": part for part in URI_PARTS}
    scope.made.update({name: URI_PARTS[part] for name, part in names.items()})

    def run(table: Table, now: int) -> Table:
        texts = evaluate(value, table, now)
        uris = [uri_parts(text) if isinstance(text, str) else {} for text in texts.values]
        return table.defined(
            {name: Values(texts.codes, [uri.get(part) for uri in uris]) for name, part in names.items()}
        )

    return run


_TYPED: Mapping[FieldType, Callable[[str], Value]] = {FieldType.LONG: int, FieldType.DOUBLE: float}


def _parts(text: Value, parts: Sequence[Parts], kinds: Mapping[str, FieldType]) -> dict[str, Value]:
    """Return what patterns take out of a text; of a field with several values, out of each."""
    gathered: dict[str, list[Value]] = {}
    for string in () if text is None else text if isinstance(text, tuple) else (text,):
        match = next((m for m in (part.apply(str(string)) for part in parts) if m is not None), {})
        for name, value in match.items():
            try:
                gathered.setdefault(name, []).append(_TYPED.get(kinds[name], str)(value))
            except ValueError:
                continue
    return {name: several(values) for name, values in gathered.items()}


def _stats(command: q.Stats, scope: ColumnScope) -> Run:
    groups = [(name, compile_expression(expression, scope)) for name, expression in command.by]
    made = grouping(command.aggregates, scope)
    kinds: dict[str, Kind] = {**made.kinds, **{name: compiled.kind for name, compiled in groups}}
    if command.inline:
        scope.made.update(kinds)
    else:
        scope.made, scope.visible = kinds, None

    def run(table: Table, now: int) -> Table:
        columns = {name: evaluate(compiled, table, now) for name, compiled in groups}
        return (_inline if command.inline else _grouped)(made, columns, table, now)

    return run


def _split(columns: Mapping[str, Values], table: Table) -> tuple[Codes, Codes, list[Values]]:
    """Return the rows of each group's members, their groups' numbers, and the columns that make groups.

    A row with several values of a column is in the group of each.
    """
    rows, spread = np.arange(table.rows), list[Values]()
    for column in columns.values():
        again, values = column.take(rows).distinct().spread()
        spread = [*(earlier.take(again) for earlier in spread), values]
        rows = rows[again]
    spread = [column.distinct() for column in spread]
    codes, numbers = combinations(spread, len(rows))
    # Groups are numbered by their first row, whatever the values are.
    first = np.full(len(codes), len(rows), np.int64)
    np.minimum.at(first, numbers, np.arange(len(rows)))
    order = np.argsort(first, kind="stable")
    renumbered = np.empty_like(order)
    renumbered[order] = np.arange(len(order))
    of_groups = [Values(codes[order, place], column.values) for place, column in enumerate(spread)]
    return rows, renumbered[numbers], of_groups


def _grouped(made: StatsGrouping, columns: Mapping[str, Values], table: Table, now: int) -> Table:
    rows, numbers, of_groups = _split(columns, table)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    order = np.argsort(numbers, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(numbers, minlength=count))[:-1]) if count else []
    results = made.values(table, rows, numbers, count, now)
    keyed = dict(zip(columns, of_groups, strict=True))
    events = tuple(np.unique(np.concatenate([table.events_of(row) for row in part.tolist()])) for part in parts)
    keys = tuple({name: values.of(group) for name, values in keyed.items()} for group in range(count))
    every = {**results, **keyed}
    return Table(count, table.load, np.zeros(0, np.int64), every, frozenset(every), events, keys)


def _inline(made: StatsGrouping, columns: Mapping[str, Values], table: Table, now: int) -> Table:
    rows, numbers, _ = _split(columns, table)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    results = made.values(table, rows, numbers, count, now)
    of_row = np.full(table.rows, -1, np.int64)
    of_row[rows[::-1]] = numbers[::-1]  # of several groups the first
    inside = of_row >= 0
    given = {
        name: Values(np.where(inside, values.codes[of_row] if count else -1, -1), values.values)
        for name, values in results.items()
    }
    return table.defined({**given, **columns})


def _sort(command: q.Sort, scope: ColumnScope) -> Run:
    keys = [(compile_expression(key.expression, scope), key) for key in command.keys]

    def run(table: Table, now: int) -> Table:
        columns = [(evaluate(compiled, table, now), compiled.kind, key) for compiled, key in keys]

        def compared(first: int, second: int) -> int:
            for values, kind, key in columns:
                a, b = (_ordered(values.of(row), kind, key) for row in (first, second))
                if a is None or b is None:
                    if a is not b:
                        return -1 if (a is None) is key.nulls_first else 1
                elif a != b:
                    return -1 if (a < b) is not key.descending else 1
            return first - second

        order = sorted(range(table.rows), key=cmp_to_key(compared))
        return table.take(np.array(order, np.int64))

    return run


def _ordered(value: Value, kind: Kind, key: q.SortKey) -> Value:
    """Return what a value is ordered by: of several the smallest, or the largest of a descending order."""
    if kind is FieldType.IP and value is not None:
        value = tuple(map(address_order, value)) if isinstance(value, tuple) else address_order(value)
    if kind is FieldType.VERSION and value is not None:
        value = tuple(map(version_key, value)) if isinstance(value, tuple) else version_key(value)
    return (max if key.descending else min)(value) if isinstance(value, tuple) else value


def _expand(command: q.Expand, scope: ColumnScope) -> Run:
    name = command.column.name
    scope.made[name] = scope.kind(command.column)

    def run(table: Table, now: int) -> Table:
        rows, values = table.column(name).spread()
        return table.take(rows).defined({name: values})

    return run


def _limit(command: q.Limit, scope: ColumnScope) -> Run:
    if command.by:
        return _limit_of_groups(command, scope)
    return lambda table, now: table if table.rows <= command.rows else table.take(np.arange(command.rows))


def _limit_of_groups(command: q.Limit, scope: ColumnScope) -> Run:
    keys = [compile_expression(expression, scope) for expression in command.by]

    def run(table: Table, now: int) -> Table:
        columns = [evaluate(key, table, now).distinct() for key in keys]
        _, numbers = combinations(columns, table.rows)
        seen: Counter[int] = Counter()
        kept = []
        for row, number in enumerate(numbers.tolist()):
            seen[number] += 1
            if seen[number] <= command.rows:
                kept.append(row)
        return table.take(np.array(kept, np.int64))

    return run


_STEPS: Mapping[type, Callable[[Any, ColumnScope], Run]] = {
    q.Where: _where,
    q.Eval: _eval,
    q.Keep: _keep,
    q.Rename: _rename,
    q.Extract: _extract,
    q.UriParts: _uri_parts,
    q.Stats: _stats,
    q.Sort: _sort,
    q.Limit: _limit,
    q.Expand: _expand,
}
