"""The commands as a user types them, on real input, by their real exit codes."""

# ruff: noqa: E501 (a table reads better than it wraps)

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.evtx_writer import write_evtx
from tests.scenario import EXAMPLES, Machine, files
from tests.shared import needs_shared, shared
from tocsin.errors import QueryError

RULE = "Remote File Download via MpCmdRun"


def tocsin(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, columns: int = 160
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": str(columns), "PYTHONUTF8": "1"},
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_examples_are_what_the_scenario_writes() -> None:
    for name, content in files().items():
        stored = (EXAMPLES / name).read_bytes()
        same = gzip.decompress(stored) == gzip.decompress(content) if name.endswith(".gz") else stored == content
        assert same, f"{name} differs: run `make examples`"


def test_hunt_finds_the_intrusion_and_nothing_else(tmp_path: Path) -> None:
    done = tocsin("hunt", EXAMPLES, "--format", "ndjson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(a["host"]["name"].split(".")[0], a["process"]["name"]) for a in alerts] == [
        ("SRV-FILE01", "MpCmdRun.exe"),
        ("WS-0142", "MpCmdRun.exe"),
        ("WS-0142", "update.exe"),
    ]
    first = alerts[0]
    assert first["kibana.alert.rule.name"] == RULE
    assert first["kibana.alert.severity"] == "medium"
    assert first["process"]["args"][1:4] == ["-DownloadFile", "-url", "https://cdn.example.com/a.txt"]
    assert first["kibana.alert.rule.threat"][0]["technique"][0]["id"] == "T1105"
    assert "SRV-FILE01" in first["kibana.alert.reason"]
    again = tocsin("hunt", EXAMPLES, "--format", "ndjson", cwd=tmp_path)
    assert again.stdout == done.stdout, "the same hunt gives the same alerts, ids included"
    assert not list(tmp_path.iterdir()), "nothing was rejected, so no file was written"


def test_hunt_as_a_table_shows_alerts_and_the_summary(tmp_path: Path) -> None:
    done = tocsin("hunt", EXAMPLES, cwd=tmp_path)
    for shown in (
        RULE,
        "3 alerts",
        "2 hosts",
        "medium",
        "C2",
        "windows.sysmon_operational",
        "rejected",
        "try next",
        "update.exe",
    ):
        assert shown in done.stdout
    assert "\x1b[" not in done.stdout, "no colours outside a terminal"


def test_hunt_as_json_carries_the_summary(tmp_path: Path) -> None:
    body = json.loads(tocsin("hunt", EXAMPLES, "-f", "json", cwd=tmp_path).stdout)
    assert len(body["alerts"]) == body["summary"]["alerts"] == 3
    assert body["summary"]["events_by_dataset"] == {
        "windows.sysmon_operational": 168,
        "system.security": 81,
        "winlogbeat": 80,
    }
    assert body["summary"]["rules_run"] == 1


def test_hunt_as_csv(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(tocsin("hunt", EXAMPLES, "-f", "csv", cwd=tmp_path).stdout)))
    assert [row["rule.name"] for row in rows] == [RULE] * 3
    assert rows[2]["process.command_line"].startswith('"C:\\Users\\Public\\update.exe"')


