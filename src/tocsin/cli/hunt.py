"""`tocsin hunt`: point it at telemetry and rules, get alerts."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import options, reading
from tocsin.cli.beside_events import beside_events
from tocsin.cli.endings import format_of
from tocsin.cli.layout import Command, Grouping, Layout, options_given
from tocsin.counted import counted
from tocsin.errors import InputError, TocsinError
from tocsin.printable import plain, printable_line

_SHOWN = 20  # rules whose faults are printed in full

if TYPE_CHECKING:
    from tocsin.detection.hunt import Report
    from tocsin.detection.schedule import Window
    from tocsin.rules.load import Skipped


class Format(StrEnum):
    """What a hunt writes."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    HTML = "html"


ENDINGS = {
    ".json": Format.JSON, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON, ".csv": Format.CSV,
    ".html": Format.HTML, ".htm": Format.HTML, ".txt": Format.TABLE,
}  # fmt: skip


def hunt(
    context: typer.Context,
    events: options.Events,
    rules: options.RuleFolders = None,
    start: options.FromTime = None,
    end: options.ToTime = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Default: table, or what the name after -o ends in."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    fail_on_alert: Annotated[
        bool, typer.Option("--fail-on-alert", help="Exit with 1 when there is an alert.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 2 when a rule did not load, or names a field that no event has."),
    ] = False,
    all_indices: Annotated[
        bool,
        typer.Option("--all-indices", help="Run every rule on every event, whatever index patterns it names."),
    ] = False,
    max_alerts: Annotated[
        int,
        typer.Option("--max-alerts", min=1, help="Keep at most this many alerts a rule; more are counted."),
    ] = 10_000,
    history: Annotated[
        list[str] | None,
        typer.Option(
            "--history",
            help="Files, folders or archives of earlier events, for new-terms rules: what is in there is not new. "
            "Repeatable.",
        ),
    ] = None,
    history_window: Annotated[
        str | None,
        typer.Option("--history-window", help="How far back new-terms rules look, as in 14d, whatever they say."),
    ] = None,
    indicators: Annotated[
        list[str] | None,
        typer.Option(
            "--indicators",
            help="Indicators for indicator-match rules: a STIX bundle, CSV or NDJSON. Repeatable.",
        ),
    ] = None,
    exceptions: Annotated[
        list[str] | None,
        typer.Option("--exceptions", help="Exception lists that Kibana has exported (NDJSON). Repeatable."),
    ] = None,
    source: options.Source = None,
    date_order: options.DatesOrdered = None,
    rejects: options.RejectsBeside = None,
    group_by: Annotated[
        Grouping, typer.Option("--group-by", help="What alerts of the table stand together by.")
    ] = Grouping.HOST,
    wide: Annotated[
        bool, typer.Option("--wide", "-w", help="Show command lines whole, over as many lines as they need.")
    ] = False,
    show_skipped: Annotated[
        bool,
        typer.Option(
            "--show-skipped", help="Name the rules that were not run and the files passed over, and why."
        ),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where the time went; in --format json as `profile`.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> None:
    """Find attacks: run detection rules over telemetry and show the alerts."""
    from tocsin.detection.hunt import Hunt
    from tocsin.detection.ruleset import read_ruleset

    chosen = output_format or format_of(output, ENDINGS, Format.TABLE, "--format")
    window = parse_window(start, end)
    if output is not None and not output.parent.is_dir():
        raise InputError(f"{output} cannot be written: there is no folder {output.parent}")
    inputs = reading.inputs_of(events, source, date_order)
    reading.refuse_reading_what_is_written(inputs, output)
    history_inputs = reading.inputs_of(history, source, date_order) if history else []
    reading.refuse_reading_what_is_written(history_inputs, output)
    ruleset = read_ruleset(rules, any_index=all_indices)
    if not ruleset.ready:
        _complain_about(ruleset.skipped)
        raise TocsinError(
            "no rule can run", hint="name rules with --rules; --show-skipped says why each was skipped"
        )
    kept = reading.rejects_kept(rejects, inputs, output)
    given = Hunt(
        ruleset.ready, window, any_index=all_indices, max_alerts=max_alerts, plan=ruleset.plan, profile=profile,
        history_window=parse_span("--history-window", history_window),
    )  # fmt: skip
    hunting, notes = beside_events(given, exceptions or (), indicators or ())
    with progress_bar(inputs, quiet=quiet) as progress:
        report = hunting.run(inputs, kept, progress, history_inputs)
    kept.close()
    report.skipped = [*ruleset.skipped, *report.skipped]
    report.messages = [*notes, *report.messages]
    command = Command(events, rules or (), options_given(context))
    layout = Layout(group_by, wide, not quiet, show_skipped, command)
    _write(report, chosen, output, layout)
    if report.profile:
        from tocsin.cli.profile import show_profile

        show_profile(report.profile, report.rules)
    if not quiet:
        reading.tell_where_kept(kept)
    raise typer.Exit(_exit_code(report, fail_on_alert, strict))


def _exit_code(report: Report, fail_on_alert: bool, strict: bool) -> int:
    from tocsin.detection.hunt import NO_EVENT_HAS
    from tocsin.rules.load import REPEATED

    nothing_read = not report.total_events and report.rejects.anything
    wrong = Counter(
        rule.reason for rule in report.skipped if rule.invalid or rule.reason in (NO_EVENT_HAS, REPEATED)
    )
    if strict and wrong:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in wrong.most_common())
        print(f"--strict: {reasons}; --show-skipped names them", file=sys.stderr)
    if nothing_read or (strict and wrong):
        return 2
    return 1 if fail_on_alert and report.alerts else 0


