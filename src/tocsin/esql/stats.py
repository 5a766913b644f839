"""What `stats` makes of groups of rows: functions over groups, and expressions over their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tocsin.ecs import FieldType
from tocsin.errors import QueryError
from tocsin.esql import syntax as q
from tocsin.esql.aggregations import AGGREGATIONS, AggregateFunction
from tocsin.esql.compile import Compiled, compile_condition, compile_expression
from tocsin.esql.evaluate import evaluate, true_rows
from tocsin.esql.functions.function import by_address
from tocsin.esql.scope import ColumnScope, Kind
from tocsin.esql.table import Codes, Table, Values, from_list


@dataclass(frozen=True)
class _Call:
    """One call of a function over groups: of a column's values, or (None) of rows; `order` is a second column."""

    aggregation: AggregateFunction
    of: Compiled | None
    extra: tuple[Any, ...]
    where: Compiled | None
    order: Compiled | None = None


@dataclass(frozen=True)
class StatsGrouping:
    """The columns that `stats` makes beside those that groups are made by."""

    calls: Mapping[str, _Call]
    results: Mapping[str, Compiled]  # over the calls
    kinds: Mapping[str, Kind]

    def values(self, table: Table, rows: Codes, groups: Codes, count: int, now: int) -> dict[str, Values]:
        """Return the columns, a row for each of `count` groups. `rows` are members, `groups` theirs."""
        of_calls: dict[str, Values] = {}
        for name, call in self.calls.items():
            mine, numbers = rows, groups
            if call.where is not None:
                kept = np.isin(rows, true_rows(call.where, table, now))
                mine, numbers = rows[kept], groups[kept]
            gathered: list[list[Any]] = [[] for _ in range(count)]
            if call.of is None:
                for number in numbers.tolist():
                    gathered[number].append(None)
            elif call.order is not None:
                column, order = (evaluate(compiled, table, now).take(mine) for compiled in (call.of, call.order))
                for row, number in enumerate(numbers.tolist()):
                    gathered[number].append((column.of(row), order.of(row)))
            else:
                again, column = evaluate(call.of, table, now).take(mine).spread()
                values = [*column.values, None]
                for number, code in zip(numbers[again].tolist(), column.codes.tolist(), strict=True):
                    if values[code] is not None:
                        gathered[number].append(values[code])
            of_calls[name] = from_list(call.aggregation.apply(group, *call.extra) for group in gathered)
        results = Table(count, table.load, np.arange(count), of_calls)
        return {name: evaluate(compiled, results, now) for name, compiled in self.results.items()}


def grouping(aggregates: Sequence[q.Aggregate], scope: ColumnScope) -> StatsGrouping:
    """Return what to compute of groups. Raises QueryError."""
    calls: dict[str, _Call] = {}
    results: dict[str, Compiled] = {}
    kinds: dict[str, Kind] = {}
    inner = ColumnScope(scope.schema, scope.text, made={}, visible=None)
    for aggregate in aggregates:
        where = None if aggregate.where is None else compile_condition(aggregate.where, scope)
        expression = _without_calls(aggregate.expression, where, scope, inner, calls)
        results[aggregate.name] = compile_expression(expression, inner)
        kinds[aggregate.name] = results[aggregate.name].kind
    return StatsGrouping(calls, results, kinds)


def _without_calls(
    node: q.Expression, where: Compiled | None, scope: ColumnScope, inner: ColumnScope, calls: dict[str, _Call]
) -> q.Expression:
    """Return an expression with a column in the place of each call of a function over groups."""
    match node:
        case q.Call(name) if name in AGGREGATIONS:
            call, kind = _call(node, where, scope)
            column = f"{len(calls)}"
            calls[column] = call
            inner.made[column] = kind
            return q.ColumnRef(column, node.place)
        case q.Call(_, arguments):
            changed = tuple(_without_calls(argument, where, scope, inner, calls) for argument in arguments)
            return replace(node, arguments=changed)
        case q.Comparison(_, left, right) | q.Arithmetic(_, left, right):
            first, second = (_without_calls(side, where, scope, inner, calls) for side in (left, right))
            return replace(node, left=first, right=second)
        case q.Negative(operand):
            return replace(node, operand=_without_calls(operand, where, scope, inner, calls))
        case q.Cast(value):
            return replace(node, value=_without_calls(value, where, scope, inner, calls))
        case q.ColumnRef(name):
            raise scope.refuse(
                f"`{name}` is neither in a function over groups nor behind `by`", node.place,
                f"functions over groups are {', '.join(AGGREGATIONS)}",
            )  # fmt: skip
        case _:
            return node


def _call(node: q.Call, where: Compiled | None, scope: ColumnScope) -> tuple[_Call, Kind]:
    aggregation = AGGREGATIONS[node.name]
    if node.name == "count" and (node.every or not node.arguments):
        return _Call(aggregation, None, (), where), FieldType.LONG
    if not node.arguments:
        raise scope.refuse(f"{node.name} takes a column", node.place)
    value, *extra = node.arguments
    order = _order(node, extra.pop(0) if extra else None, scope) if aggregation.order else None
    constants = [argument.value for argument in extra if isinstance(argument, q.Literal)]
    if len(constants) != len(extra) or len(extra) > len(aggregation.extra):
        raise _misused(node, scope)
    if len(extra) < len(aggregation.extra) - aggregation.optional:
        raise _misused(node, scope)
    of = compile_expression(value, scope)
    if aggregation.parameter == "n" and of.kind not in (FieldType.LONG, FieldType.DOUBLE, None):
        raise scope.refuse(f"{node.name} takes numbers, and this is a {of.kind}", node.place)
    returns = aggregation.returns
    if of.kind is FieldType.IP and isinstance(returns, int):
        aggregation = replace(aggregation, apply=by_address(aggregation.apply))
    return _Call(aggregation, of, tuple(constants), where, order), of.kind if isinstance(returns, int) else returns


def _order(node: q.Call, column: q.Expression | None, scope: ColumnScope) -> Compiled:
    """Return what a function's rows are ordered by. Raises QueryError."""
    if column is None:
        raise scope.refuse(f"{node.name} takes a column, and one that rows are ordered by", node.place)
    order = compile_expression(column, scope)
    if order.kind not in (FieldType.DATE, FieldType.LONG, FieldType.DOUBLE, None):
        raise scope.refuse(f"rows are ordered by a date or a number, and this is a {order.kind}", node.place)
    return order


def _misused(node: q.Call, scope: ColumnScope) -> QueryError:
    return scope.refuse(f"{node.name} does not take these arguments", node.place, "constants behind the column")
