"""What is done with many rules at once, over HTTP, as Kibana has it."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, api_error, bad_request
from tocsin.api.body import body_of, check_typed, read_objects, read_typed
from tocsin.api.kibana.rules.bodies import RULE_KINDS
from tocsin.api.kibana.transactions import GoOn, in_turn
from tocsin.api.security import allow
from tocsin.errors import TocsinError
from tocsin.management.exports import exported_rules
from tocsin.management.rules.bulk_actions import ACTIONS, BulkResult, Change, apply_action, select_rules
from tocsin.management.rules.saving import create_rule, schema_of
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_WRITE = Depends(allow(Scope.WRITE_RULES))
_MOST_NAMED = 10_000  # rules, as many as Kibana changes at once
_RULES = {
    "requestBody": {"content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}}
}


@router.post("/_bulk_create", openapi_extra=_RULES)
async def bulk_create(request: Request, actor: Actor = _WRITE) -> Response:
    """Make rules. Each is answered in its place, by the rule or by why it was refused; one stops no other."""
    bodies = await read_objects(request)
    schemas = schema_of(request.app.state.service.store)

    def created(session: Session, body: dict[str, Any]) -> dict[str, Any]:
        body = {"rule_id": str(uuid.uuid4()), **body}
        try:
            with session.begin_nested():
                check_typed(body, **RULE_KINDS)
                return create_rule(session, actor, body, schemas).document()
        except (ApiError, TocsinError) as error:
            told = error if isinstance(error, ApiError) else api_error(error)
            return {"rule_id": body["rule_id"], "error": {"status_code": told.status, "message": told.reason}}

    def work(session: Session, go_on: GoOn) -> Response:
        documents = []
        for body in bodies:
            go_on()
            documents.append(created(session, body))
        return answer(request, documents)

    return await in_turn(request, work)


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
    if name not in (*ACTIONS, "export"):
        raise bad_request(f"[action] is one of {', '.join((*ACTIONS, 'export'))}")
    if body.get("ids") == [] or body.get("rule_ids") == []:
        raise bad_request("[ids] names no rule")
    named = len(body.get("ids") or ()) + len(body.get("rule_ids") or ())
    if named > _MOST_NAMED:
        raise bad_request(f"[ids] names {named:,} rules, and a request at most {_MOST_NAMED:,}")
    schemas = schema_of(request.app.state.service.store)

    def work(session: Session, go_on: GoOn) -> Response:
        rules, missing = select_rules(session, body.get("ids"), body.get("rule_ids"), body.get("query"))
        if name == "export":
            return Response(exported_rules(session, rules), media_type="application/ndjson")
        change = Change(session, actor, schemas, body)
        result = apply_action(name, rules, change, dry_run=dry_run, go_on=go_on)
        result.failures[:0] = missing
        return answer(request, _told(result), 500 if result.failures else 200)

    return await in_turn(request, work)


def _told(result: BulkResult) -> dict[str, Any]:
    """Return what has come of an action, as Kibana tells it."""
    errors = []
    for failure in result.failures:
        error = api_error(failure.error)
        rules = [{"id": failure.id, "name": failure.name}]
        errors.append({"message": error.reason, "status_code": error.status, "rules": rules})
    total = result.succeeded + len(errors)
    results = {
        "created": result.created, "deleted": result.deleted, "skipped": [], "updated": result.updated,
    }  # fmt: skip
    summary = {"failed": len(errors), "skipped": 0, "succeeded": result.succeeded, "total": total}
    attributes = {"results": results, "summary": summary}
    if not errors:
        return {"success": True, "rules_count": total, "attributes": attributes}
    how = "partially failed" if result.succeeded else "failed"
    message = f"Bulk {result.action} {how}: {errors[0]['message']}"
    return {
        "success": False, "rules_count": total, "attributes": {**attributes, "errors": errors},
        "message": message, "status_code": 500,
    }  # fmt: skip
