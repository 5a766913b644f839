"""A request's body: unpacked, never larger than may be, and not waited for without end."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import orjson
from fastapi import Depends
from pydantic import BaseModel, RootModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from tocsin.api.answers import ApiError, bad_request, is_of_kibana
from tocsin.api.dependencies import service_of
from tocsin.api.models import UploadForm
from tocsin.faults import fault_text, field_of
from tocsin.nesting import TOO_DEEP, is_too_deep
from tocsin.text_encoding import as_utf8

_STRANGERS_SIZE = 64 << 10  # bytes
_STRANGERS_TIME = 10.0  # seconds
# What Kibana takes where nobody has changed it: `server.maxPayload`, `maxRuleImportPayloadBytes` of its detection
# engine, and for the values of a list `xpack.lists.maxImportPayloadBytes`.
KIBANA_SIZE, IMPORT_SIZE, VALUES_SIZE = 1 << 20, 10 << 20, 9_000_000
JSON_SIZE = 8 << 20  # of another document that is no event: JSON is read in one go, while everything else waits
_MOST_VALUES = 500_000  # in a document of more than KIBANA_SIZE
_MOST_MEMBERS = 1_000  # of a gzip body

Model = TypeVar("Model", bound=BaseModel)
_Read = Callable[..., Any]


class BodyModel(NamedTuple):
    """The model of a body, whether a request needs one, and its media type."""

    model: type[BaseModel]
    required: bool
    media: str = "application/json"


_MODELS: dict[_Read, BodyModel] = {}  # by the dependency that reads it


async def read_body(request: Request) -> bytes:
    """Return the body, unpacked. Raises ApiError."""
    limits = service_of(request).config
    return await _read(request, limits.request_size, limits.body_timeout)


async def read_strangers_json(request: Request) -> dict[str, Any]:
    """Return the body of someone who has not shown who they are as a JSON object."""
    return json_object(await read_strangers_body(request))


async def read_strangers_body(request: Request, most: int = _STRANGERS_SIZE) -> bytes:
    """Return the body of someone who has not shown who they are: small, and all of it soon. Raises ApiError."""
    try:
        async with asyncio.timeout(_STRANGERS_TIME):
            return await _read(request, most, _STRANGERS_TIME)
    except TimeoutError:
        reason = f"the request's body was not there within {_STRANGERS_TIME:g} s"
        raise ApiError(408, "timeout_exception", reason, {"Connection": "close"}) from None


async def _read(request: Request, most: int, part_timeout: float) -> bytes:
    """Return a body of at most so many bytes, waiting so many seconds for each part. Raises ApiError."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise ApiError(
            415, "illegal_argument_exception", f"content encoding [{encoding}] is not known, only gzip is"
        )
    unpack = _Gunzip() if encoding == "gzip" else None
    parts: list[bytes] = []
    size = 0
    now = asyncio.get_running_loop().time
    try:
        # Not a task for each part: a task that fails is part of a cycle, which would hold the parts for minutes.
        async with asyncio.timeout(part_timeout) as limit:
            async for part in request.stream():
                limit.reschedule(now() + part_timeout)
                if unpack is not None and part:
                    part = unpack.unpacked(part, most - size + 1)
                size += len(part)
                if size > most or (unpack is not None and unpack.is_more):
                    raise _too_large(most)
                parts.append(part)
    except TimeoutError:
        reason = f"no byte of the request's body in {part_timeout:g} s"
        raise ApiError(408, "timeout_exception", reason, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise bad_request("the client went away") from None
    if unpack is not None and size and not unpack.is_whole:
        raise bad_request("the gzip body ends too early", "not_x_content_exception")
    return b"".join(parts)


class _Gunzip:
    """Unpacks gzip part by part. It may have several members, one behind the other (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._member, self._members = zlib.decompressobj(wbits=31), 1

    @property
    def is_more(self) -> bool:
        """Whether more was unpacked than may be."""
        return bool(self._member.unconsumed_tail)

    @property
    def is_whole(self) -> bool:
        """Whether the last member has ended."""
        return self._member.eof

    def unpacked(self, part: bytes, most: int) -> bytes:
        """Return what a part holds, `most` bytes and `is_more` at most. Raises ApiError for what is no gzip."""
        texts: list[bytes] = []
        while part and not self.is_more:
            if self._member.eof:
                self._member, self._members = zlib.decompressobj(wbits=31), self._members + 1
            if self._members > _MOST_MEMBERS:
                raise bad_request(
                    f"the gzip body has more than {_MOST_MEMBERS:,} members", "not_x_content_exception"
                )
            try:
                texts.append(self._member.decompress(part, max(1, most - sum(map(len, texts)))))
            except zlib.error as error:
                reason = f"the body is no gzip: {error}"
                raise bad_request(reason, "not_x_content_exception") from None
            part = self._member.unused_data
        return b"".join(texts)


def _too_large(limit: int) -> ApiError:
    reason = f"the request is larger than {limit:,} bytes"
    return ApiError(413, "content_too_long_exception", reason, {"Connection": "close"})


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object, an empty one when there is no body. Raises ApiError."""
    return json_object(await read_document(request))


async def read_document(request: Request) -> bytes:
    """Return a body that is JSON and no event, of no more bytes and values than are read in a moment."""
    limits = service_of(request).config
    most = min(KIBANA_SIZE if is_of_kibana(request) else JSON_SIZE, limits.request_size)
    body = await _read(request, most, limits.body_timeout)
    if len(body) > KIBANA_SIZE and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise ApiError(413, "content_too_long_exception", f"the request has more than {_MOST_VALUES:,} values")
    return body


def json_object(body: bytes) -> dict[str, Any]:
    """Return a body as a JSON object, an empty one when it is empty. Raises ApiError."""
    if not body.strip():
        return {}
    document = _as_json(body)
    if not isinstance(document, dict):
        raise bad_request("the body is no JSON object", "parsing_exception")
    return document


def _as_json(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error}", "json_parse_exception") from None
    if is_too_deep(document, body):
        raise bad_request(f"the body is {TOO_DEEP}", "x_content_parse_exception")
    return document


def json_body(model: type[Model], *, of_stranger: bool = False) -> Any:
    """Return a dependency that reads a JSON body as a model; one of a stranger has to be small and soon there.

    A handler has it as `body: Annotated[AlertStatus, json_body(AlertStatus)]`, behind the dependency that lets the
    client through: a body is not read before it is known who sends it. It raises ApiError for a body that is no
    JSON, too large, or not as the model says.
    """
    is_root = issubclass(model, RootModel)

    async def read(request: Request) -> Model:
        if of_stranger:
            return fitted(request, model, await read_strangers_json(request))
        body = await read_document(request)
        return fitted(request, model, _as_json(body) if is_root else json_object(body))

    _MODELS[read] = BodyModel(model, is_root or any(field.is_required() for field in model.model_fields.values()))
    return Depends(read)


def body_model(dependency: _Read) -> BodyModel | None:
    """Return the model of the body that a dependency reads, None for one that reads no body."""
    return _MODELS.get(dependency)


def fitted(request: Request, model: type[Model], document: Any) -> Model:
    """Return a document as a model. Raises ApiError, which names the first member that does not fit."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    field = field_of(fault)
    if fault["type"] == "missing" and is_of_kibana(request):
        raise bad_request(f"[request body]: {field}: Required")
    if not field:
        raise bad_request(fault_text(fault) if fault["type"] == "value_error" else f"the body {fault_text(fault)}")
    known = f": there are {', '.join(model.model_fields)}"
    unknown = fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1
    raise bad_request(f"[{field}] {fault_text(fault)}{known if unknown else ''}")


class Upload(NamedTuple):
    """A file that a form brings along: a text in UTF-8, however it was encoded; and the form's other fields."""

    name: str
    data: bytes
    fields: Mapping[str, str] = MappingProxyType({})


class UploadedFiles(NamedTuple):
    """The files that a form brings along, and its other fields."""

    files: Sequence[Upload]
    fields: Mapping[str, str]


async def _read_upload(request: Request, what: str, most: int, *, is_text: bool = True) -> Upload:
    """Return the file of a form, text in UTF-8. Raises ApiError."""
    bounded = Request(request.scope, _bounded(request, most))
    async with bounded.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise bad_request(f"[file] is missing: {what}")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        data = await file.read()
        return Upload(file.filename or "", as_utf8(data) if is_text else data, fields)


def file_body(what: str, most: int, *, is_text: bool = True) -> Any:
    """Return a dependency that reads the file of a form as an Upload.

    It may have at most so many bytes; `what` says what it should be. One that is no text stays as it is.
    """

    async def read(request: Request) -> Upload:
        return await _read_upload(request, what, most, is_text=is_text)

    _MODELS[read] = BodyModel(UploadForm, True, "multipart/form-data")
    return Depends(read)


def files_body(what: str, most: int, *, most_files: int) -> Any:
    """Return a dependency that reads the files of a form, all named `file`, as UploadedFiles.

    Together they have at most so many bytes; `what` says what they should be.
    """

    async def read(request: Request) -> UploadedFiles:
        bounded = Request(request.scope, _bounded(request, most))
        async with bounded.form(max_files=most_files, max_fields=16) as form:
            uploaded = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
            if not uploaded:
                raise bad_request(f"[file] is missing: {what}")
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            files = [Upload(file.filename or "", as_utf8(await file.read())) for file in uploaded]
            return UploadedFiles(files, fields)

    _MODELS[read] = BodyModel(UploadForm, True, "multipart/form-data")
    return Depends(read)


def _bounded(request: Request, most: int) -> Receive:
    """Return what receives a request, and raises ApiError where it gets larger than it may be."""
    most = min(most, service_of(request).config.request_size)
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    read = 0

    async def receive() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return receive
