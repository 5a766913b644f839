"""Logging in and out: by password, by a link that is good once, and the first password of one's own."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import RunningService, service_of
from tocsin.api.security import COOKIE, address_of, is_encrypted
from tocsin.desk.access.changes import AccessChanges
from tocsin.desk.access.cookies import keep_in_browser
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute, path_of
from tocsin.desk.pages import page
from tocsin.desk.translations import LANGUAGES, N_, translated
from tocsin.desk.visitor import LANGUAGE_COOKIE, Anybody, language_of
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Actor
from tocsin.store.records.models import User

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def log_in_page(request: Request, next: str = "/alerts") -> Response:
    """Show the log-in page."""
    return page(request, "access/log_in.html", None, next=path_of(next), problem="")


@router.post("/login/language")
async def choose_language(request: Request, form: Form) -> Response:
    """Keep the language of pages in the browser, and show the log-in page in it."""
    language = field(form, "language")
    onward = quote(path_of(field(form, "next") or "/alerts"), safe="")
    reply = RedirectResponse(f"/login?next={onward}", 303)
    keep_in_browser(request, reply, LANGUAGE_COOKIE, language if language in LANGUAGES else "")
    return reply


@router.post("/login")
async def log_in(request: Request, form: Form, service: RunningService) -> Response:
    """Begin a session; a wrong password shows the page again."""
    name, onward = field(form, "name"), path_of(field(form, "next") or "/alerts")
    try:
        actor = await run_in_threadpool(
            service.gate.check_password, name, field(form, "password"), address_of(request)
        )
    except ApiError as error:
        return page(request, "access/log_in.html", None, status=error.status, next=onward, problem=error.reason)
    if actor is None:
        problem = translated(language_of(request), N_("The name or the password is wrong."))
        return page(request, "access/log_in.html", None, status=401, next=onward, problem=problem)
    return await begin_session(request, actor, "/password" if actor.one_time else onward)


@router.get("/login/once/{token}")
async def log_in_once(request: Request, service: RunningService, token: str) -> Response:
    """Begin a session by a link, unless one is there already: a link logs nobody in as somebody else."""
    cookie, address = request.cookies.get(COOKIE), address_of(request)
    if cookie and await run_in_threadpool(service.gate.check_cookie, cookie, address) is not None:
        return RedirectResponse("/alerts", 303)
    links: OnceLinks = request.app.state.once_links
    name = links.take(token)

    def find() -> Actor | None:
        with service.records.transaction() as session:
            user = session.scalar(select(User).where(User.name == name, User.enabled))
            return None if user is None else access.logged_in(user, address_of(request))

    actor = await run_in_threadpool(find) if name else None
    if actor is None:
        problem = translated(
            language_of(request), N_("This link is used up, or too old. Log in with your password.")
        )
        return page(request, "access/log_in.html", None, status=401, next="/alerts", problem=problem)
    return await begin_session(request, actor, "/alerts")


async def begin_session(request: Request, actor: Actor, onward: str) -> Response:
    """Begin a session of somebody, and lead on to a page."""
    records = service_of(request).records

    def begin() -> str:
        with records.transaction() as session:
            return access.sign_in(session, actor).token

    reply = RedirectResponse(onward, 303)
    lives = access.SESSION_HOURS * 3600
    token = await run_in_threadpool(begin)
    # Lax, so that a link in a message leads to its page; what changes something needs the session's token beside.
    reply.set_cookie(COOKIE, token, lives, path="/", httponly=True, samesite="lax", secure=is_encrypted(request))
    return reply


@router.post("/logout")
async def log_out(request: Request, form: Form, visitor: Anybody, service: RunningService) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE, "")

    def end() -> None:
        with service.records.transaction() as session:
            access.sign_out(session, visitor.actor, token)

    await run_in_threadpool(end)
    reply = RedirectResponse("/login", 303)
    reply.delete_cookie(COOKIE, path="/")
    return reply


@router.get("/password")
async def password_page(request: Request, visitor: Anybody) -> Response:
    """Show where a password of one's own is set, in the place of a one-time password."""
    if not visitor.actor.one_time:
        return RedirectResponse("/settings", 303)
    return page(request, "access/password.html", visitor, problem="")


@router.post("/password")
async def set_first_password(request: Request, form: Form, visitor: Anybody, changes: AccessChanges) -> Response:
    """Set a password in the place of a one-time password, which ends all sessions, and begin a new one."""
    if not visitor.actor.one_time:
        raise ApiError(403, "security_exception", "a password that is no one-time password is set at /settings")
    password = field(form, "password")
    if password != field(form, "again"):
        problem = translated(visitor.language, N_("The two passwords differ."))
        return page(request, "access/password.html", visitor, status=400, problem=problem)

    def change(session: Session) -> Actor:
        access.set_password(session, visitor.actor, visitor.actor.name, password)
        return access.as_actor(access.find_user(session, visitor.actor.name), address_of(request))

    try:
        actor = await changes.run(change)
    except AccessError as error:
        return page(request, "access/password.html", visitor, status=400, problem=str(error))
    return await begin_session(request, actor, "/alerts")
