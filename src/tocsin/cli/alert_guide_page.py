"""An alert's guide on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markdown import Markdown
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.shown import shown_time
from tocsin.counted import counted
from tocsin.investigation.guides.alert_queries import AlertQuery
from tocsin.investigation.guides.guide import guide_markdown, note_of, read_guide
from tocsin.investigation.guides.guide_blocks import Block, BrokenBlock, InvestigateBlock
from tocsin.investigation.guides.osquery import Verdict, checked_query, filled_query
from tocsin.printable import printable, printable_line


def print_guide(
    alert: Mapping[str, Any],
    event: Mapping[str, Any],
    queries: Mapping[int, AlertQuery],
    counts: Mapping[int, int],
) -> None:
    """Print a guide, each query with what it finds, and below it the steps with who did them, and when."""
    console = wide_console(110)
    note = note_of(alert)
    if not note:
        console.print("the rule of this alert has no guide")
        return

    def shown(block: Block) -> str:
        if isinstance(block, InvestigateBlock):
            return _query(block, queries[block.number], counts.get(block.number))
        if isinstance(block, BrokenBlock):
            return f"**This query of the guide cannot be used:** {block.reason}"
        return _osquery(block.label, filled_query(block.query, event), block.mended)

    console.print(Markdown(printable(guide_markdown(note, event, shown)), hyperlinks=False))
    done = {int(step["number"]): step for step in alert.get("tocsin.guide_steps", [])}
    steps = read_guide(note, event).steps
    if steps:
        console.print(Text(f"\nSteps done: {len(done)} of {len(steps)}", style="bold"))
    for step in steps:
        by = done.get(step.number)
        done_by = f"{by['done_by']} {shown_time(by['done_at'])} " if by else ""
        console.print(Text(printable_line(f"[{'x' if by else ' '}] {step.number} {done_by}{step.text}")))


def _query(block: InvestigateBlock, query: AlertQuery, count: int | None) -> str:
    noun = "alert" if query.signals_only else "event"
    count_text = "not counted" if count is None else counted(count, noun)
    if query.query is None:
        count_text = "nothing to find"
    lacking = f" (this alert has no {', '.join(query.missing)})" if query.missing else ""
    shared = "".join(f" ({name} is {id_}, an account that all services share)" for name, id_ in query.services)
    return f"**{block.label}: {count_text}**{lacking}{shared} {_code(query.kql)}"


def _osquery(label: str, query: str, mended: str) -> str:
    checked = checked_query(query)
    state = "checked" if checked.verdict is Verdict.RIGHT else f"{checked.verdict}: {checked.reason}"
    if checked.mended or mended:
        state += "; mended: " + (mended or f"quotes were lost round {', '.join(checked.mended)}")
    return f"**{label}** ({state}) {_code(checked.query)}"


def _code(text: str) -> str:
    """Return a text as code of Markdown, whatever backticks it has."""
    line, ticks = " ".join(text.split()), "`"
    while ticks in line:
        ticks += "`"
    return f"{ticks} {line} {ticks}" if "`" in line else f"`{line}`"
