"""Who asks, as requests name them: basic auth, API keys and sessions, checked before anything else."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tocsin.api.answers import ApiError
from tocsin.api.connections import mark_known
from tocsin.api.dependencies import service_of
from tocsin.store.records.access import Actor, Scope

COOKIE = "tocsin_session"
CSRF_HEADER = "x-csrf-token"
KIBANA_COOKIE = "sid"
KIBANA_CSRF_HEADER = "kbn-xsrf"
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def address_of(request: Request) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else ""


def is_encrypted(request: Request) -> bool:
    """Tell whether the sender reached the service, or the proxy before it, over TLS."""
    return request.url.scheme == "https"


async def identify(request: Request) -> Actor | None:
    """Return who asks; None when nobody is named. Raises ApiError for wrong credentials and forged requests."""
    gate = service_of(request).gate
    header = request.headers.get("authorization")
    if header is not None:
        actor = await run_in_threadpool(gate.check_header, header, address_of(request))
        if actor is None:
            raise _unauthorised("the user, the password or the key is wrong")
        return actor
    token = request.cookies.get(COOKIE)
    of_kibana = token is None
    if token is None:
        token = request.cookies.get(KIBANA_COOKIE)
    if token is None:
        return None
    session = await run_in_threadpool(gate.check_cookie, token, address_of(request))
    if session is None:
        return None
    actor, csrf = session
    request.state.csrf = csrf
    if of_kibana:  # another site's page cannot send a header of its own: no request is allowed it
        if request.method in _CHANGES and not request.headers.get(KIBANA_CSRF_HEADER):
            raise ApiError(400, "security_exception", f"Request must contain a {KIBANA_CSRF_HEADER} header.")
        return actor
    given = request.headers.get(CSRF_HEADER, "") or getattr(request.state, "csrf_given", "")
    if request.method in _CHANGES and not hmac.compare_digest(given.encode(), csrf.encode()):
        raise ApiError(403, "security_exception", f"a request of a browser needs the header {CSRF_HEADER}")
    return actor


_GUARDS: dict[Callable[..., Any], Scope | None] = {}  # what `allow` has returned, with what it asks for


def is_guard(dependency: Callable[..., Any]) -> bool:
    """Tell whether a dependency lets through those alone who may do something."""
    return dependency in _GUARDS


def guarded_scope(guard: Callable[..., Any]) -> Scope | None:
    """Return the scope that a guard asks for, None for one that lets through anybody who is known."""
    return _GUARDS[guard]


def allow(scope: Scope | None) -> Callable[[Request], Awaitable[Actor]]:
    """Return a dependency that lets those through who may do something; None stands for anybody who is known."""

    async def check(request: Request) -> Actor:
        actor = await identify(request)
        if actor is None:
            raise _unauthorised("missing authentication credentials")
        request.state.actor = actor
        if scope is not None and not actor.may(scope):
            if actor.one_time:
                reason = "this password is good once: set another with POST /_security/user/_password, or "
                reason += f"`tocsin users password {actor.name}`"
            else:
                reason = f"{actor.name} may not do this: it needs the scope [{scope.value}]"
            raise ApiError(403, "security_exception", reason)
        mark_known(request.scope, actor.id)
        return actor

    _GUARDS[check] = scope
    return check


def _unauthorised(reason: str) -> ApiError:
    challenges = 'Basic realm="tocsin", charset="UTF-8", ApiKey'
    return ApiError(401, "security_exception", reason, {"WWW-Authenticate": challenges})
