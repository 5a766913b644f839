"""Indicators of compromise in files -> the documents that Elastic's threat intelligence integrations would write.

What a file holds is recognised from its content: a STIX bundle, ECS documents, hits of Elasticsearch, events of
MISP and the files of its feeds, objects like `{"type": ..., "value": ...}`, CSV, or one value a line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import orjson

from tocsin.ecs import INDEX, TIMESTAMP
from tocsin.errors import InputError
from tocsin.moments import iso
from tocsin.sources.batch import Event, flatten
from tocsin.sources.document import index_of
from tocsin.sources.text_files import TextFile, read_text_files
from tocsin.sources.threat_intel.misp import (
    attribute_fields,
    attributes_of,
    event_of,
    is_list_of_hashes,
    manifest_uuids,
)
from tocsin.sources.threat_intel.rows import ecs_fields, is_ecs, row_fields, value_fields
from tocsin.sources.threat_intel.stix import stix_documents
from tocsin.sources.threat_intel.tables import table_rows
from tocsin.sources.threat_intel.values import NotTakenError

_DATASET = "ti_custom.indicator"  # of Elastic's integration for feeds of one's own
_HINT = (
    "indicators are read from STIX 2 bundles, feeds of MISP, CSV, NDJSON or JSON, and lists with one value a line"
)
_REASONS = 50  # that are counted separately
# Members that hold a list of records: Elasticsearch's, MISP's, OTX's, TAXII's, and those of feeds in JSON.
_LISTS = ("hits", "response", "objects", "indicators", "data", "results", "items", "iocs", "Attribute", "Object")


@dataclass(frozen=True)
class Indicators:
    """Indicators as flat ECS events, with `_id` and `_index`, and how many were skipped, by reason.

    Each has the fields `threat.indicator.*`, `event.kind: enrichment` and `threat.feed.name`. Where a document has
    none of its own, `@timestamp` is when it was read, for rules that ask for the indicators of some days.
    """

    documents: tuple[Event, ...]
    skipped: Mapping[str, int]


def read_indicators(paths: Sequence[str]) -> Indicators:
    """Return the indicators of files, of folders' files and of `-`; each document once.

    Raises InputError, which says what is wrong, where, and what to do, for files that cannot be read and for those
    in which nothing is an indicator.
    """
    return indicators_of(read_text_files(paths))


def indicators_of(files: Iterable[TextFile]) -> Indicators:
    """Return the indicators of files that are read already, as `read_indicators`."""
    skipped: Counter[str] = Counter()
    documents: dict[tuple[str, str], Event] = {}
    now = iso(datetime.now(UTC))
    of_manifests, read_events = set[str](), set[str]()
    for file in files:
        reader = _Reader(skipped, of_manifests, read_events)
        for number, fields in enumerate(reader.read(file), 1):
            event = _completed(fields, _feed_name(file.name), now)
            place = (event[INDEX], event["_id"])
            if place in documents:
                reader.refuse("indicator that was read before")
            documents.setdefault(place, event)
            reader.taken = number
        if not reader.taken and not reader.recognised:
            raise InputError(f"{file.name}: nothing in it is an indicator", hint=_HINT)
    if missing := len(of_manifests - read_events):
        skipped["event that a manifest of MISP names, whose file was not given"] = missing
    return Indicators(tuple(documents.values()), dict(skipped))


class _Reader:
    """Reads one file, and counts what it does not take."""

    def __init__(self, skipped: Counter[str], of_manifests: set[str], read_events: set[str]) -> None:
        self._skipped = skipped
        self._of_manifests, self._read_events = of_manifests, read_events  # UUIDs of MISP's events
        self.taken = 0
        self.recognised = False  # as a format that holds indicators, even if none of them can be taken

    def refuse(self, reason: str) -> None:
        if reason not in self._skipped and len(self._skipped) >= _REASONS:
            reason = "other reasons"
        self._skipped[reason] += 1

    def read(self, file: TextFile) -> Iterator[Event]:
        if file.text.lstrip().startswith(("{", "[{", '["')) or _is_json(file.text):
            for value in self._values(file):
                yield from self._of_json(value)
            return
        if is_list_of_hashes(file.text):  # of a feed of MISP: what they are hashes of lies in its events
            self.recognised = True
            return
        for row in table_rows(file.name, file.text):
            yield from self._of_row(row)

    def _values(self, file: TextFile) -> Iterator[Any]:
        """Yield the JSON values of a file: one document, or one a line."""
        try:
            yield orjson.loads(file.text)
            return
        except orjson.JSONDecodeError as error:
            fault = error
        lines = [line for line in file.text.split("\n") if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0]):
            raise InputError(
                f"{file.name} is no JSON: {fault}", hint="was the file cut? get a whole copy"
            ) from None
        for line in lines:
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                self.refuse("line that is no JSON")
                continue
            yield value

    def _of_json(self, value: Any, depth: int = 0) -> Iterator[Event]:
        if isinstance(value, list):
            if any(isinstance(item, dict) and item.get("type") in ("indicator", "identity") for item in value):
                yield from self._of_objects(value)
                return
            for item in value:
                yield from self._of_json(item, depth)
        elif isinstance(value, str):
            yield from self._of_value(value)
        elif not isinstance(value, dict):
            self.refuse("JSON value that is no object")
        elif isinstance(value.get("objects"), list):  # a bundle, or what a TAXII server answers
            yield from self._of_objects(value["objects"])
        elif value.get("type") == "indicator" and "pattern" in value:
            yield from self._of_objects([value])
        elif (hit := _document_of(value)) is not None:
            yield from self._of_row(hit)
        elif (event := event_of(value)) is not None:
            yield from self._of_event(event)
        elif uuids := manifest_uuids(value):
            self.recognised = True
            self._of_manifests.update(uuids)
        elif depth < 8 and (inner := _inner(value)):
            for item in inner:
                yield from self._of_json(item, depth + 1)
        else:
            flat = flatten(value)
            yield from self._of_row(flat if is_ecs(flat) else value)

    def _of_objects(self, objects: Sequence[Any]) -> Iterator[Event]:
        self.recognised = True
        yield from stix_documents(objects, self.refuse)

    def _of_event(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self.recognised = True
        self._read_events.add(str(event.get("uuid")).lower())
        for attribute in attributes_of(event):
            try:
                yield attribute_fields(attribute)
            except NotTakenError as error:
                self.refuse(str(error))

    def _of_row(self, row: Mapping[str, Any]) -> Iterator[Event]:
        try:
            filled = {name: value for name, value in row.items() if value not in (None, "")}
            yield ecs_fields(filled) if is_ecs(filled) else row_fields(filled)
        except NotTakenError as error:
            self.refuse(str(error))

    def _of_value(self, value: str) -> Iterator[Event]:
        try:
            yield value_fields(value)
        except NotTakenError as error:
            self.refuse(str(error))


def _is_json(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), (dict, list))
    except orjson.JSONDecodeError:
        return False


def _document_of(hit: Mapping[str, Any]) -> Event | None:
    """Return the document of a hit of Elasticsearch, with its index and id; None for what is no hit."""
    body = hit.get("_source", hit.get("fields") if INDEX in hit else None)
    if not isinstance(body, dict):
        return None
    place = {name: hit[name] for name in ("_id", INDEX) if isinstance(hit.get(name), str)}
    return {**flatten(body), **place}


def _inner(value: Mapping[str, Any]) -> list[Any]:
    """Return the records that an object holds: an answer's, an event's of MISP with its objects."""
    records: list[Any] = []
    if "value" in value:
        return records
    if isinstance(value.get("Event"), dict):
        records.append(value["Event"])
    for name in _LISTS:
        inner = value.get(name)
        if isinstance(inner, dict) and name in ("hits", "response"):
            records.append(inner)
        elif isinstance(inner, list) and any(isinstance(item, (dict, str)) for item in inner):
            records += inner
    return records


def _feed_name(name: str) -> str:
    return "indicators" if name == "<stdin>" else PurePath(name.rpartition("!")[2]).name.partition(".")[0]


def _completed(fields: Event, feed: str, now: str) -> Event:
    """Return an indicator with what every document of an integration has."""
    identity = {name: value for name, value in fields.items() if name != TIMESTAMP}
    event = {
        TIMESTAMP: now, "event.kind": "enrichment", "event.category": ["threat"], "event.type": ["indicator"],
        "threat.feed.name": feed, **fields,
    }  # fmt: skip
    dataset = event.get("data_stream.dataset") or event.get("event.dataset")
    if not isinstance(dataset, str) or not dataset:
        dataset = _DATASET
        event |= {"data_stream.type": "logs", "data_stream.dataset": dataset, "data_stream.namespace": "default"}
    event.setdefault("event.dataset", dataset)
    event.setdefault("event.module", dataset.partition(".")[0])
    event[INDEX] = index_of(event) or f"logs-{dataset}-default"
    value = _named_by(event)
    if "threat.indicator.name" not in event and value is not None:
        event["threat.indicator.name"] = value
    written = orjson.dumps([feed, identity], option=orjson.OPT_SORT_KEYS, default=str)
    event.setdefault("_id", hashlib.sha256(written).hexdigest()[:32])
    return event


# The fields that name an indicator to people, the first that it has.
_NAMES = (
    "ip", "url.full", "url.domain", "file.hash.sha256", "file.hash.sha1", "file.hash.md5", "file.name",
    "email.address", "registry.path", "file.path",
)  # fmt: skip


def _named_by(event: Mapping[str, Any]) -> str | None:
    for name in _NAMES:
        value = event.get(f"threat.indicator.{name}")
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str):
            return value
    return None
