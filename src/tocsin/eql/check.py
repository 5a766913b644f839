"""The checker: every name known, every type fitting, every sequence well formed; errors name the nearest fit."""

from __future__ import annotations

import difflib
from typing import NoReturn

from tocsin.addresses import span_of
from tocsin.ecs import Field, FieldType, Schema
from tocsin.eql import syntax as s
from tocsin.eql.functions import FUNCTIONS, PATTERN_NAMES, Function
from tocsin.eql.strings import UnsupportedPattern, lucene_to_regex
from tocsin.errors import Place, QueryError, UnknownFieldError

_KINDS = {
    FieldType.KEYWORD: "string",
    FieldType.LONG: "number",
    FieldType.DOUBLE: "number",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.IP: "ip",
    FieldType.VERSION: "version",
    FieldType.OBJECT: "any",
}
# Which kinds may be compared with which, beyond their own and `any`.
_COMPARABLE = {
    ("date", "string"),
    ("date", "number"),
    ("ip", "string"),
    ("version", "string"),
}
_EVENT_PIPES = ("head", "tail", "count", "unique", "unique_count", "filter", "sort")
_SEQUENCE_PIPES = ("head", "tail")
_COUNT_FIELDS = (
    Field("count", FieldType.LONG),
    Field("percent", FieldType.DOUBLE),
    Field("key", FieldType.KEYWORD, many=True),
)


def check(statement: s.Statement, schema: Schema, text: str = "") -> None:
    """Check a statement against a schema. Raises QueryError at the first fault, placed in `text`."""
    _Checker(schema, text).statement(statement)


