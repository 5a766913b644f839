"""How a hunt is shown on the terminal, and what was asked for."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_NAMED = 3  # events or rules that are repeated; a shell may have made hundreds of a pattern


class Grouping(StrEnum):
    """What alerts stand together by."""

    HOST = "host"
    RULE = "rule"


@dataclass(frozen=True)
class Command:
    """The events and the rules that a hunt was asked for, as they were written."""

    events: Sequence[str] = ()
    rules: Sequence[str] = ()

    def on_events(self) -> str | None:
        """Return the events as arguments; None where they cannot be read again, as standard input cannot."""
        if "-" in self.events:
            return None
        return " ".join(map(shlex.quote, _short(self.events)))

    def with_rules(self) -> str:
        """Return the options that name the rules, each with a blank before it."""
        return "".join(f" --rules {shlex.quote(name)}" for name in _short(self.rules))


def _short(names: Sequence[str]) -> Sequence[str]:
    """Return names as they are, or for many, as a shell makes of a pattern, the pattern that takes all of them."""
    if len(names) <= _NAMED:
        return names
    folders, endings = {os.path.dirname(name) for name in names}, {Path(name).suffix for name in names}
    if len(folders) > 1:
        return names
    pattern = os.path.join(folders.pop(), f"*{endings.pop() if len(endings) == 1 else ''}")
    return [pattern] if set(glob.glob(pattern)) == set(names) else names


@dataclass(frozen=True)
class Layout:
    """How a hunt is shown: `wide` folds what does not fit into a line. `command` is for what is suggested next."""

    group_by: Grouping = Grouping.HOST
    wide: bool = False
    summary: bool = True
    show_skipped: bool = False
    command: Command = Command()
