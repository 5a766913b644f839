"""Searches as tasks: what they ask for, ready to be sent to a process of their own, and their answer as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from tocsin.eql import syntax as s
from tocsin.errors import RuleError
from tocsin.moments import to_nanoseconds
from tocsin.query_dsl.parse import read_query
from tocsin.rules.files import read_rule
from tocsin.scheduler.execution import Executor
from tocsin.scheduler.requested_runs import preview, scheduled_rule, ticks_of
from tocsin.search.eql import read_eql, run_eql
from tocsin.search.errors import SearchTooLargeError
from tocsin.search.filter_path import filtered
from tocsin.search.hits import context_of, count, read_search, run_search
from tocsin.search.selection import Clock, known_patterns, matching_rows
from tocsin.store.events import EventReader
from tocsin.store.patterns import takes
from tocsin.store.records.database import Records

OF_SOME_SHARDS = b'{"shard_failures":'  # how the answer of `EqlTask` begins where some failed
MOST_ANSWER = 256 << 20  # bytes of an answer, all of which the service has in memory


class Task(Protocol):
    """What a search does with a store; the answer is JSON."""

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the answer. Raises TocsinError."""


@dataclass(frozen=True)
class SearchTask:
    """`_search`: `body` as Elasticsearch takes it; with `as_number` the total is a bare number."""

    patterns: Sequence[str]
    body: Mapping[str, Any]
    lenient: bool = False
    as_number: bool = False

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the answer as Elasticsearch has it."""
        started = time.perf_counter()
        known = known_patterns(reader, self.patterns, lenient=self.lenient)
        context = context_of(reader, known)
        asked = read_search(self.body, context)
        answer = run_search(reader, known, asked, context.schema, clock)
        hits: dict[str, Any] = {
            "max_score": 1.0 if answer.hits and asked.form.scored else None,
            "hits": answer.hits,
        }
        if asked.total:
            total = answer.total if self.as_number else {"value": answer.total, "relation": "eq"}
            hits = {"total": total, **hits}
        took = int((time.perf_counter() - started) * 1000)
        shown: dict[str, Any] = {
            "took": took, "timed_out": False, "_shards": shards_of(reader, known), "hits": hits,
        }  # fmt: skip
        if answer.aggregations:
            shown["aggregations"] = answer.aggregations
        return _written(shown)


@dataclass(frozen=True)
class CountTask:
    """`_count`: how many events a query finds."""

    patterns: Sequence[str]
    query: Any
    lenient: bool = False

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the answer as Elasticsearch has it."""
        known = known_patterns(reader, self.patterns, lenient=self.lenient)
        context = context_of(reader, known)
        events = count(reader, known, read_query(self.query, context), context.schema, clock)
        return _written({"count": events, "_shards": shards_of(reader, known)})


@dataclass(frozen=True)
class EqlTask:
    """`_eql/search`: `body` as Elasticsearch takes it."""

    patterns: Sequence[str]
    body: Mapping[str, Any]
    lenient: bool = False

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return `hits`, and which shards failed if some did."""
        known = known_patterns(reader, self.patterns, lenient=self.lenient)
        context = context_of(reader, known)
        eql = read_eql(self.body, context)
        hits = run_eql(reader, known, eql, context.schema, clock)
        failures = shards_of(reader, known).get("failures")
        return _written({**({"shard_failures": failures} if failures else {}), "hits": hits})


@dataclass(frozen=True)
class IdsTask:
    """Which documents meet a condition, or a query; at most so many of their ids."""

    patterns: Sequence[str]
    condition: s.Expression | None = None
    query: Any = None
    most: int | None = None

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return `total` and `ids`, sorted."""
        context = context_of(reader, self.patterns)
        condition = read_query(self.query, context) if self.condition is None else self.condition
        rows = matching_rows(reader, self.patterns, condition, (), context.schema, clock)
        ids = sorted(id_ for batch, _, matching in rows for id_ in batch.ids(matching.tolist()))
        return _written({"total": len(ids), "ids": ids[: self.most]})


@dataclass(frozen=True)
class PreviewTask:
    """The alerts that a rule would raise in its last `windows` windows up to a moment; nothing is kept.

    `records` is the address of the database that exceptions and lists are in.
    """

    rule: Mapping[str, Any]
    windows: int
    end: Any
    records: str

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return `matches`, `alerts`, and `logs` of each window. Raises RuleError."""
        try:
            end = to_nanoseconds(self.end or datetime.now(UTC))
            records = Records(self.records)
            rule = scheduled_rule(records, "preview", read_rule(self.rule), reader)
            interval = rule.schedule.interval
            ticks = [end - interval * back for back in range(self.windows - 1, 0, -1)]
            ticks += ticks_of(rule, end, end, end)
        except (ValueError, OverflowError) as error:
            raise RuleError(str(error)) from None
        result, alerts, runs = preview(Executor(reader, records), rule, ticks)
        records.close()
        logs = [
            {
                "errors": [run.failure] if run.failure else [], "warnings": run.messages,
                "startedAt": run.started.isoformat(), "duration": int(sum(run.durations.values()) * 1000),
            }
            for run in runs
        ]  # fmt: skip
        documents = [orjson.Fragment(alert.document.encode()) for alert in alerts]
        return _written({"logs": logs, "matches": result.matches, "alerts": documents})


@dataclass(frozen=True)
class KnownTask:
    """An answer, JSON, that is known already."""

    text: bytes

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the answer."""
        return self.text


@dataclass(frozen=True)
class ShownTask:
    """The answer of a task as a client wants it: the parts that patterns of `filter_path` name, or indented."""

    task: Task
    patterns: Sequence[str] | None
    indented: bool

    def __call__(self, reader: EventReader, clock: Clock) -> bytes:
        """Return the answer. Raises SearchError for patterns that are too many, or too long."""
        document = orjson.loads(self.task(reader, clock))
        if self.patterns is not None:
            document = filtered(document, self.patterns)
        return _written(document, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if self.indented else 0)


def shards_of(store: EventReader, patterns: Sequence[str]) -> dict[str, Any]:
    """Return the `_shards` of an answer: one that was read, and a failed one for each damage of its indices."""
    damaged = [damage for damage in store.set_aside() if damage.index and takes(patterns, damage.index)]
    shards: dict[str, Any] = {"total": 1 + len(damaged), "successful": 1, "skipped": 0, "failed": len(damaged)}
    if damaged:
        shards["failures"] = [
            {
                "shard": 0,
                "index": damage.index,
                "reason": {"type": "set_aside", "reason": f"{damage.name}: {damage.reason}"},
            }
            for damage in damaged
        ]
    return shards


def _written(answer: Any, layout: int = 0) -> bytes:
    """Return an answer as JSON; `layout` are more of orjson's options. Raises SearchTooLargeError."""
    text = orjson.dumps(answer, default=str, option=orjson.OPT_NON_STR_KEYS | layout)
    if len(text) > MOST_ANSWER:
        raise SearchTooLargeError(
            f"Data too large: the answer has {len(text):,} bytes, and one has at most {MOST_ANSWER:,}",
            hint="ask for fewer hits, or less of each (`_source`)",
        )
    return text
