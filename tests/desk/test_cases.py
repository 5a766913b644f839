"""Cases on the desk: made from a selection, worked on, and what hostile values, other roles and forgers get."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.desk.conftest import token_of
from tests.desk.hostile import SCRIPT
from tests.desk.many_alerts import desk_with_alerts, raise_alerts

NUMBER = 1_003  # more than a case has
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with desk_with_alerts(tmp_path_factory.mktemp("cases"), NUMBER) as desk:
        yield desk


@pytest.fixture
def analyst(desk):
    with desk.logged_in() as client:
        yield client


def send(client, address, **data):
    return client.post(address, data={"csrf": token_of(client), **data})


def made(client, **data):
    """Make a case; return the address of its page."""
    answer = send(client, "/cases/new", **{"title": "A case", **data})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_case_is_made_of_what_is_selected_in_the_list(desk, analyst):
    ids = [alert["kibana.alert.uuid"] for alert in desk.alerts[:2]]
    form = send(analyst, "/cases/select", id=ids, back="/alerts?from=")
    assert form.status_code == 200
    assert "A case for 2 alerts" in form.text
    assert 'href="/alerts?from="' in form.text
    title = re.findall(r'name="title" value="([^"]*)"', form.text)[0]
    address = made(
        analyst, id=ids, title=title, severity="high", follow_up="2020-01-01T10:00", follow_up_note="ask"
    )
    text = analyst.get(address).text
    for id_ in ids:
        assert f'href="/alerts/{id_}"' in text
    assert "due" in text
    assert f'href="{address}"' in analyst.get(f"/alerts/{ids[0]}").text
    assert f'href="{address}"' in analyst.get("/overview").text
    assert f'href="{address}"' in analyst.get("/cases?due=1").text
    again = send(analyst, "/cases/new", id=ids[0], case=address.rpartition("/")[2])
    assert again.headers["location"] == address


def test_a_part_of_the_list_becomes_the_form(desk, analyst):
    id_ = desk.alerts[0]["kibana.alert.uuid"]
    headers = {"hx-request": "true", "x-csrf-token": token_of(analyst), "hx-current-url": f"{desk.url}/alerts?q=a"}
    form = analyst.post("/cases/select", data={"csrf": token_of(analyst), "id": id_}, headers=headers)
    assert "<html" not in form.text
    assert 'href="/alerts?q=a"' in form.text


def test_more_alerts_than_a_case_has_are_refused_in_clear_words(analyst):
    answer = send(analyst, "/cases/select", all="true", filter="from=", back="/alerts")
    assert answer.status_code == 400
    assert re.search("at most 1,000 alerts, and 1,0[0-9]{2} are selected", answer.text)


def test_what_is_known_of_the_same_values_is_shown_first(desk, analyst):
    records = desk.running.service.records
    first, second, third = raise_alerts(records, 3, destination={"domain": "evil.example"})
    (fourth,) = raise_alerts(records, 1, process={"command_line": "curl https://EVIL.example/a"})
    made(analyst, id=first, title="The other one")
    for id_, reason in ((third, "benign_positive"), (fourth, "true_positive")):
        send(analyst, "/alerts/status", id=id_, status="closed", reason=reason, back="/alerts")
    text = send(analyst, "/cases/select", id=second, back="/alerts").text
    known = text.partition('id="known-title"')[2].partition("Make a new case")[0]
    for part in ("The other one", "evil.example", "Benign positive", "True positive"):
        assert part in known


def test_the_work_of_a_case(analyst):
    address = made(analyst, title="Work")
    page = analyst.get(address).text
    assert "Isolate the hosts that are involved" in page  # the usual steps
    task = re.findall(r'name="task" value="([^"]+)"', page)[0]
    for part, data in {
        "tasks": {"do": "done", "task": task},
        "comments": {"do": "add", "text": "look @admin and @nobody"},
        "observables": {"do": "add", "type": "address", "value": "203.0.113.7"},
        "change": {"status": "in-progress"},
    }.items():
        answer = send(analyst, f"{address}/{part}", **data)
        assert answer.status_code == 303, answer.text
    page = analyst.get(address).text
    assert "mentions admin" in page
    assert 'value="not-done"' in page
    assert "203.0.113.7" in page
    assert "in progress" in page
    other = made(analyst, title="Other")
    assert send(analyst, f"{address}/merge", other=other.rpartition("/")[2]).headers["location"] == other
    assert "It was merged into" in analyst.get(address).text
    assert "look @admin" in analyst.get(other).text
    assert send(analyst, f"{address}/change", status="open").status_code == 400


def test_a_change_of_what_somebody_has_changed_meanwhile_is_refused(analyst):
    address = made(analyst, title="Both")
    revision = re.findall(r'name="revision" value="(\d+)"', analyst.get(address).text)[0]
    assert send(analyst, f"{address}/change", title="One", revision=revision).status_code == 303
    answer = send(analyst, f"{address}/change", title="Two", revision=revision)
    assert answer.status_code == 409
    assert "changed by analyst meanwhile" in answer.text


def test_the_list_asks_what_its_address_says(analyst):
    made(analyst, title="Needle", severity="critical", tags="x-ray, other", assignee="analyst")
    for query in (
        "q=needle",
        "severity=critical",
        "tag=x-ray",
        "assignee=me&q=needle",
        "sort=severity&order=desc",
    ):
        assert "Needle" in analyst.get(f"/cases?{query}").text, query
    for query in ("q=hay", "tag=x", "status=closed", "assignee=none&q=needle"):
        assert "Needle" not in analyst.get(f"/cases?{query}").text, query
    assert analyst.get("/cases?sort=password&order=up&page=-1&status=x&severity=y").status_code == 200


def test_evidence_of_other_pages_and_pictures(analyst):
    document = {"rows": [{"name": SCRIPT, "path": "C:\\" + "x" * 300_000}]}
    data = {"kind": "query_result", "title": SCRIPT[:80], "document": json.dumps(document), "case": "new"}
    address = send(analyst, "/cases/evidence", **data).headers["location"].partition("#")[0]
    headers = {"hx-request": "true", "x-csrf-token": token_of(analyst)}
    uploaded = analyst.post(f"{address}/pictures", files={"file": ("shot.png", PNG, "text/html")}, headers=headers)
    assert uploaded.headers["hx-redirect"] == f"{address}#evidence"
    page = analyst.get(address)
    assert SCRIPT not in page.text
    shown, picture = dict.fromkeys(re.findall(rf'"({address}/evidence/[^"/]+)"', page.text))
    assert SCRIPT not in analyst.get(shown).text
    answer = analyst.get(picture)
    assert answer.content == PNG
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert analyst.get(f"{shown}/file").json() == document


NO_EVIDENCE = {
    "no JSON": {"document": "{"},
    "a kind": {"kind": "gossip"},
    "no case": {"case": "999999"},
    "too much": {"document": json.dumps(["x" * 1_000_001])},
}


@pytest.mark.parametrize("data", NO_EVIDENCE.values(), ids=NO_EVIDENCE)
def test_what_is_no_evidence_is_refused(analyst, data):
    whole = {"kind": "note", "title": "t", "document": "{}", "case": "new", **data}
    assert send(analyst, "/cases/evidence", **whole).status_code in (400, 404)


def test_a_page_that_says_it_is_a_picture_is_none(analyst):
    address = made(analyst, title="Pictures")
    headers = {"hx-request": "true", "x-csrf-token": token_of(analyst)}
    svg = {"file": ("a.png", b"<svg onload=alert(1)>", "image/png")}
    assert analyst.post(f"{address}/pictures", files=svg, headers=headers).status_code == 400
    without = {"hx-request": "true"}
    assert analyst.post(f"{address}/pictures", files={"file": ("a.png", PNG)}, headers=without).status_code == 403


def test_hostile_values_stay_text(analyst):
    address = made(analyst, title=SCRIPT[:100], description=SCRIPT, tags=SCRIPT[:100], follow_up_note=SCRIPT)
    send(analyst, f"{address}/comments", do="add", text=SCRIPT)
    send(analyst, f"{address}/tasks", do="add", text=SCRIPT)
    send(analyst, f"{address}/observables", do="add", type="URL", value="javascript:alert(1)")
    for page in (address, "/cases?status=all", "/cases/new"):
        text = analyst.get(page).text
        assert "<script>document" not in text
        assert "<img src=x" not in text
        assert 'href="javascript:' not in text


POSTS = ("/cases/new", "/cases/select", "/cases/evidence", "/cases/timeline")
OF_CASE = ("change", "tasks", "comments", "alerts", "observables", "links", "merge", "remove")


def test_who_only_reads_changes_nothing_and_sees_no_button(desk, analyst):
    address = made(analyst, title="Mine")
    with desk.logged_in("viewer") as viewer:
        text = viewer.get(address).text
        assert "<form" not in text.partition("<main")[2].partition("</main>")[0]
        assert "New case" not in viewer.get("/cases").text
        assert viewer.get("/cases/new").status_code == 403
        for post in (*POSTS, *(f"{address}/{part}" for part in OF_CASE)):
            assert send(viewer, post, title="x", do="add").status_code == 403, post


def test_a_form_without_its_token_is_refused(analyst):
    address = made(analyst, title="Token")
    for post in (*POSTS, *(f"{address}/{part}" for part in OF_CASE)):
        assert analyst.post(post, data={"title": "x", "do": "add"}).status_code == 403, post


def test_only_an_administrator_removes_a_case(desk, analyst):
    address = made(analyst, title="Gone")
    assert send(analyst, f"{address}/remove").status_code == 403
    with desk.logged_in("admin") as admin:
        assert send(admin, f"{address}/remove").status_code == 303
    assert analyst.get(address).status_code == 404


def test_a_reminder_in_the_future_is_not_due(analyst):
    later = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    address = made(analyst, title="Later", follow_up=later)
    assert f'href="{address}"' not in analyst.get("/cases?due=1").text
    assert send(analyst, "/cases/new", title="x", follow_up="tomorrow").status_code == 400


def test_pinned_events_of_a_timeline_become_evidence(desk, analyst):
    view = {"name": "Line", "view": "/timeline?from=now-1h", "new": "1"}
    saved = send(analyst, "/timeline/save", **view).headers["location"]
    timeline = re.findall(r"id=([0-9a-f-]{36})", saved)[0]
    refused = send(analyst, "/cases/timeline", timeline=timeline, case="new")
    assert refused.status_code == 400
    assert "no pinned events" in refused.text


def test_a_case_is_handed_on_as_a_page_and_as_markdown(analyst):
    address = made(analyst, title=SCRIPT[:100])
    for ending, media_type in (("report", "text/html"), ("report.md", "text/markdown")):
        answer = analyst.get(f"{address}/{ending}")
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "<script>document" not in answer.text
