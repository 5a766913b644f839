"""Lucene's classic query syntax -> conditions.

`AND` makes the clauses on its sides necessary, `OR` leaves them as they are, `NOT` forbids one; a query without a
necessary clause needs one of the others. That is Lucene's rule, and differs from Boolean precedence: of
`a AND b OR c` a and b are needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NoReturn

from tocsin.eql import syntax as s
from tocsin.errors import Place, QueryError
from tocsin.query_dsl.build import all_of, any_of, between, exists_below, on_fields
from tocsin.query_dsl.context import PATTERNED, SEARCHED, Context
from tocsin.query_dsl.patterns import check_regexp
from tocsin.query_dsl.values import Bound
from tocsin.query_dsl.words import like, like_regexp, words
from tocsin.query_size import check_size

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<open>\() | (?P<close>\))
      | (?P<and>AND(?![^\s()])|&&) | (?P<or>OR(?![^\s()])|\|\|) | (?P<not>NOT(?![^\s()])|!)
      | (?P<plus>\+) | (?P<minus>-)
      | (?P<boost>\^[0-9.]+) | (?P<fuzzy>~[0-9.]*)
      | (?P<range>[\[{]\s*(?:"(?:[^"\\]|\\.)*"|[^\s\]}]+)\s+TO\s+(?:"(?:[^"\\]|\\.)*"|[^\s\]}]+)\s*[\]}])
      | (?P<compare>(?:>=|<=|>|<)\s*(?:"(?:[^"\\]|\\.)*"|(?:[^\s()\\]|\\.)+))
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<regex>/(?:[^/\\]|\\.)*/)
      | (?P<field>(?:[^\s"+\-!(){}\[\]^~:\\/<>]|\\.)(?:[^\s"!(){}\[\]^~:\\/<>]|\\.)*\s*:(?!:))
      | (?P<word>(?:[^\s"+\-!(){}\[\]^~:\\/<>]|\\.)(?:[^\s"!(){}\[\]^~:\\]|\\.|:(?=:)|(?<=:):)*)
    """,
    re.VERBOSE | re.DOTALL,
)
_END = r'("(?:[^"\\]|\\.)*"|[^\s\]}]+)'
_RANGE = re.compile(rf"([\[{{])\s*{_END}\s+TO\s+{_END}\s*([\]}}])", re.DOTALL)
_COMPARE = re.compile(r"(>=|<=|>|<)\s*(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DEEPEST = 100  # groups inside one another
EXISTS = "_exists_"


@dataclass(frozen=True)
class Reading:
    """How a query string is read: the fields of terms that name none, and what stands between clauses."""

    context: Context
    fields: tuple[str, ...] = ("*",)
    every: bool = False  # clauses without an operator are all necessary (`default_operator` AND)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class _Clause:
    condition: s.Expression
    necessary: bool = False
    forbidden: bool = False


def read_query_string(text: str, reading: Reading) -> s.Expression:
    """Return the condition that a query string states. Raises QueryError with the place of a fault."""
    check_size(text)
    return _Parser(text, reading).read()


class _Parser:
    def __init__(self, text: str, reading: Reading) -> None:
        self.text, self.reading, self.at = text, reading, 0
        self.tokens = self._tokens()

    def _fail(self, message: str, at: int, hint: str = "") -> NoReturn:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        raise QueryError(message, hint=hint, place=Place(line, column, column + 1), text=self.text)

    def _tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None or not match[0]:
                self._fail(f"`{self.text[at]}` cannot stand here", at, "quote it, or put a backslash before it")
            if match.lastgroup != "space":
                tokens.append(_Token(match.lastgroup or "", match[0], at))
            at = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _peek(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def read(self) -> s.Expression:
        if self._peek().kind == "end":
            return s.Literal(False)
        condition = self._clauses(None, 0)
        if self._peek().kind != "end":
            self._fail("a parenthesis is closed that was never opened", self._peek().at)
        return condition

    def _clauses(self, name: str | None, depth: int) -> s.Expression:
        if depth > _DEEPEST:
            self._fail("too many groups inside one another", self._peek().at)
        clauses: list[_Clause] = []
        while self._peek().kind not in ("end", "close"):
            operator = self._peek().kind if self._peek().kind in ("and", "or") else None
            if operator:
                token = self._next()
                if not clauses:
                    self._fail(f"{token.text} needs something before it", token.at)
            clause = self._clause(name, depth)
            if operator == "and" and not clauses[-1].forbidden:
                clauses[-1] = replace(clauses[-1], necessary=True)
            if operator == "or" and self.reading.every and not clauses[-1].forbidden:
                clauses[-1] = replace(clauses[-1], necessary=False)
            wanted = operator == "and" or (self.reading.every and operator is None)
            clauses.append(replace(clause, necessary=clause.necessary or (wanted and not clause.forbidden)))
        if not clauses:
            self._fail("a group is empty", self._peek().at)
        return _combined(clauses)

    def _clause(self, name: str | None, depth: int) -> _Clause:
        necessary = forbidden = False
        while self._peek().kind in ("not", "plus", "minus"):
            kind = self._next().kind
            necessary = kind == "plus"
            forbidden = kind != "plus"
        condition = self._atom(name, depth)
        while self._peek().kind in ("boost", "fuzzy"):
            token = self._next()
            if token.kind == "fuzzy":
                self._fail("no fuzzy terms and no proximity", token.at, "use a wildcard, or a phrase without `~`")
        return _Clause(condition, necessary, forbidden)

    def _atom(self, name: str | None, depth: int) -> s.Expression:
        token = self._next()
        if token.kind == "open":
            condition = self._clauses(name, depth + 1)
            if self._next().kind != "close":
                self._fail("a parenthesis is never closed", token.at)
            return condition
        if token.kind == "field":
            if name is not None:
                self._fail("a field inside the group of a field", token.at)
            return self._atom(_plain(token.text[:-1].rstrip()), depth)
        if token.kind not in _LEAVES:
            what = f"`{token.text}` cannot stand here" if token.text else "the query ends too early"
            self._fail(what, token.at)
        return self._leaf(name, token)

    def _leaf(self, name: str | None, token: _Token) -> s.Expression:
        if name == EXISTS:
            return exists_below(_plain(token.text.strip('"')), self.reading.context)
        if name is None and token.text == "*":
            return s.Literal(True)
        if name is not None and token.text == "*":
            return exists_below(name, self.reading.context)
        names = self.reading.fields if name is None else (name,)
        conditions = []
        for field in names:
            try:
                conditions.append(self._on(field, token))
            except QueryError:  # a word that is no address, say
                if len(names) == 1:
                    raise
        return any_of(conditions)

    def _on(self, name: str, token: _Token) -> s.Expression:
        context, text = self.reading.context, token.text
        if token.kind == "quoted":
            return on_fields(name, lambda field: words(field, _plain(text[1:-1]), context, phrase=True), SEARCHED)
        if token.kind == "regex":
            pattern = text[1:-1].replace("\\/", "/")
            check_regexp(name, pattern)
            return on_fields(name, lambda field: like_regexp(field, pattern, context), PATTERNED)
        if token.kind in ("range", "compare"):
            bounds = _bounds(token)
            return on_fields(name, lambda field: between(field, bounds, context), SEARCHED)
        if re.search(r"(?<!\\)(?:\\\\)*[*?]", text):
            return on_fields(name, lambda field: like(field, text, context), PATTERNED)
        return on_fields(name, lambda field: words(field, _plain(text), context), SEARCHED)


_LEAVES = frozenset({"quoted", "regex", "range", "compare", "word"})


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _bounds(token: _Token) -> tuple[Bound, ...]:
    if token.kind == "compare":
        match = _COMPARE.fullmatch(token.text)
        assert match is not None
        return (Bound(match[1], _end(match[2])),)
    match = _RANGE.fullmatch(token.text)
    assert match is not None
    low, high = ">=" if match[1] == "[" else ">", "<=" if match[4] == "]" else "<"
    return Bound(low, _end(match[2])), Bound(high, _end(match[3]))


def _end(text: str) -> str | None:
    """Return the value at an end of a range, None for `*`."""
    return None if text == "*" else _plain(text.strip('"'))


def _combined(clauses: list[_Clause]) -> s.Expression:
    necessary = [c.condition for c in clauses if c.necessary]
    possible = [c.condition for c in clauses if not c.necessary and not c.forbidden]
    forbidden = [s.Not(c.condition) for c in clauses if c.forbidden]
    if necessary:
        return all_of([*necessary, *forbidden])
    return all_of([*([any_of(possible)] if possible else []), *forbidden])
