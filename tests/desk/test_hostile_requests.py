"""Requests that no page sends, and somebody who means harm does: each is answered, and none as a fault of ours."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.desk.conftest import token_of
from tests.desk.test_timeline_saved import event, saved_id  # noqa: F401  (a fixture)
from tocsin.desk.whole_numbers import read_whole_number

DEEP, LONG, MANY_DIGITS = "[" * 15_000, "a" * 15_000, "9" * 5_000


@pytest.fixture
def alert(desk):
    with desk.logged_in("viewer") as client:
        return re.findall(r"/alerts/([0-9a-f]{40})", client.get("/alerts?from=").text)[0]


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/alerts", {"after": DEEP}, 200),
        ("/alerts", {"before": '{"a":' * 3_000}, 200),
        ("/alerts", {"q": LONG}, 200),
        ("/alerts", {"q": f"message: {LONG}"}, 200),
        ("/alerts/{alert}/events", {"page": MANY_DIGITS}, 200),
        ("/alerts/{alert}/tree", {"page": MANY_DIGITS}, 200),
        ("/alerts/{alert}/exception", {"step": "0000019"}, 200),
        ("/alerts/{alert}/exception", {"step": MANY_DIGITS}, 200),
        ("/overview", {"since": "0001-01-01T00:00:00Z"}, 200),
        ("/rules", {"severity": "100%"}, 200),
        ("/rules", {"tag": "%(count)s %s"}, 200),
        ("/timeline", {"columns": DEEP}, 400),
        ("/timeline", {"q": LONG}, 200),
        ("/access/users/99999999999999999999", {}, 404),
        ("/access/users/-1", {}, 404),
    ],
)
def test_any_address_is_answered(desk, alert, path, parameters, status):
    with desk.logged_in("admin") as client:
        answer = client.get(path.format(alert=alert), params=parameters)
    assert answer.status_code == status, answer.text[-2_000:]


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/timeline☃", "/timeline%E2%98%83"),
        ("/a\x00b\x0b", "/a%00b%0B"),
        ("/a\r\nX-Evil: 1", "/aX-Evil:%201"),
        ("/%41?q=%C3%A4&x=[1]", "/%41?q=%C3%A4&x=[1]"),
        ("/\t/evil.example", "/alerts"),
    ],
)
def test_a_part_of_a_page_leads_on_to_any_address_of_the_desk(desk, back, leads_to):
    with desk.logged_in() as client:
        form = {"csrf": token_of(client), "token": "none", "back": back}
        answer = client.post("/alerts/undo", data=form, headers={"HX-Request": "true"})
    if answer.status_code == 303:  # to the list, which takes the part's place
        assert answer.headers["location"] == leads_to
    else:
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, leads_to)
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("at", [MANY_DIGITS, "99999999999999999999", "٣٣٣"])
def test_a_pin_with_no_moment_that_there_is_spoils_no_timeline(desk, event, at):  # noqa: F811
    with desk.logged_in() as client:
        key = event.partition(":")[2]
        form = {"csrf": token_of(client), "view": "/timeline?q=x", "event": f"{at}:{key}"}
        answer = client.post("/timeline/pins", data=form)
        assert saved_id(answer)
        assert "pinned-host" in client.get(answer.headers["location"]).text
        assert client.get("/timeline/saved").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"max_signals": "99999999999999999999"},
        {"risk_score": "99999999999999999999"},
        {"max_signals": MANY_DIGITS},
        {"filters": "[99999999999999999999]"},
        {"type": "threshold", "threshold": "1", "cardinality": f"host.name = {MANY_DIGITS}"},
        {"alert_suppression": f"{MANY_DIGITS}m"},
    ],
)
def test_a_rule_with_a_number_that_json_cannot_hold_is_refused_or_read_without_it(desk, given):
    rule = {
        "type": "query", "name": "Large", "description": "d", "query": "a: b", "index": "logs-*",
        "language": "kuery", "interval": "5m", "from": "now-6m", "severity": "low", "risk_score": "1",
    }  # fmt: skip
    with desk.logged_in("engineer") as client:
        answer = client.post("/rules/new", data={"csrf": token_of(client), **rule, **given})
    assert answer.status_code in (303, 400), answer.text[-2_000:]
    if answer.status_code == 400:
        assert "Large" in answer.text


def test_a_row_of_an_exception_with_any_number_is_no_fault(desk, alert):
    with desk.logged_in("engineer") as client:
        form = {
            "csrf": token_of(client), "name": "n", f"field-{MANY_DIGITS}": "host.name", "field-0": "host.name",
            "operator-0": "is_one_of", "value-0": DEEP,
        }  # fmt: skip
        answer = client.post(f"/alerts/{alert}/exception/preview", data=form, headers={"HX-Request": "true"})
    assert answer.status_code in (200, 400), answer.text[-2_000:]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("007", 7), ("100", 100), ("101", None), ("0100", None), ("", None), ("-1", None), ("1.0", None),
        ("٣", None), ("²", None), (" 1", None), (MANY_DIGITS, None),
    ],
)  # fmt: skip
def test_whole_numbers_are_read_up_to_the_largest_there_may_be(text, number):
    assert read_whole_number(text, 100) == number


def test_what_several_write_at_once_is_all_kept(desk):
    """Notes on a shared timeline and tags of a rule: each answer that says it is done is one."""
    number = 6
    with desk.logged_in() as client:
        form = {"csrf": token_of(client), "view": "/timeline?q=x", "name": "shared", "shared": "1"}
        timeline = saved_id(client.post("/timeline/save", data=form))
        rule = re.findall(r"/rules/([0-9a-f-]{36})", client.get("/rules").text)[0]

    def write(person: int) -> None:
        with desk.logged_in("admin") as client:
            csrf = token_of(client)
            for turn in range(number):
                name = f"by-{person}-{turn}"
                note = {"csrf": csrf, "view": f"/timeline?q=x&id={timeline}", "text": name}
                assert client.post("/timeline/notes", data=note).status_code == 303
                tags = {"csrf": csrf, "action": "add_tags", "tag": name, "id": rule}
                assert client.post("/rules/action", data=tags).status_code in (200, 303)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, range(3)))
    with desk.logged_in() as client:
        notes = client.get(f"/timeline?q=x&id={timeline}").text
        tags = client.get(f"/rules/{rule}").text
    names = [f"by-{person}-{turn}" for person in range(3) for turn in range(number)]
    assert [name for name in names if name not in notes] == []
    assert [name for name in names if name not in tags] == []


@pytest.mark.parametrize("last", ["9223372036854775807", "9223372036854775808", "9999999999999999999", "٣"])
def test_windows_that_no_rule_can_have_missed_are_no_fault(desk, last):
    with desk.logged_in("engineer") as client:
        rule = re.findall(r"/rules/([0-9a-f-]{36})", client.get("/rules").text)[0]
        form = {"csrf": token_of(client), "action": "fill_gaps", "first": "9223372036854775807", "last": last}
        answer = client.post(f"/rules/{rule}/action", data=form)
    assert answer.status_code in (303, 400), answer.text[-2_000:]
