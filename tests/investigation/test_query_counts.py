"""Counts of a guide's queries: few searches, each with what its queries have in common outermost."""

from __future__ import annotations

from tocsin.investigation.guides.alert_queries import SIGNAL, AlertQuery, alert_query
from tocsin.investigation.guides.guide_blocks import InvestigateBlock, Provider
from tocsin.investigation.guides.query_counts import count_searches

ALERT = {"@timestamp": "2026-11-27T09:41:07.123Z", "host.id": "h"}
HOST, KIND = Provider("host.id", "{{host.id}}"), Provider("event.kind", "signal")


def asked(*providers: Provider, since: str = "") -> AlertQuery:
    return alert_query(InvestigateBlock(0, "", "", (providers,), since, "now" if since else ""), ALERT)


def test_alerts_are_counted_together_and_events_by_their_times() -> None:
    queries = {
        0: asked(HOST, KIND, since="now-48h/h"),
        1: asked(KIND),
        2: asked(HOST, since="now-1h"),
        3: asked(HOST, Provider("event.category", "network"), since="now-2h"),
        4: asked(HOST),
        5: asked(Provider("a", "{{not.there}}")),
    }
    alerts, spanned, alone = count_searches(queries)
    assert [set(search.queries) for search in (alerts, spanned, alone)] == [{0, 1}, {2, 3}, {4}]
    assert alerts.body["query"] == {"bool": {"filter": [SIGNAL]}}
    bounds = {"gte": "2026-11-27T07:41:07.123000+00:00", "lt": "2026-11-27T09:41:07.124000+00:00"}
    assert spanned.body["query"] == {"bool": {"filter": [{"range": {"@timestamp": bounds}}]}}
    assert alone.body["query"] == {"bool": {"filter": [queries[4].query]}}
    answer = {"aggregations": {"2": {"doc_count": 7}, "3": {"doc_count": 0}}}
    assert spanned.counts(answer) == {2: 7, 3: 0}


def test_nothing_is_asked_where_nothing_can_be_found() -> None:
    assert count_searches({0: asked(Provider("a", "{{not.there}}"))}) == []
