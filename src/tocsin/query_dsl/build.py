"""Conditions on one field, as Elasticsearch's leaf queries mean them, in EQL's syntax tree."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tocsin.addresses import LAST, Span, number_of, range_text, span_of, spelled
from tocsin.date_formats import DEFAULT, DEFAULT_NANOSECONDS, date_format, zone_of
from tocsin.date_math import apply_math
from tocsin.ecs import FieldType, Schema, is_long
from tocsin.eql import syntax as s
from tocsin.eql.functions import to_string
from tocsin.eql.strings import UnsupportedPattern, lucene_to_regex
from tocsin.eql.versions import Version
from tocsin.errors import QueryError
from tocsin.field_patterns import ANALYSED, TEXTS, Content, FieldPattern, field_pattern
from tocsin.moments import to_nanoseconds

# What words, numbers and so on can be looked for in, and what patterns can.
SEARCHED = tuple(content for content in Content if content is not Content.ANY)
PATTERNED = (Content.KEYWORD, *TEXTS)
TRUE, FALSE = s.Literal(True), s.Literal(False)
# Types of mappings whose values are cut into words.
TEXT_TYPES = frozenset({"text", "match_only_text", "pattern_text", "annotated_text", "search_as_you_type"})
_LUCENE = re.compile(r'([.?+*|{}\[\]()"\\#@&<>~^$-])')


@dataclass(frozen=True)
class Analyzer:
    """How a text is cut into words: what a word looks like, and, for Lucene, a character that parts words."""

    word: re.Pattern[str]
    between: str


_STANDARD = Analyzer(re.compile(r"\w+(?:['’.]\w+)*"), "[^a-zA-Z0-9_]")
# The analyzer of Elastic's Windows integration and of Winlogbeat: `[\W&&[^-]]+`, of ASCII, parts words.
_SCRIPTS = Analyzer(re.compile(r"[\w-]+", re.ASCII), "[^a-zA-Z0-9_-]")
_ANALYZERS = {Content.TEXT: _STANDARD, Content.SCRIPT: _SCRIPTS}


@dataclass(frozen=True)
class Context:
    """What a query is read against: the fields with their types, the time, and who reads KQL within it."""

    schema: Schema
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    read_kql: Callable[[str, Context], s.Expression] | None = None

    def type_of(self, name: str) -> FieldType | None:
        """Return a field's type, None for a field that nobody knows."""
        many = field_pattern(name)
        if many is not None:
            return many.content.type
        known = self.schema.find(name)
        return known.type if known else None

    def format_of(self, name: str) -> str:
        """Return the format of a field's dates."""
        known = self.schema.find(base_name(name))
        return (known.mapped.format if known and known.mapped else None) or DEFAULT


def is_text(name: str, context: Context | None = None) -> bool:
    """Tell whether words are searched for in a field: a mapping says so, or else the name."""
    known = None if context is None else context.schema.find(name)
    if known is not None and known.mapped is not None and known.mapped.type != "alias":
        return known.mapped.type in TEXT_TYPES
    many = field_pattern(name)
    return name in ANALYSED or name.endswith(".text") or (many is not None and many.content in TEXTS)


def _analyzer(name: str) -> Analyzer:
    many = field_pattern(name)
    return _ANALYZERS.get(many.content if many else ANALYSED.get(name, Content.TEXT), _STANDARD)


def is_caseless(name: str) -> bool:
    """Tell whether letter case does not matter in a field, whatever is asked: a multi-field of Elastic Defend."""
    return name.endswith(".caseless")


