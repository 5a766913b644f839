"""Log lines: for a person on a terminal, for machines elsewhere; moments in UTC, secrets cut out."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from tocsin.api.logs import set_up_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("form", "terminal", "text"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("ecs", True, False),
        ("text", False, True),
    ],
)
def test_a_terminal_gets_text_and_anything_else_ecs(
    form: str, terminal: bool, text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logs("info", form)
    logging.getLogger("some.room").info("stored with password=hunter2")
    line = stream.getvalue().strip()
    assert "hunter2" not in line
    if text:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO +stored with password=\*\*\*", line)
    else:
        assert json.loads(line)["message"] == "stored with password=***"
