"""The list of alerts, and the page of one."""

from __future__ import annotations

import pytest

from tests.desk.conftest import token_of
from tocsin.desk.shown import visible


def test_open_alerts_are_listed_with_their_facets_and_their_histogram(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts").text
    for alert in desk.alerts:
        assert f'href="/alerts/{alert["kibana.alert.uuid"]}?list=' in text
    assert "<rect" in text
    for facet in ("Status", "Severity", "Rule", "Host", "User", "Tactic"):
        assert f">{facet}</h2>" in text


def test_a_facet_filters_and_its_own_counts_stay(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts", params={"host": "SRV-FILE01.corp.example.com"}).text
    assert text.count("data-row") == 1
    assert 'title="WS-0142.corp.example.com"' in text


@pytest.mark.parametrize("query", ["host.name: (", "unknown"])
def test_a_query_that_cannot_be_read_says_why(desk, query):
    with desk.logged_in() as client:
        answer = client.get("/alerts", params={"q": query})
    assert answer.status_code == 200
    assert ('class="problem"' in answer.text) == ("(" in query)


def test_what_nobody_has_counted_is_no_number_and_has_no_actions(desk):
    """A query that cannot be read finds nothing out: the page says where it is wrong, and no `0 alerts`."""
    with desk.logged_in() as client:
        text = client.get("/alerts", params={"q": "host.name: ("}).text
    problem = text.partition('<p class="problem"')[2].partition("</p>")[0]
    assert "Line 1, column 13: the query ends too early" in problem
    assert "\\n" not in problem
    assert "data-actions" not in text
    assert "<b>0</b>" not in text


@pytest.mark.parametrize(("host", "words"), [("SRV-FILE01*", "<b>1</b> alert<"), ("*", "<b>3</b> alerts<")])
def test_one_alert_is_no_alerts(desk, host, words):
    with desk.logged_in() as client:
        assert words in client.get("/alerts", params={"q": f"host.name: {host}"}).text


def test_the_usual_columns_tell_when_the_event_was(desk):
    """Alerts of one execution are raised at one moment: their events were not."""
    with desk.logged_in() as client:
        text = client.get("/alerts?from=").text
    assert "Time of the event" in text
    for alert in desk.alerts:
        assert alert["kibana.alert.original_time"][:19].replace("T", " ") in text


def test_groups_can_be_acted_on_as_a_whole(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts?from=&group=host").text
    assert "data-all" in text
    assert text.count("data-group") == 2


@pytest.mark.parametrize(("name", "sees"), [("viewer", False), ("analyst", True)])
def test_the_list_of_keys_has_those_that_do_something(desk, name, sees):
    with desk.logged_in(name) as client:
        keys = client.get("/alerts?from=").text.partition('<dl class="keys">')[2].partition("</dl>")[0]
    assert ("<dd>acknowledge</dd>" in keys) == sees
    assert "<kbd>j</kbd>" in keys
    assert "<dd>exception</dd>" not in keys  # exceptions are an engineer's


def test_whoever_makes_no_exceptions_sees_who_does(desk):
    address = f"/alerts/{desk.alerts[0]['kibana.alert.uuid']}"
    with desk.logged_in("analyst") as client:
        assert "Exceptions are made by the role Engineer" in client.get(address).text
    with desk.logged_in("engineer") as client:
        assert "Exceptions are made by" not in client.get(address).text


def test_kql_filters(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts", params={"q": "host.name: SRV-FILE01* and user.name: svc-*"}).text
    assert text.count("data-row") == 1


def test_an_alert_says_what_happened_and_shows_its_guide(desk):
    alert = desk.alerts[0]
    with desk.logged_in() as client:
        address = f"/alerts/{alert['kibana.alert.uuid']}"
        text = client.get(address).text
        fields = client.get(address, params={"show": "event"}).text
    assert alert["kibana.alert.rule.name"] in text
    assert "Triage and analysis" in text
    assert "process.command_line" in fields


def test_the_list_and_the_alert_say_who_did_what(desk):
    alert = next(one for one in desk.alerts if "-DownloadFile" in str(one["process"].get("command_line")))
    told = f"{alert['process']['name']} was told to fetch http"
    with desk.logged_in() as client:
        assert f">{told}" in client.get("/alerts?from=").text
        assert f'<p class="sentence">{told}' in client.get(f"/alerts/{alert['kibana.alert.uuid']}").text


def test_an_alert_that_is_not_there_is_said_so(desk):
    with desk.logged_in() as client:
        answer = client.get("/alerts/unknown")
    assert answer.status_code == 404
    assert "there is no alert unknown" in answer.text


def test_a_viewer_sees_no_button_and_may_change_nothing(desk):
    with desk.logged_in("viewer") as client:
        text = client.get("/alerts").text
        assert "data-actions" not in text
        ids = [alert["kibana.alert.uuid"] for alert in desk.alerts]
        answer = client.post("/alerts/status", data={"csrf": token_of(client), "status": "closed", "id": ids})
        assert answer.status_code == 403


def test_alerts_are_closed_with_a_reason_and_a_comment_and_reopened(desk):
    id_ = desk.alerts[0]["kibana.alert.uuid"]
    with desk.logged_in() as client:
        token = token_of(client)
        why = {"reason": "benign_positive", "comment": "a test of ours"}
        about = {"csrf": token, "id": id_, "status": "closed", **why}
        assert client.post("/alerts/status", data=about).status_code == 303
        text = client.get(f"/alerts/{id_}").text
        assert "Benign positive" in text
        assert "a test of ours" in text
        assert f"/alerts/{id_}" not in client.get("/alerts").text
        client.post("/alerts/status", data={"csrf": token, "id": id_, "status": "open"})
        assert f"/alerts/{id_}" in client.get("/alerts").text


@pytest.mark.parametrize(
    ("since", "until", "problem"),
    [
        ("now-1h", "", ""),
        ("2026-01-01T00:00:00Z", "now+1d", ""),
        ("", "", ""),
        ("yesterday", "", "the time cannot be read"),
        ("now-99999999999d", "", "the time cannot be read"),
        ("now", "tomorrow", "the time cannot be read"),
    ],
)
def test_a_list_has_a_time_that_can_be_read_or_says_so(desk, since, until, problem):
    with desk.logged_in() as client:
        answer = client.get("/alerts", params={"from": since, "to": until})
    assert answer.status_code == 200
    assert (problem in answer.text) if problem else ('class="problem"' not in answer.text)


@pytest.mark.parametrize("page", ["9" * 5_000, "0", "1e9", "-1", "\u0663", "\u00b2"])
def test_any_page_is_answered(desk, page):
    with desk.logged_in() as client:
        assert client.get("/alerts", params={"page": page}).status_code == 200


@pytest.mark.parametrize(
    "parameters",
    [{"host": [f"h{number}" for number in range(5_000)]}, {"host": "x" * 50_000}, {"q": "x" * 50_000}],
)
def test_a_list_with_more_filters_than_a_page_can_link_to_is_refused(desk, parameters):
    with desk.logged_in("viewer") as client:
        answer = client.get("/alerts", params=parameters)
    assert answer.status_code == 400
    assert "at most" in answer.text


def test_a_long_value_is_shown_with_its_beginning_and_its_end():
    assert visible("a" + "\u202e" * 900_000 + "z").startswith("a\\u202e")
    assert visible("a" + "\u202e" * 900_000 + "z").endswith("\\u202ez")
    assert len(visible("\u202e" * 900_000)) < 150_000
    assert visible(["a"] * 1_000).endswith("a, … and 500 more")
