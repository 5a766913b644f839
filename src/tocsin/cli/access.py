"""`tocsin users` and `tocsin keys`: who may use the service. They work on its database, also while it runs."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from tocsin.cli.records import in_records
from tocsin.cli.serve import ConfigFile, Data
from tocsin.cli.shown import shown_time

users_app = typer.Typer(name="users", help="People who may use the service.", no_args_is_help=True)
keys_app = typer.Typer(name="keys", help="Keys of programs that may use the service.", no_args_is_help=True)


@users_app.command("list")
def list_users(config: ConfigFile = None, data: Data = None) -> None:
    """List the users."""
    from rich.table import Table
    from sqlalchemy import select

    from tocsin.cli.console import wide_console
    from tocsin.store.records.models import User

    table = Table("name", "role", "may sign in", "last login (UTC)", box=None, header_style="bold")
    with in_records(config, data) as (session, _):
        for user in session.scalars(select(User).order_by(User.name)):
            last = shown_time(user.last_login)
            table.add_row(user.name, user.role, "yes" if user.enabled else "no", last)
    wide_console(100).print(table)


@users_app.command("add")
def add(
    name: str,
    role: Annotated[str, typer.Option(help="viewer, analyst, engineer or admin.")] = "viewer",
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Add a user, and print the one-time password."""
    from tocsin.store.records.access import add_user

    with in_records(config, data) as (session, actor):
        print(f"one-time password of {name}: {add_user(session, actor, name, role)}")


@users_app.command("password")
def password(name: str, config: ConfigFile = None, data: Data = None) -> None:
    """Set a user's password: asked for, or read from standard input."""
    from tocsin.store.records.access import set_password

    if sys.stdin.isatty():
        given = typer.prompt("new password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    with in_records(config, data) as (session, actor):
        set_password(session, actor, name, given)
    print(f"{name} has a new password; the service takes it within half a minute")


@users_app.command("change")
def change(
    name: str,
    role: Annotated[str | None, typer.Option(help="viewer, analyst, engineer or admin.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Let them in or not.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Give a user another role, or let them in or not."""
    from tocsin.store.records.access import change_user

    with in_records(config, data) as (session, actor):
        change_user(session, actor, name, role, enabled)


@keys_app.command("add")
def add_key(
    name: str,
    scope: Annotated[list[str], typer.Option(help="ingest, read, write_rules, respond or admin; repeatable.")],
    days: Annotated[
        int | None, typer.Option(min=1, help="Days for which it is valid; for ever otherwise.")
    ] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Make a key, and print it: this is the only time that it is shown."""
    from tocsin.store.records.access import add_key

    with in_records(config, data) as (session, actor):
        made = add_key(session, actor, name, scope, None if days is None else timedelta(days=days))
    print(f"id:      {made.id}\napi_key: {made.secret}\nencoded: {made.encoded}")


@keys_app.command("list")
def list_keys(config: ConfigFile = None, data: Data = None) -> None:
    """List the keys."""
    from rich.table import Table
    from sqlalchemy import select

    from tocsin.cli.console import wide_console
    from tocsin.store.records.models import ApiKey

    table = Table(
        "id", "name", "scopes", "owner", "made (UTC)", "valid until (UTC)", box=None, header_style="bold"
    )
    with in_records(config, data) as (session, _):
        for key in session.scalars(select(ApiKey).order_by(ApiKey.created)):
            until = "revoked" if key.revoked else shown_time(key.expires)
            table.add_row(key.id, key.name, ", ".join(key.scopes), key.owner, shown_time(key.created), until)
    wide_console(100).print(table)


@keys_app.command("revoke")
def revoke(ids: list[str], config: ConfigFile = None, data: Data = None) -> None:
    """Revoke keys by their ids."""
    from tocsin.store.records.access import revoke_keys

    with in_records(config, data) as (session, actor):
        done = revoke_keys(session, actor, ids)
    print(f"revoked: {', '.join(done) or 'none'}; the service refuses them within half a minute")
