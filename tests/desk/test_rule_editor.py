"""The editor of rules over a real service: the form of every type, live checks, previews, saving."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from tests.desk.watched import watched_desk
from tests.shared import needs_shared, shared
from tocsin.desk.rule_editor.fields import TYPES
from tocsin.desk.rule_editor.form import document_of, form_of
from tocsin.rules.files import read_rule, read_toml

HOSTILE = "</textarea><script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with watched_desk(tmp_path_factory.mktemp("watched")) as started:
        yield started


@pytest.fixture
def client(watched):
    with watched.desk.logged_in("engineer") as logged_in:
        yield logged_in


def form_in(text: str) -> dict[str, str]:
    """Return what a browser would send of the page's form."""
    form: dict[str, str] = {}
    for name, value in re.findall(r'<input[^>]*name="([^"]+)" value="([^"]*)"', text):
        form[name] = unescape(value)
    for name in re.findall(r'<input type="checkbox" name="([^"]+)" checked', text):
        form[name] = "on"
    for name, value in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', text, re.S):
        form[name] = unescape(value)
    for name, value in re.findall(r'<textarea name="([^"]+)"[^>]*>\n(.*?)</textarea>', text, re.S):
        form[name] = unescape(value)
    for name, options in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', text, re.S):
        form[name] = (re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options))[
            0
        ]
    for name, options in re.findall(r'<select name="([^"]+)">(.*?)</select>', text, re.S):
        form[name] = (re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options))[
            0
        ]
    return form


def headers(client) -> dict[str, str]:
    token = re.findall(r'name="csrf" value="([^"]+)"', client.get("/rules/new").text)[0]
    return {"hx-request": "true", "x-csrf-token": token}


# What is added to the form of a new rule of each type so that it can be saved.
OF_TYPES = {
    "eql": {"query": 'process where process.name : "bad.exe"'},
    "query": {"query": "process.name: bad.exe", "language": "kuery"},
    "threshold": {
        "query": "process.name: *", "threshold.field": "host.name", "threshold.value": "3",
        "threshold.cardinality": "process.name = 2",
    },
    "new_terms": {"query": "process.name: *", "new_terms_fields": "process.name\nhost.name"},
    "threat_match": {
        "query": "process.name: *", "threat_query": "*:*",
        "threat_mapping": "process.hash.sha256 = threat.indicator.file.hash.sha256\n\n"
        "source.ip = threat.indicator.ip\nnot host.name = threat.indicator.name",
    },
    "esql": {"query": "from logs-* | stats count(*) by host.name"},
    "saved_query": {"query": "process.name: bad.exe", "saved_id": "known"},
}  # fmt: skip


@pytest.mark.parametrize("type_", TYPES)
def test_a_rule_of_every_type_is_made_and_shown_again_as_it_is(watched, client, type_):
    form = form_in(client.get("/rules/new", params={"type": type_}).text)
    given = form | OF_TYPES[type_] | {
        "name": f"Of type {type_} {HOSTILE}", "description": "It is bad.", "tags": "one\r\ntwo",
        "threat": "TA0011 Command and Control\n  T1105 Ingress Tool Transfer\n  T1071 Application Layer Protocol\n"
        "    T1071.001 Web Protocols",
        "note": f"## Triage\n{HOSTILE}",
    }  # fmt: skip
    answer = client.post("/rules/new", params={"type": type_}, data=given)
    assert answer.status_code == 303, answer.text
    assert "The rule is saved." in client.get(answer.headers["location"]).text
    id_ = answer.headers["location"].removeprefix("/rules/")
    document = watched.http.get("/api/detection_engine/rules", params={"id": id_}).json()
    assert document["type"] == type_
    assert document["tags"] == ["one", "two"]
    technique = document["threat"][0]["technique"][1]
    assert technique["subtechnique"][0]["reference"] == "https://attack.mitre.org/techniques/T1071/001/"
    text = client.get(f"/rules/{id_}/edit").text
    assert "<script>alert" not in text
    again = form_in(text)
    assert {name: again[name] for name in OF_TYPES[type_]} == OF_TYPES[type_]
    assert client.post(f"/rules/{id_}/edit", data=again).status_code == 303
    same = watched.http.get("/api/detection_engine/rules", params={"id": id_}).json()
    assert (same["revision"], same["updated_at"]) == (0, document["updated_at"])  # nothing has changed


