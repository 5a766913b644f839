"""Before log-in there is little to spend: bodies, connections, heads and passwords of people who are not known."""

from __future__ import annotations

import gzip
import socket
import time
from contextlib import ExitStack

import pytest

from tests.api.conftest import run_service
from tocsin.api.access_control import Throttle
from tocsin.api.connections import HEAD_SIZE, MOST_CONNECTIONS


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service"), request_size=1 << 20) as started:
        yield started


def address(running):
    return "127.0.0.1", int(running.url.rsplit(":", 1)[1])


HELD = {
    "a head that never ends": b"POST /api/session HTTP/1.1\r\nHost: x\r\nX: ",
    "a body that never comes": b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
    "nothing at all": b"",
}


@pytest.mark.parametrize("sent", HELD.values(), ids=HELD)
def test_slow_strangers_do_not_keep_others_out(running, sent):
    with ExitStack() as held, running.http("") as http:
        for _ in range(MOST_CONNECTIONS + 50):
            connection = held.enter_context(socket.create_connection(address(running), timeout=10))
            connection.sendall(sent)
        started = time.monotonic()
        assert http.get("/healthz").status_code == 200
        with running.http() as known:
            assert known.get("/_search").status_code == 200
        assert time.monotonic() - started < 10  # the time for which a stranger's body is waited for


def test_a_head_is_bounded(running):
    """It comes in pieces, each once the one before has been sent, and has no end."""
    with socket.create_connection(address(running), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
        for _ in range(HEAD_SIZE // len(line) + 1):
            connection.sendall(line)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
    assert running.http("").get("/healthz").status_code == 200


def test_a_head_that_comes_at_once_is_bounded(running):
    with running.http("") as http:
        answer = http.get("/healthz", headers={"X-Filler": "x" * 120_000})
        assert answer.status_code == 400
        assert "head has at most" in answer.json()["error"]["reason"]
        assert http.get("/healthz", headers={"X-Filler": "x" * 60_000}).status_code == 200


def test_slow_bodies_of_somebody_known_do_not_keep_others_out(running):
    head = (
        f"POST /logs-slow-default/_doc HTTP/1.1\r\nHost: x\r\nAuthorization: ApiKey {running.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{"
    )
    with ExitStack() as held, running.http("") as http:
        for _ in range(MOST_CONNECTIONS + 50):
            connection = held.enter_context(socket.create_connection(address(running), timeout=10))
            connection.sendall(head.encode())
        for _ in range(20):
            assert http.get("/healthz").status_code == 200
        with running.http(running.add_key("read")) as other:
            assert other.get("/_search").status_code == 200


LARGE = b'{"name":"admin","password":"' + b"x" * (70 << 10) + b'"}'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (LARGE, {}),
        (gzip.compress(LARGE), {"Content-Encoding": "gzip"}),
        (iter([LARGE]), {}),  # in chunks, without a length
    ],
)
@pytest.mark.parametrize("url", ["/api/session", "/internal/security/login", "/s/default/internal/security/login"])
def test_a_strangers_body_is_small(running, body, headers, url):
    with running.http("") as http:
        content = iter([LARGE]) if not isinstance(body, bytes) else body
        answer = http.post(url, content=content, headers={"kbn-xsrf": "x", **headers})
        assert answer.status_code == 413
        assert "65,536" in answer.text


@pytest.mark.parametrize("chunked", [True, False])
def test_an_upload_is_no_larger_than_a_request_may_be(running, chunked):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="r.ndjson"\r\n\r\n'
    body = head + b"x" * (1 << 20) + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with running.http(running.add_key("admin")) as http:
        content = (body[at : at + 4096] for at in range(0, len(body), 4096)) if chunked else body
        answer = http.post("/api/detection_engine/rules/_import", content=content, headers=headers)
        assert answer.status_code == 413


def test_passwords_are_slowed_down_for_an_address_whatever_the_name():
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    for number in range(49):
        throttle.failed(f"user{number}", "192.0.2.1")
    assert throttle.wait("another", "192.0.2.1") == 0
    throttle.failed("user50", "192.0.2.1")
    assert throttle.wait("another", "192.0.2.1") > 0
    assert throttle.wait("another", "192.0.2.2") == 0
    for number in range(50):
        throttle.failed(f"more{number}", "192.0.2.1")
    assert throttle.wait("another", "192.0.2.1") == 60
    now[0] += 60
    assert throttle.wait("another", "192.0.2.1") == 0
