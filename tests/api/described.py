"""Whether answers are what `/openapi.json` says of their routes."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jsonschema_rs
import orjson
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

_SPACE = "/s/default"


class AnswerCheck:
    """An application whose JSON answers are all held against its description; `misfits` says which differ from it.

    Answers to addresses that the description does not name are left out, and those of which a client has asked for
    a part (`filter_path`).
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._document = app.openapi()
        self._routes = [
            (compile_path(route.path)[0], route.path_format, route.methods)
            for route in iter_route_contexts(app.routes)
            if route.path is not None and route.methods
        ]
        self._validator = cache(self._compile)
        self.misfits: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        status, media, body = 0, "", bytearray()

        async def see(message) -> None:
            nonlocal status, media
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.lower(): value for name, value in message["headers"]}
                media = headers.get(b"content-type", b"").decode()
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body") and scope["method"] != "HEAD" and "json" in media:
                    self._check(scope, status, media, bytes(body))
            await send(message)

        await self._app(scope, receive, see if scope["type"] == "http" else send)

    def _check(self, scope: Any, status: int, media: str, body: bytes) -> None:
        if b"filter_path" in scope["query_string"] and "filter_path" in parse_qs(scope["query_string"].decode()):
            return
        path = scope["path"].removeprefix(_SPACE)
        route = next((r for r in self._routes if scope["method"] in r[2] and r[0].match(path)), None)
        if route is None or "ndjson" in media:
            return
        validator = self._validator(route[1], scope["method"].lower(), str(status))
        if validator is None:
            return
        address = (
            f"{scope['method']} {route[1]} ({scope['path']}): {status} {body[:1000].decode(errors='replace')}"
        )
        try:
            validator.validate(orjson.loads(body))
        except jsonschema_rs.ValidationError as error:
            self.misfits.append(f"{address}\n{error}")
        except orjson.JSONDecodeError as error:
            self.misfits.append(f"{address}\n{error}")

    def _compile(self, path: str, method: str, status: str) -> Any:
        """Return what holds an answer against its schema; None for a route that is not described."""
        operation = self._document["paths"].get(path, {}).get(method)
        if operation is None:
            return None
        response = operation["responses"].get(status) or operation["responses"]["default"]
        content = response.get("content", {}).get("application/json")
        schema = False if content is None else content["schema"]  # nothing fits where no JSON is described
        return jsonschema_rs.Draft202012Validator({"allOf": [schema], "components": self._document["components"]})
