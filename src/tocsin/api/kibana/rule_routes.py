"""Rules over HTTP, as Kibana's detection engine has them: one at a time, and found by what they say."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of
from tocsin.api.kibana.filters import matching_rules
from tocsin.api.kibana.rule_objects import (
    last_executions,
    named_rule,
    read_rule_body,
    save_changed,
    save_new,
    schema_for,
    settled,
    shown,
    with_warnings,
)
from tocsin.api.kibana.rule_references import connectors_of
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import Execution, Gap, StoredRule
from tocsin.store.records.rules import RuleExistsError, remove_rule

router = APIRouter(prefix="/api/detection_engine", tags=["rules"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_RULE = body_of("name", "type", "risk_score", "severity", name="string", type="string", query="string",
                description="string", severity="string", risk_score="integer", rule_id="string")  # fmt: skip


@router.post("/rules", openapi_extra=_RULE)
async def create(request: Request, actor: Actor = _WRITE) -> Response:
    """Make a rule; it is enabled unless it says otherwise."""
    body = await read_rule_body(request)
    body.setdefault("rule_id", str(uuid.uuid4()))

    def work(pace: Pace) -> dict[str, Any]:
        service = request.app.state.service
        with service.records.transaction() as session:
            rule, told = settled(session, actor, body, schema_for(service.store, body))
            try:
                return with_warnings(shown(save_new(session, actor, rule)), told)
            except RuleExistsError as error:
                raise ApiError(409, "version_conflict_engine_exception", error.message) from None

    made = await worked(request, work)
    request.app.state.service.scheduler.wake()
    return answer(request, made)


@router.get("/rules", dependencies=[_READ])
async def read(request: Request, id: str | None = None, rule_id: str | None = None) -> Response:
    """Return a rule."""

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            stored = named_rule(session, id, rule_id)
            return shown(stored, last_executions(session, [stored.id]).get(stored.id))

    return answer(request, await run_in_threadpool(work))


@router.put("/rules", openapi_extra=_RULE)
async def replace(request: Request, actor: Actor = _WRITE) -> Response:
    """Give a rule another body."""
    return await _changed(request, actor, await read_rule_body(request), merged=False)


@router.patch("/rules", openapi_extra=body_of(rule_id="string", id="string", enabled="boolean", name="string"))
async def patch(request: Request, actor: Actor = _WRITE) -> Response:
    """Change some fields of a rule."""
    return await _changed(request, actor, await read_rule_body(request), merged=True)


async def _changed(request: Request, actor: Actor, body: dict[str, Any], *, merged: bool) -> Response:
    def work(pace: Pace) -> dict[str, Any]:
        service = request.app.state.service
        with service.records.transaction() as session:
            stored = named_rule(session, body.get("id"), body.get("rule_id"))
            whole = {**stored.document, **body} if merged else dict(body)
            whole["rule_id"] = stored.rule_id
            before = connectors_of(stored.document)
            whole, told = settled(session, actor, whole, schema_for(service.store, whole), before)
            save_changed(session, actor, stored, whole)
            return with_warnings(shown(stored), told)

    changed = await worked(request, work)
    request.app.state.service.scheduler.wake()
    return answer(request, changed)


@router.delete("/rules")
async def delete(
    request: Request, id: str | None = None, rule_id: str | None = None, actor: Actor = _WRITE
) -> Response:
    """Remove a rule; its alerts stay."""

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            stored = named_rule(session, id, rule_id)
            gone = shown(stored)
            remove_rule(session, actor, stored)
            return gone

    gone = await run_in_threadpool(work)
    request.app.state.service.scheduler.wake()
    return answer(request, gone)


@router.get("/rules/_find", dependencies=[_READ])
async def find(
    request: Request,
    page: int = Query(1, ge=1, le=10_000),
    per_page: int = Query(20, ge=0, le=10_000),
    sort_field: str = "name",
    sort_order: Literal["asc", "desc"] = "asc",
    filter: str | None = None,
) -> Response:
    """Find rules, by a filter in KQL over `alert.attributes.*` such as `alert.attributes.tags: "Linux"`."""

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            rules = list(session.scalars(select(StoredRule)))
            rules = matching_rules(rules, filter)
            key = _SORTS.get(sort_field)
            if key is None:
                raise bad_request(f"[sort_field] is one of {', '.join(_SORTS)}")
            rules.sort(key=key, reverse=sort_order == "desc")
            some = rules[(page - 1) * per_page : page * per_page]
            last = last_executions(session, [rule.id for rule in some])
            data = [shown(rule, last.get(rule.id)) for rule in some]
        return {"page": page, "perPage": per_page, "total": len(rules), "data": data}

    return answer(request, await run_in_threadpool(work))


_SEVERITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_SORTS: dict[str, Any] = {
    "_id": lambda rule: rule.id,
    "name": lambda rule: rule.name.lower(),
    "enabled": lambda rule: not rule.enabled,
    "created_at": lambda rule: rule.created,
    "createdAt": lambda rule: rule.created,
    "updated_at": lambda rule: rule.updated,
    "updatedAt": lambda rule: rule.updated,
    "risk_score": lambda rule: rule.document.get("risk_score", 0),
    "riskScore": lambda rule: rule.document.get("risk_score", 0),
    "severity": lambda rule: _SEVERITIES.get(rule.document.get("severity"), 0),
}


@router.get("/tags", dependencies=[_READ])
async def tags(request: Request) -> Response:
    """Return the tags of all rules."""

    def work() -> list[str]:
        with request.app.state.service.records.transaction() as session:
            return sorted({str(tag) for rule in session.scalars(select(StoredRule)) for tag in _tags(rule)})

    return answer(request, await run_in_threadpool(work))


def _tags(rule: StoredRule) -> list[Any]:
    found = rule.document.get("tags")
    return found if isinstance(found, list) else []


@router.get("/rules/executions", dependencies=[_READ])
async def executions(
    request: Request, id: str | None = None, rule_id: str | None = None, size: int = Query(50, ge=1, le=1000)
) -> Response:
    """Return the last executions of a rule, or of all, the newest first, and the gaps that are not filled."""

    def work() -> dict[str, Any]:
        with request.app.state.service.records.transaction() as session:
            asked, missed = select(Execution), select(Gap).where(Gap.filled.is_(None))
            if id is not None or rule_id is not None:
                uuid_ = named_rule(session, id, rule_id).id
                asked, missed = asked.where(Execution.rule_uuid == uuid_), missed.where(Gap.rule_uuid == uuid_)
            rows = session.scalars(asked.order_by(Execution.id.desc()).limit(size))
            gaps = session.scalars(missed.order_by(Gap.id.desc()).limit(size))
            return {"executions": [_plain(row) for row in rows], "gaps": [_plain(row) for row in gaps]}

    return answer(request, await run_in_threadpool(work))


def _plain(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


@router.get("/index", dependencies=[_READ])
async def index(request: Request) -> Response:
    """Return the index that alerts are searched in."""
    return answer(request, {"name": ".alerts-security.alerts-default", "index_mapping_outdated": False})


@router.get("/privileges")
async def privileges(request: Request, actor: Actor = _READ) -> Response:
    """Return what the one who asks may do with rules and alerts."""
    may = {"read": True, "write": actor.may(Scope.RESPOND), "maintenance": actor.may(Scope.WRITE_RULES)}
    return answer(
        request,
        {
            "username": actor.name, "has_all_requested": all(may.values()), "is_authenticated": True,
            "has_encryption_key": True, "cluster": {}, "application": {},
            "index": {".alerts-security.alerts-default": may},
        },
    )  # fmt: skip
