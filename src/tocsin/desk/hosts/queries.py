"""Live queries: asked, looked at while rows come, cancelled, exported; and those that people keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from tocsin.api.answers import bad_request
from tocsin.api.dependencies import ServiceFleet, ServiceRecords
from tocsin.api.transactions import RequestTransactions
from tocsin.desk.forms import Fields, Form, field
from tocsin.desk.hosts.labels import STATE_LABELS, TIME_LIMITS
from tocsin.desk.page_route import PageRoute, leave_page
from tocsin.desk.pages import page, part
from tocsin.desk.timeline.exports import MEDIA_TYPES, download_headers
from tocsin.desk.visitor import Reader, Responder, Visitor
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.errors import TocsinError
from tocsin.investigation.guides.osquery import checked_query
from tocsin.response.hosts.enrollment import all_hosts, hosts_named
from tocsin.response.hosts.live_queries import (
    NewLiveQuery,
    QueryProgress,
    cancel_live_query,
    create_live_query,
    find_live_query,
    live_queries,
    progress_of,
    targets_of,
)
from tocsin.response.hosts.packs import find_saved_query, remove_saved_query, save_query, saved_queries
from tocsin.response.hosts.query_rows import columns_of, read_rows, rows_as_csv, rows_as_ndjson
from tocsin.store.records.database import Records
from tocsin.store.records.hosts import LiveQueryHost, OsqueryHost, StoredLiveQuery

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ROWS = 100
_MOST_TARGETS, _MOST_QUERIES = 200, 100  # that a page shows
_MOST_COLUMNS = 60


@dataclass(frozen=True)
class QueryResults:
    """What a query has come to: how far it is, its hosts, and a page of its rows."""

    query: StoredLiveQuery
    progress: QueryProgress
    targets: Sequence[LiveQueryHost]
    rows: Sequence[tuple[str, Mapping[str, Any]]]
    columns: Sequence[str]
    page: int

    @property
    def names(self) -> dict[str, str]:
        """The names of hosts by their ids."""
        return {target.host_id: target.host_name for target in self.targets}

    @property
    def pages(self) -> int:
        """How many pages of rows there are."""
        return max(1, -(-self.progress.kept_rows // ROWS))


def query_results(session: Session, id_: str, number: int = 1) -> QueryResults:
    """Return what a query has come to, with a page of its rows. Raises NotFoundError."""
    query = find_live_query(session, id_)
    rows = list(read_rows(session, id_, start=(number - 1) * ROWS, size=ROWS))
    columns = columns_of([row for _, row in rows])[:_MOST_COLUMNS]
    targets = targets_of(session, id_, size=_MOST_TARGETS)
    return QueryResults(query, progress_of(session, id_), targets, rows, columns, number)


def shown_results(results: QueryResults, visitor: Visitor) -> Markup:
    """Return what a query has come to, as a part that asks for itself again while rows may come."""
    return part(
        "hosts/results.html",
        visitor,
        results=results,
        states=STATE_LABELS,
        now=datetime.now(UTC),
        rows_of_page=ROWS,
    )


@router.get("/hosts/query")
async def show_form(request: Request, visitor: Responder, records: RequestTransactions) -> Response:
    """Show the form of a query; the address may name hosts, and the query."""
    given = request.query_params
    fields = {name: given.getlist(name) for name in ("host", "sql", "alert", "case", "name") if name in given}
    return await _form(request, visitor, records, fields)


async def _form(
    request: Request, visitor: Visitor, records: Any, fields: Fields, problem: str = "", status: int = 200
) -> Response:
    def read(session: Session) -> tuple[list[OsqueryHost], set[str], Sequence[Any]]:
        hosts = [host for host in all_hosts(session) if host.revoked is None]
        chosen = {host.id for name in fields.get("host", []) for host in hosts_named(session, name)}
        return hosts, chosen, saved_queries(session, visitor.actor)

    hosts, chosen, saved = await records.read(read)
    sql = field(fields, "sql")
    return page(
        request, "hosts/query.html", visitor, status=status, hosts=hosts, chosen=chosen, saved=saved, sql=sql,
        problem=problem, checked=checked_query(sql) if sql and not problem else None, limits=TIME_LIMITS,
        limit=field(fields, "limit") or "300", alert=field(fields, "alert"), case=field(fields, "case"),
        name=field(fields, "name"), every=field(fields, "every") != "",
    )  # fmt: skip


@router.post("/hosts/query")
async def ask_hosts(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, fleet: ServiceFleet
) -> Response:
    """Have hosts asked, or keep the query for later."""
    if field(form, "keep"):
        try:
            await records.run(
                lambda session: save_query(session, visitor.actor, field(form, "name"), field(form, "sql")).id
            )
        except TocsinError as error:
            return await _form(request, visitor, records, form, str(error), 400)
        return RedirectResponse("/hosts/query", 303)

    def ask(session: Session) -> str:
        ids = form.get("host", [])
        if field(form, "every"):
            ids = [host.id for host in all_hosts(session) if host.revoked is None]
        seconds = read_whole_number(field(form, "limit"), 86_400) or 300
        asked = NewLiveQuery(
            field(form, "sql"), ids, field(form, "name"), timedelta(seconds=seconds),
            field(form, "alert") or None, field(form, "case") or None, unchecked=bool(field(form, "unchecked")),
        )  # fmt: skip
        return create_live_query(session, visitor.actor, asked).id

    try:
        id_ = await records.run(ask)
    except TocsinError as error:
        return await _form(request, visitor, records, form, str(error), 400)
    fleet.wake()
    return RedirectResponse(f"/hosts/queries/{id_}", 303)


@router.post("/hosts/saved-queries/remove")
async def forget_query(form: Form, visitor: Responder, records: RequestTransactions) -> Response:
    """Remove a query that was kept."""
    await records.run(lambda session: remove_saved_query(session, visitor.actor, field(form, "id")))
    return RedirectResponse("/hosts/query", 303)


@router.get("/hosts/saved-queries/{id}")
async def use_query(visitor: Responder, records: RequestTransactions, id: str, host: str = "") -> Response:
    """Go to the form with a query that was kept."""
    saved = await records.read(lambda session: find_saved_query(session, visitor.actor, id))
    hosts = f"&host={quote(host, safe='')}" if host else ""
    sql, name = quote(str(saved.document.get("query", "")), safe=""), quote(saved.name, safe="")
    return RedirectResponse(f"/hosts/query?sql={sql}&name={name}{hosts}", 303)


@router.get("/hosts/queries")
async def list_queries(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the queries that were asked last."""

    def read(session: Session) -> list[tuple[StoredLiveQuery, QueryProgress]]:
        queries = live_queries(session, size=_MOST_QUERIES)
        return [(query, progress_of(session, query.id)) for query in queries]

    queries = await records.read(read)
    return page(request, "hosts/queries.html", visitor, queries=queries, most=_MOST_QUERIES)


