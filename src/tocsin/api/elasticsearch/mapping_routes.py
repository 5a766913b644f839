"""Indices as they are made, and the mappings of their fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tocsin.api.answers import ApiError, answer, bad_request
from tocsin.api.body import json_body
from tocsin.api.dependencies import CurrentActor, RunningService, ServiceRecords, ServiceStore
from tocsin.api.elasticsearch.addresses import EVERY_INDEX, on_indices
from tocsin.api.elasticsearch.index_models import (
    FieldCaps,
    FieldCapsBody,
    FieldMappingsByIndex,
    IndicesByName,
    MadeIndex,
    MappingsByIndex,
    NewFields,
    NewIndex,
    SettingsByIndex,
)
from tocsin.api.elasticsearch.searching import RequestSearches, checked_patterns, flag, patterns_of
from tocsin.api.models import NOT_FOUND, AcknowledgedChange
from tocsin.api.security import allow
from tocsin.api.service import Service
from tocsin.ecs import Field, FieldType
from tocsin.ingest.bulk import NO_SHARE
from tocsin.search.selection import Clock, known_patterns
from tocsin.store.events import EventReader, EventStore
from tocsin.store.mappings.dynamic_templates import check_dynamic_templates
from tocsin.store.mappings.index_mapping import IndexMapping
from tocsin.store.mappings.merging import check_seen, merged
from tocsin.store.mappings.reading import check_paths, read_mapping
from tocsin.store.mappings.types import MappingError, name_of_type
from tocsin.store.patterns import ALERTS, matching, name_error
from tocsin.store.records import access
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.database import Records

router = APIRouter(tags=["indices"])
_READ = [Depends(allow(Scope.READ))]
_WRITE = [Depends(allow(Scope.INGEST))]


# ---- indices


@router.put("/{index}", dependencies=_WRITE, response_model=MadeIndex)
async def make_index(
    request: Request,
    index: str,
    service: RunningService,
    actor: CurrentActor,
    sent: Annotated[NewIndex, json_body(NewIndex)],
) -> Response:
    """Make an index with a mapping: that of templates that fit, and what is given beyond."""
    wrong = name_error(index)
    if wrong:
        raise ApiError(400, "invalid_index_name_exception", f"Invalid index name [{index}], {wrong}")
    body = sent.document()
    unknown = sorted(set(body) - {"mappings", "settings", "aliases"})
    if unknown:
        raise bad_request(f"unknown key [{unknown[0]}] for create index", "parse_exception")
    await run_in_threadpool(_make, service, actor, index, body)
    return answer(request, MadeIndex(index=index))


def _make(service: Service, actor: Actor, index: str, body: Mapping[str, Any]) -> None:
    if index in service.store.names():
        raise bad_request(f"index [{index}/{index}] already exists", "resource_already_exists_exception")
    try:
        given = read_mapping(body.get("mappings"), body.get("settings"), complete=False)
        check_dynamic_templates(given)
        mapping = merged(service.ingest.indices.planned(index), given, overlaid=True)
        check_paths(mapping)
    except MappingError as error:
        raise bad_request(error.message, error.kind) from None
    if not service.ingest.indices.admits(index, actor.id):
        raise bad_request(NO_SHARE, "validation_exception")
    service.store.begin(index, mapping)
    _record(service.records, actor, "index.make", index)


@router.get("/{index}/_settings", dependencies=_READ, response_model=SettingsByIndex, responses=NOT_FOUND)
async def settings_of(request: Request, index: str, searches: RequestSearches) -> Response:
    """Return the settings of indices: those that were given, without effect but for `mapping.ignore_malformed`."""

    def work(store: EventReader, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        return {
            info.name: {"settings": {"index": _settings(store.mapping(info.name), info.name)}}
            for info in store.indices(known)
        }

    return answer(request, await searches.look_up(work))


def _settings(mapping: IndexMapping, name: str) -> dict[str, Any]:
    given = mapping.settings.get("index")
    own = {"provided_name": name, "uuid": name, "number_of_shards": "1", "number_of_replicas": "0"}
    others = {key.removeprefix("index."): value for key, value in mapping.settings.items() if key != "index"}
    return {**own, **others, **(given if isinstance(given, dict) else {})}


# ---- mappings


@router.put("/{index}/_mapping", dependencies=_WRITE, response_model=AcknowledgedChange, responses=NOT_FOUND)
@router.post("/{index}/_mapping", dependencies=_WRITE, response_model=AcknowledgedChange, responses=NOT_FOUND)
async def put_mapping(
    request: Request,
    index: str,
    store: ServiceStore,
    records: ServiceRecords,
    actor: CurrentActor,
    sent: Annotated[NewFields, json_body(NewFields)],
) -> Response:
    """Add fields to the mappings of indices."""
    body = sent.document()
    patterns = patterns_of(index)

    def work() -> None:
        for name in _extend(store, patterns, body):
            _record(records, actor, "mapping.put", name)

    await run_in_threadpool(work)
    return answer(request, AcknowledgedChange())


def _extend(store: EventStore, patterns: list[str], body: Mapping[str, Any]) -> Iterator[str]:
    """Add fields to the mappings of indices, and yield the name of each index that has them. Raises ApiError."""
    of_alerts = next((pattern for pattern in patterns if pattern.startswith(ALERTS)), None)
    if of_alerts is not None:
        raise ApiError(403, "security_exception", f"the mapping of [{of_alerts}] is that of alerts, and stays")
    names = [name for name in matching(patterns, store.names()) if not name.startswith(ALERTS)]
    missing = [p for p in patterns if "*" not in p and p != "_all" and p not in names]
    if missing or not names:
        name = (missing or patterns)[0]
        raise ApiError(404, "index_not_found_exception", f"no such index [{name}]")
    changed: dict[str, IndexMapping] = {}
    try:
        given = read_mapping(body, complete=False)
        check_dynamic_templates(given)
        for name in names:
            old = store.mapping(name)
            new = merged(old, given)
            check_paths(new)
            check_seen(new, old, store.index_fields([name]).get(name, {}))
            changed[name] = new
    except MappingError as error:
        raise bad_request(error.message, error.kind) from None
    for name, mapping in changed.items():
        store.begin(name, mapping)
        yield name


def _record(records: Records, actor: Actor, action: str, index: str) -> None:
    with records.transaction() as session:
        access.record(session, actor, action, index)


@on_indices(router, "/_mapping", "GET", answer=MappingsByIndex, dependencies=_READ)
async def mapping(request: Request, searches: RequestSearches, index: str = EVERY_INDEX) -> Response:
    """Return the mappings of indices: what was given, and the fields that events brought along."""

    def work(store: EventReader, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        mappings = _mappings(store, known)
        return {info.name: {"mappings": mappings.get(info.name, {})} for info in store.indices(known)}

    return answer(request, await searches.look_up(work))


def _mappings(store: EventReader, patterns: list[str]) -> dict[str, dict[str, Any]]:
    return {name: _whole(store.mapping(name), fields) for name, fields in store.index_fields(patterns).items()}


def _whole(mapping: IndexMapping, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return a mapping with the fields that events brought along."""
    whole = deepcopy(dict(mapping.body))
    tree = whole.setdefault("properties", {})
    for name, known in fields.items():
        if name in mapping.fields or mapping.find(name) is not None or known.type is FieldType.OBJECT:
            continue
        _plant(tree, name.split("."), name_of_type(known))
    return whole


