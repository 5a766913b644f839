"""Own settings: how pages look, the password, and the keys of one's own programs."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import RunningService
from tocsin.api.security import address_of
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.access.changes import AccessChanges
from tocsin.desk.access.cookies import keep_in_browser
from tocsin.desk.access.keys import make_key, shown_keys
from tocsin.desk.access.log_in import begin_session
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.translations import LANGUAGES, N_, translated
from tocsin.desk.visitor import (
    CHOSEN_ZONE_COOKIE,
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    ZONE_COOKIE,
    Reader,
    Visitor,
    known_zone,
)
from tocsin.management import access
from tocsin.store.records.access import AccessError, Actor, as_actor, find_user, set_password

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# What a page says after a change, by what its address says was done.
_DONE = {
    "look": N_("Pages look so from now on, in this browser."),
    "password": N_("Your password is changed. Other browsers are logged out."),
    "revoked": N_("The key is revoked."),
}


@router.get("/settings")
async def show_settings(
    request: Request, visitor: Reader, records: RequestTransactions, done: str = ""
) -> Response:
    """Show one's own settings."""
    return await _page(request, visitor, records, done=_DONE.get(done, ""))


async def _page(
    request: Request, visitor: Visitor, records: RequestTransactions, *, status: int = 200, **context: Any
) -> Response:
    def read(session: Session) -> list[Any]:
        return [key for key in access.visible_keys(session, visitor.actor) if visitor.actor.owns(key)]

    chosen, zone = request.cookies.get(CHOSEN_ZONE_COOKIE, ""), known_zone(request.cookies.get(ZONE_COOKIE, ""))[1]
    return page(
        request, "access/settings.html", visitor, status=status,
        **{
            "keys": shown_keys(await records.run(read)), "zones": _zones(), "themes": THEMES, "done": "",
            "chosen_zone": known_zone(chosen)[1] if chosen else "", "browser_zone": zone, "made": None,
            "password_problem": "", "key_problem": "", "scopes": access.scopes_of(visitor.actor), **context,
        },
    )  # fmt: skip


@router.post("/settings")
async def change_look(request: Request, form: Form, visitor: Reader) -> Response:
    """Keep zone, language and theme in the browser."""
    zone, language, theme = field(form, "zone"), field(form, "language"), field(form, "theme")
    reply = RedirectResponse("/settings?done=look", 303)
    keep_in_browser(request, reply, CHOSEN_ZONE_COOKIE, zone if zone in _zones() else "")
    keep_in_browser(request, reply, LANGUAGE_COOKIE, language if language in LANGUAGES else "")
    keep_in_browser(request, reply, THEME_COOKIE, theme if theme in THEMES and theme != "auto" else "")
    return reply


@router.post("/settings/password")
async def change_password(
    request: Request,
    form: Form,
    visitor: Reader,
    service: RunningService,
    records: RequestTransactions,
    changes: AccessChanges,
) -> Response:
    """Set another password, which ends all sessions, and begin a new one. It takes the one there is."""
    name, password = visitor.actor.name, field(form, "password")

    async def refused(status: int, problem: str) -> Response:
        return await _page(request, visitor, records, status=status, password_problem=problem)

    if password != field(form, "again"):
        return await refused(400, translated(visitor.language, N_("The two passwords differ.")))
    try:
        known = await run_in_threadpool(
            service.gate.check_password, name, field(form, "current"), address_of(request)
        )
    except ApiError as error:
        return await refused(error.status, error.reason)
    if known is None:
        return await refused(403, translated(visitor.language, N_("The password you have now is another one.")))

    def change(session: Session) -> Actor:
        set_password(session, visitor.actor, name, password)
        return as_actor(find_user(session, name), address_of(request))

    try:
        actor = await changes.run(change)
    except AccessError as error:
        return await refused(400, str(error))
    return await begin_session(request, actor, "/settings?done=password")


@router.post("/settings/keys")
async def add_own_key(
    request: Request, form: Form, visitor: Reader, records: RequestTransactions, changes: AccessChanges
) -> Response:
    """Make a key for a program of one's own, and show it this once."""
    made, problem = await make_key(form, visitor, changes, visitor.actor.name)
    status = 400 if problem else 200
    return await _page(request, visitor, records, status=status, made=made, key_problem=problem)


@router.post("/settings/keys/revoke")
async def revoke_own_key(form: Form, visitor: Reader, changes: AccessChanges) -> Response:
    """Revoke a key of one's own."""
    await changes.run(lambda session: access.revoke_keys(session, visitor.actor, [field(form, "id")]))
    return RedirectResponse("/settings?done=revoked", 303)


@cache
def _zones() -> list[str]:
    """Return the names of zones, without their old ones."""
    old = ("Etc/", "SystemV/", "US/")
    return [*sorted(name for name in available_timezones() if "/" in name and not name.startswith(old)), "UTC"]
