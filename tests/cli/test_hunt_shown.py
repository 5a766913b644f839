"""What a newcomer sees of a hunt: a line an alert, commands to paste, one host once, a page with filters."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import tocsin

RULE = """
[rule]
rule_id = "8d4c7c2e-9f1a-4d50-9d0e-1f5f7a8c2b10"
name = "Certificates' utility"
type = "eql"
language = "eql"
severity = "high"
risk_score = 73
description = "d"
query = 'process where process.name == "certutil.exe"'
"""


def event(host: str, minute: int, line: str = "certutil.exe -f", **user: str) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-11-27T09:{minute:02}:07.123Z",
        "event": {"category": ["process"], "type": ["start"]},
        "host": {"name": host},
        "user": {"name": "ada", **user},
        "process": {"name": "certutil.exe", "command_line": line},
    }


def put(folder: Path, *events: dict[str, Any]) -> tuple[Path, Path]:
    """Write events and a rule, in folders whose names need quotes; return both."""
    logs, rules = folder / "the logs", folder / "my rules"
    logs.mkdir(parents=True)
    rules.mkdir()
    (logs / "events.ndjson").write_text("".join(json.dumps(one) + "\n" for one in events), "utf-8")
    (rules / "rule.toml").write_text(RULE, "utf-8")
    return logs, rules


def hunt(folder: Path, *options: str | Path, events: list[dict[str, Any]]) -> str:
    logs, rules = put(folder, *events)
    done = tocsin("hunt", logs, "--rules", rules, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


LONG = "certutil.exe " + "-urlcache " * 60


def test_an_alert_is_a_line_and_wide_shows_it_whole(tmp_path: Path) -> None:
    events = [event(host, minute, f"{LONG}{minute}") for minute, host in enumerate(("A", "B") * 20)]
    lines = hunt(tmp_path / "1", "-q", events=events).splitlines()
    assert sum("2026-11-27 09:" in line for line in lines) == len(events)
    assert len(lines) <= len(events) + 6
    wide = hunt(tmp_path / "2", "-q", "--wide", events=events[:1])
    assert wide.count("-urlcache") == LONG.count("-urlcache")


@pytest.mark.parametrize(
    ("by", "titles"), [("host", ["A  2 alerts", "B  1 alert"]), ("rule", ["Certificates' utility  3 alerts"])]
)
def test_alerts_stand_together_by_host_or_by_rule(by: str, titles: list[str], tmp_path: Path) -> None:
    shown = hunt(tmp_path, "-q", "--group-by", by, events=[event("A", 1), event("B", 2), event("A", 3)])
    assert [line.strip() for line in shown.splitlines() if re.search(r"  \d+ alerts?$", line.strip())] == titles


def test_what_is_suggested_runs(tmp_path: Path) -> None:
    """Each command is for the events and rules at hand, quoted for a shell, and every spelling of the host."""
    shown = hunt(tmp_path, "-f", "table", events=[event("W5", 1), event("W5.corp.example", 2)])
    found = suggested(shown)
    for what in ("read the rule", "the last 50 events on that host", "a report to hand on"):
        program, *arguments = shlex.split(found[what])
        assert program == "tocsin"
        done = tocsin(*arguments, cwd=tmp_path)
        assert done.returncode == 0, (found[what], done.stderr)
        if what == "the last 50 events on that host":
            assert "2 results" in done.stderr


def test_what_is_suggested_looks_at_what_was_asked_for(tmp_path: Path) -> None:
    """Options that say what is looked at stay; those that say how it is shown do not."""
    given = ("--from", "2026-11-27", "--max-alerts", "7", "-w")
    found = suggested(hunt(tmp_path, *given, "-f", "table", events=[event("W5", 1)]))
    report, query = found["a report to hand on"], found["the last 50 events on that host"]
    assert report.endswith(" --from 2026-11-27 --max-alerts 7 -o report.html")
    assert query.endswith(" --from 2026-11-27")


def test_what_was_done_is_not_suggested(tmp_path: Path) -> None:
    logs, rules = put(tmp_path, event("W5", 1))
    done = tocsin("hunt", logs, "--rules", rules, "-o", "page.html", cwd=tmp_path)
    assert "a report to hand on" not in suggested(done.stdout + done.stderr)


def test_what_is_suggested_for_hostile_names_finds_them(tmp_path: Path) -> None:
    """A host is named with EQL's escapes, a rule by its id; a file that cannot be pasted is not named."""
    logs, rules = put(tmp_path, event('W\x1b[31m"5', 1))
    (rules / "rule.toml").write_text(RULE.replace("utility", "\\u001b[1mutility"), "utf-8")
    done = tocsin("hunt", logs, "--rules", rules, cwd=tmp_path)
    found = suggested(done.stdout)
    asked = tocsin(*shlex.split(found["the last 50 events on that host"])[1:], cwd=tmp_path)
    assert "1 result in 1 event from 1 file" in asked.stderr
    assert tocsin(*shlex.split(found["read the rule"])[1:], cwd=tmp_path).returncode == 0
    (logs / "events.ndjson").rename(tmp_path / "e\x1b.ndjson")
    done = tocsin("hunt", tmp_path / "e\x1b.ndjson", "--rules", rules, cwd=tmp_path)
    assert list(suggested(done.stdout)) == ["read the rule"]


