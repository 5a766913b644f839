"""`json_extract`: a value out of a JSON text, by a path such as `$.process.args[0]` or `['a.b']`."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from tocsin.esql import syntax as q

_PART = re.compile(
    r"""\.?([^.\[\]'"]+)|\[\s*(\d+)\s*\]|\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*"((?:[^"\\]|\\.)*)"\s*\]"""
)


class _Number(str):
    """A number as it is written."""


@lru_cache(maxsize=256)
def _parts(path: str) -> tuple[str | int, ...] | None:
    """Return the names and places that a path leads through; None for what is no path."""
    at = 1 if path.startswith("$") and path[1:2] in ("", ".", "[") else 0
    parts: list[str | int] = []
    while at < len(path):
        match = _PART.match(path, at)
        if match is None or (path[at] == "." and not parts and at == 0):
            return None
        name, place, single, double = match.groups()
        if name is not None and parts and path[at] != ".":
            return None
        quoted = single if single is not None else double
        parts.append(
            int(place) if place is not None else name if name is not None else re.sub(r"\\(.)", r"\1", quoted)
        )
        at = match.end()
    return tuple(parts)


def path_error(node: q.Expression) -> str | None:
    """Return what is wrong with a path that is written in the query."""
    if isinstance(node, q.Literal) and isinstance(node.value, str) and _parts(node.value) is None:
        return f"'{node.value}' is no path into JSON, as in $.process.args[0]"
    return None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        members.setdefault(name, value)
    return members


def json_extract(text: str, path: str) -> str | None:
    """Return what stands at a path as a text, null where there is nothing; objects and lists stay JSON.

    Of names that stand twice in an object the first counts.
    """
    parts = _parts(path)
    try:
        value: Any = json.loads(
            text, object_pairs_hook=_first_of_each, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return None
    for part in parts or ():
        if isinstance(part, int) and isinstance(value, list):
            value = value[part] if part < len(value) else None
        elif isinstance(part, str) and isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    if parts is None or value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """Return an object or a list as JSON, its numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
