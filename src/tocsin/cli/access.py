"""`tocsin users` and `tocsin keys`: who may use the service. They work on its database, also while it runs."""

from __future__ import annotations

import shlex
import sys
from datetime import timedelta
from typing import Annotated

import typer

from tocsin.cli.choices import KeyScope, Role
from tocsin.cli.options import ConfigFile, Data, Wide
from tocsin.cli.records import beginning_with, in_records
from tocsin.cli.shown import one_line, shown_time

UserName = Annotated[str, typer.Argument(help="The user's name.")]
users_app = typer.Typer(name="users", help="People who may use the service.", no_args_is_help=True)
keys_app = typer.Typer(name="keys", help="Keys of programs that may use the service.", no_args_is_help=True)


@users_app.command("list")
def list_users(wide: Wide = False, config: ConfigFile = None, data: Data = None) -> None:
    """List the users."""
    from sqlalchemy import select

    from tocsin.cli.console import wide_console
    from tocsin.cli.tables import Column, print_table
    from tocsin.store.records.models import User

    columns = (
        Column("name"),
        Column("role", whole=True),
        Column("may sign in"),
        Column("last login (UTC)", whole=True),
    )
    with in_records(config, data) as (session, _):
        rows = [
            (one_line(user.name), user.role, "yes" if user.enabled else "no", shown_time(user.last_login))
            for user in session.scalars(select(User).order_by(User.name))
        ]
    print_table(wide_console(100), columns, rows, wide=wide)


@users_app.command("add")
def add(
    name: UserName,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VIEWER,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Add a user, and print the one-time password."""
    from tocsin.store.records.access import add_user

    with in_records(config, data, new=True) as (session, actor):
        print(f"one-time password of {one_line(name)}: {add_user(session, actor, name, role)}")


@users_app.command("password")
def password(name: UserName, config: ConfigFile = None, data: Data = None) -> None:
    """Set a user's password: asked for, or read from standard input."""
    from tocsin.store.records.access import AccessError, find_user, has_admin, set_password

    with in_records(config, data) as (session, _):
        try:
            find_user(session, name)
        except AccessError as error:
            raise AccessError(error.message, hint=_hint(name, has_admin(session))) from None
    if sys.stdin.isatty():
        given = typer.prompt("new password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    with in_records(config, data) as (session, actor):
        set_password(session, actor, name, given)
    print(f"{one_line(name)} has a new password; the service takes it within half a minute")


def _hint(name: str, has_admin: bool) -> str:
    if has_admin:
        return "`tocsin users list` names them, `tocsin users add` adds one"
    return f"no user has the role admin: `tocsin users add {shlex.quote(name)} --role admin` adds one"


@users_app.command("change")
def change(
    name: UserName,
    role: Annotated[Role | None, typer.Option(help="What they may do from now on.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Let them in or not.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Give a user another role, or let them in or not."""
    from tocsin.store.records.access import AccessError, change_user, find_user

    with in_records(config, data) as (session, actor):
        if role is None and enabled is None:
            raise AccessError("nothing to change", hint="give --role, --enable or --disable")
        change_user(session, actor, name, role, enabled)
        user = find_user(session, name)
        lets = "may sign in" if user.enabled else "may not sign in"
        print(f"{one_line(user.name)} has the role {user.role} and {lets}")


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What the key is for, as `keys list` shows it.")],
    scope: Annotated[list[KeyScope], typer.Option(help="What it may do; repeatable.")],
    days: Annotated[
        int | None, typer.Option(min=1, help="Days for which it is valid; for ever otherwise.")
    ] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Make a key, and print it: this is the only time that it is shown."""
    from tocsin.store.records.access import add_key

    with in_records(config, data, new=True) as (session, actor):
        made = add_key(session, actor, name, scope, None if days is None else timedelta(days=days))
    print(f"id:      {made.id}\napi_key: {made.secret}\nencoded: {made.encoded}")


@keys_app.command("list")
def list_keys(wide: Wide = False, config: ConfigFile = None, data: Data = None) -> None:
    """List the keys."""
    from sqlalchemy import select

    from tocsin.cli.console import wide_console
    from tocsin.cli.tables import Column, print_table
    from tocsin.store.records.models import ApiKey

    columns = (
        Column("id", whole=True), Column("name"), Column("scopes"), Column("owner"),
        Column("made (UTC)", whole=True), Column("valid until (UTC)", whole=True),
    )  # fmt: skip
    with in_records(config, data) as (session, _):
        rows = [
            (
                key.id, one_line(key.name), ", ".join(key.scopes), one_line(key.owner), shown_time(key.created),
                "revoked" if key.revoked else shown_time(key.expires) or "for ever",
            )
            for key in session.scalars(select(ApiKey).order_by(ApiKey.created))
        ]  # fmt: skip
    print_table(wide_console(130), columns, rows, wide=wide)


@keys_app.command("revoke")
def revoke(
    ids: Annotated[list[str], typer.Argument(help="Ids of keys, or their beginnings.", metavar="ID...")],
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Revoke keys by their ids; none, where one of them names no key."""
    from tocsin.store.records.access import revoke_keys
    from tocsin.store.records.models import ApiKey

    with in_records(config, data) as (session, actor):
        keys = beginning_with(session, ApiKey, ids, "key", "`tocsin keys list` shows them")
        before = [key.id for key in keys if key.revoked]
        done = revoke_keys(session, actor, [key.id for key in keys])
    for id_ in before:
        print(f"{id_} was revoked already")
    if done:
        them = "it" if len(done) == 1 else "them"
        print(f"revoked: {', '.join(done)}; the service refuses {them} within half a minute")
