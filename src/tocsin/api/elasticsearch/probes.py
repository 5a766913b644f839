"""What shippers ask before they send: is this Elasticsearch, may they use it, are their templates there?

Index templates give the indices that begin their mappings. Pipelines and policies are kept and given back, and
have no effect: raw records are normalised on the way in, and events leave by the service's own settings.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import json_body
from tocsin.api.dependencies import CurrentActor, RunningService, ServiceRecords, ServiceStore
from tocsin.api.elasticsearch.cluster_models import (
    ClusterHealth,
    ClusterInfo,
    Features,
    KibanaStatus,
    License,
    Nodes,
    SetUp,
    SetUpBody,
)
from tocsin.api.elasticsearch.index_models import DataStreams
from tocsin.api.models import NOT_FOUND, AcknowledgedChange, ElasticsearchError
from tocsin.api.security import allow
from tocsin.api.service import Service
from tocsin.ingest.bulk import NO_SHARE
from tocsin.store.mappings.templates import broad_patterns, check_template
from tocsin.store.mappings.types import MappingError
from tocsin.store.patterns import name_error, takes
from tocsin.store.records import access
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.database import Records
from tocsin.store.records.models import ClientObject
from tocsin.store.records.templates import KINDS, templates_in

# The release whose interface this is. Shippers refuse to send to one that is older than themselves.
VERSION = "9.4.0"
router = APIRouter(tags=["compatibility"], dependencies=[Depends(allow(None))])


@router.get("/", response_model=ClusterInfo)
@router.head("/")
async def root(request: Request, service: RunningService) -> Response:
    """Return what clients check first."""
    return answer(
        request,
        {
            "name": "tocsin",
            "cluster_name": "tocsin",
            "cluster_uuid": service.cluster_uuid,
            "version": {
                "number": VERSION,
                "build_flavor": "default",
                "build_type": "tar",
                "build_hash": "unknown",
                "build_date": "2026-01-01T00:00:00.000000000Z",
                "build_snapshot": False,
                "lucene_version": "10.3.0",
                "minimum_wire_compatibility_version": "8.19.0",
                "minimum_index_compatibility_version": "8.0.0",
            },
            "tagline": "You Know, for Search",
        },
    )


@router.get("/api/status", response_model=KibanaStatus)
async def kibana_status(request: Request, service: RunningService) -> Response:
    """Return what clients of Kibana check first."""
    return answer(
        request,
        {
            "name": "tocsin", "uuid": service.cluster_uuid,
            "version": {"number": VERSION, "build_hash": "unknown", "build_number": 0, "build_snapshot": False},
            "status": {"overall": {"level": "available", "summary": "All services are available"}},
        },
    )  # fmt: skip


@router.get("/_cluster/health", response_model=ClusterHealth)
async def health(request: Request, store: ServiceStore) -> Response:
    """Say whether events can be stored."""
    problem = await run_in_threadpool(store.check)
    indices = len(await run_in_threadpool(store.indices))
    status = "red" if problem else "yellow" if store.set_aside() else "green"
    shards = {"active_primary_shards": indices, "active_shards": indices, "relocating_shards": 0}
    return answer(
        request,
        {
            "cluster_name": "tocsin", "status": status, "timed_out": False,
            "number_of_nodes": 1, "number_of_data_nodes": 1, **shards, "initializing_shards": 0,
            "unassigned_shards": 0, "active_shards_percent_as_number": 100.0,
        },
    )  # fmt: skip


@router.get("/_license", response_model=License)
async def license_(request: Request, service: RunningService) -> Response:
    """Return the licence that shippers ask for."""
    about = {
        "status": "active", "uid": service.cluster_uuid, "type": "basic", "issued_to": "tocsin",
        "issue_date_in_millis": 0, "max_nodes": 1, "issuer": "tocsin", "start_date_in_millis": -1,
    }  # fmt: skip
    return answer(request, {"license": about})


@router.get("/_xpack", response_model=Features)
async def xpack(request: Request, service: RunningService) -> Response:
    """Return which features there are."""
    there = {"available": True, "enabled": True}
    features = {
        "security": there,
        "eql": there,
        "ilm": there,
        "data_streams": there,
        "monitoring": {**there, "enabled": False},
    }
    about = {"uid": service.cluster_uuid, "type": "basic", "mode": "basic", "status": "active"}
    return answer(request, {"build": {"hash": "unknown", "date": ""}, "license": about, "features": features})


@router.get("/_nodes/{rest:path}", response_model=Nodes)
@router.get("/_nodes", response_model=Nodes)
async def nodes(request: Request, service: RunningService, rest: str = "") -> Response:
    """Return the only node's address, for clients that look for others."""
    config = service.config
    address = f"{config.host}:{request.url.port or config.port}"
    node = {
        "name": "tocsin", "version": VERSION, "roles": ["data", "ingest", "master"],
        "http": {"publish_address": address, "bound_address": [address]},
    }  # fmt: skip
    return answer(request, {"cluster_name": "tocsin", "nodes": {service.cluster_uuid: node}})


