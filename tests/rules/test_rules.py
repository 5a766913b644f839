"""Rules: read, kept whole, written, and loaded from whatever lies in a folder."""

import json
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import needs_shared, shared
from tocsin.date_math import parse_date_math
from tocsin.detection.compile import prepare
from tocsin.detection.listing import list_rules
from tocsin.errors import RuleError
from tocsin.rules.files import read_ndjson, read_toml, write_ndjson, write_toml
from tocsin.rules.load import bundled_rules, load_rules, shows_rule
from tocsin.rules.model import Rule

QUERY = 'process where process.name : "x.exe"'
MINIMAL = f"""
[rule]
rule_id = "1"
name = "A rule"
type = "eql"
language = "eql"
severity = "low"
risk_score = 21
query = '''
{QUERY}
'''
"""
PUBLIC = "rules/elastic-windows"


def test_the_reference_rule_is_the_published_one() -> None:
    (rule,) = bundled_rules().rules
    assert (rule.name, rule.severity, rule.risk_score, rule.version) == (
        "Remote File Download via MpCmdRun",
        "medium",
        47,
        314,
    )
    assert (rule.interval, rule.from_, rule.max_signals) == ("5m", "now-9m", 100)
    assert len(rule.index) == 9
    assert rule.tactics == ("TA0011",)
    assert [t.id for t in rule.techniques()] == ["T1105"]
    assert (rule.author, rule.license) == (("Elastic",), "Elastic License v2")
    assert len(rule.transform["investigate"]) == 3
    assert len(rule.transform["osquery"]) == 4
    assert "zh-CN" in rule.notes


@needs_shared(PUBLIC)
def test_the_reference_rule_keeps_the_published_query_fields_and_mapping() -> None:
    (ours,) = bundled_rules().rules
    name = "command_and_control_remote_file_copy_mpcmdrun.toml"
    theirs = read_toml(shared(f"{PUBLIC}/{name}").read_text("utf-8"))
    assert (ours.query or "").split() == (theirs.query or "").split()
    assert set(ours.index) == set(theirs.index)
    assert (ours.threat, ours.rule_id, ours.references) == (theirs.threat, theirs.rule_id, theirs.references)
    assert ours.note != theirs.note


def test_unknown_fields_survive_toml_and_ndjson() -> None:
    text = MINIMAL + 'new_in_9_9 = { deep = ["x", 1] }\n[metadata]\nmaturity = "production"\nodd = true\n'
    rule = read_toml(text)
    assert rule.document()["new_in_9_9"] == {"deep": ["x", 1]}
    again = read_toml(write_toml(rule))
    assert again.document() == rule.document()
    assert again.metadata == {"maturity": "production", "odd": True}
    (exported,) = read_ndjson(write_ndjson([rule]))
    assert isinstance(exported, Rule)
    assert exported.document() == rule.document()


def test_plugins_of_a_guide_leave_a_rule_file_with_its_rule() -> None:
    """Elastic's releases have them written out in `note`: Kibana's documents know no `transform`."""
    (rule,) = bundled_rules().rules
    note = rule.document()["note"]
    assert (note.count("!{investigate{"), note.count("!{osquery{")) == (3, 4)
    assert "$investigate_" not in note
    (exported,) = read_ndjson(write_ndjson([rule]))
    assert isinstance(exported, Rule)
    assert exported.note == note
    assert read_toml(write_toml(exported)).note == note
    from_file = read_toml(write_toml(rule))
    assert (from_file.note, from_file.transform) == (rule.note, rule.transform)
    assert from_file.document() == rule.document()


def test_a_name_without_its_plugin_stays_in_the_guide() -> None:
    text = MINIMAL + 'note = "see $investigate_1"\n[transform]\ninvestigate = [{ label = "a", providers = [] }]\n'
    assert read_toml(text).document()["note"] == "see $investigate_1"


