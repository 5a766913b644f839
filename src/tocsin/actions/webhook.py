"""One HTTP exchange with a webhook, bounded in time and in the size of its answer, at an address that is allowed.

httpx and its like bound the wait for each byte; a server that sends one a second holds them for ever. Here one
deadline holds for the whole exchange: resolving, connecting, TLS, sending, and the answer.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import httpcore
import httpx

from tocsin.actions.egress import EgressError, EgressPolicy

MOST_OF_ANSWER = 64 << 10  # bytes of an answer that are read
_SLICE = 4 << 10  # bytes sent at once; the deadline is checked between them


class ExchangeError(Exception):
    """An exchange that failed; `lasting` says that trying again makes no sense."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class Answer(NamedTuple):
    """What a server answers: the status, and the beginning of the body as text."""

    status: int
    text: str


def exchange(request: httpx.Request, egress: EgressPolicy, seconds: float, *, verify: bool = True) -> Answer:
    """Send a request and return its answer; a redirect is an answer, and not followed. Raises ExchangeError."""
    deadline = _Deadline(seconds)
    context = httpx.create_ssl_context(verify=verify, trust_env=False)
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    sent = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.content)
    try:
        with httpcore.ConnectionPool(ssl_context=context, network_backend=_Backend(egress, deadline)) as pool:
            response = pool.handle_request(sent)
            try:
                return Answer(response.status, _beginning(response.iter_stream()).decode("utf-8", "replace"))
            finally:
                response.close()
    except EgressError as error:
        raise ExchangeError(str(error), lasting=True) from None
    except (httpcore.TimeoutException, TimeoutError):
        raise ExchangeError(f"the exchange was not over within {seconds:g} seconds") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        raise ExchangeError(str(error) or type(error).__name__) from None


def _beginning(parts: Iterable[bytes]) -> bytes:
    read = b""
    for part in parts:
        read += part
        if len(read) >= MOST_OF_ANSWER:
            break
    return read[:MOST_OF_ANSWER]


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Return the seconds that are left. Raises TimeoutError when none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if most is None else min(left, most)


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, never to a name, which could resolve to another the second time."""

    def __init__(self, egress: EgressPolicy, deadline: _Deadline) -> None:
        self._egress, self._deadline = egress, deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        for address in self._egress.resolve(host, port, self._deadline.left()):
            try:
                stream = self._inner.connect_tcp(address, port, self._deadline.left(), None, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError("it has no address")

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise EgressError("it is no address of a network")

    def sleep(self, seconds: float) -> None:
        time.sleep(self._deadline.left(seconds))


class _Stream(httpcore.NetworkStream):
    """A connection on which nothing waits beyond the deadline of the exchange."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._inner.write(buffer[start : start + _SLICE], self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout)), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
