"""One HTTP exchange with a webhook, bounded in time and in the size of its answer, at an address that is allowed.

httpx and its like bound the wait for each byte; a server that sends one a second holds them for ever. Here one
deadline holds for the whole exchange: resolving, connecting, TLS, sending, and the answer.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import httpcore
import httpx

from tocsin.actions.egress import EgressError, EgressPolicy

MOST_OF_ANSWER = 64 << 10  # bytes of an answer that are read
_SLICE = 4 << 10  # bytes sent at once; the deadline is checked between them


class ExchangeError(Exception):
    """An exchange that failed.

    `lasting` says that trying again makes no sense; `sent` that the server may have been sent the request.
    """

    def __init__(self, message: str, *, lasting: bool = False, sent: bool = False) -> None:
        super().__init__(message)
        self.lasting, self.sent = lasting, sent


class Answer(NamedTuple):
    """What a server answers: the status, the beginning of the body as text, the seconds of its `Retry-After`."""

    status: int
    text: str
    retry_after: float | None = None


def exchange(
    request: httpx.Request,
    egress: EgressPolicy,
    seconds: float,
    *,
    verify: bool = True,
    most_of_answer: int = MOST_OF_ANSWER,
) -> Answer:
    """Send a request and return its answer; a redirect is an answer, and not followed. Raises ExchangeError."""
    deadline = _Deadline(seconds)
    backend = _Backend(egress, deadline)
    context = httpx.create_ssl_context(verify=verify, trust_env=False)
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    sent = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.content)
    try:
        with httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool:
            response = pool.handle_request(sent)
            try:
                body = _beginning(response.iter_stream(), most_of_answer)
                return Answer(response.status, body.decode("utf-8", "replace"), _retry_after(response.headers))
            finally:
                response.close()
    except EgressError as error:
        raise ExchangeError(str(error), lasting=True) from None
    except (httpcore.TimeoutException, TimeoutError):
        message = f"the exchange was not over within {seconds:g} seconds"
        raise ExchangeError(message, sent=backend.sent) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        raise ExchangeError(str(error) or type(error).__name__, sent=backend.sent) from None


def _beginning(parts: Iterable[bytes], most: int) -> bytes:
    read = bytearray()
    for part in parts:
        read += part
        if len(read) >= most:
            break
    return bytes(read[:most])


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return the seconds of a header `Retry-After`; a date in it is not read."""
    value = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return float(value) if value.isdigit() and len(value) < 7 else None


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
        self.sent = False  # a byte of a request
        self._egress, self._deadline = egress, deadline
        self._inner = httpcore.SyncBackend()

    def note_sent(self) -> None:
        self.sent = True

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
                return _Stream(stream, self._deadline, self.note_sent)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError("it has no address")

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise EgressError("it is no address of a network")

    def sleep(self, seconds: float) -> None:
        time.sleep(self._deadline.left(seconds))


class _Stream(httpcore.NetworkStream):
    """A connection on which nothing waits beyond the deadline of the exchange."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline, note_sent: Callable[[], None]) -> None:
        self._inner, self._deadline, self._note_sent = inner, deadline, note_sent

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._note_sent()  # that of TLS' own records does not come this way
        for start in range(0, len(buffer), _SLICE):
            self._inner.write(buffer[start : start + _SLICE], self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(inner, self._deadline, self._note_sent)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
