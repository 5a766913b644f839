"""What the description of the interface says beside its models: how to begin and sign in, groups, examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext

from tocsin.api.examples import EXAMPLES, Example
from tocsin.api.security import COOKIE, CSRF_HEADER, guarded_scope, is_guard

SUMMARY = "Events in, rules over them, alerts out: for clients of Elasticsearch and Kibana, and for people."
# Groups of operations in the order in which the page shows them.
TAGS = {
    "ingest": "**Elasticsearch's.** Store events: many with `_bulk`, or one.",
    "search": "**Elasticsearch's.** Search and count events, with its query language or EQL.",
    "indices": "**Elasticsearch's.** Indices, their fields and mappings, and single documents.",
    "compatibility": "**Elasticsearch's.** What shippers ask before they send, and what they set up: templates "
    "give new indices their mappings; pipelines and policies are kept, and have no effect.",
    "rules": "**Kibana's.** Detection rules: make, change, import, export and preview them.",
    "alerts": "**Kibana's.** Alerts: search, open, acknowledge, close, tag and assign them.",
    "cases": "**Kibana's.** Cases: make, find and change them, with their comments and alerts.",
    "exceptions": "**Kibana's.** Exception lists, and lists of values that these name.",
    "actions": "**Kibana's.** Connectors and the messages about alerts that go through them.",
    "reputation": "**tocsin's own.** Lists of indicators, hunts for them, and what is known of an observable.",
    "response": "**tocsin's own.** Actions on hosts, accounts and indicators, and what came of them.",
    "spaces": "**Kibana's.** Spaces; there is the default one.",
    "access": "Who may ask: users and sessions (**tocsin's own**), API keys (**Elasticsearch's**).",
    "operations": "**tocsin's own.** Is the service alive and ready, what does it count, who changed what?",
}
_SECURITY_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "User and password."},
    "apiKey": {
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "`ApiKey ENCODED`, with the `encoded` that `POST /_security/api_key` answers.",
    },
    "session": {
        "type": "apiKey", "in": "cookie", "name": COOKIE,
        "description": "The cookie of a session that `POST /api/session` begins. Browsers send it by themselves.",
    },
    "csrf": {
        "type": "apiKey", "in": "header", "name": CSRF_HEADER,
        "description": "With a session, where something is changed: the `csrf` that `POST /api/session` answers.",
    },
}  # fmt: skip
_SECURITY: list[dict[str, list[str]]] = [{"basic": []}, {"apiKey": []}, {"session": [], "csrf": []}]
# Parameters of Elasticsearch's addresses, which mean the same wherever they are.
_PARAMETERS = {
    "index": "Indices: names and patterns such as `logs-*`, separated by commas.",
    "fields": "Fields: names and patterns, separated by commas.",
    "id": "The id.",
    "name": "The name; where something is read or removed, also a pattern.",
    "rest": "Not used.",
    "size": "How many at most; the newest come first.",
}
_METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD")  # the plain ids go to the first of these
_UNDESCRIBED = "Successful Response"  # FastAPI's
_SENTENCE = re.compile(r"(?s)(?P<first>.+?)(?:[.;](?:\s+(?P<rest>.+))?)?$")


def describe_interface(document: dict[str, Any], routes: Iterable[RouteContext]) -> None:
    """Add to an OpenAPI document, in place, what is said of the interface and of each operation of its routes."""
    document["info"] |= {"summary": SUMMARY, "description": introduction()}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document.setdefault("components", {})["securitySchemes"] = _SECURITY_SCHEMES
    document["security"] = _SECURITY
    described = [
        (route, method)
        for route in routes
        for method in route.methods or ()
        if getattr(route, "include_in_schema", False) and route.path_format in document["paths"]
    ]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"].get("schemas", {}).pop(name, None)
    ids: dict[str, str] = {}
    for route, method in sorted(described, key=lambda place: _METHODS.index(place[1])):
        path = route.path_format or ""
        operation = document["paths"][path][method.lower()]
        operation["operationId"] = _operation_id(route, path, method, ids)
        _describe(operation, route)
        _describe_parameters(operation)
        _describe_answers(operation, document["components"].get("schemas", {}))
        _show_example(operation, EXAMPLES.get((method, path), Example()))


def introduction() -> str:
    """Return what the page says before its operations, in Markdown."""
    return files("tocsin.api").joinpath("introduction.md").read_text("utf-8")


def _describe(operation: dict[str, Any], route: RouteContext) -> None:
    """Make of a docstring a summary and a description, which ends with who may do this."""
    text, _, more = operation.get("description", "").partition("\n\n")
    sentence = _SENTENCE.match(" ".join(text.split()))
    assert sentence is not None, f"{route.path_format} has no docstring"
    guards = [call for call in calls_of(route.dependant) if is_guard(call)]
    rest = sentence["rest"] or ""
    operation["summary"] = sentence["first"]
    operation["description"] = "\n\n".join(filter(None, (rest[:1].upper() + rest[1:], more, _needs(guards))))
    operation["responses"].pop("422", None)  # FastAPI's own: here it is answered with 400, in the form of errors
    if not guards:
        operation["security"] = []


def _describe_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if "description" not in parameter and parameter["name"] in _PARAMETERS:
            parameter["description"] = _PARAMETERS[parameter["name"]]


def _describe_answers(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """Describe answers by their models, in place of the words that FastAPI has for all."""
    for status, response in operation["responses"].items():
        if response["description"] == _UNDESCRIBED:
            [schema] = [content["schema"] for content in response.get("content", {}).values()] or [{}]
            named = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
            text = named.get("description", "It is done." if status == "204" else "The answer.")
            response["description"] = " ".join(text.partition("\n\n")[0].split())


def _show_example(operation: dict[str, Any], example: Example) -> None:
    for media, value in example.request.items():
        body = operation.setdefault("requestBody", {"required": True})
        body.setdefault("content", {}).setdefault(media, {})["example"] = value
    for status, value in example.answers.items():
        response = operation["responses"].setdefault(str(status), {"description": "The answer."})
        response.setdefault("content", {}).setdefault("application/json", {})["example"] = value


def _operation_id(route: RouteContext, path: str, method: str, ids: dict[str, str]) -> str:
    """Return an id: the module of a route and its function, `rule_create`, and what sets its other routes apart.

    `ids` are those that are taken, with their addresses.
    """
    function = (route.name or "").strip("_")
    room = route.endpoint.__module__.rpartition(".")[2].removesuffix("_routes")
    name = function if function.startswith(room) or room == "probes" else f"{room}_{function}"
    below, with_method = "_in_index" if "{index}" in path else "_below", f"_{method.lower()}"
    apart = [below, below + with_method] if ids.get(name, path) != path else ["", with_method, below + with_method]
    id_ = next(name + suffix for suffix in apart if name + suffix not in ids)
    ids[id_] = path
    return id_


def _needs(guards: list[Callable[..., Any]]) -> str:
    if not guards:
        return "Answers everybody."
    scopes = sorted({scope.value for scope in map(guarded_scope, guards) if scope is not None})
    return f"Needs the scope `{'`, `'.join(scopes)}`." if scopes else "Needs any user or key."


def calls_of(dependant: Dependant) -> Iterable[Any]:
    """Return what FastAPI calls for a route, dependencies however deep."""
    for dependency in dependant.dependencies:
        yield from calls_of(dependency)
    yield dependant.call
