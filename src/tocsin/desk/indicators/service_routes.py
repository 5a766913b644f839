"""Services that judge observables: off until switched on with a key, and how much of their quotas is used."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Administrator, Visitor
from tocsin.errors import TocsinError
from tocsin.response.reputation import service_settings as settings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_ADDRESS = "/indicators/services"


@router.get(_ADDRESS)
async def show_services(request: Request, visitor: Administrator, records: RequestTransactions) -> Response:
    """Show what is set about services."""
    return await _services(request, visitor, records)


@router.post(_ADDRESS)
async def change_service(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions
) -> Response:
    """Set what holds for a service."""
    change = settings.ServiceChange(
        enabled="enabled" in form, automatic="automatic" in form, key=field(form, "key").strip(),
        address=field(form, "address"), remove_key="remove_key" in form,
    )  # fmt: skip

    def work(session: Session) -> None:
        settings.change_service(session, visitor.actor, field(form, "service"), change)

    try:
        await records.run(work)
    except TocsinError as error:
        return await _services(request, visitor, records, problem=error.message, service=field(form, "service"))
    return RedirectResponse(_ADDRESS, 303)


@router.post(f"{_ADDRESS}/own-domains")
async def change_own_domains(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions
) -> Response:
    """Set the domains of which nothing is sent."""

    def work(session: Session) -> None:
        settings.change_own_domains(session, visitor.actor, field(form, "own_domains").splitlines())

    try:
        await records.run(work)
    except TocsinError as error:
        return await _services(request, visitor, records, problem=error.message)
    return RedirectResponse(_ADDRESS, 303)


async def _services(
    request: Request, visitor: Visitor, records: RequestTransactions, *, problem: str = "", service: str = ""
) -> Response:
    def read(session: Session) -> tuple[list[settings.ServiceSettings], tuple[str, ...]]:
        return settings.service_settings(session), settings.own_domains(session)

    services, own_domains = await records.read(read)
    return page(
        request, "indicators/services.html", visitor, status=400 if problem else 200, services=services,
        own_domains=own_domains, problem=problem, refused=service,
    )  # fmt: skip
