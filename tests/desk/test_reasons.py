"""Why something was refused, as people read it."""

from __future__ import annotations

import gettext

import pytest

from tocsin.desk.reasons import said_reason
from tocsin.desk.translations import translations


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Found 1 problem\nline 1:13: the query ends too early", "Line 1, column 13: the query ends too early"),
        ("Found 1 problem\nline 2:7: a reason\nof two lines", "Line 2, column 7: a reason\nof two lines"),
        ("what no table has, with %(place)s and 100 %", "what no table has, with %(place)s and 100 %"),
        ("Found 1 problem", "Found 1 problem"),
        ("", ""),
    ],
)
def test_a_reason_is_said_as_people_read_it(reason, said):
    assert said_reason(gettext.NullTranslations(), reason) == said


def test_a_reason_is_said_in_the_visitors_language():
    reason = "Found 1 problem\nline 1:13: ?"
    assert said_reason(translations("zh-CN"), reason) == "第 1 行，第 13 列：?"