def parse_window(start: str | None, end: str | None) -> Window:
    """Return the span of time that --from and --to give. Raises InputError."""
    from tocsin.date_math import parse_date_math
    from tocsin.detection.schedule import Window
    from tocsin.moments import to_nanoseconds

    bounds: list[int | None] = []
    for option, text in (("--from", start), ("--to", end)):
        try:
            bounds.append(to_nanoseconds(parse_date_math(text)) if text else None)
        except ValueError as error:
            raise InputError(
                f"{option}: {error}", hint="as in 2026-11-24, 2026-11-24T13:00:00Z or now-48h"
            ) from None
    if bounds[0] is not None and bounds[1] is not None and bounds[0] >= bounds[1]:
        raise InputError("--from is not before --to", hint="swap them")
    return Window(bounds[0], bounds[1])


def parse_span(option: str, text: str | None) -> int | None:
    """Return a span of time, as in `14d`, in nanoseconds. Raises InputError."""
    from tocsin.detection.schedule import UNITS

    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in UNITS and int(number[:9]) > 0 and len(number) < 9):
        raise InputError(f"{option}: `{text}` is no span of time", hint="a number with s, m, h or d, as in 14d")
    return int(number) * UNITS[unit]


def progress_bar(inputs: list[Any], *, quiet: bool) -> Any:
    """Return a progress bar on the terminal's error stream, as a context manager yielding its update."""
    from tocsin.cli.progress import progress_bar as bar

    return bar(inputs, quiet=quiet)


def _complain_about(skipped: list[Skipped]) -> None:
    """Print what is wrong with rules, misspelt fields included; only the first of many."""
    wrong = [rule for rule in skipped if rule.invalid or "did you mean" in rule.message]
    for rule in wrong[:_SHOWN]:
        print(rule.message, file=sys.stderr)
    if len(wrong) > _SHOWN:
        more = counted(len(wrong) - _SHOWN, "more rule is", "more rules are")
        print(f"{more} like that: --show-skipped names them", file=sys.stderr)


def _write(report: Report, chosen: Format, output: Path | None, layout: Layout) -> None:
    from tocsin.cli import documents, terminal

    writers = {Format.JSON: documents.as_json, Format.NDJSON: documents.as_ndjson, Format.CSV: documents.as_csv}
    _complain_about(report.skipped)
    if chosen is Format.TABLE:
        _put([terminal.render(report, layout, to_file=output is not None)], output, printable=True)
        return
    if chosen is Format.HTML:
        from tocsin.cli.reading import beside
        from tocsin.report.hunt_report import hunt_report

        _put([hunt_report(report, beside(report.rejects))], output)
    else:
        _put(writers[chosen](report), output)
    if layout.summary:
        # The summary goes where it cannot mix with what was asked for.
        terminal.show_summary(report, layout, stderr=output is None)
        if output is not None:
            print(
                f"{counted(len(report.alerts), 'alert')} written to {printable_line(str(output))}", file=sys.stderr
            )
    elif layout.show_skipped:
        terminal.show_skipped(report, stderr=output is None)


def _put(parts: Iterable[str], output: Path | None, *, printable: bool = False) -> None:
    if output is None:
        (plain(sys.stdout) if printable else sys.stdout).writelines(parts)
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            file.writelines(parts)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None
