"""The page of a host, and what is done to it. Its address has a name where those of other pages have a word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import ServiceFleet
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form
from tocsin.desk.hosts.labels import STATE_LABELS
from tocsin.desk.hosts.routes import shown_host
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Administrator, Reader
from tocsin.errors import NotFoundError
from tocsin.response.hosts.carves import carves_of
from tocsin.response.hosts.enrollment import hosts_named, readmit_host, remove_host, revoke_host
from tocsin.response.hosts.live_queries import live_queries

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_CHANGES = {"revoke": revoke_host, "admit": readmit_host}


@router.get("/hosts/{name}")
async def show_host(
    request: Request, visitor: Reader, records: RequestTransactions, fleet: ServiceFleet, name: str
) -> Response:
    """Show a host by its id or a name; where several have the name, these."""

    def read(session: Session) -> dict[str, Any]:
        hosts = hosts_named(session, name)
        if not hosts:
            raise NotFoundError(f"no host {name} has enrolled")
        host = hosts[0]
        return {
            "hosts": hosts, "queries": live_queries(session, size=20, host_id=host.id),
            "carves": [(carve, fleet.carves.received(carve)) for carve in carves_of(session, host.id)],
        }  # fmt: skip

    context = await records.read(read)
    hosts = context.pop("hosts")
    if len(hosts) > 1:
        return RedirectResponse(f"/hosts?q={quote(name, safe='')}", 303)
    shown = shown_host(hosts[0], fleet, datetime.now(UTC))
    return page(request, "hosts/host.html", visitor, host=shown, states=STATE_LABELS, **context)


@router.post("/hosts/{id}/{change}")
async def change_host(
    form: Form, visitor: Administrator, records: RequestTransactions, fleet: ServiceFleet, id: str, change: str
) -> Response:
    """Revoke a host, let it in again, or forget it."""
    if change == "remove":
        await records.run(lambda session: remove_host(session, visitor.actor, id))
        fleet.wake()
        return RedirectResponse("/hosts", 303)
    if change not in _CHANGES:
        raise NotFoundError(f"nothing is called {change}")
    await records.run(lambda session: _CHANGES[change](session, visitor.actor, id).id)
    fleet.wake()
    return RedirectResponse(f"/hosts/{quote(id, safe='')}", 303)
