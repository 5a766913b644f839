"""Numbers with their nouns: `1 event`, `1,234 events`."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the plural where there is not exactly one."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
