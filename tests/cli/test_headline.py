"""The first line of a hunt says how many of its events were not looked at."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tocsin

EVENTS = "".join(
    json.dumps(
        {"@timestamp": f"2026-11-2{day}T09:00:00Z", "event": {"category": ["process"]}, "process": {"name": "a"}}
    )
    + "\n"
    for day in (5, 6, 7)
)


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ([], "No alerts in 3 events"),
        (["--from", "2026-11-26"], "No alerts in 3 events, 1 of which was not looked at"),
        (["--to", "2026-11-20"], "No alerts in 3 events, 3 of which were not looked at"),
    ],
)
def test_the_headline_says_what_was_not_looked_at(window: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_text(EVENTS, "utf-8")
    assert f"{told}." in tocsin("hunt", "events.ndjson", *window, cwd=tmp_path).stdout
    page = tocsin("hunt", "events.ndjson", *window, "-f", "html", cwd=tmp_path).stdout
    assert f"<h1>{told}</h1>" in page
