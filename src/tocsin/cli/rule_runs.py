"""`tocsin rules run`, `backfill` and `executions`: what the service has run, and what it is asked to run."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.options import ConfigFile, Data, EveryRule, RuleName, SpanEnd, SpanStart, Wide
from tocsin.cli.records import in_records, open_records
from tocsin.cli.shown import shown_time
from tocsin.counted import counted
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from tocsin.store.records.access import Actor
    from tocsin.store.records.database import Records

_SILENT = 2.0  # seconds until a message says that the command waits for the service
_LONGEST_WAIT = 60.0  # seconds without news until a run is left to the service
_SHOWN = 5  # lines on missed events that are printed


def run(
    rule: RuleName = None,
    start: SpanStart = None,
    end: SpanEnd = "now",
    all_: EveryRule = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Have the service run a rule now: the window that ends now, or every window of a span of the past.

    Exits with 1 when a run failed, or waits for a service that does not run.
    """
    from tocsin.management.rules.named import rules_named
    from tocsin.management.rules.runs import read_span, request_run

    with open_records(config, data) as records:
        with records.transaction() as session:
            rules = rules_named(session, _names(rule), every=all_)
            span = read_span(start, end, names=("--from", "--to"))
            asked = {request_run(session, _actor(), stored, span).id: stored.name for stored in rules}
        _wait(records, asked, config, data)


