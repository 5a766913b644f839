"""What the values of an event are called in its provider's manifest.

`templates.tsv` has the names in their order, for writers that leave them out: a log without the provider's
resources, Winlogbeat when it cannot render a template (`param1`, `param2`, …), Fluent Bit's `StringInserts`,
`Properties` of `Get-WinEvent`. Pipelines in between spell names differently (`commandline`, `process_id`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from tocsin.sources.mapping import DATASETS
from tocsin.sources.windows.forms.elements import as_logged

_NUMBERED = re.compile(r"[Pp]aram(\d{1,2})")
_BETWEEN_WORDS = re.compile(r"[_\-. ]")
# What values of some names look like, which distinguishes one version of an event from another.
_LOOKS = (
    (("UtcTime",), re.compile(r"\d{4}-\d\d-\d\d[ T].*")),
    (("Guid", "GUID"), re.compile(r"\{?[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}\}?")),
    (("Sid",), re.compile(r"S-1-[\d-]+")),
    (("ProcessId", "ProcessID", "ThreadId", "Port", "LogonId"), re.compile(r"0x[0-9A-Fa-f]+|\d+")),
    (("Hashes",), re.compile(r"[A-Z0-9]+=.*")),
)


class _Plan(NamedTuple):
    """What is to be done with the names of an event's values.

    `numbered` is how many values have numbers for names, `renamed` the names that are spelled differently, `known`
    says whether one of the names is one that such an event has.
    """

    numbered: int
    renamed: Mapping[str, str]
    known: bool


def with_names(
    data: Mapping[str, Any], provider: str, event_id: int, *, exactly: bool = True
) -> Mapping[str, Any]:
    """Return values by the names that the manifest gives them; those that it does not know keep theirs.

    Values without names must be as many as a version of the event has, or look like its values if not `exactly`.
    """
    plan = _plan(provider, event_id, tuple(data))
    if plan.numbered:
        values = [data.get(f"param{n}", data.get(f"Param{n}")) for n in range(1, plan.numbered + 1)]
        names = _names_by_place(provider, event_id, values, exactly)
        if names is None:
            return data
        beyond = (f"param{n}" for n in range(len(names) + 1, plan.numbered + 1))
        named = {name: value for name, value in zip((*names, *beyond), values, strict=False) if value is not None}
        return as_logged(named, provider, event_id)
    if plan.renamed:
        named = {plan.renamed.get(name, name): value for name, value in data.items()}
        return as_logged(named, provider, event_id)
    return data


def has_known_name(data: Mapping[str, Any], provider: str, event_id: int) -> bool:
    """Return whether an event has a value that its kind has. For an unknown kind, any value counts."""
    return _plan(provider, event_id, tuple(data)).known


@lru_cache(maxsize=4096)  # events of a kind have the same names
def _plan(provider: str, event_id: int, names: tuple[str, ...]) -> _Plan:
    known = known_names(provider, event_id)
    has_known = not known.isdisjoint(names) if known else bool(names)
    numbers = [int(match[1]) for name in names if (match := _NUMBERED.fullmatch(name))]
    if names and len(numbers) == len(names):
        return _Plan(max(numbers), {}, has_known)
    spelled = _spelled(known) if known else {}
    renamed: dict[str, str] = {}
    for name in names:
        if name not in known and name not in _names_of_all():
            plain = _plain(name)
            right = spelled.get(plain) or _spelled_of_all().get(plain)
            if right is not None and right not in names and right not in renamed.values():
                renamed[name] = right
    return _Plan(0, renamed, has_known or not known.isdisjoint(renamed.values()))


def _names_by_place(provider: str, event_id: int, values: Sequence[Any], exactly: bool) -> tuple[str, ...] | None:
    """Return the names of an event's values by their place; None where no version of the event has such values.

    If not `exactly`, versions with more values come first (the last ones are missing then), then the longest.
    """
    versions = _templates().get((provider, event_id), [])
    if exactly:
        candidates = [names for names in versions if len(names) == len(values)]
    else:
        candidates = [names for names in versions if len(names) > len(values)] + versions[-1:]
    for names in candidates:
        looks = [look for look in map(_looks_right, names, values) if look is not None]
        if all(looks) and (exactly or looks):
            return names
    return None


def _looks_right(name: str, value: Any) -> bool | None:
    """Return whether a value looks like those of a name; None where that cannot be judged."""
    if not isinstance(value, str) or value in ("", "-"):
        return None
    return next((look.fullmatch(value) is not None for ends, look in _LOOKS if name.endswith(ends)), None)


@cache
def known_names(provider: str, event_id: int) -> frozenset[str]:
    """Return the names of an event's values in every version of it, none for an event that is not known."""
    return frozenset(name for names in _templates().get((provider, event_id), ()) for name in names)


@cache
def _names_of_all() -> frozenset[str]:
    """Return every name that a table of Windows events knows."""
    return frozenset(
        (
            *(name for every in _templates().values() for names in every for name in names),
            *(
                name
                for dataset in DATASETS.values()
                if dataset.kept == "winlog.event_data"
                for name in dataset.sources
            ),
        )
    )


@cache
def _spelled_of_all() -> dict[str, str]:
    return _spelled(_names_of_all())


def _spelled(names: Iterable[str]) -> dict[str, str]:
    """Return names by their plain spelling, without those that share it with another name."""
    by_spelling: dict[str, list[str]] = {}
    for name in names:
        by_spelling.setdefault(_plain(name), []).append(name)
    return {plain: spelled[0] for plain, spelled in by_spelling.items() if len(spelled) == 1}


def _plain(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name).lower()


@cache
def _templates() -> dict[tuple[str, int], list[tuple[str, ...]]]:
    """Return the names by provider and event id, of each version of the event, the shortest first."""
    versions_by_event: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    text = (resources.files("tocsin.sources.windows") / "templates.tsv").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            provider, event_id, listed = line.split("\t")
            versions_by_event.setdefault((provider, int(event_id)), []).append(tuple(listed.split()))
    return {event: sorted(versions, key=len) for event, versions in versions_by_event.items()}
