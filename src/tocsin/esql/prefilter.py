"""The prefilter of a query: what every event must meet that it may take, for the evaluator that rules share.

The query's own conditions are stricter. They are null, for instance, for a field with several values, of which the
evaluator asks whether any passes. So the condition says no too seldom, and never too often.
"""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.ecs import FieldType, Schema
from tocsin.eql import syntax as s
from tocsin.eql.scalar import compare
from tocsin.errors import QueryError
from tocsin.esql import syntax as q
from tocsin.esql.patterns import dissect, grok
from tocsin.esql.searches import search_condition
from tocsin.esql.uri_parts import URI_PARTS
from tocsin.query_dsl.build import TRUE, all_of, any_of, between, exists, prefix, regexp, term, terms, wildcard
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.values import Bound
from tocsin.query_dsl.words import words

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def prefilter(commands: Sequence[q.Command], schema: Schema) -> s.Expression:
    """Return what events must meet that pass a query's first commands, up to one that looks at several rows."""
    reader = _PrefilterReader(Context(schema))
    conditions: list[s.Expression] = []
    for command in commands:
        match command:
            case q.Where(condition):
                conditions.append(reader.of(condition))
            case q.Eval(columns):
                for name, expression in columns:
                    reader.defined[name] = expression
            case q.Rename(names):
                for old, new in names:
                    reader.defined[new] = reader.defined.get(old) or q.ColumnRef(old)
                    reader.defined[old] = None
            case q.Extract():
                reader.defined.update(dict.fromkeys(extracted(command)))
            case q.UriParts(prefix):
                reader.defined.update(dict.fromkeys(f"{prefix}.{part}" for part in URI_PARTS))
            case q.Keep() | q.Expand() | q.Sort():
                pass
            case _:
                break
    return all_of(conditions)


def extracted(command: q.Extract) -> dict[str, FieldType]:
    """Return the columns that a `grok` or `dissect` makes, with their types. Raises PatternError."""
    columns: dict[str, FieldType] = {}
    for pattern in command.patterns:
        columns.update((dissect if command.dissect else grok)(pattern).columns)
    return columns


