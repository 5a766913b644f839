"""The audit log: who changed what, filtered by its address, a page at a time or as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.dependencies import ServiceRecords
from tocsin.api.transactions import RequestTransactions
from tocsin.date_math import parse_date_math
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Administrator
from tocsin.management.audit import AuditFilter, audit_entries, exported_entries, recent_actions
from tocsin.moments import iso
from tocsin.store.records.database import Records
from tocsin.store.records.models import AuditEntry

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE_SIZE = 100
RANGES = (
    ("now-24h", N_("24 hours")), ("now-7d", N_("7 days")), ("now-30d", N_("30 days")), ("", N_("all")),
)  # fmt: skip
_LONGEST = 256  # characters of a filter's text
_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class AuditView:
    """What a page of the audit log shows, as its address says it."""

    actor: str = ""
    action: str = ""
    target: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None

    @staticmethod
    def of(parameters: QueryParams) -> AuditView:
        """Return what an address asks for."""

        def text(name: str) -> str:
            return parameters.get(name, "").strip()[:_LONGEST]

        before = text("before")
        is_id = before.isascii() and before.isdecimal()
        return AuditView(
            text("actor"), text("action"), text("target"), text("from"), text("to"),
            min(int(before[:10]), _LARGEST_ID) if is_id else None,
        )  # fmt: skip

    def address(self, path: str = "/access/audit", **changes: Any) -> str:
        """Return the address of this list with changes; a change of what is shown begins with the newest."""
        view = replace(self, **{"before": None, **changes})
        parameters = {
            "actor": view.actor, "action": view.action, "target": view.target, "from": view.since,
            "to": view.until, "before": "" if view.before is None else str(view.before),
        }  # fmt: skip
        asked = urlencode({name: value for name, value in parameters.items() if value})
        return f"{path}?{asked}" if asked else path

    def filter(self, now: datetime) -> AuditFilter:
        """Return which entries it shows. Raises ApiError for times that cannot be read."""
        try:
            since = parse_date_math(self.since, now) if self.since else None
            until = parse_date_math(self.until, now) if self.until else None
        except (ValueError, OverflowError) as error:
            raise bad_request(f"the time cannot be read: {error}") from None
        return AuditFilter(self.actor, self.action, self.target, since, until)


@dataclass(frozen=True)
class ShownEntry:
    """An entry as pages show it. `address` is the page of what was changed, empty where it has none."""

    time: str
    actor: str
    source: str
    action: str
    target: str
    detail: str
    address: str


def shown_entries(entries: Iterable[AuditEntry]) -> list[ShownEntry]:
    """Return entries as pages show them."""
    return [
        ShownEntry(
            iso(entry.time), entry.actor, entry.address, entry.action, entry.target,
            ", ".join(f"{name}: {_text(value)}" for name, value in entry.detail.items()), _page_of(entry),
        )
        for entry in entries
    ]  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _page_of(entry: AuditEntry) -> str:
    detail: Mapping[str, Any] = entry.detail
    if entry.action.startswith("alerts.") and "ids" not in detail:
        return f"/alerts/{quote(entry.target, safe='')}"
    if entry.action.startswith("rule.") and entry.action != "rule.removed" and "uuid" in detail:
        return f"/rules/{quote(str(detail['uuid']), safe='')}"
    return ""


@router.get("/access/audit")
async def show_audit_log(request: Request, visitor: Administrator, records: RequestTransactions) -> Response:
    """Show the audit log."""
    view = AuditView.of(request.query_params)
    problem, wanted = "", AuditFilter()
    try:
        wanted = view.filter(datetime.now(UTC))
    except ApiError as error:
        problem = error.reason

    def read(session: Session) -> tuple[list[AuditEntry], list[str]]:
        entries = [] if problem else audit_entries(session, wanted, PAGE_SIZE + 1, view.before)
        return list(entries), recent_actions(session)

    entries, actions = await records.run(read)
    older = entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None
    return page(
        request, "access/audit.html", visitor, view=view, entries=shown_entries(entries[:PAGE_SIZE]), older=older,
        actions=actions, ranges=RANGES, problem=problem,
    )  # fmt: skip


@router.get("/access/audit/export")
async def export_audit_log(request: Request, visitor: Administrator, records: ServiceRecords) -> Response:
    """Return all entries that the filter lets through, the oldest first, one a line."""
    wanted = AuditView.of(request.query_params).filter(datetime.now(UTC))
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return StreamingResponse(_lines(records, wanted), media_type="application/x-ndjson", headers=headers)


def _lines(records: Records, wanted: AuditFilter) -> Iterator[bytes]:
    for documents in exported_entries(records, wanted):
        yield b"".join(
            orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
            for document in documents
        )
