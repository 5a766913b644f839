"""ES|QL text -> syntax tree. `parse` is the only door; every refusal carries line, column and a hint."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError
from lark.tree import Meta
from lark.visitors import v_args

from tocsin.errors import Place, QueryError
from tocsin.esql import syntax as q
from tocsin.esql.dates import span
from tocsin.esql.surrogates import MisusedError, cast_to_span, replaced, searched
from tocsin.query_size import check_size

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", '"': '"', "\\": "\\"}
# Commands that are refused, with the reason.
_NO_JOIN = "it needs a lookup index of Elasticsearch"
_NO_MODEL = "it asks a language model, and there is none here"
_NO_METRICS = "there are no indices of metrics here"
_NO_SCORES = "results have no scores here"
_REFUSED = {
    "change_point": "it needs Elastic's machine learning",
    "completion": _NO_MODEL,
    "dedup": "rows are made distinct with `stats … by`",
    "dense_vector": "there are no vectors here",
    "enrich": "it needs an enrich policy of Elasticsearch",
    "eql": "a rule in EQL asks that",
    "fork": "queries with branches are not run",
    "fuse": _NO_SCORES,
    "highlight": "a rule needs no marks in texts",
    "ip_location": "there is no database of places here; `source.geo.*` has what a shipper found",
    "join": _NO_JOIN,
    "lookup": _NO_JOIN,
    "metrics_info": _NO_METRICS,
    "mmr": "there are no vectors here",
    "promql": _NO_METRICS,
    "registered_domain": "there is no list of public suffixes here; `dns.question.registered_domain` may have it",
    "rerank": _NO_MODEL,
    "row": "rules look at events",
    "sample": "a rule looks at every event",
    "show": "rules look at events",
    "ts": _NO_METRICS,
    "ts_collapse": _NO_METRICS,
    "ts_info": _NO_METRICS,
    "user_agent": "`user_agent.*` has what a shipper found",
}
# Settings in front of a query, with the values that each may have here.
_SETTINGS = {"unmapped_fields": ("default", "nullify", "load"), "time_zone": ("Z", "UTC")}
_COMMANDS = (
    "where, eval, keep, drop, rename, stats, inline stats, mv_expand, grok, dissect, uri_parts, sort, limit"
)
_READABLE = {
    "NAME": "a name",
    "PATTERN": "the name of a column",
    "INDEX": "an index",
    "RAW": "a text",
    "QUOTED": "a text",
    "NUMBER": "a number",
    "COMPARATOR": "a comparison",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "`,`",
    "VBAR": "`|`",
    "EQUAL": "`=`",
    "_BY": "`by`",
    "$END": "the end of the query",
}


@lru_cache(maxsize=1)  # the same text is read again for each field that no schema knows
def parse(text: str) -> q.Query:
    """Return the query that a text states. Raises QueryError with line, column and hint."""
    check_size(text)
    try:
        tree = _parser().parse(text)
        query: q.Query = _Builder(text).transform(tree)
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    except VisitError as error:
        if isinstance(error.orig_exc, QueryError):
            raise error.orig_exc from None
        raise
    except RecursionError:
        raise QueryError("the query is nested too deeply", hint="split it into several rules") from None
    return query


@cache
def _parser() -> Lark:
    grammar = (resources.files("tocsin.esql") / "grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _unexpected(error: UnexpectedInput, text: str) -> QueryError:
    line, column = error.line or 0, error.column or 0
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ended or line < 1:
        lines = text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    source = text.splitlines()[line - 1] if text.strip() else ""
    word = re.match(r"\w+", source[column - 1 :])
    place = Place(line, column, column + (len(word[0]) if word else 1))
    accepted: set[str] = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    if isinstance(error, UnexpectedCharacters):
        accepted = set(error.allowed or ())
    if "_WHERE" in accepted and word:
        reason = _REFUSED.get(word[0].lower())
        if reason:
            message = f"`{word[0]}` is not supported: {reason}"
            return QueryError(message, hint=f"commands are {_COMMANDS}", place=place, text=text)
        return QueryError(
            f"there is no command `{word[0]}`", hint=f"commands are {_COMMANDS}", place=place, text=text
        )
    if "_FROM" in accepted:
        reason = _REFUSED.get(word[0].lower()) if word else None
        detail = f": `{word[0]}` is not supported, as {reason}" if word and reason else ""
        return QueryError(f"a query begins with `from` and its indices{detail}", place=place, text=text)
    after = source[column - 1 : column]
    if after == "(" and "INDEX" in accepted:
        return QueryError(
            "queries in the place of an index are not run", hint="make a rule of each", place=place, text=text
        )
    if after == "?":
        return QueryError("a rule's query has no parameters", place=place, text=text)
    if source[column - 1 : column] == '"':
        return QueryError("this text's quote is never closed", place=place, text=text)
    message = (
        "the query ends too early" if ended else f"unexpected `{word[0] if word else source[column - 1 : column]}`"
    )
    expected = list(dict.fromkeys(word for name, word in _READABLE.items() if name in accepted))
    return QueryError(
        message, hint=f"expected {' or '.join(expected)}" if expected else "", place=place, text=text
    )


def unquoted(name: str) -> str:
    """Return a name without the backticks around its parts."""
    if "`" not in name:
        return str(name)  # a token equals no token of another kind
    return re.sub(r"`((?:[^`]|``)+)`", lambda match: match[1].replace("``", "`"), name)


@v_args(inline=True, meta=True)
class _Builder(Transformer[Token, Any]):
    """Turns lark's tree into ours, bottom up; one method a grammar rule."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def _place(self, meta: Meta | Token) -> Place:
        if meta.line is None or meta.column is None:
            return q.NOWHERE
        return Place(meta.line, meta.column, (meta.end_column or 0) if meta.end_line == meta.line else 0)

    def _refuse(self, message: str, where: Meta | Token, hint: str = "") -> QueryError:
        return QueryError(message, hint=hint, place=self._place(where), text=self.text)

    # ---- commands

    def start(self, meta: Meta, *parts: Any) -> q.Query:
        settings: dict[str, str] = {}
        for part in itertools.takewhile(lambda part: isinstance(part, dict), parts):
            settings.update(part)
        (indices, metadata), *commands = itertools.dropwhile(lambda part: isinstance(part, dict), parts)
        unmapped = settings.get("unmapped_fields", "default")
        return q.Query(tuple(indices), tuple(metadata), tuple(commands), self.text, unmapped)

    def set_command(self, meta: Meta, *settings: tuple[str, str]) -> dict[str, str]:
        return dict(settings)

    def setting(self, meta: Meta, name: Token, value: q.Literal) -> tuple[str, str]:
        known, given = _SETTINGS.get(name.lower()), str(value.value)
        if known is None:
            raise self._refuse(f"the setting `{name}` is not supported", meta, f"there is {', '.join(_SETTINGS)}")
        chosen = next((allowed for allowed in known if allowed.lower() == given.lower()), None)
        if chosen is None:
            raise self._refuse(f"`{name}` cannot be `{given}` here", meta, f"it may be {' or '.join(known)}")
        return name.lower(), chosen

    def from_command(self, meta: Meta, *words: Token) -> tuple[list[str], list[str]]:
        indices = [str(word).strip('"') for word in words if word.type == "INDEX"]
        metadata = [unquoted(word) for word in words if word.type == "NAME"]
        return [part for name in indices for part in name.split(",")], metadata

    def where_command(self, meta: Meta, condition: q.Expression) -> q.Where:
        return q.Where(condition)

    def eval_command(self, meta: Meta, *columns: tuple[str, q.Expression]) -> q.Eval:
        return q.Eval(columns)

    def keep_command(self, meta: Meta, *patterns: Token) -> q.Keep:
        return q.Keep(tuple(map(self._named, patterns)))

    def drop_command(self, meta: Meta, *patterns: Token) -> q.Keep:
        return q.Keep(tuple(map(self._named, patterns)), drop=True)

    def _named(self, name: Token) -> q.ColumnRef:
        return q.ColumnRef(unquoted(name), self._place(name))

    def rename_command(self, meta: Meta, *names: tuple[str, str]) -> q.Rename:
        return q.Rename(names)

    def renamed(self, meta: Meta, old: Token, new: Token) -> tuple[str, str]:
        return unquoted(old), unquoted(new)

    def renamed_from(self, meta: Meta, new: Token, old: Token) -> tuple[str, str]:
        return unquoted(old), unquoted(new)

    def stats_command(self, meta: Meta, *parts: Any) -> q.Stats:
        return self._stats(parts, inline=False)

    def inline_command(self, meta: Meta, *parts: Any) -> q.Stats:
        return self._stats(parts, inline=True)

    def _stats(self, parts: tuple[Any, ...], *, inline: bool) -> q.Stats:
        aggregates: list[q.Aggregate] = next((part for part in parts if isinstance(part, list)), [])
        groups: tuple[Any, ...] = next((part for part in parts if isinstance(part, tuple)), ())
        return q.Stats(tuple(aggregates), groups, inline)

    def aggregates(self, meta: Meta, *aggregates: q.Aggregate) -> list[q.Aggregate]:
        return list(aggregates)

    def aggregate(
        self, meta: Meta, column: tuple[str, q.Expression], where: q.Expression | None = None
    ) -> q.Aggregate:
        return q.Aggregate(*column, where)

    def groups(self, meta: Meta, *columns: tuple[str, q.Expression]) -> tuple[tuple[str, q.Expression], ...]:
        return columns

    def grok_command(self, meta: Meta, value: q.Expression, *patterns: q.Literal) -> q.Extract:
        return q.Extract(value, tuple(str(p.value) for p in patterns), place=self._place(meta))

    def dissect_command(
        self, meta: Meta, value: q.Expression, pattern: q.Literal, *options: tuple[str, q.Scalar]
    ) -> q.Extract:
        separator = ""
        for name, given in options:
            if name.lower() != "append_separator":
                raise self._refuse(f"dissect has no option `{name}`", meta, 'there is append_separator=", "')
            separator = str(given)
        return q.Extract(value, (str(pattern.value),), True, separator, self._place(meta))

    def dissect_option(self, meta: Meta, name: Token, value: q.Literal) -> tuple[str, q.Scalar]:
        return str(name), value.value

    def uri_parts_command(self, meta: Meta, prefix: Token, value: q.Expression) -> q.UriParts:
        return q.UriParts(unquoted(prefix), value, self._place(meta))

    def sort_command(self, meta: Meta, *keys: q.SortKey) -> q.Sort:
        return q.Sort(keys)

    def order(self, meta: Meta, value: q.Expression, *words: Token) -> q.SortKey:
        words_by_type = {word.type: str(word).lower() for word in words}
        descending = words_by_type.get("DIRECTION") == "desc"
        # As in Elasticsearch nulls count as larger than any value.
        return q.SortKey(
            value, descending, words_by_type.get("PLACE", "first" if descending else "last") == "first"
        )

    def limit_command(self, meta: Meta, number: Token, *by: q.Expression) -> q.Limit:
        return q.Limit(int(float(number)), by)

    def expand_command(self, meta: Meta, name: Token) -> q.Expand:
        return q.Expand(self._named(name))

    def named(self, meta: Meta, name: Token, value: q.Expression) -> tuple[str, q.Expression]:
        return unquoted(name), value

    def unnamed(self, meta: Meta, value: q.Expression) -> tuple[str, q.Expression]:
        if isinstance(value, q.ColumnRef):
            return value.name, value
        return self.text[meta.start_pos : meta.end_pos], value

    # ---- expressions

    def disjunction(self, meta: Meta, *operands: q.Expression) -> q.Expression:
        return operands[0] if len(operands) == 1 else q.Or(operands, self._place(meta))

    def conjunction(self, meta: Meta, *operands: q.Expression) -> q.Expression:
        return operands[0] if len(operands) == 1 else q.And(operands, self._place(meta))

    def logical_not(self, meta: Meta, operand: q.Expression) -> q.Expression:
        return q.Not(operand, self._place(meta))

    def comparison(self, meta: Meta, left: q.Expression, operator: Token, right: q.Expression) -> q.Expression:
        return q.Comparison(str(operator), left, right, self._place(meta))

    def arithmetic(self, meta: Meta, left: q.Expression, operator: Token, right: q.Expression) -> q.Expression:
        return q.Arithmetic(str(operator), left, right, self._place(meta))

    def membership(self, meta: Meta, value: q.Expression, items: tuple[q.Expression, ...]) -> q.In:
        return q.In(value, items, self._place(meta))

    def not_membership(self, meta: Meta, value: q.Expression, items: tuple[q.Expression, ...]) -> q.Expression:
        return q.Not(self.membership(meta, value, items), self._place(meta))

    def list(self, meta: Meta, *items: q.Expression) -> tuple[q.Expression, ...]:
        return items

    def like(self, meta: Meta, value: q.Expression, kind: Token, patterns: tuple[str, ...]) -> q.Like:
        return q.Like(value, patterns, str(kind).lower() == "rlike", self._place(meta))

    def not_like(self, meta: Meta, value: q.Expression, kind: Token, patterns: tuple[str, ...]) -> q.Expression:
        return q.Not(self.like(meta, value, kind, patterns), self._place(meta))

    def patterns(self, meta: Meta, *patterns: q.Literal) -> tuple[str, ...]:
        return tuple(str(pattern.value) for pattern in patterns)

    def is_null(self, meta: Meta, value: q.Expression) -> q.Expression:
        return q.IsNull(value, self._place(meta))

    def is_not_null(self, meta: Meta, value: q.Expression) -> q.Expression:
        return q.Not(q.IsNull(value, self._place(meta)), self._place(meta))

    def match(self, meta: Meta, value: q.Expression, text: q.Literal) -> q.MatchOperator:
        column = searched(value)
        if not isinstance(column, q.ColumnRef):
            raise self._refuse("what stands before `:` is a column", meta)
        return q.MatchOperator(column, text.value, self._place(meta))

    def negative(self, meta: Meta, sign: Token, operand: q.Expression) -> q.Expression:
        return q.Negative(operand, self._place(meta))

    def cast(self, meta: Meta, value: q.Expression, kind: Token) -> q.Expression:
        try:
            size = cast_to_span(value, str(kind).lower())
        except MisusedError as error:
            raise self._refuse(str(error), meta) from None
        if size is not None:
            return size
        return q.Cast(value, str(kind).lower(), self._place(meta))

    def column(self, meta: Meta, name: Token) -> q.ColumnRef:
        return q.ColumnRef(unquoted(name), self._place(meta))

    def several(self, meta: Meta, *values: q.Literal) -> q.Several:
        return q.Several(tuple(value.value for value in values), self._place(meta))

    def function(self, meta: Meta, name: Token, *arguments: Any) -> q.Expression:
        every = any(isinstance(argument, Token) for argument in arguments)
        options = next((argument for argument in arguments if isinstance(argument, tuple)), ())
        values = tuple(argument for argument in arguments if not isinstance(argument, (tuple, Token)))
        try:
            return replaced(q.Call(str(name).lower(), values, options, every, self._place(meta)))
        except MisusedError as error:
            raise self._refuse(str(error), meta) from None

    def options(self, meta: Meta, *options: tuple[str, q.Scalar]) -> tuple[tuple[str, q.Scalar], ...]:
        return options

    def option(self, meta: Meta, name: q.Literal, value: q.Literal) -> tuple[str, q.Scalar]:
        return str(name.value), value.value

    # ---- constants

    def string(self, meta: Meta, token: Token) -> q.Literal:
        text = str(token)
        if token.type == "RAW":
            return q.Literal(text[3:-3], self._place(meta))

        def escaped(match: re.Match[str]) -> str:
            if match[1] not in _ESCAPES:
                raise self._refuse(f"unknown escape `\\{match[1]}`", meta, 'write the text between """')
            return _ESCAPES[match[1]]

        return q.Literal(re.sub(r"\\(.)", escaped, text[1:-1]), self._place(meta))

    def duration(self, meta: Meta, token: Token) -> q.Duration:
        size = span(token)
        if size is None:
            raise self._refuse(f"`{token}` is no span of time", meta, "as in 5 minutes")
        return replace(size, place=self._place(meta))

    def number(self, meta: Meta, token: Token) -> q.Literal:
        whole = token.isdigit()
        return q.Literal(int(token) if whole else float(token), self._place(meta))

    def negative_number(self, meta: Meta, sign: Token, token: Token) -> q.Literal:
        return q.Literal(-(int(token) if token.isdigit() else float(token)), self._place(meta))

    def true(self, meta: Meta) -> q.Literal:
        return q.Literal(True, self._place(meta))

    def false(self, meta: Meta) -> q.Literal:
        return q.Literal(False, self._place(meta))

    def null(self, meta: Meta) -> q.Literal:
        return q.Literal(None, self._place(meta))