@router.get("/hosts/queries/{id}")
async def show_query(request: Request, visitor: Reader, records: RequestTransactions, id: str) -> Response:
    """Show what a query has come to; the part of it that changes asks for itself again."""
    number = read_whole_number(request.query_params.get("page", ""), 10_000) or 1
    results = await records.read(lambda session: query_results(session, id, number))
    if "hx-request" in request.headers:
        return Response(shown_results(results, visitor), media_type="text/html; charset=utf-8")
    return page(request, "hosts/query_page.html", visitor, results=results, shown=shown_results(results, visitor))


@router.post("/hosts/queries/{id}/cancel")
async def cancel(
    request: Request, form: Form, visitor: Responder, records: RequestTransactions, fleet: ServiceFleet, id: str
) -> Response:
    """Ask no more hosts."""
    await records.run(lambda session: cancel_live_query(session, visitor.actor, id).id)
    fleet.wake()
    if "hx-request" in request.headers:
        return leave_page(f"/hosts/queries/{quote(id, safe='')}")
    return RedirectResponse(f"/hosts/queries/{quote(id, safe='')}", 303)


@router.get("/hosts/queries/{id}/export")
async def export(
    request: Request, visitor: Reader, transactions: RequestTransactions, records: ServiceRecords, id: str
) -> Response:
    """Send all rows of a query that are kept, as NDJSON or CSV."""
    form = request.query_params.get("format", "")
    if form not in MEDIA_TYPES:
        raise bad_request("an export is ndjson or csv")

    def read(session: Session) -> tuple[dict[str, str], int, list[str]]:
        query = find_live_query(session, id)
        names = {target.host_id: target.host_name for target in targets_of(session, query.id, size=10_000)}
        columns: dict[str, None] = {}
        if form == "csv":
            for _, row in read_rows(session, id):
                columns.update(dict.fromkeys(row))
        return names, progress_of(session, id).kept_rows, list(columns)

    names, count, columns = await transactions.read(read)
    lines = _lines(records, id, form, names, columns)
    headers = download_headers(datetime.now(UTC), form, count, count, name="osquery")
    return StreamingResponse(_sent(lines), media_type=MEDIA_TYPES[form], headers=headers)


async def _sent(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    async for line in iterate_in_threadpool(lines):
        yield line


def _lines(
    records: Records, id_: str, form: str, names: Mapping[str, str], columns: Sequence[str]
) -> Iterator[bytes]:
    with records.transaction() as session:
        rows = (
            ({"host.name": names.get(host_id, ""), "host.id": host_id}, row)
            for host_id, row in read_rows(session, id_)
        )
        if form == "csv":
            yield from rows_as_csv(columns, ("host.name", "host.id"), rows)
        else:
            yield from rows_as_ndjson(rows)
