"""What is done with alerts of a list: many at once, said, and taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.desk.conftest import token_of
from tests.desk.many_alerts import desk_with_alerts, documents_of, raise_alerts
from tocsin.desk.alerts.undo_offers import ActionMessage, UndoOffers
from tocsin.management import alerts
from tocsin.store.records.models import AuditEntry

STATUS, REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"
TAGS, ASSIGNEES = "kibana.alert.workflow_tags", "kibana.alert.workflow_assignee_ids"
NUMBER = 1_203  # more than are changed in one transaction


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desk_with_alerts(tmp_path_factory.mktemp("actions"), NUMBER) as desk:
        yield desk


@pytest.fixture
def ids(desk):
    return [alert["kibana.alert.uuid"] for alert in desk.alerts]


@pytest.fixture
def analyst(desk):
    with desk.logged_in() as client:
        yield client


def send(client, address, **data):
    """Send a form as a browser without scripts; return the page that comes after it."""
    answer = client.post(address, data={"csrf": token_of(client), "back": "/alerts?from=", **data})
    assert answer.status_code == 303, answer.text
    return client.get(answer.headers["location"]).text


def undo(client, text):
    token = text.partition('name="token" value="')[2].partition('"')[0]
    return send(client, "/alerts/undo", token=token)


def documents(desk, ids):
    return documents_of(desk.running.service.records, ids)


def test_all_that_the_filter_finds_are_closed_and_undone(desk, ids, analyst):
    found = {
        "all": "true",
        "filter": "from=&status=open",
        "status": "closed",
        "reason": "duplicate",
        "comment": "no",
    }
    text = send(analyst, "/alerts/status", **found)
    assert f"Alerts closed: {NUMBER:,}." in text
    for document in documents(desk, ids):
        assert (document[STATUS], document[REASON]) == ("closed", "duplicate")
        assert [note["text"] for note in document["tocsin.notes"]] == ["no"]
    text = undo(analyst, text)
    assert f"Alerts that are again as they were: {NUMBER:,}." in text
    for document in documents(desk, ids):
        assert (document[STATUS], document.get(REASON), document.get("tocsin.notes")) == ("open", None, [])
    with desk.running.service.records.transaction() as session:
        actions = [entry.action for entry in session.scalars(select(AuditEntry))]
        assert actions.count("alerts.undo") == 3
        fields = [change.field for change in alerts.history(session, ids[-1])]
    assert fields == ["status", "reason", "note"] * 2


def test_of_all_those_stay_that_were_raised_since_the_list_was_shown(desk, ids, analyst):
    text = analyst.get("/alerts?from=&host=HOST-1").text
    seen = text.partition('name="seen" value="')[2].partition('"')[0]
    (new,) = raise_alerts(desk.running.service.records, 1, host={"name": "HOST-1"})
    form = {"all": "true", "filter": "from=&host=HOST-1", "seen": seen, "change": "add", "tags": "looked at, ours"}
    text = send(analyst, "/alerts/tags", **form)
    assert f"Alerts with other tags: {len(range(1, NUMBER, 7))}." in text
    assert documents(desk, [new])[0][TAGS] == []
    assert documents(desk, ids[-2:-1])[0][TAGS] == ["looked at", "ours"]
    undo(analyst, text)
    assert documents(desk, ids[-2:-1])[0][TAGS] == []


def test_tags_are_added_and_removed(desk, ids, analyst):
    send(analyst, "/alerts/tags", id=ids[:2], change="add", tags=" one ,two,, ")
    send(analyst, "/alerts/tags", id=ids[:1], change="remove", tag=["one"])
    assert [document[TAGS] for document in documents(desk, ids[:3])] == [["two"], ["one", "two"], []]
    send(analyst, "/alerts/tags", id=ids[:2], change="remove", tag=["one", "two"])


@pytest.mark.parametrize(
    ("form", "assigned"),
    [
        ({"change": "me"}, ["admin", "analyst"]),
        ({"change": "add", "user": ["engineer", "analyst"]}, ["admin", "engineer", "analyst"]),
        ({"change": "remove", "user": ["admin"]}, []),
        ({"change": "nobody"}, []),
    ],
)
def test_alerts_are_assigned(desk, ids, analyst, form, assigned):
    send(analyst, "/alerts/assignees", id=ids[:1], change="add", user="admin")
    send(analyst, "/alerts/assignees", id=ids[:1], **form)
    assert documents(desk, ids[:1])[0][ASSIGNEES] == assigned
    send(analyst, "/alerts/assignees", id=ids[:1], change="nobody")


@pytest.mark.parametrize(
    ("address", "form", "said"),
    [
        ("/alerts/status", {"status": "closed"}, "No alert is selected."),
        ("/alerts/status", {"status": "closed", "id": "nowhere"}, "There is no alert with the id nowhere."),
        (
            "/alerts/status",
            {"status": "open", "id": "<b>\u202e"},
            "There is no alert with the id &lt;b&gt;\\u202e.",
        ),
        (
            "/alerts/tags",
            {"tags": "a", "id": [f"n{number}" for number in range(9)]},
            "There are no alerts with the ids n0, n1, n2, n3, n4 and 4 more.",
        ),
        ("/alerts/tags", {"tags": " , ", "id": "nowhere"}, "No tag was given."),
        ("/alerts/assignees", {"change": "add", "id": "nowhere"}, "No user was chosen."),
        ("/alerts/undo", {"token": "of nobody"}, "It is too late to undo that"),
    ],
)
def test_what_cannot_be_done_is_said(analyst, address, form, said):
    assert said in send(analyst, address, **form)


def test_what_is_so_already_is_said(analyst, ids):
    text = send(analyst, "/alerts/status", id=ids[:1], status="open")
    assert "Nothing was changed" in text
    assert "data-undo" not in text


@pytest.mark.parametrize(
    ("address", "form", "reason"),
    [
        ("/alerts/status", {"status": "gone"}, "[status] is one of open, acknowledged, closed"),
        ("/alerts/assignees", {"change": "add", "user": "viewer"}, "alerts cannot be assigned to viewer"),
        ("/alerts/assignees", {"change": "add", "user": "<i>"}, "alerts cannot be assigned to &lt;i&gt;"),
        ("/alerts/tags", {"tags": "x" * 257}, "a tag has at most 256 characters"),
        ("/alerts/status", {"status": "closed", "comment": "x" * 30_001}, "a comment has at most 30,000"),
    ],
)
def test_a_form_that_no_page_sends_is_refused(analyst, ids, address, form, reason):
    answer = analyst.post(address, data={"csrf": token_of(analyst), "id": ids[0], **form})
    assert answer.status_code == 400
    assert reason in answer.text


@pytest.mark.parametrize("address", ["/alerts/status", "/alerts/tags", "/alerts/assignees", "/alerts/undo"])
def test_forms_without_their_token_and_those_of_viewers_are_refused(desk, analyst, ids, address):
    form = {"id": ids[:1], "status": "closed", "tags": "a", "change": "me", "token": "t"}
    assert analyst.post(address, data=form).status_code == 403
    with desk.logged_in("viewer") as viewer:
        assert viewer.post(address, data={"csrf": token_of(viewer), **form}).status_code == 403


def test_nobody_else_can_undo_a_change_and_it_can_be_undone_once(desk, analyst, ids):
    text = send(analyst, "/alerts/status", id=ids[:1], status="acknowledged")
    with desk.logged_in("engineer") as other:
        assert "It is too late" in undo(other, text)
    assert "again as they were: 1." in undo(analyst, text)
    assert "It is too late" in undo(analyst, text)


def test_what_a_colleague_has_changed_since_is_kept_and_said(desk, analyst, ids):
    text = send(analyst, "/alerts/status", id=ids[:2], status="closed")
    with desk.logged_in("engineer") as other:
        send(other, "/alerts/status", id=ids[:1], status="open")
        send(other, "/alerts/status", id=ids[:1], status="acknowledged")
    text = undo(analyst, text)
    assert "again as they were: 1." in text
    assert "somebody has changed since, and that keep it: 1." in text
    assert [document[STATUS] for document in documents(desk, ids[:2])] == ["acknowledged", "open"]
    send(analyst, "/alerts/status", id=ids[:1], status="open")


def test_an_offer_ends_by_its_time():
    now = [0.0]
    offers = UndoOffers(clock=lambda: now[0])
    token = offers.add("ann", ActionMessage(None)).token
    now[0] = 14.0
    assert offers.find("ann", token) is not None
    assert offers.find("bea", token) is None
    now[0] = 16.0
    assert offers.take("ann", token) is None


def test_of_one_person_the_last_offers_are_kept():
    offers = UndoOffers(clock=lambda: 0.0)
    tokens = [offers.add("ann", ActionMessage(None)).token for _ in range(25)]
    assert [offers.find("ann", token) is not None for token in tokens] == [False] * 5 + [True] * 20


def test_closing_on_its_page_goes_to_the_next_alert_of_the_list_and_undo_comes_back(analyst, ids):
    list_ = "/alerts?status=open"
    here = f"/alerts/{ids[4]}?list=%2Falerts%3Fstatus%3Dopen"
    form = {"csrf": token_of(analyst), "id": ids[4], "back": here, "list": list_, "status": "closed"}
    answer = analyst.post("/alerts/status", data=form)
    assert answer.headers["location"] == here.replace(ids[4], ids[5])
    text = analyst.get(answer.headers["location"]).text
    token = text.partition('name="token" value="')[2].partition('"')[0]
    answer = analyst.post("/alerts/undo", data={"csrf": form["csrf"], "token": token})
    assert answer.headers["location"] == here


def test_the_last_alert_of_a_list_leads_back_to_the_list(analyst, ids):
    form = {"csrf": token_of(analyst), "id": ids[4], "list": f"/alerts?q=kibana.alert.uuid:{ids[4]}"}
    answer = analyst.post("/alerts/status", data={**form, "status": "closed"})
    assert answer.headers["location"] == f"{form['list']}#alert-{ids[4]}"
    send(analyst, "/alerts/status", id=ids[4], status="open")


@pytest.mark.parametrize(
    "list_", ["", "https://example.com/alerts", "//example.com/alerts", "/login", "javascript:1"]
)
def test_another_address_is_no_list(analyst, ids, list_):
    form = {"csrf": token_of(analyst), "id": ids[4], "back": "/alerts", "list": list_, "status": "closed"}
    assert analyst.post("/alerts/status", data=form).headers["location"] == "/alerts"
    assert analyst.get(f"/alerts/{ids[4]}/next", params={"list": list_}).headers["location"].startswith("/alerts#")
    send(analyst, "/alerts/status", id=ids[4], status="open")


@pytest.mark.parametrize("sort", ["newest", "oldest", "risk"])
def test_a_list_is_walked_through_from_alert_to_alert(analyst, sort):
    list_ = f"/alerts?host=HOST-3&sort={sort}"
    text = analyst.get(list_).text
    in_order = [part.partition('"')[0] for part in text.split('id="alert-')[1:4]]
    walked = in_order[:1]
    for _ in in_order[1:]:
        location = analyst.get(f"/alerts/{walked[-1]}/next", params={"list": list_}).headers["location"]
        walked.append(location.removeprefix("/alerts/").partition("?")[0])
    assert walked == in_order
    location = analyst.get(f"/alerts/{walked[1]}/previous", params={"list": list_}).headers["location"]
    assert location.startswith(f"/alerts/{walked[0]}?list=")
    location = analyst.get(f"/alerts/{walked[0]}/previous", params={"list": list_}).headers["location"]
    assert location == f"{list_}#alert-{walked[0]}"


@pytest.mark.parametrize("step", [0, 1_000])  # nanoseconds: what is sorted by has milliseconds
def test_alerts_of_one_moment_are_walked_through(desk, analyst, step):
    host = f"SAME-{step}"
    ids = raise_alerts(desk.running.service.records, 5, step=step, host={"name": host})
    list_ = f"/alerts?host={host}"
    walked = [analyst.get(list_).text.partition('id="alert-')[2].partition('"')[0]]
    while "list=" in (at := analyst.get(f"/alerts/{walked[-1]}/next", params={"list": list_}).headers["location"]):
        walked.append(at.removeprefix("/alerts/").partition("?")[0])
    assert sorted(walked) == sorted(ids)


def test_a_page_behind_the_last_one_shows_the_last_one(analyst):
    text = analyst.get("/alerts?host=HOST-3&page=99").text
    assert "data-row" in text
