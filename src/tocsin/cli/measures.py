"""`tocsin measures`: how fast alerts are raised, taken up and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.choices import MeasuredBy, MeasuredClosings, MeasuresTable
from tocsin.cli.options import ConfigFile, Data, SpanEnd, Wide
from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.response.measures.figures import DurationFigures
    from tocsin.response.measures.groups import Measured


def measures(
    since: Annotated[
        str, typer.Option("--from", help="Where the span begins: a date, or as in now-7d.")
    ] = "now-30d",
    until: SpanEnd = "now",
    by: Annotated[MeasuredBy, typer.Option("--by", help="What alerts are measured by.")] = MeasuredBy.RULE,
    closings: Annotated[
        MeasuredClosings, typer.Option("--closings", help="Whose closings MTTR counts.")
    ] = MeasuredClosings.PEOPLE,
    csv: Annotated[
        MeasuresTable | None, typer.Option("--csv", help="Write this table as CSV, spans of time in seconds.")
    ] = None,
    wide: Wide = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Show MTTD, MTTA and MTTR: medians, means and 90th percentiles, by rule, severity or host group.

    Detecting lasts from the event to the alert, acknowledging from the alert until a person first acknowledged or
    assigned it, responding until it was closed at last. What was taken back does not count.
    """
    import sys
    from datetime import UTC, datetime

    from tocsin.cli.records import in_records, open_records
    from tocsin.investigation.timeline_csv import csv_line
    from tocsin.response.measures.figures import Closings
    from tocsin.response.measures.groups import Measured, MeasureGrouping
    from tocsin.response.measures.host_groups import host_groups
    from tocsin.response.measures.measured_alerts import MeasuredAlertsReader
    from tocsin.response.measures.tables import csv_rows
    from tocsin.store.alerts.alert_index import AlertIndex

    now = datetime.now(UTC)
    start, end = _bounds(since, until, now)
    with open_records(config, data) as records:
        alerts = MeasuredAlertsReader(records, AlertIndex(records)).read()
    with in_records(config, data) as (session, actor):
        groups = host_groups(session, actor)
        measured = Measured(alerts, start, end, MeasureGrouping(by.value), groups, None, Closings(closings.value))
        if csv is None:
            _print(measured, wide=wide)
            return
        for row in csv_rows(session, measured, csv.value, now):
            sys.stdout.buffer.write(csv_line(row))
        sys.stdout.buffer.flush()


def _bounds(since: str, until: str, now: datetime) -> tuple[int, int]:
    from tocsin.date_math import parse_date_math
    from tocsin.moments import EPOCH, datetime_nanoseconds

    try:
        start, end = (datetime_nanoseconds(max(parse_date_math(text, now), EPOCH)) for text in (since, until))
    except (ValueError, OverflowError) as error:
        raise TocsinError(f"the time cannot be read: {error}", hint="a date, or as in now-7d") from None
    if start >= end:
        raise TocsinError("the span ends before it begins", hint="--from names the earlier moment")
    return start, end


def _print(measured: Measured, *, wide: bool) -> None:
    from tocsin.cli.console import wide_console
    from tocsin.cli.tables import Column, print_table
    from tocsin.response.measures.figures import Measure, figures_of
    from tocsin.response.measures.groups import CountedAs
    from tocsin.response.measures.tables import group_label

    counts = {kind: f"{int(measured.marks(kind).sum()):,}" for kind in CountedAs}
    print(
        f"raised: {counts[CountedAs.RAISED]}, of them waiting for somebody: {counts[CountedAs.WAITING]}; "
        f"closed by people: {counts[CountedAs.CLOSED]}, as false positives: {counts[CountedAs.FALSE_POSITIVE]}; "
        f"closed automatically: {counts[CountedAs.AUTOMATIC]}"
    )
    names = ("median", "mean", "p90", "alerts")
    console = wide_console(110)
    overall = [(measure.upper(), *_cells(figures_of(measured.durations(measure).seconds))) for measure in Measure]
    print_table(console, [Column("of all", whole=True), *(Column(name, whole=True) for name in names)], overall)
    for measure in Measure:
        columns = [Column(measured.grouping.replace("_", " ")), *(Column(name, whole=True) for name in names)]
        rows: list[tuple[Any, ...]] = [
            (group_label(measured, group.value) or "none", *_cells(figures))
            for group in measured.by_group()
            if (figures := group.figures[measure])
        ]
        if rows:
            print_table(console, columns, rows, wide=wide, title=f"\n{measure.upper()}")


def _cells(figures: DurationFigures | None) -> tuple[str, ...]:
    from tocsin.response.measures.figures import took

    if figures is None:
        return "", "", "", "0"
    return took(figures.median), took(figures.mean), took(figures.p90), f"{figures.count:,}"
