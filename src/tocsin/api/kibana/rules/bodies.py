"""Rules as requests have them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from tocsin.api.body import read_typed

RULE_KINDS = {
    "rule_id": "string", "id": "string", "name": "string", "exceptions_list": "objects", "actions": "objects",
    "threat": "objects", "tags": "texts", "index": "texts", "enabled": "boolean", "throttle": "string",
}  # fmt: skip


async def read_rule_body(request: Request) -> dict[str, Any]:
    """Return a rule as a request has it. Raises ApiError, which names what has not the form of a rule."""
    return await read_typed(request, **RULE_KINDS)