def base_name(name: str) -> str:
    """Return the field that a multi-field is of: `process.name.text` and `message.keyword` are columns of none."""
    for suffix in (".text", ".keyword", ".caseless"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def ref(name: str) -> s.FieldRef:
    """Return a reference to a field."""
    return s.FieldRef(base_name(name), optional=True)


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


# ---- values


def literal(name: str, value: Any, context: Context) -> s.Literal:
    """Return a value as the field's type has it. Raises QueryError."""
    return _LITERALS.get(context.type_of(base_name(name)), _keyword)(name, value, context)


def _keyword(name: str, value: Any, context: Context) -> s.Literal:
    if isinstance(value, (dict, list)) or value is None:
        raise QueryError(f"[{name}] is compared with a text or a number, not with {value!r}")
    if context.type_of(base_name(name)) is None and not isinstance(value, str):
        return s.Literal(value)
    return s.Literal(to_string(value))


def _number(name: str, value: Any, context: Context) -> s.Literal:
    if isinstance(value, str):
        try:
            value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
        except ValueError:
            raise QueryError(f"For input string: {value!r}, which is no number, in [{name}]") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise QueryError(f"[{name}] is compared with a number, not with {value!r}")
    whole = context.type_of(base_name(name)) is FieldType.LONG
    if whole and isinstance(value, float) and value.is_integer():
        return s.Literal(int(value))
    return s.Literal(value if whole else float(value))


def _boolean(name: str, value: Any, context: Context) -> s.Literal:
    truth = {True: True, False: False, "true": True, "false": False, "": False}
    if not isinstance(value, (bool, str)) or value not in truth:
        raise QueryError(f"Can't parse boolean value [{value}], expected [true] or [false], in [{name}]")
    return s.Literal(truth[value])


def _moment(name: str, value: Any, context: Context) -> s.Literal:
    return s.Literal(moment(name, value, context))


_LITERALS: dict[FieldType | None, Callable[[str, Any, Context], s.Literal]] = {
    FieldType.LONG: _number,
    FieldType.DOUBLE: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _moment,
    FieldType.VERSION: lambda name, value, context: s.Literal(Version(to_string(value))),
}


def moment(
    name: str,
    value: Any,
    context: Context,
    *,
    up: bool = False,
    zone: str | None = None,
    format: str | None = None,
) -> int:
    """Return a moment in nanoseconds: a date in a format, which is the field's if none is given, or date math.

    A rounded moment, and a date that leaves parts out, is its span's end when `up`. Raises QueryError.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise QueryError(f"[{name}] is compared with a date, not with {value!r}")
    try:
        text = str(value).strip()
        if text.startswith("now"):
            return apply_math(to_nanoseconds(context.now), text[3:], round_up=up)
        date, bars, math = text.partition("||") if isinstance(value, str) else (value, "", "")
        if math and not bars:
            raise ValueError("put `||` between a date and its math")
        start, length = _date(date, format or context.format_of(name), zone)
        if math:
            return apply_math(start, math, round_up=up)
        return start + length if up else start
    except (ValueError, OverflowError) as error:
        raise QueryError(f"failed to parse date field [{value}] in [{name}]: {error}") from None


def _date(date: str | float, format: str, zone: str | None) -> tuple[int, int]:
    """Return the beginning of a date's span, and how much longer than a nanosecond it is."""
    if format in (DEFAULT, DEFAULT_NANOSECONDS) and (not isinstance(date, str) or _MILLISECONDS.fullmatch(date)):
        return to_nanoseconds(date if isinstance(date, float) else int(date)), 0
    try:
        return date_format(format).parse(date, zone_of(zone) if zone else UTC)
    except ValueError:
        if format in (DEFAULT, DEFAULT_NANOSECONDS):  # ISO 8601 in its rarer variants
            return to_nanoseconds(date), 0
        raise


_MILLISECONDS = re.compile(r"-?\d{5,}", re.ASCII)


# ---- conditions


def term(name: str, value: Any, context: Context, *, insensitive: bool = False) -> s.Expression:
    """Return that a field has a value, exactly."""
    kind = context.type_of(base_name(name))
    if kind is FieldType.IP:
        return _addresses(name, (value,))
    if kind is FieldType.DATE:
        low, high = moment(name, value, context), moment(name, value, context, up=True)
        return s.And((_compare(">=", name, s.Literal(low)), _compare("<=", name, s.Literal(high))))
    if kind is None:
        return any_of(_equal(name, constant, insensitive) for constant in _readings(name, value, context))
    return _equal(name, literal(name, value, context), insensitive)


def _equal(name: str, constant: s.Literal, insensitive: bool) -> s.Expression:
    if (insensitive or is_caseless(name)) and isinstance(constant.value, str):
        return s.Membership(ref(name), (constant,), insensitive=True)
    return _compare("==", name, constant)


def _readings(name: str, value: Any, context: Context) -> list[s.Literal]:
    """Return what a value may be in a field that nobody knows before events come: text, number, boolean."""
    text = to_string(literal(name, value, context).value)
    truth = {"true": True, "false": False}.get(text)
    return [s.Literal(text), *_as_number(text), *([] if truth is None else [s.Literal(truth)])]


def _as_number(text: str) -> list[s.Literal]:
    try:
        number = float(text)
    except ValueError:
        return []
    if not math.isfinite(number):
        return []
    return [s.Literal(int(number) if number.is_integer() and is_long(int(number)) else number)]


def _compare(operator: str, name: str, value: s.Literal) -> s.Expression:
    return s.Comparison(operator, ref(name), value)


def _addresses(name: str, values: Iterable[Any]) -> s.Expression:
    """Return that a field has one of some addresses, or one that lies in one of some blocks."""
    addresses: list[s.Literal] = []
    blocks: list[s.Literal] = []
    for value in map(str, values):
        if "/" in value:
            _span(name, value)
            blocks.append(s.Literal(value))
        else:
            addresses.append(s.Literal(spelled(_number_of(name, value))))
    tests: list[s.Expression] = []
    if addresses:
        alone = len(addresses) == 1
        tests.append(_compare("==", name, addresses[0]) if alone else s.Membership(ref(name), tuple(addresses)))
    return any_of([*tests, *([s.Call("cidrMatch", (ref(name), *blocks))] if blocks else [])])


def _number_of(name: str, value: Any) -> int:
    try:
        return number_of(str(value))
    except ValueError as error:
        raise QueryError(f"{error} ([{name}] holds addresses)") from None


def _span(name: str, value: str) -> Span:
    try:
        return span_of(value)
    except ValueError as error:
        raise QueryError(f"{error} ([{name}] holds addresses)") from None


def address_ranges(name: str, values: Iterable[str]) -> s.Expression:
    """Return that a field's address lies in a block or range (`10.0.0.1-10.0.0.9`) of some. Raises QueryError."""
    texts = tuple(values)
    for text in texts:
        _span(name, text)
    return s.Call("cidrMatch", (ref(name), *map(s.Literal, texts))) if texts else FALSE


def _addresses_between(name: str, bounds: Iterable[Bound]) -> s.Expression:
    low, high = 0, LAST
    for bound in bounds:
        number = _number_of(name, bound.value)
        match bound.operator:
            case ">" | ">=":
                low = max(low, number + (bound.operator == ">"))
            case _:
                high = min(high, number - (bound.operator == "<"))
    return FALSE if low > high else s.Call("cidrMatch", (ref(name), s.Literal(range_text((low, high)))))


def terms(name: str, values: list[Any], context: Context) -> s.Expression:
    """Return that a field has one of some values."""
    if context.type_of(base_name(name)) is FieldType.IP:
        return _addresses(name, (value for value in values if value is not None))
    constants = [literal(name, value, context) for value in values if value is not None]
    texts = tuple(constant for constant in constants if isinstance(constant.value, str))
    if context.type_of(base_name(name)) is None and any(
        len(_readings(name, constant.value, context)) > 1 for constant in constants
    ):
        texts = ()
    if len(texts) == len(values) > 1 and context.type_of(base_name(name)) is not FieldType.DATE:
        return s.Membership(ref(name), texts, insensitive=is_caseless(name))
    return any_of(term(name, value, context) for value in values if value is not None)


def words(
    name: str, text: Any, context: Context, *, every: bool = False, phrase: bool = False, begun: bool = False
) -> s.Expression:
    """Return that a text has some words, all of them, or all one behind the other; other fields are compared.

    Of the last word only the beginning counts where it is `begun`.
    """
    if not is_text(name, context):
        return prefix(name, text) if begun else term(name, text, context)
    analyzer = _analyzer(name)
    tokens = analyzer.word.findall(to_string(text))
    if not tokens:
        return FALSE
    escaped = [escape(word) for word in tokens]
    if begun:
        escaped[-1] += analyzer.between.replace("^", "", 1) + "*"
    if phrase:
        return _with_words(name, f"{analyzer.between}+".join(escaped), analyzer)
    return (all_of if every else any_of)(_with_words(name, word, analyzer) for word in escaped)


def like(name: str, pattern: str, context: Context, *, insensitive: bool = False) -> s.Expression:
    r"""Return that a field's value, or a word of an analysed field, matches a pattern with `*` and `?`."""
    if not is_text(name, context) or set(pattern) == {"*"}:
        return wildcard(name, pattern, insensitive=insensitive)
    analyzer = _analyzer(name)
    inside = analyzer.between.replace("^", "", 1)
    return _with_words(name, _regex_of(_parts_of(pattern), inside), analyzer)


def _with_words(name: str, pattern: str, analyzer: Analyzer) -> s.Expression:
    gap = analyzer.between
    return s.PatternMatch("regex", True, ref(name), (f"(.*{gap})?{pattern}({gap}.*)?",))


def escape(text: str) -> str:
    """Return a text as a regular expression of Lucene that matches it alone."""
    return _LUCENE.sub(r"\\\1", text)


def prefix(name: str, value: Any, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's value begins with a text."""
    text = s.Literal(to_string(value))
    return s.Call("startsWith", (ref(name), text), insensitive=insensitive or is_caseless(name))


def wildcard(name: str, pattern: str, *, insensitive: bool = False) -> s.Expression:
    r"""Return that a field's value matches a pattern with `*` and `?`; `\` makes the next character ordinary."""
    if set(pattern) == {"*"}:
        return exists(name)
    insensitive = insensitive or is_text(name) or is_caseless(name)
    parts = _parts_of(pattern)
    if all(part not in ("\\*", "\\?") for part in parts):  # as EQL writes it
        plain = "".join(part[1] if len(part) == 2 else part for part in parts)
        return s.PatternMatch("wildcard", insensitive, ref(name), (plain,))
    return s.PatternMatch("regex", insensitive, ref(name), (_regex_of(parts, "."),))


def _parts_of(pattern: str) -> list[str]:
    """Return the characters of a pattern, each with the backslash before it."""
    return re.findall(r"\\.|.", pattern, re.DOTALL)


def _regex_of(parts: Iterable[str], any_character: str) -> str:
    """Return a pattern's parts as a regular expression; `any_character` is what `?` stands for."""
    wild = {"*": f"{any_character}*", "?": any_character}
    return "".join(wild.get(part) or escape(part[-1]) for part in parts)


def regexp(name: str, pattern: str, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's whole value matches a regular expression of Lucene. Raises QueryError."""
    check_regexp(name, pattern)
    return s.PatternMatch("regex", insensitive or is_caseless(name), ref(name), (pattern,))


def check_regexp(name: str, pattern: str) -> None:
    """Raise QueryError for a regular expression that cannot be run."""
    try:
        lucene_to_regex(pattern)
    except UnsupportedPattern as error:
        raise QueryError(f"[{pattern}] in [{name}]: {error}") from None


def like_regexp(name: str, pattern: str, context: Context, *, insensitive: bool = False) -> s.Expression:
    """Return that a field's value, or a word of an analysed one, matches a regular expression."""
    if not is_text(name, context):
        return regexp(name, pattern, insensitive=insensitive)
    check_regexp(name, pattern)
    return _with_words(name, f"({pattern})", _analyzer(name))


def exists(name: str) -> s.Expression:
    """Return that a field has a value, or one of those that a pattern with `*` names."""
    name = FieldPattern(name, Content.ANY).name if "*" in name and field_pattern(name) is None else name
    return s.Not(s.IsNull(ref(name)))


def exists_below(name: str, context: Context) -> s.Expression:
    """Return that a field has a value or, where no field is known by its name, one below it."""
    if "*" in name or context.type_of(base_name(name)) not in (None, FieldType.OBJECT):
        return exists(name)
    return any_of((exists(name), exists(f"{name}.*")))


@dataclass(frozen=True)
class Bound:
    """One end of a range: an operator (`>`, `>=`, `<`, `<=`) and a value."""

    operator: str
    value: Any


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
        return _addresses_between(name, given)
    if kind is None and given:
        texts = [to_string(literal(name, bound.value, context).value) for bound in given]
        ways = zip(*([s.Literal(text), *_as_number(text)] for text in texts), strict=False)
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
