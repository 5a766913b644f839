"""One document: an ECS event, a hit or a Windows event in JSON -> a flat event, and the index that it lies in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from tocsin.ecs import INDEX
from tocsin.engine.table import Row
from tocsin.sources.batch import Event, flatten
from tocsin.sources.windows.flat import is_flat, unflattened
from tocsin.sources.windows.record import WindowsRecord

DATASET_FIELDS = (
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "event.dataset",
    "agent.type",
)
UNKNOWN_DATASET = "ecs"
_BACKING_INDEX = re.compile(r"^(?:[^:]*:)?(?:partial-|restored-)?(?:\.ds-)?(.*?)(?:-\d{4}\.\d{2}\.\d{2}-\d{6})?$")


def row_of(record: Any) -> WindowsRecord | Event:
    """Return a record as a row: a Windows event, read field by field, or an ECS document or hit, flat.

    Raises ValueError for anything else.
    """
    if not isinstance(record, dict):
        raise ValueError(f"an event is a JSON object, and this is a {type(record).__name__}")
    if is_windows(record):
        return WindowsRecord(record if "Event" in record else unflattened(record))
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
    index = index_of(event)
    if index is None:
        event.pop(INDEX, None)
    else:
        event[INDEX] = index
    return event


def is_windows(record: Mapping[str, Any]) -> bool:
    """Tell a Windows event in JSON, nested as its XML or flat, from an ECS document."""
    nested = record.get("Event")
    return (isinstance(nested, dict) and "System" in nested) or is_flat(record)


def normalise(record: Any) -> Event:
    """Return a record as a flat ECS event. Raises ValueError for what is none."""
    row = row_of(record)
    return row.fields() if isinstance(row, WindowsRecord) else row


def read_document(content: bytes) -> Event:
    """Return the event that JSON text holds. Raises ValueError."""
    return normalise(orjson.loads(content))


def index_of(event: Mapping[str, Any]) -> str | None:
    """Return the index that an event lies in, as far as it tells: `_index`, its data stream, or its shipper."""
    index = event.get(INDEX)
    if isinstance(index, str):
        match = _BACKING_INDEX.match(index)
        return match[1] if match else index
    dataset = event.get("data_stream.dataset") or event.get("event.dataset")
    if event.get("agent.type") == "winlogbeat" or event.get("@metadata.beat") == "winlogbeat":
        return "winlogbeat-default"
    if not isinstance(dataset, str):
        return None
    kind = event.get("data_stream.type", "logs")
    return f"{kind}-{dataset}-{event.get('data_stream.namespace', 'default')}"


def dataset_name(event: Row) -> str:
    """Return the name under which an event is counted."""
    name = event.get("data_stream.dataset") or event.get("event.dataset") or event.get("agent.type")
    return name if isinstance(name, str) else UNKNOWN_DATASET


def index_and_counts(columns: Mapping[str, pa.ChunkedArray], rows: int) -> tuple[pa.Array | None, Counter[str]]:
    """Return each row's index, worked out once for each distinct combination, and the rows by dataset."""
    names = [name for name in (INDEX, *DATASET_FIELDS) if name in columns]
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
