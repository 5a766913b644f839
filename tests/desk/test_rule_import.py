"""Import of rules in the desk: what would happen is shown first, and hostile files do no harm."""

from __future__ import annotations

import re
import uuid

import orjson
import pytest

from tests.desk.conftest import token_of
from tests.desk.test_rules import QUERY, document, posted, rule_in, saved

TOML = """
[metadata]
maturity = "production"
[rule]
rule_id = "{id}"
name = "Zzqq in TOML"
description = "What it finds"
risk_score = 21
severity = "low"
type = "eql"
language = "eql"
index = ["winlogbeat-*"]
query = '''{query}'''
"""


def sent(client, *files, action="look", headers=None, **fields):
    """Send files as the page's script does: each a name and its content."""
    parts = [("file", (name, content)) for name, content in files]
    given = {"x-csrf-token": token_of(client), "hx-request": "true"} if headers is None else headers
    return client.post("/rules/import", files=parts, data={"action": action, **fields}, headers=given)


def digest_of(answer):
    return re.findall(r'name="confirmed" value="(\w+)"', answer.text)[0]


def imported(client, *files, **fields):
    looked = sent(client, *files, **fields)
    return sent(client, *files, action="import", confirmed=digest_of(looked), **fields)


def ndjson(*documents):
    return "rules.ndjson", b"\n".join(map(orjson.dumps, documents))


def rules_of(client, text):
    return client.get("/rules", params={"q": text}).text.count("data-row")


def remove(client, text):
    ids = re.findall(r'name="id" value="([^"]+)"', client.get("/rules", params={"q": text}).text)
    posted(client, "/rules/action", action="delete", sure="1", id=ids)


@pytest.mark.parametrize("form", ["toml", "ndjson", "json", "json array"])
def test_what_would_happen_is_shown_before_anything_is_saved(desk, form):
    rule = document(name=f"Zzqq in {form}")
    rule["rule_id"] = str(uuid.uuid4())
    file = {
        "toml": ("rule.toml", TOML.format(id=rule["rule_id"], query=QUERY).encode()),
        "ndjson": ndjson(rule),
        "json": ("rule.json", orjson.dumps(rule, option=orjson.OPT_INDENT_2)),
        "json array": ("rules.json", orjson.dumps([rule])),
    }[form]
    with desk.logged_in("engineer") as client:
        looked = sent(client, file)
        assert "<b>1</b> rule is new" in looked.text
        assert rules_of(client, rule["rule_id"]) == 0
        assert "Rules: 1." in imported(client, file).text
        assert rules_of(client, rule["rule_id"]) == 1
        remove(client, rule["rule_id"])


def test_several_files_are_taken_together(desk):
    rules = [document(name=f"Zzqqmany {n}") for n in range(3)]
    files = [(f"{n}.json", orjson.dumps(rule)) for n, rule in enumerate(rules)]
    with desk.logged_in("engineer") as client:
        assert "Rules: 3." in imported(client, *files).text
        remove(client, "zzqqmany")


@pytest.mark.parametrize(("overwrite", "name"), [({}, "Zzqq before"), ({"overwrite": "1"}, "Zzqq after")])
def test_a_rule_that_is_there_is_compared_and_replaced_only_if_that_is_chosen(desk, overwrite, name):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq before") as id_:
        file = ndjson({**document(name="Zzqq after"), "rule_id": rule_in(client, id_)["rule_id"]})
        looked = sent(client, file)
        assert "<b>1</b> differs from a rule that is there" in looked.text
        assert "<mark>before</mark>" in looked.text
        assert "<mark>after</mark>" in looked.text
        answer = imported(client, file, **overwrite)
        assert rule_in(client, id_)["name"] == name
    assert ("Left as they were" in answer.text) == (not overwrite)


