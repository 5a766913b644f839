"""No command prints what would change a terminal or hide in it, whatever events, rules, keys and files hold."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.test_commands import tocsin
from tocsin.cli.console import PrintableConsole
from tocsin.cli.shown import one_line, shown_time
from tocsin.cli.tables import Column, print_table
from tocsin.printable import escaped_json, printable, printable_line

# A title, a colour, the eight-bit introducer of a sequence, a turned direction, hidden marks, all breaks of lines.
BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
HOSTILE = (
    "a\x1b]0;owned\x07\x1b[8mb\x9b31mc\u202egpj.exe\u2066\u200b\x7f\u061c\U000e0041\u00ad\u034f\u3164\u200dz"
    + "".join(f"{end}forged: line" for end in BREAKS)
)
# What a terminal obeys or hides (C0, C1, Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties, lines'
# breaks); the newline is the tool's own.
BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
FORGED = re.compile(r"^[\W_]*forged", re.MULTILINE)  # first of a line, also behind a frame or an indent
RULE = {
    "id": "1", "rule_id": "hostile", "name": f"rule {HOSTILE}", "description": HOSTILE, "type": "eql",
    "language": "eql", "query": 'process where process.name != null', "severity": "high", "risk_score": 70,
    "note": f"## {HOSTILE}", "setup": HOSTILE, "author": [HOSTILE], "tags": [HOSTILE], "references": [HOSTILE],
    "false_positives": [HOSTILE], "from": "now-9m", "interval": "5m", "index": ["logs-*"], "threat": [],
}  # fmt: skip
WRONG = {**RULE, "rule_id": "wrong", "name": f"wrong {HOSTILE}", "query": f'process where {"x"}.{"y"} == "1"'}
EVENT = {
    "@timestamp": "2026-11-20T10:00:00Z",
    "event": {"category": ["process"], "type": ["start"], "action": HOSTILE},
    "host": {"name": HOSTILE, "os": {"type": "windows"}},
    "user": {"name": HOSTILE, "domain": HOSTILE},
    "process": {"name": HOSTILE, "command_line": HOSTILE, "pid": 7},
}
SEQUENCE = "sequence by host.name [process where true] [process where true]"
FILE = "e \x1b[31m\u202e\x9b.ndjson"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with hostile events in a file of a hostile name, hostile rules, and a store of records."""
    path = tmp_path_factory.mktemp("hostile")
    untimed = {**EVENT, "@timestamp": HOSTILE}
    lines = [*map(json.dumps, (EVENT, EVENT, untimed)), "{" + HOSTILE.replace("\n", ""), '"text"']
    (path / FILE).write_text("\n".join(lines), "utf-8")
    (path / "no \x1b[31mtelemetry.txt").write_text(HOSTILE, "utf-8")
    (path / "rules.ndjson").write_text("\n".join(map(json.dumps, (RULE, WRONG))), "utf-8")
    for command in (
        ["users", "add", "ann", "--data", "d"],
        ["keys", "add", "key", "--data", "d", "--scope", "ingest"],
        ["rules", "import", "rules.ndjson", "--data", "d", "--enable"],
        ["ingest", FILE, "--data", "d", "-q"],
    ):
        tocsin(*command, cwd=path)
    return path


