"""How a hunt is shown on the terminal, and what was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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

    def on_events(self) -> str:
        """Return the events as arguments."""
        return " ".join(map(shlex.quote, self.events)) if 0 < len(self.events) <= _NAMED else "EVENTS"

    def with_rules(self) -> str:
        """Return the options that name the rules, each with a blank before it."""
        if len(self.rules) > _NAMED:
            return " --rules RULES"
        return "".join(f" --rules {shlex.quote(name)}" for name in self.rules)


@dataclass(frozen=True)
class Layout:
    """How a hunt is shown: `wide` folds what does not fit into a line. `command` is for what is suggested next."""

    group_by: Grouping = Grouping.HOST
    wide: bool = False
    summary: bool = True
    show_skipped: bool = False
    command: Command = Command()