def _plant(tree: dict[str, Any], path: list[str], kind: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {}).setdefault("properties", {})
    tree.setdefault(path[-1], {})["type"] = kind


@on_indices(router, "/_mapping/field/{fields}", "GET", answer=FieldMappingsByIndex, dependencies=_READ)
async def field_mappings(
    request: Request, searches: RequestSearches, fields: str, index: str = EVERY_INDEX
) -> Response:
    """Return the mappings of some fields."""

    def work(store: EventReader, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        by_index = {}
        for name, there in store.index_fields(known).items():
            mapping = store.mapping(name)
            leaves = dict(mapping.leaves())
            shown = {}
            for field in matching(patterns_of(fields), there):
                about = {k: v for k, v in leaves.get(field, {}).items() if k != "path" or _is_alias(leaves[field])}
                leaf = field.rpartition(".")[2]
                about["type"] = name_of_type(there[field])
                shown[field] = {"full_name": field, "mapping": {leaf: about}}
            by_index[name] = {"mappings": shown}
        return by_index

    return answer(request, await searches.look_up(work))


def _is_alias(about: Mapping[str, Any]) -> bool:
    return about.get("type") == "alias"


# ---- what can be done with fields

# Types that clients are told by the name of their family, as `_field_caps` does.
_FAMILIES = {
    "wildcard": "keyword", "constant_keyword": "keyword", "counted_keyword": "keyword", "match_only_text": "text",
    "pattern_text": "text", "annotated_text": "text", "search_as_you_type": "text",
}  # fmt: skip


@on_indices(router, "/_field_caps", "POST", "GET", parameters=("fields",), answer=FieldCaps, dependencies=_READ)
async def field_caps(
    request: Request,
    searches: RequestSearches,
    sent: Annotated[FieldCapsBody, json_body(FieldCapsBody)],
    index: str = EVERY_INDEX,
) -> Response:
    """Return the fields of indices, and what can be done with them."""
    wanted = sent.fields or request.query_params.get("fields", "*").split(",")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise bad_request("[fields] is a list of names")
    checked_patterns(wanted)

    def work(store: EventReader, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        kinds: dict[str, dict[str, list[str]]] = {}
        for name, there in store.index_fields(known).items():
            for field, about in there.items():
                if about.type is not FieldType.OBJECT:
                    kinds.setdefault(field, {}).setdefault(_family(about, there), []).append(name)
        fields: dict[str, Any] = {}
        for name in matching(wanted, kinds):
            for kind, indices in kinds[name].items():
                about_kind: dict[str, Any] = {
                    "type": kind, "metadata_field": False, "searchable": True, "aggregatable": kind != "text",
                }  # fmt: skip
                if len(kinds[name]) > 1:
                    about_kind["indices"] = indices
                fields.setdefault(name, {})[kind] = about_kind
            for parent in _parents(name):
                if parent not in kinds:
                    fields.setdefault(parent, {"object": dict(_OBJECT)})
        return {"indices": [info.name for info in store.indices(known)], "fields": fields}

    return answer(request, await searches.look_up(work))


_OBJECT = {"type": "object", "metadata_field": False, "searchable": False, "aggregatable": False}


def _family(known: Field, there: Mapping[str, Field]) -> str:
    mapped = known.mapped
    if mapped is not None and mapped.type == "alias":
        target = there.get(mapped.path or "")
        return known.type.value if target is None else _family(target, {})
    kind = name_of_type(known)
    return _FAMILIES.get(kind, kind)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


# ---- all about an index; last, for its address would take those of others


@router.get("/{index}", dependencies=_READ, response_model=IndicesByName, responses=NOT_FOUND)
async def index_of(request: Request, index: str, searches: RequestSearches) -> Response:
    """Return the mappings and settings of indices."""

    def work(store: EventReader, clock: Clock) -> dict[str, Any]:
        known = known_patterns(store, patterns_of(index), lenient=flag(request, "ignore_unavailable"))
        names = [info.name for info in store.indices(known)]
        mappings = _mappings(store, known)
        return {
            name: {
                "aliases": {},
                "mappings": mappings.get(name, {}),
                "settings": {"index": _settings(store.mapping(name), name)},
            }
            for name in names
        }

    return answer(request, await searches.look_up(work))
