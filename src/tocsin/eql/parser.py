"""EQL text -> syntax tree. `parse` is the only door; every refusal carries line, column and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NoReturn, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import v_args

from tocsin.eql import syntax as s
from tocsin.eql.strings import unescape
from tocsin.errors import Place, QueryError
from tocsin.moments import MILLISECOND, TIME_UNITS
from tocsin.query_size import check_size

KEYWORDS = frozenset(
    (
        "and", "any", "by", "false", "fork", "in", "join", "like", "maxspan", "not", "null", "of", "or",
        "regex", "sample", "sequence", "true", "until", "where", "with",
    )
)  # fmt: skip
_MAXSPAN_UNITS = ("ms", "s", "m", "h", "d")
_READABLE = {
    "FIELD": "a field or function name",
    "STRING": "a string",
    "RAW_STRING": "a string",
    "NUMBER": "a number",
    "SPAN": "a time span such as 5m",
    "$END": "the end of the query",
    "TILDE_NAME": "a function",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COMMA": "`,`",
    "VBAR": "`|`",
    "COLON": "`:`",
    "WHERE": "`where`",
    "AND": "`and`",
    "OR": "`or`",
    "BY": "`by`",
}


class _Refusal(Exception):
    """A refusal raised while the tree is built; `parse` adds the text."""

    def __init__(self, message: str, hint: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.hint, self.place = message, hint, place


def _place(meta: Meta | Token) -> Place:
    line, column = meta.line, meta.column
    if line is None or column is None:
        return s.NOWHERE
    end = (meta.end_column or column + 1) if meta.end_line == line else column + 1
    return Place(line, column, end)


def _refuse(message: str, where: Meta | Token | Place, hint: str = "") -> NoReturn:
    raise _Refusal(message, hint, where if isinstance(where, Place) else _place(where))


def _path(token: Token) -> str:
    """Return the dotted name of a field token, its backticks removed."""
    text = str(token)
    if "[" in text:
        _refuse(
            "an index into an array is not part of EQL",
            token,
            "a test on a field with many values holds when any of them passes",
        )
    if "`" not in text:
        if text in KEYWORDS:
            _refuse(f"`{text}` is a keyword", token, "put a field of this name in backticks")
        if text.lower() in KEYWORDS:
            _refuse(f"unexpected `{text}`", token, f"keywords are written in lower case: `{text.lower()}`")
        return text
    return ".".join(quoted or plain for quoted, plain in re.findall(r"`([^`]+)`|([^.`]+)", text))


def _flat(
    kind: type[s.And[s.Expression]] | type[s.Or[s.Expression]], meta: Meta, operands: list[s.Expression]
) -> s.Expression:
    flat: list[s.Expression] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return kind(tuple(flat), _place(meta))


@v_args(inline=True, meta=True)
class _TreeBuilder(Transformer[Token, Any]):
    """Turns lark's tree into ours, bottom up; one method a grammar rule."""

    # ---- statements

    def start(self, meta: Meta, query: s.Query, *pipes: s.Pipe) -> s.Statement:
        return s.Statement(query, pipes)

    def category(self, meta: Meta, token: Token) -> str | None:
        if token.type == "STRING":
            return unescape(str(token))
        return None if token == "any" else _path(token)

    def event_query(self, meta: Meta, category: str | None, condition: s.Expression) -> s.EventQuery:
        return s.EventQuery(category, condition, _place(meta))

    def pipe(self, meta: Meta, name: Token, arguments: tuple[s.Expression, ...] = ()) -> s.Pipe:
        return s.Pipe(str(name), arguments, _place(name))

    def pipe_arguments(self, meta: Meta, *arguments: s.Expression) -> tuple[s.Expression, ...]:
        return arguments

    def spaced_fields(self, meta: Meta, *fields: s.Expression) -> tuple[s.Expression, ...]:
        return fields

    # ---- sequences and samples

    def by(self, meta: Meta, *keys: s.Expression) -> tuple[str, tuple[s.FieldRef, ...]]:
        for key in keys:
            if not isinstance(key, s.FieldRef):
                _refuse("a join key must be a field", key.place, "write `by field, ?optional_field`")
        return "by", cast("tuple[s.FieldRef, ...]", keys)

    def span(self, meta: Meta, *tokens: Token) -> Token:
        return Token.new_borrow_pos("SPAN", "".join(tokens), tokens[0])

    def with_maxspan(self, meta: Meta, _equals: Token, span: Token) -> tuple[str, int]:
        number, unit = re.fullmatch(r"(-?[0-9.]+)\s*([A-Za-z]*)", str(span)).groups()  # type: ignore[union-attr]
        if unit not in _MAXSPAN_UNITS:
            wrong = f"unknown time unit `{unit}`" if unit else "a time span needs a unit"
            _refuse(wrong, span, "use ms, s, m, h or d, as in `maxspan=5m`")
        if not number.isdigit() or int(number) == 0:
            _refuse(f"maxspan must be a positive whole number, not {number}", span, "use a smaller unit")
        return "maxspan", int(number) * (TIME_UNITS[unit] // MILLISECOND)

    def with_runs(self, meta: Meta, name: Token, _equals: Token, number: Token) -> tuple[str, int]:
        if name != "runs":
            _refuse(f"unknown option `{name}`", name, "a step takes `with runs=n`")
        if not str(number).isdigit() or not 1 <= int(number) <= 100:
            _refuse(f"runs must be a whole number from 1 to 100, not {number}", number)
        return "runs", int(number)

    def fork(self, meta: Meta, *_tokens: Token) -> NoReturn:
        _refuse("`fork` is python-eql's and not part of EQL", meta, "leave it out")

    def open_step(self, meta: Meta, token: Token) -> bool:
        return str(token) == "!["

    def step(self, meta: Meta, missing: bool, event: s.EventQuery, *options: tuple[str, Any]) -> s.Step:
        given = self._options(meta, options)
        return s.Step(event, given.get("by", ()), given.get("runs", 1), missing, _place(meta))

    def until(self, meta: Meta, step: s.Step) -> tuple[str, s.Step]:
        return "until", step

    def sequence(self, meta: Meta, *parts: Any) -> s.Sequence:
        steps = tuple(part for part in parts if isinstance(part, s.Step))
        given = self._options(meta, tuple(part for part in parts if not isinstance(part, s.Step)))
        if sum(step.runs for step in steps) < 2:
            _refuse("a sequence needs at least two steps", meta, "add a step `[category where …]`")
        return s.Sequence(steps, given.get("by", ()), given.get("maxspan"), given.get("until"), _place(meta))

    def sample(self, meta: Meta, *parts: Any) -> s.Sample:
        steps = tuple(part for part in parts if isinstance(part, s.Step))
        given = self._options(meta, tuple(part for part in parts if not isinstance(part, s.Step)))
        if len(steps) < 2:
            _refuse("a sample needs at least two steps", meta, "add a step `[category where …]`")
        for step in steps:
            if step.missing or step.runs != 1:
                _refuse("a sample step takes neither `!` nor `with runs`", step.place)
        return s.Sample(steps, given.get("by", ()), _place(meta))

    def join(self, meta: Meta, *_parts: Any) -> NoReturn:
        _refuse("`join` is python-eql's and not part of EQL", meta, "write `sample by …` instead")

    def _options(self, meta: Meta, options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, value in options:
            if name in given:
                _refuse(f"`{name}` is given twice", meta)
            given[name] = value
        return given

    # ---- expressions

    def disjunction(self, meta: Meta, *operands: s.Expression) -> s.Expression:
        return _flat(s.Or, meta, list(operands))

    def conjunction(self, meta: Meta, *operands: s.Expression) -> s.Expression:
        return _flat(s.And, meta, list(operands))

    def logical_not(self, meta: Meta, operand: s.Expression) -> s.Expression:
        return s.Not(operand, _place(meta))

    def comparator(self, meta: Meta, token: Token) -> str:
        if token == "=":
            _refuse("`=` does not compare", token, "write `==` for exact, `:` for case-insensitive equality")
        return str(token)

    def matcher(self, meta: Meta, token: Token) -> str:
        return str(token)

    def comparison(self, meta: Meta, left: s.Expression, operator: str, right: s.Expression) -> s.Expression:
        return s.Comparison(operator, left, right, _place(meta))

    def list(self, meta: Meta, *items: s.Expression) -> tuple[s.Expression, ...]:
        return items

    def membership(
        self, meta: Meta, value: s.Expression, word: Token, items: tuple[s.Expression, ...]
    ) -> s.Expression:
        return s.Membership(value, items, word == "in~", _place(meta))

    def not_membership(
        self, meta: Meta, value: s.Expression, word: Token, items: tuple[s.Expression, ...]
    ) -> s.Expression:
        return s.Not(s.Membership(value, items, word == "in~", _place(meta)), _place(meta))

    def pattern(self, meta: Meta, *patterns: s.Literal) -> tuple[s.Literal, ...]:
        return patterns

    def pattern_match(
        self, meta: Meta, value: s.Expression, matcher: str, patterns: tuple[s.Literal, ...]
    ) -> s.Expression:
        kind: s.MatchKind = "regex" if matcher.startswith("regex") else "wildcard"
        insensitive = matcher == ":" or matcher.endswith("~")
        if matcher != ":":
            for pattern in patterns:
                if not isinstance(pattern.value, str):
                    _refuse(f"`{matcher}` takes strings", pattern.place)
        return s.PatternMatch(kind, insensitive, value, tuple(p.value for p in patterns), _place(meta))

    def relationship(self, meta: Meta, name: Token, _event: s.EventQuery) -> NoReturn:
        _refuse(f"`{name} of` is python-eql's and not part of EQL", meta, "write a sequence by entity id")

    def arithmetic(self, meta: Meta, left: s.Expression, operator: Token, right: s.Expression) -> s.Expression:
        return s.Arithmetic(str(operator), left, right, _place(meta))

    def minus(self, meta: Meta, _sign: Token, operand: s.Expression) -> s.Expression:
        if isinstance(operand, s.Literal) and isinstance(operand.value, int | float):
            return s.Literal(-operand.value, _place(meta))
        return s.Negative(operand, _place(meta))

    def plus(self, meta: Meta, _sign: Token, operand: s.Expression) -> s.Expression:
        return operand

    def call(self, meta: Meta, name: Token, *arguments: s.Expression) -> s.Expression:
        insensitive = name.endswith("~")
        plain = str(name).removesuffix("~")
        return s.Call(plain, arguments, insensitive, _place(meta))

    def field(self, meta: Meta, token: Token) -> s.FieldRef:
        return s.FieldRef(_path(token), False, _place(token))

    def optional_field(self, meta: Meta, token: Token) -> s.FieldRef:
        return s.FieldRef(_path(token), True, _place(meta))

    # ---- literals

    def string(self, meta: Meta, token: Token) -> s.Literal:
        try:
            return s.Literal(unescape(str(token)), _place(token))
        except ValueError as error:
            _refuse(str(error), token, 'double the backslash, or use a raw string """…"""')

    def raw_string(self, meta: Meta, token: Token) -> s.Literal:
        return s.Literal(str(token)[3:-3], _place(token))

    def old_string(self, meta: Meta, token: Token) -> NoReturn:
        _refuse("this spelling of a string is python-eql's", token, 'use "…" or a raw string """…""" instead')

    def number(self, meta: Meta, token: Token) -> s.Literal:
        text = str(token)
        return s.Literal(int(text) if text.isdigit() else float(text), _place(token))

    def negative_number(self, meta: Meta, _sign: Token, token: Token) -> s.Literal:
        return s.Literal(-self.number(meta, token).value, _place(meta))  # type: ignore[operator]

    def true(self, meta: Meta, token: Token) -> s.Literal:
        return s.Literal(True, _place(token))

    def false(self, meta: Meta, token: Token) -> s.Literal:
        return s.Literal(False, _place(token))

    def null(self, meta: Meta, token: Token) -> s.Literal:
        return s.Literal(None, _place(token))


@cache
def _parser(start: str) -> Callable[[str], Any]:
    grammar = (resources.files("tocsin.eql") / "grammar.lark").read_text("utf-8")
    lark = Lark(grammar, parser="lalr", start=start, propagate_positions=True)
    builder = _TreeBuilder()
    return lambda text: builder.transform(lark.parse(text))


def _unexpected(error: UnexpectedInput, text: str) -> QueryError:
    line, column = max(error.line, 1), max(error.column, 1)
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        lines = text.splitlines() or [""]
        place = Place(len(lines), len(lines[-1]) + 1)
        message = "the query ends too early"
    elif isinstance(error, UnexpectedToken):
        place = Place(line, column, column + len(str(error.token)))
        message = f"unexpected `{error.token}`"
    else:
        place = Place(line, column, column + 1)
        character = text.splitlines()[line - 1][column - 1 : column] if text else ""
        if character == '"':
            return QueryError(
                "this string never ends",
                hint='close it with a quote; a backslash before the quote escapes it, write `\\\\"`',
                place=place,
                text=text,
            )
        message = f"unexpected character `{character}`"
    accepted: set[str] = set()
    if isinstance(error, UnexpectedToken):
        accepted = set(error.accepts or error.expected)
    elif isinstance(error, UnexpectedCharacters):
        accepted = set(error.allowed or ())
    readable = list(dict.fromkeys(_READABLE[name] for name in _READABLE if name in accepted))
    hint = "expected " + " or ".join(readable[:5]) if readable else ""
    return QueryError(message, hint=hint, place=place, text=text)


@lru_cache(maxsize=1)  # the same text is read again for each field that no schema knows
def _parse(start: str, text: str) -> Any:
    check_size(text)
    try:
        return _parser(start)(text)
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    except VisitError as error:
        refusal = error.orig_exc
        if isinstance(refusal, _Refusal):
            raise QueryError(refusal.message, hint=refusal.hint, place=refusal.place, text=text) from None
        raise
    except RecursionError:
        raise QueryError("the query is nested too deeply", hint="split it into several rules") from None


def parse(text: str) -> s.Statement:
    """Parse an EQL statement. Raises QueryError with line, column and hint."""
    return cast("s.Statement", _parse("start", text))


def parse_expression(text: str) -> s.Expression:
    """Parse a single EQL expression, as after `where`. Raises QueryError."""
    return cast("s.Expression", _parse("expression", text))
