"""Hunts for indicators: where they were seen, as a hunt over files finds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tocsin.detection.compile import prepare
from tocsin.detection.hunt import Hunt
from tocsin.detection.hunt_indicators import indicator_reader
from tocsin.errors import InvalidError
from tocsin.response.reputation.indicator_hunt import (
    HuntProgress,
    compared,
    hunt_indicators,
    hunt_rule,
    rule_draft,
)
from tocsin.sources.batch import Rejects
from tocsin.sources.indicators import indicators_of
from tocsin.sources.inputs import find_inputs
from tocsin.sources.text_files import texts_of
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeStore

SHA256, OTHER = "ab" * 32, "cd" * 32
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def event(hours, host, **fields):
    moment = BEGIN + timedelta(hours=hours)
    return {
        "@timestamp": moment.isoformat().replace("+00:00", "Z"), "host": {"name": host},
        "event": {"category": ["process"], "type": ["start"]}, "ecs": {"version": "8.11.0"}, **fields,
    }  # fmt: skip


EVENTS = [
    event(0, "ws1", process={"name": "a.exe", "hash": {"sha256": SHA256}}),
    event(5, "ws1", process={"name": "a.exe", "hash": {"sha256": SHA256}}),
    event(900, "ws2", file={"hash": {"sha256": SHA256}}, destination={"ip": "::ffff:198.51.100.7"}),
    event(901, "ws3", process={"name": "b.exe", "hash": {"sha256": OTHER}}),
    event(902, "ws3", dns={"question": {"name": "cdn.evil.com"}, "resolved_ip": ["198.51.100.9", "198.51.100.7"]}),
    event(903, "ws4", url={"full": "http://evil.com/a?b=1"}, process={"command_line": f"certutil {SHA256}"}),
    {**event(904, "x", process={"hash": {"sha256": SHA256}}), "host": {}},
]
INDICATORS = f"{SHA256}\n198.51.100.7\ncdn.evil.com\nhttp://evil.com/a?b=1\nnever.evil.com\n"


def documents(text):
    return indicators_of(texts_of("pasted", text.encode())).documents


@pytest.fixture
def store(tmp_path):
    lake = LakeStore(tmp_path / "data")
    lines = [orjson.dumps(one) for one in EVENTS]
    times = [int(datetime.fromisoformat(one["@timestamp"]).timestamp()) * 10**9 for one in EVENTS]
    lake.add([Document("logs-x-default", at, line) for at, line in zip(times, lines, strict=True)])
    yield lake
    lake.close()


def seen(result):
    return [(s.host, s.event_field, s.value, s.count) for s in result.sightings]


SEEN = [
    ("", "process.hash.sha256", SHA256, 1),
    ("ws1", "process.hash.sha256", SHA256, 2),
    ("ws2", "destination.ip", "198.51.100.7", 1),
    ("ws2", "file.hash.sha256", SHA256, 1),
    ("ws3", "dns.resolved_ip", "198.51.100.7", 1),
    ("ws3", "dns.question.name", "cdn.evil.com", 1),
    ("ws4", "url.full", "http://evil.com/a?b=1", 1),
]


def test_every_host_and_all_time_are_hunted_through(store):
    result = hunt_indicators(store, documents(INDICATORS))
    assert sorted(seen(result)) == sorted(SEEN)
    assert (result.events, result.hosts) == (6, ["", "ws1", "ws2", "ws3", "ws4"])
    first = next(sighting for sighting in result.sightings if sighting.host == "ws1")
    assert (first.first, first.last) == ("2026-03-01T00:00:00.000Z", "2026-03-01T05:00:00.000Z")
    assert [index for index, _ in first.events] == ["logs-x-default"] * 2


def test_a_hunt_over_files_with_the_same_rule_finds_the_same(store, tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(orjson.dumps(one) for one in EVENTS))
    indicators = compared(documents(INDICATORS))
    ready, skipped = prepare([hunt_rule(indicators)], open_fields=True)
    assert skipped == []
    hunt = Hunt(ready, any_index=True, indicators=indicator_reader(indicators))
    report = hunt.run(find_inputs([str(file)]), Rejects())
    of_files = {
        (alert.value("host.name"), enrichment["matched"]["field"], enrichment["matched"]["atomic"])
        for alert in report.alerts
        for enrichment in alert.finding.about["threat.enrichments"]
    }
    of_store = {(s.host, s.event_field, s.value) for s in hunt_indicators(store, indicators).sightings}
    assert of_files == of_store
    assert len(report.alerts) == hunt_indicators(store, indicators).events


def test_progress_is_told_and_a_hunt_can_be_ended(store):
    told: list[HuntProgress] = []
    hunt_indicators(store, documents(INDICATORS), report=told.append)
    assert (told[-1].done, told[-1].sightings) == (told[-1].spans, len(SEEN))

    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    with pytest.raises(StoppedError):
        hunt_indicators(store, documents(INDICATORS), go_on=stop)


def test_what_is_not_compared_is_counted(store):
    result = hunt_indicators(store, documents(f"{SHA256}\nmail@evil.com\n"))
    assert result.skipped == {"value of a kind that events are not compared with": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mail@evil.com\n", "none of these indicators"),
        ("\n".join(f"h{n}.evil.com" for n in range(10_001)), "10,000"),
    ],
)
def test_what_cannot_be_hunted_for_is_said(store, text, message):
    with pytest.raises(InvalidError, match=message):
        hunt_indicators(store, documents(text))


def test_a_url_is_not_its_whole_domain(store):
    """`threat.indicator.url.domain` is beside each URL: GitHub is not bad because one page of it is."""
    assert seen(hunt_indicators(store, documents("https://cdn.evil.com/page\n"))) == []


def test_an_empty_store_has_seen_nothing(tmp_path):
    lake = LakeStore(tmp_path / "empty")
    assert hunt_indicators(lake, documents(INDICATORS)).sightings == []
    lake.close()


def test_the_rule_for_the_future_asks_for_the_list_by_its_name():
    draft = rule_draft("Seen again", 'case "7"', documents(INDICATORS))
    assert draft["threat_query"] == 'threat.feed.name: "case \\"7\\""'
    assert {entry["value"] for group in draft["threat_mapping"] for entry in group["entries"]} == {
        "threat.indicator.file.hash.sha256", "threat.indicator.ip", "threat.indicator.url.domain",
        "threat.indicator.url.full",
    }  # fmt: skip
