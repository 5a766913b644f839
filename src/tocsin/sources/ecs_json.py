"""JSON events that are already in ECS: NDJSON, arrays, `_search` responses and hits with `_source`.

Lines are read in blocks. A block whose lines agree with the types seen so far is parsed by Arrow straight into
the wanted columns; any other block, and anything that is not one object a line, takes the way record by record.
"""

from __future__ import annotations

import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import zstandard

from tocsin.ecs import INDEX, FieldType, default_schema
from tocsin.engine.table import EventTable
from tocsin.sources.batch import Event, EventBatch, Reject, Rejects, RowBatch, Wanted, flatten
from tocsin.sources.windows.record import MalformedRecord, to_ecs

BLOCK = 8 << 20  # bytes of NDJSON a batch
_ARROW_BLOCK = 1 << 20  # bytes that one thread of Arrow's reader parses at a time
_SAMPLE = 64  # lines that are looked at for types
_ARRAY_BATCH = 4096  # records of a JSON array or response a batch

DATASET_FIELDS = (
    "data_stream.type",
    "data_stream.dataset",
    "data_stream.namespace",
    "event.dataset",
    "agent.type",
)
UNKNOWN_DATASET = "ecs"
_BACKING_INDEX = re.compile(r"^(?:[^:]*:)?(?:partial-|restored-)?(?:\.ds-)?(.*?)(?:-\d{4}\.\d{2}\.\d{2}-\d{6})?$")


