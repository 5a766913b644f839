"""Index patterns: names with `*`, exclusions with `-`, and what a name may look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from tocsin.linear_regex import star_match

_FORBIDDEN = set('\\/*?"<>| ,#:')
_LONGEST = 255  # bytes


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
    return None


def takes(patterns: Sequence[str], name: str) -> bool:
    """Tell whether index patterns take a name. `_all` is every index; the last pattern that fits decides."""
    taken = False
    if all(pattern.startswith("-") for pattern in patterns):
        taken = bool(patterns)
    for pattern in patterns:
        excludes = pattern.startswith("-")
        wanted = pattern[excludes:]
        if wanted == "_all" or star_match(wanted)(name):
            taken = not excludes
    return taken


def matching(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the names that the patterns take, sorted."""
    return sorted(name for name in names if takes(patterns, name))
