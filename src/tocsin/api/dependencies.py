"""What handlers are given of the running service, as FastAPI's dependencies: each annotates a parameter.

    async def users(records: ServiceRecords, actor: CurrentActor) -> Response: ...

Functions that handlers call take the part itself. Those that have nothing but a request use `service_of`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from tocsin.actions.delivery import DeliveryThread
from tocsin.api.access_control import AccessControl
from tocsin.api.metrics import Metrics
from tocsin.api.running import Searches
from tocsin.api.service import Service
from tocsin.api.working import Work
from tocsin.config import Config
from tocsin.ingest.bulk import Ingest
from tocsin.response.host_actions.thread import HostActionThread
from tocsin.response.hosts.fleet import Fleet
from tocsin.response.reputation.indicator_hunts import HuntThread
from tocsin.response.reputation.look_ups import Look
from tocsin.scheduler.thread import SchedulerThread
from tocsin.store.events import EventStore
from tocsin.store.records.access import Actor
from tocsin.store.records.database import Records

_Part = TypeVar("_Part")


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:  # FastAPI runs what is not async in a thread
    return service_of(request)


async def _actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


def _part(read: Callable[[Service], _Part]) -> Callable[[Service], Awaitable[_Part]]:
    """Return a dependency that reads a part of the service."""

    async def part(service: Annotated[Service, Depends(_service)]) -> _Part:
        return read(service)

    return part


RunningService = Annotated[Service, Depends(_service)]
ServiceConfig = Annotated[Config, Depends(_part(lambda service: service.config))]
ServiceStore = Annotated[EventStore, Depends(_part(lambda service: service.store))]
ServiceRecords = Annotated[Records, Depends(_part(lambda service: service.records))]
ServiceIngest = Annotated[Ingest, Depends(_part(lambda service: service.ingest))]
ServiceScheduler = Annotated[SchedulerThread, Depends(_part(lambda service: service.scheduler))]
ServiceSearches = Annotated[Searches, Depends(_part(lambda service: service.searches))]
ServiceMetrics = Annotated[Metrics, Depends(_part(lambda service: service.metrics))]
ServiceWork = Annotated[Work, Depends(_part(lambda service: service.work))]
ServiceDeliveries = Annotated[DeliveryThread, Depends(_part(lambda service: service.deliveries))]
ServiceHostActions = Annotated[HostActionThread, Depends(_part(lambda service: service.host_actions))]
ServiceFleet = Annotated[Fleet, Depends(_part(lambda service: service.fleet))]
ServiceHunts = Annotated[HuntThread, Depends(_part(lambda service: service.indicator_hunts))]
ServiceLook = Annotated[Look, Depends(_part(lambda service: service.look))]
ServiceGate = Annotated[AccessControl, Depends(_part(lambda service: service.gate))]
# Who asks, where `security.allow` guards the route: its dependency runs before those of the handler.
CurrentActor = Annotated[Actor, Depends(_actor)]
