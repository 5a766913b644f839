"""The reputation of observables: own data and lists at once, services outside when somebody asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import ServiceLook, service_of
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Form, field
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.visitor import Reader, Responder, Visitor
from tocsin.errors import TocsinError
from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL, Observable
from tocsin.response.reputation import local_data
from tocsin.response.reputation.indicator_hunt import EVENTS
from tocsin.response.reputation.look_ups import Offer, offers

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_LONGEST = 2_048
# The kinds of observables by the names that addresses have for them.
KINDS = {
    HASH: HASH, "sha256": HASH, "sha1": HASH, "md5": HASH, DOMAIN: DOMAIN, ADDRESS: ADDRESS, "ip": ADDRESS,
    URL: URL, "url": URL,
}  # fmt: skip


@dataclass(frozen=True)
class KnownObservable:
    """An observable with what is known of it."""

    observable: Observable
    prevalence: local_data.EventPrevalence | None
    listings: Sequence[local_data.Listing]
    offers: Sequence[Offer]


async def known_of(request: Request, observables: Sequence[Observable]) -> list[KnownObservable]:
    """Return what is known of observables, without asking anybody outside. Raises ApiError."""
    if not observables:
        return []
    counted, listed = await asyncio.gather(
        search(request, list(EVENTS), local_data.prevalence_search(observables)),
        search(request, list(local_data.LISTS), local_data.listing_search(observables)),
    )
    offered = await run_in_threadpool(_offers, request, observables)
    events = local_data.prevalences(observables, counted.get("aggregations", {}))
    lists = local_data.listings(observables, listed["hits"]["hits"])
    return [
        KnownObservable(of, events.get(key), lists.get(key, ()), offered.get(key, ()))
        for of in observables
        for key in [local_data.key_of(of)]
    ]


def _offers(request: Request, observables: Sequence[Observable]) -> dict[tuple[str, str], list[Offer]]:
    with service_of(request).records.transaction() as session:
        return dict(offers(session, observables))


def _observable(kind: str, value: str) -> Observable:
    """Return the observable that an address or a form names. Raises ApiError."""
    value = value.strip()
    if kind not in KINDS or not 0 < len(value) <= _LONGEST:
        raise bad_request(f"[type] is one of {', '.join(KINDS)}, and [value] has 1 to {_LONGEST:,} characters")
    return Observable(KINDS[kind], value, "", {})


@router.get("/reputation")
async def show(request: Request, visitor: Reader, type: str, value: str) -> Response:
    """Show what is known of an observable."""
    return await _shown(request, visitor, _observable(type, value))


@router.post("/reputation")
async def ask(
    request: Request, form: Form, visitor: Responder, look: ServiceLook, records: RequestTransactions
) -> Response:
    """Ask a service about an observable, and show what it says."""
    observable = _observable(field(form, "type"), field(form, "value"))
    service, again = field(form, "service"), field(form, "again") == "1"
    problem = ""
    try:
        await run_in_threadpool(look.up, visitor.actor, service, observable.kind, observable.value, again=again)
    except TocsinError as error:
        problem = error.message
    if "hx-request" not in request.headers and not problem:
        return RedirectResponse(address_of(observable), 303)
    if "hx-request" not in request.headers:
        return await _shown(request, visitor, observable, problem)

    def read(session: Session) -> list[Offer]:
        return list(offers(session, [observable]).get(local_data.key_of(observable), ()))

    asked = [offer for offer in await records.read(read) if offer.settings.service.id == service]
    return page(
        request, "indicators/services_of.html", visitor, observable=observable, offers=asked, problem=problem
    )


def address_of(observable: Observable) -> str:
    """Return the address of an observable's page."""
    from urllib.parse import urlencode

    return f"/reputation?{urlencode({'type': observable.kind, 'value': observable.value})}"


async def _shown(request: Request, visitor: Visitor, observable: Observable, problem: str = "") -> Response:
    [known] = await known_of(request, [observable])
    template = "indicators/known.html" if "hx-request" in request.headers else "indicators/reputation.html"
    return page(
        request, template, visitor, status=400 if problem else 200, known=[known], observable=observable,
        problem=problem,
    )  # fmt: skip
