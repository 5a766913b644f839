"""The page on Windows events is what the tables are."""

# ruff: noqa: E501 (a table reads better than it wraps)

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sources.windows_events import document
from tocsin.cli.source_markdown import events_in_markdown
from tocsin.sources.mapping import DATASETS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "windows-events.md"


def test_the_page_is_what_the_tables_give() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text == document(), "run `python -m tests.sources.windows_events > docs/windows-events.md`"


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        ("system.security", "| 4688 | process | start | created-process | `SubjectUserName` | `NewProcessName` | 1 |"),
        ("system.security", "| 4690 | process | access | duplicate-handle-attempt | `SubjectUserName` | `ProcessName` | 2 |"),
        ("system.security", "| 4768 | authentication | start | kerberos-authentication-ticket-requested | `TargetUserName` | `ProcessName` | 1 |"),
        ("system.security", "| any other |  |  | the task's name | `SubjectUserName` | `ProcessName` |  |"),
        ("windows.sysmon_operational", "| 10 | process | access | ProcessAccess | `SourceUser`, `User` | `SourceImage`, `Image` | 1 |"),
        ("windows.powershell_operational", "| 4104 | process | info | the task's name | `ConnectedUser`, `UserId`, `User` |  | 1 |"),
    ],
)  # fmt: skip
def test_a_row_says_what_an_event_means_and_who_acts(dataset: str, row: str) -> None:
    assert row in events_in_markdown(DATASETS[dataset]).splitlines()
