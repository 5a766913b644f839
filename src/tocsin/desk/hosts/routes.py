"""The pages of hosts: all of them, and how they enrol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.dependencies import ServiceFleet
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.forms import Form, field
from tocsin.desk.hosts.labels import PLATFORM_LABELS
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.visitor import Administrator, Reader, Visitor
from tocsin.errors import TocsinError
from tocsin.response.hosts.enrollment import (
    MadeSecret,
    add_secret,
    all_hosts,
    enrollment_secrets,
    is_valid,
    revoke_secret,
    rotate_secret,
)
from tocsin.response.hosts.flag_file import FOLDERS, FlagFile
from tocsin.response.hosts.fleet import Fleet
from tocsin.store.records.hosts import OsqueryHost

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_SILENT_AFTER = timedelta(minutes=5)  # a host comes every few seconds
_MOST_SHOWN = 1_000


@dataclass(frozen=True)
class ShownHost:
    """A host as pages show it. `state` is seen, silent or revoked."""

    host: OsqueryHost
    last_seen: datetime | None
    state: str

    @property
    def platform(self) -> str:
        """Its platform, in the word that people have for it."""
        return PLATFORM_LABELS.get(self.host.platform, self.host.platform)

    def has(self, text: str) -> bool:
        """Tell whether what is known of it holds a text."""
        host = self.host
        about = (host.name, host.host_identifier, host.hardware_uuid, host.os_name, host.address, self.platform)
        return any(text.lower() in part.lower() for part in about)


def shown_host(host: OsqueryHost, fleet: Fleet, now: datetime) -> ShownHost:
    """Return a host as pages show it: when it was seen is known in memory before it is written."""
    last = max(filter(None, (host.last_seen, fleet.registry.last_seen(host.id))), default=None)
    is_silent = last is None or now - last > _SILENT_AFTER
    return ShownHost(host, last, "revoked" if host.revoked else "silent" if is_silent else "seen")


@router.get("/hosts")
async def show_hosts(
    request: Request, visitor: Reader, records: RequestTransactions, fleet: ServiceFleet, q: str = ""
) -> Response:
    """Show the hosts that have enrolled, those whose name, system or address holds a text."""
    now = datetime.now(UTC)
    hosts = [shown_host(host, fleet, now) for host in await records.read(all_hosts)]
    fitting = [host for host in hosts if host.has(q.strip())]
    return page(
        request, "hosts/list.html", visitor, hosts=fitting[:_MOST_SHOWN], fitting=len(fitting), count=len(hosts),
        text=q, most=_MOST_SHOWN, counts={state: sum(host.state == state for host in hosts)
                                         for state in ("seen", "silent", "revoked")},
    )  # fmt: skip


@router.get("/hosts/enrolment")
async def show_enrolment(request: Request, visitor: Administrator, records: RequestTransactions) -> Response:
    """Show the secrets that hosts enrol with, and the flag file for them."""
    return await _enrolment(request, visitor, records)


async def _enrolment(
    request: Request, visitor: Visitor, records: TransactionRunner, made: MadeSecret | None = None
) -> Response:
    platform = request.query_params.get("platform", "windows")
    platform = platform if platform in FOLDERS else "windows"
    address = f"https://{request.headers.get('host', '')}"
    try:
        flags, problem = FlagFile(address, platform, carves="carves" in request.query_params).text(), ""
    except TocsinError as error:
        flags, problem = "", str(error)
    secrets = await records.read(enrollment_secrets)
    return page(
        request, "hosts/enrolment.html", visitor, secrets=[(secret, is_valid(secret)) for secret in secrets],
        made=made, flags=flags, problem=problem, platform=platform, platforms=PLATFORM_LABELS,
        is_encrypted=request.url.scheme == "https", folder=FOLDERS[platform],
        carves="carves" in request.query_params,
    )  # fmt: skip


@router.post("/hosts/enrolment")
async def make_secret(
    request: Request, form: Form, visitor: Administrator, records: RequestTransactions
) -> Response:
    """Make a secret, beside the others or in their place, and show it this once."""
    make = rotate_secret if field(form, "rotate") else add_secret
    made = await records.run(lambda session: make(session, visitor.actor, field(form, "name")))
    return await _enrolment(request, visitor, records, made)


@router.post("/hosts/enrolment/revoke")
async def end_secret(form: Form, visitor: Administrator, records: RequestTransactions) -> Response:
    """Take a secret no more."""
    await records.run(lambda session: revoke_secret(session, visitor.actor, field(form, "id")).id)
    return RedirectResponse("/hosts/enrolment", 303)
