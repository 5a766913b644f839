"""The overview: what happened since somebody last looked, whose numbers lead to their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import pytest

from tests.desk.conftest import Desk, token_of
from tests.desk.test_source_health import SCRIPT
from tocsin.management import alerts
from tocsin.management.rules.saving import add_document
from tocsin.moments import datetime_nanoseconds, iso
from tocsin.scheduler.gaps import record_gap
from tocsin.store.records import access
from tocsin.store.records.access import Actor, local_actor
from tocsin.store.records.models import Execution

SEEN = re.compile(r'name="seen" value="([^"]+)"')
TILE = re.compile(r'<a href="([^"]+)"><b[^>]*>([\d,]+)</b> (.*?)</a>')


@pytest.fixture
def viewer(desk) -> Iterator[httpx.Client]:
    with desk.logged_in("viewer") as client:
        yield client


def shown(client: httpx.Client, since: str = "now-7d") -> str:
    answer = client.get("/overview", params={"since": since} if since else {})
    assert answer.status_code == 200, answer.text
    return answer.text


def tiles(page: str) -> dict[str, tuple[int, str]]:
    """Return the numbers at the top by what they count, each with the address that it leads to."""
    return {
        text: (int(number.replace(",", "")), unescape(address)) for address, number, text in TILE.findall(page)
    }


def test_every_number_of_alerts_leads_to_as_many_rows(desk, viewer) -> None:
    at_the_top = tiles(shown(viewer))
    assert at_the_top["new alerts"][0] >= len(desk.alerts)
    numbers = [tile for text, tile in at_the_top.items() if tile[1].startswith("/alerts?")]
    assert len(numbers) >= 3
    for number, address in numbers:
        listed = viewer.get(address).text
        assert f"<b>{number:,}</b> alert" in listed, (number, address)


def test_rules_are_listed_with_their_alerts_and_marked_where_they_had_raised_none_before(desk, viewer) -> None:
    page = shown(viewer)
    rule = desk.alerts[0]["kibana.alert.rule.name"]
    assert rule in unescape(page)
    assert "first time" in page
    assert "/alerts?from=" in page
    assert "host=" in page
    assert "No alert was raised in this time, by" in shown(viewer, "now")


def test_the_last_look_moves_when_the_visitor_says_so_and_only_then(desk) -> None:
    with desk.logged_in("engineer") as client:
        first = shown(client, "")
        assert "You have not said yet what you have seen" in first
        assert "You have not said yet what you have seen" in shown(client, "")
        moment = SEEN.findall(first)[0]
        answer = client.post("/overview/seen", data={"csrf": token_of(client), "seen": moment})
        assert (answer.status_code, answer.headers["location"]) == (303, "/overview")
        after = shown(client, "")
        assert "You have seen everything up to" in after
        assert "You have seen everything up to" in shown(client, "")
        assert tiles(after).get("new alerts", (0, ""))[0] <= tiles(first)["new alerts"][0]
    with desk.logged_in("admin") as client:
        assert "You have not said yet what you have seen" in shown(client, "")


@pytest.mark.parametrize(
    ("seen", "status"), [("", 400), ("soon", 400), ("2026-11-20T12:00:00", 400), ("2126-11-20T12:00:00Z", 400)]
)
def test_a_moment_that_is_none_or_to_come_is_refused(viewer, seen: str, status: int) -> None:
    assert viewer.post("/overview/seen", data={"csrf": token_of(viewer), "seen": seen}).status_code == status


def test_a_form_without_its_token_is_refused(viewer) -> None:
    assert viewer.post("/overview/seen", data={"seen": iso(datetime.now(UTC))}).status_code == 403


def test_a_time_that_cannot_be_read_is_said(viewer) -> None:
    answer = viewer.get("/overview", params={"since": SCRIPT})
    assert answer.status_code == 400
    assert SCRIPT not in answer.text


def test_rules_that_failed_and_gaps_are_told_with_what_they_said(desk, viewer) -> None:
    now = datetime.now(UTC)
    tick = datetime_nanoseconds(now)
    with desk.running.service.records.transaction() as session:
        document = {
            "name": f"Broken {SCRIPT}", "rule_id": "broken", "type": "query", "query": "*", "description": "d",
            "severity": "low", "risk_score": 1, "index": ["logs-*"], "enabled": False,
        }  # fmt: skip
        rule = add_document(session, local_actor("tests"), document)
        session.flush()
        execution = Execution(
            rule_uuid=rule.id, kind="scheduled", status="failed", first_tick=tick, last_tick=tick, ticks=3,
            started=now, late=0, window_start=tick, window_end=tick, events=0, matches=0, written=0, duplicates=0,
            suppressed=0, durations={}, messages=[f"it went wrong: {SCRIPT}"], uuid=None,
        )  # fmt: skip
        session.add(execution)
        record_gap(session, rule.id, tick, tick, "overload", 1)
    page = shown(viewer)
    assert "it still fails" in page
    assert f"it went wrong: {SCRIPT}" in unescape(page)
    assert "3 times" in page
    assert "too much was due" in page
    assert page.count(f"/rules/{rule.id}") == 2
    assert SCRIPT not in page


def analyst(desk: Desk) -> Actor:
    with desk.running.service.records.transaction() as session:
        return access.as_actor(access.find_user(session, "analyst"), "")


def test_who_closed_what_is_told(desk, viewer) -> None:
    id_ = desk.alerts[-1]["kibana.alert.uuid"]
    with desk.running.service.records.transaction() as session:
        alerts.set_status(session, analyst(desk), [id_], "closed", "benign_positive")
    page = shown(viewer)
    assert f"/alerts/{id_}" in page
    assert "by analyst, benign positive" in page
    address = unescape(re.findall(r'href="(/alerts\?[^"]*status_updated_at[^"]*)"', page)[0])
    assert "<b>0</b> alert" not in viewer.get(address).text
    with desk.running.service.records.transaction() as session:
        alerts.set_status(session, analyst(desk), [id_], "open")


def test_a_close_that_was_undone_is_no_close(desk, viewer) -> None:
    alert = desk.alerts[1]["kibana.alert.uuid"]
    named = f'<a href="/alerts/{alert}">'
    with desk.logged_in() as client:
        form = {"csrf": token_of(client), "id": alert}
        client.post("/alerts/status", data=form | {"status": "closed"})
        assert named in viewer.get("/overview").text.partition("Closed last")[2]
        client.post("/alerts/status", data=form | {"status": "open"})
        assert named not in viewer.get("/overview").text.partition("Closed last")[2]


def test_what_happened_before_is_not_told(desk, viewer) -> None:
    later = iso(datetime.now(UTC) + timedelta(minutes=1))
    page = shown(viewer, later)
    assert "Nobody changed an alert in this time." in page
    assert tiles(page)["new alerts"][0] == 0