@needs_shared("rules/elastic-windows")
def test_the_form_loses_nothing_of_any_public_rule():
    files = sorted(shared("rules/elastic-windows").rglob("*.toml"))
    assert len(files) > 400
    for file in files:
        rule = read_toml(file.read_text("utf-8"), str(file))
        document = json.loads(json.dumps(rule.document(), default=list))
        again, problems = document_of(form_of(document), document)
        assert problems == []
        before = read_rule(document)
        after = read_rule({"rule_id": rule.rule_id, **again})
        assert (after.terms_fields, after.history_start) == (before.terms_fields, before.history_start)
        left_out = {"new_terms", "new_terms_fields", "history_window_start", "rule_id", "enabled"}
        kept = [
            {name: value for name, value in held.items() if name not in left_out and value not in (None, [], "")}
            for held in (document, again)
        ]
        assert kept[1] == kept[0], file


CHECKS = [
    ("eql", "eql", 'process where process.name == "x" and', (1, "the query ends too early", "error")),
    ("eql", "eql", "process where\n  process.pid : 4", (2, "need a string", "error")),
    ("eql", "eql", 'process where process.nam == "x"', (1, "unknown field", "warning")),
    ("query", "kuery", "process.name: (", (1, "ends too early", "error")),
    ("query", "lucene", "process.name:(", (1, "a group is empty", "error")),
    ("esql", "esql", "from logs-* | whre x == 1", (1, "there is no command", "error")),
]


@pytest.mark.parametrize(("type_", "language", "query", "expected"), CHECKS)
def test_a_query_is_checked_with_the_place_of_its_error(client, type_, language, query, expected):
    about = {"type": type_, "language": language, "query": query, "index": "logs-*"}
    [fault] = client.post("/rule-editor/check", data=about, headers=headers(client)).json()
    line, words, severity = expected
    assert (fault["line"], fault["severity"]) == (line, severity)
    assert words in fault["message"]


def test_a_query_that_can_be_read_has_no_fault(client):
    about = {"type": "eql", "language": "eql", "query": "any where true"}
    assert client.post("/rule-editor/check", data=about, headers=headers(client)).json() == []


def test_fields_are_offered_those_first_that_events_have(watched, client):
    watched.event(process={"name": "offered.exe"}, own={"field": "of these events"})
    fields = client.get("/rule-editor/fields", params={"index": "logs-watch-*"}).json()
    seen = {name for name, _, has in fields if has}
    assert {"own.field", "process.name"} <= seen
    assert ["dns.question.name", "keyword", False] in fields


def test_a_preview_shows_alerts_and_keeps_nothing(watched, client):
    for host in ("ws-1", "ws-2"):
        watched.event(process={"name": "previewed.exe", "command_line": f"x {HOSTILE}"}, host={"name": host})
    form = form_in(client.get("/rules/new").text)
    form |= {"query": 'process where process.name == "previewed.exe"', "preview": "1", "span": "1h"}
    text = client.post("/rules/new", data=form, headers=headers(client)).text
    assert '<b class="big">2</b> alerts' in text
    assert "12 runs" in text
    assert "ws-1" in text
    assert "<rect" in text
    assert "<script>alert" not in text
    whole = client.post("/rules/new", data=form)  # without a script
    assert '<b class="big">2</b> alerts' in whole.text
    rules = watched.http.get("/api/detection_engine/rules/_find", params={"per_page": 100}).json()["data"]
    assert not any("previewed.exe" in str(rule.get("query")) for rule in rules)


