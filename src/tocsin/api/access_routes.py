"""Users, keys and sessions over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.access_models import (
    AddedUser,
    Authentication,
    BrowserSession,
    ChangedUser,
    CreatedKey,
    KeyEntry,
    KeyIds,
    Keys,
    NewKey,
    NewPassword,
    NewUser,
    Nothing,
    RevokedKeys,
    SignIn,
    UserChange,
    UserEntry,
    Users,
)
from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import json_body
from tocsin.api.dependencies import CurrentActor, RunningService, ServiceRecords
from tocsin.api.security import COOKIE, address_of, allow, is_encrypted
from tocsin.api.service import Service
from tocsin.management import access as managed
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Scope

router = APIRouter(tags=["access"])
_T = TypeVar("_T")
_KNOWN, _ADMIN = [Depends(allow(None))], [Depends(allow(Scope.ADMIN))]
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@router.get("/_security/_authenticate", dependencies=_KNOWN, response_model=Authentication)
async def who(request: Request, actor: CurrentActor) -> Response:
    """Return who asks."""
    return answer(
        request,
        Authentication(
            username=actor.name, roles=[actor.role] if actor.role else [], enabled=True,
            metadata={"scopes": sorted(actor.scopes)}, full_name=None, email=None,
            authentication_type="realm" if actor.role else "api_key",
        ),
    )  # fmt: skip


@router.post("/_security/user/_password", dependencies=_KNOWN, response_model=Nothing)
@router.put("/_security/user/_password", dependencies=_KNOWN, response_model=Nothing)
async def own_password(
    request: Request,
    service: RunningService,
    actor: CurrentActor,
    body: Annotated[NewPassword, json_body(NewPassword)],
) -> Response:
    """Set one's own password; the only thing that a one-time password is good for."""
    if actor.role is None:
        raise ApiError(403, "security_exception", "a key has no password")
    await run_in_threadpool(_change, service, lambda s: access.set_password(s, actor, actor.name, body.password))
    return answer(request, Nothing())


@router.get("/api/users", dependencies=_ADMIN, response_model=Users)
async def users(request: Request, records: ServiceRecords) -> Response:
    """Return the users."""

    def known() -> list[UserEntry]:
        with records.transaction() as session:
            return [
                UserEntry(name=user.name, role=user.role, enabled=user.enabled, last_login=user.last_login)
                for user in managed.all_users(session)
            ]

    return answer(request, Users(users=await run_in_threadpool(known)))


@router.post("/api/users", status_code=201, dependencies=_ADMIN, response_model=AddedUser)
async def add_user(
    request: Request,
    service: RunningService,
    actor: CurrentActor,
    body: Annotated[NewUser, json_body(NewUser)],
) -> Response:
    """Add a user; the answer holds a one-time password."""
    name, role = body.name, body.role
    password = await run_in_threadpool(_change, service, lambda s: access.add_user(s, actor, name, role))
    return answer(request, AddedUser(name=name, role=role, one_time_password=password or ""), 201)


@router.patch("/api/users/{name}", dependencies=_ADMIN, response_model=ChangedUser)
async def change_user(
    request: Request,
    name: str,
    service: RunningService,
    actor: CurrentActor,
    body: Annotated[UserChange, json_body(UserChange)],
) -> Response:
    """Give a user another role, or let them in or not."""
    role = body.role if "role" in body.model_fields_set else None
    await run_in_threadpool(_change, service, lambda s: access.change_user(s, actor, name, role, body.enabled))
    return answer(request, ChangedUser(name=name))


@router.get("/_security/api_key", dependencies=_KNOWN, response_model=Keys)
async def keys(request: Request, records: ServiceRecords, actor: CurrentActor) -> Response:
    """Return one's own keys, or every key to an admin, without their secrets."""

    def known() -> list[KeyEntry]:
        with records.transaction() as session:
            return [
                KeyEntry(
                    id=key.id, name=key.name, username=key.owner, metadata={"scopes": key.scopes},
                    creation=_millis(key.created), expiration=_millis(key.expires) if key.expires else None,
                    invalidated=key.revoked is not None,
                )
                for key in managed.visible_keys(session, actor)
            ]  # fmt: skip

    return answer(request, Keys(api_keys=await run_in_threadpool(known)))


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@router.post("/_security/api_key", dependencies=_KNOWN, response_model=CreatedKey)
@router.put("/_security/api_key", dependencies=_KNOWN, response_model=CreatedKey)
async def add_key(
    request: Request,
    service: RunningService,
    actor: CurrentActor,
    body: Annotated[NewKey, json_body(NewKey)],
) -> Response:
    """Make a key for some scopes (`scopes`, or `metadata.scopes`); without any, for all that its owner may do."""
    name, scopes = body.name, body.wanted_scopes()
    lives = _lives(body.expiration)
    if actor.role is None and not actor.may(Scope.ADMIN):
        raise ApiError(403, "security_exception", "a key makes no other keys")
    made = await run_in_threadpool(_change, service, lambda s: managed.add_key(s, actor, name, scopes, lives))
    return answer(request, CreatedKey(id=made.id, name=name, api_key=made.secret, encoded=made.encoded))


def _lives(text: str | None) -> timedelta | None:
    if text is None:
        return None
    span = re.fullmatch(r"(\d{1,6})([dhms])", text)
    if span is None:
        raise bad_request("[expiration] is a number with a unit, as in 30d")
    return timedelta(**{_UNITS[span[2]]: int(span[1])})


@router.delete("/_security/api_key", dependencies=_KNOWN, response_model=RevokedKeys)
async def revoke_keys(
    request: Request,
    service: RunningService,
    actor: CurrentActor,
    body: Annotated[KeyIds, json_body(KeyIds)],
) -> Response:
    """Revoke keys; one's own, or any as an admin."""
    revoked = await run_in_threadpool(_change, service, lambda s: managed.revoke_keys(s, actor, body.ids))
    return answer(request, RevokedKeys(invalidated_api_keys=revoked))


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


@router.post("/api/session", response_model=BrowserSession)
async def sign_in(
    request: Request, service: RunningService, body: Annotated[SignIn, json_body(SignIn, of_stranger=True)]
) -> Response:
    """Begin a session: a cookie, and the token that requests which change something must carry."""
    actor = await run_in_threadpool(service.gate.check_password, body.name, body.password, address_of(request))
    if actor is None:
        raise ApiError(401, "security_exception", "the user or the password is wrong")
    made = await run_in_threadpool(_change, service, lambda session: access.sign_in(session, actor))
    begun = BrowserSession(name=actor.name, role=actor.role or "", csrf=made.csrf, one_time=actor.one_time)
    reply = answer(request, begun)
    reply.set_cookie(
        COOKIE, made.token, max_age=access.SESSION_HOURS * 3600, path="/", httponly=True, samesite="strict",
        secure=is_encrypted(request),
    )  # fmt: skip
    return reply


@router.delete("/api/session", dependencies=_KNOWN, response_model=Nothing)
async def sign_out(request: Request, service: RunningService, actor: CurrentActor) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE)
    if token:
        await run_in_threadpool(_change, service, lambda session: access.sign_out(session, actor, token))
    reply = answer(request, Nothing())
    reply.delete_cookie(COOKIE, path="/")
    return reply