def read_json(file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of a JSON stream; lines that are not events are rejected with their line number."""
    reader = _Lines(name, wanted, rejects)
    first = True
    line = 1
    blocks = _blocks(file)
    for block in blocks:
        if first:
            first = False
            block = block.removeprefix(b"\xef\xbb\xbf")
            if not _is_one_object_a_line(block):
                yield from _whole(b"".join((block, *blocks)), name, wanted, rejects)
                return
        batch = reader.read(block, line)
        line += block.count(b"\n")
        if batch is not None:
            yield batch


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield blocks that end at a line's end; the last line gets one if it has none."""
    rest = b""
    for chunk in _chunks(file):
        data = rest + chunk
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if end:
            yield data[:end]
    if rest:
        yield rest + b"\n"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield about BLOCK bytes at a time. What a damaged stream still gives is yielded before its error."""
    read = getattr(file, "read1", file.read)
    while True:
        parts: list[bytes] = []
        missing = BLOCK
        damage: Exception | None = None
        while missing > 0:
            try:
                part = read(min(missing, 1 << 20))
            except (OSError, EOFError, zstandard.ZstdError, zlib.error) as error:
                damage = error
                break
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        if parts:
            yield b"".join(parts)
        if damage is not None:
            raise damage
        if missing == BLOCK:
            return


def _is_one_object_a_line(block: bytes) -> bool:
    for line in block.splitlines()[:1] if b"\n" not in block[:1] else block.split(b"\n", 8):
        text = line.strip()
        if not text:
            continue
        if not text.startswith(b"{"):
            return False
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            # A pretty-printed object starts with a brace alone; a damaged line has more on it.
            return len(text) > 1
        return not _is_response(found)
    return True


# ---- whole documents: arrays, responses, pretty-printed objects


def _is_response(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("hits"), dict)


def _whole(data: bytes, name: str, wanted: Wanted, rejects: Rejects) -> Iterator[RowBatch]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        records = list(_concatenated(data, name, rejects, str(error)))
    else:
        records = _records(found)
    for start in range(0, len(records), _ARRAY_BATCH):
        part = records[start : start + _ARRAY_BATCH]
        rows, events, counts = [], [], Counter[str]()
        for offset, record in enumerate(part):
            event = _event(record, name, f"record {start + offset + 1}", rejects)
            if event is not None:
                rows.append(event)
                events.append(record)
                counts[dataset_name(event)] += 1
        if rows:
            yield RowBatch(rows, _document(events), name, counts)


def _document(records: list[Any]) -> Any:
    return lambda row: normalise(records[row])


def _records(found: Any) -> list[Any]:
    if _is_response(found):
        hits = found["hits"].get("hits")
        return hits if isinstance(hits, list) else []
    return found if isinstance(found, list) else [found]


def _concatenated(data: bytes, name: str, rejects: Rejects, reason: str) -> Iterator[Any]:
    """Yield objects that are written one behind the other over several lines."""
    import json

    text = data.decode("utf-8", errors="replace")
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        start = re.compile(r"[\s,\[]*").match(text, position)
        position = start.end() if start else position
        if position >= len(text) or not text[position:].strip(" \r\n\t],"):
            return
        try:
            found, position = decoder.raw_decode(text, position)
        except ValueError:
            line = text.count("\n", 0, position) + 1
            rejects.add(Reject(name, f"line {line}", "malformed JSON", reason, text[position : position + 2000]))
            return
        yield from _records(found)


# ---- one record


def normalise(record: Any) -> Event:
    """Return a flat ECS event for a record: an ECS document, a hit, or a Windows event in JSON.

    Raises ValueError for anything else.
    """
    if not isinstance(record, dict):
        raise ValueError(f"an event is a JSON object, and this is a {type(record).__name__}")
    if isinstance(record.get("Event"), dict) and "System" in record["Event"]:
        return to_ecs(record)
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


def dataset_name(event: Mapping[str, Any]) -> str:
    """Return the name under which an event is counted."""
    name = event.get("data_stream.dataset") or event.get("event.dataset") or event.get("agent.type")
    return name if isinstance(name, str) else UNKNOWN_DATASET


def _event(record: Any, name: str, place: str, rejects: Rejects) -> Event | None:
    try:
        return normalise(record)
    except MalformedRecord as error:
        rejects.add(Reject(name, place, "malformed Windows event", str(error), _shown(record)))
    except ValueError as error:
        rejects.add(Reject(name, place, "not an event", str(error), _shown(record)))
    return None


def _shown(record: Any) -> str:
    return orjson.dumps(record, default=str).decode("utf-8", errors="replace")


def _is_bulk_action(record: Any) -> bool:
    """Tell the line that stands before each event of a bulk request."""
    return isinstance(record, dict) and record.keys() in ({"index"}, {"create"})


# ---- lines


class _Lines:
    """Reads blocks of lines, remembering the types of the wanted fields."""

    def __init__(self, name: str, wanted: Wanted, rejects: Rejects) -> None:
        self.name, self.wanted, self.rejects = name, wanted, rejects
        self.fields = tuple(sorted({*wanted.fields, *DATASET_FIELDS} - {INDEX}))
        self.layout: _Layout | None = None

    def read(self, block: bytes, first_line: int) -> EventBatch | RowBatch | None:
        if self.layout is None:
            self.layout = _layout_of(block, self.fields)
        table = self.layout.parse(block) if self.layout else None
        if table is not None and self.layout is not None:
            return self._columns(block, table, self.layout)
        batch = self._one_by_one(block, first_line)
        self.layout = _layout_of(block, self.fields)  # the next block may be like this one
        return batch

    def _columns(self, block: bytes, table: pa.Table, layout: _Layout) -> EventBatch:
        columns = layout.columns(table)
        index, counts = index_and_counts(columns, table.num_rows)
        if index is not None:
            columns[INDEX] = index
        lines: list[bytes] = []

        def document(row: int) -> Event:
            if not lines:
                lines.extend(line for line in block.split(b"\n") if line.strip())
            return normalise(orjson.loads(lines[row]))

        kept = {name: column for name, column in columns.items() if name in self.wanted.fields}
        name = self.name
        return EventBatch(EventTable(kept, table.num_rows), document, lambda _row: name, counts)

    def _one_by_one(self, block: bytes, first_line: int) -> RowBatch | None:
        rows: list[Event] = []
        kept: list[bytes] = []
        counts: Counter[str] = Counter()
        for number, line in enumerate(block.split(b"\n"), first_line):
            text = line.strip()
            if not text:
                continue
            place = f"line {number}"
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                shown = text[:4000].decode("utf-8", errors="replace")
                self.rejects.add(Reject(self.name, place, "malformed JSON", str(error), shown))
                continue
            if _is_bulk_action(record):
                continue
            event = _event(record, self.name, place, self.rejects)
            if event is not None:
                rows.append(event)
                kept.append(text)
                counts[dataset_name(event)] += 1
        if not rows:
            return None
        return RowBatch(rows, lambda row: normalise(orjson.loads(kept[row])), self.name, counts)


class _Layout:
    """Where the wanted fields lie in a line and of which Arrow types they are."""

    def __init__(self, schema: pa.Schema, paths: dict[str, tuple[str, ...]], root: tuple[str, ...]) -> None:
        self.schema, self.paths, self.root = schema, paths, root

    def parse(self, block: bytes) -> pa.Table | None:
        """Return the wanted fields of every line, or None when the block does not fit."""
        try:
            table = pyarrow.json.read_json(
                io.BytesIO(block),
                read_options=pyarrow.json.ReadOptions(use_threads=True, block_size=_ARROW_BLOCK),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=self.schema, unexpected_field_behavior="ignore"
                ),
            )
        except pa.ArrowInvalid:
            return None
        lines = block.count(b"\n")
        return table if table.num_rows == lines and (lines or not block.strip()) else None

    def columns(self, table: pa.Table) -> dict[str, pa.ChunkedArray]:
        """Return the columns by their dotted names; those that are null throughout are left out."""
        found: dict[str, pa.ChunkedArray] = {}
        for name, path in self.paths.items():
            column = table.column(path[0])
            for part in path[1:]:
                column = pc.struct_field(column, part)
            if column.null_count < len(column):
                found[name] = column
        return found


_ARROW_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_DEFAULT_TYPES = {
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
}


def _layout_of(block: bytes, fields: Iterable[str]) -> _Layout | None:
    """Read some lines of a block for the place and type of each field; None when Arrow cannot read it."""
    sample: list[dict[str, Any]] = []
    for line in block[: 1 << 20].split(b"\n", _SAMPLE)[:_SAMPLE]:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(record, dict) or "Event" in record or _is_bulk_action(record):
            return None
        sample.append(record)
    if not sample:
        return None
    root: tuple[str, ...] = ("_source",) if all(isinstance(r.get("_source"), dict) for r in sample) else ()
    bodies = [r["_source"] if root else r for r in sample]
    tree: dict[str, Any] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for field in fields:
        place = _place_of(field, bodies)
        if place is None:
            return None
        path, values = place
        kind = _type_of(field, values)
        if kind is None or not _plant(tree, (*root, *path), kind):
            return None
        paths[field] = (*root, *path)
    if root and not _plant(tree, ("_index",), pa.string()):
        return None
    if root:
        paths[INDEX] = ("_index",)
    return _Layout(pa.schema(list(_arrow_fields(tree))), paths, root)


def _place_of(field: str, bodies: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[Any]] | None:
    """Find a field as `a.b`, or as b inside a; both ways in one sample is beyond one column."""
    nested_path = tuple(field.split(".")) if not field.startswith("@") else (field,)
    dotted = [body[field] for body in bodies if field in body] if "." in field else []
    nested = [value for body in bodies if (value := _dig(body, nested_path)) is not None]
    mixed = any(isinstance(body, dict) and _has_mixed_path(body, nested_path) for body in bodies)
    if mixed or (dotted and nested):
        return None
    if dotted:
        return (field,), dotted
    return nested_path, nested


def _dig(body: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(body, dict):
            return None
        body = body.get(part)
    return body


def _has_mixed_path(body: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Tell whether a prefix of the path is itself written with dots, as in {"process.parent": {"name": …}}."""
    return any(isinstance(body.get(".".join(path[:length])), dict) for length in range(2, len(path))) or any(
        isinstance(inner := _dig(body, path[:depth]), dict) and ".".join(path[depth:]) in inner
        for depth in range(1, len(path) - 1)
    )


def _type_of(field: str, values: list[Any]) -> pa.DataType | None:
    """Return the Arrow type that all sampled values share; the schema's when there are none."""
    known = default_schema().find(field)
    lists = [isinstance(value, list) for value in values]
    if any(lists) and not all(lists):
        return None
    items = [item for value in values for item in value] if any(lists) else values
    kinds = {type(item) for item in items if item is not None}
    if kinds == {int, float}:
        kinds = {float}
    if len(kinds) > 1 or (kinds and next(iter(kinds)) not in _ARROW_TYPES):
        return None
    if kinds:
        kind = _ARROW_TYPES[next(iter(kinds))]
    else:
        kind = _DEFAULT_TYPES.get(known.type, pa.string()) if known else pa.string()
    if known and known.type is FieldType.DOUBLE and kind == pa.int64():
        kind = pa.float64()
    many = any(lists) if values else bool(known and known.many)
    return pa.list_(kind) if many else kind


def _plant(tree: dict[str, Any], path: tuple[str, ...], kind: pa.DataType) -> bool:
    """Put a leaf into a tree of fields; False when the place is taken by something else."""
    at: Any = tree
    for part in path[:-1]:
        at = at.setdefault(part, {})
        if not isinstance(at, dict):
            return False
    if isinstance(at.get(path[-1]), dict):
        return False
    at[path[-1]] = kind
    return True


def _arrow_fields(tree: Mapping[str, Any]) -> Iterator[pa.Field]:
    for name, below in tree.items():
        kind = pa.struct(list(_arrow_fields(below))) if isinstance(below, dict) else below
        yield pa.field(name, kind)


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
