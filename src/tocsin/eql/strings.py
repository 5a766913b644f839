"""Strings and patterns of EQL: escapes, letter case, wildcards, and Lucene's regular expressions."""

from __future__ import annotations

import re
from functools import lru_cache

from tocsin.linear_regex import LONGEST, RegexError, whole_match

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u\{[0-9A-Fa-f]{1,8}\}|.)")


def unescape(quoted: str) -> str:
    """Return what a quoted EQL string stands for. Raises ValueError for an unknown escape."""

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code.startswith("u{"):
            try:
                return chr(int(code[2:-1], 16))
            except (ValueError, OverflowError):
                raise ValueError(f"there is no character \\{code}") from None
        if code not in _ESCAPES:
            raise ValueError(f"unknown escape \\{code}")
        return _ESCAPES[code]

    body = quoted[1:-1]
    return _ESCAPE.sub(replace, body) if "\\" in body else body


def lower(text: str) -> str:
    """Return `text` in lower case, character by character, as Arrow's `utf8_lower` and Lucene do.

    Python's own `str.lower` maps some characters to two and knows a final sigma.
    """
    if text.isascii():
        return text.lower()
    return "".join(low if len(low := character.lower()) == 1 else low[0] for character in text)


def has_wildcard(pattern: str) -> bool:
    """Tell whether `*` or `?` occur. There is no way to escape them in EQL: a backslash is itself."""
    return "*" in pattern or "?" in pattern


def wildcard_to_regex(pattern: str) -> str:
    """Return a regular expression (for RE2, whole value, dot matches all) for a wildcard."""
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(c) or re.escape(c) for c in re.sub(r"\*+", "*", pattern))


# ---- Lucene's regular expressions


class UnsupportedPattern(ValueError):
    """A regular expression that Lucene knows and that cannot be translated, or that is malformed."""


_NUMBERS = 10_000  # in all intervals of a pattern
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r"}


@lru_cache(4096)
def lucene_to_regex(pattern: str) -> str:
    r"""Translate Lucene's regular expression syntax to one that RE2 reads.

    Facts from Lucene's RegExp with every optional operator on: a pattern covers the whole value; `^` and `$`
    are plain characters; `"…"` quotes; `@` is any string, `#` no string, `<a-b>` an interval of whole
    numbers; `\d \w \s` and their complements are known. `~` (complement) and `&` (intersection) have no
    counterpart in a linear-time engine and are refused. Raises UnsupportedPattern.
    """
    if len(pattern) > LONGEST:
        raise UnsupportedPattern(f"a regular expression has at most {LONGEST:,} characters")
    out: list[str] = []
    position, depth, numbered = 0, 0, 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "\\":
            if position == len(pattern):
                raise UnsupportedPattern("the pattern ends in a backslash")
            out.append(_escaped(pattern[position]))
            position += 1
        elif character == "[":
            text, position = _character_class(pattern, position)
            out.append(text)
        elif character == '"':
            end = pattern.find('"', position)
            if end < 0:
                raise UnsupportedPattern('a quoted part (") is never closed')
            out.append(f"(?:{re.escape(pattern[position:end])})")
            position = end + 1
        elif character == "<" and (interval := re.match(r"(\d+)-(\d+)>", pattern[position:])):
            low, high = sorted((int(interval[1]), int(interval[2])))
            numbered += high - low
            if numbered > _NUMBERS:
                raise UnsupportedPattern(f"the interval <{interval[0]} is too wide, or one of too many")
            width = len(interval[1]) if len(interval[1]) == len(interval[2]) else 0
            numbers = "|".join(str(n).zfill(width) for n in range(low, high + 1))
            out.append(f"(?:{numbers})")
            position += interval.end()
        elif character in "~&":
            meaning = "complement" if character == "~" else "intersection"
            raise UnsupportedPattern(
                f"`{character}` ({meaning}) is not supported; escape it to match the character"
            )
        elif character == "@":
            out.append(".*")
        elif character == "#":
            out.append(r"[^\s\S]")
        elif character in "^$":
            out.append("\\" + character)
        elif character == "(":
            depth += 1
            out.append("(?:")
        elif character == ")":
            depth -= 1
            if depth < 0:
                raise UnsupportedPattern("a closing parenthesis has no opening one")
            out.append(")")
        elif character == "{":
            counts = re.match(r"(\d+)?(,)?(\d+)?\}", pattern[position:])
            if counts is None or counts[1] is None:
                raise UnsupportedPattern("`{` starts no repetition; escape it to match the character")
            out.append("{" + counts[0])
            position += counts.end()
        elif character in "*+?|.":
            # Lucene has neither lazy nor possessive repetition: `.*?` is an optional `.*`.
            if character in "*+?" and out and out[-1] in ("*", "+", "?"):
                out[-1] = "*" if "*" in (out[-1], character) or out[-1] != character else out[-1]
            elif character in "*+?" and out and out[-1].startswith("{"):
                raise UnsupportedPattern("a repetition of a repetition; put the first in parentheses")
            else:
                out.append(character)
        else:
            out.append(re.escape(character))
    if depth:
        raise UnsupportedPattern("a parenthesis is never closed")
    translated = "".join(out)
    try:
        whole_match(translated)
    except RegexError as error:
        raise UnsupportedPattern(f"not a regular expression that can be run: {error}") from None
    return translated


def _escaped(character: str) -> str:
    if character.lower() in _CLASSES:
        inside = _CLASSES[character.lower()]
        return f"[{inside}]" if character.islower() else f"[^{inside}]"
    return re.escape(character)


def _character_class(pattern: str, position: int) -> tuple[str, int]:
    """Translate a class from behind its `[`; return it and the position behind its `]`."""
    out = ["["]
    if pattern[position : position + 1] == "^":
        out.append("^")
        position += 1
    start = position
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "]" and position > start + 1:
            return "".join(out) + "]", position
        if character == "\\":
            if position == len(pattern):
                break
            escaped = pattern[position]
            position += 1
            if escaped in _CLASSES:
                out.append(_CLASSES[escaped])
            elif escaped.lower() in _CLASSES:
                raise UnsupportedPattern(f"\\{escaped} inside a character class is not supported")
            else:
                out.append("\\" + escaped if not escaped.isalnum() else escaped)
        elif character == "-":
            out.append("-")
        else:
            out.append("\\" + character if character in "[]^&~|" else character)
    raise UnsupportedPattern("a character class ([) is never closed")
