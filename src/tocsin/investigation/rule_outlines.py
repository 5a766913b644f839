"""What rules say of what they watch: their index patterns, and which techniques of ATT&CK they look for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import QueryError
from tocsin.esql.parse import parse
from tocsin.rules.model import Threat
from tocsin.scheduler.buffer.event_counts import fitting_none
from tocsin.store.patterns import matching
from tocsin.store.records.models import StoredRule

_EVERY = ("*",)  # the patterns of a rule that names none, as the scheduler runs it
_PLATFORM = "OS: "  # what Elastic's tags of platforms begin with, as in `OS: Windows`


@dataclass(frozen=True)
class RuleOutline:
    """A rule: whether it is enabled, its index patterns, its tags, and the tactics and techniques that it names."""

    id: str
    name: str
    enabled: bool
    severity: str = ""
    patterns: Sequence[str] = _EVERY
    tags: Sequence[str] = ()
    threats: Sequence[Threat] = field(default=())

    @property
    def platforms(self) -> Sequence[str]:
        """The platforms that its tags name."""
        return [tag.removeprefix(_PLATFORM) for tag in self.tags if tag.startswith(_PLATFORM)]


def rule_outlines(session: Session) -> list[RuleOutline]:
    """Return all rules, by name. Of their documents only the few members are read that are shown."""
    document = StoredRule.document
    members = [document[name] for name in ("severity", "index", "language", "tags", "threat")]
    query = select(StoredRule.id, StoredRule.name, StoredRule.enabled, *members)
    rows = session.execute(query.order_by(func.lower(StoredRule.name), StoredRule.rule_id)).all()
    piped = [row[0] for row in rows if row[5] == "esql"]
    queries = select(StoredRule.id, document["query"]).where(StoredRule.id.in_(piped))
    piped_queries = {row[0]: row[1] for row in session.execute(queries)} if piped else {}
    return [
        RuleOutline(
            id=id_, name=name, enabled=enabled, severity=str(severity or ""),
            patterns=_piped_patterns(str(piped_queries[id_])) if id_ in piped_queries else _texts(index) or _EVERY,
            tags=_texts(tags), threats=threats_of(threat),
        )
        for id_, name, enabled, severity, index, _, tags, threat in rows
    ]  # fmt: skip


def threats_of(value: Any) -> tuple[Threat, ...]:
    """Return the tactics and techniques of a rule's `threat`; what is not of its form is left out."""
    threats = []
    for member in value if isinstance(value, list) else ():
        try:
            threats.append(Threat.model_validate(member))
        except ValidationError:
            continue
    return tuple(threats)


def without_index(rules: Iterable[RuleOutline], indices: Iterable[str]) -> list[RuleOutline]:
    """Return the rules none of whose patterns fits an index, so that they see no event."""
    names = tuple(sorted(indices))
    fits: dict[str, bool] = {}

    def fitting(pattern: str) -> bool:
        if pattern not in fits:
            fits[pattern] = not fitting_none((pattern,), names)
        return fits[pattern]

    wanted = ((rule, [pattern for pattern in rule.patterns if not pattern.startswith("-")]) for rule in rules)
    return [rule for rule, patterns in wanted if patterns and not any(map(fitting, patterns))]


def rules_by_index(rules: Iterable[RuleOutline], indices: Sequence[str]) -> Counter[str]:
    """Return how many rules look at each index."""
    counts = Counter(tuple(rule.patterns) for rule in rules)
    by_index: Counter[str] = Counter()
    for patterns, count in counts.items():
        for name in matching(patterns, indices):
            by_index[name] += count
    return by_index


@lru_cache(maxsize=1024)
def _piped_patterns(query: str) -> tuple[str, ...]:
    """Return the index patterns of a query of ES|QL, those of all indices for one that cannot be read."""
    try:
        return parse(query).indices or _EVERY
    except QueryError:
        return _EVERY


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
