"""Expressions -> functions of a row's values, checked: every name known, every type one that the operator takes.

Three-valued: null is `None`, and an operator gives null for a field with several values, as Elasticsearch does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tocsin.ecs import FieldType
from tocsin.eql.functions import arithmetic
from tocsin.eql.scalar import compare, evaluator
from tocsin.eql.versions import Version
from tocsin.errors import Place, QueryError
from tocsin.esql import syntax as q
from tocsin.esql.dates import moved, span, to_moment
from tocsin.esql.functions.catalogue import ALIASES, FUNCTIONS, refusal
from tocsin.esql.functions.conversions import to_ip
from tocsin.esql.functions.function import Function, Many, address_order, by_address, several
from tocsin.esql.functions.words import fuzzy_distance, is_near
from tocsin.esql.patterns import PatternError, java_regex
from tocsin.esql.scope import ColumnScope, Kind, nearest
from tocsin.esql.searches import SEARCHES, fields_of_searches, is_search, search_test
from tocsin.esql.surrogates import SURROGATES
from tocsin.query_dsl.build import regexp, wildcard
from tocsin.query_dsl.context import Context, base_name
from tocsin.query_dsl.words import words
from tocsin.three_valued_logic import conjunction, disjunction, negation

Value = Any
Row = Sequence[Value]  # the values of an expression's columns, in the order of `columns_of`, and the time behind
Run = Callable[[Row], Value]
_NUMBERS = (FieldType.LONG, FieldType.DOUBLE)
_FAMILIES: Mapping[str, tuple[str, tuple[FieldType, ...]]] = {
    "k": ("a text", (FieldType.KEYWORD, FieldType.IP, FieldType.VERSION)),
    "n": ("a number", _NUMBERS),
    "b": ("a boolean", (FieldType.BOOLEAN,)),
    "d": ("a date", (FieldType.DATE,)),
}
_CASTS = {
    "string": "to_string", "keyword": "to_string", "text": "to_string", "long": "to_long", "integer": "to_integer",
    "int": "to_integer", "double": "to_double", "boolean": "to_boolean", "bool": "to_boolean", "ip": "to_ip",
    "version": "to_version", "datetime": "to_datetime", "date": "to_datetime",
}  # fmt: skip


# Searches for words in a column, with the options that each stands for.
WORD_SEARCHES: Mapping[str, Mapping[str, q.Scalar]] = {"match": {}, "match_phrase": {"phrase": True}, "term": {}}
# Functions that take more than the values of a row.
FORMS = ("case", "now", *WORD_SEARCHES, *SEARCHES)


class Compiled(NamedTuple):
    """An expression ready to run, its type, and the columns whose values it takes."""

    run: Run
    kind: Kind
    columns: tuple[str, ...]


def compile_expression(node: q.Expression, scope: ColumnScope) -> Compiled:
    """Return an expression ready to run. Raises QueryError."""
    columns = tuple(name for name in q.columns_of(node) if not scope.is_always_null(name))
    for name in fields_of_searches(node, scope.schema) if any(map(is_search, q.walk(node))) else ():
        if name not in columns and scope.field(name) is not None:
            scope.read[name] = None
            columns = (*columns, name)
    run, kind = _Compiler(scope, columns).of(node)
    return Compiled(run, kind, columns)


def compile_condition(node: q.Expression, scope: ColumnScope) -> Compiled:
    """Return a condition ready to run. Raises QueryError."""
    compiled = compile_expression(node, scope)
    if compiled.kind not in (FieldType.BOOLEAN, None):
        raise scope.refuse(f"a condition is true or false, and this is a {compiled.kind}", _place(node))
    return compiled


def _place(node: q.Expression) -> Place:
    return getattr(node, "place", q.NOWHERE)


class _Compiler:
    def __init__(self, scope: ColumnScope, columns: Sequence[str]) -> None:
        self.scope, self.columns = scope, columns

    def of(self, node: q.Expression) -> tuple[Run, Kind]:
        match node:
            case q.Literal(value):
                return _always(value), _kind_of(value)
            case q.Several(values):
                return _always(several(values)), _kind_of(values[0])
            case q.ColumnRef(name) if self.scope.is_always_null(name):
                return _always(None), self.scope.kind(node)
            case q.ColumnRef(name):
                at = self.columns.index(name)
                return lambda row: row[at], self.scope.kind(node)
            case q.Duration():
                raise self.scope.refuse("a span of time stands beside a date, or in date_trunc", node.place)
            case q.Not(operand):
                return negation(self._condition(operand)), FieldType.BOOLEAN
            case q.And(operands):
                return conjunction([self._condition(operand) for operand in operands]), FieldType.BOOLEAN
            case q.Or(operands):
                return disjunction([self._condition(operand) for operand in operands]), FieldType.BOOLEAN
            case q.IsNull(value):
                run, _ = self.of(value)
                return lambda row: run(row) is None, FieldType.BOOLEAN
            case q.Negative(operand):
                run, kind = self._typed(operand, "n")
                return lambda row: None if (number := _single(run(row))) is None else -number, kind
            case q.Cast(value, kind):
                if kind not in _CASTS:
                    raise self.scope.refuse(
                        f"there is no type `{kind}`", node.place, f"types are {', '.join(_CASTS)}"
                    )
                return self._function(q.Call(_CASTS[kind], (value,), place=node.place))
            case q.Like():
                return self._like(node)
            case q.MatchOperator(column, text):
                return self._match(column, text, {}, node.place)
            case q.In():
                return self._in(node), FieldType.BOOLEAN
            case q.Arithmetic(operator, left, right):
                return self._arithmetic(operator, left, right)
            case q.Comparison(operator, left, right):
                return self._comparison(operator, left, right, node.place), FieldType.BOOLEAN
            case q.Call():
                return self._function(node)

    def _condition(self, node: q.Expression) -> Run:
        run, kind = self.of(node)
        if kind not in (FieldType.BOOLEAN, None):
            raise self.scope.refuse(f"a condition is true or false, and this is a {kind}", _place(node))
        return lambda row: _single(run(row))

    def _typed(self, node: q.Expression, family: str) -> tuple[Run, Kind]:
        """Return an operand of one of a family's types; a text in place of a date or an address is read as one."""
        run, kind = self.of(node)
        if family in "aA" or kind is None:
            return run, kind
        wanted, kinds = _FAMILIES[family.lower()]
        if kind in kinds:
            return run, kind
        if family == "d" and isinstance(node, q.Literal) and (moment := _moment(node.value)) is not None:
            return _always(moment), FieldType.DATE
        raise self.scope.refuse(f"this has to be {wanted}, and is a {kind}", _place(node))

    # ---- operators

    def _comparison(self, operator: str, left: q.Expression, right: q.Expression, place: Place) -> Run:
        runs = [self.of(left), self.of(right)]
        nodes = (left, right)
        for mine, other in ((0, 1), (1, 0)):
            node, kind = nodes[other], runs[mine][1]
            if not isinstance(node, q.Literal) or not isinstance(node.value, str):
                continue
            if kind is FieldType.DATE:
                runs[other] = self._typed(node, "d")
            elif kind is FieldType.IP:
                runs[other] = _always(self._address(node)), FieldType.IP
            elif kind is FieldType.VERSION:
                runs[other] = _always(Version(node.value)), FieldType.VERSION
        (a, kind_a), (b, kind_b) = runs
        texts = {FieldType.KEYWORD, FieldType.IP, FieldType.VERSION}
        same = kind_a == kind_b or {kind_a, kind_b} <= set(_NUMBERS) or {kind_a, kind_b} <= texts
        if None not in (kind_a, kind_b) and not same:
            raise self.scope.refuse(
                f"a {kind_a} is compared with a {kind_b}", place, "to_string and the like convert one of them"
            )
        if operator == "=~":
            return lambda row: compare("==", _folded(a(row)), _folded(b(row)))
        if FieldType.IP in (kind_a, kind_b) and operator not in ("==", "!="):
            return lambda row: _in_order(operator, _single(a(row)), _single(b(row)))
        if FieldType.VERSION in (kind_a, kind_b):
            return lambda row: compare(operator, _version(_single(a(row))), _single(b(row)))
        return lambda row: compare(operator, _single(a(row)), _single(b(row)))

    def _address(self, node: q.Literal) -> str:
        address = to_ip(str(node.value))
        if address is None:
            raise self.scope.refuse(
                f"'{node.value}' is not an IP string literal", node.place, "cidr_match takes blocks of addresses"
            )
        return address

    def _in(self, node: q.In) -> Run:
        run, kind = self.of(node.value)
        tests = [self._comparison("==", node.value, item, node.place) for item in node.items]
        texts = [item.value for item in node.items if isinstance(item, q.Literal) and isinstance(item.value, str)]
        if kind is not FieldType.KEYWORD or len(texts) < len(node.items):
            return disjunction(tests)
        wanted = frozenset(texts)  # lists of hundreds of names are usual
        return lambda row: None if (value := _single(run(row))) is None else value in wanted

    def _arithmetic(self, operator: str, left: q.Expression, right: q.Expression) -> tuple[Run, Kind]:
        size = _span_of(right)
        if size is not None and operator in "+-":
            run, kind = self._typed(left, "d")
            sign = 1 if operator == "+" else -1
            return lambda row: None if (at := _single(run(row))) is None else moved(at, size, sign), kind
        (a, kind_a), (b, kind_b) = self._typed(left, "n"), self._typed(right, "n")
        kind = FieldType.DOUBLE if FieldType.DOUBLE in (kind_a, kind_b) else FieldType.LONG
        return lambda row: arithmetic(operator, _single(a(row)), _single(b(row))), kind

    def _like(self, node: q.Like) -> tuple[Run, Kind]:
        run, _ = self._typed(node.value, "k")
        tests: list[Run] = []
        for pattern in node.patterns:
            try:
                condition = (regexp if node.regex else wildcard)("value", pattern)
            except QueryError as error:
                raise self.scope.refuse(error.message, node.place) from None
            tests.append(evaluator(condition, {"value": 0}))

        def holds(row: Row) -> Value:
            value = _single(run(row))
            return None if value is None else any(test([value]) is True for test in tests)

        return holds, FieldType.BOOLEAN

    def _match(
        self, column: q.ColumnRef, text: q.Scalar, options: Mapping[str, q.Scalar], place: Place
    ) -> tuple[Run, Kind]:
        """Return that a column has a word; as a query of Lucene's it is never null."""
        run, _ = self.of(column)
        name = base_name(column.name)
        if "fuzziness" in options:
            word = str(text)
            most = fuzzy_distance(options["fuzziness"], word)
            return lambda row: any(is_near(word, str(v), most) for v in _whole(run(row))), FieldType.BOOLEAN
        try:
            every = str(options.get("operator", "or")).lower() == "and"
            context, phrase = Context(self.scope.schema), options.get("phrase") is True
            condition = words(column.name, text, context, every=every, phrase=phrase)
        except QueryError as error:
            raise self.scope.refuse(error.message, place) from None
        holds = evaluator(condition, {name: 0, column.name: 0})
        return lambda row: any(holds([v]) is True for v in _whole(run(row))), FieldType.BOOLEAN

    # ---- functions

    def _function(self, node: q.Call) -> tuple[Run, Kind]:
        name, scope = node.name, self.scope
        if name == "now":
            return lambda row: row[-1], FieldType.DATE
        if name == "case":
            return self._case(node)
        if name in WORD_SEARCHES:
            column, text = (*node.arguments, None, None)[:2]
            if not isinstance(column, q.ColumnRef) or not isinstance(text, q.Literal):
                raise scope.refuse(f"{name} takes a column and a text", node.place)
            return self._match(column, text.value, {**WORD_SEARCHES[name], **dict(node.options)}, node.place)
        if is_search(node):
            try:
                holds = search_test(scope.check_search(node), self.columns)
            except QueryError as error:
                raise scope.refuse(f"in {name}: {error.message}", node.place, error.hint) from None
            return holds, FieldType.BOOLEAN
        name = ALIASES.get(name, name)
        function = FUNCTIONS.get(name)
        if function is None:
            reason = refusal(name)
            if reason is not None:
                raise scope.refuse(f"`{name}` is not supported: {reason}", node.place)
            near = nearest(name, (*FUNCTIONS, *FORMS, *SURROGATES))
            hint = f"did you mean {' or '.join(near[:2])}?" if near else ""
            raise scope.refuse(f"there is no function `{name}`", node.place, hint)
        if function.otherwise is not None and node.arguments:
            _, first = self.of(node.arguments[0])
            own = first is None or first in _FAMILIES[function.parameters[0]][1]
            function = function if own else function.otherwise
        runs, kinds = self._arguments(node, function)
        kind = kinds[function.returns] if isinstance(function.returns, int) else function.returns
        if kind is FieldType.IP and isinstance(function.returns, int):
            function = replace(function, apply=by_address(function.apply))
        return _applied(function, runs), kind

    def _arguments(self, node: q.Call, function: Function) -> tuple[list[Run], list[Kind]]:
        given = node.arguments
        most = len(function.parameters)
        required = most if function.required is None else function.required
        if len(given) < required or (len(given) > most and not function.variadic):
            wanted = str(required) if required == most else f"{required} to {most}"
            wanted = f"at least {required}" if function.variadic else wanted
            raise self.scope.refuse(f"{node.name} takes {wanted} arguments, and has {len(given)}", node.place)
        misused = function.misused(given) if function.misused is not None else None
        if misused is not None:
            raise self.scope.refuse(misused, node.place)
        runs: list[Run] = []
        kinds: list[Kind] = []
        for place, argument in enumerate(given):
            family = function.parameters[min(place, most - 1)]
            size = _span_of(argument) if family in "sp" else None
            if size is not None:
                runs.append(_always(size))
                kinds.append(None)
                continue
            if family == "s":
                raise self.scope.refuse("this has to be a span of time, as in 5 minutes", _place(argument))
            family = "n" if family == "p" else family
            if family.isupper() and isinstance(argument, q.Literal) and node.name in ("replace", "split"):
                try:
                    java_regex(str(argument.value))
                except PatternError as error:
                    raise self.scope.refuse(str(error), argument.place) from None
            run, kind = self._typed(argument, family.lower())
            runs.append(run)
            kinds.append(kind)
        if function.returns == 0 and kinds and kinds[0] is None:
            kinds[0] = next((kind for kind in kinds if kind is not None), None)
        return runs, kinds

    def _case(self, node: q.Call) -> tuple[Run, Kind]:
        given = node.arguments
        if len(given) < 2:
            raise self.scope.refuse("case takes a condition and a value at least", node.place)
        pairs = [(self._condition(c), *self.of(v)) for c, v in zip(given[0::2], given[1::2], strict=False)]
        default, kind = self.of(given[-1]) if len(given) % 2 else (_always(None), None)
        kinds = [*(kind for *_, kind in pairs), kind]

        def chosen(row: Row) -> Value:
            for holds, value, _ in pairs:
                if holds(row) is True:
                    return value(row)
            return default(row)

        return chosen, next((kind for kind in kinds if kind is not None), None)


