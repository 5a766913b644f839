"""The documentation says how far the mappings agree with the integrations, and where and why they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import PRINTED
from tests.sources.agreement import compared, tables

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sources.md"


def test_every_difference_has_its_reason() -> None:
    without = [
        (source, field) for source, field, theirs, ours, reason in compared() if theirs != ours and not reason
    ]
    assert without == []


def test_the_documented_tables_are_what_the_mappings_give(
    record_property: Callable[[str, object], None],
) -> None:
    text = DOCUMENT.read_text("utf-8")
    record_property(PRINTED, tables()[0])
    for table in tables():
        assert table in text, "run `python -m tests.sources.agreement` and put its tables into docs/sources.md"
