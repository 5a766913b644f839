"""The one place that everything a command prints passes: nothing of what was read may change the terminal.

`protect` puts a `Terminal` before standard output and standard error, which writes out each character that a
terminal would obey or hide. A console with colours of its own does so itself, and prints past it (`plain`).
"""

from __future__ import annotations

import io
import re
import sys
from typing import IO, Any, BinaryIO, TextIO, cast

# What a terminal obeys (control characters of ASCII and ISO 6429), what ends lines or turns the direction of text,
# what takes no room so that a value could hide behind it or in it (Unicode's Default_Ignorable_Code_Point, of
# DerivedCoreProperties 16, and annotations), and halves of characters, as names of files may have.
_OBEYED = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_OBEYED}{_UNSEEN}]")
_SHOWN = bytes((*range(0x20, 0x7F), *b"\t\n"))  # of ASCII
_LINES = re.compile(f"[\t\n{_OBEYED}{_UNSEEN}]")
# Joiners and the two choices between text and picture belong to words of some scripts and to pictures: behind
# these they stay. Behind all else, as in `cm<joiner>d.exe`, they only hide.
_BELONG = frozenset("\u200c\u200d\ufe0e\ufe0f")
_JOINED = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17b3\u1820-\u18aa\u2190-\u2bff\U0001f000-\U0001faff]"
)


def _stays(match: re.Match[str]) -> bool:
    before = match.string[match.start() - 1 : match.start()] if match[0] in _BELONG else ""
    # A joiner may follow the choice of a picture, where that stays itself.
    if before == "\ufe0f" and match[0] == "\u200d":
        before = match.string[match.start() - 2 : match.start() - 1] if match.start() > 1 else ""
    return bool(before and _JOINED.match(before))


def _written_out(match: re.Match[str]) -> str:
    return match[0] if _stays(match) else match[0].encode("unicode_escape").decode()


def is_hidden(character: str) -> bool:
    """Tell whether a character is one that a terminal obeys, or that takes no room."""
    return _HIDDEN.fullmatch(character) is not None


def _holds_hidden(text: str) -> bool:
    """Return whether a text has such a character: quick for long ones, as the documents of alerts are."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _SHOWN)
    return bool(rest) and _HIDDEN.search(rest.decode("utf-8", "surrogatepass")) is not None


def printable(text: str) -> str:
    r"""Return text with control characters and hidden marks written out, as in `\x1b`; lines and tabs stay."""
    return _HIDDEN.sub(_written_out, text)


def printable_line(text: str) -> str:
    r"""Return text with line breaks and tabs written out as well."""
    return _LINES.sub(_written_out, text)


def _as_in_json(match: re.Match[str]) -> str:
    if _stays(match):
        return match[0]
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def escaped_json(text: str) -> str:
    """Return JSON with the same characters escaped; its value stays the same."""
    return _HIDDEN.sub(_as_in_json, text) if _holds_hidden(text) else text


class EscapedJson(io.RawIOBase):
    """A stream of JSON in UTF-8 whose texts escape the same characters; each write holds whole characters."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write JSON."""
        self._stream.write(escaped_json(bytes(data).decode()).encode())
        return len(data)


class Terminal(io.TextIOBase):
    """A stream of text that writes out what a terminal would obey or hide.

    It is written as JSON escapes it, so that JSON stays JSON. It says that it is no terminal, so that nobody
    colours what goes through it.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        self.stream.write(escaped_json(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        self.stream.flush()

    def fileno(self) -> int:
        """Return the number of the file."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False, so that nothing is coloured."""
        return False

    def close(self) -> None:
        """Close the stream."""
        self.stream.close()

    @property
    def buffer(self) -> Any:
        """What takes bytes, as they are."""
        return self.stream.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's encoding."""
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What the stream does about characters that it cannot encode."""
        return self.stream.errors


def protect() -> None:
    """Put a `Terminal` before standard output and standard error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Terminal):
            setattr(sys, name, Terminal(stream))


def plain(stream: IO[str]) -> IO[str]:
    """Return the stream behind a `Terminal`, for text that has been made printable."""
    return cast("IO[str]", stream.stream) if isinstance(stream, Terminal) else stream


def is_terminal(stream: IO[str]) -> bool:
    """Return whether a stream is shown on a terminal."""
    return plain(stream).isatty()
