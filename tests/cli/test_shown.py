"""Values on the terminal: one format for moments, and no value that changes the terminal."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tocsin.cli.shown import one_line, shown_time
from tocsin.printable import printable

MOMENTS: list[tuple[Any, str]] = [
    ("2026-11-27T09:41:07.123Z", "2026-11-27 09:41:07.123"),
    ("2026-11-27T09:41:07.123456789Z", "2026-11-27 09:41:07.123"),
    ("2026-11-27T10:41:07+01:00", "2026-11-27 09:41:07.000"),
    ("2026-11-27", "2026-11-27 00:00:00.000"),
    (1795772467123000000, "2026-11-27 09:41:07.123"),
    (datetime(2026, 11, 27, 10, 41, 7, tzinfo=timezone(timedelta(hours=1))), "2026-11-27 09:41:07.000"),
    (datetime(2026, 11, 27, 9, 41, 7, 123000, tzinfo=UTC), "2026-11-27 09:41:07.123"),
    (["2026-11-27T09:41:07.123Z", "2027-01-01T00:00:00Z"], "2026-11-27 09:41:07.123"),
    (None, ""),
    ("", ""),
    ([], ""),
    ("yesterday\x1b[31m", "yesterday\\x1b[31m"),
]


@pytest.mark.parametrize(("value", "text"), MOMENTS)
def test_a_moment_is_shown_in_one_format(value: Any, text: str) -> None:
    assert shown_time(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("gpj\u202eexe.txt", "gpj\\u202eexe.txt"),
        ("a\u200bb", "a\\u200bb"),
        ("a\x9b31m", "a\\x9b31m"),
        ("Jörg 你好\t\n", "Jörg 你好\t\n"),
    ],
)
def test_what_would_change_the_terminal_is_written_out(value: str, text: str) -> None:
    assert printable(value) == text


def test_a_long_text_is_cut_to_one_line_and_says_so() -> None:
    assert one_line("a\n\n b\tc") == "a b c"
    assert one_line("x" * 8000, 10) == "x" * 9 + "…"
