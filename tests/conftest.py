"""What tests want to have read: it is printed behind the results, whichever worker ran them."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import argon2
import pytest
from argon2.profiles import CHEAPEST

# Passwords are hashed at each start of a service and at each log-in. With the parameters for real ones that takes
# 0.26 s of CPU, more than most tests. `test_passwords_are_hashed_as_rfc_9106_says` sees to these.
argon2.PasswordHasher = partial(argon2.PasswordHasher.from_parameters, CHEAPEST)  # type: ignore[misc, assignment]

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