@pytest.mark.parametrize("form", ["table", "csv"])
def test_what_was_skipped_is_shown_without_a_summary(form: str, tmp_path: Path) -> None:
    logs, rules = put(tmp_path, event("W5", 1))
    (logs / "readme.txt").write_text("no telemetry\n", "utf-8")
    done = tocsin("hunt", logs, "--rules", rules, "-q", "--show-skipped", "-f", form, cwd=tmp_path)
    assert "readme.txt" in (done.stdout if form == "table" else done.stderr)
    assert "tocsin hunt" not in done.stdout


def test_files_stand_below_a_note_and_what_is_no_telemetry_was_not_read(tmp_path: Path) -> None:
    logs, rules = put(tmp_path, event("W5", 1), {"custom": {"a": 1}})
    (logs / "readme.txt").write_text("no telemetry\n", "utf-8")
    lines = [line.strip("│ ") for line in tocsin("hunt", logs, "--rules", rules, cwd=tmp_path).stdout.splitlines()]
    assert any(line.startswith("read      2 events from 1 file in ") for line in lines)
    note = next(n for n, line in enumerate(lines) if "no field that any rule reads:" in line)
    assert any(line.startswith("1 ") and line.endswith("events.ndjson") for line in lines[note : note + 3])


def suggested(shown: str) -> dict[str, str]:
    """Return the commands that are suggested below the summary, each on a line of its own."""
    return dict(re.findall(r"^try next  (.+):\n  (.+)$", shown, re.MULTILINE))


