"""What `/docs` and `/openapi.json` say of the whole interface: the start, signing in, groups, ids, examples."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import PASSWORD
from tests.chromium import Page, chromium_page, needs_chromium
from tests.waiting import eventually
from tocsin.api import elasticsearch
from tocsin.api.app import create_app
from tocsin.api.examples import EXAMPLES, NDJSON, Example
from tocsin.api.interface import introduction

INDEX = "logs-windows.sysmon_operational-default"
COMMANDS = re.findall(r"```sh\n(.+?)```", introduction(), re.DOTALL)


@pytest.fixture(scope="module")
def document(running):
    return create_app(running.service).openapi()


@pytest.fixture(scope="module")
def operations(document):
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_operation_is_described(document, operations):
    tags = [tag["name"] for tag in document["tags"]]
    for place, operation in operations.items():
        assert operation["summary"].strip(), place
        assert re.search(
            r"(Needs the scope `\w+`|Needs any user or key|Answers everybody)\.$", operation["description"]
        )
        assert len(operation["tags"]) == 1, place
        assert operation["tags"][0] in tags, place
        assert "422" not in operation["responses"], place
    assert {operation["tags"][0] for operation in operations.values()} == set(tags)
    assert all(tag["description"] for tag in document["tags"])


NO_MODEL = ("/metrics", "/internal/security/me", "/_alias/{name}")  # text, of Kibana, never there
OUR_OWN = ("ingest", "search", "indices", "compatibility", "access", "operations")


def test_answers_and_bodies_are_models(operations):
    for (method, path), operation in operations.items():
        if operation["tags"][0] not in OUR_OWN or method == "HEAD" or path in NO_MODEL:
            continue
        answers = [answer for status, answer in operation["responses"].items() if status in ("200", "201")]
        assert answers, path
        for answer in answers:
            assert "$ref" in answer["content"]["application/json"]["schema"], (method, path)
        for media, body in operation.get("requestBody", {}).get("content", {}).items():
            assert media != "application/json" or body["schema"], (method, path)


def test_every_parameter_and_every_answer_is_described(operations):
    parameters = [
        (place, parameter["name"])
        for place, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    assert parameters == []
    answers = [
        (place, status)
        for place, operation in operations.items()
        for status, answer in operation["responses"].items()
        if answer["description"] in ("", "Successful Response")
    ]
    assert answers == []


def test_ids_are_words_and_each_is_of_one_operation(operations):
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    assert [id_ for id_ in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)*", id_)] == []


@pytest.mark.parametrize(
    ("place", "id_"),
    [
        (("POST", "/_search"), "search"),
        (("GET", "/_search"), "search_get"),
        (("POST", "/{index}/_search"), "search_in_index"),
        (("POST", "/_bulk"), "ingest_bulk"),
        (("POST", "/api/detection_engine/rules"), "rule_create"),
        (("POST", "/api/detection_engine/signals/status"), "alert_set_status"),
        (("PUT", "/_index_template/{name}"), "put_index_template_put"),
    ],
)
def test_ids_that_clients_are_generated_from_stay(operations, place, id_):
    assert operations[place]["operationId"] == id_


@pytest.mark.parametrize(
    ("place", "open_to_all"),
    [(("GET", "/healthz"), True), (("POST", "/api/session"), True), (("GET", "/"), False)],
)
def test_operations_say_whether_one_has_to_sign_in(document, operations, place, open_to_all):
    assert (operations[place].get("security", document["security"]) == []) is open_to_all
    named = {name for way in document["security"] for name in way}
    assert named == set(document["components"]["securitySchemes"])


def test_the_commands_of_the_start_work(running):
    assert len(COMMANDS) == 3
    answers = [_run(command, running.url) for command in COMMANDS]
    assert '"errors":false' in answers[0]
    assert '"whoami.exe"' in answers[1]
    assert '"encoded":"' in answers[2]


def _run(command: str, url: str) -> str:
    """Run a command in a shell as it stands, but for the address."""
    assert "http://127.0.0.1:9200" in command
    done = subprocess.run(
        ["sh", "-c", command.replace("http://127.0.0.1:9200", url)],
        env={"PATH": "/usr/bin:/bin", "PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("place", "example"), EXAMPLES.items(), ids=lambda value: str(value)[:60])
def test_examples_work(running, operations, place, example: Example):
    assert place in operations
    method, path = place
    [(media, body)] = example.request.items()
    given = {"content": body.encode()} if media == NDJSON else {"json": body}
    with running.http("", auth=("admin", PASSWORD)) as client:
        client.post("/_bulk", content=EXAMPLES["POST", "/_bulk"].request[NDJSON], headers={"Content-Type": NDJSON})
        answer = client.request(method, path.format(index=INDEX), headers={"Content-Type": media}, **given)
    assert answer.status_code in (200, 201), answer.text
    for status, document in example.answers.items():
        assert answer.status_code == status
        assert _members(document) <= _members(answer.json())


def _members(value: Any, path: str = "") -> set[str]:
    """Return the members of a document, without those of events, in which any may be."""
    if isinstance(value, list):
        return {member for item in value for member in _members(item, path)}
    if not isinstance(value, dict) or path.endswith("._source"):
        return {path}
    return {member for name, inner in value.items() for member in _members(inner, f"{path}.{name}")}


@needs_chromium
@pytest.mark.parametrize(("width", "theme"), [(1400, "light"), (420, "dark")])
def test_operations_are_tried_out_on_the_page_by_whoever_signs_in(running, tmp_path, width, theme):
    with chromium_page(tmp_path) as page:
        page.open(f"{running.url}/docs", width=width, theme=theme)
        _click(page, ".authorize")
        _type(page, "#auth-basic-username", "admin")
        _type(page, "#auth-basic-password", PASSWORD)
        _click(page, ".auth-container form .auth.authorize")
        _click(page, ".close-modal")
        _click(page, "[data-tag=compatibility]")
        _click(page, "#operations-compatibility-health .opblock-summary-control")
        _click(page, "#operations-compatibility-health .try-out__btn")
        _click(page, "#operations-compatibility-health .execute")
        _until(page, "document.querySelector('.live-responses-table')?.innerText.includes('number_of_nodes')")
        assert page.value("window.violations") == []
        assert [text for text in page.logged if not text.startswith("[DOM]")] == []  # advice about forms
        assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.value("document.documentElement.classList.contains('dark-mode')") is (theme == "dark")


def _until(page: Page, condition: str) -> None:
    eventually(lambda: bool(page.value(f"!!({condition})")))


def _click(page: Page, selector: str) -> None:
    _until(page, f"document.querySelector({selector!r})")
    page.value(f"document.querySelector({selector!r}).click()")


def _type(page: Page, selector: str, text: str) -> None:
    """Write into a field as a person does: React looks at the event, not at the value alone."""
    _until(page, f"document.querySelector({selector!r})")
    page.value(f"document.querySelector({selector!r}).focus()")
    page.call("Input.insertText", text=text)


# How handlers of Elasticsearch's routes read a parameter of the address by themselves.
_READ_PARAMETER = re.compile(
    r'query_params(?:\.get\(|\[)"(\w+)"|"(\w+)" in (?:request\.query_params|given)|flag\(request, "(\w+)"\)'
)


def test_parameters_that_handlers_read_from_the_address_are_described(operations):
    folder = Path(elasticsearch.__file__).parent
    names = {
        name
        for module in folder.glob("*.py")
        for match in _READ_PARAMETER.findall(module.read_text())
        for name in match
        if name
    }
    described = {
        parameter["name"] for operation in operations.values() for parameter in operation.get("parameters", ())
    }
    assert names - described - {"scroll"} == set()  # there is no scrolling: it is refused
    assert {"q", "sort", "op_type"} <= names
