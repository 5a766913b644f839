"""An alert beside its list: highlighted fields, all fields, JSON, rule, history and notes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.desk.conftest import token_of
from tests.desk.many_alerts import desk_with_alerts, raise_alerts

PART = {"hx-request": "true"}
HOSTILE = "<script>alert(1)</script>\u202egpj.exe"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desk_with_alerts(tmp_path_factory.mktemp("flyout"), 2) as desk:
        yield desk


@pytest.fixture
def analyst(desk):
    with desk.logged_in() as client:
        yield client


@pytest.fixture
def id_(desk):
    return desk.alerts[0]["kibana.alert.uuid"]


@pytest.mark.parametrize(
    ("tab", "shown"),
    [
        ("", ("Highlighted fields", "process.name", "cmd.exe /c echo", 'href="/rules/u"')),
        ("overview", ("Highlighted fields",)),
        ("unknown", ("Highlighted fields",)),
        ("table", ("kibana.alert.original_time", "process.pid", "data-filter-rows")),
        ("json", ("<pre", "&#34;kibana.alert.uuid&#34;: ")),
        ("history", ("Nobody has changed this alert yet.", "<textarea")),
    ],
)
def test_a_tab_is_shown_as_a_part_and_in_the_list_that_the_address_names(analyst, id_, tab, shown):
    part = analyst.get(f"/alerts/{id_}/flyout", params={"tab": tab}, headers=PART).text
    whole = analyst.get("/alerts", params={"from": "", "flyout": id_, "tab": tab}).text
    assert "<html" not in part
    assert "data-row" in whole
    for text in shown:
        assert text in part
        assert text in whole


def test_fields_that_the_rule_names_are_highlighted_first(desk, analyst):
    fields: Any = {"investigation_fields": {"field_names": ["process.pid", "nowhere"]}}
    (id_,) = raise_alerts(desk.running.service.records, 1, **{"kibana.alert.rule.parameters": fields})
    text = analyst.get(f"/alerts/{id_}/flyout", headers=PART).text
    names = [part.partition("<")[0] for part in text.split('<th scope="row">')[1:]]
    assert names[:3] == ["process.pid", "host.name", "user.name"]
    assert "nowhere" not in names


def test_without_scripts_a_tab_leads_to_the_list(analyst, id_):
    answer = analyst.get(f"/alerts/{id_}/flyout", params={"list": "/alerts?status=open", "tab": "json"})
    assert answer.headers["location"] == f"/alerts?status=open&flyout={id_}&tab=json"


def test_a_note_is_added_and_shown(desk, analyst, id_):
    form = {"csrf": token_of(analyst), "note": " looked\nat it ", "list": "/alerts?status=open"}
    assert "looked\nat it" in analyst.post(f"/alerts/{id_}/notes", data=form, headers=PART).text
    answer = analyst.post(f"/alerts/{id_}/notes", data=form)
    assert answer.headers["location"] == f"/alerts?status=open&flyout={id_}&tab=history"
    with desk.running.http() as client:
        body = {"query": {"ids": {"values": [id_]}}}
        hit = client.post("/.alerts-security.alerts-default/_search", json=body).json()["hits"]["hits"][0]
    assert [note["text"] for note in hit["_source"]["tocsin.notes"]] == ["looked\nat it"] * 2


@pytest.mark.parametrize(
    ("change", "status"), [({"note": "  "}, 400), ({"csrf": "no"}, 403), ({"note": "x" * 30_001}, 400)]
)
def test_a_note_that_cannot_be_added_is_refused(analyst, id_, change, status):
    form = {"csrf": token_of(analyst), "note": "a", **change}
    answer = analyst.post(f"/alerts/{id_}/notes", data=form)
    assert answer.status_code == status


def test_an_alert_that_is_not_there_is_said_so(analyst):
    form = {"csrf": token_of(analyst), "note": "a"}
    assert analyst.get("/alerts/nowhere/flyout", headers=PART).status_code == 404
    assert analyst.post("/alerts/nowhere/notes", data=form).status_code == 404
    assert "data-row" in analyst.get("/alerts?from=&flyout=nowhere").text


def test_a_viewer_reads_and_can_add_no_note(desk, id_):
    with desk.logged_in("viewer") as viewer:
        text = viewer.get(f"/alerts/{id_}/flyout?tab=history", headers=PART).text
        assert "<textarea" not in text
        assert viewer.post(f"/alerts/{id_}/notes", data={"csrf": token_of(viewer), "note": "a"}).status_code == 403


@pytest.mark.parametrize("tab", ["overview", "table", "json", "history"])
def test_what_an_event_says_does_no_harm(desk, analyst, tab):
    process = {"name": HOSTILE, "command_line": HOSTILE, "executable": "javascript:alert(1)"}
    (id_,) = raise_alerts(
        desk.running.service.records, 1, process=process, user={"name": HOSTILE}, host={"name": HOSTILE}
    )
    analyst.post(f"/alerts/{id_}/notes", data={"csrf": token_of(analyst), "note": HOSTILE})
    text = analyst.get(f"/alerts/{id_}/flyout", params={"tab": tab}, headers=PART).text
    assert "<script" not in text
    assert "\u202e" not in text.replace(orjson.dumps(HOSTILE).decode(), "")
    assert 'href="javascript:' not in text


@pytest.mark.parametrize("list_", ["https://example.com/alerts", "/login", "javascript:alert(1)"])
def test_another_address_is_no_list(analyst, id_, list_):
    text = analyst.get(f"/alerts/{id_}/flyout", params={"list": list_}, headers=PART).text
    assert list_ not in text
    assert quote(list_, safe="") not in text
