"""What is done with many rules at once, over HTTP, as Kibana has it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import body_of, check_typed, read_objects, read_typed
from tocsin.api.kibana.filters import matching_rules
from tocsin.api.kibana.rule_edits import changes_more_than_tags, edited
from tocsin.api.kibana.rule_objects import (
    RULE_KINDS,
    checked,
    kept,
    save_new,
    schema_for,
    settled,
    shown,
    with_warnings,
)
from tocsin.api.kibana.rule_references import check_connectors, connectors_of
from tocsin.api.kibana.rule_transfer import exported
from tocsin.api.security import allow
from tocsin.api.working import Pace, worked
from tocsin.ecs import default_schema
from tocsin.errors import TocsinError
from tocsin.moments import to_nanoseconds
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.exceptions import copy_list, get_list
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import (
    RuleExistsError,
    add_rule,
    ask_run,
    change_rule,
    remove_rule,
    set_enabled,
)

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_WRITE = Depends(allow(Scope.WRITE_RULES))
_RULES = {
    "requestBody": {"content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}}
}

_MOST_NAMED = 10_000  # as many as Kibana changes at once
_Act = Callable[[Session, Actor, StoredRule, Mapping[str, Any]], StoredRule | None]  # the one that it has made


def _enable(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    set_enabled(session, actor, rule, True)


def _disable(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    set_enabled(session, actor, rule, False)


def _delete(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    remove_rule(session, actor, rule)


def _duplicate(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> StoredRule:
    about = body.get("duplicate") or {}
    lists = rule.document.get("exceptions_list") or [] if about.get("include_exceptions", True) else []
    expired = about.get("include_expired_exceptions", True) is not False
    copy = {
        **rule.document, "rule_id": str(uuid.uuid4()), "name": f"{rule.name} [Duplicate]", "immutable": False,
        "exceptions_list": [_of_copy(session, actor, one, expired) for one in lists],
    }  # fmt: skip
    return add_rule(session, actor, kept(copy), enabled=False)


def _of_copy(session: Session, actor: Actor, named: Mapping[str, Any], expired: bool) -> Mapping[str, Any]:
    """Return what a copy of a rule names in the place of a list: a copy of one that was the rule's own."""
    if named.get("type") != "rule_default":
        return named
    found = get_list(session, list_id=str(named.get("list_id")))
    copy = copy_list(session, actor, found, expired=expired)
    return {**named, "id": copy.id, "list_id": copy.list_id}


