"""One document in JSON: an ECS event, a hit, a Windows event or a product's record -> a row, and its index."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP, default_schema
from tocsin.engine.table import EventRow
from tocsin.moments import time_of, to_nanoseconds, written_moment
from tocsin.sources.batch import Event, flatten
from tocsin.sources.catalogue import index_of_source
from tocsin.sources.date_order import DateOrder
from tocsin.sources.event_time import other_time, read_other
from tocsin.sources.mapping import DATASETS
from tocsin.sources.markers import is_categorised
from tocsin.sources.products.product import PRODUCTS, Metadata, Product, Shape, completed, kind_of, recognised
from tocsin.sources.products.record import ProductRecord
from tocsin.sources.unseen import describes_event
from tocsin.sources.values import moment
from tocsin.sources.windows.forms.shipped import flat_document
from tocsin.sources.windows.recognise import FORMS, form_of, rendered
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord
from tocsin.sources.windows.shipped import ShippedEvent
from tocsin.sources.windows.unfinished import is_unfinished
from tocsin.sources.wrappers import UnwrappedEvent, body_of, records_of, unwrapped, with_beside

DATASET_FIELDS = (
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "event.dataset",
    "event.module",
    "agent.type",
)
# Shippers whose indices are no data streams.
OUTSIDE_DATA_STREAMS = ("winlogbeat", "endgame")
UNKNOWN_DATASET = "ecs"
FORWARDED = "windows.forwarded"
# The sources whose records are Windows events.
WINDOWS = frozenset(
    (FORWARDED, "winlogbeat", *(name for name in DATASETS if name.startswith(("windows.", "system.", "winlog."))))
)
_BACKING_INDEX = re.compile(r"^(?:[^:]*:)?(?:partial-|restored-)?(?:\.ds-)?(.*?)(?:-\d{4}\.\d{2}\.\d{2}-\d{6})?$")


@dataclass(eq=False)
class Documents:
    """What records are read as: each as what it shows itself to be, or all as records of one `source`.

    `metadata` is what records taught about the hosts and users of others, `dates` what the file's dates by number
    show.
    """

    source: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    dates: DateOrder | None = None

    def row_of(self, record: Any) -> WindowsRecord | ShippedEvent | UnwrappedEvent | ProductRecord | Event:
        """Return a record as a row: read field by field, or an ECS document or hit, flat.

        A record within another document is unwrapped first.

        Raises ValueError for anything else, MalformedRecord for a Windows event that lacks what each has.
        """
        if not isinstance(record, dict):
            raise ValueError(f"an event is a JSON object, and this is a {type(record).__name__}")
        record = self._dated(record)
        body = body_of(record)
        if self.source not in PRODUCTS and (row := self._windows(record, body)) is not None:
            return with_beside(row, _of_event(body)) if is_categorised(body) else row
        within = unwrapped(body)
        if within is not None:
            beside = dict(within.beside)
            if TIMESTAMP in beside:
                beside[TIMESTAMP] = self.moment(beside[TIMESTAMP])
            return with_beside(self.row_of(within.record), beside)
        body = completed(body, self.source)
        product = self.product_of(body)
        if product is not None:
            return ProductRecord(body, *product, self.metadata)
        event = self._ecs(record)
        if self.source is not None and not is_in_ecs(event):
            head = ", nor a Windows event's channel, provider and id" if self.source in WINDOWS else ""
            raise ValueError(
                f"not a record of {self.source}: it has no field of ECS that says what happened{head}; was it "
                "exported whole?"
            )
        return event

    def _windows(self, record: Mapping[str, Any], body: Mapping[str, Any]) -> WindowsRecord | ShippedEvent | None:
        dataset = DATASETS.get(self.source or "")
        if is_unfinished(body):
            event = flat_document(body)
            place = event | {name: record[name] for name in (INDEX,) if name in record}
            if self.source is None:
                return ShippedEvent(event, index=index_of(place))
            index = None if dataset else index_of_source(self.source)
            return ShippedEvent(event, index=index, dataset=dataset)
        form = form_of(body)
        if form is None and self.source in WINDOWS:
            form = next((form for form in FORMS if form.recognises(body)), None)
        if form is None:
            return None
        return WindowsRecord(rendered(body, form), dataset=dataset, forwarded=self.source == FORWARDED)

    def teaches(self, content: bytes) -> bool:
        """Return whether JSON text is a record that says something about the hosts or users of others."""
        try:
            record = orjson.loads(content)
            product = self.product_of(record) if isinstance(record, dict) else None
        except ValueError:
            return False
        return product is not None and any(join.taught_by == product[2] for join in product[0].joins)

    def product_of(self, record: Mapping[str, Any]) -> tuple[Product, Shape, str] | None:
        """Return the product that a record is taken to be of, its shape and kind; None when of none.

        Raises ValueError for a record that cannot be one of `source`.
        """
        return recognised(record) if self.source is None else taken_for(record, self.source)

    def moment(self, value: Any) -> str | None:
        """Return an event's time in ISO 8601, None when it cannot be read."""
        if isinstance(value, str) and self.dates is not None and (date := self.dates.written(value)) is not None:
            return date
        try:
            return written_moment(value)
        except ValueError:
            return None

    def other_moment(self, value: Any) -> str | None:
        """Return the time in a field that has another name for an event's time; None if it holds none."""
        return read_other(value, self.moment)

    def _dated(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with its dates by number in ISO 8601: the file as a whole shows what they mean."""
        if self.dates is None:
            return record
        changed: dict[str, Any] = _dates_of(record, self.dates)
        for name in _BODIES:
            body = record.get(name)
            if isinstance(body, dict) and (inner := _dates_of(body, self.dates)):
                changed[name] = {**body, **inner}
        return {**record, **changed} if changed else record

    def _ecs(self, record: Mapping[str, Any]) -> Event:
        source = record.get("_source")
        if isinstance(source, dict):
            event = flatten(source)
            for key in ("_index", "_id"):
                if isinstance(record.get(key), str):
                    event[key] = record[key]
        elif isinstance(record.get("fields"), dict) and "_index" in record:
            event = flatten(record["fields"])
            event["_index"] = record["_index"]
        else:
            event = flatten(record)
        index = index_of(event) if self.source is None else index_of_source(self.source)
        if index is None:
            event.pop(INDEX, None)
        else:
            event[INDEX] = index
        if TIMESTAMP not in event or not _is_usual(event[TIMESTAMP]):
            time = self.moment(time_of(event.get(TIMESTAMP))) or other_time(event, self.moment)
            if time is not None:
                event[TIMESTAMP] = time
            elif isinstance(event.get(TIMESTAMP), list):  # so that nothing takes a part of it for a time
                event[TIMESTAMP] = orjson.dumps(event[TIMESTAMP], default=str).decode()
        return event

    def normalise(self, record: Any) -> Event:
        """Return a record as a flat ECS event. Raises ValueError for what is none."""
        row = self.row_of(record)
        return row if isinstance(row, dict) else row.fields()

    def read(self, content: bytes) -> Event:
        """Return the event that JSON text holds. Raises ValueError."""
        return self.normalise(orjson.loads(content))


def _of_event(body: Mapping[str, Any]) -> Event:
    """Return what a document says below `event`, which counts where the table of its record says nothing."""
    stated = flatten({"event": body["event"]})
    return {name: value for name, value in stated.items() if name != "event.original" and _is_known(name)}


def is_in_ecs(record: Mapping[str, Any]) -> bool:
    """Return whether a document has a category, or another field of ECS that says what happened."""
    names = flatten(body_of(record))
    return any(name == CATEGORY or (describes_event(name) and _is_known(name)) for name in names)


def _is_known(name: str) -> bool:
    return default_schema().find(name) is not None


# Values of records that are dates, and the members of records that have them.
_DATED = tuple(
    dict.fromkeys(
        [TIMESTAMP, "TimeCreated", "TimeGenerated", "EventTime", "timestamp", "UtcTime"]
        + [row.source for product in PRODUCTS.values() for row in product.dataset.rows if row.convert is moment]
    )
)
_ARE_DATED = frozenset(_DATED)
_BODIES = ("_source", "fields", "properties")


def _dates_of(members: Mapping[str, Any], dates: DateOrder) -> dict[str, str]:
    dates_by_name: dict[str, str] = {}
    for name in members.keys() & _ARE_DATED:
        value = members[name]
        # A date by number has a mark after its first one or two digits.
        if isinstance(value, str) and not value[1:3].isalnum() and (written := dates.written(value)):
            dates_by_name[name] = written
    return dates_by_name


def _is_usual(value: Any) -> bool:
    """Return whether a value is a moment as Elasticsearch takes it, which stays as it is."""
    if isinstance(value, str):
        try:
            to_nanoseconds(value)
        except ValueError:
            return False
        return not value.strip().isdigit()
    return isinstance(value, int) and not isinstance(value, bool) and 10**11 <= value < 10**14


def taken_for(record: Mapping[str, Any], source: str) -> tuple[Product, Shape, str] | None:
    """Return a record as one of the product called `source`, None when there is no such product.

    Raises ValueError for a record that cannot be one.
    """
    product = PRODUCTS.get(source)
    if product is None:
        return None
    for shape in product.shapes:
        kind = kind_of(record, shape)
        if kind is not None:
            return product, shape, kind
    telltales = " or ".join(dict.fromkeys(f"`{'.'.join(shape.telltale)}`" for shape in product.shapes))
    raise ValueError(f"not a record of {source}, in which {telltales} would show its kind")


def is_windows(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a Windows event for a table: in any form, shipped for a pipeline, or in a hit."""
    body = body_of(record)
    return is_unfinished(body) or form_of(body) is not None


def holds_record(record: Mapping[str, Any]) -> bool:
    """Return whether a document holds other records, which are to be read in its place."""
    try:
        return unwrapped(body_of(record)) is not None or records_of(record) != [record]
    except MalformedRecord:
        return True


def index_of(event: Mapping[str, Any]) -> str | None:
    """Return the index that an event lies in, as far as it says: `_index`, its data stream, or its shipper."""
    index = event.get(INDEX)
    if isinstance(index, str):
        match = _BACKING_INDEX.match(index)
        return match[1] if match else index
    dataset = event.get("data_stream.dataset") or event.get("event.dataset")
    shippers = [event.get(name) for name in ("agent.type", "@metadata.beat", "event.module")]
    for shipper in OUTSIDE_DATA_STREAMS:
        if shipper in shippers:
            return f"{shipper}-default"
    if not isinstance(dataset, str):
        return None
    kind = event.get("data_stream.type", "logs")
    return f"{kind}-{dataset}-{event.get('data_stream.namespace', 'default')}"


def dataset_name(event: EventRow) -> str:
    """Return the name under which an event is counted."""
    name = event.get("data_stream.dataset") or event.get("event.dataset") or event.get("agent.type")
    return name if isinstance(name, str) else UNKNOWN_DATASET


def index_and_counts(columns: Mapping[str, pa.ChunkedArray], rows: int) -> tuple[pa.Array | None, Counter[str]]:
    """Return each row's index, worked out once for each distinct combination, and the rows by dataset."""
    there = (name for name in (INDEX, *DATASET_FIELDS) if name in columns)
    names = [name for name in there if not pa.types.is_list(columns[name].type)]  # a list names no index
    if not names:
        return None, Counter({UNKNOWN_DATASET: rows})
    encoded = [columns[name].combine_chunks().dictionary_encode() for name in names]
    codes = [e.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) for e in encoded]
    values = [e.dictionary.to_pylist() for e in encoded]
    combined = np.zeros(rows, np.int64)
    for code, value in zip(codes, values, strict=True):
        combined = combined * (len(value) + 1) + code + 1
    _, first, inverse, counts = np.unique(combined, return_index=True, return_inverse=True, return_counts=True)
    indices: list[str | None] = []
    by_dataset: Counter[str] = Counter()
    for row, count in zip(first, counts, strict=True):
        event = {
            name: value[code[row]]
            for name, code, value in zip(names, codes, values, strict=True)
            if code[row] >= 0
        }
        indices.append(index_of(event))
        by_dataset[dataset_name(event)] += int(count)
    if all(index is None for index in indices):
        return None, by_dataset
    index = pa.DictionaryArray.from_arrays(
        pa.array(inverse.reshape(-1), pa.int32()), pa.array(indices, pa.string())
    )
    return index, by_dataset


