"""Connections: what someone who has not shown who they are may keep of them is little, and never the last one.

uvicorn answers 503 to everybody when there are too many, and waits for a request's head without end. Here the
oldest connection of a stranger makes room for a new one, and a head has a size and a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tocsin.api.answers import bad_request

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 512  # beside those of hosts that have enrolled
MOST_OF_HOSTS = 16_384  # each host keeps one, and asks over it every few seconds
HOST = "host:"  # before the id of a host, as the owner of a request
HEAD_SIZE = 64 << 10  # bytes of a request's line and headers
HEAD_TIME = 20.0  # seconds until a head has to be there
_MOST_UNSENT = 128  # connections of one owner with bodies that are not whole, when there are too many of all
_KNOWN = "tocsin.known"


def mark_known(scope: Any, owner: str) -> None:
    """Note who sent a request, which they have shown."""
    scope[_KNOWN] = owner


class GuardedProtocol(HttpToolsProtocol):
    """An HTTP connection that makes room for others, and whose heads are bounded."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many, close the oldest of a stranger, or one that nothing is asked over."""
        super().connection_made(transport)
        self._since = time.monotonic()
        self._reading = False  # a request's body is not whole yet
        self._is_hosts = False  # a host that has enrolled asks over it
        self._head: int | None = 0  # bytes of a head so far, None between a head and the end of its answer
        self._late = self.loop.call_later(HEAD_TIME, self._give_up, "no request within the time for one")
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless a head gets too large."""
        if self._head is not None:
            end = data.find(b"\r\n\r\n")  # what lies behind it is no head
            self._head += len(data) if end < 0 else end
            if self._head > HEAD_SIZE and not self.transport.is_closing():
                self.send_400_response(f"a request's head has at most {HEAD_SIZE} bytes")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._since = time.monotonic()
        self._late.cancel()
        self._late = self.loop.call_later(HEAD_TIME, self._give_up, "the head of a request came too slowly")

    def on_headers_complete(self) -> None:
        """Note that a head is whole."""
        self._late.cancel()
        self._head, self._reading = None, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request's body is whole; what comes behind it is the next head."""
        super().on_message_complete()
        self._reading = False
        if self.cycle.response_complete:
            self._head = 0

    def on_response_complete(self) -> None:
        """Wait for the next request: behind the rest of this one, where it was answered before it was whole."""
        if not self._reading:
            self._head = 0
        self._since = time.monotonic()
        self._is_hosts = str(self.cycle.scope.get(_KNOWN, "")).startswith(HOST)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request of HTTP, in the form of all errors, and close."""
        body = orjson.dumps(bad_request(msg).document())
        head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()

    @property
    def is_strangers(self) -> bool:
        """Whether nobody who is known is being answered over it."""
        return self._owner is None

    @property
    def _owner(self) -> str | None:
        """Who is known and being answered over it."""
        if self.cycle is None or self.cycle.response_complete:
            return None
        owner: Any = self.cycle.scope.get(_KNOWN)
        return None if owner is None else str(owner)

    def _make_room(self) -> None:
        others = [other for other in self.connections if isinstance(other, GuardedProtocol) and other is not self]
        apart = [other for other in others if not other._is_hosts]
        if len(others) - len(apart) <= MOST_OF_HOSTS:
            if len(apart) < MOST_CONNECTIONS:
                return
            others = apart
        unsent = Counter(other._owner for other in others if other._reading and other._owner is not None)
        [(owner, most)] = unsent.most_common(1) or [("", 0)]
        if most > _MOST_UNSENT:
            others = [other for other in others if other._reading and other._owner == owner]
            min(others, key=lambda other: other._since)._give_up("too many connections whose bodies are not whole")
            return
        victim = min(
            (other for other in others if other.is_strangers), key=lambda other: other._since, default=self
        )
        victim._give_up("too many connections: it made room for another")

    def _give_up(self, reason: str) -> None:
        log.info("a connection of %s was closed: %s", self.client and self.client[0], reason)
        self.transport.abort()
