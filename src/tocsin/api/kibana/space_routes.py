"""Kibana's spaces: there is the default one, and an address in it (`/s/default/api/…`) is the one without it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.api.answers import ApiError, answer
from tocsin.api.kibana.session_models import Space
from tocsin.api.models import NOT_FOUND
from tocsin.api.security import allow

router = APIRouter(tags=["spaces"], dependencies=[Depends(allow(None))])
DEFAULT = "default"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
# Below an index called `s` are Elasticsearch's addresses, none of which has these parts.
_IN_DEFAULT = re.compile(rf"/s/{DEFAULT}(?=/(?:api/|internal/|logout$))")
_SPACE = Space(
    id=DEFAULT, name="Default", description="This is your default space!", color="#00bfb3", initials="D"
)


class DefaultSpace:
    """Takes the default space off the addresses of requests, before they find their route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and (prefix := _IN_DEFAULT.match(scope["path"])):
            raw = scope.get("raw_path") or b""
            scope = {**scope, "path": scope["path"][prefix.end() :], "raw_path": raw[prefix.end() :]}
        await self.app(scope, receive, send)


def _unknown(space: str) -> ApiError:
    reason = f"Saved object [space/{space}] not found: there is the space `{DEFAULT}` alone"
    return ApiError(404, "resource_not_found_exception", reason)


@router.get("/api/spaces/space", response_model=list[Space])
async def spaces(request: Request) -> Response:
    """Return the spaces: the default one."""
    return answer(request, [_SPACE])


@router.get("/api/spaces/space/{id}", response_model=Space, responses=NOT_FOUND)
async def space(
    request: Request, id: Annotated[str, Path(description="The space's id.", examples=[DEFAULT])]
) -> Response:
    """Return a space: `default`, for there is no other."""
    if id != DEFAULT:
        raise _unknown(id)
    return answer(request, _SPACE)


@router.api_route("/s/{space_id}/api/{rest:path}", methods=_METHODS, include_in_schema=False)
@router.api_route("/s/{space_id}/internal/{rest:path}", methods=_METHODS, include_in_schema=False)
async def elsewhere(request: Request, space_id: str, rest: str) -> Response:
    """Answer that there is no such space, or no such address in it."""
    if space_id == DEFAULT:
        raise ApiError(404, "resource_not_found_exception", "Not Found")
    raise _unknown(space_id)
