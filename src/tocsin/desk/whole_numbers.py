"""Whole numbers that addresses and forms name."""

from __future__ import annotations


def read_whole_number(text: str, most: int) -> int | None:
    """Return the number from 0 to `most` that a text names in plain digits, None where it names none of them.

    A longer text is not read: Python refuses numbers of thousands of digits, and the database those of twenty.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(most)):
        return None
    number = int(text)
    return number if number <= most else None
