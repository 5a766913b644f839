"""What is done with many rules at once, over HTTP, as Kibana has it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import ApiError, NdjsonResponse, answer, api_error
from tocsin.api.body import fitted, json_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.kibana.rules.bulk_models import (
    BulkAction,
    BulkActionFailure,
    BulkActionSuccess,
    RuleBodies,
    UnsavedRule,
)
from tocsin.api.kibana.rules.models import RuleBody, RuleDocument
from tocsin.api.security import allow
from tocsin.api.transactions import GoOn, RequestTransactions
from tocsin.errors import TocsinError
from tocsin.management.exports import exported_rules
from tocsin.management.rules.bulk_actions import BulkResult, Change, apply_action, select_rules
from tocsin.management.rules.saving import create_rule, schema_of
from tocsin.store.records.access import Actor, Scope

router = APIRouter(prefix="/api/detection_engine/rules", tags=["rules"])
_Writer = Annotated[Actor, Depends(allow(Scope.WRITE_RULES))]
_UNKNOWN = "(unknown id)"  # what Kibana calls a rule whose `rule_id` is no text
_EXPORTED: dict[str, Any] = {"application/ndjson": {"schema": {"type": "string"}}}
_BULK_ACTION: dict[int | str, dict[str, Any]] = {
    200: {"model": BulkActionSuccess, "content": _EXPORTED, "description": "The action was done with all rules."},
    500: {"model": BulkActionFailure, "description": "The action could not be done with some rules."},
}


@router.post("/_bulk_create", response_model=list[RuleDocument | UnsavedRule])
async def bulk_create(
    request: Request,
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    bodies: Annotated[RuleBodies, json_body(RuleBodies)],
) -> Response:
    """Make many rules.

    Each is answered in its place, by the rule or by its `rule_id` and an `error`. One that is refused stops no
    other.
    """
    schemas = schema_of(store)

    def created(session: Session, body: dict[str, Any]) -> dict[str, Any]:
        body = {"rule_id": str(uuid.uuid4()), **body}
        try:
            with session.begin_nested():
                fitted(request, RuleBody, body)
                return create_rule(session, actor, body, schemas).document()
        except (ApiError, TocsinError) as error:
            refusal = error if isinstance(error, ApiError) else api_error(error)
            rule_id = body["rule_id"]
            return {
                "rule_id": rule_id if isinstance(rule_id, str) else _UNKNOWN,
                "error": {"status_code": refusal.status, "message": refusal.reason},
            }

    def work(session: Session, go_on: GoOn) -> Response:
        documents = []
        for body in bodies.root:
            go_on()
            documents.append(created(session, body))
        return answer(request, documents)

    return await transactions.run_in_turn(work)


@router.post("/_bulk_action", responses=_BULK_ACTION)
async def bulk_action(
    request: Request,
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[BulkAction, json_body(BulkAction)],
    dry_run: Annotated[bool, Query(description="Whether it is only said what would become of it.")] = False,
) -> Response:
    """Do something with many rules: those that `ids` or a filter in KQL (`query`) name, or all.

    `enable`, `disable` and `delete` need nothing beside. `edit` has the changes in `edit`: objects with a `type`
    (`add_tags`, `delete_tags`, `set_tags`, `set_schedule`, …) and a `value`. `run` and `fill_gaps` have the
    span in the member of their name. `export` answers the rules, one a line.

    A rule for which it cannot be done stops no other, and is named under `errors`; the status is 500 then.
    `rule_ids` is how the client of Elastic's repository of rules names them: by `id` or by `rule_id`.
    """
    schemas = schema_of(store)

    def work(session: Session, go_on: GoOn) -> Response:
        rules, missing = select_rules(session, body.ids, body.rule_ids, body.query)
        if body.action == "export":
            return NdjsonResponse(exported_rules(session, rules))
        change = Change(session, actor, schemas, body.document())
        result = apply_action(body.action, rules, change, dry_run=dry_run, go_on=go_on)
        result.failures[:0] = missing
        return answer(request, _bulk_answer(result), 500 if result.failures else 200)

    return await transactions.run_in_turn(work)


def _bulk_answer(result: BulkResult) -> dict[str, Any]:
    """Return what has become of an action, as Kibana says it."""
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
