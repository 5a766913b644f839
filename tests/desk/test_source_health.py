"""The page of sources: silent ones, rules without an index, rejected records, faults; whatever names hold."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape

import orjson
import pytest

from tests.desk.conftest import Desk
from tests.store.test_lake import NO_NUMBER, document
from tests.waiting import eventually
from tocsin.management.rules.saving import add_document
from tocsin.moments import datetime_nanoseconds
from tocsin.store.clock import ArrivalClock
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.records.access import local_actor

PATH = "/overview/sources"
SCRIPT = "<script>alert(1)</script>"


def shown(desk: Desk, path: str = PATH, user: str = "viewer") -> str:
    with desk.logged_in(user) as client:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


def send(desk: Desk, index: str, source: bytes) -> None:
    with desk.running.http() as http:
        body = orjson.dumps({"create": {"_index": index}}) + b"\n" + source + b"\n"
        answer = http.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.is_success, answer.text


def test_sources_are_shown_with_what_arrived_of_them(desk) -> None:
    send(desk, "logs-odd.thing-default", orjson.dumps({"@timestamp": datetime.now(UTC).isoformat(), "n": 1}))
    page = shown(desk)
    assert "logs-odd.thing-default" in page
    assert "/timeline?index=logs-odd.thing-default" in page
    assert "receiving" in page
    assert "No source is in this state" in shown(desk, f"{PATH}?state=empty")
    assert "logs-odd.thing-default" in shown(desk, f"{PATH}?state={SCRIPT}")
    assert "logs-odd.thing-default" in shown(desk, f"{PATH}?name=ODD.")
    assert "No source is in this state, with this name." in shown(desk, f"{PATH}?name={SCRIPT}")


def test_a_source_that_is_silent_says_since_when_and_what_is_usual(desk, tmp_path) -> None:
    for ago in (timedelta(hours=hours) for hours in (9, 8, 7, 6)):
        then = datetime.now(UTC) - ago
        clock = ArrivalClock(wall=partial(datetime_nanoseconds, then))
        with closing(LakeStore(tmp_path, clock=clock)) as store:
            store.add([document("logs-gone-default", time=then, n=n) for n in range(100)])
    whole = desk.running.service.store
    with closing(LakeStore(tmp_path)) as store:
        desk.running.service.store = store
        try:
            page = shown(desk, f"{PATH}?state=silent")
        finally:
            desk.running.service.store = whole
    assert "silent for 6 h" in page
    assert "usually 133/h" in page


def test_enabled_rules_that_see_no_index_are_listed_with_their_patterns(desk) -> None:
    with desk.running.service.records.transaction() as session:
        rule = {
            "name": f"Blind {SCRIPT}", "rule_id": "blind", "type": "query", "query": "*", "description": "d",
            "severity": "high", "risk_score": 70, "index": ["logs-nowhere-*", f"{SCRIPT}-*"], "enabled": True,
        }  # fmt: skip
        blind = add_document(session, local_actor("tests"), rule).id
    page = shown(desk)
    assert f"/rules/{blind}" in page
    assert "logs-nowhere-*" in page
    assert SCRIPT not in page
    assert f"Blind {SCRIPT}" in unescape(page)


@pytest.mark.parametrize("text", [SCRIPT, "\u202egnp.exe", "\x1b[31mred", "javascript:alert(1)"])
def test_rejected_records_are_shown_to_viewers_with_their_reason_and_nothing_hides_in_them(desk, text) -> None:
    send(desk, "logs-bad-default", orjson.dumps({"@timestamp": text, "message": text}))
    page = shown(desk)
    assert "document_parsing_exception" in page
    assert "is no date" in page
    assert SCRIPT not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert 'href="javascript:' not in page


def test_what_readyz_says_is_said_here_too(desk, tmp_path) -> None:
    whole = desk.running.service.store
    with closing(LakeStore(tmp_path, LakeSettings(flush_after=NO_NUMBER))) as store:
        store.add([document(n=1)])
        eventually(store.check)
        desk.running.service.store = store
        try:
            page = shown(desk)
        finally:
            desk.running.service.store = whole
    assert "the thread that writes the journal has ended" in page
    assert "The service is not ready" in page


def test_nobody_sees_it_without_logging_in(desk) -> None:
    with desk.browser() as client:
        answer = client.get(PATH)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Foverview%2Fsources")
