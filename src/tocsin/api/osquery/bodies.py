"""Bodies of requests that hosts send: small ones of strangers, large ones only from where a host was seen.

A host is known by a key in its body. So a body is bounded before that is read, and few large ones are in memory at
a time. Of one that is too large its beginning and its end are kept: they say whose it is.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from tocsin.api.answers import ApiError, bad_request
from tocsin.api.body import json_object
from tocsin.api.dependencies import service_of
from tocsin.api.security import address_of

MOST_OF_HOST = 24 << 20  # bytes of a body, unpacked
MOST_OF_STRANGER = 64 << 10
_MOST_READ = 256 << 20  # bytes that are read of a body that is too large
_END = 4 << 10  # bytes of its end that are kept
_LARGE = 256 << 10  # bytes of a body, packed or not, beyond which it waits for its turn
_LARGE_AT_ONCE = 2
_SECONDS, _LARGE_SECONDS = 15.0, 180.0
_NODE_KEY = re.compile(rb'"node_key"\s*:\s*"([\w-]{16,128})"')


@dataclass(frozen=True)
class HostBody:
    """The body of a host's request. `document` is None for one that was too large; `node_key` is told anyhow."""

    document: dict[str, Any] | None
    node_key: str


async def read_host_body(request: Request) -> HostBody:
    """Return a body that is JSON, gzip'd or not. Raises ApiError."""
    is_known = service_of(request).fleet.registry.knows_address(address_of(request))
    most = MOST_OF_HOST if is_known else MOST_OF_STRANGER
    async with _turn(request, is_known):
        try:
            async with asyncio.timeout(_LARGE_SECONDS if is_known else _SECONDS):
                beginning, end, is_whole = await _read(request, most)
        except TimeoutError:
            raise ApiError(408, "timeout_exception", "the request's body was not there in time") from None
        except ClientDisconnect:
            raise bad_request("the client went away") from None
        if not is_whole:
            keys = _NODE_KEY.findall(end) or _NODE_KEY.findall(beginning[:_END])
            return HostBody(None, keys[-1].decode() if keys else "")
        is_small = len(beginning) < _LARGE
        document = json_object(beginning) if is_small else await run_in_threadpool(json_object, beginning)
    node_key = document.get("node_key")
    return HostBody(document, node_key if isinstance(node_key, str) else "")


@asynccontextmanager
async def _turn(request: Request, is_known: bool) -> AsyncIterator[None]:
    """Let few large bodies be in memory at a time."""
    length = request.headers.get("content-length", "")
    is_small = length.isdecimal() and length.isascii() and int(length) <= _LARGE
    if not is_known or (is_small and "content-encoding" not in request.headers):
        yield
        return
    async with _turns(request):
        yield


def _turns(request: Request) -> asyncio.Semaphore:
    state = request.app.state
    if not hasattr(state, "large_bodies"):
        state.large_bodies = asyncio.Semaphore(_LARGE_AT_ONCE)
    turns: asyncio.Semaphore = state.large_bodies
    return turns


async def _read(request: Request, most: int) -> tuple[bytes, bytes, bool]:
    """Return the beginning of a body, its end, and whether the beginning is all of it."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise ApiError(
            415, "illegal_argument_exception", f"content encoding [{encoding}] is not known, only gzip is"
        )
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts: list[bytes] = []
    end, size, read = b"", 0, 0
    async for part in request.stream():
        read += len(part)
        if read > _MOST_READ:
            raise ApiError(413, "content_too_long_exception", "the request is too large", {"Connection": "close"})
        for piece in _pieces(part, unpack):
            size += len(piece)
            if size <= most:
                parts.append(piece)
            elif size > _MOST_READ:
                raise ApiError(
                    413, "content_too_long_exception", "the request is too large", {"Connection": "close"}
                )
            end = (end + piece)[-_END:] if size > most else b""
    if unpack is not None and size and not unpack.eof:
        raise bad_request("the gzip body ends too early", "not_x_content_exception")
    return b"".join(parts), end, size <= most


def _pieces(part: bytes, unpack: Any) -> list[bytes] | Any:
    """Yield what a part of a body holds, at most 1 MiB at a time."""
    if unpack is None:
        yield part
        return
    try:
        while part:
            yield unpack.decompress(part, 1 << 20)
            part = unpack.unconsumed_tail
        if unpack.unused_data:  # which would be dropped without a word
            raise bad_request("something stands behind the end of the gzip body", "not_x_content_exception")
    except zlib.error as error:
        raise bad_request(f"the body is no gzip: {error}", "not_x_content_exception") from None