class _Checker:
    def __init__(self, schema: Schema, text: str) -> None:
        self.schema, self.text = schema, text

    def fail(self, message: str, place: Place, hint: str = "") -> NoReturn:
        raise QueryError(message, hint=hint, place=place, text=self.text)

    # ---- statements

    def statement(self, statement: s.Statement) -> None:
        query = statement.query
        for event in s.event_queries(query):
            self.condition(event.condition)
        if isinstance(query, s.Sequence | s.Sample):
            self.keys(query)
        self.pipes(statement)

    def condition(self, node: s.Expression) -> None:
        kind = self.kind(node)
        if kind not in ("boolean", "any", "null"):
            hint = "compare it with something, as in `… == 1`"
            self.fail(f"a condition must be true or false, and this is a {kind}", node.place, hint)

    def keys(self, query: s.Sequence | s.Sample) -> None:
        until = (query.until,) if isinstance(query, s.Sequence) and query.until else ()
        steps = (*query.steps, *until)
        expected = len(query.by) + len(steps[0].by)
        for step in steps:
            if len(query.by) + len(step.by) != expected:
                count = len(query.by) + len(step.by)
                message = f"every step needs the same number of join keys: expected {expected}, found {count}"
                self.fail(message, step.place, "give each step a `by` with as many fields")
        for position in range(len(steps[0].by)):
            first = self.kind(steps[0].by[position])
            for step in steps[1:]:
                kind = self.kind(step.by[position])
                if not _comparable(first, kind):
                    message = f"join keys of different types: {first} and {kind}"
                    self.fail(message, step.by[position].place)
        for key in query.by:
            self.kind(key)
        if isinstance(query, s.Sample):
            if not expected:
                self.fail("a sample needs join keys", query.place, "write `sample by host.id …`")
            return
        if query.until and query.until.missing:
            self.fail("`until` cannot be a missing event", query.until.place)
        if any(step.missing for step in query.steps):
            if query.maxspan is None:
                hint = "write `sequence by … with maxspan=5m`"
                self.fail("a sequence with a missing event needs maxspan", query.place, hint)
            if all(step.missing for step in query.steps):
                self.fail("a sequence needs at least one event that is not missing", query.place)

    def pipes(self, statement: s.Statement) -> None:
        plain = isinstance(statement.query, s.EventQuery)
        allowed = _EVENT_PIPES if plain else _SEQUENCE_PIPES
        schema = self.schema
        for pipe in statement.pipes:
            if pipe.name not in allowed:
                near = difflib.get_close_matches(pipe.name, allowed, n=1)
                what = "event queries" if plain else "sequences and samples"
                hint = f"did you mean `{near[0]}`?" if near else f"{what} take {', '.join(allowed)}"
                self.fail(f"no pipe `{pipe.name}` for {what}", pipe.place, hint)
            self.pipe_arguments(pipe)
            if pipe.name in ("count", "unique_count"):
                self.schema = self.schema.extended(_COUNT_FIELDS)
        self.schema = schema

    def pipe_arguments(self, pipe: s.Pipe) -> None:
        if pipe.name in ("head", "tail"):
            value = pipe.arguments[0] if len(pipe.arguments) == 1 else None
            number = value.value if isinstance(value, s.Literal) else None
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                self.fail(f"`{pipe.name}` takes one positive whole number", pipe.place, f"`| {pipe.name} 10`")
            return
        if pipe.name == "filter":
            if len(pipe.arguments) != 1:
                self.fail("`filter` takes one condition", pipe.place)
            self.condition(pipe.arguments[0])
            return
        if not pipe.arguments and pipe.name != "count":
            self.fail(f"`{pipe.name}` needs a field", pipe.place, f"`| {pipe.name} process.name`")
        for argument in pipe.arguments:
            self.kind(argument)

    # ---- expressions

    def kind(self, node: s.Expression) -> str:
        """Return the kind of an expression's value; checks everything below it."""
        match node:
            case s.Literal(value):
                return _literal_kind(value)
            case s.FieldRef():
                return self.field(node)
            case s.Comparison():
                self.comparison(node)
            case s.Membership(value, items):
                kind = self.kind(value)
                for item in items:
                    self.compatible(kind, self.kind(item), item.place)
                    self.address_literals(value, item)
            case s.PatternMatch():
                self.pattern_match(node)
            case s.IsNull(value):
                self.kind(value)
            case s.Arithmetic(operator, left, right):
                for operand in (left, right):
                    self.expect("number", operand, f"`{operator}`")
                return "number"
            case s.Negative(operand):
                self.expect("number", operand, "`-`")
                return "number"
            case s.Call():
                return self.call(node)
            case s.Not(operand):
                self.condition(operand)
            case s.And(operands) | s.Or(operands):
                for operand in operands:
                    self.condition(operand)
        return "boolean"

    def field(self, node: s.FieldRef) -> str:
        known = self.schema.find(node.name)
        if known is not None:
            return _KINDS[known.type]
        if node.optional:
            return "any"
        near = self.schema.nearest(node.name)
        suggestion = " or ".join(f"`{name}`" for name in near)
        hint = f"did you mean {suggestion}? " if near else ""
        raise UnknownFieldError(
            f"unknown field `{node.name}`",
            field=node.name,
            hint=f"{hint}Write `?{node.name}` for a field that need not exist",
            place=node.place,
            text=self.text,
        )

    def comparison(self, node: s.Comparison[s.Expression]) -> None:
        left, right = self.kind(node.left), self.kind(node.right)
        self.compatible(left, right, node.place)
        self.address_literals(node.left, node.right)
        self.address_literals(node.right, node.left)
        ordered = node.operator not in ("==", "!=")
        if ordered and "boolean" in (left, right):
            self.fail(f"`{node.operator}` does not order booleans", node.place, "use `==` or `!=`")
        if ordered and "ip" in (left, right):
            constant = node.right if left == "ip" else node.left
            if not isinstance(constant, s.Literal) or "/" in str(constant.value):
                hint = "compare it with one address, or use cidrMatch(field, block)"
                self.fail(f"`{node.operator}` orders an address beside a constant one", node.place, hint)

    def address_literals(self, node: s.Expression, literal: s.Expression) -> None:
        """Refuse a constant beside a field of addresses that is neither an address nor a block."""
        if not isinstance(node, s.FieldRef) or not isinstance(literal, s.Literal) or self.kind(node) != "ip":
            return
        if isinstance(literal.value, str):
            self.address(literal.value, literal.place)

    def address(self, text: str, place: Place) -> None:
        try:
            if "-" in text:
                raise ValueError(f"'{text}' is not an IP string literal.")
            span_of(text)
        except ValueError as error:
            self.fail(str(error), place, 'as in "10.1.2.3", "2001:db8::1" or "10.0.0.0/8"')

    def compatible(self, left: str, right: str, place: Place) -> None:
        if not _comparable(left, right):
            hint = {
                frozenset(("string", "number")): "put the number in quotes, or convert with number(…)",
                frozenset(("string", "boolean")): "booleans are written true and false, without quotes",
            }.get(frozenset((left, right)), "")
            self.fail(f"a {left} cannot be compared with a {right}", place, hint)

    def pattern_match(self, node: s.PatternMatch) -> None:
        kind = self.kind(node.value)
        if kind not in ("string", "ip", "version", "any", "null"):
            self.fail(f"`:`, `like` and `regex` need a string, and this is a {kind}", node.place, "use `==`")
        for pattern in node.patterns:
            if not isinstance(pattern, str):
                self.fail(f"a string is matched against strings, not {pattern!r}", node.place, "use quotes")
            if node.kind == "regex":
                self.regex(pattern, node.place)

    def regex(self, pattern: str, place: Place) -> None:
        try:
            lucene_to_regex(pattern)
        except UnsupportedPattern as error:
            hint = "patterns are Lucene's regular expressions and match the whole value"
            self.fail(f"regular expression `{pattern}`: {error}", place, hint)

    def call(self, node: s.Call) -> str:
        name = node.name.lower()
        if name in PATTERN_NAMES:
            return self.pattern_call(node)
        function = FUNCTIONS.get(name)
        if function is None:
            known = [*(f.name for f in FUNCTIONS.values()), *PATTERN_NAMES]
            near = difflib.get_close_matches(node.name, known, n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
            self.fail(f"unknown function `{node.name}`", node.place, hint)
        if node.insensitive and not function.foldable:
            self.fail(f"`{function.name}` has no case-insensitive form", node.place, "leave the `~` out")
        self.arguments(node, function)
        return function.returns

    def arguments(self, node: s.Call, function: Function) -> None:
        given, most = len(node.arguments), len(function.parameters)
        if given < function.required or (given > most and not function.variadic):
            expected = (
                f"at least {function.required}"
                if function.variadic
                else str(most)
                if most == function.required
                else f"{function.required} to {most}"
            )
            self.fail(f"`{function.name}` takes {expected} arguments, not {given}", node.place)
        for position, argument in enumerate(node.arguments):
            self.expect(function.parameters[min(position, most - 1)], argument, f"`{function.name}`")
        if function.name == "cidrMatch":
            self.blocks(node.arguments[1:])

    def blocks(self, blocks: tuple[s.Expression, ...]) -> None:
        for block in blocks:
            if not isinstance(block, s.Literal):
                self.fail("cidrMatch takes constant blocks", block.place)
            self.address(str(block.value), block.place)

    def pattern_call(self, node: s.Call) -> str:
        if len(node.arguments) < 2:
            self.fail(f"`{node.name}` takes a value and at least one pattern", node.place)
        self.expect("string", node.arguments[0], f"`{node.name}`")
        for pattern in node.arguments[1:]:
            if not isinstance(pattern, s.Literal) or not isinstance(pattern.value, str):
                self.fail(f"`{node.name}` takes constant patterns", pattern.place)
            if PATTERN_NAMES[node.name.lower()] == "regex":
                self.regex(pattern.value, pattern.place)
        return "boolean"

    def expect(self, wanted: str, node: s.Expression, who: str) -> None:
        kind = self.kind(node)
        fits = (
            wanted in (kind, "any")
            or kind in ("any", "null")
            or (wanted, kind) in (("ip", "string"), ("string", "version"))
        )
        if not fits:
            self.fail(f"{who} needs a {wanted} here, and this is a {kind}", node.place)


def _literal_kind(value: s.Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _comparable(left: str, right: str) -> bool:
    if left == right or "any" in (left, right) or "null" in (left, right):
        return True
    return (left, right) in _COMPARABLE or (right, left) in _COMPARABLE
