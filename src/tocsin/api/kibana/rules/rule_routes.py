"""Rules over HTTP, as Kibana's detection engine has them: one at a time, and found by what they say."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from tocsin.api.answers import answer
from tocsin.api.body import json_body
from tocsin.api.dependencies import ServiceStore
from tocsin.api.kibana.parameters import PageNumber, RowCount, RuleId, RuleUuid, SortOrder
from tocsin.api.kibana.rules.models import (
    AlertIndexName,
    ExecutionPage,
    RuleBody,
    RuleDocument,
    RulePage,
    RulePatch,
    RulePrivileges,
)
from tocsin.api.models import CONFLICT, NOT_FOUND
from tocsin.api.security import allow
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.management.rules.documents import rule_document
from tocsin.management.rules.executions import execution_history, last_executions
from tocsin.management.rules.finding import SORT_FIELDS, matching_rules, sort_rules
from tocsin.management.rules.saving import change_rule, create_rule, find_rule, schema_of
from tocsin.store.events import EventStore
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import remove_rule

router = APIRouter(prefix="/api/detection_engine", tags=["rules"])
_READ, _WRITE = Depends(allow(Scope.READ)), Depends(allow(Scope.WRITE_RULES))
_Writer = Annotated[Actor, _WRITE]
_PageSize = Annotated[int, Query(ge=0, le=10_000, description="How many a page has at most; 0 for `total` alone.")]
_SortField = Annotated[str, Query(description=f"What they are sorted by: one of {', '.join(SORT_FIELDS)}.")]
_Filter = Annotated[
    str | None,
    Query(
        description="A filter in KQL over `alert.attributes.*`; without it, all rules.",
        examples=['alert.attributes.tags: "Windows" and alert.attributes.enabled: true'],
    ),
]


@router.post("/rules", response_model=RuleDocument, responses=CONFLICT)
async def create(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[RuleBody, json_body(RuleBody)],
) -> Response:
    """Make a rule; it is enabled unless it says otherwise.

    A rule without `rule_id` gets one. A query that cannot be read is refused with the place; what keeps a rule
    from running is named in the answer's `warnings`.
    """
    document = {"rule_id": str(uuid.uuid4()), **body.document()}
    schemas = schema_of(store)
    return await transactions.answer_in_turn(
        lambda session: create_rule(session, actor, document, schemas).document()
    )


@router.get("/rules", response_model=RuleDocument, responses=NOT_FOUND, dependencies=[_READ])
async def read(transactions: RequestTransactions, id: RuleUuid = None, rule_id: RuleId = None) -> Response:
    """Return a rule: that of an `id` or of a `rule_id`; `execution_summary` says how its last run went."""

    def work(session: Session) -> dict[str, Any]:
        rule = find_rule(session, id, rule_id)
        return rule_document(rule, last_executions(session, [rule.id]).get(rule.id))

    return await transactions.answer(work)


@router.put("/rules", response_model=RuleDocument, responses=NOT_FOUND)
async def replace(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[RuleBody, json_body(RuleBody)],
) -> Response:
    """Give a rule another body: the rule whose `id` or `rule_id` it has.

    Members that it does not have get their defaults; `PATCH` leaves those as they are.
    """
    return await _changed(transactions, store, actor, body.document(), merged=False)


@router.patch("/rules", response_model=RuleDocument, responses=NOT_FOUND)
async def patch(
    transactions: RequestTransactions,
    store: ServiceStore,
    actor: _Writer,
    body: Annotated[RulePatch, json_body(RulePatch)],
) -> Response:
    """Change some members of a rule: the rule whose `id` or `rule_id` the body has; its other members stay."""
    return await _changed(transactions, store, actor, body.document(), merged=True)


async def _changed(
    transactions: TransactionRunner, store: EventStore, actor: Actor, body: dict[str, Any], *, merged: bool
) -> Response:
    schemas = schema_of(store)

    def work(session: Session) -> dict[str, Any]:
        rule = find_rule(session, body.get("id"), body.get("rule_id"))
        whole = {**rule.document, **body} if merged else body
        return change_rule(session, actor, rule, whole, schemas).document()

    return await transactions.answer_in_turn(work)


@router.delete("/rules", response_model=RuleDocument, responses=NOT_FOUND)
async def delete(
    transactions: RequestTransactions, actor: _Writer, id: RuleUuid = None, rule_id: RuleId = None
) -> Response:
    """Remove the rule of an `id` or of a `rule_id`; its alerts stay. The answer is the rule as it was."""

    def work(session: Session) -> dict[str, Any]:
        rule = find_rule(session, id, rule_id)
        document = rule_document(rule)
        remove_rule(session, actor, rule)
        return document

    return await transactions.answer_in_turn(work)


@router.get("/rules/_find", response_model=RulePage, dependencies=[_READ])
async def find(
    transactions: RequestTransactions,
    page: PageNumber = 1,
    per_page: _PageSize = 20,
    sort_field: _SortField = "name",
    sort_order: SortOrder = "asc",
    filter: _Filter = None,
) -> Response:
    """Find rules, by a filter in KQL.

    The filter's fields are `alert.attributes.*`: `name`, `enabled`, `tags`, and what a rule is made of as Kibana
    keeps it, such as `params.riskScore`. `perPage` in the answer is `per_page`.
    """

    def work(session: Session) -> dict[str, Any]:
        rules = matching_rules(list(session.scalars(select(StoredRule))), filter)
        sort_rules(rules, sort_field, descending=sort_order == "desc")
        shown = rules[(page - 1) * per_page : page * per_page]
        last = last_executions(session, [rule.id for rule in shown])
        data = [rule_document(rule, last.get(rule.id)) for rule in shown]
        return {"page": page, "perPage": per_page, "total": len(rules), "data": data}

    return await transactions.answer(work)


@router.get("/tags", response_model=list[str], dependencies=[_READ])
async def tags(transactions: RequestTransactions) -> Response:
    """Return the tags of all rules."""

    def work(session: Session) -> list[str]:
        return sorted({str(tag) for rule in session.scalars(select(StoredRule)) for tag in _tags(rule)})

    return await transactions.answer(work)


def _tags(rule: StoredRule) -> list[Any]:
    tags = rule.document.get("tags")
    return tags if isinstance(tags, list) else []


@router.get("/rules/executions", response_model=ExecutionPage, responses=NOT_FOUND, dependencies=[_READ])
async def executions(
    transactions: RequestTransactions,
    id: RuleUuid = None,
    rule_id: RuleId = None,
    size: RowCount = 50,
) -> Response:
    """Return the last executions of rules, and the gaps that are not filled.

    They are those of the rule of an `id` or a `rule_id`, or of all. A gap is a span over which a rule did not run;
    the action `fill_gaps` has it run over them.
    """

    def work(session: Session) -> dict[str, Any]:
        rule = None if id is None and rule_id is None else find_rule(session, id, rule_id)
        history = execution_history(session, rule, size=size, filled=False)
        return {"executions": list(map(_plain, history.executions)), "gaps": list(map(_plain, history.gaps))}

    return await transactions.answer(work)


def _plain(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}


@router.get("/index", response_model=AlertIndexName, dependencies=[_READ])
async def index(request: Request) -> Response:
    """Return the index that alerts are searched in."""
    return answer(request, AlertIndexName())


@router.get("/privileges", response_model=RulePrivileges)
async def privileges(request: Request, actor: Actor = _READ) -> Response:
    """Return what the one who asks may do with rules and alerts."""
    may = {"read": True, "write": actor.may(Scope.RESPOND), "maintenance": actor.may(Scope.WRITE_RULES)}
    privileges = RulePrivileges(
        username=actor.name, has_all_requested=all(may.values()), index={".alerts-security.alerts-default": may}
    )
    return answer(request, privileges)