COMMANDS: dict[str, list[str]] = {
    **{f"hunt {form}": ["hunt", ".", "-r", "rules.ndjson", "--all-indices", "-f", form]
       for form in ("table", "json", "ndjson", "csv", "html")},
    "hunt wide": ["hunt", ".", "-r", "rules.ndjson", "--all-indices", "--wide", "--show-skipped", "--profile"],
    "hunt by rule": ["hunt", FILE, "-r", "rules.ndjson", "--all-indices", "--group-by", "rule"],
    "a missing file": ["hunt", HOSTILE.replace("\x00", "")],
    "a missing rule": ["hunt", ".", "-r", HOSTILE],
    "a rule that cannot run": ["hunt", FILE, "-r", "rules.ndjson", "--strict"],
    "query": ["query", "process where true", FILE],
    "query as JSON": ["query", "process where true", FILE, "-f", "json"],
    "query as NDJSON": ["query", "process where true", FILE, "-f", "ndjson"],
    "a sequence": ["query", SEQUENCE, FILE],
    "counts": ["query", "process where true | count process.name", FILE],
    "unique": ["query", "process where true | unique host.name", FILE],
    "a bad query": ["query", f'process where process.name == "{HOSTILE}', FILE],
    "explain": ["explain", "hostile", FILE, "-r", "rules.ndjson"],
    "explain as JSON": ["explain", "hostile", FILE, "-r", "rules.ndjson", "-f", "json"],
    "explain nothing": ["explain", HOSTILE, FILE],
    "rules": ["rules", "list", "-r", "rules.ndjson"],
    "a rule": ["rules", "show", "hostile", "-r", "rules.ndjson"],
    "no rule": ["rules", "show", HOSTILE],
    "saved rules": ["rules", "list", "--data", "d"],
    "executions": ["rules", "executions", "--data", "d"],
    "import again": ["rules", "import", "rules.ndjson", "--data", "d"],
    "keys": ["keys", "list", "--data", "d"],
    "a hostile key": ["keys", "add", HOSTILE, "--data", "d", "--scope", "ingest"],
    "users": ["users", "list", "--data", "d"],
    "a hostile user": ["users", "add", HOSTILE, "--data", "d"],
    "alerts": ["alerts", "list", "--data", "d"],
    "no alert": ["alerts", "show", HOSTILE, "--data", "d"],
    "sources": ["sources", "list"],
    "no source": ["sources", "show", HOSTILE],
    "convert": ["sources", "convert", FILE, "--keep-original"],
    "ingest": ["ingest", ".", "--data", "d"],
    "store": ["store", "check", "--data", HOSTILE],
    "configuration": ["config", "show", "--data", HOSTILE],
    "a missing configuration": ["config", "show", "--config", HOSTILE],
    "no command": [HOSTILE],
    "no option": ["hunt", f"--{HOSTILE}"],
    "no format": ["hunt", FILE, "-f", HOSTILE],
    "a bad time": ["hunt", FILE, "--from", HOSTILE],
    "a folder that is not there": ["hunt", FILE, "-o", f"{HOSTILE}/x.csv"],
}  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_no_command_prints_what_changes_a_terminal(arguments: list[str], folder: Path) -> None:
    done = tocsin(*arguments, cwd=folder, columns=20_000)  # nothing is folded
    for text in (done.stdout, done.stderr):
        assert BAD.findall(text) == []
        guide = "html" in arguments or arguments[:3] == ["rules", "show", "hostile"]  # which has lines of its own
        folded = "--wide" in arguments  # which has users over several lines of their own column
        assert guide or folded or not FORGED.search(text)
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr


OWN_STYLES = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\r")
ON_A_TERMINAL = [
    "hunt table", "hunt ndjson", "hunt csv", "a rule that cannot run", "query", "a bad query", "explain", "rules",
    "a rule", "keys", "saved rules", "convert", "no option",
]  # fmt: skip


@pytest.mark.parametrize("name", ON_A_TERMINAL)
def test_on_a_terminal_there_are_the_tools_own_colours_alone(name: str, folder: Path) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "160", "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "tocsin", *COMMANDS[name]]
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        output += part
    process.wait()
    os.close(ours)
    assert BAD.findall(OWN_STYLES.sub(b"", output).decode()) == []
    assert b"\x1b[8m" not in output
    assert output


