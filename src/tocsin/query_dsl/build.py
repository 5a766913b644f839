"""Conditions on one field, as Elasticsearch's leaf queries mean them, in EQL's syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from tocsin.ecs import FieldType
from tocsin.eql import syntax as s
from tocsin.eql.functions import to_string
from tocsin.errors import QueryError
from tocsin.field_patterns import Content, FieldPattern, field_pattern
from tocsin.query_dsl.addresses import address_tests, addresses_between
from tocsin.query_dsl.context import Context, base_name, is_caseless, is_text, ref
from tocsin.query_dsl.patterns import check_regexp, check_wildcard, parts_of, regex_of
from tocsin.query_dsl.values import Bound, as_number, literal, moment, readings

TRUE, FALSE = s.Literal(True), s.Literal(False)


def any_of(conditions: Iterable[s.Expression]) -> s.Expression:
    """Return that one of the conditions holds; none of none."""
    operands = tuple(dict.fromkeys(conditions))
    return FALSE if not operands else operands[0] if len(operands) == 1 else s.Or(operands)


def on_fields(name: str, test: Callable[[str], s.Expression], contents: Iterable[Content]) -> s.Expression:
    """Return that a test holds for a field, or for one of those that a pattern with `*` names.

    Of the latter those count for which the test can be made: a word is no number, say.
    """
    if "*" not in name:
        return test(name)
    conditions = []
    for content in contents:
        with suppress(QueryError):
            conditions.append(test(FieldPattern(name, content).name))
    return any_of(conditions)


def all_of(conditions: Iterable[s.Expression]) -> s.Expression:
    """Return that every condition holds; all of none do."""
    operands = tuple(dict.fromkeys(conditions))
    return TRUE if not operands else operands[0] if len(operands) == 1 else s.And(operands)


def term(name: str, value: Any, context: Context, *, insensitive: bool = False) -> s.Expression:
    """Return that a field has a value, exactly."""
    kind = context.type_of(base_name(name))
    if kind is FieldType.IP:
        return any_of(address_tests(name, (value,)))
    if kind is FieldType.DATE:
        low, high = moment(name, value, context), moment(name, value, context, up=True)
        return s.And((_compare(">=", name, s.Literal(low)), _compare("<=", name, s.Literal(high))))
    if kind is None:
        return any_of(_equal(name, constant, insensitive) for constant in readings(name, value, context))
    return _equal(name, literal(name, value, context), insensitive)


def _equal(name: str, constant: s.Literal, insensitive: bool) -> s.Expression:
    if (insensitive or is_caseless(name)) and isinstance(constant.value, str):
        return s.Membership(ref(name), (constant,), insensitive=True)
    return _compare("==", name, constant)


def _compare(operator: str, name: str, value: s.Literal) -> s.Expression:
    return s.Comparison(operator, ref(name), value)


def terms(name: str, values: list[Any], context: Context) -> s.Expression:
    """Return that a field has one of some values."""
    if context.type_of(base_name(name)) is FieldType.IP:
        return any_of(address_tests(name, (value for value in values if value is not None)))
    constants = [literal(name, value, context) for value in values if value is not None]
    texts = tuple(constant for constant in constants if isinstance(constant.value, str))
    if context.type_of(base_name(name)) is None and any(
        len(readings(name, constant.value, context)) > 1 for constant in constants
    ):
        texts = ()
    if len(texts) == len(values) > 1 and context.type_of(base_name(name)) is not FieldType.DATE:
        return s.Membership(ref(name), texts, insensitive=is_caseless(name))
    return any_of(term(name, value, context) for value in values if value is not None)


def prefix(name: str, value: Any, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's value begins with a text."""
    text = s.Literal(to_string(value))
    return s.Call("startsWith", (ref(name), text), insensitive=insensitive or is_caseless(name))


def wildcard(name: str, pattern: str, *, insensitive: bool = False) -> s.Expression:
    r"""Return that a field's value matches a pattern with `*` and `?`; `\` makes the next character ordinary.

    Raises QueryError for one that is too large to be run.
    """
    if set(pattern) == {"*"}:
        return exists(name)
    insensitive = insensitive or is_text(name) or is_caseless(name)
    parts = parts_of(pattern)
    if all(part not in ("\\*", "\\?") for part in parts):  # as EQL writes it
        plain = "".join(part[1] if len(part) == 2 else part for part in parts)
        check_wildcard(name, plain)
        return s.PatternMatch("wildcard", insensitive, ref(name), (plain,))
    regular = regex_of(parts, ".")
    check_regexp(name, regular)
    return s.PatternMatch("regex", insensitive, ref(name), (regular,))


def regexp(name: str, pattern: str, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's whole value matches a regular expression of Lucene. Raises QueryError."""
    check_regexp(name, pattern)
    return s.PatternMatch("regex", insensitive or is_caseless(name), ref(name), (pattern,))


def exists(name: str) -> s.Expression:
    """Return that a field has a value, or one of those that a pattern with `*` names."""
    name = FieldPattern(name, Content.ANY).name if "*" in name and field_pattern(name) is None else name
    return s.Not(s.IsNull(ref(name)))


def exists_below(name: str, context: Context) -> s.Expression:
    """Return that a field has a value or, where no field is known by its name, one below it."""
    if "*" in name or context.type_of(base_name(name)) not in (None, FieldType.OBJECT):
        return exists(name)
    return any_of((exists(name), exists(f"{name}.*")))


def between(
    name: str,
    bounds: Iterable[Bound],
    context: Context,
    zone: str | None = None,
    format: str | None = None,
) -> s.Expression:
    """Return that a value of a field lies within bounds; `zone` and `format` are those of dates."""
    conditions = []
    kind = context.type_of(base_name(name))
    given = [bound for bound in bounds if bound.value is not None]
    if kind is FieldType.IP and given:
        return addresses_between(name, given)
    if kind is None and given:
        texts = [to_string(literal(name, bound.value, context).value) for bound in given]
        ways = zip(*([s.Literal(text), *as_number(text)] for text in texts), strict=False)
        return any_of(  # as texts, and as numbers where all of them are such
            all_of(_compare(bound.operator, name, constant) for bound, constant in zip(given, way, strict=True))
            for way in ways
        )
    for bound in given:
        if kind is FieldType.DATE:
            up = bound.operator in (">", "<=")  # `gt` and `lte` of a rounded moment mean the end of its span
            at = s.Literal(moment(name, bound.value, context, up=up, zone=zone, format=format))
            conditions.append(_compare(bound.operator, name, at))
            continue
        conditions.append(_compare(bound.operator, name, literal(name, bound.value, context)))
    return all_of(conditions) if conditions else exists(name)
