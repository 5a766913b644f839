"""`tocsin indicators`: lists of indicators of the service. They work on its database, also while it runs."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from tocsin.cli.options import ConfigFile, Data, Wide
from tocsin.cli.records import in_records, open_records
from tocsin.cli.shown import one_line, shown_time
from tocsin.counted import counted

app = typer.Typer(
    name="indicators", help="Lists of indicators, which indicator-match rules read.", no_args_is_help=True
)
_ListName = Annotated[str, typer.Argument(help="The list's name or its id.")]


@app.command("list")
def list_lists(wide: Wide = False, config: ConfigFile = None, data: Data = None) -> None:
    """List the lists of indicators."""
    from tocsin.cli.console import wide_console
    from tocsin.cli.tables import Column, print_table
    from tocsin.response.reputation.indicator_lists import indicator_lists

    columns = (
        Column("name"), Column("indicators", whole=True, right=True), Column("source"), Column("confidence"),
        Column("valid for"), Column("changed (UTC)", whole=True), Column("by"),
        Column("not taken at the last load"),
    )  # fmt: skip
    with in_records(config, data) as (session, _):
        rows = [
            (
                one_line(of.name), f"{of.indicators:,}", one_line(of.source), of.confidence or "",
                "" if of.valid_days is None else counted(of.valid_days, "day"), shown_time(of.updated),
                one_line(of.updated_by),
                "; ".join(f"{count:,} {reason}" for reason, count in of.skipped.items()),
            )
            for of in indicator_lists(session)
        ]  # fmt: skip
    print_table(wide_console(100), columns, rows, wide=wide)


@app.command("load")
def load(
    name: Annotated[str, typer.Argument(help="The list's name; one that is not there is made.")],
    files: Annotated[
        list[str],
        typer.Argument(
            help="STIX bundles, feeds of MISP, CSV, NDJSON or plain lists: files, folders, globs, or -.",
            metavar="FILES...",
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take away what the list has; otherwise the files add to it.")
    ] = False,
    source: Annotated[str, typer.Option(help="Where the indicators of a new list come from.")] = "",
    confidence: Annotated[
        str | None, typer.Option(help="Of indicators of a new list that have none: None, Low, Medium or High.")
    ] = None,
    valid_days: Annotated[
        int | None,
        typer.Option(min=1, help="Days for which indicators of a new list are valid that do not say until when."),
    ] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Load a list with the indicators of files, and say what was not taken, and why."""
    from tocsin.errors import NotFoundError
    from tocsin.response.reputation.indicator_lists import NewList, find_list, load_list, make_list
    from tocsin.sources.indicators import read_indicators
    from tocsin.store.records.access import local_actor

    read = read_indicators(files)
    with open_records(config, data) as records:
        actor = local_actor(getpass.getuser())
        with records.transaction() as session:
            try:
                find_list(session, name)
            except NotFoundError:
                make_list(session, actor, NewList(name, source, confidence, valid_days))
        result = load_list(records, actor, name, read, replace=replace, go_on=lambda: None)
    print(f"{one_line(name)}: {counted(result.taken, 'indicator')} taken, {result.indicators:,} in the list")
    for reason, count in result.skipped.items():
        print(f"{count:,} not taken: {one_line(reason)}")


@app.command("remove")
def remove(
    name: _ListName,
    value: Annotated[
        list[str] | None,
        typer.Option(help="Remove the indicators with this value, and keep the list; repeatable."),
    ] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Remove a list, or single indicators of it."""
    from tocsin.response.reputation.indicator_lists import find_list, remove_indicators, remove_list
    from tocsin.store.records.access import local_actor

    with open_records(config, data) as records:
        actor = local_actor(getpass.getuser())
        if value:
            removed = remove_indicators(records, actor, name, value, lambda: None)
            print(f"{counted(removed, 'indicator')} removed from {one_line(name)}")
            return
        with records.transaction() as session:
            count = find_list(session, name).indicators
            remove_list(session, actor, name)
    print(f"{one_line(name)} is removed, with {counted(count, 'indicator')}")
