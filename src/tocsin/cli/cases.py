"""`tocsin cases`: cases of the service, what is done in them, their reports, and whether their logs hold."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.choices import ClosingReason
from tocsin.cli.options import ConfigFile, Data
from tocsin.cli.records import in_records

app = typer.Typer(name="cases", help="Cases: what is done about alerts.", no_args_is_help=True)
_Case = Annotated[str, typer.Argument(help="The case's number or id.", metavar="CASE")]
_Alerts = Annotated[list[str], typer.Argument(help="Ids of alerts.", metavar="ALERT...")]


class CaseStatus(StrEnum):
    """What a case is."""

    OPEN = "open"
    IN_PROGRESS = "in-progress"
    CLOSED = "closed"


class ReportForm(StrEnum):
    """What a report is written as."""

    HTML = "html"
    MARKDOWN = "markdown"


@app.command("list")
def list_cases(
    status: Annotated[CaseStatus | None, typer.Option(help="Only those that are so; else all but closed.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Only those to be followed up now.")] = False,
    search: Annotated[str, typer.Option(help="Words of the title or description, or a number.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most, those changed last.")] = 50,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """List cases, those changed last first."""
    from datetime import UTC, datetime

    from tocsin.response.cases.listing import CaseFilter, count_cases, find_cases

    statuses = (status.value,) if status else ("open", "in-progress")
    wanted = CaseFilter(statuses, search=search, due=datetime.now(UTC) if due else None)
    with in_records(config, data) as (session, _):
        cases = find_cases(session, wanted, size=limit, sort="updatedAt")
        count = count_cases(session, wanted)
        for case in cases:
            follow_up = f", follow up on {case.follow_up:%Y-%m-%d %H:%M} UTC" if case.follow_up else ""
            print(f"#{case.number}  {case.severity}  {case.status}  {case.title}  ({case.owner}{follow_up})")
    if not cases:
        print("no cases that are so")
    elif count > limit:
        print(f"these are {limit:,} of {count:,}: --limit {limit * 10} shows more")


@app.command("new")
def new(
    title: Annotated[str, typer.Argument(help="The title of the case.")],
    alerts: Annotated[list[str] | None, typer.Option("--alert", help="Id of an alert; again for more.")] = None,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag; again for more.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Make a case, and say what its number is."""
    from tocsin.response.cases.cases import NewCase, make_case

    with in_records(config, data) as (session, actor):
        made = make_case(session, actor, NewCase(title, description, tags=tags or (), alerts=alerts or ()))
        print(f"#{made.case.number} {made.case.id}: {len(made.alerts.added):,} alerts")
        for unknown in made.alerts.unknown:
            print(f"there is no alert {unknown}")


@app.command("add")
def add(case: _Case, alerts: _Alerts, config: ConfigFile = None, data: Data = None) -> None:
    """Add alerts to a case."""
    from tocsin.response.cases.case_alerts import add_alerts

    with in_records(config, data) as (session, actor):
        attached = add_alerts(session, actor, case, alerts)
    print(f"added: {len(attached.added):,}")
    for unknown in attached.unknown:
        print(f"there is no alert {unknown}")


@app.command("comment")
def comment(
    case: _Case,
    text: Annotated[str, typer.Argument(help="What to say; `@name` calls a user.")],
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Add a comment to a case."""
    from tocsin.response.cases.comments import add_comment

    with in_records(config, data) as (session, actor):
        mentions = add_comment(session, actor, case, text).mentions
    print(f"added; it mentions {', '.join(mentions)}" if mentions else "added")


@app.command("status")
def set_status(
    case: _Case,
    status: Annotated[CaseStatus, typer.Argument(help="What it becomes.")],
    reason: Annotated[ClosingReason | None, typer.Option(help="Why it is closed.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Open, take up or close a case; its alerts follow where they are to."""
    from tocsin.response.cases.cases import change_case

    with in_records(config, data) as (session, actor):
        values = {"status": status.value, **({"close_reason": reason.value} if reason else {})}
        changed = change_case(session, actor, case, values)
        print(f"#{changed.number} {changed.status}")


@app.command("report")
def report(
    case: _Case,
    form: Annotated[ReportForm, typer.Option("--format", help="What it is written as.")] = ReportForm.MARKDOWN,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else it is printed.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Write a case as a page that needs nothing else, or as Markdown."""
    from tocsin.response.cases.report import case_report

    with in_records(config, data) as (session, _):
        made = case_report(session, case)
    text = made.html() if form is ReportForm.HTML else made.markdown()
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, "utf-8")


@app.command("verify")
def verify_logs(
    case: Annotated[str, typer.Argument(help="The case's number or id; without one all cases.")] = "",
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Check that nobody has changed the activity logs and the evidence of cases.

    Each entry holds the hash of the one before it, the audit log the hash of each. Ends with 1 where something is
    wrong.
    """
    from sqlalchemy import func, select

    from tocsin.errors import NotFoundError
    from tocsin.response.cases.activity import verify
    from tocsin.response.cases.locking import find_case
    from tocsin.store.records.cases import CaseActivity

    with in_records(config, data) as (session, _):
        try:
            id_ = find_case(session, case).id if case else None
        except NotFoundError:  # it may have been removed: its log is there by its id
            id_ = case
            if session.scalar(select(CaseActivity.id).where(CaseActivity.case_id == case).limit(1)) is None:
                raise
        faults = verify(session, id_)
        count = session.scalar(select(func.count(func.distinct(CaseActivity.case_id))))
    for fault in faults:
        print(f"case {fault.case_id}, entry {fault.sequence}: {fault.reason}")
    if faults:
        raise typer.Exit(1)
    print(f"the log of {case} holds" if case else f"the logs of {count:,} cases hold")
