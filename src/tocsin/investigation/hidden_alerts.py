"""Which alerts exceptions would have hidden: an alert of a sequence is hidden when one of its events is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tocsin.eql import syntax as s
from tocsin.investigation.happened import SENTENCE_FIELDS
from tocsin.query_dsl.build import all_of
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.events import EventReader

MOST_HIDDEN = 10_000  # alerts of sequences that are counted, and alerts whose ids are named
_GROUP, _BLOCK = "kibana.alert.group.id", "kibana.alert.building_block_type"
_STATUS = "kibana.alert.workflow_status"
FIELDS = (
    "@timestamp", "kibana.alert.rule.name", "kibana.alert.severity", "kibana.alert.reason", _STATUS, "host.name",
    "user.name", *SENTENCE_FIELDS,
)  # fmt: skip
_OF_EVENTS = {"bool": {"must_not": [{"exists": {"field": _GROUP}}]}}
_OF_STEPS = {"bool": {"filter": [{"exists": {"field": _GROUP}}, {"exists": {"field": _BLOCK}}]}}
_NOT_CLOSED = {"bool": {"must_not": [{"term": {_STATUS: "closed"}}]}}


@dataclass(frozen=True)
class HiddenAlertsTask:
    """How many alerts since a moment (date math) each of some conditions hides; the newest `rows` of each.

    With `ids` the answer also has the ids of those that are not closed, at most MOST_HIDDEN; with `alert`, the id
    of one, whether that is hidden, however old it is.
    """

    conditions: Sequence[s.Expression]
    since: str
    rows: int = 0
    ids: bool = False
    alert: str | None = None

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return for each condition `total`, `open` (not closed), `hits`, `ids`, `hides`. Raises TocsinError."""
        return orjson.dumps([self._hidden(condition, reader, clock) for condition in self.conditions])

    def _hidden(self, condition: s.Expression, reader: EventReader, clock: Clock) -> dict[str, Any]:
        context = context_of(reader, [ALERTS_INDEX])
        span = {"range": {"@timestamp": {"gte": self.since}}}

        def search(body: dict[str, Any], *, hides: bool) -> Any:
            request = read_search(body, context)
            if hides:
                request = replace(request, condition=all_of((request.condition, condition)))
            return run_search(reader, [ALERTS_INDEX], request, context.schema, clock, parsed=True)

        size = MOST_HIDDEN if self.ids else self.rows
        shown: dict[str, Any] = {"size": size, "sort": [{"@timestamp": "desc"}], "_source": False}
        shown["fields"] = [_STATUS] if self.ids else list(FIELDS)
        shown["aggs"] = {"open": {"filter": _NOT_CLOSED}}
        groups = {"terms": {"field": _GROUP, "size": MOST_HIDDEN}}
        of_steps = {"query": {"bool": {"filter": [span, _OF_STEPS]}}, "size": 0, "aggs": {"groups": groups}}
        names = [bucket["key"] for bucket in search(of_steps, hides=True).aggregations["groups"]["buckets"]]
        answers = [search({"query": {"bool": {"filter": [span, _OF_EVENTS]}}, **shown}, hides=True)]
        if names:
            answers.append(search({"query": {"ids": {"values": names}}, **shown}, hides=False))
        hits = [hit for answer in answers for hit in answer.hits]
        hits.sort(key=lambda hit: hit["sort"][0] or 0, reverse=True)
        ids = [hit["_id"] for hit in hits if "closed" not in hit.get("fields", {}).get(_STATUS, ())]
        return {
            "total": sum(answer.total for answer in answers),
            "open": sum(answer.aggregations["open"]["doc_count"] for answer in answers),
            "hits": [] if self.ids else hits[: self.rows],
            "ids": ids if self.ids else [],
            "hides": self.alert is not None and search(_one_of_alert(self.alert), hides=True).total > 0,
        }


def _one_of_alert(id_: str) -> dict[str, Any]:
    itself = {"bool": {"filter": [{"ids": {"values": [id_]}}, _OF_EVENTS]}}
    step = {"bool": {"filter": [{"term": {_GROUP: id_}}, _OF_STEPS]}}
    return {"query": {"bool": {"should": [itself, step], "minimum_should_match": 1}}, "size": 0}
