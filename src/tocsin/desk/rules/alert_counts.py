"""How many alerts rules raised, counted as the list of alerts counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from tocsin.desk.alerts.histogram import Histogram
from tocsin.desk.searches import search
from tocsin.management.rules.summaries import AlertCounts
from tocsin.store.alerts.names import ALERTS_INDEX

DAY, MONTH = "now-24h", "now-30d"
_UUID, _TIME = "kibana.alert.rule.uuid", "@timestamp"
_MOST_RULES = 10_000
_NO_BUILDING_BLOCKS = {"bool": {"must_not": {"exists": {"field": "kibana.alert.building_block_type"}}}}


def alerts_address(uuid: str, since: str = "", *, until: str = "", execution: str = "") -> str:
    """Return the address of the alerts of a rule, of whatever status; those of one execution if that is named."""
    kql = f'{_UUID}: "{uuid}"' + (f' and kibana.alert.rule.execution.uuid: "{execution}"' if execution else "")
    return f"/alerts?{urlencode({'q': kql, 'from': since, 'to': until})}"


async def alert_counts(request: Request) -> dict[str, AlertCounts]:
    """Return how many alerts each rule raised, by the rules' ids. Raises ApiError."""
    answer = await search(request, [ALERTS_INDEX], {
        "size": 0,
        "query": {"bool": {"filter": [{"range": {_TIME: {"gte": MONTH}}}, _NO_BUILDING_BLOCKS]}},
        "aggs": {
            "rules": {
                "terms": {"field": _UUID, "size": _MOST_RULES},
                "aggs": {"day": {"filter": {"range": {_TIME: {"gte": DAY}}}}},
            }
        },
    })  # fmt: skip
    buckets = answer["aggregations"]["rules"]["buckets"] if "aggregations" in answer else []
    return {b["key"]: AlertCounts(b["day"]["doc_count"], b["doc_count"]) for b in buckets}


async def alerts_a_day(request: Request, uuid: str) -> tuple[AlertCounts, Histogram | None]:
    """Return how many alerts a rule raised, and as a histogram those of each of the last 30 days."""
    now = datetime.now(UTC)
    tests: list[dict[str, Any]] = [
        {"range": {_TIME: {"gte": MONTH}}}, {"term": {_UUID: uuid}}, _NO_BUILDING_BLOCKS,
    ]  # fmt: skip
    answer = await search(request, [ALERTS_INDEX], {
        "size": 0,
        "query": {"bool": {"filter": tests}},
        "aggs": {
            "day": {"filter": {"range": {_TIME: {"gte": DAY}}}},
            "spans": {
                "date_histogram": {"field": _TIME, "fixed_interval": "1d"},
                "aggs": {"severity": {"terms": {"field": "kibana.alert.severity"}}},
            },
        },
    })  # fmt: skip
    total = answer["hits"]["total"]["value"]
    if not total:
        return AlertCounts(), None
    aggregations = answer["aggregations"]
    histogram = Histogram.of(aggregations["spans"]["buckets"], "1d", now - timedelta(days=30), now)
    return AlertCounts(aggregations["day"]["doc_count"], total), histogram
