"""Elasticsearch's simple query strings -> conditions.

`+` makes the clauses on its sides necessary, `|` leaves either, `-` forbids what follows; quotes hold a phrase, a
`*` at a word's end stands for its rest, parentheses group. Nothing is ever wrong with one: what cannot be an
operator is text. A clause names no field.
"""

from __future__ import annotations

import re
from collections import deque

from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.build import all_of, any_of, on_fields
from tocsin.query_dsl.context import PATTERNED, SEARCHED
from tocsin.query_dsl.query_string import Reading
from tocsin.query_dsl.words import words
from tocsin.query_size import check_size

_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<open>\() | (?P<close>\)) | (?P<and>\+) | (?P<or>\|) | (?P<not>-)
      | "(?P<phrase>(?:[^"\\]|\\.)*)"(?:~\d+)?
      | (?P<word>(?:\\.|[^\s()+|"])+)
      | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_FUZZY = re.compile(r"(?<!\\)~\d*$")
_DEEPEST = 100  # groups inside one another


def read_simple_query_string(text: str, reading: Reading) -> s.Expression:
    """Return the condition that a simple query string states; one without a word holds for nothing."""
    check_size(text)
    tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(text)]
    reader = _Reader([token for token in tokens if token[0] not in ("space", "other")], reading)
    conditions = []
    while reader.tokens:  # what closes a group that was never opened ends one all the same
        conditions += [condition for condition in [reader.clauses(0)] if condition is not None]
        reader.skip()
    return any_of(conditions)


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], reading: Reading) -> None:
        self.tokens, self.reading = deque(tokens), reading

    def skip(self) -> None:
        """Leave out what closes a group, if the text has it."""
        if self.tokens:
            self.tokens.popleft()

    def clauses(self, depth: int) -> s.Expression | None:
        """Return what the clauses up to the end of a group state together, None where there are none."""
        if depth > _DEEPEST:
            raise QueryError("too many groups inside one another")
        conditions: list[s.Expression] = []  # all so far, which `joined` puts together
        joined = any_of
        operator = ""
        while self.tokens and self.tokens[0][0] != "close":
            kind, _ = self.tokens[0]
            if kind in ("and", "or"):
                operator = kind
                self.tokens.popleft()
                continue
            clause = self._clause(depth)
            if clause is None:
                continue
            join = all_of if operator == "and" or (not operator and self.reading.every) else any_of
            if join is not joined and len(conditions) > 1:
                conditions = [joined(conditions)]
            joined = join
            conditions.append(clause)
            operator = ""
        return joined(conditions) if conditions else None

    def _clause(self, depth: int) -> s.Expression | None:
        forbidden = False
        while self.tokens and self.tokens[0][0] == "not":
            forbidden = not forbidden
            self.tokens.popleft()
        if not self.tokens or self.tokens[0][0] in ("and", "or", "close"):
            return None
        kind, text = self.tokens.popleft()
        if kind == "open":
            condition = self.clauses(depth + 1)
            self.skip()
        else:
            condition = any_of(self._on(name, kind, text) for name in self.reading.fields)
        return s.Not(condition) if forbidden and condition is not None else condition

    def _on(self, name: str, kind: str, text: str) -> s.Expression:
        context = self.reading.context
        plain = _ESCAPED.sub(r"\1", _FUZZY.sub("", text))
        try:
            if kind == "phrase":
                return on_fields(name, lambda field: words(field, plain, context, phrase=True), SEARCHED)
            if text == "*":
                return s.Literal(True)
            if text.endswith("*") and not text.endswith("\\*"):
                return on_fields(name, lambda field: words(field, plain[:-1], context, begun=True), PATTERNED)
            return on_fields(name, lambda field: words(field, plain, context, every=self.reading.every), SEARCHED)
        except QueryError:  # a word that is no number, say
            return s.Literal(False)