def test_a_preview_says_what_is_wrong_with_the_query(client):
    form = form_in(client.get("/rules/new").text) | {"query": "process where", "preview": "1"}
    text = unescape(client.post("/rules/new", data=form, headers=headers(client)).text)
    assert '<b class="mono">query</b>' in text
    assert "ends too early" in text


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": " "}, "name", "is missing"),
        ({"description": ""}, "description", "is missing"),
        ({"risk_score": "high"}, "risk_score", "is a whole number"),
        ({"risk_score": "101"}, "risk_score", "must be at most 100"),
        ({"interval": "sometimes"}, "interval", "sometimes"),
        ({"from": "yesterday"}, "from", "yesterday"),
        ({"threat": "T1105"}, "threat", "lacks the name of T1105"),
        ({"threat": "T1105 Ingress Tool Transfer"}, "threat", "before a tactic"),
        ({"threat": "persuasion"}, "threat", "has lines such as"),
        ({"severity_mapping": "event.severity: 99"}, "severity_mapping", "has lines such as"),
        ({"alert_suppression.duration": "long"}, "alert_suppression-duration", "is a span of time"),
        ({"alert_suppression.group_by": "a\nb\nc\nd"}, "alert_suppression-group_by", "is a list of 1 to 3 fields"),
        ({"filters": "{"}, "filters", "is no JSON"),
        ({"actions": '[{"id": "nowhere", "params": {}}]'}, "actions", "connector"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_its_field(client, change, field, words):
    form = form_in(client.get("/rules/new").text)
    form |= {"name": "x", "description": "y", "query": "any where true"} | change
    answer = client.post("/rules/new", data=form)
    assert answer.status_code == 400
    said = re.findall(rf'id="f-{field}-wrong">(.*?)</p>', answer.text, re.S)
    assert any(words in unescape(message) for message in said), said


@pytest.mark.parametrize("more", ["{", "[]", '{"a": ' + '{"b": ' * 400 + "1" + "}" * 401])
def test_other_members_are_a_json_object(client, more):
    form = form_in(client.get("/rules/new").text)
    answer = client.post("/rules/new", data=form | {"name": "x", "description": "y", "more": more})
    assert answer.status_code == 400
    assert "JSON" in answer.text or "nested too deep" in answer.text


def test_members_without_a_field_are_kept_and_changed_as_json(watched, client):
    rule = watched.rule(rule_id="members", meta={"from": "1h"}, timeline_id="t", timeline_title="T")
    form = form_in(client.get(f"/rules/{rule['id']}/edit").text)
    assert json.loads(form["more"])["meta"] == {"from": "1h"}
    more = json.dumps({"meta": {"from": "2h"}, "timeline_id": "t", "timeline_title": "U"})
    assert client.post(f"/rules/{rule['id']}/edit", data=form | {"more": more}).status_code == 303
    document = watched.http.get("/api/detection_engine/rules", params={"id": rule["id"]}).json()
    assert (document["meta"], document["timeline_title"]) == ({"from": "2h"}, "U")


def test_a_change_in_between_is_said_and_not_overwritten(watched, client):
    rule = watched.rule(rule_id="in-between")
    form = form_in(client.get(f"/rules/{rule['id']}/edit").text)
    watched.http.patch("/api/detection_engine/rules", json={"rule_id": "in-between", "severity": "high"})
    answer = client.post(f"/rules/{rule['id']}/edit", data=form | {"name": "Mine"})
    assert answer.status_code == 409
    assert "has changed this rule since" in answer.text
    assert form_in(answer.text)["name"] == "Mine"  # what was written is still there
    document = watched.http.get("/api/detection_engine/rules", params={"id": rule["id"]}).json()
    assert (document["name"], document["severity"]) == ("Bad process", "high")
    copied = client.post(f"/rules/{rule['id']}/edit", data=form | {"save_as": "1"})
    assert copied.status_code == 303
    id_ = copied.headers["location"].removeprefix("/rules/")
    copy = watched.http.get("/api/detection_engine/rules", params={"id": id_}).json()
    assert copy["name"] == "Bad process [Duplicate]"
    assert copy["rule_id"] != "in-between"


def test_a_rule_is_disabled_by_its_form(watched, client):
    rule = watched.rule(rule_id="disabled")
    form = form_in(client.get(f"/rules/{rule['id']}/edit").text)
    assert form.pop("enabled") == "on"
    assert client.post(f"/rules/{rule['id']}/edit", data=form).status_code == 303
    assert not watched.http.get("/api/detection_engine/rules", params={"id": rule["id"]}).json()["enabled"]


def test_rules_of_a_type_that_does_not_run_are_shown_alone(watched, client):
    learning = {"type": "machine_learning", "anomaly_threshold": 50, "machine_learning_job_id": "job"}
    body = {"name": "Learned", "description": "x", "risk_score": 1, "severity": "low", "rule_id": "ml", **learning}
    rule = watched.http.post("/api/detection_engine/rules", json=body).json()
    text = client.get(f"/rules/{rule['id']}/edit").text
    assert "machine_learning_job_id" in text
    assert 'name="save"' not in text


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_who_may_write_no_rules_is_refused(watched, name):
    rule = watched.http.get("/api/detection_engine/rules/_find").json()["data"][0]
    with watched.desk.logged_in(name) as client:
        for page in ("/rules/new", f"/rules/{rule['id']}/edit"):
            assert client.get(page).status_code == 403
            assert client.post(page, data={"csrf": "x"}).status_code == 403


def test_a_form_without_its_token_is_refused(client):
    form = form_in(client.get("/rules/new").text) | {"name": "x", "description": "y", "query": "any where true"}
    del form["csrf"]
    assert client.post("/rules/new", data=form).status_code == 403
    assert client.post("/rule-editor/check", data={"query": "x"}).status_code == 403