@needs_shared(PUBLIC)
@pytest.mark.slow
def test_every_public_rule_survives_toml_and_ndjson() -> None:
    loaded = load_rules([str(shared(PUBLIC))])
    assert len(loaded.rules) == 487
    assert not loaded.skipped
    for rule in loaded.rules:
        original = tomllib.loads(Path(rule.file).read_text("utf-8"))
        assert rule.fields() == original["rule"]
        assert rule.document() == original["rule"] | {"note": rule.document()["note"]}
        again = read_toml(write_toml(rule))
        assert (again.fields(), again.transform) == (rule.fields(), original.get("transform", {}))
    exported = list(read_ndjson(write_ndjson(loaded.rules)))
    assert [r.document() for r in exported if isinstance(r, Rule)] == [r.document() for r in loaded.rules]


@needs_shared(PUBLIC)
@pytest.mark.slow
def test_every_public_rule_can_run() -> None:
    ready, skipped = prepare(load_rules([str(shared(PUBLIC))]).rules, open_fields=True)
    assert not [rule.message for rule in skipped]
    assert Counter(one.rule.language for one in ready) == {"eql": 391, "kuery": 68, "esql": 28}
    types = {"eql": 391, "query": 41, "esql": 28, "new_terms": 25, "threshold": 2}
    assert Counter(one.rule.type for one in ready) == types


KIBANA = {
    "id": "6f0c1d0e",
    "updated_at": "2026-01-01T00:00:00.000Z",
    "rule_id": "2",
    "immutable": False,
    "name": "Exported",
    "type": "eql",
    "language": "eql",
    "severity": "high",
    "risk_score": 73,
    "from": "now-360s",
    "query": QUERY,
    "index": ["logs-*"],
    "threat": [
        {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": "TA0002", "name": "Execution", "reference": ""},
            "technique": [],
        }
    ],
    "exceptions_list": [],
    "actions": [],
}


def test_a_kibana_export_is_read_and_other_objects_are_passed_over() -> None:
    lines = [
        json.dumps(KIBANA),
        json.dumps({"list_id": "x", "type": "detection"}),
        json.dumps({"exported_count": 1}),
    ]
    (rule,) = read_ndjson("\n".join(lines).encode())
    assert isinstance(rule, Rule)
    assert rule.document() == KIBANA
    assert rule.from_ == "now-360s"


LINES = {line.split(" =")[0]: number for number, line in enumerate(MINIMAL.splitlines(), 1)}
FAULTY = [
    ("[rule\n", "not valid TOML", 1),
    ("[other]\nx = 1\n", "no rule in this file", None),
    (MINIMAL + "max_signals = 99999999999999999999\n", "a whole number has at most 64 bits, not 67", None),
    (MINIMAL + ".".join(["a"] * 5_000) + " = 1\n", "nested more than 200 levels deep", None),
    (
        MINIMAL.replace('"low"', '"lowest"'),
        "`severity` is `lowest`, and must be 'low', 'medium', 'high' or 'critical'",
        LINES["severity"],
    ),
    (MINIMAL.replace("21", "210"), "`risk_score` is 210, and must be at most 100", LINES["risk_score"]),
    (MINIMAL.replace('name = "A rule"', ""), "`name` is missing", None),
    (MINIMAL.replace("21", '"high"'), "`risk_score` is `high`, and must be a whole number", LINES["risk_score"]),
    (MINIMAL + "index = 5\n", "`index` is 5, and must be a list", MINIMAL.count("\n") + 1),
    (MINIMAL.replace('"A rule"', '""'), "`name` is empty", LINES["name"]),
    (
        MINIMAL + '[[rule.threat]]\nframework = "x"\n[rule.threat.tactic]\nid = 5\nname = "n"\n',
        "`threat[0].tactic.id` is 5, and must be a text",
        MINIMAL.count("\n") + 1,
    ),
]


@pytest.mark.parametrize(("text", "says", "line"), FAULTY)
def test_a_faulty_file_is_refused_by_the_name_of_its_field(text: str, says: str, line: int | None) -> None:
    with pytest.raises(RuleError) as caught:
        read_toml(text, "rule.toml")
    assert says in str(caught.value)
    assert "rule.toml" in str(caught.value)
    assert (caught.value.place.line if caught.value.place else None) == line


