"""The rules of records, ready for the watch; what cannot run is known with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.detection.prepare import ReadyRule, prepare
from tocsin.detection.schedule import Schedule, read_schedule
from tocsin.ecs import Schema
from tocsin.errors import RuleError
from tocsin.rules.files import read_rule
from tocsin.rules.model import Rule
from tocsin.store.records.models import StoredRule
from tocsin.watch.rule import WatchedRule, watched

WATCHED_TYPES = frozenset({"eql", "query", "saved_query", "threshold", "new_terms", "threat_match"})


@dataclass(frozen=True)
class Entry:
    """A rule of records: how it stands there, and the rule to run, or why it cannot be."""

    uuid: str
    changed: int
    name: str
    schedule: Schedule | None
    watched_from: int
    done_to: int | None
    watched: WatchedRule | None
    failure: str | None = None


def changes(session: Session) -> dict[str, int]:
    """Return the enabled rules, each with the number that its changes count up."""
    rows = session.execute(select(StoredRule.id, StoredRule.changed).where(StoredRule.enabled))
    return {row.id: row.changed for row in rows}


def read_entries(session: Session, ids: Iterable[str], schema: Schema) -> list[Entry]:
    """Return some rules, ready to run."""
    found = session.scalars(select(StoredRule).where(StoredRule.id.in_(list(ids)), StoredRule.enabled))
    return [_entry(stored, schema) for stored in found]


def _entry(stored: StoredRule, schema: Schema) -> Entry:
    watched_rule, schedule, failure = None, None, None
    try:
        rule = read_rule(stored.document)
        schedule = read_schedule(rule)
        ready = ready_rule(rule, schema)
        watched_rule = watched(stored.id, ready, schedule, schema, stored.revision)
    except RuleError as error:
        failure = error.message
    return Entry(
        stored.id, stored.changed, stored.name, schedule, stored.watched_from or 0, stored.done_to, watched_rule,
        failure,
    )  # fmt: skip


def ready_rule(rule: Rule, schema: Schema) -> ReadyRule:
    """Return a rule ready to run on the clock. Raises RuleError."""
    ready, skipped = prepare([rule], schema, types=WATCHED_TYPES)
    if skipped:
        raise RuleError(skipped[0].message)
    return ready[0]
