"""What every answer has: Elasticsearch's shape of errors, its media types and `filter_path`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.models import ElasticsearchError, ErrorCause, ErrorDetails, KibanaError
from tocsin.errors import ConflictError, InvalidDocumentError, NotFoundError, TocsinError
from tocsin.search.errors import SearchError
from tocsin.search.filter_path import filtered

_OF_KIBANA = re.compile(r"(?:/s/[^/]+)?/(?:api|internal)/")
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+json\s*;\s*compatible-with=\d+")


class ApiError(Exception):
    """A request that cannot be answered as asked: its status, Elasticsearch's name for it, and why."""

    def __init__(self, status: int, kind: str, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.headers = status, kind, reason, dict(headers or {})

    def of_elasticsearch(self) -> ElasticsearchError:
        """Return it in Elasticsearch's form."""
        cause = ErrorCause(type=self.kind, reason=self.reason)
        details = ErrorDetails(type=self.kind, reason=self.reason, root_cause=[cause])
        return ElasticsearchError(error=details, status=self.status)

    def document(self) -> dict[str, Any]:
        """Return it in Elasticsearch's form, as a document."""
        return self.of_elasticsearch().model_dump()

    def of_kibana(self) -> KibanaError:
        """Return it in Kibana's form."""
        phrase = HTTPStatus(self.status).phrase
        return KibanaError(statusCode=self.status, error=phrase, message=self.reason, status_code=self.status)


def bad_request(reason: str, kind: str = "illegal_argument_exception") -> ApiError:
    """Return the error for a request that asks for something that cannot be."""
    return ApiError(400, kind, reason)


def is_of_kibana(request: Request) -> bool:
    """Tell whether a request is to an address of Kibana's."""
    return is_kibana_path(request.url.path)


def is_kibana_path(path: str) -> bool:
    """Tell whether an address is one of Kibana's."""
    return _OF_KIBANA.match(path) is not None


# What is answered for errors of a kind; what is none of these asks for something that cannot be.
_STATUSES: tuple[tuple[type[TocsinError], int, str], ...] = (
    (NotFoundError, 404, "resource_not_found_exception"),
    (ConflictError, 409, "version_conflict_engine_exception"),
    (TocsinError, 400, "illegal_argument_exception"),
)


def api_error(error: TocsinError) -> ApiError:
    """Return the error for a request that raised one."""
    status, kind = next((status, kind) for of, status, kind in _STATUSES if isinstance(error, of))
    prefix = "[request body]: " if isinstance(error, InvalidDocumentError) else ""
    return ApiError(status, kind, f"{prefix}{error}")


def refused(request: Request, error: ApiError) -> Response:
    """Return the answer to a request that cannot be answered as asked, as clients of its address know errors."""
    document = error.of_kibana() if is_of_kibana(request) else error.of_elasticsearch()
    try:
        return answer(request, document, error.status, error.headers)
    except ApiError:  # what part of it is wanted cannot be read
        return Response(orjson.dumps(_plain(document)), error.status, dict(error.headers), "application/json")


def answer(
    request: Request, document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a document, of models too, as JSON in the media type that the client takes.

    Raises ApiError for a `filter_path` that is too large.
    """
    if isinstance(document, BaseModel):
        document = _plain(document)
    wanted = request.query_params.get("filter_path")
    if wanted and isinstance(document, dict):
        try:
            document = filtered(document, wanted.split(","))
        except SearchError as error:
            raise bad_request(error.message) from None
    options = orjson.OPT_NON_STR_KEYS
    if request.query_params.get("pretty", "false") != "false":
        options |= orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    text = orjson.dumps(document, default=_plain, option=options)
    return Response(text, status, dict(headers or {}), media_of(request))


def _plain(value: Any) -> Any:
    """Return what orjson does not know as something that it does."""
    return value.model_dump(by_alias=True) if isinstance(value, BaseModel) else str(value)


class NdjsonResponse(Response):
    """Objects, or the values of a list, one a line."""

    media_type = "application/ndjson"


def media_of(request: Request) -> str:
    """Return the media type of JSON that a client takes."""
    accepts = _COMPATIBLE.search(request.headers.get("accept", ""))
    return accepts[0].replace(" ", "") if accepts else "application/json"
