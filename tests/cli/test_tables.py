"""Tables keep their text at every width."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tocsin.cli.tables import Column, print_table

COLUMNS = (
    Column("id", whole=True), Column("time (UTC)", whole=True), Column("rule", least=24), Column("host", least=12),
    Column("new", whole=True, right=True),
)  # fmt: skip
ROW = (
    "70bee90aacdc", "2026-11-27 09:41:07.123", "Remote File Download via MpCmdRun",
    "WS-0142.corp.example.com", "1,234",
)  # fmt: skip


def shown(width: int, *rows: tuple[str, ...], wide: bool = False) -> str:
    text = io.StringIO()
    print_table(Console(file=text, width=width), COLUMNS, rows, wide=wide)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def test_where_there_is_room_a_row_is_a_line() -> None:
    assert len(shown(140, ROW).splitlines()) == 2
    assert shown(140, ROW).splitlines()[1] == "  ".join(ROW)


def test_what_does_not_fit_stands_below_with_its_name() -> None:
    assert shown(80, ROW).splitlines() == [
        "id            time (UTC)                 new",
        "70bee90aacdc  2026-11-27 09:41:07.123  1,234",
        "    rule: Remote File Download via MpCmdRun  host: WS-0142.corp.example.com",
    ]


def test_wide_has_a_line_a_row_however_narrow_the_terminal_is() -> None:
    assert "  ".join(ROW) in shown(40, ROW, wide=True)


def test_a_column_that_is_empty_in_every_row_is_left_out() -> None:
    assert "host" not in shown(140, (*ROW[:3], "", ROW[4]))


_WORDS = st.text(st.characters(categories=["L", "N"], max_codepoint=0x24F), max_size=120)


@given(st.lists(st.tuples(*[_WORDS] * 5), min_size=1, max_size=4), st.integers(20, 200))
def test_no_text_is_lost_at_any_width(rows: list[tuple[str, ...]], width: int) -> None:
    found = Counter(shown(width, *rows))  # single characters: what is folded lies between other columns
    for row in rows:
        for column, cell in zip(COLUMNS, row, strict=True):
            if not column.whole or len(cell) <= width - 6:
                found.subtract(cell)
    assert all(count >= 0 for count in found.values())


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    assert max(map(len, shown(width, ROW).splitlines())) <= width
