"""KQL text -> a condition in EQL's syntax tree, with the meaning that Kibana gives it in Elasticsearch.

A value without quotes may hold `*`; in quotes it is a phrase. Fields that Elasticsearch analyses are asked for
words, all others for their whole value, exactly. A value without a field is looked for in all of them. A field
that no event has meets nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from tocsin.eql import syntax as s
from tocsin.errors import Place, QueryError
from tocsin.query_dsl.build import all_of, any_of, between, exists_below, on_fields
from tocsin.query_dsl.context import PATTERNED, SEARCHED, Context
from tocsin.query_dsl.values import Bound
from tocsin.query_dsl.words import like, words
from tocsin.query_size import check_size

_BLANKS = {"t": "\t", "r": "\r", "n": "\n"}
_IN_WORD = re.compile(r"\\(u[0-9a-f]{4}|and|or|not|.)|(\*)|([^\\*]+)", re.IGNORECASE | re.DOTALL)
_IN_QUOTES = re.compile(r'\\(u[0-9a-f]{4}|[trn"\\])', re.IGNORECASE)
_READABLE = {
    "QUOTED": "a value",
    "WORD": "a value",
    "COLON": "`:`",
    "RPAR": "`)`",
    "_AND": "`and`",
    "_OR": "`or`",
    "$END": "the end of the query",
}
_Node = Tree[Token]


def read_kql(text: str, context: Context) -> s.Expression:
    """Return the condition that a query states; an empty one holds for every event.

    Raises QueryError with line, column and hint.
    """
    if not text.strip():
        return s.Literal(True)
    check_size(text)
    try:
        tree = syntax_tree(text)
        return _Reader(text, context).condition(tree, "")
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    except RecursionError:
        raise QueryError("the query is nested too deeply", hint="split it into several rules") from None


def syntax_tree(text: str) -> _Node:
    """Return the syntax tree of a query, which is not empty. Raises lark's UnexpectedInput."""
    return _parser().parse(text)


@cache
def _parser() -> Lark:
    grammar = (resources.files("tocsin.kql") / "grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True)


def _unexpected(error: UnexpectedInput, text: str) -> QueryError:
    line, column = error.line or 0, error.column or 0
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ended or line < 1:
        lines = text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    place = Place(line, column, column + 1)
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        character = text[at : at + 1]
        if character == '"':
            return QueryError("this value's quote is never closed", place=place, text=text)
        hint = "put the value in quotes, or a backslash before the character"
        return QueryError(f"unexpected character `{character}`", hint=hint, place=place, text=text)
    message = "the query ends too early" if ended else f"unexpected `{getattr(error, 'token', '')}`"
    accepted: set[str] = set(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    expected = list(dict.fromkeys(word for name, word in _READABLE.items() if name in accepted))
    hint = f"expected {' or '.join(expected)}" if expected else ""
    return QueryError(message, hint=hint, place=place, text=text)


_COMPOUND = ("or_values", "or_values_group", "and_values", "not_values")


class _Reader:
    def __init__(self, text: str, context: Context) -> None:
        self.text, self.context = text, context

    def condition(self, node: _Node, prefix: str) -> s.Expression:
        """Return what a query states; names of fields stand behind `prefix`."""
        inner: list[_Node] = [child for child in node.children if isinstance(child, Tree)]
        match node.data:
            case "or_query":
                return any_of(self.condition(condition, prefix) for condition in inner)
            case "and_query":
                return all_of(self.condition(condition, prefix) for condition in inner)
            case "negation":
                return s.Not(self.condition(inner[0], prefix))
            case "nested":
                return self.condition(inner[1], f"{prefix}{self._value(inner[0]).plain}.")
            case "range":
                operator, value = str(node.children[1]), self._value(inner[1])
                bound = Bound(operator, value.plain)

                def within(name: str) -> s.Expression:
                    return on_fields(name, lambda field: between(field, (bound,), self.context), SEARCHED)

                return self._on_fields(inner[0], prefix, within)
            case "is" if (
                inner[1].data not in _COMPOUND and not prefix and all(self._value(part).every for part in inner)
            ):
                return s.Literal(True)  # `*:*` is every event, whatever fields it has
            case "is":
                return self._on_fields(inner[0], prefix, lambda name: self._values(name, inner[1]))
        return self._anywhere(inner[0], prefix)

    def _on_fields(self, field: _Node, prefix: str, test: Callable[[str], s.Expression]) -> s.Expression:
        wanted = self._value(field)
        try:
            return test(prefix + wanted.plain)
        except QueryError as error:
            raise QueryError(error.message, hint=error.hint, place=_place(field), text=self.text) from None

    def _anywhere(self, node: _Node, prefix: str) -> s.Expression:
        value = self._value(node)
        if value.every and not prefix:
            return s.Literal(True)
        return self._is(f"{prefix}*", value)

    # ---- values

    def _values(self, name: str, node: _Node) -> s.Expression:
        inner: list[_Node] = [child for child in node.children if isinstance(child, Tree)]
        match node.data:
            case "or_values" | "or_values_group":
                return any_of(self._values(name, value) for value in inner)
            case "and_values":
                return all_of(self._values(name, value) for value in inner)
            case "not_values":
                return s.Not(self._values(name, inner[0]))
        return self._is(name, self._value(node))

    def _is(self, name: str, value: _Value) -> s.Expression:
        if value.every:
            return exists_below(name, self.context)
        if value.wild:
            return on_fields(name, lambda field: like(field, value.pattern, self.context), PATTERNED)
        return on_fields(
            name, lambda field: words(field, value.plain, self.context, phrase=value.quoted), SEARCHED
        )

    def _value(self, node: _Node) -> _Value:
        first, last = node.children[0], node.children[-1]
        assert isinstance(first, Token)
        assert isinstance(last, Token)
        text = self.text[first.start_pos : last.end_pos]
        return _quoted(text) if first.type == "QUOTED" else _unquoted(text)


@dataclass(frozen=True)
class _Value:
    """A literal: its text, and the same as a pattern in which all but its wildcards is escaped."""

    plain: str
    pattern: str
    wild: bool = False
    quoted: bool = False

    @property
    def every(self) -> bool:
        """Whether it stands for any value."""
        return self.wild and set(self.pattern) == {"*"}


def _quoted(text: str) -> _Value:
    plain = _IN_QUOTES.sub(lambda match: _escaped(match[1]), text[1:-1])
    return _Value(plain, plain, quoted=True)


def unquoted_text(text: str) -> str:
    """Return what a literal stands for, also one whose quote is not closed yet."""
    if not text.startswith('"'):
        return _unquoted(text).plain
    closed = len(text) > 1 and text.endswith('"') and (len(text) - len(text[:-1].rstrip("\\"))) % 2 == 1
    return _quoted(text if closed else f'{text}"').plain


def _unquoted(text: str) -> _Value:
    plain, pattern, wild = [], [], False
    for escape, star, rest in _IN_WORD.findall(text):
        part = _escaped(escape) if escape else star or rest
        plain.append(part)
        pattern.append("*" if star else re.sub(r"([\\*?])", r"\\\1", part))
        wild = wild or bool(star)
    return _Value("".join(plain), "".join(pattern), wild)


def _escaped(text: str) -> str:
    """Return what stands behind a backslash: a blank, a character by its code, or itself."""
    if len(text) == 5 and text[0] in "uU":
        return chr(int(text[1:], 16))
    return _BLANKS.get(text, text)


def _place(node: _Node) -> Place:
    meta = node.meta
    end = meta.end_column if meta.end_line == meta.line else meta.column + 1
    return Place(meta.line, meta.column, end)
