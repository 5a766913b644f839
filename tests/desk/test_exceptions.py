"""Exceptions in the desk, over a real service: made from an alert, with what they would have hidden."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from tests.desk.conftest import token_of
from tests.desk.watched import watched_desk


def page_of(desk, alert) -> str:
    return f"/alerts/{alert['kibana.alert.uuid']}/exception"


def form_of(text: str) -> dict[str, str]:
    """Return what a browser would send of the page's form of conditions."""
    form = {}
    for name in re.findall(r'name="(use-\d+)" checked', text):
        form[name] = "on"
    for name, value in re.findall(r'name="(field-\d+)" value="([^"]*)"', text):
        form[name] = unescape(value)
    for name, value in re.findall(r'<textarea[^>]*name="(value-\d+)"[^>]*>\n(.*?)</textarea>', text, re.S):
        form[name] = unescape(value)
    for name, options in re.findall(r'<select name="(operator-\d+)"[^>]*>(.*?)</select>', text, re.S):
        form[name] = re.findall(r'value="(\w+)" selected', options)[0]
    form["name"] = unescape(re.findall(r'name="name" value="([^"]*)"', text)[0])
    return form


@pytest.fixture
def fetching(desk):
    """The alert of a program that was told to fetch a file."""
    return next(a for a in desk.alerts if "-DownloadFile" in str(a["process"].get("command_line")))


def test_conditions_are_proposed_from_the_event(desk, fetching):
    with desk.logged_in("engineer") as client:
        form = form_of(client.get(page_of(desk, fetching)).text)
    fields = {form[f"field-{name[4:]}"] for name in form if name.startswith("use-")}
    assert {"host.name", "user.name", "process.executable", "process.name"} <= fields
    # Any one of several arguments would do; the whole command line is narrower.
    assert "process.command_line" in fields
    assert "process.args" not in fields
    values = {form[f"field-{n}"]: form[f"value-{n}"] for n in range(40) if f"field-{n}" in form}
    assert values["host.name"] == fetching["host"]["name"]
    assert values["process.command_line"] == fetching["process"]["command_line"]


def test_an_exception_goes_back_to_the_list_that_its_alert_was_opened_from(desk, fetching):
    address = f"{page_of(desk, fetching)}?list=%2Falerts%3Fseverity%3Dmedium"
    with desk.logged_in("engineer") as client:
        text = client.get(address).text
        assert text.count("list=%2Falerts%3Fseverity%3Dmedium") >= 3  # the form, the way back, cancel
        assert "evil" not in client.get(f"{page_of(desk, fetching)}?list=https://evil.example/alerts").text


def test_the_preview_counts_the_alerts_that_would_have_been_hidden(desk, fetching):
    with desk.logged_in("engineer") as client:
        form = form_of(client.get(page_of(desk, fetching)).text) | {"csrf": token_of(client)}
        text = client.post(f"{page_of(desk, fetching)}/preview", data=form).text
        assert '<b class="big">1</b>' in text
        assert f'/alerts/{fetching["kibana.alert.uuid"]}"' in text
        assert "would come again" not in text
        number = next(n for n in range(40) if form.get(f"field-{n}") == "host.name")
        other = client.post(
            f"{page_of(desk, fetching)}/preview", data={**form, f"value-{number}": "elsewhere"}
        ).text
    assert '<b class="big">0</b>' in other
    assert "would come again" in other


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with watched_desk(tmp_path_factory.mktemp("watched")) as started:
        yield started


HOSTILE = "<script>alert(1)</script>\u202e\n\"'&"


