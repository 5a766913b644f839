"""Dates by number, as the Defender portal and PowerShell export them: the whole file says what comes first."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.shared import needs_shared, shared
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs


def times(path: Path, rejects: Rejects | None = None) -> list[str]:
    batches = read_inputs(find_inputs([str(path)]), Wanted(frozenset()), rejects or Rejects())
    return [event["@timestamp"] for event in whole_events(batches)]


def record(time: str) -> dict[str, Any]:
    return {
        "Timestamp": time,
        "DeviceName": "h",
        "ActionType": "ProcessCreated",
        "FileName": "a.exe",
        "ProcessCommandLine": "a.exe 31/12/2026 10:00",
        "ProcessCreationTime": time,
    }


def as_csv(path: Path, moments: list[str]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(record("")))
    writer.writeheader()
    writer.writerows(map(record, moments))
    path.write_bytes(text.getvalue().encode())
    return path


def as_lines(path: Path, moments: list[str]) -> Path:
    path.write_text("".join(json.dumps(record(one)) + "\n" for one in moments))
    return path


def as_documents(path: Path, moments: list[str]) -> Path:
    path.write_text("".join(json.dumps({"@timestamp": one, "process": {"name": "x"}}) + "\n" for one in moments))
    return path


def as_streamed(path: Path, moments: list[str]) -> Path:
    rows = ({"category": "AdvancedHunting-DeviceProcessEvents", "properties": record(one)} for one in moments)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def zipped(path: Path, moments: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.csv", "Timestamp,ActionType,FileName\n2026-01-01T00:00:00Z,ProcessCreated,a.exe\n")
        archive.write(as_csv(path.with_suffix(".csv"), moments), "second.csv")
    return path


def gzipped(path: Path, moments: list[str]) -> Path:
    path.write_bytes(gzip.compress(as_csv(path.with_suffix(".csv"), moments).read_bytes()))
    return path


WRITERS = [as_csv, as_lines, as_documents, as_streamed, zipped, gzipped]
FIRST_MAY_BE_EITHER = "10/11/2026, 3:40:20.000 PM"


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("between", [0, 5000], ids=["near", "far"])
@pytest.mark.parametrize(
    ("decides", "read_as", "told"),
    [
        ("20/11/2026, 3:40:20.000 PM", "2026-11-10T15:40:20.000Z", "dates are read day first"),
        ("11/20/2026, 3:40:20.000 PM", "2026-10-11T15:40:20.000Z", "dates are read month first"),
    ],
)
def test_one_date_over_twelve_decides_for_the_whole_file_wherever_it_stands(
    tmp_path: Path, write: Any, between: int, decides: str, read_as: str, told: str
) -> None:
    path = write(tmp_path / "export", [FIRST_MAY_BE_EITHER, *["10/10/2026 10:00"] * between, decides])
    rejects = Rejects()
    found = times(path, rejects)
    assert read_as in found
    assert f"{decides[6:10]}-11-20T15:40:20.000Z" == found[-1]
    (line,) = (one for one in rejects.unseen.lines() if "dates" in one)
    assert told in line
    assert path.name in line
    assert not rejects.total


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("10/11/2026 15:40:20", "2026-10-11"),
        ("10.11.2026 15:40:20", "2026-11-10"),
        ("10-11-2026 15:40:20", "2026-11-10"),
    ],
)
def test_where_nothing_decides_the_default_is_taken_and_said(tmp_path: Path, written: str, read_as: str) -> None:
    rejects = Rejects()
    path = as_csv(tmp_path / "export.csv", [written])
    assert times(path, rejects) == [f"{read_as}T15:40:20Z"]
    (line,) = rejects.unseen.lines()
    assert f"dates such as {written} could have the day or the month first" in line
    assert f"read as {read_as}, " in line
    assert line.endswith("(--date-order overrides it)")


def test_dates_that_contradict_each_other_are_said_to(tmp_path: Path) -> None:
    rejects = Rejects()
    days = ["20/11/2026 10:00", "21/11/2026 10:00", "11/20/2026 10:00", "10/11/2026 10:00"]
    found = times(as_lines(tmp_path / "e.ndjson", days), rejects)
    assert found == [f"2026-{day}T10:00:00Z" for day in ("11-20", "11-21", "11-20", "11-10")]
    (line,) = rejects.unseen.lines()
    assert "dates contradict each other" in line
    assert "others are read day first" in line


def test_files_decide_for_themselves_and_say_nothing_where_all_is_clear(tmp_path: Path) -> None:
    rejects = Rejects()
    as_csv(tmp_path / "a.csv", [FIRST_MAY_BE_EITHER, "20/11/2026 10:00"])
    as_csv(tmp_path / "b.csv", [FIRST_MAY_BE_EITHER, "11/20/2026 10:00"])
    as_csv(tmp_path / "c.csv", ["2026-11-20T10:00:00Z", "Nov 20, 2026 10:00:00 AM"])
    assert [one[:10] for one in times(tmp_path, rejects)] == [
        "2026-11-10", "2026-11-20", "2026-10-11", "2026-11-20", "2026-11-20", "2026-11-20",
    ]  # fmt: skip
    assert sorted(Path(file).name for file in rejects.unseen.dates()) == ["a.csv", "b.csv"]


@needs_shared("cases/02_defender_local_dates.csv")
def test_the_portal_in_local_order_says_what_its_iso_export_says() -> None:
    local = times(shared("cases/02_defender_local_dates.csv"))
    iso = times(shared("cases/02_defender_iso_dates.csv"))
    assert [one.replace(".000", "") for one in local] == iso


# ---- several spellings in one file

DOTS, SLASHES, DASHES = "03.04.2026 10:00:00", "3/4/26 1:02 PM", "03-04-2026"
BY_DAY, BY_MONTH = "2026-04-03", "2026-03-04"
SPELLINGS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "dots lead, which have the day first by convention": (
        [DOTS, SLASHES, DASHES],
        [BY_DAY, BY_DAY, BY_DAY],
        [
            "dates such as 03.04.2026 10:00:00, 3/4/26 1:02 PM, 03-04-2026 could have the day or the month first",
            "none in the file decides",
            "day first, as dates with dots are by convention (--date-order overrides it)",
        ],
    ),
    "slashes before dashes": (
        [DASHES, SLASHES],
        [BY_MONTH, BY_MONTH],
        ["read as 2026-03-04, 2026-03-04, month first, as dates with slashes are by convention"],
    ),
    "dashes alone": ([DASHES], [BY_DAY], ["day first, as dates with dashes are by convention"]),
    "a date with slashes decides for dashes": (
        [DASHES, SLASHES, "4/13/26 1:02 PM"],
        [BY_MONTH, BY_MONTH, "2026-04-13"],
        ["dates are read month first: # of them can only mean that"],
    ),
    "a date with dashes and no time decides for slashes": (
        [SLASHES, "13-04-2026"],
        [BY_DAY, "2026-04-13"],
        ["dates are read day first: # of them can only mean that"],
    ),
    "a date with dots decides for all": (
        [DOTS, SLASHES, DASHES, "13.04.2026 10:00:00"],
        [BY_DAY, BY_DAY, BY_DAY, "2026-04-13"],
        ["dates are read day first: # of them can only mean that"],
    ),
    "slashes do not turn dots": (
        [DOTS, SLASHES, "4/13/26 1:02 PM"],
        [BY_DAY, BY_MONTH, "2026-04-13"],
        [
            "dates such as 03.04.2026 10:00:00 could have the day or the month first: read as 2026-04-03",
            "day first, as dates with dots are by convention",
            "dates with slashes are read month first, as most of them can only mean (3/4/26 1:02 PM as 2026-03-04",
        ],
    ),
    "each spelling by its own dates, the third by most": (
        [DOTS, SLASHES, DASHES, "13.04.2026 10:00", "14.04.2026 10:00", "4/13/26 1:02 PM"],
        [BY_DAY, BY_MONTH, BY_DAY, "2026-04-13", "2026-04-14", "2026-04-13"],
        [
            "# can only have the day first and # the month",
            "others with dots are read day first",
            "others with slashes are read month first",
        ],
    ),
    "clear dates are not spoken of": (["2026-04-03 10:00", "3 Apr 2026 10:00", "04/04/2026 10:00"], [], []),
}


@pytest.mark.parametrize("write", [as_csv, as_lines, as_documents])
@pytest.mark.parametrize(("written", "read_as", "told"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_file_with_several_spellings_is_read_one_way_and_each_decision_is_told(
    written: list[str], read_as: list[str], told: list[str], write: Any, tmp_path: Path
) -> None:
    rejects = Rejects()
    found = times(write(tmp_path / "export", written), rejects)
    if read_as:
        assert [one[:10] for one in found] == read_as
    lines = rejects.unseen.lines()
    assert len(lines) == bool(told)
    for sentence in told:
        assert sentence in re.sub(r"\b\d (?=of them|can|the month)", "# ", lines[0])


@pytest.mark.parametrize(("day_first", "read_as"), [(True, BY_DAY), (False, BY_MONTH)])
def test_the_user_decides_before_the_file_does(day_first: bool, read_as: str, tmp_path: Path) -> None:
    path = as_csv(tmp_path / "export.csv", [DOTS, SLASHES, DASHES, "13.04.2026 10:00"])
    rejects = Rejects()
    inputs = [replace(one, day_first=day_first) for one in find_inputs([str(path)])]
    batches = read_inputs(inputs, Wanted(frozenset()), rejects)
    found = [event["@timestamp"][:10] for event in whole_events(batches)]
    assert found == [read_as, read_as, read_as, "2026-04-13"]  # what can be meant in one way is read that way
    (line,) = rejects.unseen.lines()
    assert "as --date-order says" in line


def test_a_slash_that_json_escapes_decides_too(tmp_path: Path) -> None:
    path = tmp_path / "e.ndjson"
    path.write_text(
        "".join(json.dumps(record(one)).replace("/", "\\/") + "\n" for one in ("3/4/2026", "13/4/2026"))
    )
    assert [one[:10] for one in times(path)] == ["2026-04-03", "2026-04-13"]
