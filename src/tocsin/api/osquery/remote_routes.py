"""What osqueryd asks: to enrol, for its configuration, to log, for queries, to answer them, to send files.

As osquery's docs/wiki/deployment/remote.md and its source (osquery/distributed, osquery/carver) have it. A host
that has no key, a wrong or a revoked one is answered `node_invalid`, with status 200, and enrols again by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError
from tocsin.api.connections import HOST, mark_known
from tocsin.api.dependencies import ServiceFleet, ServiceIngest, ServiceMetrics, service_of
from tocsin.api.osquery.bodies import HostBody, read_host_body
from tocsin.api.security import address_of
from tocsin.errors import InvalidError
from tocsin.response.hosts.carves import CarveFolder
from tocsin.response.hosts.enrollment import EnrollmentError, EnrollmentRequest, enroll
from tocsin.response.hosts.flag_file import CARVE_BEGIN, CARVE_BLOCK, CONFIG, ENROLL, LOG, READ, WRITE
from tocsin.response.hosts.fleet import Fleet
from tocsin.response.hosts.host_registry import EnrolledNode
from tocsin.response.hosts.query_delivery import answers_in
from tocsin.response.hosts.result_logs import MOST_EVENTS, log_actions

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)
_INVALID = b'{"node_invalid":true}'
_NOTHING = b"{}"
_NO_QUERIES = b'{"queries":{}}'
_TOO_LARGE = "its answer has more than 24 MB: ask for fewer rows or columns"

Body = Annotated[HostBody, Depends(read_host_body)]


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def _node(request: Request, fleet: Fleet, body: HostBody) -> EnrolledNode | None:
    """Return the host that asks, None where its key is of none."""
    node = fleet.registry.node(body.node_key, address_of(request))
    if node is not None:
        mark_known(request.scope, f"{HOST}{node.id}")
    return node


@router.post(ENROLL)
async def enroll_host(request: Request, fleet: ServiceFleet, metrics: ServiceMetrics, body: Body) -> Response:
    """Take a host in that shows a secret, and give it a key."""
    document = body.document or {}
    details, address = document.get("host_details"), address_of(request)
    asked = EnrollmentRequest(
        secret=_text(document.get("enroll_secret")), host_identifier=_text(document.get("host_identifier")),
        details=details if isinstance(details, Mapping) else {}, platform_type=document.get("platform_type"),
        address=address, agent=request.headers.get("user-agent", ""),
    )  # fmt: skip
    try:
        enrolled = await asyncio.wrap_future(fleet.changes.submit(lambda session: enroll(session, asked)))
        await run_in_threadpool(fleet.read_registry)
    except EnrollmentError as error:
        metrics.enrollments.labels("refused").inc()
        log.warning(
            "a host at %s may not enrol: %s", address, error.message,
            extra={"source.ip": address, "host.name": asked.host_identifier[:256]},
        )  # fmt: skip
        fleet.note_refusal(address, asked.host_identifier, error.message)
        return _json(_INVALID)
    metrics.enrollments.labels("enrolled").inc()
    return _json(orjson.dumps({"node_key": enrolled.node_key, "node_invalid": False}))


@router.post(CONFIG)
async def configure(request: Request, fleet: ServiceFleet, body: Body) -> Response:
    """Return what a host runs by itself: the packs that are switched on."""
    return _json(_INVALID if _node(request, fleet, body) is None else fleet.configuration)


@router.post(LOG)
async def keep_log(
    request: Request, fleet: ServiceFleet, ingest: ServiceIngest, metrics: ServiceMetrics, body: Body
) -> Response:
    """Store what a host logs as events: rows of packs, and warnings of osqueryd."""
    node = _node(request, fleet, body)
    if node is None:
        return _json(_INVALID)
    if body.document is None:  # it would come again and again, and hold up what is behind it
        log.warning("a log of %s is too large, and dropped", node.name, extra={"host.name": node.name})
        metrics.host_logs.labels("dropped").inc()
        return _json(_NOTHING)
    document, kind = body.document, _text(body.document.get("log_type"))
    actions, left_out, cut = await run_in_threadpool(
        log_actions, node, kind, document.get("data"), fleet.pack_queries, datetime.now(UTC)
    )
    # What osqueryd did is not kept, its warnings and errors are; nor is a line that holds no row.
    metrics.host_logs.labels("left out").inc(left_out)
    if cut:
        log.warning(
            "a log of %s is cut after %d rows, %d are dropped", node.name, MOST_EVENTS, cut,
            extra={"host.name": node.name},
        )  # fmt: skip
        metrics.host_logs.labels("cut").inc(cut)
    with ingest.under_way(len(actions), service_of(request).config.bulk_actions) as begun:
        if not begun:
            raise ApiError(
                429, "es_rejected_execution_exception", "too much is being stored", {"Retry-After": "5"}
            )
        answers = await run_in_threadpool(ingest.store_all, actions) if actions else []
    for answer in answers:
        metrics.host_logs.labels(answer.get("result", "again" if answer["status"] == 409 else "refused")).inc()
    return _json(_NOTHING)


@router.post(READ)
async def give_queries(request: Request, fleet: ServiceFleet, body: Body) -> Response:
    """Return the queries that wait for a host; mostly there is none, which is told without a look at the disk."""
    node = _node(request, fleet, body)
    if node is None:
        return _json(_INVALID)
    if not fleet.delivery.waits(node.id):
        return _json(_NO_QUERIES)
    queries = await asyncio.wrap_future(fleet.delivery.read(node.id))
    return _json(orjson.dumps({"queries": queries}))


@router.post(WRITE)
async def take_answers(request: Request, fleet: ServiceFleet, body: Body) -> Response:
    """Keep a host's answers. They are on disk when this is answered."""
    node = _node(request, fleet, body)
    if node is None:
        return _json(_INVALID)
    if body.document is None:
        await asyncio.wrap_future(fleet.delivery.fail_sent(node.id, _TOO_LARGE))
        return _json(_NOTHING)
    answers = await run_in_threadpool(answers_in, body.document)
    await asyncio.wrap_future(fleet.delivery.write(node.id, answers))
    return _json(_NOTHING)


@router.post(CARVE_BEGIN)
async def begin_carve(request: Request, fleet: ServiceFleet, body: Body) -> Response:
    """Begin an archive of files that a host is about to send."""
    node, document = _node(request, fleet, body), body.document
    if node is None:
        return _json(_INVALID)
    if document is None:
        raise ApiError(413, "content_too_long_exception", "the request is too large")
    carves: CarveFolder = fleet.carves
    session_id = await _changed(fleet, lambda session: carves.begin(session, node.id, document))
    return _json(orjson.dumps({"session_id": session_id}))


@router.post(CARVE_BLOCK)
async def take_block(fleet: ServiceFleet, body: Body) -> Response:
    """Keep a block of an archive, whose session tells whose it is."""
    document = body.document
    if document is None:
        raise ApiError(413, "content_too_long_exception", "the block is too large")
    await _changed(fleet, lambda session: fleet.carves.add_block(session, document))
    return _json(b'{"success":true}')


async def _changed(fleet: Fleet, change: Any) -> Any:
    try:
        return await asyncio.wrap_future(fleet.changes.submit(change))
    except InvalidError as error:
        raise ApiError(400, "illegal_argument_exception", error.message) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