def test_what_an_exception_hides_does_not_come_back(watched):
    rule = watched.rule()
    for host in ("ws-1", "ws-1", "ws-2"):
        watched.event(process={"name": "bad.exe", "command_line": f"bad.exe {HOSTILE}"}, host={"name": host})
    watched.run(rule)
    first = next(alert for alert in watched.alerts(rule) if alert["host"]["name"] == "ws-1")
    with watched.desk.logged_in("engineer") as client:
        address = f"/alerts/{first['_id']}/exception"
        text = client.get(address).text
        assert "<script>alert" not in text
        form = form_of(text) | {"csrf": token_of(client), "closes": "all", "comment": "built here"}
        command_line = next(n for n in range(40) if form.get(f"field-{n}") == "process.command_line")
        form[f"use-{command_line}"] = "on"
        form[f"value-{command_line}"] = form[f"value-{command_line}"].replace("\n", "\r\n")  # as browsers send it
        assert '<b class="big">2</b>' in client.post(f"{address}/preview", data=form).text
        answer = client.post(address, data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{first['_id']}")
        assert "The exception is saved" in client.get(f"/alerts/{first['_id']}").text
        assert "The exception is saved" not in client.get("/alerts?from=").text  # it is said once
    states = {a["_id"]: a["kibana.alert.workflow_status"] for a in watched.alerts(rule)}
    assert sorted(states.values()) == ["closed", "closed", "open"]
    assert states[first["_id"]] == "closed"
    for host in ("ws-1", "ws-2"):
        watched.event(process={"name": "bad.exe", "command_line": f"bad.exe {HOSTILE}"}, host={"name": host})
    watched.run(rule)
    assert sorted(alert["host"]["name"] for alert in watched.alerts(rule)) == ["ws-1", "ws-1", "ws-2", "ws-2"]


def test_an_exception_of_a_step_hides_the_sequence(watched):
    query = 'sequence [process where process.name == "first.exe"] [process where process.name == "second.exe"]'
    rule = watched.rule(rule_id="sequence", query=query)
    for name in ("first.exe", "second.exe"):
        watched.event(process={"name": name}, host={"name": "ws-3"})
    watched.run(rule)
    [alert] = watched.alerts(rule)
    with watched.desk.logged_in("engineer") as client:
        address = f"/alerts/{alert['_id']}/exception"
        form = form_of(client.get(address, params={"step": "1"}).text)
        assert "first.exe" in form.values()
        form |= {"csrf": token_of(client), "closes": "this"}
        text = client.post(f"{address}/preview", params={"step": "1"}, data=form).text
        assert '<b class="big">1</b>' in text
        assert "would come again" not in text
        assert client.post(address, params={"step": "1"}, data=form).status_code == 303
    for name in ("first.exe", "second.exe"):
        watched.event(process={"name": name}, host={"name": "ws-3"})
    watched.run(rule)
    assert len(watched.alerts(rule)) == 1


def test_a_shared_list_is_used_by_the_rule_from_then_on(watched):
    body = {"name": "Known builds", "description": "", "type": "detection", "list_id": "builds"}
    watched.http.post("/api/exception_lists", json=body).raise_for_status()
    rule = watched.rule(rule_id="shared", query='process where process.name == "shared.exe"')
    watched.event(process={"name": "shared.exe"}, host={"name": "ws-4"})
    watched.run(rule)
    [alert] = watched.alerts(rule)
    with watched.desk.logged_in("engineer") as client:
        address = f"/alerts/{alert['_id']}/exception"
        form = form_of(client.get(address).text) | {"csrf": token_of(client), "target": "builds"}
        assert client.post(address, data=form).status_code == 303
    document = watched.http.get("/api/detection_engine/rules", params={"id": rule["id"]}).json()
    assert [named["list_id"] for named in document["exceptions_list"]] == ["builds"]
    watched.event(process={"name": "shared.exe"}, host={"name": "ws-4"})
    watched.run(rule)
    assert len(watched.alerts(rule)) == 1


def test_a_condition_is_added_with_the_events_value(desk, fetching):
    with desk.logged_in("engineer") as client:
        form = form_of(client.get(page_of(desk, fetching)).text) | {"csrf": token_of(client)}
        given = {**form, "add": "process.pid", "add_condition": "1"}
        text = client.post(page_of(desk, fetching), data=given).text
    assert form_of(text)[f"field-{sum(name.startswith('field-') for name in form)}"] == "process.pid"
    assert f">\n{fetching['process']['pid']}</textarea>" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "the name has 1 to 250 characters"),
        ({"expires": "tomorrow"}, "the moment of expiry cannot be read"),
        ({"operator-0": "in_list"}, "choose a list of values"),
        ({"value-0": ""}, "the value is empty"),
        ({"operator-0": "resembles"}, "there is no operator"),
        ({"target": "nowhere"}, "does not exist"),
    ],
)
def test_what_cannot_be_saved_says_why(desk, fetching, change, words):
    with desk.logged_in("engineer") as client:
        form = form_of(client.get(page_of(desk, fetching)).text) | {"csrf": token_of(client)}
        answer = client.post(page_of(desk, fetching), data=form | change)
    assert answer.status_code in (400, 404)
    assert words in answer.text


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_who_may_write_no_rules_sees_no_link_and_is_refused(desk, fetching, name):
    with desk.logged_in(name) as client:
        assert "data-exception" not in client.get(f"/alerts/{fetching['kibana.alert.uuid']}").text
        assert client.get(page_of(desk, fetching)).status_code == 403
        form = {"csrf": token_of(client), "name": "x"}
        assert client.post(page_of(desk, fetching), data=form).status_code == 403