def backfill(
    rule: RuleName = None,
    start: SpanStart = None,
    end: SpanEnd = "now",
    all_: EveryRule = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Fill gaps: run the windows that were missed, of a span of the past, or of every gap that is not filled.

    Exits with 1 when a run failed, or waits for a service that does not run.
    """
    from tocsin.management.rules.named import rules_named
    from tocsin.management.rules.runs import read_span, request_backfill

    with open_records(config, data) as records:
        asked: dict[int, str] = {}
        with records.transaction() as session:
            rules = rules_named(session, _names(rule), every=all_)
            span = None if start is None else read_span(start, end, names=("--from", "--to"))
            for stored in rules:
                asked.update((run.id, stored.name) for run in request_backfill(session, _actor(), stored, span))
        if not asked:
            print("no gaps")
            return
        _wait(records, asked, config, data)


def _names(rule: str | None) -> list[str]:
    return [rule] if rule else []


def _actor() -> Actor:
    from tocsin.store.records.access import local_actor

    return local_actor(getpass.getuser())


def _wait(records: Records, asked: Mapping[int, str], config: Any, data: Any) -> None:
    """Print the results of runs, as the service gets to them. `asked` has the rules' names by the runs' ids."""
    from tocsin.store.records.models import Run

    waiting = list(asked)
    results: list[tuple[str, Mapping[str, Any]]] = []
    absent = _no_service(config, data)
    news = time.monotonic()
    said = False
    while waiting and not absent and time.monotonic() - news < _LONGEST_WAIT:
        with records.transaction() as session:
            done = [run for id_ in waiting if (run := session.get(Run, id_)) is not None and run.done is not None]
        for run in done:
            result = run.result or {}
            results.append((asked[run.id], result))
            waiting.remove(run.id)
            news = time.monotonic()
            if result.get("failure"):
                print(printable_line(f"failed: {asked[run.id]}: {result['failure']}"))
            for id_ in result.get("alerts", [])[:20]:
                print(f"alert {id_}")
        if not done:
            if not said and time.monotonic() - news > _SILENT:
                print("waiting for the service to run it …", file=sys.stderr)
                said = True
                absent = _no_service(config, data)
            time.sleep(0.2)
    if results:
        _sum_up(results, data)
    if waiting:
        wait = "1 run waits" if len(waiting) == 1 else f"{len(waiting):,} runs wait"
        print(printable_line(f"{wait}: {absent or 'the service has not come to it yet'}"), file=sys.stderr)
        print("`tocsin rules executions` shows what came of it", file=sys.stderr)
    if waiting or any(result.get("failure") for _, result in results):
        raise typer.Exit(1)


def _no_service(config: Any, data: Any) -> str:
    """Return that no service runs, and how to start one; nothing where one runs, or may run elsewhere."""
    from tocsin.config import load_config
    from tocsin.store.lake.guard import in_use

    loaded = load_config(config, {"data": data})
    if loaded.database_url is not None or in_use(loaded.data):
        return ""
    return f"no service runs on {loaded.data}; start one with `tocsin serve{_folder(data)}`"


def _folder(data: Any) -> str:
    from shlex import quote

    return f" --data {quote(str(data))}" if data else ""


def _sum_up(results: Sequence[tuple[str, Mapping[str, Any]]], data: Any) -> None:
    """Print the figures of runs, then which events they did not see, and how to have them seen."""
    ticks, matches, written, known = (
        sum(result.get(name, 0) for _, result in results) for name in ("ticks", "matches", "written", "duplicates")
    )
    already = (
        f" ({known:,} of the matches {'was an alert' if known == 1 else 'were alerts'} already)" if known else ""
    )
    outcome = f"{counted(matches, 'match', 'matches')}, {counted(written, 'new alert')}{already}"
    print(f"{counted(ticks, 'window')} run, {outcome}")
    if ticks and not any(result.get("events") for _, result in results):
        print("no event lies in the windows, in the indices that the rule names")
    missed = [(name, seen) for name, result in results if (seen := result.get("outside"))]
    lines = [line for name, seen in missed for line in _missed(name, seen, data)]
    for line in lines[:_SHOWN]:
        print(printable_line(line))
    if len(lines) > _SHOWN:
        print(f"… and {counted(len(lines) - _SHOWN, 'line')} like these, about other rules")


def _missed(name: str, seen: Mapping[str, Any], data: Any) -> list[str]:
    """Say which events of a span a rule's windows did not hold, and what to do."""
    from shlex import quote

    lines = []
    if seen["events"]:
        first, last = shown_time(seen["first"]), shown_time(seen["last"])
        events = counted(seen["events"], "event")
        what = (
            f"{events} of that span arrived outside it ({first} to {last}), and the rule's windows go by arrival "
            "(`timestamp_override: event.ingested`)"
            if seen["by_arrival"]
            else f"{events} that arrived in that span happened outside it ({first} to {last})"
        )
        start = first.partition(".")[0].replace(" ", "T") + "Z"
        lines.append(
            f"{name}: {what}; run it over them: tocsin rules run {quote(name)} --from {start}{_folder(data)}"
        )
    if seen["behind"]:
        verb = "lies" if seen["behind"] == 1 else "lie"
        end = shown_time(seen["end"])
        lines.append(
            f"{name}: {counted(seen['behind'], 'event')} {verb} behind the last window of the span, which ended at"
            f" {end}; the next one holds them"
        )
    return lines


def executions(
    rule: RuleName = None,
    limit: Annotated[int, typer.Option("--limit", "--size", min=1, help="How many at most, the last.")] = 30,
    wide: Wide = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Show the last executions of a rule, or of all, and the gaps."""
    from sqlalchemy import select

    from tocsin.cli.executions_page import print_executions, print_gaps
    from tocsin.management.rules.executions import execution_history
    from tocsin.management.rules.named import rules_named
    from tocsin.store.records.models import StoredRule

    with in_records(config, data) as (session, _):
        [stored] = [None] if rule is None else rules_named(session, _names(rule))
        history = execution_history(session, stored, size=limit)
        names = {row.id: row.name for row in session.scalars(select(StoredRule))}
        print_executions(history.executions[::-1], names, wide=wide)
        print_gaps(history.gaps[::-1], names, wide=wide)


def add_to(app: typer.Typer) -> None:
    """Add the commands to those on rules."""
    app.command("run")(run)
    app.command("backfill")(backfill)
    app.command("executions")(executions)
