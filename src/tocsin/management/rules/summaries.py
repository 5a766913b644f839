"""What a list shows of each rule: what it says of itself, whether it runs, and what it raised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.management.rules.executions import last_executions
from tocsin.scheduler.buffer.event_counts import fitting_none
from tocsin.store.records.models import Execution, Gap, StoredRule

NEVER = "never run"
SEVERITY_ORDER = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_STATUS_ORDER = {"failed": 3, "warning": 2, NEVER: 1, "succeeded": 0}


class AlertCounts(NamedTuple):
    """How many alerts a rule raised in the last day, and in the last 30."""

    day: int = 0
    month: int = 0


@dataclass(frozen=True)
class RuleSummary:
    """A rule in a list. `unmatched` are the index patterns of it that fit no index.

    `gaps` are those that are not filled.
    """

    id: str
    rule_id: str
    name: str
    enabled: bool
    type: str
    severity: str
    risk_score: int
    tags: tuple[str, ...]
    tactics: tuple[str, ...]
    words: str  # all that a search looks at, in lower case
    patterns: tuple[str, ...]
    unmatched: tuple[str, ...]
    muted_until: datetime | None
    updated: datetime
    execution: Execution | None
    gaps: int
    alerts: AlertCounts = AlertCounts()

    @property
    def status(self) -> str:
        """The outcome of the last execution: succeeded, warning, failed; `never run` where there is none."""
        return NEVER if self.execution is None else self.execution.status

    @property
    def sees_nothing(self) -> bool:
        """Whether no index fits any of its patterns."""
        return bool(self.unmatched) and len(self.unmatched) == sum(not p.startswith("-") for p in self.patterns)


def rule_summaries(session: Session, indices: Collection[str]) -> list[RuleSummary]:
    """Return all rules, by name, without their alerts. `indices` are the names of all indices."""
    rules = list(session.scalars(select(StoredRule).order_by(func.lower(StoredRule.name), StoredRule.rule_id)))
    last = last_executions(session, [rule.id for rule in rules])
    open_gaps = select(Gap.rule_uuid, func.count()).where(Gap.filled.is_(None)).group_by(Gap.rule_uuid)
    gaps: dict[str, int] = {row[0]: row[1] for row in session.execute(open_gaps)}
    names, now = tuple(sorted(indices)), datetime.now(UTC)

    def summary(rule: StoredRule) -> RuleSummary:
        document = rule.document
        patterns = _texts(document.get("index"))
        tactics, threats = _threats(document.get("threat"))
        tags = _texts(document.get("tags"))
        risk = document.get("risk_score")
        return RuleSummary(
            id=rule.id, rule_id=rule.rule_id, name=rule.name, enabled=rule.enabled,
            type=str(document.get("type", "")), severity=str(document.get("severity", "")),
            risk_score=risk if isinstance(risk, int) else 0, tags=tags, tactics=tactics,
            words="\n".join((rule.name, rule.rule_id, *tags, *patterns, *threats)).lower(),
            patterns=patterns, unmatched=fitting_none(patterns, names),
            muted_until=_still(rule.muted_until, now), updated=rule.updated,
            execution=last[rule.id].execution if rule.id in last else None,
            gaps=gaps.get(rule.id, 0),
        )  # fmt: skip

    return [summary(rule) for rule in rules]


def with_alerts(rules: Iterable[RuleSummary], alerts: Mapping[str, AlertCounts]) -> list[RuleSummary]:
    """Return rules with the numbers of their alerts, which are counted by the rules' ids."""
    return [replace(rule, alerts=alerts[rule.id]) if rule.id in alerts else rule for rule in rules]


def _still(until: datetime | None, now: datetime) -> datetime | None:
    return until if until is not None and until > now else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _threats(value: Any) -> tuple[tuple[str, ...], list[str]]:
    """Return the tactics' names, and the ids and names of tactics and techniques."""
    tactics: list[str] = []
    words: list[str] = []
    for threat in _objects(value):
        entries = _objects([threat.get("tactic")])
        tactics += [str(tactic["name"]) for tactic in entries if tactic.get("name")]
        for technique in _objects(threat.get("technique")):
            entries += [technique, *_objects(technique.get("subtechnique"))]
        words += [str(entry.get(name, "")) for entry in entries for name in ("id", "name")]
    return tuple(dict.fromkeys(tactics)), words


def _objects(value: Any) -> list[dict[str, Any]]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


SummaryKey = Callable[[RuleSummary], Any]
# What a list is sorted by, and whether the largest stand first of all.
SUMMARY_ORDERS: Mapping[str, tuple[SummaryKey, bool]] = {
    "name": (lambda rule: rule.name.lower(), False),
    "severity": (lambda rule: (SEVERITY_ORDER.get(rule.severity, -1), rule.risk_score), True),
    "state": (lambda rule: (rule.enabled, _STATUS_ORDER.get(rule.status, 0), rule.sees_nothing), True),
    "run": (lambda rule: rule.execution.last_tick if rule.execution else 0, True),
    "late": (lambda rule: rule.execution.late if rule.execution else 0, True),
    "gaps": (lambda rule: rule.gaps, True),
    "day": (lambda rule: (rule.alerts.day, rule.alerts.month), True),
    "month": (lambda rule: rule.alerts.month, True),
    "type": (lambda rule: rule.type, False),
    "updated": (lambda rule: rule.updated, True),
}
