"""Requests and answers are models: what they take, how they refuse, and that the OpenAPI describes every route."""

from __future__ import annotations

import re

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from tocsin.api.app import create_app
from tocsin.api.body import body_model
from tocsin.api.interface import calls_of
from tocsin.api.security import is_guard

STATUS = "/api/detection_engine/signals/status"


@pytest.fixture(scope="module")
def document(running):
    return create_app(running.service).openapi()


def test_bodies_answers_and_errors_are_described_by_their_models(document):
    operation = document["paths"][STATUS]["post"]
    reference = "#/components/schemas/{}".format
    body = operation["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"] == {"$ref": reference("AlertStatus")}
    answers = {
        status: answer["content"]["application/json"]["schema"]["$ref"]
        for status, answer in operation["responses"].items()
    }
    assert answers == {
        "200": reference("AlertUpdate"),
        **dict.fromkeys(("400", "401", "403", "429", "default"), reference("KibanaError")),
    }
    status = document["components"]["schemas"]["AlertStatus"]["properties"]["status"]
    assert status["enum"] == ["open", "acknowledged", "closed", "in-progress"]
    assert status["description"]
    assert status["examples"]


# Operations that are described without a model, and why.
_WITHOUT_MODEL = {
    "GET /api/cases/configure": "an empty list",
    "GET /api/cases/tags": "a list of texts",
    "GET /api/detection_engine/tags": "a list of texts",
    "GET /metrics": "the text format of Prometheus",
    "POST /api/detection_engine/rules/_export": "objects, one a line",
    "POST /api/exception_lists/_export": "objects, one a line",
    "POST /api/lists/items/_export": "values, one a line",
}
# Operations that change something, or ask in a body, and have none that a model describes.
_WITHOUT_BODY = {
    "PUT /_data_stream/{name}": "the address says it all",
    "POST /api/endpoint_list": "the list has one form",
    "POST /api/lists/index": "nothing has to be said",
    "POST /api/exception_lists/_export": "the address names the list",
    "POST /api/exception_lists/_duplicate": "the address names the list",
    "POST /api/lists/items/_export": "the address names the list",
    "POST /api/alerting/rule/{id}/_mute_all": "the address says it all",
    "POST /api/alerting/rule/{id}/_unmute_all": "the address says it all",
    "POST /api/indicator_hunts/{id}/_cancel": "the address says it all",
    "POST /api/response/actions/{id}/_approve": "the address says it all",
    "POST /api/response/actions/{id}/_undo": "the address says it all",
    "POST /api/response/actions/{id}/_withdraw": "the address says it all",
}
# What is sent to these is lines, or an event with any members.
_LINES, _EVENT = ("_bulk", "_msearch"), ("_doc", "_doc/{id}", "_create/{id}")


def _operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _schemas(part):
    return [content["schema"] for content in part.get("content", {}).values()]


def test_every_operation_describes_its_answers(document):
    without = {
        name
        for name, operation in _operations(document)
        for status, answer in operation["responses"].items()
        if status != "204" and not name.startswith("HEAD")
        if not any("$ref" in str(schema) for schema in _schemas(answer))
    }
    assert without == set(_WITHOUT_MODEL)


def test_every_operation_that_changes_something_describes_its_body(document):
    without = {
        name
        for name, operation in _operations(document)
        if name.startswith(("POST", "PUT", "PATCH"))
        and not name.endswith(tuple(f"/{end}" for end in (*_LINES, *_EVENT)))
        and not any("$ref" in schema for schema in _schemas(operation.get("requestBody", {})))
    }
    assert without == set(_WITHOUT_BODY)


@pytest.mark.parametrize(
    ("addresses", "media", "kind"),
    [(_LINES, "application/x-ndjson", "string"), (_EVENT, "application/json", "object")],
)
def test_lines_and_events_are_bodies_without_a_model(document, addresses, media, kind):
    sent = [
        operation["requestBody"]["content"]
        for name, operation in _operations(document)
        if name.startswith(("POST", "PUT")) and name.endswith(tuple(f"/{end}" for end in addresses))
    ]
    assert len(sent) >= 4
    assert [{name: body["schema"] for name, body in content.items()} for content in sent] == [
        {media: {"type": kind}}
    ] * len(sent)


def test_every_member_of_a_model_is_described_and_references_lead_somewhere(document):
    schemas = document["components"]["schemas"]
    undescribed = [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, about in schema.get("properties", {}).items()
        if "description" not in about
    ]
    assert undescribed == []
    named = set(re.findall(r"#/components/schemas/([^'\"]+)", str(document)))
    assert named <= set(schemas)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"signal_ids": []}, "[request body]: status: Required"),
        ({"status": 5, "signal_ids": []}, "[status] is 5, and must be 'open', 'acknowledged', 'closed' or"),
        ({"status": "open"}, "either [signal_ids] or [query] says which alerts"),
        ({"status": "open", "signal_ids": "a"}, "[signal_ids] is `a`, and must be a list"),
        ({"status": "open", "signal_ids": ["a", 5]}, "[signal_ids[1]] is 5, and must be a text"),
        ({"status": "open", "query": []}, "[query] is a list, and must be "),
        ([], "the body is no JSON object"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_with_the_place(running, body, message):
    with running.http(running.add_key("respond")) as client:
        answer = client.post(STATUS, json=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "closed", "signal_ids": [], "reason": None, "more": {"of": ["what", "clients", "send"]}},
        {"status": "in-progress", "signal_ids": None, "query": {"match_all": {}}},
    ],
)
def test_a_body_may_hold_more_than_the_model_and_null_for_nothing(running, body):
    with running.http(running.add_key("respond")) as client:
        answer = client.post(STATUS, json=body)
    assert answer.status_code == 200
    assert answer.json()["updated"] == 0


def test_a_body_is_read_behind_what_lets_the_client_through(running):
    unguarded = []
    for route in iter_route_contexts(create_app(running.service).routes):
        calls = list(calls_of(route.dependant)) if isinstance(getattr(route, "dependant", None), Dependant) else []
        reads = [at for at, call in enumerate(calls) if body_model(call)]
        if reads and not any(map(is_guard, calls[: reads[0]])):
            unguarded.append(route.path)
    assert unguarded == ["/api/session"]  # which is how one signs in


def test_a_body_is_not_read_before_it_is_known_who_sends_it(running):
    with running.http("") as client:
        assert client.post(STATUS, content=b"no JSON").status_code == 401
    with running.http(running.add_key("read")) as client:
        assert client.post(STATUS, content=b"no JSON").status_code == 403
