"""Sessions as Kibana begins and ends them: signed in with a password, named by a cookie, `sid`.

What keeps other sites from using the cookie is the header `kbn-xsrf`, which each request that changes something
must carry: browsers let no other site send one (Kibana's `server.xsrf`).
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import read_strangers_json
from tocsin.api.dependencies import ServiceGate, ServiceRecords
from tocsin.api.kibana.session_models import AuthenticatedUser, AuthenticationProvider, UserMetadata
from tocsin.api.security import KIBANA_COOKIE, address_of, allow, is_encrypted
from tocsin.store.records import access
from tocsin.store.records.access import Actor

router = APIRouter(tags=["access"])
_BASIC = AuthenticationProvider(type="basic", name="basic")
_HTTP = AuthenticationProvider(type="http", name="__http__")


@router.post("/internal/security/login", include_in_schema=False)
async def sign_in(request: Request, gate: ServiceGate, records: ServiceRecords) -> Response:
    """Begin a session: of `params` (or, as before Kibana 7.10, of the body itself) `username` and `password`."""
    body = await read_strangers_json(request)
    given: Any = body.get("params", body)
    name, password = (given.get("username"), given.get("password")) if isinstance(given, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(password, str):
        raise bad_request("[request body.params]: expected `username` and `password`, both texts")
    actor = await run_in_threadpool(gate.check_password, name, password, address_of(request))
    if actor is None:
        raise ApiError(401, "security_exception", "the user or the password is wrong")

    def begin() -> str:
        with records.transaction() as session:
            return access.sign_in(session, actor).token

    reply, token = answer(request, {"location": "/"}), await run_in_threadpool(begin)
    lives = access.SESSION_HOURS * 3600
    reply.set_cookie(
        KIBANA_COOKIE, token, lives, path="/", httponly=True, samesite="strict", secure=is_encrypted(request)
    )
    return reply


@router.get("/internal/security/me", response_model=AuthenticatedUser)
async def who(request: Request, actor: Actor = Depends(allow(None))) -> Response:  # noqa: B008
    """Return who asks."""
    by_session = KIBANA_COOKIE in request.cookies and "authorization" not in request.headers
    user = AuthenticatedUser(
        username=actor.name,
        roles=[actor.role] if actor.role else [],
        metadata=UserMetadata(scopes=sorted(actor.scopes)),
        authentication_type="api_key" if actor.role is None else "realm",
        authentication_provider=_BASIC if by_session else _HTTP,
    )
    return answer(request, user)


@router.get("/logout", include_in_schema=False)
@router.get("/api/security/logout", include_in_schema=False)
async def sign_out(request: Request, gate: ServiceGate, records: ServiceRecords) -> Response:
    """End the session, if there is one."""
    token = request.cookies.get(KIBANA_COOKIE)

    def end(token: str, actor: Actor) -> None:
        with records.transaction() as session:
            access.sign_out(session, actor, token)

    if token:
        checked = await run_in_threadpool(gate.check_cookie, token, address_of(request))
        if checked is not None:
            await run_in_threadpool(end, token, checked[0])
    reply = answer(request, {})
    reply.delete_cookie(KIBANA_COOKIE, path="/")
    return reply
