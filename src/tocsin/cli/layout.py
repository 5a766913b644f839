"""How a hunt is shown on the terminal, and what was asked for."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import typer

_NAMED = 3  # events or rules that are repeated; a shell may have made hundreds of a pattern


class Grouping(StrEnum):
    """What alerts stand together by."""

    HOST = "host"
    RULE = "rule"


def options_given(context: typer.Context) -> dict[str, Sequence[str]]:
    """Return the options given to a command, by their long names, with their values (none for flags)."""
    given: dict[str, Sequence[str]] = {}
    for parameter in context.command.params:
        source, value = (
            context.get_parameter_source(parameter.name or ""),
            context.params.get(parameter.name or ""),
        )
        if parameter.param_type_name != "option" or source is None or source.name != "COMMANDLINE":
            continue
        values = () if isinstance(value, bool) else value if isinstance(value, (list, tuple)) else (value,)
        given[max(parameter.opts, key=len)] = [str(text) for text in values]
    return given


@dataclass(frozen=True)
class Command:
    """The events and the rules that a hunt was asked for, and its options, as they were written."""

    events: Sequence[str] = ()
    rules: Sequence[str] = ()
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def on_events(self) -> str | None:
        """Return the events as arguments; None where they cannot be read again, as standard input cannot."""
        if "-" in self.events:
            return None
        return " ".join(map(shlex.quote, _short(self.events)))

    def with_options(self, wanted: Collection[str]) -> str:
        """Return those of some options that were given, each with a blank before it."""
        return "".join(
            f" {name}" if not values else "".join(f" {name} {shlex.quote(value)}" for value in values)
            for name, values in self.options.items()
            if name in wanted
        )

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
