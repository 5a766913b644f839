"""`tocsin hosts`: hosts that run osquery. They work on the service's records, also while it runs."""

from __future__ import annotations

import time
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.options import ConfigFile, Data, Wide
from tocsin.cli.records import in_records, open_records
from tocsin.errors import InvalidError, NotFoundError, TocsinError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.database import Records
    from tocsin.store.records.hosts import OsqueryHost

app = typer.Typer(name="hosts", help="Hosts that run osquery: enrol them, ask them.", no_args_is_help=True)
_HINT = "`tocsin hosts list` shows those that have enrolled"
_LOOK = 0.5  # seconds between looks for rows
_Host = Annotated[str, typer.Argument(help="A host's name, id or hardware UUID.", metavar="HOST")]


class HostPlatform(StrEnum):
    """A platform, as osquery calls it."""

    WINDOWS = "windows"
    LINUX = "linux"
    DARWIN = "darwin"


class RowFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"


@app.command("list")
def list_hosts(
    json: Annotated[bool, typer.Option("--json", help="A host a line.")] = False,
    wide: Wide = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """List the hosts that have enrolled: platform, version, when they were seen, and whether they are revoked."""
    import orjson

    from tocsin.cli.console import wide_console
    from tocsin.cli.shown import one_line, shown_time
    from tocsin.cli.tables import Column, print_table
    from tocsin.response.hosts.enrollment import all_hosts, host_document

    with in_records(config, data) as (session, _):
        hosts = all_hosts(session)
        if json:
            for host in hosts:
                print(orjson.dumps(host_document(host)).decode())
            return
        if not hosts:
            print("no host has enrolled: `tocsin hosts secret` and `tocsin hosts flags` say how one does")
            return
        columns = (
            Column("name"), Column("platform", whole=True), Column("system"), Column("osquery", whole=True),
            Column("last seen (UTC)", whole=True), Column("state", whole=True), Column("id", whole=True),
        )  # fmt: skip
        rows = [
            (
                one_line(host.name), host.platform or "?", one_line(f"{host.os_name} {host.os_version}".strip()),
                one_line(host.osquery_version), shown_time(host.last_seen),
                "revoked" if host.revoked else "enrolled", host.id,
            )
            for host in hosts
        ]  # fmt: skip
    print_table(wide_console(120), columns, rows, wide=wide)


@app.command("flags")
def flags(
    url: Annotated[str, typer.Argument(help="Where hosts reach the service.", metavar="https://HOST:PORT")],
    platform: Annotated[HostPlatform, typer.Option(help="What the hosts run.")] = HostPlatform.WINDOWS,
    interval: Annotated[
        int, typer.Option(min=1, max=3600, help="Seconds after which a host asks for queries again.")
    ] = 10,
    carves: Annotated[bool, typer.Option("--carves", help="Let queries collect files.")] = False,
    certificates: Annotated[
        str, typer.Option("--tls-server-certs", help="The file of the authority's certificate on the host.")
    ] = "",
    secret_path: Annotated[
        str, typer.Option("--enroll-secret-path", help="The file of the enrolment secret on the host.")
    ] = "",
) -> None:
    """Print a flag file for stock osqueryd: `tocsin hosts flags https://tocsin.example:9200 > osquery.flags`."""
    from tocsin.response.hosts.flag_file import FlagFile

    print(FlagFile(url, platform.value, interval, carves, certificates, secret_path).text(), end="")


@app.command("secret")
def secret(
    name: Annotated[str, typer.Option(help="What it is called.")] = "",
    rotate: Annotated[bool, typer.Option("--rotate", help="Take the former ones a day longer at most.")] = False,
    overlap: Annotated[
        int, typer.Option(min=0, help="With --rotate: hours for which the former ones are taken still.")
    ] = 24,
    revoke: Annotated[
        str | None, typer.Option(help="Take the secret of this id no more.", metavar="ID", show_default=False)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the secrets, which are not shown again.")] = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Make a secret for hosts to enrol with, and print it: once. Hosts that have enrolled keep their keys."""
    from tocsin.response.hosts.enrollment import add_secret, revoke_secret, rotate_secret

    if list_:
        _list_secrets(config, data)
        return
    with in_records(config, data) as (session, actor):
        if revoke is not None:
            print(f"the secret {revoke_secret(session, actor, revoke).name} is taken no more")
            return
        made = (
            rotate_secret(session, actor, name, timedelta(hours=overlap))
            if rotate
            else add_secret(session, actor, name)
        )
    print(made.secret)


def _list_secrets(config: Any, data: Any) -> None:
    from tocsin.cli.console import wide_console
    from tocsin.cli.shown import one_line, shown_time
    from tocsin.cli.tables import Column, print_table
    from tocsin.response.hosts.enrollment import enrollment_secrets, is_valid

    columns = (
        Column("name"), Column("made (UTC)", whole=True), Column("by"), Column("until (UTC)", whole=True),
        Column("state", whole=True), Column("id", whole=True),
    )  # fmt: skip
    with in_records(config, data) as (session, _):
        rows = [
            (one_line(kept.name), shown_time(kept.created), one_line(kept.created_by), shown_time(kept.expires),
             "taken" if is_valid(kept) else "taken no more", kept.id)
            for kept in enrollment_secrets(session)
        ]  # fmt: skip
    print_table(wide_console(100), columns, rows)


@app.command("revoke")
def revoke(host: _Host, config: ConfigFile = None, data: Data = None) -> None:
    """Take a host's key from it. It stays out, whatever secret it shows, until `tocsin hosts admit`."""
    from tocsin.response.hosts.enrollment import revoke_host

    with in_records(config, data) as (session, actor):
        kept = _one_host(session, host)
        revoke_host(session, actor, kept.id)
    print(f"{kept.name} is revoked; the service takes nothing from it within a second or two")


@app.command("admit")
def admit(host: _Host, config: ConfigFile = None, data: Data = None) -> None:
    """Let a host that was revoked enrol again, which it does by itself."""
    from tocsin.response.hosts.enrollment import readmit_host

    with in_records(config, data) as (session, actor):
        kept = _one_host(session, host)
        readmit_host(session, actor, kept.id)
    print(f"{kept.name} may enrol again")


@app.command("query")
def query(
    sql: Annotated[str, typer.Argument(help="A query in SQL, over osquery's tables.", metavar="SQL")],
    host: Annotated[
        list[str] | None, typer.Option("--host", help="A host's name or id; repeatable.", show_default=False)
    ] = None,
    all_hosts: Annotated[bool, typer.Option("--all", help="Every host that has enrolled.")] = False,
    platform: Annotated[
        HostPlatform | None, typer.Option("--only", help="With --all: those of this platform.", show_default=False)
    ] = None,
    timeout: Annotated[int, typer.Option(min=10, max=86_400, help="Seconds until hosts are given up.")] = 300,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send it also where osquery has no such table or column.")
    ] = False,
    form: Annotated[RowFormat, typer.Option("--format", help="How rows are printed.")] = RowFormat.TABLE,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Ask hosts, and print the rows. A service has to run: hosts come to it. Ctrl-C cancels the query."""
    with open_records(config, data) as records:
        with records.transaction() as session:
            ids = _wanted(session, host or [], every=all_hosts, platform=platform)
        run_query(records, sql, ids, seconds=timeout, unchecked=unchecked, form=form)


def _wanted(session: Session, names: list[str], *, every: bool, platform: HostPlatform | None) -> list[str]:
    from tocsin.response.hosts.enrollment import all_hosts

    if not every:
        return [_one_host(session, name).id for name in names]
    if names:
        raise InvalidError("--all and --host exclude each other")
    hosts = [kept for kept in all_hosts(session) if kept.revoked is None]
    return [kept.id for kept in hosts if platform is None or kept.platform == platform.value]


def run_query(
    records: Records, sql: str, host_ids: list[str], *, seconds: int = 300, unchecked: bool = False,
    form: RowFormat = RowFormat.TABLE, name: str = "", alert_id: str | None = None,
) -> None:  # fmt: skip
    """Ask hosts, wait for them, and print the rows. Raises TocsinError."""
    import getpass

    from tocsin.cli.host_rows import print_answers
    from tocsin.response.hosts.live_queries import (
        NewLiveQuery,
        cancel_live_query,
        create_live_query,
        progress_of,
    )
    from tocsin.store.records.access import local_actor

    actor = local_actor(getpass.getuser())
    with records.transaction() as session:
        asked = NewLiveQuery(sql, host_ids, name, timedelta(seconds=seconds), alert_id, unchecked=unchecked)
        kept = create_live_query(session, actor, asked)
    for remark in kept.remarks:
        typer.echo(f"note: {remark}", err=True)
    try:
        while True:
            with records.transaction() as session:
                progress = progress_of(session, kept.id)
            if not progress.is_running:
                break
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        with records.transaction() as session:
            cancel_live_query(session, actor, kept.id)
        typer.echo("cancelled", err=True)
    with records.transaction() as session:
        print_answers(session, kept, form)


def _one_host(session: Session, text: str) -> OsqueryHost:
    """Return the host that a text stands for. Raises TocsinError."""
    from tocsin.response.hosts.enrollment import hosts_named

    hosts = hosts_named(session, text)
    if not hosts:
        raise NotFoundError(f"no host `{text}` has enrolled", hint=_HINT)
    if len(hosts) > 1:
        raise TocsinError(f"several hosts are called `{text}`", hint=f"{_HINT}: give an id")
    return hosts[0]
