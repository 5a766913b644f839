"""Logging in and out: by password, by a link that is good once, and the first password of one's own."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import RunningService, service_of
from tocsin.api.security import COOKIE, address_of, is_encrypted
from tocsin.desk.forms import Form, field
from tocsin.desk.once_links import OnceLinks
from tocsin.desk.page_route import PageRoute, path_of
from tocsin.desk.pages import page
from tocsin.desk.visitor import Anybody
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Actor
from tocsin.store.records.models import User

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login")
async def log_in_page(request: Request, next: str = "/alerts") -> Response:
    """Show the log-in page."""
    return page(request, "access/log_in.html", None, next=path_of(next), problem="")


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
        problem = "The name or the password is wrong."
        return page(request, "access/log_in.html", None, status=401, next=onward, problem=problem)
    return await _signed_in(request, actor, "/password" if actor.one_time else onward)


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
            return None if user is None else access.as_actor(user, address_of(request))

    actor = await run_in_threadpool(find) if name else None
    if actor is None:
        problem = "This link is used up, or too old. Log in with your password."
        return page(request, "access/log_in.html", None, status=401, next="/alerts", problem=problem)
    return await _signed_in(request, actor, "/alerts")


async def _signed_in(request: Request, actor: Actor, onward: str) -> Response:
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
    """Show where a password of one's own is set."""
    return page(request, "access/password.html", visitor, problem="")


@router.post("/password")
async def set_password(request: Request, form: Form, visitor: Anybody, service: RunningService) -> Response:
    """Set one's own password, which ends all sessions, and begin a new one."""
    password = field(form, "password")
    if password != field(form, "again"):
        return page(request, "access/password.html", visitor, status=400, problem="The two passwords differ.")

    def change() -> Actor:
        with service.records.transaction() as session:
            access.set_password(session, visitor.actor, visitor.actor.name, password)
            return access.as_actor(access.find_user(session, visitor.actor.name), address_of(request))

    try:
        actor = await run_in_threadpool(change)
    except AccessError as error:
        return page(request, "access/password.html", visitor, status=400, problem=str(error))
    service.gate.forget()
    return await _signed_in(request, actor, "/alerts")
