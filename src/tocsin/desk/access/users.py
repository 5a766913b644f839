"""Users: who there is, what each may do, and the one-time passwords they begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.access.audit import shown_entries
from tocsin.desk.access.changes import AccessChangeRunner, AccessChanges
from tocsin.desk.access.keys import shown_keys
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.roles import ROLE_DESCRIPTIONS
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Administrator, Visitor
from tocsin.management import access
from tocsin.management.audit import AuditFilter, audit_entries
from tocsin.moments import iso
from tocsin.store.records.access import AccessError, Actor, add_user, change_user, end_sessions, reset_password
from tocsin.store.records.models import User

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ENTRIES = 10  # of the audit log, on a user's page
# What a page says after a change, by what its address says was done.
_DONE = {
    "role": N_("The role is changed. It holds from the next click on."),
    "enabled": N_("The user may log in."),
    "disabled": N_("The user may not log in, and is logged out everywhere."),
    "sessions": N_("The user is logged out everywhere."),
}


@dataclass(frozen=True)
class ShownUser:
    """A user as pages show them; times are as ISO 8601 writes them, empty where there is none."""

    id: int
    name: str
    role: str
    enabled: bool
    one_time: bool
    created: str
    last_login: str
    sessions: int


def _shown(user: User, sessions: dict[int, int]) -> ShownUser:
    last_login = iso(user.last_login) if user.last_login else ""
    return ShownUser(
        user.id, user.name, user.role, user.enabled, user.one_time, iso(user.created), last_login,
        sessions.get(user.id, 0),
    )  # fmt: skip


@router.get("/access")
async def first_page(visitor: Administrator) -> Response:
    """Begin with the users."""
    return RedirectResponse("/access/users", 303)


@router.get("/access/users")
async def list_users(request: Request, visitor: Administrator, records: RequestTransactions) -> Response:
    """Show the users."""
    return await _list(request, visitor, records)


async def _list(
    request: Request, visitor: Visitor, records: RequestTransactions, *, status: int = 200, **context: Any
) -> Response:
    def read(session: Session) -> list[ShownUser]:
        sessions = access.sessions_of_users(session)
        return [_shown(user, sessions) for user in access.all_users(session)]

    defaults = {"problem": "", "name": "", "password": "", "given_role": "analyst"}
    return page(
        request, "access/users.html", visitor, status=status, users=await records.run(read),
        roles=ROLE_DESCRIPTIONS, **{**defaults, **context},
    )  # fmt: skip


@router.post("/access/users")
async def add(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions, changes: AccessChanges
) -> Response:
    """Add a user, and show the one-time password this once."""
    name, role = field(form, "name").strip(), field(form, "role")
    try:
        password = await changes.run(lambda session: add_user(session, visitor.actor, name, role))
    except AccessError as error:
        return await _list(request, visitor, records, status=400, problem=str(error), name=name, given_role=role)
    return await _list(request, visitor, records, password=password, name=name)


@router.get("/access/users/{id_}")
async def show_user(
    request: Request, visitor: Administrator, records: RequestTransactions, id_: int, done: str = ""
) -> Response:
    """Show a user: what they may do, their keys, what they did."""
    return await _user_page(request, visitor, records, id_, done=_DONE.get(done, ""))


async def _user_page(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    id_: int,
    *,
    status: int = 200,
    **context: Any,
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        user = access.user_by_id(session, id_)
        keys = [key for key in access.visible_keys(session, visitor.actor) if key.owner_id == id_]
        entries = audit_entries(session, AuditFilter(actor_id=Actor("", frozenset(), user_id=id_).id), _ENTRIES)
        return {
            "user": _shown(user, access.sessions_of_users(session)), "keys": shown_keys(keys),
            "entries": shown_entries(entries),
        }  # fmt: skip

    context = {"problem": "", "password": "", "done": "", **context, **await records.run(read)}
    return page(request, "access/user.html", visitor, status=status, roles=ROLE_DESCRIPTIONS, **context)


@dataclass(frozen=True)
class EditedUser:
    """A user who is changed on their page, and by whom."""

    request: Request
    visitor: Visitor
    records: TransactionRunner
    changes: AccessChangeRunner
    id_: int

    async def page(self, *, status: int = 200, **context: Any) -> Response:
        """Return the user's page."""
        return await _user_page(self.request, self.visitor, self.records, self.id_, status=status, **context)

    async def by(self, change: Callable[[Session, str], None], done: str) -> Response:
        """Return the user's page after a change, which is given their name."""
        try:
            await self.changes.run(lambda session: change(session, access.user_by_id(session, self.id_).name))
        except AccessError as error:
            return await self.page(status=400, problem=str(error))
        return RedirectResponse(f"/access/users/{self.id_}?done={done}", 303)


async def _user_of_page(
    request: Request, visitor: Administrator, records: RequestTransactions, changes: AccessChanges, id_: int
) -> EditedUser:
    return EditedUser(request, visitor, records, changes, id_)


UserOfPage = Annotated[EditedUser, Depends(_user_of_page)]


@router.post("/access/users/{id_}/role")
async def set_role(form: Form, changed: UserOfPage) -> Response:
    """Give a user another role."""
    role = field(form, "role")

    def change(session: Session, name: str) -> None:
        change_user(session, changed.visitor.actor, name, role)

    return await changed.by(change, "role")


@router.post("/access/users/{id_}/enabled")
async def set_enabled(form: Form, changed: UserOfPage) -> Response:
    """Let a user in or not."""
    enabled = field(form, "enabled") == "true"

    def change(session: Session, name: str) -> None:
        change_user(session, changed.visitor.actor, name, enabled=enabled)

    return await changed.by(change, "enabled" if enabled else "disabled")


@router.post("/access/users/{id_}/sessions")
async def log_out_everywhere(form: Form, changed: UserOfPage) -> Response:
    """End a user's sessions."""

    def change(session: Session, name: str) -> None:
        end_sessions(session, changed.visitor.actor, name)

    return await changed.by(change, "sessions")


@router.post("/access/users/{id_}/password")
async def new_password(form: Form, changed: UserOfPage) -> Response:
    """Give a user a one-time password, and show it this once."""
    actor, id_ = changed.visitor.actor, changed.id_
    password = await changed.changes.run(
        lambda session: reset_password(session, actor, access.user_by_id(session, id_).name)
    )
    return await changed.page(password=password)