# ---- what clients set up, by what it is called in the address

# What it is called, and under which member Elasticsearch lists it; None where its answers are objects by name.
_KINDS = {
    "_index_template": ("index template", "index_templates"),
    "_component_template": ("component template", "component_templates"),
    "_template": ("legacy index template", None),
    "_ingest/pipeline": ("ingest pipeline", None),
    "_ilm/policy": ("lifecycle policy", None),
}
_TEMPLATE = "It gives new indices their mappings."
_WITHOUT_EFFECT = "It is kept and given back, and has no effect."


def _install(kind: str, label: str, listed: str | None) -> None:
    async def list_all(request: Request, records: ServiceRecords) -> Response:
        return await _get(request, records, kind, listed, "*")

    async def get(request: Request, records: ServiceRecords, name: str) -> Response:
        return await _get(request, records, kind, listed, name)

    async def put(
        request: Request,
        service: RunningService,
        actor: CurrentActor,
        name: str,
        sent: Annotated[SetUpBody, json_body(SetUpBody)],
    ) -> Response:
        await run_in_threadpool(_put, service, actor, kind, name, sent.document())
        return answer(request, AcknowledgedChange())

    async def remove(request: Request, service: RunningService, actor: CurrentActor, name: str) -> Response:
        await run_in_threadpool(_remove, service, actor, kind, name)
        return answer(request, AcknowledgedChange())

    effect = _TEMPLATE if kind in KINDS else _WITHOUT_EFFECT
    article = "an" if label[0] in "aeiou" else "a"
    named, changes = f"/{kind}/{{name}}", [Depends(allow(Scope.INGEST))]
    for function, methods, path, description, guards, model in (
        (list_all, ("GET",), f"/{kind}", f"Return every {label} that clients have put here.", [], SetUp),
        (get, ("GET", "HEAD"), named, f"Return {article} {label}, or those that a pattern takes.", [], SetUp),
        (
            put,
            ("PUT", "POST"),
            named,
            f"Put {article} {label} under a name. {effect}",
            changes,
            AcknowledgedChange,
        ),
        (remove, ("DELETE",), named, f"Remove {article} {label}.", changes, AcknowledgedChange),
    ):
        name = f"{function.__name__.removesuffix('_all')}_{label.replace(' ', '_')}" + (
            "s" * (function is list_all)
        )
        for method in methods:
            router.add_api_route(
                path,
                function,
                methods=[method],
                name=name,
                description=description,
                dependencies=guards,
                response_model=model,
                responses=NOT_FOUND,
            )


for _kind, (_label, _listed) in _KINDS.items():
    _install(_kind, _label, _listed)


async def _get(request: Request, records: Records, kind: str, listed: str | None, name: str) -> Response:
    bodies = await run_in_threadpool(_find, records, kind, name)
    if not bodies and "*" not in name:
        raise ApiError(404, "resource_not_found_exception", f"{kind.strip('_')} [{name}] is missing")
    if listed is None:
        return answer(request, bodies)
    singular = listed.removesuffix("s")
    return answer(request, {listed: [{"name": known, singular: body} for known, body in bodies.items()]})


def _find(records: Records, kind: str, name: str) -> dict[str, Any]:
    with records.transaction() as session:
        rows = session.scalars(select(ClientObject).where(ClientObject.kind == kind))
        return {row.name: row.body for row in rows if takes(name.split(","), row.name)}