def test_a_folder_gives_what_it_can_and_accounts_for_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(MINIMAL)
    (tmp_path / "twice.toml").write_text(MINIMAL)
    (tmp_path / "broken.toml").write_text("[rule\n")
    (tmp_path / "binary.toml").write_bytes(b"[rule]\xff\xfe")
    (tmp_path / "hunting.toml").write_text('[hunt]\nquery = ["""\nfrom logs-*\n"""]\n')
    (tmp_path / "old.toml").write_text(MINIMAL.replace('"1"', '"3"') + '[metadata]\nmaturity = "deprecated"\n')
    (tmp_path / "export.ndjson").write_text(json.dumps(KIBANA) + "\n{broken\n")
    (tmp_path / "version.lock.json").write_text("{}")
    (tmp_path / "notes.md").write_text("not a rule")
    loaded = load_rules([str(tmp_path)])
    assert sorted(rule.rule_id for rule in loaded.rules) == ["1", "2"]
    assert sorted(s.reason for s in loaded.skipped) == [
        "deprecated",
        "invalid rule",
        "invalid rule",
        "invalid rule",
        "not a rule file",
        "not a rule file",
        "repeated rule_id",
    ]


def test_a_file_that_is_named_by_itself_has_to_hold_a_rule(tmp_path: Path) -> None:
    (tmp_path / "hunting.toml").write_text("[hunt]\n")
    (skipped,) = load_rules([str(tmp_path / "hunting.toml")]).skipped
    assert (skipped.invalid, "no rule in this file" in skipped.message) == (True, True)


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_file_may_be_in_any_unicode_encoding_with_the_lines_of_windows(tmp_path: Path, encoding: str) -> None:
    text = MINIMAL.lstrip().replace("A rule", "Zugriff auf Schl\u00fcssel")
    (tmp_path / "rule.toml").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    exported = json.dumps({**KIBANA, "name": "\u89c4\u5219"}, ensure_ascii=False)
    (tmp_path / "export.ndjson").write_bytes(f"{exported}\r\n{{}}\r\n".encode(encoding))
    (tmp_path / "rule.json").write_bytes(json.dumps({**KIBANA, "rule_id": "9"}, indent=2).encode(encoding))
    loaded = load_rules([str(tmp_path)])
    assert not loaded.skipped
    assert [rule.name for rule in loaded.rules] == ["\u89c4\u5219", KIBANA["name"], "Zugriff auf Schl\u00fcssel"]


def test_a_large_folder_is_listed_as_a_small_one_is(tmp_path: Path) -> None:
    """Hundreds of files are read by several processes."""
    for number in range(450):
        query = QUERY if number % 2 else "process where process.name =="
        text = MINIMAL.replace('rule_id = "1"', f'rule_id = "{number // 2 if number < 4 else number}"')
        (tmp_path / f"{number:03}.toml").write_text(text.replace(QUERY, query))
    (tmp_path / "broken.toml").write_text("[rule")
    rules, skipped = list_rules([str(tmp_path)])
    loaded = load_rules([str(tmp_path)])
    assert [rule.file for rule in rules] == [rule.file for rule in loaded.rules]
    assert Counter(rule.reason for rule in rules) == {"invalid query": 225, None: 223}
    assert Counter(one.reason for one in skipped) == {"invalid rule": 1, "repeated rule_id": 2}


def test_an_array_of_rules_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps([KIBANA, {**KIBANA, "rule_id": "9"}]))
    assert [rule.rule_id for rule in load_rules([str(tmp_path)]).rules] == [KIBANA["rule_id"], "9"]


def test_a_faulty_query_is_placed_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "rule.toml"
    path.write_text(MINIMAL.replace("process.name", "process.nmae"))
    ready, (skipped,) = prepare(load_rules([str(path)]).rules)
    assert not ready
    line = path.read_text().splitlines().index(QUERY.replace("process.name", "process.nmae")) + 1
    assert f"rule.toml:{line}:15" in skipped.message
    assert "did you mean `process.name`" in skipped.message


