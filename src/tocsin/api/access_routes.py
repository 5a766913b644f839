"""Users, keys and sessions over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, read_json, read_strangers_json
from tocsin.api.dependencies import CurrentActor, RunningService, ServiceRecords
from tocsin.api.security import COOKIE, address_of, allow, is_encrypted
from tocsin.api.service import Service
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Scope
from tocsin.store.records.models import ApiKey, User

router = APIRouter(tags=["access"])
_NEW_USER = body_of("name", "role", name="string", role="string")
_NEW_PASSWORD = body_of("password", password="string")
_NEW_KEY = body_of("name", name="string", expiration="string", scopes="texts")
_T = TypeVar("_T")
_KNOWN, _ADMIN = [Depends(allow(None))], [Depends(allow(Scope.ADMIN))]
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def _only(body: dict[str, Any], *known: str) -> dict[str, Any]:
    """Return a body that has no other members than these: one that nobody reads changes nothing."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise bad_request(f"no member [{unknown[0]}]: there are {', '.join(known)}")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise bad_request(f"[{name}] is missing, or no text")
    return value


@router.get("/_security/_authenticate", dependencies=_KNOWN)
async def who(request: Request, actor: CurrentActor) -> Response:
    """Return who asks."""
    return answer(
        request,
        {
            "username": actor.name, "roles": [actor.role] if actor.role else [], "enabled": True,
            "metadata": {"scopes": sorted(actor.scopes)}, "full_name": None, "email": None,
            "authentication_type": "realm" if actor.role else "api_key",
        },
    )  # fmt: skip


