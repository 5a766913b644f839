"""Rules as Kibana shows and takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import read_typed
from tocsin.api.kibana.rule_references import check_connectors, without_missing_lists
from tocsin.detection.rule_checks import Problem, problems
from tocsin.ecs import Schema
from tocsin.errors import RuleError
from tocsin.moments import iso, to_nanoseconds
from tocsin.rules.files import read_rule
from tocsin.store.events import EventStore
from tocsin.store.records.access import Actor
from tocsin.store.records.database import chunks
from tocsin.store.records.models import Execution, Gap, StoredRule
from tocsin.store.records.rules import NoSuchRuleError, add_rule, change_rule, find_rule, set_enabled

# What Kibana fills in, and what the service alone says of a rule.
DEFAULTS: dict[str, Any] = {
    "actions": [], "author": [], "exceptions_list": [], "false_positives": [], "from": "now-6m",
    "immutable": False, "interval": "5m", "max_signals": 100, "output_index": "", "references": [],
    "related_integrations": [],
    "required_fields": [], "risk_score_mapping": [], "setup": "", "severity_mapping": [], "tags": [], "threat": [],
    "to": "now", "version": 1,
}  # fmt: skip
MANAGED = frozenset(
    {"id", "created_at", "created_by", "updated_at", "updated_by", "enabled", "revision", "execution_summary"}
)
_REQUIRED = ("name", "description", "risk_score", "severity", "type")


class LastExecution(NamedTuple):
    """The last execution of a rule, and by how many seconds it came too late: 0 where there was no gap."""

    execution: Execution
    gap: int


def shown(stored: StoredRule, latest: LastExecution | None = None) -> dict[str, Any]:
    """Return a rule as Kibana shows it."""
    rule = {
        **DEFAULTS,
        **stored.document,
        "id": stored.id,
        "rule_id": stored.rule_id,
        "enabled": stored.enabled,
        "revision": stored.revision,
        "created_at": iso(to_nanoseconds(stored.created)),
        "created_by": stored.created_by,
        "updated_at": iso(to_nanoseconds(stored.updated)),
        "updated_by": stored.updated_by,
    }
    if latest is not None:
        last, gap = latest
        status = {"warning": "partial failure"}.get(last.status, last.status)
        rule["execution_summary"] = {
            "last_execution": {
                "date": iso(to_nanoseconds(last.started)),
                "status": status,
                "status_order": {"succeeded": 0, "partial failure": 20, "failed": 30}.get(status, 0),
                "message": "; ".join(last.messages),
                "metrics": {
                    "total_search_duration_ms": int(last.durations.get("evaluating", 0) * 1000),
                    "total_indexing_duration_ms": int(last.durations.get("making alerts", 0) * 1000),
                    "execution_gap_duration_s": gap,
                },
            }
        }
    return rule


def named_rule(session: Session, id_: str | None, rule_id: str | None) -> StoredRule:
    """Return the rule that a request names. Raises ApiError."""
    if id_ is None and rule_id is None:
        raise bad_request("either `id` or `rule_id` must be set")
    try:
        return find_rule(session, id_=id_, rule_id=rule_id)
    except NoSuchRuleError as error:
        raise ApiError(404, "resource_not_found_exception", error.message) from None


def last_executions(session: Session, ids: Iterable[str]) -> dict[str, LastExecution]:
    """Return the last execution of some rules."""
    found: dict[str, LastExecution] = {}
    for some in chunks(ids):
        newest = select(func.max(Execution.id)).where(Execution.rule_uuid.in_(some)).group_by(Execution.rule_uuid)
        rows = {row.rule_uuid: row for row in session.scalars(select(Execution).where(Execution.id.in_(newest)))}
        within = Execution.last_tick.between(Gap.first_tick, Gap.last_tick)
        joined = select(Gap.rule_uuid).join(Execution, (Execution.rule_uuid == Gap.rule_uuid) & within)
        late = set(session.scalars(joined.where(Execution.id.in_(newest))))
        found.update(
            (uuid, LastExecution(row, row.late // 10**9 if uuid in late else 0)) for uuid, row in rows.items()
        )
    return found


def schema_for(store: EventStore, document: Mapping[str, Any]) -> Schema:
    """Return the schema that a rule is read against: that of the indices which its patterns take."""
    patterns = document.get("index")
    named = isinstance(patterns, list) and patterns and all(isinstance(one, str) for one in patterns)
    return store.schema(patterns) if named else store.schema()  # type: ignore[arg-type]


def checked(document: Mapping[str, Any], schema: Schema) -> list[Problem]:
    """Return what is doubtful about a rule. Raises ApiError for what is wrong."""
    for name in _REQUIRED:
        if name not in document:
            raise ApiError(400, "invalid_rule", f"[request body]: {name}: Required")
    try:
        rule = read_rule(document, strict=True)
    except RuleError as error:
        raise ApiError(400, "invalid_rule", f"[request body]: {error.message}") from None
    try:
        told = problems(rule, schema)
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        reason = f"[request body]: a part of the rule has not the form that it needs: {error}"
        raise ApiError(400, "invalid_rule", reason) from None
    wrong = [one for one in told if one.fatal]
    if wrong:
        raise ApiError(400, "invalid_rule", "; ".join(f"{one.field}: {one.message}" for one in wrong))
    return told


def settled(
    session: Session, actor: Actor, body: Mapping[str, Any], schema: Schema, connectors: Collection[str] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """Return a rule as it is to be kept, and what is told of it. Raises ApiError for what is wrong.

    `connectors` are those that it has named before: they may be missing by now.
    """
    told = checked(body, schema)
    told += check_connectors(session, body, connectors)
    document, removed = without_missing_lists(session, actor, body)
    return document, told + removed


RULE_KINDS = {
    "rule_id": "string", "id": "string", "name": "string", "exceptions_list": "objects", "actions": "objects",
    "threat": "objects", "tags": "texts", "index": "texts", "enabled": "boolean", "throttle": "string",
}  # fmt: skip


async def read_rule_body(request: Request) -> dict[str, Any]:
    """Return a rule as a request has it. Raises ApiError, which names what has not the form of a rule."""
    return await read_typed(request, **RULE_KINDS)


def kept(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a rule is kept as it was given."""
    return {name: value for name, value in body.items() if name not in MANAGED and value is not None}


def save_new(session: Session, actor: Actor, body: Mapping[str, Any]) -> StoredRule:
    """Keep a new rule. Raises RuleExistsError."""
    return add_rule(session, actor, kept(body), enabled=body.get("enabled", True) is True)


def save_changed(session: Session, actor: Actor, stored: StoredRule, body: Mapping[str, Any]) -> None:
    """Give a rule another body."""
    change_rule(session, actor, stored, {**kept(body), "rule_id": stored.rule_id})
    if isinstance(body.get("enabled"), bool):
        set_enabled(session, actor, stored, body["enabled"])


def with_warnings(rule: dict[str, Any], told: Iterable[Problem]) -> dict[str, Any]:
    """Return a rule with what is doubtful about it."""
    warnings = [{"field": one.field, "message": one.message} for one in told]
    return {**rule, "warnings": warnings} if warnings else rule