@pytest.mark.parametrize(
    ("named", "repeated"),
    [
        (["a.ndjson"], "a.ndjson"),
        (["*.ndjson"], "'*.ndjson'"),
        (["a.ndjson", "b.ndjson", "c.ndjson", "d.ndjson"], "'*.ndjson'"),  # as a shell makes of the pattern
        (["a.ndjson", "b.ndjson", "c.ndjson", "x/d.ndjson"], "a.ndjson b.ndjson c.ndjson x/d.ndjson"),
        (["-"], None),
    ],
)
def test_a_suggestion_names_the_same_events(named: list[str], repeated: str | None, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name in ("a", "b", "c", "d", "x/d"):
        (tmp_path / f"{name}.ndjson").write_text(json.dumps(event("A", 1)) + "\n", "utf-8")
    (tmp_path / "rule.toml").write_text(RULE, "utf-8")
    stdin = json.dumps(event("A", 1)).encode() if named == ["-"] else b""
    found = suggested(tocsin("hunt", *named, "-r", "rule.toml", cwd=tmp_path, stdin=stdin).stdout)
    assert found["read the rule"].endswith("--rules rule.toml")
    asked = found.get("the last 50 events on that host")
    assert (asked and asked.partition("tail 50' ")[2]) == repeated


@pytest.mark.parametrize("columns", [80, 99, 100, 140])
def test_rules_and_users_keep_their_text_on_every_terminal(columns: int, tmp_path: Path) -> None:
    logs, rules = put(tmp_path, event("A", 1, LONG, name="administrator"))
    name = "A rule with a name of its own, as long as Elastic's are"
    (rules / "rule.toml").write_text(RULE.replace("Certificates' utility", name), "utf-8")
    shown = tocsin("hunt", logs, "-r", rules, "-q", cwd=tmp_path, columns=columns).stdout
    assert max(map(len, shown.splitlines())) <= columns
    words = re.sub(r"\s+", "", shown)
    assert "administrator" in words
    if columns < 100:
        assert re.sub(r"\s+", "", name) in words
    else:
        assert all(word in words for word in name.split())


def test_a_host_with_a_short_and_a_full_name_is_one(tmp_path: Path) -> None:
    shown = hunt(tmp_path, events=[event("W5", 1), event("W5.corp.example", 2), event("X", 3)])
    assert "on 2 hosts" in shown
    assert "W5.corp.example  2 alerts" in shown


def test_no_value_reaches_the_terminal_with_its_control_characters(tmp_path: Path) -> None:
    evil = "certutil.exe \x1b]0;owned\x07\x1b[31m " + "A" * 8000
    logs, rules = put(tmp_path, event("H\x1b[2J", 1, evil, name="u\x1b[8m"))
    for options in ([], ["--wide"], ["--group-by", "rule"]):
        shown = tocsin("hunt", logs, "--rules", rules, *options, cwd=tmp_path).stdout
        assert "\x1b" not in shown
        assert "\\x1b" in shown
    asked = tocsin("query", "process where true", logs, cwd=tmp_path).stdout
    assert "\x1b" not in asked
    assert "2026-11-27 09:01:07.123" in asked


def test_an_output_that_cannot_be_is_refused_before_the_hunt(tmp_path: Path) -> None:
    logs, rules = put(tmp_path, event("A", 1))
    done = tocsin("hunt", logs, "-r", rules, "-o", tmp_path / "missing" / "a.html", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr


def test_a_folder_without_telemetry_has_not_been_hunted(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "LICENSE").write_text("MIT\n", "utf-8")
    done = tocsin("hunt", "logs", "--show-skipped", cwd=tmp_path)
    assert done.returncode == 2
    assert "No event was read" in done.stdout
    assert "1 file is no telemetry and was passed over" in done.stdout
    assert "LICENSE" in done.stdout


def test_the_command_says_what_the_query_takes(tmp_path: Path) -> None:
    logs, _ = put(tmp_path, event("A", 1))
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", tocsin("query", "--help").stdout).split())
    assert "a field that no schema knows is written `?name`" in told
    assert tocsin("query", "any where ?nobody.knows == null", logs, cwd=tmp_path).returncode == 0


class Page(HTMLParser):
    """The parts of a report that its filters work on, in the order in which they stand."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """Return the attributes of elements that have these."""
        return [found for name, found in self.parts if name == tag and wanted.items() <= found.items()]


def test_the_report_shows_every_host_and_filters_by_host_and_severity(tmp_path: Path) -> None:
    events = [event(f"HOST{n}", n) for n in range(30)]
    hunt(tmp_path, "-q", "-o", tmp_path / "report.html", events=events)
    text = (tmp_path / "report.html").read_text("utf-8")
    page = Page(text)
    assert len(page.of("div", **{"class": "lane"})) == 30
    assert "18 more hosts with fewer alerts" in text
    assert "and 22 more" in text
    alerts = page.of("details", **{"class": "alert"})
    assert {one["data-severity"] for one in alerts} == {"high"}
    assert {one["data-hosts"] for one in alerts} == {one["value"] for one in page.of("option") if one["value"]}
    assert [one["value"] for one in page.of("input", name="severity")] == ["high"]
    assert "2026-11-27 09:00:07.123 to 2026-11-27 09:29:07.123; every time is UTC" in text


def test_the_report_says_what_it_cuts_off(tmp_path: Path) -> None:
    hunt(tmp_path, "-q", "-o", tmp_path / "r.html", events=[event("A", 1, "certutil.exe " + "A" * 8000 + "\x07")])
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "… and 4,017 characters more" in text
    assert "\x07" not in text