class Page(HTMLParser):
    """Gathers what a page loads and checks that its tags close."""

    void = frozenset(("meta", "br", "hr", "input", "img", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"an event handler on <{tag}>"
            if (name == "src" or tag == "link") and value:
                self.loads.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_hunt_as_one_html_page(tmp_path: Path) -> None:
    done = tocsin("hunt", EXAMPLES, "-o", tmp_path / "report.html", cwd=tmp_path)
    assert done.returncode == 0
    page = Page()
    page.feed((tmp_path / "report.html").read_text("utf-8"))
    assert page.open == []
    assert page.loads == [], "the page loads nothing"
    text = " ".join(page.text)
    for shown in (
        RULE,
        "Timeline",
        "TA0011 Command and Control",
        "T1105",
        "Osquery: DNS cache",
        "SELECT * FROM dns_cache",
        "CORP",
    ):
        assert shown in text
    assert "{{" not in text, "the guide's fields are filled from the alert"


def test_an_event_cannot_write_into_the_page(tmp_path: Path) -> None:
    machine = Machine("<img src=x onerror=alert(1)>", "D\\<script>alert(2)</script>", 1)
    arguments = '-DownloadFile -url "javascript:alert(3)" -path "</td><script>alert(4)</script>"'
    record = machine.process("C:\\MpCmdRun.exe", arguments, "C:\\a.exe", "x")
    (tmp_path / "a.evtx").write_bytes(write_evtx([record]))
    assert tocsin("hunt", "a.evtx", "-o", "r.html", cwd=tmp_path).returncode == 0
    page = Page()
    page.feed((tmp_path / "r.html").read_text("utf-8"))
    assert page.open == []
    assert page.loads == []
    assert (tmp_path / "r.html").read_text("utf-8").count("<script") == 1


def test_a_window_of_time(tmp_path: Path) -> None:
    def count(*options: str) -> int:
        return len(tocsin("hunt", EXAMPLES, "-f", "ndjson", *options, cwd=tmp_path).stdout.splitlines())

    assert count("--from", "2026-10-06T08:25:00Z") == 2
    assert count("--to", "2026-10-06T08:25:00Z") == 1
    assert count("--from", "2026-10-06T08:23:00Z", "--to", "2026-10-06T08:30:00Z") == 1
    assert count("--from", "now-1h") == 0


def test_fail_on_alert(tmp_path: Path) -> None:
    assert tocsin("hunt", EXAMPLES, "--fail-on-alert", "-q", cwd=tmp_path).returncode == 1
    quiet = EXAMPLES / "WS-0207-winlogbeat.ndjson.gz"
    assert tocsin("hunt", quiet, "--fail-on-alert", "-q", cwd=tmp_path).returncode == 0


def test_standard_input(tmp_path: Path) -> None:
    done = tocsin("hunt", "-", "-f", "ndjson", stdin=(EXAMPLES / "WS-0142-sysmon.evtx").read_bytes(), cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 2


def test_a_rule_reads_the_indices_that_it_names(tmp_path: Path) -> None:
    event = {
        "data_stream": {"dataset": "other.product"},
        "event": {"category": ["process"], "type": ["start"]},
        "host": {"os": {"type": "windows"}},
        "process": {"name": "mpcmdrun.exe", "args": ["-DownloadFile", "-url", "-path"]},
    }
    spelled = json.dumps(event).encode()
    assert tocsin("hunt", "-", "-f", "ndjson", stdin=spelled, cwd=tmp_path).stdout == ""
    assert tocsin("hunt", "-", "-f", "ndjson", "--all-indices", stdin=spelled, cwd=tmp_path).stdout
    known = json.dumps({**event, "data_stream": {"dataset": "endpoint.events.process"}}).encode()
    assert tocsin("hunt", "-", "-f", "ndjson", stdin=known, cwd=tmp_path).stdout


def test_more_matches_than_alerts_are_counted(tmp_path: Path) -> None:
    done = tocsin("hunt", EXAMPLES, "--max-alerts", "1", cwd=tmp_path)
    assert "max alerts reached: 1 of 3" in done.stdout


MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("hunt", "nowhere.evtx"), "nowhere.evtx does not exist"),
    (("hunt", "empty"), "holds no files"),
    (("hunt", str(EXAMPLES), "--rules", "none.toml"), "none.toml does not exist"),
    (("hunt", str(EXAMPLES), "--from", "soon"), "--from: `soon` is neither a date"),
    (("hunt", str(EXAMPLES), "--from", "now", "--to", "now-1h"), "--from is not before --to"),
    (("hunt", str(EXAMPLES), "-o", "no/such/folder.json"), "cannot be written"),
    (("query", "process where", str(EXAMPLES)), "ends too early"),
    (("query", "process where nmae == 1", str(EXAMPLES)), "unknown field `nmae`"),
    (("query", "sequence [a where true]", str(EXAMPLES)), "at least two steps"),
    (("rules", "show", "no such rule"), "no rule called"),
]


@pytest.mark.parametrize(("arguments", "says"), MISTAKES)
def test_a_mistake_is_named_without_a_traceback(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = tocsin(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_faulty_rule_is_named_and_the_others_run(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    good = tocsin("rules", "show", RULE).stdout
    assert RULE in good
    text = Path("src/tocsin/rules/windows/command_and_control_remote_file_copy_mpcmdrun.toml")
    source = (Path(__file__).parents[2] / text).read_text("utf-8")
    (rules / "good.toml").write_text(source)
    (rules / "bad.toml").write_text(
        source.replace("c6453e73", "00000000").replace("process.args :", "process.agrs :")
    )
    done = tocsin("hunt", EXAMPLES, "--rules", rules, "-f", "ndjson", cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 3
    assert "did you mean `process.args`" in done.stderr
    assert "bad.toml:" in done.stderr
    assert done.returncode == 0, "one rule that cannot run does not spoil the hunt"
    strict = tocsin("hunt", EXAMPLES, "--rules", rules, "-f", "ndjson", "--strict", cwd=tmp_path)
    assert (strict.returncode, strict.stdout) == (2, done.stdout)
    (rules / "worse.toml").write_text(
        source.replace("c6453e73", "10000000").replace("process.args :", "process.args ::")
    )
    worse = tocsin("hunt", EXAMPLES, "--rules", rules, "-f", "json", cwd=tmp_path)
    skipped = {"invalid query": 1, "field that no event has": 1}
    assert (worse.returncode, json.loads(worse.stdout)["summary"]["rules_skipped"]) == (0, skipped)
    alone = tocsin("hunt", EXAMPLES, "--rules", rules / "worse.toml", cwd=tmp_path)
    assert (alone.returncode, "no rule can run" in alone.stderr) == (2, True)


def _rule(name: str, query: str) -> str:
    about = {"rule_id": name, "name": name, "type": "eql", "language": "eql", "severity": "low", "risk_score": 1}
    return json.dumps({**about, "query": query}) + "\n"


def test_rules_may_name_any_field_that_events_have(tmp_path: Path) -> None:
    """Elasticsearch knows a field when an index has it, and fails a rule for one that none has."""
    event = {"event": {"category": ["iam"]}, "aws": {"cloudtrail": {"request_parameters": "{policy=Quarantine}"}}}
    (tmp_path / "events.ndjson").write_text(json.dumps({"@timestamp": "2026-01-02T03:04:05Z", **event}) + "\n")
    (tmp_path / "rules.ndjson").write_text(
        _rule("there", 'iam where aws.cloudtrail.request_parameters : "*quarantine*"')
        + _rule("absent", 'iam where not aws.cloudtrail.no_such_field : "x"')
        + _rule("optional", 'iam where not ?aws.cloudtrail.no_such_field : "x"')
        + _rule("joined", 'sequence [iam where aws.cloudtrail.no_such_field == "x"] [iam where true]')
    )
    done = tocsin("hunt", "events.ndjson", "--rules", "rules.ndjson", "--all-indices", "-f", "json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert sorted(alert["kibana.alert.rule.name"] for alert in found["alerts"]) == ["optional", "there"]
    assert found["summary"]["rules_skipped"] == {"field that no event has": 2}
    assert done.returncode == 0
    for query, code in (("aws.cloudtrail.request_parameters", 0), ("aws.cloudtrail.no_such_field", 2)):
        asked = tocsin("query", f'iam where {query} : "*Quarantine*"', "events.ndjson", cwd=tmp_path)
        assert asked.returncode == code
        assert ("no_such_field" in asked.stderr) == (code == 2)


def test_a_rule_in_kql_or_lucene_that_cannot_match_for_its_fields_is_told(tmp_path: Path) -> None:
    """Elasticsearch takes a field that no index has for one without a value; nobody may take the silence for calm."""
    event = {
        "event": {"category": ["iam"]},
        "user": {"name": "ann"},
        "aws": {"region": "x", "s3": {"bucket": "y"}},
    }
    (tmp_path / "events.ndjson").write_text(json.dumps({"@timestamp": "2026-01-02T03:04:05Z", **event}) + "\n")
    queries = {
        "typo": "user.nmae: ann",
        "both": "user.name: ann and no.such.field: *",
        "either": "user.name: ann or no.such.field: x",
        "neither": "user.name: ann and not no.such.field: x",
        "calm": "user.name: bob or no.such.field: x",
        "seen": "aws.region: x",
        "below": "aws.s3: *",
    }
    lines = ""
    languages = ("kuery", "lucene")
    for language in languages:
        for name, text in queries.items():
            words = {"and": "AND", "or": "OR", "not": "NOT"} if language == "lucene" else {}
            query = " ".join(words.get(word, word) for word in text.split(" "))
            rule = json.loads(_rule(f"{name} {language}", query))
            lines += json.dumps({**rule, "type": "query", "language": language}) + "\n"
    (tmp_path / "rules.ndjson").write_text(lines)
    done = tocsin("hunt", "events.ndjson", "--rules", "rules.ndjson", "--all-indices", "-f", "json", cwd=tmp_path)
    found = json.loads(done.stdout)
    names = {alert["kibana.alert.rule.name"] for alert in found["alerts"]}
    assert names == {f"{n} {language}" for n in ("either", "neither", "seen", "below") for language in languages}
    assert found["summary"]["rules_skipped"] == {"field that no event has": 4}
    assert "`user.nmae` is no field that is known; did you mean `user.name`" in done.stderr
    strict = tocsin("hunt", "events.ndjson", "--rules", "rules.ndjson", "--all-indices", "--strict", cwd=tmp_path)
    assert strict.returncode == 2


def test_a_list_of_rules_names_the_files_that_were_not_read(tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_text(_rule("good", "any where true"))
    (tmp_path / "latin.toml").write_bytes(b'[rule]\nname = "Schl\xfcssel"\n')
    (tmp_path / "broken.toml").write_text("[rule]\nname = \n")
    (tmp_path / "hunting.toml").write_text("[hunt]\n")
    done = tocsin("rules", "list", "--rules", ".", cwd=tmp_path)
    for told in (
        "good",
        "1 rule, 1 runs",
        "not read: latin.toml: byte 20 is not UTF-8",
        "broken.toml",
        "1 not a rule file",
    ):
        assert told in done.stdout


def test_damaged_input_is_counted_and_kept(tmp_path: Path) -> None:
    content = (EXAMPLES / "WS-0142-sysmon.evtx").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.evtx").write_bytes(content[: len(content) // 2])
    (tmp_path / "in" / "half.ndjson").write_bytes(b'{"process": {"name": "a"}}\n{"process": {"na')
    (tmp_path / "in" / "what.bin").write_bytes(b"\x00\x01\x02")
    done = tocsin("hunt", "in", "--rejects", "kept.ndjson", cwd=tmp_path)
    assert done.returncode == 0
    for shown in ("truncated EVTX", "malformed JSON", "line 2", "no telemetry"):
        assert shown in done.stdout
    kept = [json.loads(line) for line in (tmp_path / "kept.ndjson").read_text("utf-8").splitlines()]
    assert {k["reason"] for k in kept} >= {"truncated EVTX", "malformed JSON", "no telemetry"}


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "what.bin").write_bytes(b"\x00\x01\x02")
    done = tocsin("hunt", "what.bin", cwd=tmp_path)
    assert done.returncode == 2
    assert "unreadable file" in done.stdout


def test_query_shows_events_and_sends_them_through_pipes(tmp_path: Path) -> None:
    text = 'process where event.type == "start" and process.name : "mpcmdrun.exe" and process.args : "-*" | sort process.pid'
    done = tocsin("query", text, EXAMPLES, "-f", "ndjson", cwd=tmp_path)
    pids = [json.loads(line)["process"]["pid"] for line in done.stdout.splitlines()]
    assert len(pids) > 3
    assert pids == sorted(pids)
    counted = tocsin("query", "any where true | count host.name", EXAMPLES, cwd=tmp_path)
    assert "WS-0142.corp.example.com" in counted.stdout
    assert "51.1%" in counted.stdout
    assert "3 results in 329 events" in counted.stderr


def test_query_names_a_fault_with_a_caret(tmp_path: Path) -> None:
    done = tocsin("query", 'process where process.nmae : "x"', EXAMPLES, cwd=tmp_path)
    assert "^^^^^^^^^^^^" in done.stderr
    assert issubclass(QueryError, Exception)


def test_rules_show_prints_every_element() -> None:
    shown = tocsin("rules", "show", "mpcmdrun").stdout
    for part in (
        "c6453e73-90eb-4fe7-a98c-cde7bbfc504a", "version 314", "medium", "risk 47", "5m", "now-9m", "100 an execution",
        "logs-crowdstrike.fdr*", "TA0011", "T1105", "Elastic License v2", "Resources: Investigation Guide", "MpCmdRun.exe",
        "Triage and analysis", "SELECT * FROM dns_cache", "event.ingested", "bleepingcomputer",
    ):  # fmt: skip
        assert part in shown, part
    assert "分类与分析" in tocsin("rules", "show", "mpcmdrun", "--locale", "zh-CN").stdout


def test_version_and_help() -> None:
    assert tocsin("--version").stdout.startswith("tocsin 0.")
    for command in ("", "hunt", "query", "rules"):
        assert "Usage" in tocsin(*command.split(), "--help").stdout


# ---- real attacks

FOUND = {
    "Privilege_Escalation__Sysmon_13_1_UAC_Bypass_EventVwrBypass.evtx": "Bypass UAC via Event Viewer",
    "Credential_Access__sysmon_10_1_memdump_comsvcs_minidump.evtx": "Potential Credential Access via Windows Utilities",
    "Defense_Evasion__DE_UAC_Disabled_Sysmon_12_13.evtx": "Disabling User Account Control via Registry Modification",
    "Defense_Evasion__de_portforward_netsh_rdp_sysmon_13_1.evtx": "Port Forwarding Rule Addition",
    "Lateral_Movement__LM_tsclient_startup_folder.evtx": "Lateral Movement via Startup Folder",
    "Privilege_Escalation__System_7045_namedpipe_privesc.evtx": "Suspicious Service was Installed in the System",
    "Execution__susp_explorer_exec.evtx": "Suspicious Explorer Child Process",
    "Credential_Access__tutto_malseclogon.evtx": "Process Creation via Secondary Logon",
    "Credential_Access__remote_sam_registry_access_via_backup_operator_priv.evtx": "Suspicious Remote Registry Access via SeBackupPrivilege",
    "Privilege_Escalation__privesc_sysmon_cve_20201030_spooler.evtx": "Suspicious Print Spooler Point and Print DLL",
    "Privilege_Escalation__Sysmon_uacme_58.evtx": "UAC Bypass Attempt with IEditionUpgradeManager Elevated COM Interface",
}


@needs_shared("events/evtx")
@needs_shared("rules/elastic-windows")
@pytest.mark.slow
def test_public_rules_find_the_attacks_that_files_are_named_after(tmp_path: Path) -> None:
    events, rules = shared("events/evtx"), shared("rules/elastic-windows")
    done = tocsin("hunt", events, "--rules", rules, "-f", "ndjson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    by_file: dict[str, set[str]] = {}
    for alert in alerts:
        by_file.setdefault(Path(alert["tocsin"]["origin"]).name, set()).add(alert["kibana.alert.rule.name"])
    for file, rule in FOUND.items():
        assert rule in by_file.get(file, set()), file
    assert Counter(alert["kibana.alert.rule.type"] for alert in alerts) == {"eql": 63, "query": 8, "new_terms": 4}


@pytest.mark.parametrize("target", ["ndjson", "parquet"])
def test_converted_telemetry_raises_the_same_alerts(target: str, tmp_path: Path) -> None:
    converted = tmp_path / f"events.{target}"
    done = tocsin("sources", "convert", EXAMPLES, "--to", target, "-o", converted)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "329 events converted"
    before, after = (
        sorted(
            json.loads(line)["@timestamp"]
            for line in tocsin("hunt", path, "-f", "ndjson", "-q").stdout.splitlines()
        )
        for path in (EXAMPLES, converted)
    )
    assert before == after
    assert len(after) == 3


def test_convert_writes_to_standard_output() -> None:
    done = tocsin("sources", "convert", EXAMPLES, "-q")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(documents) == 329
    assert all(document["event"]["category"] for document in documents if document["event"].get("code") == "1")


def test_convert_does_not_write_over_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"event": {"code": "1"}}\n', "utf-8")
    done = tocsin("sources", "convert", path, "-o", path)
    assert done.returncode == 2
    assert "is read and written" in done.stderr
    assert path.read_text("utf-8") == '{"event": {"code": "1"}}\n'


def test_convert_says_where_it_cannot_write(tmp_path: Path) -> None:
    done = tocsin("sources", "convert", EXAMPLES, "-o", tmp_path / "none" / "a.ndjson")
    assert done.returncode == 2
    assert "cannot be written: No such file or directory" in done.stderr


def test_sources_are_listed_and_shown_as_tables() -> None:
    listed = tocsin("sources", "list").stdout
    assert "logs-windows.sysmon_operational-default" in listed
    shown = tocsin("sources", "show", "sysmon").stdout
    assert all(word in shown for word in ("Process creation", "CommandLine", "process.args", "arguments"))
    unknown = tocsin("sources", "show", "nonesuch")
    assert (unknown.returncode, "`tocsin sources list` names them" in unknown.stderr) == (2, True)


def test_a_products_shapes_and_joins_are_shown() -> None:
    listed = tocsin("sources", "list").stdout
    assert all(name in listed for name in ("m365_defender.event", "endgame", "winlogbeat"))
    shown = tocsin("sources", "show", "crowdstrike").stdout
    assert all(word in shown for word in ("event_simpleName", "aidmaster", "ProcessRollup2", "registry.path"))


def test_a_named_source_is_what_a_files_records_are_taken_for(tmp_path: Path) -> None:
    path = tmp_path / "process.ndjson"
    path.write_text(json.dumps({"process": {"name": "a.exe"}, "event": {"category": "process"}}) + "\n")
    done = tocsin("query", "process where true", path, "--source", "events.process", "--format", "ndjson")
    assert (done.returncode, json.loads(done.stdout)["process"]["name"]) == (0, "a.exe"), done.stderr
    wrong = tocsin("query", "process where true", path, "--source", "sentinel", cwd=tmp_path)
    assert (wrong.returncode, "1 rejected" in wrong.stderr) == (2, True)
    unknown = tocsin("hunt", path, "--source", "carbon black")
    assert (unknown.returncode, "`tocsin sources list` names them" in unknown.stderr) == (2, True)


KQL_RULE = r"""
[rule]
rule_id = "kql"
name = "A download, in KQL"
type = "query"
language = "kuery"
severity = "high"
risk_score = 73
index = ["winlogbeat-*"]
query = '''
event.category: process and process.args: ("-DownloadFile" and "-url") and
  not process.name.caseless: UPDATE.exe
'''

[[rule.filters]]
[rule.filters.meta]
negate = true
[rule.filters.query.wildcard."host.name"]
value = "srv-*"
case_insensitive = true
"""


def test_a_rule_in_kql_with_a_filter_is_hunted_with_and_explained(tmp_path: Path) -> None:
    rule = tmp_path / "kql.toml"
    rule.write_text(KQL_RULE)
    done = tocsin("hunt", EXAMPLES, "--rules", rule, "--format", "ndjson", cwd=tmp_path)
    (alert,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (alert["host"]["name"].split(".")[0], alert["process"]["name"]) == ("WS-0142", "MpCmdRun.exe")
    assert alert["kibana.alert.rule.type"] == "query"
    steps = json.loads(tocsin("explain", rule, EXAMPLES, "-f", "json", cwd=tmp_path).stdout)["steps"]
    assert steps[0]["events"] == 1
    left = {part["text"]: part["left"] for part in steps[0]["parts"] if not part["depth"]}
    assert left['not ?host.name : "srv-*"'] == 1


def test_an_explanation_of_a_rule_in_eql_shows_its_filters(tmp_path: Path) -> None:
    rule = tmp_path / "eql.toml"
    query = '"""process where process.args : "-DownloadFile" """'
    rule.write_text(
        re.sub(r"query = '''.*?'''", lambda _: f"query = {query}", KQL_RULE, flags=re.DOTALL)
        .replace('"query"', '"eql"')
        .replace('"kuery"', '"eql"')
    )
    shown = tocsin("explain", rule, EXAMPLES, cwd=tmp_path)
    assert 'not ?host.name : "srv-*"' in shown.stdout, shown.stderr


FOREIGN_EVENT = {"@timestamp": "2026-11-20T10:00:00Z", "what": "cmd.exe", "severity": "high"}
UNTIMED_EVENT = {"event": {"category": "process"}, "process": {"name": "x"}}


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["hunt"], "stdout"),
        (["hunt", "--format", "ndjson"], "stderr"),
        (["hunt", "--format", "csv"], "stderr"),
        (["hunt", "--format", "html"], "stdout"),
        (["query", 'process where process.name == "y"'], "stderr"),
        (["explain", 'process where process.name == "y"'], "stderr"),
        (["sources", "convert"], "stderr"),
        (["ingest", "--data", "store"], "stderr"),
    ],
    ids=lambda one: " ".join(one[:3]) if isinstance(one, list) else one,
)
def test_every_summary_says_which_events_no_rule_sees(arguments: list[str], where: str, tmp_path: Path) -> None:
    events = [FOREIGN_EVENT] * 1204 + [UNTIMED_EVENT]
    (tmp_path / "f.json").write_text("".join(json.dumps(event) + "\n" for event in events))
    done = tocsin(*arguments, "f.json", cwd=tmp_path)
    told = " ".join(getattr(done, where).replace("│", "").split())
    of_file = r"(\(f\.json 1,204\)|.*1,204 f\.json)"  # behind the sentence, or on a line below it
    assert re.search(rf"1,204 events have no field that (any rule reads|a rule could read).? {of_file}", told)
    time = "but that of their arrival" if arguments[0] == "ingest" else "that can be read"
    assert re.search(rf"1 event has no time {time}.? (\(f\.json 1\)|.*1 f\.json)", told)
    assert "`--source`" in told
    assert "`tocsin sources list`" in told


def test_the_figures_of_a_hunt_have_what_no_rule_sees(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text("".join(json.dumps(event) + "\n" for event in (FOREIGN_EVENT, UNTIMED_EVENT)))
    done = tocsin("hunt", "f.json", "--format", "json", "--from", "2026-11-21", cwd=tmp_path)
    summary = json.loads(done.stdout)["summary"]
    assert summary["events_not_seen"] == {
        "no time that can be read": {"f.json": 1},
        "no field that any rule reads": {"f.json": 1},
    }
    assert (summary["events_without_time"], summary["events_outside_window"]) == (1, 1)
    assert done.returncode == 0


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_pipe_decides_as_a_file_does_whether_its_dates_have_the_day_first(form: str, tmp_path: Path) -> None:
    days = [*["10"] * 3000, "20"]
    if form == "csv":
        head = "Timestamp,DeviceName,ActionType,FileName,FolderPath\n"
        text = head + "".join(f"{day}/11/2026 10:00,h,ProcessCreated,a.exe,C:\\a.exe\n" for day in days)
    else:
        event = {"event": {"category": "process"}, "process": {"name": "a.exe"}}
        text = "".join(json.dumps({"@timestamp": f"{day}/11/2026 10:00", **event}) + "\n" for day in days)
    done = tocsin("query", "process where true | head 1", "-", "-f", "ndjson", stdin=text.encode(), cwd=tmp_path)
    assert json.loads(done.stdout)["@timestamp"] == "2026-11-10T10:00:00Z"
    assert "<stdin>: dates are read day first: 1 of them can only mean that" in done.stderr


@pytest.mark.parametrize(("order", "day"), [("day", "2026-04-03"), ("month", "2026-03-04")])
@pytest.mark.parametrize("command", [["query", "any where true"], ["sources", "convert"]], ids=" ".join)
def test_the_order_of_dates_can_be_said(command: list[str], order: str, day: str, tmp_path: Path) -> None:
    event = {"@timestamp": "03.04.2026 10:00:00", "event": {"category": "process"}, "process": {"name": "a.exe"}}
    (tmp_path / "e.json").write_text(json.dumps(event))
    extra = ["-f", "ndjson"] if command[0] == "query" else []
    done = tocsin(*command, "e.json", "--date-order", order, *extra, cwd=tmp_path)
    assert json.loads(done.stdout)["@timestamp"] == f"{day}T10:00:00Z"
    assert f"{order} first, as --date-order says" in done.stderr