def test_a_forged_form_is_refused(desk, fetching):
    with desk.logged_in("engineer") as client:
        form = form_of(client.get(page_of(desk, fetching)).text)
        assert client.post(page_of(desk, fetching), data=form).status_code == 403
        assert client.post(page_of(desk, fetching), data=form | {"csrf": "x"}).status_code == 403


# ---- lists


def new_list(client, name: str) -> str:
    """Make a shared list, and return the address of its page."""
    answer = client.post("/exceptions", data={"csrf": token_of(client), "name": name, "description": "of builds"})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_list_is_made_filled_changed_and_removed(watched):
    with watched.desk.logged_in("engineer") as client:
        address = new_list(client, f"Tools {HOSTILE}")
        token = token_of(client)
        item = {
            "csrf": token, "name": "The build", "comment": "as agreed", "expires": "2090-01-01T10:00",
            "use-0": "on", "field-0": "host.name", "operator-0": "is_one_of", "value-0": "build-1\r\nbuild-2",
            "use-1": "on", "field-1": "process.name", "operator-1": "does_not_match", "value-1": "evil*",
            "field-2": "user.name", "operator-2": "is", "value-2": "not chosen",
        }  # fmt: skip
        assert client.post(f"{address}/items/new", data=item).status_code == 303
        text = client.get(address).text
        assert "<script>alert" not in text
        for said in ("The build", "build-1", "is one of", "does not match", "evil*", "as agreed", "2090-01-01"):
            assert said in text
        assert "not chosen" not in text
        (place,) = set(re.findall(rf'href="({re.escape(address)}/items/[0-9a-f-]+)"', text))
        form = client.get(place).text
        version = re.findall(r'name="version" value="([^"]+)"', form)[0]
        changed = item | {"name": "The builds", "comment": "", "version": version}
        assert client.post(place, data=changed).status_code == 303
        again = client.post(place, data=changed | {"name": "Overwritten"})
        assert again.status_code == 409
        assert "somebody else has changed this exception" in again.text
        assert "as agreed" in client.get(address).text  # comments stay
        assert "The builds" in client.get(address, params={"q": "BUILD-2"}).text
        assert "No exception of this list" in client.get(address, params={"q": "nothing"}).text
        exported = client.get(f"{address}/export")
        assert "attachment" in exported.headers["content-disposition"]
        assert [json.loads(line).get("name") for line in exported.text.splitlines()][1] == "The builds"
        assert client.post(f"{place}/remove", data={"csrf": token}).status_code == 303
        assert "This list has no exceptions" in client.get(address).text
        assert client.post(f"{address}/remove", data={"csrf": token}).headers["location"] == "/exceptions"
        assert client.get(address).status_code == 404


