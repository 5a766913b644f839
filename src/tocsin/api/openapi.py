"""The description of the interface in OpenAPI: FastAPI's, with the bodies and the errors of each route."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tocsin.api.answers import is_kibana_path
from tocsin.api.body import BodyModel, body_model
from tocsin.api.interface import calls_of, describe_interface
from tocsin.api.models import ElasticsearchError, KibanaError
from tocsin.api.security import is_guard

_REFERENCE = "#/components/schemas/{model}"
# Every route may answer with these; the others say so: `responses={404: NOT_FOUND}`.
_ERRORS = {"400": "The request asks for something that cannot be.", "default": "The request cannot be answered."}
_GUARDED_ERRORS = {
    "401": "Nobody is named who may ask, or the password or the key is wrong.",
    "403": "The one who asks may not do this.",
    "429": "Too much is asked for at once, or too many passwords were wrong.",
}


def add_description(app: FastAPI) -> None:
    """Have `/openapi.json` show what routes read and how they answer errors."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _description(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, tags=app.openapi_tags, routes=app.routes
    )
    bodies: set[BodyModel] = set()
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path_format, {})
        for method in map(str.lower, route.methods or ()):
            if method in operations and getattr(route, "include_in_schema", False):
                calls = list(calls_of(route.dependant))
                _describe(operations[method], route.path_format or "", calls, bodies, with_body=method != "get")
    schemas = _schemas(bodies, "validation") | _schemas((ElasticsearchError, KibanaError), "serialization")
    known = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in schemas.items():
        if known.setdefault(name, schema) != schema:
            raise ValueError(f"two models are called {name}")
    document["components"]["schemas"] = dict(sorted(known.items()))
    describe_interface(document, iter_route_contexts(app.routes))
    return document


def _describe(
    operation: dict[str, Any], path: str, calls: list[Any], bodies: set[BodyModel], *, with_body: bool
) -> None:
    """Add to an operation the body that it reads, and the errors that it answers.

    Bodies of GET are read too, as Elasticsearch reads them, and not described: browsers cannot send one.
    """
    for body in filter(None, map(body_model, calls)) if with_body else ():
        bodies.add(body)
        content = {body.media: {"schema": _reference(body.model)}}
        operation["requestBody"] = {"required": body.required, "content": content}
    error = _reference(KibanaError if is_kibana_path(path) else ElasticsearchError)
    responses = operation["responses"]
    for status, description in (_ERRORS | (_GUARDED_ERRORS if any(map(is_guard, calls)) else {})).items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if (status == "default" or int(status) >= 400) and "content" not in response:
            response["content"] = {"application/json": {"schema": error}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _schemas(models: Iterable[Any], mode: JsonSchemaMode) -> dict[str, Any]:
    kinds = [(getattr(model, "model", model), mode) for model in models]
    definitions = models_json_schema(kinds, ref_template=_REFERENCE)[1].get("$defs", {})
    return dict(definitions)
