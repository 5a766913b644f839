"""Texts that people hand in, in whichever Unicode encoding their editor or shell has chosen.

Windows PowerShell's `>` and `Out-File` write UTF-16 with a mark, and Notepad of old wrote a mark before UTF-8.
"""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark this one begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of(head: bytes) -> tuple[str, int]:
    """Return how a text is encoded, by its first bytes, and how many of them are its byte order mark.

    Without a mark it is UTF-8, or UTF-16 where every other one of the first bytes is zero.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if len(head) >= 4 and not head[1] and not head[3] and head[0] and head[2]:
        return "utf-16-le", 0
    if len(head) >= 4 and not head[0] and not head[2] and head[1] and head[3]:
        return "utf-16-be", 0
    return "utf-8", 0


def decode_text(data: bytes) -> str:
    """Return a text without its byte order mark.

    The mark says how it is encoded; without one it is UTF-8, or UTF-16 where every other one of the first bytes
    is zero. Raises UnicodeDecodeError.
    """
    encoding, mark = encoding_of(data)
    return data[mark:].decode(encoding)


def as_utf8(data: bytes) -> bytes:
    """Return a text as UTF-8 without a mark; as it is where it cannot be decoded."""
    try:
        return decode_text(data).encode()
    except UnicodeError:
        return data
