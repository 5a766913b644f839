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


def decode_text(data: bytes) -> str:
    """Return a text without its byte order mark.

    The mark says how it is encoded; without one it is UTF-8, or UTF-16 where every other one of the first bytes
    is zero. Raises UnicodeDecodeError.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    if len(data) >= 4 and not data[1] and not data[3] and data[0]:
        return data.decode("utf-16-le")
    if len(data) >= 4 and not data[0] and not data[2] and data[1]:
        return data.decode("utf-16-be")
    return data.decode("utf-8")


def as_utf8(data: bytes) -> bytes:
    """Return a text as UTF-8 without a mark; as it is where it cannot be decoded."""
    try:
        return decode_text(data).encode()
    except UnicodeError:
        return data
