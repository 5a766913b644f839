"""Connectors, to which the actions of rules tell of alerts, and what became of the messages."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.actions.delivery import SENDERS, DeliveryError, send
from tocsin.actions.masking import MASK, changed_config, is_masked, masked_address, without_addresses
from tocsin.actions.messages import TEXT_FORMATS, trial
from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, read_typed
from tocsin.api.kibana.connector_objects import shown
from tocsin.api.security import allow
from tocsin.store.records.access import Actor, Scope, record
from tocsin.store.records.models import Connector, Delivery, StoredRule

router = APIRouter(tags=["actions"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_BODY = body_of(
    "name", "connector_type_id", name="string", connector_type_id="string", config="object", secrets="object"
)
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


def _read(body: dict[str, Any], kind: str | None = None) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return name, type, settings and secrets of a connector. Raises ApiError, which names the field."""
    name, kind = body.get("name"), kind or body.get("connector_type_id")
    config, secrets = body.get("config", {}), body.get("secrets", {})
    if not isinstance(name, str) or not name:
        raise bad_request("[request body.name]: a text is needed")
    if kind not in SENDERS:
        raise bad_request(f"[connector_type_id] is one of {', '.join(SENDERS)}")
    if not isinstance(config, dict) or not isinstance(secrets, dict):
        raise bad_request("[config] and [secrets] are objects")
    if kind == ".webhook":
        _check_webhook(config)
    if kind == ".apprise" and config.get("format", TEXT_FORMATS[0]) not in TEXT_FORMATS:
        raise bad_request(f"[config.format] is what messages are written in: one of {', '.join(TEXT_FORMATS)}")
    if kind == ".apprise" and not (secrets.get("urls") or secrets.get("url")):
        raise bad_request("[secrets.urls] are addresses of Apprise, such as mailto:// or slack://")
    return name, str(kind), config, secrets


_METHODS = ("post", "put", "patch", "get", "delete")


def _check_webhook(config: dict[str, Any]) -> None:
    """Refuse what cannot be sent, without saying it again: it may hold secrets."""
    try:
        url = httpx.URL(str(config.get("url", "")))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or masked_address(str(config["url"])) == MASK:
        raise bad_request("[config.url] is the address of a webhook, http or https")
    if config.get("method", "post") not in _METHODS:
        raise bad_request(f"[config.method] is one of {', '.join(_METHODS)}")
    headers = config.get("headers") or {}
    if not isinstance(headers, dict) or not all(_TOKEN.fullmatch(n) and _is_value(v) for n, v in headers.items()):
        raise bad_request("[config.headers] are names of headers with their values, texts in one line of ASCII")
    if is_masked(config):
        raise bad_request(f"[config] has `{MASK}` where something was masked: give it whole")


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110)


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and (value.isprintable() or not value)


def _find(session: Any, id_: str) -> Connector:
    found: Connector | None = session.get(Connector, id_)
    if found is None:
        raise ApiError(404, "resource_not_found_exception", f"Saved object [action/{id_}] not found")
    return found


@router.post("/api/actions/connector", openapi_extra=_BODY)
@router.post("/api/actions/connector/{id}", openapi_extra=_BODY)
async def create(request: Request, id: str | None = None, actor: Actor = _WRITE) -> Response:
    """Make a connector."""
    name, kind, config, secrets = _read(await read_typed(request, name="string", connector_type_id="string"))

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            id_ = (id or str(uuid.uuid4()))[:64]
            if session.get(Connector, id_) is not None:
                raise ApiError(409, "version_conflict_engine_exception", f"there is a connector {id_}")
            made = Connector(
                id=id_, name=name[:255], type=kind, config=config, secrets=secrets, created=datetime.now(UTC),
                created_by=actor.name,
            )  # fmt: skip
            session.add(made)
            record(session, actor, "connector.created", id_, type=kind)
            return shown(made)

    return answer(request, await run_in_threadpool(work))


@router.get("/api/actions/connectors", dependencies=[_READ])
async def every(request: Request) -> Response:
    """Return the connectors, without their secrets."""

    def work() -> list[dict[str, Any]]:
        with request.app.state.service.records.transaction() as session:
            return [shown(one) for one in session.scalars(select(Connector).order_by(Connector.name))]

    return answer(request, await run_in_threadpool(work))


@router.get("/api/actions/connector/{id}", dependencies=[_READ])
async def read(request: Request, id: str) -> Response:
    """Return a connector, without its secrets."""

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            return shown(_find(session, id))

    return answer(request, await run_in_threadpool(work))