def test_a_rule_that_is_there_just_so_is_said_so(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        export = client.get(f"/rules/{id_}/export").content
        looked = sent(client, ("rules.ndjson", export))
    assert "<b>1</b> is there already, just so" in looked.text


def test_exceptions_in_the_file_come_along(desk):
    list_id, item_id = str(uuid.uuid4()), str(uuid.uuid4())
    reference = {"id": list_id, "list_id": list_id, "type": "detection", "namespace_type": "single"}
    about = {"description": "d", "namespace_type": "single"}
    rule = document(name="Zzqqexc", exceptions_list=[reference])
    file = ndjson(
        rule,
        {**about, "list_id": list_id, "name": "Zzqq list", "type": "detection"},
        {
            **about, "list_id": list_id, "item_id": item_id, "name": "Zzqq item", "type": "simple",
            "entries": [{"field": "user.name", "operator": "included", "type": "match", "value": "x"}],
        },
    )  # fmt: skip
    with desk.logged_in("engineer") as client:
        assert "exception lists: 1, exceptions: 1" in sent(client, file).text
        assert "exceptions: 1" in imported(client, file).text
        id_ = re.findall(r'name="id" value="([^"]+)"', client.get("/rules", params={"q": "zzqqexc"}).text)[0]
        assert ">1</a></dd>" in client.get(f"/rules/{id_}").text
        kinds = [orjson.loads(line) for line in client.get(f"/rules/{id_}/export").content.splitlines()]
        assert [item["item_id"] for item in kinds if "entries" in item] == [item_id]
        remove(client, "zzqqexc")


def test_only_files_that_were_looked_at_are_imported(desk):
    first, second = ndjson(document(name="Zzqqone")), ndjson(document(name="Zzqqtwo"))
    with desk.logged_in("engineer") as client:
        looked = sent(client, first)
        answer = sent(client, second, action="import", confirmed=digest_of(looked))
        assert "The files are others than those that were looked at" in answer.text
        assert sent(client, second, action="import").status_code == 200
        assert rules_of(client, "zzqqtwo") == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("rules.ndjson", b"{", "is no JSON"),
        ("rules.ndjson", b"[1]", "is no object"),
        ("rules.ndjson", b'{"a": 1}', "is no rule, exception list, exception or connector"),
        ("rules.ndjson", b"\xff\xfe\x00\x00garbage", "line 1"),
        ("rules.ndjson", orjson.dumps({"rule_id": "r", "name": "n"}), "Required"),
        ("rules.ndjson", orjson.dumps(document(query="process where (")), "query"),
        ("rules.ndjson", orjson.dumps(document(severity="<script>alert(1)</script>")), "severity"),
        ("rules.ndjson", orjson.dumps(document(threat="x")), "threat"),
        ("rules.ndjson", b'{"rule_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "depth limit"),
        ("rule.toml", b"[rule", "not valid TOML"),
        ("rule.toml", b"a = 1", "no rule in this file"),
        ("rule.toml", b"\xff\xff", "cannot be read"),
        ("rule.json", b"{}", "holds no rule"),
        ("rule.json", b"nonsense", "not valid JSON"),
        ("<script>alert(1)</script>.exe", b"MZ", "rules are in .toml, .ndjson and .json files"),
        ("../../../etc/passwd", b"root", "rules are in .toml"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_its_reason(desk, name, content, reason):
    with desk.logged_in("engineer") as client:
        looked = sent(client, (name, content))
    assert looked.status_code == 200
    assert "<b>1</b> is refused" in looked.text
    assert reason in looked.text
    assert "<script>alert" not in looked.text


def test_what_is_refused_stops_no_other(desk):
    good, bad = document(name="Zzqqgood"), document(name="Zzqqbad", query="process where (")
    with desk.logged_in("engineer") as client:
        answer = imported(client, ndjson(bad, good))
        assert "Rules: 1." in answer.text
        assert "Not taken in: 1." in answer.text
        assert (rules_of(client, "zzqqgood"), rules_of(client, "zzqqbad")) == (1, 0)
        remove(client, "zzqqgood")


def test_scripts_in_an_imported_rule_are_text(desk):
    script = "<script>alert(1)</script>"
    rule = document(name=f"Zzqqscript {script}", note=script, tags=[script], references=["javascript:alert(1)"])
    with desk.logged_in("engineer") as client:
        texts = [sent(client, ndjson(rule)).text, imported(client, ndjson(rule)).text]
        changed = {**rule, "note": f"{script} again", "name": 'Zzqqscript "><img src=x onerror=alert(1)>'}
        texts += [sent(client, ndjson(changed)).text, client.get("/rules").text]
        remove(client, "zzqqscript")
    assert not any("<script>alert" in text or "<img" in text or 'href="javascript' in text for text in texts)


def test_a_file_that_is_too_large_is_refused(desk):
    with desk.logged_in("engineer") as client:
        assert sent(client, ("rules.ndjson", b"x" * (11 << 20))).status_code == 413


def test_too_many_objects_are_refused(desk):
    with desk.logged_in("engineer") as client:
        answer = sent(client, ("rules.ndjson", b'{"a":1}\n' * 10_001))
    assert answer.status_code == 400
    assert "more than 10,000 objects" in answer.text


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_an_empty_file_is_said_to_be_empty(desk, content):
    with desk.logged_in("engineer") as client:
        assert "the files are empty" in sent(client, ("rules.ndjson", content)).text


def test_a_form_without_a_file_says_so(desk):
    with desk.logged_in("engineer") as client:
        headers = {"x-csrf-token": token_of(client), "hx-request": "true"}
        answer = client.post("/rules/import", data={"action": "look"}, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_who_may_not_change_rules_imports_none(desk, name):
    with desk.logged_in(name) as client:
        assert client.get("/rules/import").status_code == 403
        assert sent(client, ndjson(document(name="Zzqqnone"))).status_code == 403
        assert "/rules/import" not in client.get("/rules").text


def test_a_forged_import_is_refused(desk):
    with desk.logged_in("engineer") as client:
        assert sent(client, ndjson(document()), headers={"hx-request": "true"}).status_code == 403


def test_enabled_rules_are_enabled_only_if_that_is_chosen(desk):
    rule = document(name="Zzqqswitch")
    rule.pop("enabled")
    with desk.logged_in("engineer") as client:
        imported(client, ndjson(rule))
        assert rules_of(client, "zzqqswitch") == 1
        imported(client, ndjson(rule), enable="1", overwrite="1")
        text = client.get("/rules", params={"q": "zzqqswitch", "enabled": "yes"}).text
        assert text.count("data-row") == 1
        remove(client, "zzqqswitch")
