"""Groups of hosts, by patterns of their names. Where none are defined, each host is a group of its own."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.management.saved_objects import remove_object, save_object, saved_objects
from tocsin.response.measures.measured_alerts import CodedTexts
from tocsin.store.records.access import Actor

OTHER_HOSTS = "*"  # in place of a group's name, which has no star: hosts that no pattern fits
_TYPE, _NAME = "host_groups", "Host groups"
_MOST_GROUPS, _MOST_PATTERNS, _LONGEST = 100, 1_000, 255


@dataclass(frozen=True)
class HostGroup:
    """A group: its name, and patterns of which one fits the names of its hosts, with `*` and `?`, in any case."""

    name: str
    patterns: Sequence[str]

    @property
    def line(self) -> str:
        """The group as people write it."""
        return f"{self.name}: {', '.join(self.patterns)}"


def read_host_groups(text: str) -> list[HostGroup]:
    """Return the groups of a text with a line for each, as in `Servers: srv-*, dc*`. Raises InvalidError."""
    groups = list[HostGroup]()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, rest = (part.strip() for part in line.partition(":"))
        patterns = list(dict.fromkeys(pattern for part in rest.split(",") if (pattern := part.strip())))
        if not name or not colon or not patterns:
            raise InvalidError(f"line {number} is not as in `Servers: srv-*, dc*`")
        if not name.isprintable() or "*" in name or max(map(len, (name, *patterns))) > _LONGEST:
            raise InvalidError(
                f"line {number}: names and patterns have at most {_LONGEST} characters, a name has no `*`"
            )
        if any(group.name == name for group in groups):
            raise InvalidError(f"line {number}: there are two groups called {name}")
        groups.append(HostGroup(name, patterns))
    if len(groups) > _MOST_GROUPS or sum(len(group.patterns) for group in groups) > _MOST_PATTERNS:
        raise InvalidError(f"there are at most {_MOST_GROUPS} groups, and {_MOST_PATTERNS:,} patterns in all")
    return groups


def host_groups(session: Session, actor: Actor) -> list[HostGroup]:
    """Return the groups that are defined, which all share."""
    kept = [saved for saved in saved_objects(session, actor, _TYPE) if saved.owner_id is None]
    return [HostGroup(**group) for group in kept[0].document["groups"]] if kept else []


def define_host_groups(session: Session, actor: Actor, groups: Sequence[HostGroup]) -> None:
    """Define the groups in place of those that were; without any, each host is a group. Raises InvalidError."""
    kept = [saved for saved in saved_objects(session, actor, _TYPE) if saved.owner_id is None]
    id_ = kept[0].id if kept else None
    if groups:
        document = {"groups": [{"name": group.name, "patterns": list(group.patterns)} for group in groups]}
        save_object(session, actor, _TYPE, _NAME, document, id_=id_, shared=True)
    elif id_ is not None:
        remove_object(session, actor, _TYPE, id_)


def grouped_hosts(hosts: CodedTexts, groups: Sequence[HostGroup]) -> CodedTexts:
    """Return the group of each alert's host: the first that has a pattern which fits; none without a host."""
    if not groups:
        return hosts
    tests = [re.compile("|".join(f"(?:{_regex(p)})" for p in group.patterns), re.IGNORECASE) for group in groups]
    values = [*(group.name for group in groups), OTHER_HOSTS]
    # The last stands for an alert without a host, whose code is -1.
    of_host = [next((n for n, test in enumerate(tests) if test.match(host)), len(groups)) for host in hosts.values]
    return CodedTexts(np.array([*of_host, -1], np.int64)[hosts.codes], values)


def _regex(pattern: str) -> str:
    return fnmatch.translate(pattern.replace("[", "[[]"))
