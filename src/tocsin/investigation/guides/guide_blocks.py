"""Blocks of a guide: `!{investigate{…}}` and `!{osquery{…}}` with what they hold, and those that are broken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.date_math import parse_date_math
from tocsin.rules.guides import PLACEHOLDER

_BEGINNING = re.compile(rf"!\{{(investigate|osquery)(?=[{{}}])|{PLACEHOLDER.pattern}")
_DECODER = json.JSONDecoder(strict=False)  # a query of several lines may stand in it as it is
QUERY_TYPES = ("phrase", "phrases", "range", "exists")
_VALUE_TYPES = ("string", "number", "boolean", "undefined")
# A guide is written by people; what goes beyond these is no guide, and must hold nobody up.
_MOST_BLOCKS, _MOST_CHARACTERS, _MOST_MENDED = 500, 100_000, 4_000
_LOST_QUOTES = re.compile(r"\{\s*label\s*:\s*(?P<label>.*?)\s*,\s*query\s*:\s*(?P<query>.*?)\s*\}", re.DOTALL)


@dataclass(frozen=True)
class Provider:
    """One test of an investigate block: Kibana's filter types `phrase`, `phrases`, `range`, `exists`."""

    field: str
    value: Any = None
    excluded: bool = False
    query_type: str = "phrase"
    value_type: str = "string"


@dataclass(frozen=True)
class InvestigateBlock:
    """A query over events: `providers` are groups of which one has to be met, with all of its tests.

    `relative_from`, `relative_to` are date math around the time of the alert; empty for all time.
    """

    number: int
    label: str
    description: str
    providers: tuple[tuple[Provider, ...], ...]
    relative_from: str = ""
    relative_to: str = ""


@dataclass(frozen=True)
class OsqueryBlock:
    """A query of osquery, in SQL. `ecs_mapping` says which ECS field a column becomes."""

    number: int
    label: str
    query: str
    ecs_mapping: Mapping[str, Any] = field(default_factory=dict)
    mended: str = ""  # what was mended of its JSON, in words


@dataclass(frozen=True)
class BrokenBlock:
    """A block that cannot be read, as it stands in the guide, and why."""

    number: int
    kind: str
    text: str
    reason: str


Block = InvestigateBlock | OsqueryBlock | BrokenBlock


def parse_guide(text: str) -> tuple[str | Block, ...]:
    """Return the parts of a guide in their order: Markdown, and its blocks, numbered from 0.

    Blocks after the first 500 stay text.
    """
    parts: list[str | Block] = []
    position = number = 0
    while number < _MOST_BLOCKS and (match := _BEGINNING.search(text, position)) is not None:
        parts.append(text[position : match.start()])
        block, position = _block(text, match, number)
        parts.append(block)
        number += 1
    parts.append(text[position:])
    return tuple(part for part in parts if part != "")


def _block(text: str, match: re.Match[str], number: int) -> tuple[Block, int]:
    """Return the block that begins at a place, and where it ends."""
    if match[2]:
        reason = "the rule does not have this query (any more): import the rule again"
        return BrokenBlock(number, match[2], match[0], reason), match.end()
    kind, mended = match[1], ""
    end = _end_of(text, match.end())
    whole = text[match.start() : end]
    try:
        body, stop = _DECODER.raw_decode(text, match.end())
        if text[stop : stop + 1] == "}":
            end, whole = stop + 1, text[match.start() : stop + 1]
    except (ValueError, RecursionError) as error:
        body, mended = _mended(kind, text[match.end() : end - 1])
        if body is None:
            fault = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
            return BrokenBlock(number, kind, whole, f"it is not valid JSON: {fault}"), end
    try:
        if not isinstance(body, dict):
            raise ValueError("it holds no JSON object")
        return _READERS[kind](number, body, mended), end
    except OverflowError:
        return BrokenBlock(number, kind, whole, "a time of it is out of range"), end
    except ValueError as error:
        return BrokenBlock(number, kind, whole, str(error)), end


def _end_of(text: str, start: int) -> int:
    """Return where a block ends: at the brace that closes it, else with its line."""
    depth = 1
    for position in range(start, min(len(text), start + _MOST_CHARACTERS)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    line = text.find("\n", start)
    return len(text) if line < 0 else line


def _mended(kind: str, body: str) -> tuple[Any, str]:
    """Return what a block holds whose quotes suffered when its page was copied, and what was mended."""
    straight = body.translate({ord(quote): '"' for quote in "“”„«»"})
    if straight != body:
        try:
            return json.loads(straight, strict=False), "typographic quotes were made straight"
        except (ValueError, RecursionError):
            pass
    if len(body) > _MOST_MENDED:
        return None, ""
    match = _LOST_QUOTES.fullmatch(body.strip())
    if kind == "osquery" and match is not None and '"' not in body:
        return {"label": match["label"], "query": match["query"]}, "the quotes of its members were put back"
    return None, ""


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its `{name}` is no text")
    return value or ""


def _investigate(number: int, body: Mapping[str, Any], mended: str) -> InvestigateBlock:
    groups = body.get("providers")
    if not isinstance(groups, list) or not groups or not all(isinstance(g, list) and g for g in groups):
        raise ValueError("its `providers` are not lists of filters in a list")
    since, until = _text(body, "relativeFrom"), _text(body, "relativeTo")
    for moment in filter(None, (since, until)):
        parse_date_math(moment)
    return InvestigateBlock(
        number,
        _text(body, "label"),
        _text(body, "description"),
        tuple(tuple(map(_provider, group)) for group in groups),
        since,
        until,
    )


def _provider(given: Any) -> Provider:
    if not isinstance(given, dict) or not isinstance(given.get("field"), str) or not given["field"]:
        raise ValueError("a filter of its `providers` has no `field`")
    kind, of = given.get("queryType", "phrase"), given.get("valueType", "string")
    if kind not in QUERY_TYPES:
        raise ValueError(f"`queryType` is one of {', '.join(QUERY_TYPES)}, not `{kind}`")
    if of not in _VALUE_TYPES:
        raise ValueError(f"`valueType` is one of {', '.join(_VALUE_TYPES)}, not `{of}`")
    value = given.get("value")
    if kind == "phrases":
        value = _json_value(value, list, "phrases are a list of values in JSON")
    if kind == "range":
        value = _json_value(value, dict, "a range is an object with `gte` and `lt` in JSON")
        if not value or value.keys() - {"gte", "gt", "lte", "lt"}:
            raise ValueError("a range has `gte`, `gt`, `lte` or `lt`")
    if kind == "phrase" and not isinstance(value, str | int | float | bool):
        raise ValueError(f"the filter of `{given['field']}` has no `value`")
    return Provider(given["field"], value, bool(given.get("excluded", False)), kind, of)


def _json_value(value: Any, of: type, message: str) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(message) from None
    if not isinstance(value, of):
        raise ValueError(message)
    return value


def _osquery(number: int, body: Mapping[str, Any], mended: str) -> OsqueryBlock:
    query, mapping = _text(body, "query").strip(), body.get("ecs_mapping") or {}
    if not query:
        raise ValueError("it has no `query`")
    if not isinstance(mapping, dict):
        raise ValueError("its `ecs_mapping` is no object")
    return OsqueryBlock(number, _text(body, "label"), query, mapping, mended)


_READERS: Mapping[str, Callable[[int, Mapping[str, Any], str], Block]] = {
    "investigate": _investigate,
    "osquery": _osquery,
}