def test_a_list_says_how_many_alerts_each_exception_would_have_hidden(watched):
    rule = watched.rule(rule_id="counted", name="Counted", query='process where process.name == "counted.exe"')
    for host in ("ws-7", "ws-7", "ws-8"):
        watched.event(process={"name": "counted.exe"}, host={"name": host})
    watched.run(rule)
    alert = next(alert for alert in watched.alerts(rule) if alert["host"]["name"] == "ws-7")
    with watched.desk.logged_in("engineer") as client:
        address = f"/alerts/{alert['_id']}/exception"
        form = form_of(client.get(address).text) | {"csrf": token_of(client)}
        assert client.post(address, data=form).status_code == 303
        lists = client.get("/exceptions", params={"q": rule["name"]}).text
        [place] = re.findall(r'href="(/exceptions/[0-9a-f-]+)">Exceptions of Counted', lists)
    with watched.desk.logged_in("viewer") as client:
        text = client.get(place).text
        assert "Edit" not in text
        assert f"{place}/counts" in text
        assert re.findall(r">(\d+)</span>", client.get(f"{place}/counts").text) == ["2"]


def test_rules_come_to_use_a_shared_list_and_leave_it(watched):
    rule = watched.rule(rule_id="joining", name="Joins a list")
    with watched.desk.logged_in("engineer") as client:
        address, token = new_list(client, "Joined"), token_of(client)
        given = {"csrf": token, "rule": "Joins a list"}
        assert client.post(f"{address}/rules", data=given).status_code == 303
        assert f'href="/rules/{rule["id"]}"' in client.get(address).text
        assert client.post(f"{address}/rules", data=given | {"rule": rule["id"], "leave": "1"}).status_code == 303
        assert "used by no rule" in client.get(address).text
        assert client.post(f"{address}/rules", data=given | {"rule": "Nobody's"}).status_code == 404
    document = watched.http.get("/api/detection_engine/rules", params={"id": rule["id"]}).json()
    assert document["exceptions_list"] == []
    with watched.desk.logged_in("analyst") as client:
        given = {"csrf": token_of(client), "rule": rule["id"]}
        assert client.post(f"{address}/rules", data=given).status_code == 403


def test_exports_of_kibana_are_imported_and_what_is_refused_is_said(watched):
    lines = [
        {"list_id": "imported", "name": "Imported", "type": "detection", "description": ""},
        {"list_id": "imported", "item_id": "a", "name": "A", "type": "simple", "description": "",
         "entries": [{"field": "host.name", "operator": "included", "type": "match", "value": "ws-9"}]},
        {"list_id": "imported", "item_id": "b", "name": "B", "type": "simple", "description": "",
         "entries": [{"field": "host.name", "operator": "included", "type": "like", "value": HOSTILE}]},
    ]  # fmt: skip
    file = "\n".join(map(json.dumps, lines)).encode()
    with watched.desk.logged_in("engineer") as client:
        headers = {"x-csrf-token": token_of(client), "hx-request": "true"}
        files = {"file": ("lists.ndjson", file)}
        text = client.post("/exceptions/import", files=files, headers=headers).text
        assert "<b>1 list</b>, <b>1 exception</b>" in text
        assert "has the type `like`" in unescape(text)
        again = client.post("/exceptions/import", files=files, headers=headers).text
        assert "<b>0 lists</b>" in again
        replaced = client.post("/exceptions/import", files=files, headers=headers, data={"overwrite": "on"}).text
        assert "<b>1 list</b>" in replaced
        assert client.post("/exceptions/import", files=files).status_code == 403


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_lists_are_read_by_all_and_changed_by_those_who_may(watched, name):
    with watched.desk.logged_in("engineer") as client:
        address = new_list(client, "Of engineers")
    with watched.desk.logged_in(name) as client:
        for page in ("/exceptions", address):
            text = client.get(page).text
            assert text.count('method="post"') == 1  # to log out
        token = token_of_viewer(client)
        for change in ("/exceptions", address, f"{address}/remove", f"{address}/copy", f"{address}/items/new"):
            assert client.post(change, data={"csrf": token, "name": "x"}).status_code == 403


def token_of_viewer(client) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', client.get("/exceptions").text)[0])
