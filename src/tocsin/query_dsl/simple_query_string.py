"""Elasticsearch's simple query strings -> conditions.

`+` makes the clauses on its sides necessary, `|` leaves either, `-` forbids what follows; quotes hold a phrase, a
`*` at a word's end stands for its rest, parentheses group. Nothing is ever wrong with one: what cannot be an
operator is text. A clause names no field.
"""

from __future__ import annotations

import re

from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.build import PATTERNED, SEARCHED, all_of, any_of, on_fields, words
from tocsin.query_dsl.query_string import Reading

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
    tokens = [(found.lastgroup or "", found[found.lastgroup or 0]) for found in _TOKEN.finditer(text)]
    reader = _Reader([token for token in tokens if token[0] not in ("space", "other")], reading)
    conditions = []
    while reader.tokens:  # what closes a group that was never opened ends one all the same
        conditions += [found for found in [reader.clauses(0)] if found is not None]
        reader.tokens = reader.tokens[1:]
    return any_of(conditions)


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], reading: Reading) -> None:
        self.tokens, self.reading = tokens, reading

    def clauses(self, depth: int) -> s.Expression | None:
        """Return what the clauses up to the end of a group state together, None where there are none."""
        if depth > _DEEPEST:
            raise QueryError("too many groups inside one another")
        found: s.Expression | None = None
        operator = ""
        while self.tokens and self.tokens[0][0] != "close":
            kind, _ = self.tokens[0]
            if kind in ("and", "or"):
                operator = kind
                self.tokens = self.tokens[1:]
                continue
            clause = self._clause(depth)
            if clause is None:
                continue
            both = operator == "and" or (not operator and self.reading.every)
            found = clause if found is None else (all_of if both else any_of)((found, clause))
            operator = ""
        return found

    def _clause(self, depth: int) -> s.Expression | None:
        forbidden = False
        while self.tokens and self.tokens[0][0] == "not":
            forbidden = not forbidden
            self.tokens = self.tokens[1:]
        if not self.tokens or self.tokens[0][0] in ("and", "or", "close"):
            return None
        (kind, text), self.tokens = self.tokens[0], self.tokens[1:]
        if kind == "open":
            found = self.clauses(depth + 1)
            self.tokens = self.tokens[1:]
        else:
            found = any_of(self._on(name, kind, text) for name in self.reading.fields)
        return s.Not(found) if forbidden and found is not None else found

    def _on(self, name: str, kind: str, text: str) -> s.Expression:
        context = self.reading.context
        plain = _ESCAPED.sub(r"\1", _FUZZY.sub("", text))
        try:
            if kind == "phrase":
                return on_fields(name, lambda one: words(one, plain, context, phrase=True), SEARCHED)
            if text == "*":
                return s.Literal(True)
            if text.endswith("*") and not text.endswith("\\*"):
                return on_fields(name, lambda one: words(one, plain[:-1], context, begun=True), PATTERNED)
            return on_fields(name, lambda one: words(one, plain, context, every=self.reading.every), SEARCHED)
        except QueryError:  # a word that is no number, say
            return s.Literal(False)
