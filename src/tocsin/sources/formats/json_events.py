"""Events in JSON: NDJSON, arrays, `_search` responses and hits with `_source`.

Lines are read in blocks. A block whose lines agree with the types seen so far is parsed by Arrow straight into
the wanted columns; any other block, and anything that is not one object a line, takes the way record by record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from tocsin.engine.table import EventTable
from tocsin.sources.batch import EventBatch, RawEvent, Reject, Rejects, RowBatch, Wanted, whole_events
from tocsin.sources.document import Documents, is_windows
from tocsin.sources.formats.json_layout import DocumentLayout, document_layout
from tocsin.sources.formats.rows import Rows, in_batches
from tocsin.sources.inputs import DAMAGE
from tocsin.sources.json_columns import Columns, sample_of
from tocsin.sources.products.columns import ProductLayout, product_layout
from tocsin.sources.products.product import completed
from tocsin.sources.unseen import of_columns

# Bytes of NDJSON a batch. Many rules cost the same over a small batch as over a large one, so they get large ones.
BLOCK, BLOCK_OF_MANY, MANY = 8 << 20, 32 << 20, 40  # the last is how many wanted fields tell many rules
_SAMPLE, _LARGE_SAMPLE = 64, 2048  # lines that are looked at to see how a block's records are laid out


def read_json(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of a JSON stream; lines that are not events are rejected with their line number."""
    reader = _Lines(name, wanted, rejects, documents)
    first = True
    line = 1
    blocks = _blocks(file, BLOCK_OF_MANY if len(wanted.fields) > MANY else BLOCK)
    for block in blocks:
        if first:
            first = False
            block = block.removeprefix(b"\xef\xbb\xbf")
            if not _is_one_object_a_line(block):
                yield from _whole(b"".join((block, *blocks)), name, wanted, rejects, documents)
                return
        lines = block.count(b"\n")
        yield from reader.read(block, line, lines)
        line += lines


def _blocks(file: BinaryIO, block: int) -> Iterator[bytes]:
    """Yield blocks of about `block` bytes that end at a line's end; the last line gets one if it has none.

    What a damaged stream still gives is yielded before its error.
    """
    read = getattr(file, "read1", file.read)
    parts: list[bytes] = []
    size = 0
    damage: Exception | None = None
    while damage is None:
        try:
            part = read(1 << 20)
        except DAMAGE as error:
            damage = error
            break
        if not part:
            break
        size += len(part)
        end = part.rfind(b"\n") + 1 if size >= block else 0
        if not end:
            parts.append(part)
            continue
        yield b"".join((*parts, part[:end]))
        parts, size = [part[end:]], len(part) - end
    rest = b"".join(parts)
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"
    if damage is not None:
        raise damage


def _is_one_object_a_line(block: bytes) -> bool:
    lines = [line.strip() for line in block.split(b"\n", 16)[:16]]
    first, *others = [line for line in lines if line] or [b"{}"]
    if not first.startswith(b"{"):
        return False
    try:
        return not _is_response(orjson.loads(first))
    except orjson.JSONDecodeError:
        # A damaged line has whole objects behind it, an object over several lines does not.
        return not others or others[0].startswith(b"{")


# ---- whole documents: arrays, responses, pretty-printed objects


def _is_response(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("hits"), dict)


def _whole(data: bytes, name: str, wanted: Wanted, rejects: Rejects, documents: Documents) -> Iterator[RowBatch]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        records = list(_concatenated(data, name, rejects, str(error)))
    else:
        records = _records(found)
    numbered = ((record, f"record {number}") for number, record in enumerate(records, 1))
    yield from in_batches(numbered, name, wanted, rejects, documents)


def _records(found: Any) -> list[Any]:
    if _is_response(found):
        hits = found["hits"].get("hits")
        return hits if isinstance(hits, list) else []
    return found if isinstance(found, list) else [found]


def _concatenated(data: bytes, name: str, rejects: Rejects, reason: str) -> Iterator[Any]:
    """Yield objects that are written one behind the other over several lines."""
    text = data.decode("utf-8", errors="replace")
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        start = re.compile(r"[\s,\[]*").match(text, position)
        position = start.end() if start else position
        if position >= len(text) or not text[position:].strip(" \r\n\t],"):
            return
        begin = position
        try:
            _, position = decoder.raw_decode(text, position)
        except ValueError:
            shown = text[begin : begin + 2000]
            rejects.add(Reject(name, _line_at(text, begin), "malformed JSON", reason, shown))
            return
        try:  # again, as every other record is read: halves of characters and endless numbers are none
            found = orjson.loads(text[begin:position])
        except orjson.JSONDecodeError as error:
            damaged = text[begin:position].encode(errors="replace")
            rejects.add(_damaged_line(damaged, name, _line_at(text, begin), error))
            continue
        yield from _records(found)


