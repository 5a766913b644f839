"""Queries of osquery in an alert's guide, run on the alert's host: rows come under the evidence."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tocsin.api.answers import ApiError
from tocsin.api.dependencies import ServiceFleet
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.alert.guide_view import guide_of, osquery_blocks
from tocsin.desk.alert.shown_alert import find_alert
from tocsin.desk.forms import Form
from tocsin.desk.hosts.queries import query_results, shown_results
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Responder
from tocsin.errors import InvalidError
from tocsin.investigation.guides.osquery import filled_query
from tocsin.response.hosts.enrollment import hosts_of_alert
from tocsin.response.hosts.live_queries import NewLiveQuery, create_live_query

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.post("/alerts/{id}/guide/{number}/osquery")
async def run_query(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, fleet: ServiceFleet, id: str,
    number: int,
) -> Response:  # fmt: skip
    """Ask the alert's host what a block of its guide asks; its answer is looked for again and again."""
    alert = (await find_alert(request, id)).flat
    block = osquery_blocks(guide_of(alert, visitor.language)).get(number)
    if block is None:
        raise ApiError(404, "resource_not_found_exception", f"the guide of this alert has no query {number}")
    sql = filled_query(block.query, alert.values)

    def ask(session: Session) -> str:
        hosts = [host for host in hosts_of_alert(session, alert.values) if host.revoked is None]
        if not hosts:
            return ""
        if len(hosts) > 1:
            names = ", ".join(f"{host.name} ({host.id})" for host in hosts[:5])
            raise InvalidError(f"several hosts are called so: {names}", hint="ask one of them from its page")
        new = NewLiveQuery(
            sql, [hosts[0].id], block.label, alert_id=alert.id, about={"ecs_mapping": dict(block.ecs_mapping)}
        )
        return create_live_query(session, visitor.actor, new).id

    query_id = await records.run(ask)
    if not query_id:
        context: dict[str, Any] = {"alert": alert, "host": alert.text("host.name")}
        template = "hosts/no_host.html" if "hx-request" in request.headers else "hosts/no_host_page.html"
        return page(request, template, visitor, **context)
    fleet.wake()
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/hosts/queries/{quote(query_id, safe='')}", 303)
    results = await records.read(lambda session: query_results(session, query_id))
    return HTMLResponse(f'<div class="asked-rows">{shown_results(results, visitor)}</div>')
