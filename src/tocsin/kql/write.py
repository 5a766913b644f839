"""KQL text of a field and a value, and queries that such conditions are added to.

What is written is read by `read.py` as exactly the value: in quotes, with all that would end or change it escaped.
"""

from __future__ import annotations

import re
from typing import Any

from lark import Token, Tree, UnexpectedInput

from tocsin.kql.read import syntax_tree
from tocsin.printable import is_hidden

_PLAIN_FIELD = re.compile(r"(?!(?:and|or|not)$)[^\\():<>\"*{}\s]+", re.IGNORECASE)
_PLAIN_VALUE = re.compile(r"-?\d{1,19}(?:\.\d{1,19})?|true|false")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def condition(field: str, value: Any) -> str:
    """Return the query that a field has a value: a text, a number, true or false; any where it is None."""
    return f"{field_name(field)}: {'*' if value is None else written_value(value)}"


def field_name(field: str) -> str:
    """Return a field's name as a query has it, in quotes where it needs them."""
    return field if _PLAIN_FIELD.fullmatch(field) else quoted(field)


def written_value(value: Any) -> str:
    """Return a value as a query has it: a number, true and false as they are, all else in quotes."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if not isinstance(value, str) and _PLAIN_VALUE.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return a text as a value in quotes: on one line, with all that hides written out."""
    return f'"{"".join(_written(character) for character in text)}"'


def _written(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if is_hidden(character) and ord(character) < 0x10000:
        return f"\\u{ord(character):04x}"
    return character


def with_condition(query: str, added: str, *, negated: bool = False) -> str:
    """Return a query to which a condition is added, or one that leaves out what meets it.

    It is added once, and takes the place of its own opposite.
    """
    wanted, opposite = (f"not {added}", added) if negated else (added, f"not {added}")
    parts = [part for part in _conjuncts(query) if part not in (wanted, opposite)]
    return " and ".join([*parts, wanted])


def _conjuncts(query: str) -> list[str]:
    """Return the parts of a query all of which an event must meet, as they are written."""
    query = query.strip()
    if not query:
        return []
    try:
        tree = syntax_tree(query)
    except (UnexpectedInput, RecursionError):
        return [f"({query})"]
    if tree.data == "and_query":
        texts = _operands(tree, query)
        if texts is not None:
            return texts
    return [f"({query})"] if tree.data in ("or_query", "and_query") else [query]


def _operands(tree: Tree[Token], query: str) -> list[str] | None:
    """Return the operands of a conjunction as they are written, with the parentheses that belong to them.

    None is returned where a parenthesis is around several of them.
    """
    spans = [(child.meta.start_pos, child.meta.end_pos) for child in tree.children if isinstance(child, Tree)]
    starts = [0, *(end for _, end in spans[:-1])]
    ends = [*(start for start, _ in spans[1:]), len(query)]
    texts = []
    for (start, end), low, high in zip(spans, starts, ends, strict=True):
        before, after = query[low:start], query[end:high]
        opened, closed = before.count("("), after.count(")")
        if opened != closed:
            return None
        text = "(" * opened + query[start:end] + ")" * closed
        texts.append(text)
    return texts