def test_json_holds_the_values_as_they_were(folder: Path) -> None:
    done = tocsin("query", "process where true", FILE, "-f", "ndjson", cwd=folder)
    assert [json.loads(line)["host"]["name"] for line in done.stdout.splitlines()] == [HOSTILE] * 3
    done = tocsin("sources", "convert", FILE, cwd=folder)
    assert [json.loads(line)["host"]["name"] for line in done.stdout.splitlines()] == [HOSTILE] * 3


def test_a_table_for_a_spreadsheet_shows_all_of_a_value_on_one_line(folder: Path, tmp_path: Path) -> None:
    formulas = ["=1+1", " =1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "＝1"]
    events = [EVENT] + [{**EVENT, "process": {"name": value, "command_line": value}} for value in formulas]
    (tmp_path / "e.ndjson").write_text("".join(json.dumps(one) + "\n" for one in events))
    rules = folder / "rules.ndjson"
    tocsin("hunt", "e.ndjson", "-r", rules, "--all-indices", "-o", "x.csv", cwd=tmp_path)
    text = (tmp_path / "x.csv").read_text("utf-8")
    assert BAD.findall(text) == []
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(text.splitlines()) - 1 == len(events)
    assert rows[0]["host.name"] == printable_line(HOSTILE)
    assert rows[0]["rule.name"] == printable_line(f"rule {HOSTILE}")
    assert all(row["process.name"].startswith("'") for row in rows[1:])


@given(st.text())
def test_any_text_is_made_visible_once_and_json_keeps_its_value(text: str) -> None:
    assert BAD.findall(printable(text)) == []
    assert "\n" not in printable_line(text)
    assert printable(printable(text)) == printable(text)
    written = orjson.dumps({"a": text}).decode()
    assert BAD.findall(escaped_json(written)) == []
    assert json.loads(escaped_json(written)) == {"a": text}


def test_a_name_of_a_file_that_is_no_text_is_printed(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.ndjson")
    done: Any = tocsin("hunt", name, cwd=tmp_path)
    assert "caf\\udce9.ndjson" in done.stderr


TEXTS = st.text() | st.lists(st.sampled_from([*BREAKS, "\t", "a", "forged", "[red]", "\u00ad", "\u200d"])).map(
    "".join
)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5), TEXTS)
def test_no_cell_of_a_table_adds_a_line(rows: list[tuple[str, str, str]], name: str) -> None:
    shown = io.StringIO()
    console = PrintableConsole(file=shown, width=10_000)
    columns = [
        Column("id", whole=True),
        Column(f"name {printable_line(name)}"),
        Column("count", whole=True, right=True),
    ]
    print_table(console, columns, [("1", *row[:2]) for row in rows])
    assert len(shown.getvalue().splitlines()) == len(rows) + 1


@given(TEXTS)
def test_what_stands_on_one_line_stays_on_it(text: str) -> None:
    for shown in (printable_line(text), one_line(text), shown_time(text), shown_time([text])):
        assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("cm\u200dd.exe", "cm\\u200dd.exe", id="a joiner in Latin letters hides"),
        pytest.param("pass\u00adword", "pass\\xadword", id="a soft hyphen"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="a non-joiner in Persian is part of the word"),
        pytest.param("क\u094d\u200dष", "क\u094d\u200dष", id="a joiner in Hindi is part of the word"),
        pytest.param(
            "\U0001f469\U0001f3fd\u200d\U0001f4bb",
            "\U0001f469\U0001f3fd\u200d\U0001f4bb",
            id="a picture of several",
        ),
        pytest.param("\u26a0\ufe0f", "\u26a0\ufe0f", id="a sign shown as a picture"),
        pytest.param("a\ufe0f", "a\\ufe0f", id="a letter is no picture"),
        pytest.param("\u26a0\ufe0f\ufe0f", "\u26a0\ufe0f\\ufe0f", id="one choice is enough"),
    ],
)
def test_joiners_stay_where_a_script_or_a_picture_needs_them(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(escaped_json(json.dumps(text, ensure_ascii=False))) == text