class _PrefilterReader:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.defined: dict[str, q.Expression | None] = {}  # columns of commands, None where that is no expression

    def of(self, node: q.Expression) -> s.Expression:
        """Return what must hold for a condition to be true."""
        try:
            return self._of(node)
        except QueryError:  # of a value that the field cannot have, say
            return TRUE

    def _of(self, node: q.Expression) -> s.Expression:
        match node:
            case q.Literal(bool() as truth):
                return s.Literal(truth)
            case q.And(operands):
                return all_of(condition for condition in map(self.of, operands) if condition != TRUE)
            case q.Or(operands):
                conditions = list(map(self.of, operands))
                return TRUE if TRUE in conditions else any_of(conditions)
            case q.Not(q.Call("kql" | "qstr") as search):
                return s.Not(search_condition(search, self.context.schema))
            case q.Not(q.IsNull(value)):
                return self._exists(value)
            case q.Not(q.In(value) | q.Like(value)):
                return self._exists(value)
            case q.Not(q.Comparison(_, left)):
                return self._exists(left)
            case q.Comparison(operator, left, q.Literal(value)) if value is not None:
                return self._compared(operator, left, value)
            case q.Comparison(operator, q.Literal(value), right) if value is not None:
                return self._compared(_FLIPPED.get(operator, operator), right, value)
            case q.In(value, items) if all(isinstance(item, q.Literal) for item in items):
                return any_of(self._equal(value, [item.value for item in items if isinstance(item, q.Literal)]))
            case q.Like(value, patterns, regex):
                return self._like(value, patterns, regex)
            case q.MatchOperator(column, text):
                name, _ = self._field(column)
                return TRUE if name is None else words(name, text, self.context)
            case q.Call("kql" | "qstr"):
                return search_condition(node, self.context.schema)
            case q.Call("match_phrase" | "term" as kind, (q.ColumnRef() as column, q.Literal(text))):
                name, _ = self._field(column)
                return TRUE if name is None else words(name, text, self.context, phrase=kind == "match_phrase")
            case q.Call("match", (q.ColumnRef() as column, q.Literal(text)), options):
                name, _ = self._field(column)
                if name is None:
                    return TRUE
                return exists(name) if options else words(name, text, self.context)
            case q.Call("starts_with", (value, q.Literal(str() as text))):
                name, insensitive = self._field(value)
                return TRUE if name is None else prefix(name, text, insensitive=insensitive)
            case q.Call("cidr_match", (value, *blocks)) if all(isinstance(b, q.Literal) for b in blocks):
                name, _ = self._field(value)
                if name is None or self.context.type_of(name) is not FieldType.IP:
                    return TRUE
                return any_of(term(name, b.value, self.context) for b in blocks if isinstance(b, q.Literal))
            case _:
                return TRUE

    def _field(self, node: q.Expression) -> tuple[str | None, bool]:
        """Return the field that an expression is, None for any other, and whether its letter case is lost."""
        insensitive = False
        while isinstance(node, q.Call) and node.name in ("to_lower", "to_upper", "to_ip", "to_string", "trim"):
            if node.name in ("to_string", "trim") or len(node.arguments) != 1:
                return None, False
            insensitive |= node.name != "to_ip"
            node = node.arguments[0]
        if not isinstance(node, q.ColumnRef) or node.name in self.defined or node.name.startswith("_"):
            return None, False
        return node.name, insensitive

    def _definition(self, node: q.Expression) -> q.Expression:
        seen = 0
        while isinstance(node, q.ColumnRef) and seen < 10:
            known = self.defined.get(node.name)
            if known is None or q.columns_of(known) == (node.name,):
                break
            node, seen = known, seen + 1
        return node

    def _exists(self, node: q.Expression) -> s.Expression:
        name, _ = self._field(node)
        return TRUE if name is None else exists(name)

    def _equal(self, node: q.Expression, values: Sequence[q.Scalar]) -> list[s.Expression]:
        name, insensitive = self._field(node)
        if name is None:
            return [TRUE]
        present = [value for value in values if value is not None]
        if insensitive:
            return [term(name, value, self.context, insensitive=True) for value in present]
        return [terms(name, present, self.context)]

    def _compared(self, operator: str, node: q.Expression, value: q.Scalar) -> s.Expression:
        definition = self._definition(node)
        if isinstance(definition, q.Call) and definition.name == "case":
            return self._case(operator, definition, value)
        name, insensitive = self._field(node)
        if name is None:
            return TRUE
        if operator in ("==", "=~"):
            conditions = self._equal(node, [value])
            return any_of(conditions) if operator == "==" else term(name, value, self.context, insensitive=True)
        if operator in _FLIPPED and not insensitive:
            return between(name, [Bound(operator, value)], self.context)
        return exists(name)

    def _case(self, operator: str, node: q.Call, value: q.Scalar) -> s.Expression:
        """Return that one of the conditions holds whose value compares as wanted."""
        given = node.arguments
        pairs = list(zip(given[0::2], given[1::2], strict=False))
        conditions = [
            self.of(c) for c, v in pairs if not isinstance(v, q.Literal) or _holds(operator, v.value, value)
        ]
        default = given[-1] if len(given) % 2 else q.Literal(None)
        if not isinstance(default, q.Literal) or _holds(operator, default.value, value):
            return TRUE
        return TRUE if TRUE in conditions else any_of(conditions)

    def _like(self, node: q.Expression, patterns: Sequence[str], regex: bool) -> s.Expression:
        name, insensitive = self._field(node)
        if name is None:
            return TRUE
        condition_of = regexp if regex else wildcard
        return any_of(condition_of(name, pattern, insensitive=insensitive) for pattern in patterns)


def _holds(operator: str, left: q.Scalar, right: q.Scalar) -> bool:
    return compare("==" if operator == "=~" else operator, left, right) is not False and left is not None