def moments(column: pa.ChunkedArray, read: Callable[[Any], str | None]) -> pa.ChunkedArray:
    """Return times as moments, null where `read` says that one cannot be read."""
    if pa.types.is_list(column.type):
        times = [time_of(value) for value in column.to_pylist()]
        if pa.types.is_integer(column.type.value_type):  # parts of dates, or numbers
            times = [None if value is None else read(value) for value in times]
        column = pa.chunked_array([pa.array(times)])
    if pa.types.is_timestamp(column.type):
        return column
    if pa.types.is_null(column.type):
        return pa.chunked_array([pa.nulls(len(column), _MOMENT)])
    if pa.types.is_string(column.type):
        try:
            return column.cast(_MOMENT)
        except pa.ArrowInvalid:  # one is spelled differently
            pass
    encoded = column.combine_chunks().dictionary_encode()
    nanoseconds: list[int | None] = []
    for value in encoded.dictionary.to_pylist():
        try:
            nanoseconds.append(to_nanoseconds(read(value) or ""))
        except ValueError:
            nanoseconds.append(None)
    return pa.chunked_array([pa.array(nanoseconds, pa.int64()).take(encoded.indices).cast(_MOMENT)])


_MOMENT = pa.timestamp("ns", "UTC")


def constant_index(source: str, rows: int) -> pa.Array:
    """Return the index of a source's events as the column of that many rows."""
    codes = pa.array(np.zeros(rows, np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array([index_of_source(source)], pa.string()))
