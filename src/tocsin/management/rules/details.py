"""What the page of a rule shows beside its document: how it runs, what it lacks, which exceptions it has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.detection.rule_checks import Problem
from tocsin.ecs import Schema
from tocsin.errors import NotFoundError, TocsinError
from tocsin.management.rules.executions import LastExecution, last_executions
from tocsin.management.rules.references import missing_connectors, missing_connectors_message
from tocsin.management.rules.saving import SchemaOf, check_rule
from tocsin.scheduler.buffer.event_counts import fitting_none
from tocsin.store.records.exceptions import lists_of
from tocsin.store.records.models import Connector, ExceptionItem, Execution, Gap, Run, StoredRule
from tocsin.store.records.rules import find_rule

_MOST_GAPS = 200
_MOST_RUNS = 20


@dataclass(frozen=True)
class RuleDetails:
    """A rule, and how it fares.

    `problems` are warnings about its document, `unmatched` its index patterns that fit no index, `exceptions` the
    number of items in each list that it names, `connectors` the names of those that its actions go to.
    """

    rule: StoredRule
    last: LastExecution | None
    open_gaps: int
    problems: Sequence[Problem]
    unmatched: Collection[str]
    exceptions: dict[str, int]
    connectors: Sequence[str]


def rule_called_by(session: Session, id_: str) -> StoredRule:
    """Return the rule with an id, or else with a `rule_id`. Raises NotFoundError."""
    try:
        return find_rule(session, id_=id_)
    except NotFoundError:
        return find_rule(session, rule_id=id_)


def rule_details(session: Session, rule: StoredRule, schemas: SchemaOf, indices: Collection[str]) -> RuleDetails:
    """Return how a rule fares. `indices` are the names of all indices."""
    unfilled = select(func.count()).where(Gap.rule_uuid == rule.id, Gap.filled.is_(None))
    patterns = rule.document.get("index")
    named = tuple(map(str, patterns)) if isinstance(patterns, list) else ()
    problems = document_problems(rule.document, schemas(rule.document))
    if missing := missing_connectors(session, rule.document):
        problems.append(Problem("actions", missing_connectors_message(missing)))
    return RuleDetails(
        rule,
        last_executions(session, [rule.id]).get(rule.id),
        session.scalar(unfilled) or 0,
        problems,
        fitting_none(named, tuple(sorted(indices))),
        _exceptions(session, rule),
        _connectors(session, rule),
    )


def document_problems(document: dict[str, object], schema: Schema) -> list[Problem]:
    """Return what is wrong with a rule's document, and what is doubtful of it."""
    try:
        return check_rule(document, schema)
    except TocsinError as error:  # it was saved by an earlier version, or before a mapping changed
        return [Problem("query", error.message, fatal=True)]


def _exceptions(session: Session, rule: StoredRule) -> dict[str, int]:
    named = lists_of(rule.document)
    counted = select(ExceptionItem.list_id, func.count()).where(ExceptionItem.list_id.in_(named))
    counts = {row[0]: row[1] for row in session.execute(counted.group_by(ExceptionItem.list_id))} if named else {}
    return {list_id: counts.get(list_id, 0) for list_id in named}


def _connectors(session: Session, rule: StoredRule) -> list[str]:
    actions = rule.document.get("actions")
    named = [str(a.get("id")) for a in actions if isinstance(a, dict)] if isinstance(actions, list) else []
    rows = session.execute(select(Connector.id, Connector.name).where(Connector.id.in_(named))) if named else ()
    names = {row[0]: row[1] for row in rows}
    return [names[id_] for id_ in dict.fromkeys(named) if id_ in names]


@dataclass(frozen=True)
class RuleHistory:
    """A page of a rule's executions, how many there are, its gaps, and the runs that were asked for."""

    executions: Sequence[Execution]
    total: int
    gaps: Sequence[Gap]
    runs: Sequence[Run]


def rule_history(session: Session, rule: StoredRule, *, start: int, size: int) -> RuleHistory:
    """Return executions of a rule from the `start`-th on, the newest first, and its gaps, open ones first."""
    executions = select(Execution).where(Execution.rule_uuid == rule.id).order_by(Execution.id.desc())
    gaps = select(Gap).where(Gap.rule_uuid == rule.id).order_by(Gap.filled.is_not(None), Gap.id.desc())
    runs = select(Run).where(Run.rule_uuid == rule.id).order_by(Run.id.desc())
    return RuleHistory(
        list(session.scalars(executions.offset(start).limit(size))),
        session.scalar(select(func.count()).where(Execution.rule_uuid == rule.id)) or 0,
        list(session.scalars(gaps.limit(_MOST_GAPS))),
        list(session.scalars(runs.limit(_MOST_RUNS))),
    )
