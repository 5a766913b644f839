"""The response's pages over HTTP: preparing, confirming, the second person, connectors, and who sees what."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.desk.conftest import token_of
from tests.response.host_actions.receivers import Receiver, Reply
from tests.waiting import eventually

SECRET = "a secret of more than 24 bytes"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver(lambda _: Reply(document={"state": "succeeded", "detail": f"done {HOSTILE}"})) as started:
        yield started


@pytest.fixture(scope="module")
def connector(desk, receiver):
    """A webhook that an administrator has added on the page for that."""
    with desk.logged_in("admin") as client:
        data = {
            "csrf": token_of(client), "type": "webhook", "name": "the webhook", "setting.url": receiver.url,
            "setting.secret": SECRET,
        }  # fmt: skip
        assert client.post("/response/connectors", data=data).headers["location"].endswith("done=added")
        [id_] = re.findall(r'data-href="/response/connectors/([^"]+)"', client.get("/response/connectors").text)
    return id_


def prepared(connector, **more):
    return {"action": "isolate", "host": "ws-1", "connector": connector, "comment": HOSTILE, **more}


def confirmed(client, connector, confirmation="ws-1", **more):
    data = {**prepared(connector, **more), "csrf": token_of(client), "confirmation": confirmation}
    return client.post("/response/new", data=data)


def set_four_eyes(desk, *kinds):
    with desk.logged_in("admin") as client:
        names = re.findall(r'name="scope\.([a-z_]+)"', client.get("/response/connectors").text)
        data = {f"scope.{name}": "respond" for name in names} | {f"four_eyes.{kind}": "yes" for kind in kinds}
        assert client.post("/response/policies", data={**data, "csrf": token_of(client)}).status_code == 303


@pytest.fixture
def four_eyes(desk, connector):
    set_four_eyes(desk, "isolate")
    yield
    set_four_eyes(desk)


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(desk, connector, receiver):
    before = len(receiver.requests)
    with desk.logged_in() as client:
        text = client.get("/response/new", params=prepared(connector)).text
    assert "&#34;action&#34;: &#34;isolate&#34;" in text
    assert "Type ws-1 to confirm it" in text
    assert HOSTILE not in text
    assert SECRET not in text
    assert len(receiver.requests) == before


def test_an_action_is_confirmed_by_the_name_of_its_host(desk, connector, receiver):
    with desk.logged_in() as client:
        refused = confirmed(client, connector, "ws-2")
        assert (refused.status_code, "nothing has been sent" in refused.text) == (400, True)
        address = confirmed(client, connector, "WS-1").headers["location"]
        eventually(lambda: "succeeded" in client.get(address).text)
        assert HOSTILE not in client.get(address).text
        assert client.get("/response").text.count(address) == 2
        undone = client.post(f"{address}/undo", data={"csrf": token_of(client)}).headers["location"]
        eventually(lambda: "succeeded" in client.get(undone).text)
        assert "undone" in client.get(address).text
    assert [request.json["action"] for request in receiver.requests[-2:]] == ["isolate", "release"]


def test_a_second_person_approves_and_is_told_so(desk, connector, receiver, four_eyes):
    with desk.logged_in() as asks, desk.logged_in("engineer") as approves:
        address = confirmed(asks, connector, host="ws-7", confirmation="ws-7").headers["location"]
        eventually(lambda: "waiting-count" in approves.get("/alerts").text)
        assert "waiting-count" not in asks.get("/alerts").text
        assert "Waiting for your approval" in approves.get("/response").text
        own = asks.post(f"{address}/approve", data={"csrf": token_of(asks), "confirmation": "ws-7"})
        assert "four eyes" in own.text
        data = {"csrf": token_of(approves)}
        wrong = approves.post(f"{address}/approve", data={**data, "confirmation": "ws"})
        assert wrong.status_code == 400
        assert not [one for one in receiver.requests if one.json["host"]["name"] == "ws-7"]
        assert approves.post(f"{address}/approve", data={**data, "confirmation": "ws-7"}).status_code == 303
        eventually(lambda: "succeeded" in asks.get(address).text)
    [sent] = [one.json for one in receiver.requests if one.json["host"]["name"] == "ws-7"]
    assert (sent["requested_by"], sent["approved_by"]) == ("analyst", "engineer")


def test_a_viewer_sees_actions_and_no_way_to_ask_for_one(desk, connector):
    with desk.logged_in("viewer") as client:
        text = client.get("/response").text
        assert "/response/new" not in text
        assert client.get("/response/new").status_code == 403
        assert confirmed(client, connector).status_code == 403
        alert = desk.alerts[0]["kibana.alert.uuid"]
        assert "/response/new" not in client.get(f"/alerts/{alert}").text


@pytest.mark.parametrize("name", ["viewer", "analyst", "engineer"])
def test_connectors_are_for_administrators(desk, connector, name):
    with desk.logged_in(name) as client:
        assert client.get("/response/connectors").status_code == 403
        data = {"csrf": token_of(client), "do": "remove"}
        assert client.post(f"/response/connectors/{connector}", data=data).status_code == 403
        assert client.post("/response/policies", data=data).status_code == 403


@pytest.mark.parametrize("path", ["/response/new", "/response/actions/x/approve", "/response/connectors"])
def test_forms_of_strangers_are_refused(desk, connector, path):
    with desk.logged_in("admin") as client:
        assert client.post(path, data=prepared(connector, confirmation="ws-1")).status_code == 403


def test_secrets_are_never_given_back(desk, connector):
    with desk.logged_in("admin") as client:
        page = client.get(f"/response/connectors/{connector}").text
        assert SECRET not in page
        data = {"csrf": token_of(client), "do": "change", "name": "the webhook", "enabled": "yes"}
        elsewhere = {**data, "setting.url": "https://elsewhere.example"}
        refused = client.post(f"/response/connectors/{connector}", data=elsewhere)
        assert "[secret] is needed" in refused.text  # it belongs to the address that it was given with
        tried = client.post(f"/response/connectors/{connector}", data={"csrf": data["csrf"], "do": "try"})
        assert "the webhook has answered" in tried.text


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"action": "explode"}, 200), ({"action": "isolate", "host": HOSTILE, "connector": "x" * 500}, 200),
        ({"action": "kill_process", "pid": "9" * 5_000, "connector": "x"}, 200),
        ({"action": "block_indicator", "value": "javascript:alert(1)", "type": "url"}, 200),
        ({"lives": "-1", "action": "isolate"}, 200),
    ],
)  # fmt: skip
def test_any_address_is_answered_and_nothing_of_it_runs(desk, connector, parameters, status):
    with desk.logged_in() as client:
        answer = client.get("/response/new", params=parameters)
        assert answer.status_code == status
        assert HOSTILE not in answer.text
        assert 'href="javascript' not in answer.text
        for path in ("/response?before=never&state=%00", "/response/actions/nothing"):
            assert client.get(path).status_code in (200, 404)


def test_an_alert_leads_to_its_actions(desk, connector):
    alert = next(alert for alert in desk.alerts if "entity_id" in alert["process"])
    address = f"/alerts/{alert['kibana.alert.uuid']}"
    with desk.logged_in() as client:
        assert "/response/new?action=isolate" in client.get(address).text
        process = client.get(f"{address}/events?show=process").text
        assert "/response/new?action=kill_process" in process
        for panel, action in (("host", "isolate"), ("user", "disable_account")):
            text = client.get(f"{address}/events?show={panel}").text
            assert f"/response/new?action={action}" in text


def test_an_engineer_switches_an_action_of_a_rule_on_and_off(desk, connector):
    alert = desk.alerts[0]
    with desk.logged_in("analyst") as client:
        assert client.get("/response/automatic").status_code == 403
    with desk.logged_in("engineer") as client:
        data = {
            "csrf": token_of(client), "rule": alert["kibana.alert.rule.uuid"], "action": "isolate",
            "connector": connector, "ceiling": "2", "lives": "3600",
        }  # fmt: skip
        assert client.post("/response/automatic", data={**data, "ceiling": "0"}).status_code == 400
        assert client.post("/response/automatic", data=data).status_code == 303
        text = client.get("/response/automatic").text
        [id_] = re.findall(r'name="id" value="([^"]+)"', text)
        off = client.post("/response/automatic/off", data={"csrf": data["csrf"], "id": id_})
        assert off.status_code == 303
        assert 'name="id"' not in client.get("/response/automatic").text