def _line_at(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"


def _damaged_line(text: bytes, name: str, place: str, error: Exception) -> Reject:
    shown = text[:4000].decode("utf-8", errors="replace")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as damage:
        detail = f"byte {damage.start + 1} of the line is not UTF-8; convert the file to UTF-8"
        return Reject(name, place, "unknown encoding", detail, shown)
    return Reject(name, place, "malformed JSON", str(error), shown)


# ---- lines


class _Lines:
    """Reads blocks of lines, remembering how the records of the last one are laid out."""

    def __init__(self, name: str, wanted: Wanted, rejects: Rejects, documents: Documents) -> None:
        self.name, self.wanted, self.rejects, self.documents = name, wanted, rejects, documents
        self.layout: DocumentLayout | ProductLayout | None = None

    def read(self, block: bytes, first_line: int, lines: int) -> Iterator[EventBatch | RowBatch]:
        if self.layout is None:
            self.layout = layout_of(sample_of(block, _SAMPLE), self.wanted.fields, self.documents)
        found = self.layout.read(block, lines) if self.layout else None
        if found is not None:
            left = set(found.left)
            if found.rows:
                yield self._columns(block, found, left)
            if left:
                yield from self._one_by_one(block, first_line, left)
            return
        yield from self._one_by_one(block, first_line)
        # The next block may be like this one, in which something was rarer than a small sample shows.
        self.layout = layout_of(sample_of(block, _LARGE_SAMPLE), self.wanted.fields, self.documents)

    def _columns(self, block: bytes, found: Columns, left: set[int]) -> EventBatch:
        if self.wanted.judge is not None:
            in_ecs = isinstance(self.layout, DocumentLayout)
            for reason, count in of_columns(self.wanted.judge, found.fields, found.rows, in_ecs=in_ecs).items():
                self.rejects.unseen.add(reason, self.name, count)
        lines: list[bytes] = []

        def raw(row: int) -> RawEvent:
            if not lines:
                whole = [line for line in block.split(b"\n") if line.strip()]
                lines.extend(line for number, line in enumerate(whole) if number not in left)
            return RawEvent(lines[row], self.name, self.documents.read)

        return EventBatch(EventTable(found.fields, found.rows, events=whole_events(raw)), raw, found.counts)

    def _one_by_one(self, block: bytes, first_line: int, only: set[int] | None = None) -> Iterator[RowBatch]:
        """Yield the lines of a block, or those alone that have some numbers among the lines that are not empty."""
        rows = Rows(self.name, self.wanted, self.rejects, self.documents)
        record_number = -1
        for number, line in enumerate(block.split(b"\n"), first_line):
            text = line.strip()
            if not text:
                continue
            record_number += 1
            if only is not None and record_number not in only:
                continue
            place = f"line {number}"
            try:
                record = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                self.rejects.add(_damaged_line(text, self.name, place, error))
                continue
            if not is_bulk_action(record):
                rows.add(record, place, text)
        batch = rows.batch()
        if batch is not None:
            yield batch


def is_bulk_action(record: Any) -> bool:
    """Tell the line that stands before each event of a bulk request."""
    return isinstance(record, dict) and record.keys() in ({"index"}, {"create"})


def layout_of(
    sample: Sequence[Any], fields: frozenset[str], documents: Documents
) -> DocumentLayout | ProductLayout | None:
    """Return how records like these are read as columns; None when they are to be read one by one."""
    records = [record for record in sample if isinstance(record, dict)]
    if not records or len(records) < len(sample) or any(is_windows(r) or is_bulk_action(r) for r in records):
        return None
    try:
        if any(completed(record, documents.source) is not record for record in records):
            return None
        found = [documents.product_of(record) for record in records]
    except ValueError:
        return None
    shapes = {id(one and one[1]) for one in found}
    if len(shapes) > 1:
        return None
    if found[0] is None:
        return document_layout(records, fields, documents)
    product, shape, kind = found[0]
    if any(join.taught_by == kind for join in product.joins):  # each teaches something
        return None
    return product_layout(records, product, shape, fields, documents.metadata)
