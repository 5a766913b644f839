"""Where in a query somebody types: at a field's name, an operator, a value or a connective.

Queries that are being typed cannot be parsed. They are read here word by word up to the cursor, with the
words of the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tocsin.kql.read import unquoted_text

FIELD, OPERATOR, VALUE, CONNECTIVE = "field", "operator", "value", "connective"
OPERATORS = (":", "<", "<=", ">", ">=")
CONNECTIVES = ("and", "or")
_TOKEN = re.compile(
    r"""(?P<blank>\s+)
      | (?P<quoted>"(?:\\.|[^"\\])*(?P<closed>")?)
      | (?P<range><=|>=|<|>)
      | (?P<sign>[:(){}])
      | (?P<word>(?:\\.?|[^\\():<>"{}\s])+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class TypedPart:
    """What is typed at the cursor: its kind, the text so far, and the range of the query that a choice replaces.

    `field` is the one whose value is typed. `quoted` tells that a value begins with a quote.
    """

    kind: str
    text: str
    start: int
    end: int
    field: str = ""
    quoted: bool = False


@dataclass
class _Reading:
    """What is read up to some place: what may come next."""

    kind: str = FIELD
    field: str = ""  # the field whose value comes, or the literal that may turn out to be one
    groups: tuple[str, ...] = ()  # parentheses and braces that are open: `(`, `(` of a field's values, `{`
    prefixes: tuple[str, ...] = ()  # of fields within braces

    def in_values(self) -> bool:
        return bool(self.groups) and self.groups[-1] == VALUE


def typed_part(query: str, cursor: int) -> TypedPart:
    """Return what is typed at a place of a query, counted from 0. Never fails, whatever the query is."""
    cursor = max(0, min(cursor, len(query)))
    reading = _Reading()
    for token in _TOKEN.finditer(query):
        if token.start() >= cursor:
            break
        group, text = token.lastgroup or "", token[0]
        group = "quoted" if group == "closed" else group
        ends_here = token.end() < cursor or (group == "quoted" and token.end() == cursor and token["closed"])
        if group in ("word", "quoted") and not ends_here:
            return _typed(reading, query, token, cursor)
        if group == "range" or (group == "sign" and text == ":"):
            reading.kind = VALUE
        elif group == "sign":
            _open_or_close(reading, text)
        elif group in ("word", "quoted"):
            _take(reading, text, quoted=group == "quoted")
    return TypedPart(reading.kind, "", cursor, cursor, _full_name(reading) if reading.kind == VALUE else "")


def _typed(reading: _Reading, query: str, token: re.Match[str], cursor: int) -> TypedPart:
    text = query[token.start() : cursor]
    quoted = text.startswith('"')
    kind = VALUE if quoted and reading.kind == CONNECTIVE else reading.kind
    if kind == VALUE:
        plain = unquoted_text(text)
        return TypedPart(VALUE, plain, token.start(), token.end(), _full_name(reading), quoted)
    return TypedPart(kind, unquoted_text(text), token.start(), token.end(), quoted=quoted)


def _take(reading: _Reading, text: str, *, quoted: bool) -> None:
    word = "" if quoted else text.lower()
    if word == "not" and reading.kind in (FIELD, VALUE):
        return
    if word in CONNECTIVES and reading.kind in (OPERATOR, CONNECTIVE):
        reading.kind = VALUE if reading.in_values() else FIELD
    elif reading.kind == FIELD:
        reading.kind, reading.field = OPERATOR, unquoted_text(text)
    elif reading.kind == VALUE:
        reading.kind = CONNECTIVE
    # else it is a further word of the same literal


def _open_or_close(reading: _Reading, sign: str) -> None:
    if sign == "(":
        is_value = reading.kind == VALUE
        reading.groups += (VALUE if is_value else FIELD,)
        reading.kind = VALUE if is_value else FIELD
    elif sign == "{":
        reading.groups += ("{",)
        reading.prefixes += (f"{reading.field}.",)
        reading.kind = FIELD
    else:
        if reading.groups:
            if reading.groups[-1] == "{":
                reading.prefixes = reading.prefixes[:-1]
            reading.groups = reading.groups[:-1]
        reading.kind = CONNECTIVE


def _full_name(reading: _Reading) -> str:
    return "".join(reading.prefixes) + reading.field
