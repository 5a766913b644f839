"""Runs of rules that people request: over a span of time, or to fill gaps; and previews."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.date_math import parse_date_math
from tocsin.detection.schedule import read_schedule
from tocsin.errors import InvalidError
from tocsin.management.rules.saving import SchemaOf, check_rule
from tocsin.moments import to_nanoseconds
from tocsin.rules.files import read_rule
from tocsin.scheduler.requested_runs import refuse_too_many
from tocsin.search.tasks import PreviewTask
from tocsin.store.records.access import Actor
from tocsin.store.records.models import Gap, Run, StoredRule
from tocsin.store.records.rules import ask_run

Span = tuple[int, int]
_MOST_WINDOWS = 1000  # of a preview
_HINT = "as in 2026-11-24, 2026-11-24T13:00:00Z or now-6h"


def read_span(
    start: Any, end: Any, now: datetime | None = None, names: tuple[str, str] = ("[start_date]", "[end_date]")
) -> Span:
    """Return a span of time in nanoseconds, given by dates or date math. Raises InvalidError.

    The default end is now. Without a start the span is one moment and stands for the window that ends then.
    `names` are the user's names for the start and the end.
    """
    now = now or datetime.now(UTC)
    last = to_nanoseconds(now) if end is None else _moment(end, now, names[1])
    first = last if start is None else _moment(start, now, names[0])
    if first > last:
        raise InvalidError(f"{names[0]} lies behind {names[1]}", hint="swap them")
    return first, last


def _moment(given: Any, now: datetime, name: str) -> int:
    if not isinstance(given, str):
        raise InvalidError(f"{name} is a moment, not `{given}`", hint=_HINT)
    try:
        return to_nanoseconds(parse_date_math(given, now))
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"{name}: {error}", hint=_HINT) from None


def request_run(session: Session, actor: Actor, rule: StoredRule, span: Span, kind: str = "manual") -> Run:
    """Request a run of a rule over a span, in nanoseconds. Raises RuleError for a span of too many windows.

    The service runs it at its next turn. `kind` is `manual` or `backfill`.
    """
    first, last = span
    now = to_nanoseconds(datetime.now(UTC))
    refuse_too_many(read_schedule(read_rule(rule.document)), first, min(last, now))
    return ask_run(session, actor, rule, kind, span)


def request_backfill(session: Session, actor: Actor, rule: StoredRule, span: Span | None = None) -> list[Run]:
    """Request the windows of a span, or of every gap of a rule that is not filled. Raises RuleError."""
    if span is not None:
        return [request_run(session, actor, rule, span, "backfill")]
    gaps = select(Gap).where(Gap.rule_uuid == rule.id, Gap.filled.is_(None)).order_by(Gap.first_tick)
    return [
        ask_run(session, actor, rule, "backfill", (gap.first_tick, gap.last_tick)) for gap in session.scalars(gaps)
    ]


def prepare_preview(body: Mapping[str, Any], schemas: SchemaOf, records_url: str) -> PreviewTask:
    """Return the task that runs an unsaved rule over the last windows before a moment; nothing is written.

    `body` is the rule's document, with the number of windows (`invocationCount`) and the moment
    (`timeframeEnd`); `records_url` is the database of exceptions and lists. Raises InvalidError.
    """
    document = {"rule_id": "preview", **body}
    count = document.get("invocationCount", 1)
    check_rule(document, schemas(document))
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_WINDOWS:
        raise InvalidError(f"[invocationCount] is a number from 1 to {_MOST_WINDOWS}")
    return PreviewTask(document, count, document.get("timeframeEnd"), records_url)
