"""What tests want to have read: it is printed behind the results, whichever worker ran them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

PRINTED = "printed"  # the name of the property


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded under `PRINTED`."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == PRINTED:
                terminalreporter.write_sep("-", report.nodeid)
                terminalreporter.write_line(str(text))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Write out halves of characters in reports: a worker that sends one (a name of a file in a log) ends."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_encodable(name): _encodable(member) for name, member in value.items()}
        case list() | tuple():
            return type(value)(_encodable(member) for member in value)
    return value
