"""What rules say of what they watch: their index patterns, and which techniques of ATT&CK they look for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ValidationError

from tocsin.rules.model import Threat
from tocsin.store.patterns import fitting, matching

EVERY_INDEX = ("*",)  # the patterns of a rule that names none, as the scheduler runs it
_PLATFORM = "OS: "  # what Elastic's tags of platforms begin with, as in `OS: Windows`


@dataclass(frozen=True)
class RuleOutline:
    """A rule: whether it is enabled, its index patterns, its tags, the tactics and techniques that it names."""

    id: str
    name: str
    enabled: bool
    severity: str = ""
    patterns: Sequence[str] = EVERY_INDEX
    tags: Sequence[str] = ()
    threats: Sequence[Threat] = field(default=())

    @property
    def platforms(self) -> Sequence[str]:
        """The platforms that its tags name."""
        return [tag.removeprefix(_PLATFORM) for tag in self.tags if tag.startswith(_PLATFORM)]


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
    names = frozenset(indices)
    fits = cache(lambda pattern: fitting(pattern, names))  # most rules have the same few patterns
    wanted = ((rule, [pattern for pattern in rule.patterns if not pattern.startswith("-")]) for rule in rules)
    return [rule for rule, patterns in wanted if patterns and not any(map(fits, patterns))]


def rules_by_index(rules: Iterable[RuleOutline], indices: Iterable[str]) -> Counter[str]:
    """Return how many rules look at each index."""
    names = frozenset(indices)
    fits = cache(lambda pattern: fitting(pattern, names))
    by_index: Counter[str] = Counter()
    for patterns, count in Counter(tuple(rule.patterns) for rule in rules).items():
        for name in matching(patterns, names, lambda pattern, _: fits(pattern)):
            by_index[name] += count
    return by_index
