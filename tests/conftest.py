"""What tests want to have read: it is printed behind the results, whichever worker ran them."""

from __future__ import annotations

import pytest

PRINTED = "printed"  # the name of the property


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded under `PRINTED`."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == PRINTED:
                terminalreporter.write_sep("-", report.nodeid)
                terminalreporter.write_line(str(text))
