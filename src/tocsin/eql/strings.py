"""Strings and patterns of EQL: escapes, letter case, wildcards, and Lucene's regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
_NO_TEXT = r"[^\s\S]"


@dataclass
class _Alternative:
    """One alternative of a pattern, or of a group in it, while it is read: sides between `&`, that all must hold.

    A side is its translation, and the text that it is, None where it is more than plain characters.
    """

    start: int  # where it begins in what is translated
    begin: int  # where the side begins that is being read
    word: str | None = ""
    sides: list[tuple[str, str | None]] = field(default_factory=list)

    def takes_as_text(self, character: str, read: int) -> bool:
        """Tell whether an operator is a plain character here: with `read` pieces translated, a side begins."""
        return read == self.begin and (character == "&" or (bool(self.sides) and character in "|)*+?{"))

    def side(self, out: list[str]) -> None:
        """End a side."""
        if self.sides and len(out) == self.begin:
            raise UnsupportedPattern("nothing stands behind `&` (intersection); escape it to match the character")
        self.sides.append(("".join(out[self.begin :]), self.word))
        self.begin, self.word = len(out), ""

    def end(self, out: list[str]) -> None:
        """End the alternative: what is translated of it becomes what its sides have in common."""
        if self.sides:
            self.side(out)
            out[self.start :] = [_common(self.sides)]


def _common(sides: list[tuple[str, str | None]]) -> str:
    """Return what all sides of `&` take. RE2 knows no intersection: that of a plain text is the text, or nothing.

    Nothing is what a pattern of the public rules means without knowing it: `0>&1` is `0>` that is `1` as well.
    """
    common, word = sides[0]
    for side, text in sides[1:]:
        other = side
        if word is None:
            common, word, other = side, text, common
        if word is None:
            raise UnsupportedPattern(
                "`&` (intersection) is supported beside plain text alone; escape it to match the character"
            )
        try:
            fits = {whole_match(other, insensitive=caseless)(word) is not None for caseless in (False, True)}
        except RegexError as error:
            raise UnsupportedPattern(f"not a regular expression that can be run: {error}") from None
        if len(fits) > 1:
            raise UnsupportedPattern("two sides of `&` (intersection) differ in letter case alone")
        if not fits.pop():
            return _NO_TEXT
    return common


@lru_cache(4096)
def lucene_to_regex(pattern: str) -> str:
    r"""Translate Lucene's regular expression syntax to one that RE2 reads.

    Facts from Lucene's RegExp with every optional operator on: a pattern covers the whole value; `^` and `$`
    are plain characters; `"…"` quotes; `@` is any string, `#` no string, `<a-b>` an interval of whole
    numbers; `\d \w \s` and their complements are known. `~` (complement) has no counterpart in a linear-time
    engine and is refused, `&` (intersection) unless one side is plain text. Behind `&`, where a side has to
    begin, an operator is a plain character. Raises UnsupportedPattern.
    """
    if len(pattern) > LONGEST:
        raise UnsupportedPattern(f"a regular expression has at most {LONGEST:,} characters")
    out: list[str] = []
    position, numbered = 0, 0
    around: list[_Alternative] = []  # the alternatives that hold the groups which are open
    alternative = _Alternative(0, 0)
    while position < len(pattern):
        character = pattern[position]
        position += 1
        word, alternative.word = alternative.word, None
        if character == "\\":
            if position == len(pattern):
                raise UnsupportedPattern("the pattern ends in a backslash")
            if word is not None and pattern[position].lower() not in _CLASSES:
                alternative.word = word + pattern[position]
            out.append(_escaped(pattern[position]))
            position += 1
        elif alternative.takes_as_text(character, len(out)):
            alternative.word = character
            out.append(re.escape(character))
        elif character == "&":
            alternative.word = word
            alternative.side(out)
        elif character == "[":
            text, position = _character_class(pattern, position)
            out.append(text)
        elif character == '"':
            end = pattern.find('"', position)
            if end < 0:
                raise UnsupportedPattern('a quoted part (") is never closed')
            alternative.word = None if word is None else word + pattern[position:end]
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
        elif character == "~":
            raise UnsupportedPattern("`~` (complement) is not supported; escape it to match the character")
        elif character == "@":
            out.append(".*")
        elif character == "#":
            out.append(_NO_TEXT)
        elif character == "(":
            out.append("(?:")
            around.append(alternative)
            alternative = _Alternative(len(out), len(out))
        elif character == ")":
            if not around:
                raise UnsupportedPattern("a closing parenthesis has no opening one")
            alternative.word = word
            alternative.end(out)
            alternative = around.pop()
            out.append(")")
        elif character == "|":
            alternative.word = word
            alternative.end(out)
            out.append(character)
            alternative = _Alternative(len(out), len(out))
        elif character == "{":
            counts = re.match(r"(\d+)?(,)?(\d+)?\}", pattern[position:])
            if counts is None or counts[1] is None:
                raise UnsupportedPattern("`{` starts no repetition; escape it to match the character")
            out.append("{" + counts[0])
            position += counts.end()
        elif character in "*+?.":
            # Lucene has neither lazy nor possessive repetition: `.*?` is an optional `.*`.
            if character in "*+?" and out and out[-1] in ("*", "+", "?"):
                out[-1] = "*" if "*" in (out[-1], character) or out[-1] != character else out[-1]
            elif character in "*+?" and out and out[-1].startswith("{"):
                raise UnsupportedPattern("a repetition of a repetition; put the first in parentheses")
            else:
                out.append(character)
        else:
            alternative.word = None if word is None else word + character
            out.append(re.escape(character))
    if around:
        raise UnsupportedPattern("a parenthesis is never closed")
    alternative.end(out)
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
