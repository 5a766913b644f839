"""The page of sources: when each was last heard of, what no rule sees, what was rejected, what is damaged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.dependencies import RunningService
from tocsin.api.operations_models import Readiness
from tocsin.api.readiness import readiness_of
from tocsin.api.service import Service
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.overview.words import PROBLEM_WORDS, STATE_WORDS, STATUS_WORDS, UNSEEN_WORDS
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Reader
from tocsin.investigation.coverage.rule_outlines import rules_by_index, without_index
from tocsin.investigation.coverage.source_health import SourceHealth, SourceState, source_health
from tocsin.management.rules.outlines import rule_outlines

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST_ROWS = 200
# What needs somebody first.
_WORST_FIRST = (
    SourceState.SILENT, SourceState.QUIET, SourceState.RECEIVING, SourceState.UNKNOWN, SourceState.IMPORTED,
    SourceState.EMPTY,
)  # fmt: skip


@dataclass(frozen=True)
class Disk:
    """The disk that events lie on, in bytes: `events` those of tables, `waiting` those in the journal alone."""

    total: int
    free: int
    reserve: int
    events: int
    waiting: int


@dataclass(frozen=True)
class ServiceHealth:
    """What the service says of itself: whether it is ready, its sources, and its disk."""

    readiness: Readiness
    sources: list[SourceHealth]
    disk: Disk

    def count(self, state: str) -> int:
        """Return how many sources are in a state."""
        return sum(source.state == state for source in self.sources)


@router.get("/overview/sources")
async def show_sources(
    request: Request, visitor: Reader, service: RunningService, records: RequestTransactions
) -> Response:
    """Show how sources are, those that are in one state where the address names it."""
    health = await run_in_threadpool(service_health, service)
    rules = await records.run(rule_outlines)
    enabled = [rule for rule in rules if rule.enabled]
    names = [source.index for source in health.sources]
    show, name = request.query_params.get("state", ""), request.query_params.get("name", "").strip()
    rows = [
        source
        for source in health.sources
        if (show not in STATE_WORDS or source.state == show) and name.lower() in source.index
    ]
    rejected = service.ingest.rejected
    unseen = sorted(service.ingest.intake.unseen.counts.items(), key=lambda item: -item[1])
    rules_of = rules_by_index(enabled, names)
    context: dict[str, Any] = {
        "health": health,
        "show": show if show in STATE_WORDS else "",
        "name": name,
        "rows": rows[:_MOST_ROWS],
        "more": max(0, len(rows) - _MOST_ROWS),
        "states": STATE_WORDS,
        "rules": rules_of,
        "rows_unwatched": [source for source in health.sources if source.events and not rules_of[source.index]],
        "enabled": len(enabled),
        "blind": without_index(enabled, names),
        "rejected": rejected.by_reason(),
        "rejected_since": rejected.began,
        "unseen": unseen,
        "unseen_count": sum(count for _, count in unseen),
        "unseen_words": UNSEEN_WORDS,
        "problem_words": PROBLEM_WORDS,
        "status_words": STATUS_WORDS,
        "events_of": events_address,
    }
    return page(request, "overview/sources.html", visitor, **context)


def service_health(service: Service) -> ServiceHealth:
    """Return how a service and its sources are, those that need somebody first."""
    sources = source_health(service.store.arrived_events(), service.clock.now())
    usage = shutil.disk_usage(service.config.data)
    disk = Disk(
        total=usage.total,
        free=usage.free,
        reserve=service.config.disk_reserve,
        events=sum(source.size for source in sources),
        waiting=service.store.waiting(),
    )
    return ServiceHealth(
        readiness_of(service), sorted(sources, key=lambda source: _WORST_FIRST.index(source.state)), disk
    )


def events_address(index: str, since: datetime | str = "") -> str:
    """Return the address at which the events of an index are shown, from a moment on."""
    return f"/timeline?{urlencode({'index': index, 'from': since})}"
