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


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/alerts?q=host.name:+(", "第 1 行，第 13 列：查询过早结束"),
        ("/alerts?from=yesterday", "`yesterday` 既不是日期"),
        ("/alerts/none", "没有告警 none"),
        ("/alerts?from=&after=x", "无法识别列表中的位置"),
        ("/timeline?columns=" + ",".join(map(str, range(100))), "时间线最多"),
        ("/access/users", "无权这样做"),
    ],
)
def test_what_the_service_refuses_is_said_in_the_visitors_language(desk, path, words):
    with desk.logged_in() as client:
        client.cookies.set("tocsin_language", "zh-CN")
        assert words in client.get(path).text
