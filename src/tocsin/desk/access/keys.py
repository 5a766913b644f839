"""Keys of programs: what there is, made with a secret that is shown once, revoked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.access.changes import AccessChanges
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.translations import N_, translated
from tocsin.desk.visitor import Administrator, Visitor
from tocsin.errors import TocsinError
from tocsin.management import access
from tocsin.moments import iso
from tocsin.store.records.access import MadeKey, Scope
from tocsin.store.records.models import ApiKey

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LONGEST = 3_650  # days for which a key can be good


@dataclass(frozen=True)
class ShownKey:
    """A key as pages show it. `state` is valid, expired or revoked; times are as ISO 8601 writes them."""

    id: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    created: str
    expires: str
    state: str


def shown_keys(keys: Iterable[ApiKey]) -> list[ShownKey]:
    """Return keys as pages show them: those that are valid first, each kind with the newest first."""
    now = datetime.now(UTC)
    shown = [
        ShownKey(
            key.id, key.name, key.owner, tuple(key.scopes), iso(key.created),
            iso(key.expires) if key.expires else "",
            "revoked" if key.revoked else "expired" if key.expires and key.expires <= now else "valid",
        )
        for key in keys
    ]  # fmt: skip
    newest_first = sorted(shown, key=lambda key: key.created, reverse=True)
    return sorted(newest_first, key=lambda key: key.state != "valid")


async def make_key(form: Form, visitor: Visitor, changes: AccessChanges, owner: str) -> tuple[MadeKey | None, str]:
    """Return the key that a form asks for, and what was wrong with it."""
    days = field(form, "days").strip()
    if days and not (days.isascii() and days.isdecimal() and 0 < int(days[:9]) <= _LONGEST):
        problem = N_("A key is good for 1 to %(most)s days, or for ever.")
        return None, translated(visitor.language, problem, most=f"{_LONGEST:,}")
    lives = timedelta(days=int(days)) if days else None
    name, scopes = field(form, "name").strip(), form.get("scope", [])
    try:
        return await changes.run(
            lambda session: access.add_key(session, visitor.actor, name, scopes, lives, owner)
        ), ""
    except TocsinError as error:
        return None, str(error)


@router.get("/access/keys")
async def list_keys(
    request: Request, visitor: Administrator, records: RequestTransactions, done: str = ""
) -> Response:
    """Show every key."""
    return await _page(request, visitor, records, done=done == "revoked")


async def _page(
    request: Request,
    visitor: Visitor,
    records: RequestTransactions,
    made: MadeKey | None = None,
    problem: str = "",
    done: bool = False,
) -> Response:
    def read(session: Session) -> tuple[list[ApiKey], list[str]]:
        return access.visible_keys(session, visitor.actor), [user.name for user in access.all_users(session)]

    keys, owners = await records.run(read)
    return page(
        request, "access/keys.html", visitor, status=400 if problem else 200, keys=shown_keys(keys), owners=owners,
        scopes=list(Scope), made=made, problem=problem, done=done,
    )  # fmt: skip


@router.post("/access/keys")
async def add_key(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions, changes: AccessChanges
) -> Response:
    """Make a key, for a program of anybody, and show it this once."""
    made, problem = await make_key(form, visitor, changes, field(form, "owner") or visitor.actor.name)
    return await _page(request, visitor, records, made, problem)


@router.post("/access/keys/revoke")
async def revoke_key(form: Form, visitor: Administrator, changes: AccessChanges) -> Response:
    """Revoke a key."""
    await changes.run(lambda session: access.revoke_keys(session, visitor.actor, [field(form, "id")]))
    return RedirectResponse("/access/keys?done=revoked", 303)
