"""Investigate blocks as queries for one alert.

What Kibana asks is in its repository: `index.tsx` and `use_insight_data_providers.ts` of
`markdown_editor/plugins/insight`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tocsin.investigation.guides.alert_queries import AlertQuery, alert_query
from tocsin.investigation.guides.guide_blocks import InvestigateBlock, Provider

ALERT = {
    "@timestamp": "2026-11-27T09:41:07.123Z",
    "kibana.alert.original_time": "2026-11-27T09:40:00.000Z",
    "user.id": "S-1-5-21-1",
    "host.ip": ["10.0.0.1", "10.0.0.2"],
    "process.pid": 5544,
    "user.name": 'a"\\b',
}


def phrase(field: str, value: Any) -> dict[str, Any]:
    return {"match_phrase": {field: value}}


def asked(*groups: tuple[Provider, ...], since: str = "", until: str = "") -> AlertQuery:
    return alert_query(InvestigateBlock(0, "", "", groups, since, until), ALERT)


@pytest.mark.parametrize(
    ("provider", "query", "kql"),
    [
        (Provider("user.id", "{{user.id}}"), phrase("user.id", "S-1-5-21-1"), 'user.id: "S-1-5-21-1"'),
        (Provider("user.name", "{{ user.name }}"), phrase("user.name", 'a"\\b'), 'user.name: "a\\"\\\\b"'),
        (Provider("x", "{{user.id}}-{{process.pid}}"), phrase("x", "S-1-5-21-1-5544"), 'x: "S-1-5-21-1-5544"'),
        (Provider("event.code", "4624", value_type="number"), phrase("event.code", 4624), "event.code: 4624"),
        (Provider("a", "x", value_type="number"), phrase("a", "x"), 'a: "x"'),
        (Provider("a", "true", value_type="boolean"), phrase("a", True), "a: true"),
        (Provider("a", query_type="exists"), {"exists": {"field": "a"}}, "a: *"),
        (
            Provider("a", {"gte": "{{process.pid}}", "lt": 9}, query_type="range"),
            {"range": {"a": {"gte": 5544, "lt": 9}}},
            "(a >= 5544 and a < 9)",
        ),
    ],
)  # fmt: skip
def test_filters_become_tests(provider: Provider, query: dict[str, Any], kql: str) -> None:
    found = asked((provider,))
    assert found.query == {"bool": {"filter": [query]}}
    assert (found.kql, found.missing, found.spans) == (kql, (), ())


@pytest.mark.parametrize(
    "provider",
    [Provider("source.ip", "{{host.ip}}"), Provider("source.ip", ["10.0.0.1", "10.0.0.2"], query_type="phrases")],
)
def test_one_of_several_values_is_enough(provider: Provider) -> None:
    found = asked((provider,))
    assert found.kql == 'source.ip: ("10.0.0.1" or "10.0.0.2")'
    assert found.query is not None
    (test,) = found.query["bool"]["filter"]
    assert [one["match_phrase"]["source.ip"] for one in test["bool"]["should"]] == ["10.0.0.1", "10.0.0.2"]


def test_groups_are_joined_by_or_and_filters_by_and() -> None:
    found = asked(
        (Provider("a", "1"), Provider("b", "2", excluded=True)),
        (Provider("c", "3"),),
    )
    assert found.kql == '(a: "1" and not b: "2") or (c: "3")'
    assert found.query == {
        "bool": {
            "filter": [
                {
                    "bool": {
                        "should": [
                            {"bool": {"filter": [phrase("a", "1")], "must_not": [phrase("b", "2")]}},
                            {"bool": {"filter": [phrase("c", "3")]}},
                        ],
                        "minimum_should_match": 1,
                    }
                }
            ]
        }
    }  # fmt: skip


@pytest.mark.parametrize("excluded", [False, True])
def test_a_group_that_needs_what_the_alert_lacks_is_met_by_nothing(excluded: bool) -> None:
    lacking = (Provider("event.kind", "signal"), Provider("a", "{{dns.question.name}}", excluded=excluded))
    alone = asked(lacking)
    assert (alone.query, alone.missing) == (None, ("dns.question.name",))
    beside = asked(lacking, (Provider("user.id", "{{user.id}}"),))
    assert beside.query == {"bool": {"filter": [{"match_phrase": {"user.id": "S-1-5-21-1"}}]}}
    assert beside.missing == ("dns.question.name",)


@pytest.mark.parametrize(
    ("since", "until", "spans"),
    [
        ("now-48h/h", "now", [("2026-11-25T09:00:00", "2026-11-27T09:41:07.123000")]),
        ("now-1d/d", "now/d", [("2026-11-26T00:00:00", "2026-11-27T23:59:59.999999")]),
        ("now-1h", "", [("2026-11-27T08:41:07.123000", "2026-11-27T09:41:07.123000")]),
        ("now", "now", [
            ("2026-11-27T09:40:00", "2026-11-27T09:40:00"),
            ("2026-11-27T09:41:07.123000", "2026-11-27T09:41:07.123000"),
        ]),
        ("", "", []),
    ],
)  # fmt: skip
def test_times_lie_around_the_alert_and_around_an_event_elsewhere(
    since: str, until: str, spans: list[tuple[str, str]]
) -> None:
    found = asked((Provider("a", "1"),), since=since, until=until)
    assert [(s.start.isoformat()[:-6], s.end.isoformat()[:-6]) for s in found.spans if s.start and s.end] == spans
    assert found.query is not None
    assert len(found.query["bool"]["filter"]) == 1 + bool(spans)
