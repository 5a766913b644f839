"""Patterns of Lucene: with `*` and `?`, and regular expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.eql.strings import UnsupportedPattern, lucene_to_regex, wildcard_to_regex
from tocsin.errors import QueryError
from tocsin.linear_regex import LONGEST, RegexError, whole_match

_SHOWN = 200  # characters of a pattern in a message
_MOST_STARS = 256  # each may begin anywhere in a value: thousands take seconds over many events
_LUCENE = re.compile(r'([.?+*|{}\[\]()"\\#@&<>~^$-])')


def escape(text: str) -> str:
    """Return a text as a regular expression of Lucene that matches it alone."""
    return _LUCENE.sub(r"\\\1", text)


def parts_of(pattern: str) -> list[str]:
    """Return the characters of a pattern, each with the backslash before it."""
    return re.findall(r"\\.|.", pattern, re.DOTALL)


def regex_of(parts: Iterable[str], any_character: str) -> str:
    """Return a pattern's parts as a regular expression; `any_character` is what `?` stands for."""
    wild = {"*": f"{any_character}*", "?": any_character}
    return "".join(wild.get(part) or escape(part[-1]) for part in parts)


def check_regexp(name: str, pattern: str) -> None:
    """Raise QueryError for a regular expression that cannot be run."""
    try:
        lucene_to_regex(pattern)
    except UnsupportedPattern as error:
        raise QueryError(f"[{_shown(pattern)}] in [{name}]: {error}") from None


def check_wildcard(name: str, pattern: str) -> None:
    """Raise QueryError for a pattern with `*` and `?`, as EQL writes it, that is too large to be run."""
    if (stars := pattern.count("*")) > _MOST_STARS:
        raise QueryError(f"[{_shown(pattern)}] in [{name}] has {stars:,} `*`, and may have at most {_MOST_STARS}")
    if len(pattern) <= LONGEST:
        return
    try:
        whole_match(wildcard_to_regex(pattern))
    except RegexError as error:
        raise QueryError(f"[{_shown(pattern)}] in [{name}]: {error}") from None


def _shown(pattern: str) -> str:
    return pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}…"
