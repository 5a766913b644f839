"""Addresses that Elasticsearch has twice: for every index, and for those that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.params import Depends
from pydantic import BaseModel

from tocsin.api.elasticsearch.query_parameters import described_parameters

EVERY_INDEX = "*"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


def on_indices(
    router: APIRouter,
    path: str,
    *methods: str,
    named: str = "",
    body: dict[str, Any] | None = None,
    parameters: Sequence[str] = (),
    answer: type[BaseModel] | None = None,
    dependencies: Sequence[Depends] = (),
) -> Callable[[_Handler], _Handler]:
    """Register a handler at a path and, with indices before it, at another: `/_search` and `/{index}/_search`.

    The handler has a parameter `index` with a default for where none is named; at the shorter path it is taken
    from the query too (`/_search?index=logs-*`), as Elasticsearch does (`request.param("index")` of its handlers).
    `named` is the longer path where it has another form, `body` what a request's body is where no model says it,
    `parameters` the names of those in the query that the handler reads itself, `answer` the model of the answer.
    """

    def register(handler: _Handler) -> _Handler:
        for address in (path, named or f"/{{index}}{path}"):
            for method in methods:
                router.add_api_route(
                    address,
                    handler,
                    methods=[method],
                    openapi_extra={**(body or {}), **described_parameters(*parameters)},
                    response_model=answer,
                    dependencies=dependencies,
                )
        return handler

    return register