@router.post("/_security/user/_password", openapi_extra=_NEW_PASSWORD, dependencies=_KNOWN)
@router.put("/_security/user/_password", openapi_extra=_NEW_PASSWORD, dependencies=_KNOWN)
async def own_password(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """Set one's own password; the only thing that a one-time password is good for."""
    password = _text(await read_json(request), "password")
    if actor.role is None:
        raise ApiError(403, "security_exception", "a key has no password")
    await run_in_threadpool(_change, service, lambda s: access.set_password(s, actor, actor.name, password))
    return answer(request, {})


@router.get("/api/users", dependencies=_ADMIN)
async def users(request: Request, records: ServiceRecords) -> Response:
    """Return the users."""

    def known() -> list[dict[str, Any]]:
        with records.transaction() as session:
            return [
                {"name": u.name, "role": u.role, "enabled": u.enabled, "last_login": u.last_login}
                for u in session.scalars(select(User).order_by(User.name))
            ]

    return answer(request, {"users": await run_in_threadpool(known)})


@router.post("/api/users", openapi_extra=_NEW_USER, dependencies=_ADMIN)
async def add_user(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """Add a user; the answer holds a one-time password."""
    body = _only(await read_json(request), "name", "role")
    name, role = _text(body, "name"), _text(body, "role")
    password = await run_in_threadpool(_change, service, lambda s: access.add_user(s, actor, name, role))
    return answer(request, {"name": name, "role": role, "one_time_password": password}, 201)


@router.patch("/api/users/{name}", openapi_extra=body_of(role="string", enabled="boolean"), dependencies=_ADMIN)
async def change_user(request: Request, name: str, service: RunningService, actor: CurrentActor) -> Response:
    """Give a user another role, or let them in or not."""
    body = _only(await read_json(request), "role", "enabled")
    if not body:
        raise bad_request("[role] or [enabled] says what changes")
    role = _text(body, "role") if "role" in body else None
    enabled = body.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise bad_request("[enabled] is true or false")
    await run_in_threadpool(_change, service, lambda s: access.change_user(s, actor, name, role, enabled))
    return answer(request, {"name": name})


@router.get("/_security/api_key", dependencies=_KNOWN)
async def keys(request: Request, records: ServiceRecords, actor: CurrentActor) -> Response:
    """Return one's own keys, or every key to an admin, without their secrets."""

    def known() -> list[dict[str, Any]]:
        with records.transaction() as session:
            return [
                {
                    "id": key.id, "name": key.name, "username": key.owner, "metadata": {"scopes": key.scopes},
                    "creation": _millis(key.created), "expiration": key.expires and _millis(key.expires),
                    "invalidated": key.revoked is not None,
                }
                for key in session.scalars(select(ApiKey).order_by(ApiKey.created))
                if actor.may(Scope.ADMIN) or actor.owns(key)
            ]  # fmt: skip

    return answer(request, {"api_keys": await run_in_threadpool(known)})


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@router.post("/_security/api_key", openapi_extra=_NEW_KEY, dependencies=_KNOWN)
@router.put("/_security/api_key", openapi_extra=_NEW_KEY, dependencies=_KNOWN)
async def add_key(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """Make a key for some scopes (`scopes`, or `metadata.scopes`); without any, for all that its owner may do."""
    body = await read_json(request)
    name = _text(body, "name")
    metadata = body.get("metadata") if isinstance(body.get("metadata"), dict) else {}
    scopes = body.get("scopes", (metadata or {}).get("scopes"))
    if scopes is None:
        scopes = [scope for scope in Scope if actor.may(scope)]
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise bad_request("[scopes] is a list of names")
    lives = _lives(body.get("expiration"))
    if actor.role is None and not actor.may(Scope.ADMIN):
        raise ApiError(403, "security_exception", "a key makes no other keys")
    made = await run_in_threadpool(_change, service, lambda s: access.add_key(s, actor, name, scopes, lives))
    return answer(request, {"id": made.id, "name": name, "api_key": made.secret, "encoded": made.encoded})


def _lives(text: Any) -> timedelta | None:
    if text is None:
        return None
    span = re.fullmatch(r"(\d{1,6})([dhms])", text) if isinstance(text, str) else None
    if span is None:
        raise bad_request("[expiration] is a number with a unit, as in 30d")
    return timedelta(**{_UNITS[span[2]]: int(span[1])})


@router.delete("/_security/api_key", openapi_extra=body_of("ids", ids="texts"), dependencies=_KNOWN)
async def revoke_keys(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """Revoke keys; one's own, or any as an admin."""
    body = await read_json(request)
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        raise bad_request("[ids] is a list of the keys' ids")

    def revoke(session: Session) -> list[str]:
        mine = [
            key.id
            for key in session.scalars(select(ApiKey).where(ApiKey.id.in_(ids)))
            if actor.may(Scope.ADMIN) or actor.owns(key)
        ]
        return access.revoke_keys(session, actor, mine)

    revoked = await run_in_threadpool(_change, service, revoke)
    return answer(
        request, {"invalidated_api_keys": revoked, "previously_invalidated_api_keys": [], "error_count": 0}
    )


def _change(service: Service, change: Callable[[Session], _T]) -> _T:
    """Return what a change of users, keys or sessions returns; credentials are checked anew after it."""
    try:
        with service.records.transaction() as session:
            return change(session)
    except AccessError as error:
        raise bad_request(str(error)) from None
    finally:
        service.gate.forget()


# ---- browsers


@router.post("/api/session", openapi_extra=body_of("name", "password", name="string", password="string"))
async def sign_in(request: Request, service: RunningService) -> Response:
    """Begin a session: a cookie, and the token that requests which change something must carry."""
    body = await read_strangers_json(request)
    name, password = _text(body, "name"), _text(body, "password")
    actor = await run_in_threadpool(service.gate.check_password, name, password, address_of(request))
    if actor is None:
        raise ApiError(401, "security_exception", "the user or the password is wrong")
    made = await run_in_threadpool(_change, service, lambda session: access.sign_in(session, actor))
    reply = answer(
        request, {"name": actor.name, "role": actor.role, "csrf": made.csrf, "one_time": actor.one_time}
    )
    reply.set_cookie(
        COOKIE, made.token, max_age=access.SESSION_HOURS * 3600, path="/", httponly=True, samesite="strict",
        secure=is_encrypted(request),
    )  # fmt: skip
    return reply


@router.delete("/api/session", dependencies=_KNOWN)
async def sign_out(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE)
    if token:
        await run_in_threadpool(_change, service, lambda session: access.sign_out(session, actor, token))
    reply = answer(request, {})
    reply.delete_cookie(COOKIE, path="/")
    return reply
