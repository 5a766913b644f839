"""An explanation on the terminal: a table a step, then what became of the sequence."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from rich import box
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.counted import counted
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.explain import ExplainedStep, Explanation, Joining, Part
from tocsin.printable import printable_line
from tocsin.sources.unseen import Unseen

_LOST = {
    "maxspan": "ran out of maxspan",
    "until": "were ended by until",
    "missing": "had an event between that should be missing",
    "ceiling": "were dropped, more being unfinished at once than are kept",
}


def show_explanation(ready: CompiledRule, explanation: Explanation) -> None:
    """Print what was found."""
    console = wide_console(120)
    by_source = ", ".join(f"{printable_line(name)} {count:,}" for name, count in explanation.events.most_common())
    console.print(
        Text.assemble(
            (printable_line(ready.rule.name), "bold"),
            f"  {counted(explanation.events.total(), 'event')}: {by_source}",
        )
    )
    silent = explanation.silent
    for number, step in enumerate(explanation.steps):
        at = silent[1] if silent and silent[0] == number else None
        console.print(_table(step, at, set(explanation.absent)))
    if explanation.joining:
        console.print(_joining(explanation.joining, explanation.steps))
    console.print(_verdict(explanation))
    if explanation.absent:
        console.print(Text.assemble(("no event has ", "yellow"), printable_line(", ".join(explanation.absent))))


def _table(step: ExplainedStep, silent: Part | None, absent: set[str]) -> Table:
    title = Text.assemble(
        (printable_line(step.title), "bold"), ("  should be missing" if step.missing else "", "dim")
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0))
    table.add_column("predicate", ratio=1, overflow="fold")
    table.add_column("alone", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    table.add_column("", width=44, overflow="fold")
    for part in step.parts:
        table.add_row(
            Text("    " * part.depth + _shortened(part.text)),
            f"{part.alone:,}",
            f"{part.left:,}",
            _note(part, silent, absent),
            style="dim" if part.depth else "",
        )
    return table


def _note(part: Part, silent: Part | None, absent: set[str]) -> Text:
    note = Text()
    if part is silent:
        note.append("◀ silent from here  ", style="bold red")
    gone = [name for name in part.fields if name in absent]
    if gone:
        note.append(printable_line(f"no event has {', '.join(gone)}"), style="yellow")
    return note


def _shortened(text: str, limit: int = 400) -> str:
    return printable_line(text if len(text) <= limit else text[: limit - 1] + "…")


def _joining(joining: Joining, steps: list[ExplainedStep]) -> Table:
    by = f"joined by {', '.join(joining.keys)}" if joining.keys else "in one stream"
    table = Table(
        title=Text(printable_line(by), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
    )
    table.add_column("step")
    for name in ("events", "with every key", "different keys", "sequences got as far"):
        table.add_column(name, justify="right")
    for step, joined in zip(steps, joining.steps, strict=True):
        reached = "" if step.missing else f"{joined.reached:,}"
        table.add_row(
            Text(printable_line(step.title)), f"{step.events:,}", f"{joined.events:,}", f"{joined.keys:,}", reached
        )
    return table


def _verdict(explanation: Explanation) -> Text:
    joining = explanation.joining
    if joining is None:
        count = explanation.steps[0].events
        return Text(counted(count, "event matches", "events match"), style="bold green" if count else "bold red")
    text = Text(f"{joining.results:,} found", style="bold green" if joining.results else "bold red")
    if joining.keys:
        text.append(f", {joining.complete_keys:,} of the keys with events for every step", style="default")
    for reason, count in joining.lost.items():
        text.append(f"; {count:,} {_LOST[reason]}", style="default")
    if joining.untimed:
        text.append(f"; {counted(joining.untimed, 'event has', 'events have')} no time", style="default")
    return text


def as_json(ready: CompiledRule, explanation: Explanation, unseen: Unseen) -> str:
    """Return an explanation as one JSON object."""
    silent = explanation.silent
    body = {
        "rule": {"rule_id": ready.rule.rule_id, "name": ready.rule.name},
        "events": dict(explanation.events),
        "steps": [asdict(step) for step in explanation.steps],
        "joining": _joining_document(explanation.joining) if explanation.joining else None,
        "silent": {"step": silent[0], "predicate": silent[1].text} if silent else None,
        "absent_fields": explanation.absent,
        "events_not_seen": unseen.document(),
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() + "\n"


def _joining_document(joining: Joining) -> dict[str, object]:
    """Return how events were joined; the number of results is called `found`."""
    document = asdict(joining)
    document["found"] = document.pop("results")
    return document
