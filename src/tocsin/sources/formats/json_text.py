"""The values that a text of JSON holds, however its writer separated them.

Usually that is one value a line. Real files also have headers of syslog daemons and containers before it, lines
that end in commas, objects over several lines with nothing in between, several values on a line
(as Firehose writes them), byte order marks and zero bytes where files were joined or cut, and the lines `Record 1`
that `evtx_dump` puts before each record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.sources.line_headers import json_behind_header

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\0"
_BETWEEN = re.compile(rb"[\[\],]*|Record \d+")  # lines that hold no value
_GAP = re.compile(rb"(?:[\s,\[\]\0]|\xef\xbb\xbf|(?<=\n)Record \d+\s*(?=\n))*")
_MEMBER = re.compile(rb',?\s*"(?:[^"\\\n]|\\.)*"\s*:')
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[{}\[\]]')
_FIRST = re.compile(rb'\{\s*("(?:[^"\\\n]|\\.)*")\s*:')
_DEEPER, _OPENED, _CLOSING = b"{[", (b"{", b"[", b":"), (b"}", b"]")


@dataclass(frozen=True)
class Value:
    """A value, its text, and the line that it begins on."""

    value: Any
    text: bytes
    line: int


@dataclass(frozen=True)
class Damage:
    """A text that is no value, why, and the line that it begins on."""

    text: bytes
    error: orjson.JSONDecodeError
    line: int


class JsonText:
    """Reads blocks of whole lines, of which the next begins with `line`.

    A value that goes on in the next block waits for it in `rest`.
    """

    def __init__(self) -> None:
        self.rest = b""
        self.line = 1

    def pass_over(self, lines: int) -> None:
        """Count lines that were read otherwise."""
        self.line += lines

    def read(self, block: bytes, *, last: bool) -> Iterator[Value | Damage]:
        """Yield the values of a block and of what those before it left; the `last` block leaves nothing."""
        lines = (self.rest + block).split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        self.rest = b""
        number, first = 0, self.line
        while number < len(lines):
            text = _bare(lines[number])
            if _BETWEEN.fullmatch(text):
                number += 1
                continue
            value = _value(text, first + number)
            if value is not None:
                yield value
                number += 1
                continue
            end = _end_of_paragraph(lines, number)
            waits = end == len(lines) and not last
            yield from self._paragraph(b"\n".join(lines[number:end]), first + number, waits=waits)
            number = end
        self.line = first + len(lines) - self.rest.count(b"\n")

    def _paragraph(self, text: bytes, line: int, *, waits: bool) -> Iterator[Value | Damage]:
        """Yield the values of lines that belong together; the last one waits for more where `waits` says so."""
        value = _value(_bare(text), line)
        if value is not None:
            yield value
            return
        position = 0
        while True:
            gap = _GAP.match(text, position)
            position = gap.end() if gap else position
            if position >= len(text):
                return
            begin = line + text.count(b"\n", 0, position)
            end = _end_of_value(text, position)
            if end is None and waits and _next_value(text, position) is None:
                self.rest = text[position:] + b"\n"
                return
            whole = text[position:end]
            bare = _bare(whole)
            try:
                yield Value(orjson.loads(bare), bare, begin)
            except orjson.JSONDecodeError as error:
                whole = text[position : _end_of_damage(text, position, end)]
                yield Damage(whole, error, begin)
            position += len(whole)


def _bare(line: bytes) -> bytes:
    text = line.strip(_BLANK)
    while text.startswith(_BOM):
        text = text[len(_BOM) :].strip(_BLANK)
    return text


def _value(text: bytes, line: int) -> Value | None:
    """Return the value of a text, without commas at its ends or a daemon's header; None if it is none."""
    behind = json_behind_header(text)
    for tried in (text, text.strip(b", \t\r")) if behind is None else (behind,):
        try:
            return Value(orjson.loads(tried), tried, line)
        except orjson.JSONDecodeError:
            continue
    return None


def _end_of_paragraph(lines: list[bytes], begin: int) -> int:
    """Return the end of the lines that belong to the value that begins on line `begin`."""
    indent = _indent(lines[begin])
    end = begin + 1
    while end < len(lines) and _goes_on(lines[end], lines[end - 1], indent):
        end += 1
    return end


def _goes_on(line: bytes, before: bytes, indent: int) -> bool:
    text = line.strip(_BLANK)
    if not text or _indent(line) > indent or _MEMBER.match(text):
        return True
    if text.startswith(_CLOSING) and _indent(line) == indent:
        return True
    return before.rstrip(_BLANK).endswith(_OPENED) and not text.startswith(b'{"')


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))


def _end_of_value(text: bytes, begin: int) -> int | None:
    """Return where an object ends, or the line of anything else; None for an object that does not end."""
    if text[begin : begin + 1] != b"{":
        end = text.find(b"\n", begin)
        return len(text) if end < 0 else end
    depth = 0
    for token in _TOKEN.finditer(text, begin):
        if token[0] in _DEEPER:
            depth += 1
        elif not token[0].startswith(b'"'):
            depth -= 1
            if not depth:
                return token.end()
    return None


def _end_of_damage(text: bytes, begin: int, end: int | None) -> int:
    """Return where a damaged value ends, which seems to end at `end`: before the next, or with its line."""
    following = _next_value(text, begin)
    if following is not None and (end is None or following <= end or b"\n" not in text[end:following]):
        return following
    if end is None:
        return len(text)
    line = text.find(b"\n", end)
    return len(text) if line < 0 else line


def _next_value(text: bytes, begin: int) -> int | None:
    """Return where the next object begins after the one at `begin`, not within it.

    Within an object none directly follows another, none follows a bracket with the indent of the outer one, and
    hardly any begins with the same member.
    """
    indent = text[text.rfind(b"\n", 0, begin) + 1 : begin]
    signs = [rb"\}\s*(?=\{)"]
    if not indent.strip(b" \t"):
        signs.append(rb"\n" + indent + rb"\}\s*,\s*(?=\{)")
    if member := _FIRST.match(text, begin):
        signs.append(rb"\}\s*,\s*(?=\{\s*" + re.escape(member[1]) + rb"\s*:)")
    match = re.compile(b"|".join(signs)).search(text, begin)
    return match.end() if match else None
