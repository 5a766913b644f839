"""The actions that alerts of rules ask for by themselves: engineers switch them on and off, they are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import RunningService
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.response.preparing import LIVES
from tocsin.desk.response.shown_action import KIND_LABELS
from tocsin.desk.visitor import RuleWriter, Visitor
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.errors import InvalidError, TocsinError
from tocsin.response.host_actions import automatic
from tocsin.response.host_actions.connectors import response_connectors
from tocsin.store.records.models import StoredRule

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/response/automatic")
async def show_automatic(
    request: Request, visitor: RuleWriter, records: RequestTransactions, rule: str = ""
) -> Response:
    """Show what rules do by themselves, and what they bring along that nobody has switched on."""
    return await _page(request, visitor, records, rule)


@router.post("/response/automatic")
async def switch_on(
    request: Request, form: Form, visitor: RuleWriter, records: RequestTransactions, service: RunningService
) -> Response:
    """Switch an action on for a rule."""

    def switch(session: Session) -> None:
        lives, ceiling = field(form, "lives"), read_whole_number(field(form, "ceiling"), 999)
        if lives not in LIVES or ceiling is None:
            raise InvalidError("[ceiling] is a number")
        automatic.switch_on(
            session, visitor.actor, field(form, "rule"), field(form, "action"), field(form, "connector"),
            ceiling=ceiling, lives=timedelta(seconds=int(lives)) if lives else None,
            comment=field(form, "comment"), now=service.clock.now(),
        )  # fmt: skip

    try:
        await records.run(switch)
    except TocsinError as error:
        return await _page(request, visitor, records, field(form, "rule"), error.message)
    return RedirectResponse("/response/automatic", 303)


@router.post("/response/automatic/off")
async def switch_off(form: Form, visitor: RuleWriter, records: RequestTransactions) -> Response:
    """Switch an action of a rule off."""
    await records.run(lambda session: automatic.switch_off(session, visitor.actor, field(form, "id")))
    return RedirectResponse("/response/automatic", 303)


async def _page(
    request: Request, visitor: Visitor, records: RequestTransactions, rule: str, problem: str = ""
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        rules = session.execute(select(StoredRule.id, StoredRule.name, StoredRule.document)).all()
        switched_on = automatic.automatic_actions(session, datetime.now(UTC))
        known = {
            (each.automatic.rule_uuid, each.automatic.kind) for each in switched_on if each.automatic.switched_on
        }
        wishes = [
            (id_, name, kind)
            for id_, name, document in rules
            for kind in automatic.wished_actions(document)
            if (id_, kind) not in known
        ]
        return {
            "summaries": switched_on, "wishes": wishes, "rules": sorted((name, id_) for id_, name, _ in rules),
            "connectors": response_connectors(session),
        }  # fmt: skip

    context = await records.read(read)
    return page(
        request, "response/automatic.html", visitor, status=400 if problem else 200, problem=problem, chosen=rule,
        kinds={kind: KIND_LABELS[kind] for kind in automatic.AUTOMATIC_KINDS}, lives=LIVES,
        highest=automatic.HIGHEST_CEILING, labels=KIND_LABELS, **context,
    )  # fmt: skip