def _put(service: Service, actor: Actor, kind: str, name: str, body: dict[str, Any]) -> None:
    with service.records.transaction() as session:
        if kind in KINDS:
            known_templates = templates_in(session)
            try:
                check_template(kind, name, body, known_templates)
            except MappingError as error:
                raise bad_request(error.message, error.kind) from None
            _refuse_broad(actor, kind, name, broad_patterns(kind, name, known_templates, body))
        known = session.get(ClientObject, (kind, name[:256]))
        if known is None:
            session.add(ClientObject(kind=kind, name=name[:256], body=body))
        else:
            known.body = body
        access.record(session, actor, "client_object.put", f"{kind}/{name}")
    service.ingest.indices.changed()


def _refuse_broad(actor: Actor, kind: str, name: str, patterns: list[str]) -> None:
    """Refuse a change that binds indices of every source to whoever may send events and nothing more.

    Elasticsearch asks for `manage_index_templates`, a privilege on the cluster, for any template ("Security
    privileges" in its reference); here shippers may still load their own.
    """
    if patterns and not actor.may(Scope.WRITE_RULES):
        broad = f"{kind.strip('_')} [{name}] takes indices of any source with [{', '.join(patterns)}]"
        reason = f"{broad}, which takes more than [ingest]: name your own indices, or use a key with [write_rules]"
        raise ApiError(403, "security_exception", reason)


def _remove(service: Service, actor: Actor, kind: str, name: str) -> None:
    with service.records.transaction() as session:
        known = session.get(ClientObject, (kind, name))
        if known is None:
            raise ApiError(404, "resource_not_found_exception", f"{kind.strip('_')} [{name}] is missing")
        if kind in KINDS:
            _refuse_broad(actor, kind, name, broad_patterns(kind, name, templates_in(session)))
        session.delete(known)
        access.record(session, actor, "client_object.remove", f"{kind}/{name}")
    service.ingest.indices.changed()


# ---- indices and data streams, which begin with their first event


@router.get("/_data_stream/{name}", response_model=DataStreams, responses=NOT_FOUND)
async def data_stream(request: Request, name: str, store: ServiceStore) -> Response:
    """Return the data streams of a pattern."""
    known = await run_in_threadpool(store.indices, name.split(","))
    if not known and "*" not in name:
        raise ApiError(404, "index_not_found_exception", f"no such index [{name}]")
    streams = [
        {"name": info.name, "timestamp_field": {"name": "@timestamp"}, "generation": 1, "status": "GREEN",
         "indices": [{"index_name": info.name, "index_uuid": info.name}], "template": "tocsin"}
        for info in known
    ]  # fmt: skip
    return answer(request, {"data_streams": streams})


@router.put("/_data_stream/{name}", response_model=AcknowledgedChange, dependencies=[Depends(allow(Scope.INGEST))])
async def make_data_stream(request: Request, name: str, service: RunningService, actor: CurrentActor) -> Response:
    """Make a data stream, with the mapping that templates give it."""
    _check_name(name)

    def work() -> None:
        if not service.ingest.indices.admits(name, actor.id):
            raise bad_request(NO_SHARE, "validation_exception")
        service.ingest.indices.mapping(name)
        with service.records.transaction() as session:
            access.record(session, actor, "index.make", name)

    await run_in_threadpool(work)
    return answer(request, AcknowledgedChange())


@router.head("/{index}")
async def has_index(index: str, store: ServiceStore) -> Response:
    """Say whether there is an index that a pattern takes."""
    known = await run_in_threadpool(store.indices, index.split(","))
    return Response(status_code=200 if known else 404)


@router.get("/_alias/{name}", status_code=404, response_model=ElasticsearchError)
@router.head("/_alias/{name}", status_code=404, response_model=ElasticsearchError)
async def alias(request: Request, name: str) -> Response:
    """Say that there are no aliases."""
    raise ApiError(404, "aliases_not_found_exception", f"alias [{name}] missing")


def _check_name(name: str) -> None:
    wrong = name_error(name)
    if wrong:
        raise ApiError(400, "invalid_index_name_exception", f"Invalid index name [{name}], {wrong}")
