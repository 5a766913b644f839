"""What every request has to pass: it leaves nothing behind, and is answered in the API's form whatever fails."""

from __future__ import annotations

import asyncio
import gc
import http.client
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from tests.api.conftest import run_service
from tocsin.api.app import create_app
from tocsin.errors import TocsinError

_LARGE = 1 << 19  # bytes; half at most of what each request brings, in parts or as one


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("requests")) as found:
        yield found


def _bulk() -> bytes:
    event = orjson.dumps({"@timestamp": "2026-01-01T00:00:00Z", "message": "x" * 1000})
    return b"".join(b'{"create":{}}\n' + event + b"\n" for _ in range(2_000))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/logs-left-default/_bulk", _bulk(), 200),
        ("/logs-left-default/_bulk", b"{" + _bulk(), 400),
        ("/logs-left-default/_search", orjson.dumps({"query": {"ids": {"values": ["x" * 2 * _LARGE]}}}), 200),
        ("/api/detection_engine/rules", orjson.dumps({"name": "x" * (2 * _LARGE - 100)}), 400),
    ],
)
def test_a_request_leaves_no_body_for_the_garbage_collector(running, path, body, status):
    """Bodies in cycles are there until the next full collection, which many requests do not bring about."""
    media = "application/x-ndjson" if "_bulk" in path else "application/json"
    key = running.add_key("admin", "read", "ingest", "write_rules")
    headers = {"Content-Type": media, "kbn-xsrf": "1", "Authorization": f"ApiKey {key}"}

    def send() -> None:
        connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
        connection.request("POST", path, body, headers)
        assert connection.getresponse().status == status
        connection.close()

    send()  # what the first request of a service makes, and keeps or leaves, is not this one's
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        send()
        gc.collect()
        held = gc.get_referents(*gc.garbage)
        texts = {id(one): len(one) for one in held if isinstance(one, bytes | bytearray | str)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert sum(texts.values()) < _LARGE


@pytest.mark.parametrize(
    ("path", "told"),
    [("/fails", ("error", "reason")), ("/api/fails", ("message",)), ("/internal/fails", ("message",))],
)
def test_an_error_whose_handler_fails_is_answered_in_the_form_of_the_api(running, path, told):
    class Unprintable(TocsinError):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    app = create_app(running.service)

    @app.get(path)
    async def fails() -> None:
        raise Unprintable("x")

    app.router.routes.insert(0, app.router.routes.pop())  # others take any address

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    reason = answer.json()
    for name in told:
        reason = reason[name]
    assert "an error of tocsin's own" in reason
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