def _applied(function: Function, runs: Sequence[Run]) -> Run:
    apply = function.apply
    if function.many is Many.WHOLE:
        return lambda row: apply(*(_whole(run(row)) for run in runs))

    def of_values(row: Row) -> Value:
        values = [run(row) for run in runs]
        if any(isinstance(value, tuple) for value in values):
            if function.many is Many.EACH and len(values) == 1:
                return several([result for value in values[0] if (result := apply(value)) is not None])
            values = [_single(value) for value in values]
        if not function.nulls and any(value is None for value in values):
            return None
        return apply(*values)

    return of_values


def _always(value: Value) -> Run:
    return lambda row: value


def _span_of(node: q.Expression) -> q.Duration | None:
    """Return the span of time that a constant is; a text in its place is read as one."""
    if isinstance(node, q.Literal) and isinstance(node.value, str):
        return span(node.value)
    return node if isinstance(node, q.Duration) else None


def _single(value: Value) -> Value:
    """Return a field's value, null where it has several."""
    return None if isinstance(value, tuple) else value


def _version(value: Value) -> Value:
    return Version(value) if isinstance(value, str) else value


def _whole(value: Value) -> tuple[Value, ...]:
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _in_order(operator: str, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    return compare(operator, address_order(left).number, address_order(right).number)


def _folded(value: Value) -> Value:
    return value.lower() if isinstance(value, str) else None


def _kind_of(value: Value) -> Kind:
    kinds = {bool: FieldType.BOOLEAN, int: FieldType.LONG, float: FieldType.DOUBLE, str: FieldType.KEYWORD}
    return kinds.get(type(value))


def _moment(value: Value) -> int | None:
    return to_moment(value) if isinstance(value, str) else None