@router.put("/api/actions/connector/{id}", openapi_extra=_BODY)
async def change(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Give a connector other settings. Secrets that are not given it keeps, unless its address changes."""
    body = await read_typed(request, name="string", connector_type_id="string")

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            found = _find(session, id)
            given = body.get("config") if isinstance(body.get("config"), dict) else {}
            changed, same = changed_config(given or {}, found.config)
            kept = found.secrets if same else {}  # they belong to the address that they were given with
            name, _, config, secrets = _read({"secrets": kept, **body, "config": changed}, found.type)
            told = "given" if "secrets" in body else "kept" if same else "dropped"
            found.name, found.config, found.secrets = name[:255], config, secrets
            address = masked_address(str(config["url"])) if "url" in config else None
            record(session, actor, "connector.changed", id, address=address, secrets=told)
            return shown(found)

    return answer(request, await run_in_threadpool(work))


@router.delete("/api/actions/connector/{id}")
async def delete(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Remove a connector; messages that wait for it are given up."""

    def work() -> None:
        with request.app.state.service.records.transaction() as session:
            session.delete(_find(session, id))
            record(session, actor, "connector.removed", id)

    await run_in_threadpool(work)
    return Response(status_code=204)


@router.get("/api/actions/connector_types", dependencies=[_READ])
async def types(request: Request) -> Response:
    """Return the types of connectors that deliver."""
    about = {"enabled": True, "enabled_in_config": True, "enabled_in_license": True}
    known = [{"id": id_, "name": id_.removeprefix(".").capitalize(), **about} for id_ in SENDERS]
    return answer(request, [{**one, "minimum_license_required": "basic"} for one in known])


@router.post("/api/actions/connector/{id}/_execute", openapi_extra=body_of("params", params="object"))
async def execute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Send a message through a connector now, to see whether it arrives; `params` are those of an action."""
    params = (await read_typed(request, params="object")).get("params") or {}

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            connector = _find(session, id)
            record(session, actor, "connector.tried", id)
        try:
            send(connector, trial(params, connector), request.app.state.service.deliveries.deliverer.egress)
        except DeliveryError as error:
            told = {"status": "error", "message": "the message was not delivered", "retry": not error.lasting}
            return {"connector_id": id, **told, "service_message": str(error)}
        return {"connector_id": id, "status": "ok"}

    return answer(request, await run_in_threadpool(work))


@router.get("/api/actions/deliveries", dependencies=[_READ])
async def deliveries(
    request: Request, rule_uuid: str | None = None, size: int = Query(50, ge=1, le=1000)
) -> Response:
    """Return the newest messages: of which rule, to whom, about what, and what became of them."""

    def work() -> list[dict[str, Any]]:
        asked = select(Delivery).order_by(Delivery.id.desc()).limit(size)
        if rule_uuid is not None:
            asked = asked.where(Delivery.rule_uuid == rule_uuid)
        with request.app.state.service.records.transaction() as session:
            return [
                {
                    "id": one.id, "rule_uuid": one.rule_uuid, "connector_id": one.connector_id, "state": one.state,
                    "tries": one.tries, "made": one.made, "next_try": one.next_try, "done": one.done,
                    "error": without_addresses(one.error or "") or None, "alerts": one.alerts,
                    "summary": one.summary,
                }
                for one in session.scalars(asked)
            ]  # fmt: skip

    return answer(request, {"deliveries": await run_in_threadpool(work)})


# ---- snoozing


@router.post("/api/alerting/rule/{id}/_mute_all")
async def mute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Hold a rule's actions back until they are let go again."""
    return await _mute(request, id, actor, _FOREVER)


@router.post("/api/alerting/rule/{id}/_unmute_all")
async def unmute(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Let a rule's actions tell of alerts again."""
    return await _mute(request, id, actor, None)


@router.post("/api/alerting/rule/{id}/_snooze", openapi_extra=body_of("until", until="string"))
async def snooze(request: Request, id: str, actor: Actor = _WRITE) -> Response:
    """Hold a rule's actions back until a moment."""
    body = await read_typed(request, name="string", connector_type_id="string")
    try:
        until = datetime.fromisoformat(str(body.get("until")).replace("Z", "+00:00"))
    except ValueError:
        raise bad_request("[until] is a moment, as in 2027-01-01T00:00:00Z") from None
    return await _mute(request, id, actor, until if until.tzinfo else until.replace(tzinfo=UTC))


async def _mute(request: Request, id_: str, actor: Actor, until: datetime | None) -> Response:
    def work() -> None:
        with request.app.state.service.records.transaction() as session:
            rule = session.get(StoredRule, id_)
            if rule is None:
                raise ApiError(404, "resource_not_found_exception", f'id: "{id_}" not found')
            rule.muted_until = until
            record(session, actor, "rule.snoozed", rule.rule_id, until=str(until))

    await run_in_threadpool(work)
    return Response(status_code=204)
