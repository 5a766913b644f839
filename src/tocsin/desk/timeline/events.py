"""Events of a timeline as pages show them: cells of columns, and one event with all of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.searches import search
from tocsin.desk.shown import cut_in_the_middle
from tocsin.desk.timeline.view import event_key, read_event_key
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.moments import iso

_LONGEST = 200_000  # characters of an event's JSON
LATEST = 2**63 - 1  # ns since 1970, of a moment that an event can have
_NEAR = 1_000_000  # ns around an event's moment: some clients know milliseconds alone


@dataclass(frozen=True)
class TimelineRow:
    """An event of a page: flat, its sort keys, and how an address calls it."""

    document: FlatDocument
    sort: Sequence[Any] | None
    missing: bool = False  # of a step of a sequence: that nothing happened

    @property
    def key(self) -> str:
        """What an address calls it."""
        return f"{self.document.index}:{self.document.id}"

    @property
    def at(self) -> str:
        """Its moment in nanoseconds since 1970, by which it is looked up at once; empty where it is not known."""
        return str(self.sort[0]) if self.sort else ""

    @property
    def anchor(self) -> str:
        """What its row is called in the page."""
        return f"event-{self.key}"


@dataclass(frozen=True)
class OpenedEvent:
    """An event with all of its fields, and as JSON. `document` is None where it is not in the store."""

    key: str
    at: str = ""
    document: FlatDocument | None = None
    json: str = ""
    is_copy: bool = False  # that was kept when it was pinned

    @property
    def fields(self) -> Iterator[tuple[str, list[Any]]]:
        """Its fields by name, each with its values."""
        for name in sorted(self.document.values) if self.document else ():
            value = self.document.values[name] if self.document else None
            yield name, value if isinstance(value, list) else [value]


def timeline_row(event: Mapping[str, Any]) -> TimelineRow:
    """Return an event of a page's search."""
    document = FlatDocument(str(event["id"]), str(event["index"]), event["fields"])
    return TimelineRow(document, event.get("sort"), bool(event.get("missing")))


def event_search(key: str, at: str) -> tuple[list[str], dict[str, Any]]:
    """Return the index, and the search for an event by what an address says of it. Raises ApiError."""
    index, id_ = read_event_key(key)
    tests: list[dict[str, Any]] = [{"ids": {"values": [id_]}}]
    moment = read_whole_number(at, LATEST)
    if moment is not None:
        span = {"gte": iso(max(0, moment - _NEAR), 9), "lte": iso(moment + _NEAR, 9)}
        tests.append({"range": {"@timestamp": span}})
    return [index], {"query": {"bool": {"filter": tests}}, "size": 1, "fields": ["*"]}


async def opened_event(request: Request, key: str, at: str) -> OpenedEvent:
    """Return an event with all of its fields. Raises ApiError."""
    answer = await search(request, *event_search(key, at))
    hits = answer["hits"]["hits"]
    if not hits:
        return OpenedEvent(key, at)
    text = orjson.dumps(hits[0]["_source"], option=orjson.OPT_INDENT_2).decode()
    known = event_key({"index": hits[0]["_index"], "id": hits[0]["_id"]})
    return OpenedEvent(known, at, flat_document(hits[0]), cut_in_the_middle(text, _LONGEST))
