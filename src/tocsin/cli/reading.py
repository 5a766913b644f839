"""What every command that reads telemetry has: where it is, what it is read as, and what could not be read."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.options import REJECTS_ENDING, DateOrderOption
from tocsin.counted import counted
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from tocsin.sources.batch import Rejects
    from tocsin.sources.inputs import Input

_TEXTS = (".md", ".txt", ".rst")
_NAME_ANOTHER = "name another file after --rejects"


def inputs_of(events: list[str], source: str | None, date_order: DateOrderOption | None = None) -> list[Input]:
    """Return the inputs that names stand for, read as a source if one is named. Raises InputError."""
    from tocsin.sources.catalogue import find_source
    from tocsin.sources.inputs import find_inputs

    inputs = find_inputs(events, source and find_source(source))
    _refuse_rules(inputs)
    return [replace(given, day_first=is_day_first(date_order)) for given in inputs]


def _refuse_rules(inputs: list[Input]) -> None:
    """Raise InputError where all that is given for events are rules, and texts beside them."""
    from tocsin.errors import InputError
    from tocsin.rules.load import shows_rule

    files = [given.path for given in inputs if given.path is not None and given.path.suffix not in _TEXTS]
    if files and len(files) == sum(1 for _ in takewhile(shows_rule, files)):
        more = counted(len(files) - 1, "more file")
        holds = "holds a rule" if len(files) == 1 else f"and {more} hold rules"
        hint = "rules are named with --rules, and events before it: tocsin hunt EVENTS --rules RULES"
        raise InputError(f"{files[0]} {holds}, not events", hint=hint)


def is_day_first(date_order: DateOrderOption | None) -> bool | None:
    """Return whether the day comes first, None where the user did not say."""
    return None if date_order is None else date_order is DateOrderOption.DAY


def rejects_kept(rejects: Path | None, inputs: list[Input], output: Path | None = None) -> Rejects:
    """Return what counts rejects, and keeps them in the file that is named, or in one named after the output.

    Raises InputError for a named file that holds anything but rejects, or is read or written besides.
    """
    from tocsin.errors import InputError
    from tocsin.sources.batch import Rejects, may_keep_rejects

    if rejects is None:
        is_file = output is not None and (output.is_file() or not output.exists())
        beside_output = output.with_suffix(REJECTS_ENDING) if output is not None and is_file else None
        return Rejects(None if beside_output is None or _is_input(beside_output, inputs) else beside_output)
    if _is_input(rejects, inputs):
        raise InputError(f"{rejects} is read, so rejects cannot go there", hint=_NAME_ANOTHER)
    if output is not None and rejects.resolve() == output.resolve():
        raise InputError(f"{rejects} is named by both -o and --rejects", hint=_NAME_ANOTHER)
    if not may_keep_rejects(rejects):
        raise InputError(f"{rejects} is there and holds something else than rejects", hint=_NAME_ANOTHER)
    return Rejects(rejects)


def refuse_reading_what_is_written(inputs: list[Input], output: Path | None) -> None:
    """Raise InputError where the output is one of the inputs."""
    from tocsin.errors import InputError

    if output is not None and _is_input(output, inputs):
        raise InputError(f"{output} is read and written", hint="name another file after -o")


def _is_input(path: Path, inputs: list[Input]) -> bool:
    return path.exists() and any(given.path is not None and given.path.samefile(path) for given in inputs)


def tell_what_was_missed(kept: Rejects) -> None:
    """Say on standard error which events no rule can see, what could not be read, and what was passed over."""
    for line in (*kept.unseen.lines(), *beside(kept)):
        print(printable_line(line), file=sys.stderr)
    tell_where_kept(kept)


def tell_where_kept(kept: Rejects) -> None:
    """Say on standard error how much was rejected or passed over, and where it is kept, or why it is not."""
    what = []
    if kept.total:
        what.append(f"{kept.total:,} rejected")
    if kept.passed_over:
        names = "name" if kept.passed_over == 1 else "names"
        what.append(f"the {names} of {counted(kept.passed_over, 'file')} passed over")
    if what:
        print(printable_line(f"{' and '.join(what)}: {_where_kept(kept)}"), file=sys.stderr)
    elif kept.path is not None and kept.path.is_file() and kept.path.stat().st_size:
        print(f"nothing rejected; {printable_line(str(kept.path))} is of an earlier run", file=sys.stderr)


def _where_kept(kept: Rejects) -> str:
    if kept.unkept:
        return f"not kept: {kept.unkept}; --rejects names another file"
    return f"kept in {kept.path}" if kept.path else "not kept; --rejects FILE keeps them"


def beside(kept: Rejects) -> list[str]:
    """Say what there was beside events and rejects: recovered records, files that are no telemetry."""
    lines = []
    if kept.recovered:
        records, files = counted(kept.recovered.total(), "record"), counted(len(kept.recovered), "file")
        lines.append(f"{records} of damaged EVTX chunks recovered, in {files}")
    if kept.passed_over:
        are = "is no telemetry and was" if kept.passed_over == 1 else "are no telemetry and were"
        lines.append(f"{counted(kept.passed_over, 'file')} {are} passed over")
    return lines
