"""Index patterns: names with `*`, exclusions with `-`, and what a name may look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache

from tocsin.linear_regex import star_match

_FORBIDDEN = set('\\/*?"<>| ,#:')
_LONGEST = 255  # bytes
ALERTS = (".alerts-", ".internal.alerts-")  # what names of indices begin with in which rules' alerts are
INDICATORS = "logs-ti_custom.indicator-lists"  # the index of the lists of indicators, which records keep


@lru_cache(maxsize=4096)
def name_error(name: str) -> str | None:
    """Return why a text cannot name an index, as Elasticsearch's rules for names go; None when it can."""
    if not name or name in (".", ".."):
        return "must have a name"
    if name.startswith(("_", "-", "+")):
        return "must not start with '_', '-', or '+'"
    if name != name.lower():
        return "must be lowercase"
    bad = sorted(_FORBIDDEN & set(name)) + [c for c in name if not c.isprintable()]
    if bad:
        return f"must not contain the following characters {bad}"
    if len(name.encode()) > _LONGEST:
        return f"name is too long, ({len(name.encode())} > {_LONGEST})"
    if name == INDICATORS:
        return "must not be the index of the lists of indicators: `tocsin indicators load` fills these"
    return None


def takes(patterns: Sequence[str], name: str) -> bool:
    """Tell whether index patterns take a name. `_all` is every index; the last pattern that fits decides."""
    return bool(matching(patterns, (name,)))


def fitting(pattern: str, names: Set[str]) -> Set[str]:
    """Return the names that fit one pattern, whether it stands for taking or for excluding them."""
    if pattern == "_all":
        return names
    if "*" not in pattern:
        return names & {pattern}
    fits = star_match(pattern)
    return {name for name in names if fits(name)}


def matching(
    patterns: Sequence[str],
    names: Iterable[str],
    fitting: Callable[[str, Set[str]], Set[str]] = fitting,
) -> list[str]:
    """Return the names that the patterns take, sorted. `fitting` may remember what was asked of it."""
    every = set(names)
    taken = set(every) if patterns and all(pattern.startswith("-") for pattern in patterns) else set()
    for pattern in patterns:
        excludes = pattern.startswith("-")
        taken = (taken.difference if excludes else taken.union)(fitting(pattern[excludes:], every))
    return sorted(taken)


def have_common_name(first: str, second: str) -> bool:
    """Tell whether there can be a name that two patterns with `*` both take."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        a, b = waiting.pop()
        if a == len(first) and b == len(second):
            return True
        mine, other = first[a : a + 1], second[b : b + 1]
        steps = []
        if mine == "*":  # stands for nothing, or for what the other one has here
            steps += [(a + 1, b), *([(a, b + 1)] if other else [])]
        if other == "*":
            steps += [(a, b + 1), *([(a + 1, b)] if mine else [])]
        if mine == other and mine:
            steps.append((a + 1, b + 1))
        new = set(steps) - reached
        reached |= new
        waiting += new
    return False