def test_the_query_of_a_guide_is_not_taken_for_the_rules(tmp_path: Path) -> None:
    transform = '[[transform.osquery]]\nlabel = "x"\nquery = """\nSELECT 1\n"""\n'
    path = tmp_path / "rule.toml"
    path.write_text(transform + MINIMAL.replace("process.name", "process.nmae"))
    _, (skipped,) = prepare(load_rules([str(path)]).rules)
    line = path.read_text().splitlines().index(QUERY.replace("process.name", "process.nmae")) + 1
    assert f"rule.toml:{line}:15" in skipped.message


def test_missing_paths_are_refused(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none.toml", "does not exist"), (tmp_path, "holds no rule files")):
        with pytest.raises(RuleError, match=says):
            load_rules([str(path)])


NOW = datetime(2026, 3, 31, 13, 45, 30, 500, tzinfo=UTC)
MATH = [
    ("now", NOW),
    ("now-9m", datetime(2026, 3, 31, 13, 36, 30, 500, tzinfo=UTC)),
    ("now-48h/h", datetime(2026, 3, 29, 13, tzinfo=UTC)),
    ("now/d", datetime(2026, 3, 31, tzinfo=UTC)),
    ("now/w", datetime(2026, 3, 30, tzinfo=UTC)),
    ("now-1M/M", datetime(2026, 2, 1, tzinfo=UTC)),
    ("now-1M", datetime(2026, 2, 28, 13, 45, 30, 500, tzinfo=UTC)),
    ("now+1y/y", datetime(2027, 1, 1, tzinfo=UTC)),
    ("2026-01-01||+1d-2h", datetime(2026, 1, 1, 22, tzinfo=UTC)),
    ("2026-01-01T05:00:00+02:00", datetime(2026, 1, 1, 3, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), MATH)
def test_date_math(text: str, moment: datetime) -> None:
    assert parse_date_math(text, NOW) == moment


def test_rounding_up_ends_the_unit() -> None:
    assert parse_date_math("now/d", NOW, round_up=True) == datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "now-", "now-5", "now-5x", "now 5m", "2026-01-01+1d", "2026-13-01"]
)
def test_faulty_date_math_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="date"):
        parse_date_math(text, NOW)


@given(st.integers(0, 500), st.sampled_from("smhdwMy"))
def test_rounding_never_goes_forward(amount: int, unit: str) -> None:
    assert parse_date_math(f"now-{amount}{unit}/{unit}", NOW) <= parse_date_math(f"now-{amount}{unit}", NOW)


def test_a_file_that_is_no_export_is_told_once(tmp_path):
    """Whatever is given for rules: a text has a hundred lines, and none of them is worth a word of its own."""
    (tmp_path / "README.md").write_text("# Title\n\nwords\n12\n" * 50, "utf-8")
    loaded = load_rules([str(tmp_path / "README.md")])
    [told] = [one.message for one in loaded.skipped]
    assert "none of its 150 lines is a JSON object" in told


def test_of_many_damaged_lines_of_an_export_the_first_are_told(tmp_path):
    (tmp_path / "e.ndjson").write_text('{"rule_id": "a"}\n' + "{\n" * 40, "utf-8")
    told = [one.message for one in load_rules([str(tmp_path / "e.ndjson")]).skipped]
    assert len(told) == 12
    assert "30 more lines are not valid JSON" in told[-1]


@pytest.mark.parametrize(
    ("name", "text", "is_rule"),
    [
        ("a.toml", '[rule]\nname = "a"\n', True),
        ("a.toml", "port = 1\n", False),
        ("a.ndjson", '{"rule_id": "a", "name": "a", "severity": "low", "risk_score": 1}\n', True),
        (
            "a.ndjson",
            '{"@timestamp": 1, "rule_id": "a", "name": "a", "severity": "low", "risk_score": 1}\n',
            False,
        ),
        ("a.ndjson", '{"event": {"category": "process"}}\n', False),
        ("a.csv", "rule_id,risk_score\n", False),
    ],
)
def test_a_rule_is_known_by_how_its_file_begins(name, text, is_rule, tmp_path):
    (tmp_path / name).write_text(text, "utf-8")
    assert shows_rule(tmp_path / name) is is_rule
