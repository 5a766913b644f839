"""A receiver of actions that a test runs: a real HTTP server that keeps what it is sent, and answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson


@dataclass(frozen=True)
class Received:
    """A request that a receiver was sent."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def form(self) -> Mapping[str, list[str]]:
        return parse_qs(self.body.decode())


@dataclass
class Reply:
    """What a receiver answers. `hold` keeps the answer back until it is set."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    text: str | None = None


Respond = Callable[[Received], Reply]


class Receiver:
    """A server at an address of this machine; `respond` answers, and may be replaced."""

    def __init__(self, respond: Respond = lambda _: Reply()) -> None:
        self.respond = respond
        self.requests: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def handle_request(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.command, parts.path, parse_qs(parts.query), headers, body)
                receiver.requests.append(received)
                reply = receiver.respond(received)
                if reply.hold is not None:
                    reply.hold.wait(30)
                text = b"" if reply.document is None else orjson.dumps(reply.document)
                text = text if reply.text is None else reply.text.encode()
                with suppress(OSError):  # who asked is gone
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=lambda: self.server.serve_forever(0.02), daemon=True).start()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()

    def sent(self, method: str, path: str = "") -> list[Received]:
        """Return the requests of a method, to a path if one is given."""
        return [each for each in self.requests if each.method == method and path in ("", each.path)]
