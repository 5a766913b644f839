"""Which language a page is in."""

from __future__ import annotations

import pytest

from tocsin.desk.translations import preferred_language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("zh", "zh-CN"), ("ZH-hans", "zh-CN"),
        ("de, zh;q=0.5, en;q=0.4", "zh-CN"), ("en-US,en;q=0.9,zh;q=0.5", "en"), (",;q=1,,", "en"), ("*", "en"),
    ],
)  # fmt: skip
def test_the_first_language_that_a_browser_asks_for_and_the_desk_has(accepted, language):
    assert preferred_language(accepted) == language
