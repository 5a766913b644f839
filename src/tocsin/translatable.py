"""Texts of tables that people read: marked here, translated where they are shown."""

from __future__ import annotations


def N_(text: str) -> str:  # noqa: N802 - gettext's usual name
    """Mark a text of a table, which is translated where it is shown."""
    return text