def _run(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    _ask(session, actor, rule, body.get("run") or {}, "manual")


def _fill(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    _ask(session, actor, rule, body.get("fill_gaps") or {}, "backfill")


def _ask(session: Session, actor: Actor, rule: StoredRule, about: Mapping[str, Any], kind: str) -> None:
    """Ask for a run over a span of time, given in ISO 8601; without one, over the window that ends now."""
    start, end = about.get("start_date"), about.get("end_date")
    try:
        last = to_nanoseconds(end or datetime.now(UTC))
        first = to_nanoseconds(start) if start else last
    except (ValueError, OverflowError) as error:
        raise bad_request(f"[start_date] and [end_date] are moments: {error}") from None
    if first > last:
        raise bad_request("[start_date] lies behind [end_date]")
    ask_run(session, actor, rule, kind, (first, last))


def _edit(session: Session, actor: Actor, rule: StoredRule, body: Mapping[str, Any]) -> None:
    edits = body.get("edit") or ()
    document = edited(rule.document, edits)
    if changes_more_than_tags(edits):
        checked(document, default_schema())
        check_connectors(session, document, connectors_of(rule.document))
    change_rule(session, actor, rule, document)


_ACTIONS: dict[str, _Act] = {
    "enable": _enable, "disable": _disable, "delete": _delete, "duplicate": _duplicate, "edit": _edit, "run": _run,
    "fill_gaps": _fill,
}  # fmt: skip


@router.post("/_bulk_create", openapi_extra=_RULES)
async def bulk_create(request: Request, actor: Actor = _WRITE) -> Response:
    """Make rules. Each is answered in its place, by the rule or by why it was refused; one stops no other."""
    bodies = await read_objects(request)
    service = request.app.state.service

    def made(session: Session, body: dict[str, Any]) -> dict[str, Any]:
        body = {"rule_id": str(uuid.uuid4()), **body}
        try:
            with session.begin_nested():
                check_typed(body, **RULE_KINDS)
                rule, told = settled(session, actor, body, schema_for(service.store, body))
                return with_warnings(shown(save_new(session, actor, rule)), told)
        except (ApiError, TocsinError) as error:
            status = 409 if isinstance(error, RuleExistsError) else getattr(error, "status", 400)
            message = error.reason if isinstance(error, ApiError) else error.message
            return {"rule_id": body["rule_id"], "error": {"status_code": status, "message": message}}

    def work(pace: Pace) -> list[dict[str, Any]]:
        answers = []
        with service.records.transaction() as session:
            for body in bodies:
                pace.check()
                answers.append(made(session, body))
        return answers

    answers = await worked(request, work)
    service.scheduler.wake()
    return answer(request, answers)


@router.post("/_bulk_action", openapi_extra=body_of("action", action="string", query="string", ids="texts"))
async def bulk_action(request: Request, dry_run: bool = False, actor: Actor = _WRITE) -> Response:
    """Do something with many rules: those that `ids` or a filter in KQL (`query`) name, or all.

    One for which it cannot be done stops no other. `rule_ids` is how the client of Elastic's repository of rules
    names them: by `id` or by `rule_id`.
    """
    body = await read_typed(
        request, ids="texts", rule_ids="texts", query="string", edit="objects", duplicate="object", run="object",
        fill_gaps="object",
    )  # fmt: skip
    name = str(body.get("action"))
    if name not in (*_ACTIONS, "export"):
        raise bad_request(f"[action] is one of {', '.join((*_ACTIONS, 'export'))}")
    if body.get("ids") == [] or body.get("rule_ids") == []:
        raise bad_request("[ids] names no rule")
    named = len(body.get("ids") or ()) + len(body.get("rule_ids") or ())
    if named > _MOST_NAMED:
        raise bad_request(f"[ids] names {named:,} rules, and a request at most {_MOST_NAMED:,}")
    service = request.app.state.service

    def work(pace: Pace) -> bytes | Response:
        with service.records.transaction() as session:
            outcome = _Outcome(name)
            chosen = _chosen(session, body, outcome)
            if name == "export":
                return exported(session, chosen)
            for rule in chosen:
                pace.check()
                try:
                    with session.begin_nested():
                        outcome.add(rule, None if dry_run else _ACTIONS[name](session, actor, rule, body))
                except (ApiError, TocsinError) as error:
                    outcome.fail(error, rule.id, rule.name)
            return answer(request, outcome.told(), 500 if outcome.errors else 200)

    found = await worked(request, work)
    service.scheduler.wake()
    return Response(found, media_type="application/ndjson") if isinstance(found, bytes) else found


def _chosen(session: Session, body: Mapping[str, Any], outcome: _Outcome) -> list[StoredRule]:
    """Return the rules that a body names; those that there are not become failures."""
    rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name)))
    ids, rule_ids = body.get("ids"), body.get("rule_ids")
    if ids is None and rule_ids is None:
        return matching_rules(rules, body.get("query"))
    known = {rule.id: rule.id for rule in rules}
    if rule_ids is not None:
        known |= {rule.rule_id: rule.id for rule in rules}
    wanted = [*(ids or ()), *(rule_ids or ())]
    for id_ in wanted:
        if id_ not in known:
            outcome.fail(ApiError(404, "resource_not_found_exception", f'id: "{id_}" not found'), id_, None)
    chosen = {known.get(id_) for id_ in wanted}
    return [rule for rule in rules if rule.id in chosen]


class _Outcome:
    """What came of an action, as Kibana tells it."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.results: dict[str, list[dict[str, Any]]] = {
            "created": [], "deleted": [], "skipped": [], "updated": []
        }  # fmt: skip
        self.succeeded = 0
        self.errors: list[dict[str, Any]] = []

    def add(self, rule: StoredRule, made: StoredRule | None) -> None:
        """Note that it was done with a rule."""
        self.succeeded += 1
        if made is not None:
            self.results["created"].append(shown(made))
        elif self.action != "duplicate":
            self.results["deleted" if self.action == "delete" else "updated"].append(shown(rule))

    def fail(self, error: ApiError | TocsinError, id_: str, name: str | None) -> None:
        """Note that it could not be done with a rule."""
        status, message = (error.status, error.reason) if isinstance(error, ApiError) else (400, error.message)
        self.errors.append({"message": message, "status_code": status, "rules": [{"id": id_, "name": name}]})

    def told(self) -> dict[str, Any]:
        """Return what is answered."""
        total = self.succeeded + len(self.errors)
        summary = {"failed": len(self.errors), "skipped": 0, "succeeded": self.succeeded, "total": total}
        attributes = {"results": self.results, "summary": summary}
        if not self.errors:
            return {"success": True, "rules_count": total, "attributes": attributes}
        how = "partially failed" if self.succeeded else "failed"
        message = f"Bulk {self.action} {how}: {self.errors[0]['message']}"
        return {
            "success": False, "rules_count": total, "attributes": {**attributes, "errors": self.errors},
            "message": message, "status_code": 500,
        }  # fmt: skip
