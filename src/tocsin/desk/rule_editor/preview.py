"""A rule that is not saved over its last windows: how many alerts, when, which, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import service_of
from tocsin.api.elasticsearch.searching import searched
from tocsin.api.working import worked
from tocsin.desk.alerts.histogram import Histogram
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.translations import N_
from tocsin.detection.schedule import read_schedule
from tocsin.errors import RuleError
from tocsin.management.rules.runs import prepare_preview
from tocsin.management.rules.saving import schema_of
from tocsin.moments import SECOND
from tocsin.rules.files import read_rule

SPANS: Mapping[str, tuple[str, int]] = {
    "1h": (N_("the last hour"), 3600),
    "6h": (N_("the last 6 hours"), 6 * 3600),
    "24h": (N_("the last 24 hours"), 24 * 3600),
    "3d": (N_("the last 3 days"), 3 * 24 * 3600),
}
_MOST_WINDOWS = 1000  # that the service previews at once
_ROWS, _MOST_MESSAGES = 12, 20
_BARS = 60


@dataclass(frozen=True)
class PreviewResult:
    """What a rule would have raised: matches, alerts, those that are shown, a bar for each part of the span.

    `seconds` is how long its windows took together; `messages` are warnings and errors, each with how often.
    """

    matches: int
    alerts: int
    rows: Sequence[FlatDocument]
    histogram: Histogram | None
    windows: int
    seconds: float
    errors: Sequence[tuple[str, int]]
    warnings: Sequence[tuple[str, int]]


async def preview_of(request: Request, document: Mapping[str, Any], span: str) -> PreviewResult:
    """Return what a rule would have raised within a span up to now. Raises ApiError and TocsinError."""
    if span not in SPANS:
        raise bad_request(f"a preview looks at one of {', '.join(SPANS)}")
    service, seconds = service_of(request), SPANS[span][1]
    body = {name: value for name, value in document.items() if name != "actions"}
    windows = _windows(body, seconds)
    if windows > _MOST_WINDOWS:
        raise bad_request(
            f"{windows:,} runs are too many for a preview: choose a shorter span, or a longer interval"
        )
    schemas = schema_of(service.store)
    asked = {**body, "invocationCount": windows, "timeframeEnd": datetime.now(UTC).isoformat()}
    records_url = service.config.records_url
    task = await worked(request, service.work, lambda pace: prepare_preview(asked, schemas, records_url))
    answer = orjson.loads(await searched(request, task))
    alerts = [flat_document({"_id": "", "_index": "", "_source": alert}) for alert in answer["alerts"]]
    alerts = [
        alert for alert in alerts if alert.raw("kibana.alert.building_block_type") is None or _is_block(body)
    ]
    alerts.sort(key=_time, reverse=True)
    logs = answer["logs"]
    errors = Counter(message for log in logs for message in log["errors"])
    warnings = Counter(message for log in logs for message in log["warnings"])
    return PreviewResult(
        answer["matches"], len(alerts), [replace(alert, id="") for alert in alerts[:_ROWS]],
        _histogram(alerts, seconds), windows, sum(log["duration"] for log in logs) / 1000,
        errors.most_common(_MOST_MESSAGES), warnings.most_common(_MOST_MESSAGES),
    )  # fmt: skip


def _windows(body: Mapping[str, Any], seconds: int) -> int:
    """Return how many windows a rule has in so many seconds, one where its schedule cannot be read."""
    try:
        interval = read_schedule(read_rule({"rule_id": "preview", **body})).interval / SECOND
    except RuleError:
        return 1  # what is wrong is said by the check that follows
    return max(1, round(seconds / interval))


def _is_block(body: Mapping[str, Any]) -> bool:
    return body.get("building_block_type") is not None


def _time(alert: FlatDocument) -> str:
    return alert.text("kibana.alert.original_time", "@timestamp")


def _histogram(alerts: Sequence[FlatDocument], seconds: int) -> Histogram | None:
    """Return bars of the alerts by the time of their events, each of a part of the span."""
    if not alerts:
        return None
    now = datetime.now(UTC)
    since = datetime.fromtimestamp(now.timestamp() - seconds, UTC)
    step = {3600: "1m", 6 * 3600: "5m", 24 * 3600: "30m", 3 * 24 * 3600: "3h"}[seconds]
    length = {"1m": 60, "5m": 300, "30m": 1800, "3h": 10_800}[step] * 1000
    counts: dict[int, Counter[str]] = {}
    for alert in alerts:
        try:
            moment = datetime.fromisoformat(_time(alert)).timestamp() * 1000
        except ValueError:
            continue
        begin = int(moment // length * length)
        counts.setdefault(begin, Counter())[alert.text("kibana.alert.severity")] += 1
    buckets = [
        {
            "key": begin,
            "doc_count": held.total(),
            "severity": {"buckets": [{"key": name, "doc_count": count} for name, count in held.items()]},
        }
        for begin, held in sorted(counts.items())
    ]
    return Histogram.of(buckets, step, since, now)
