"""What Security events say by the numbers of messages (`%%1537`): rights, reasons, directions, audit policy."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from tocsin.sources.windows.security.codes import ACCESS_RIGHTS, flags

# Rights of objects stand in blocks of sixteen, one a bit; bits without a meaning have a message all the same.
_BLOCKS = (range(4352, 4624), range(5120, 5152), range(5376, 5456), range(5648, 5712), range(7680, 7696))
_UNKNOWN = range(1552, 1568)
_COMMAS = re.compile(r"[,\s]+")


def message(code: str) -> str | None:
    """Return the text of a message by its number, with or without percent signs; None for an unknown one."""
    number = code.replace("%%", "").strip()
    text = _messages().get(number)
    if text is not None or not (number.isascii() and number.isdigit()):
        return text
    if int(number) in _UNKNOWN:
        return f"Unknown specific access (bit {int(number) - _UNKNOWN.start})"
    if any(int(number) in block for block in _BLOCKS):
        return f"Undefined Access (no effect) Bit {int(number) % 16}"
    return None


def described(value: str) -> str:
    """Return the text of a message, or its bare number where it is not known."""
    return message(value) or value.replace("%%", "").strip()


def in_small_letters(value: str) -> str | None:
    """Return the text of a message in small letters."""
    text = message(value)
    return text.lower() if text else None


def access_list(value: str) -> list[str] | None:
    """Return the rights in a list of messages, separated by blanks and line ends."""
    return [described(code) for code in value.split()] or None


def audit_changes(value: str) -> list[str] | None:
    """Return the changes of an audit policy, separated by commas."""
    return [described(code) for code in _COMMAS.split(value) if code] or None


def access_mask(value: str) -> list[str] | None:
    """Return the names of the rights in a mask, hexadecimal or decimal.

    A list of messages counts, as in the integration, with the bits of their numbers.
    """
    bits = 0
    for code in value.split():
        number = code.replace("%%", "")
        try:
            bits |= int(number, 16) if number[:2].lower() == "0x" else int(number)
        except ValueError:
            bits |= _numbers().get(number, 0)
    return flags(ACCESS_RIGHTS, bits)


def number_of(text: str) -> int | None:
    """Return the number of the message that has a text, the first where several have it; None without."""
    return _numbers().get(text)


@cache
def _messages() -> dict[str, str]:
    text = (resources.files("tocsin.sources.windows.security") / "messages.tsv").read_text("utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _numbers() -> dict[str, int]:
    """Return the number of each message's text, the first where several have it."""
    numbers: dict[str, int] = {}
    for number, text in _messages().items():
        numbers.setdefault(text, int(number))
    return numbers
