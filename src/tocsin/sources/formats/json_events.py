"""Events in JSON: NDJSON, arrays, `_search` responses and hits with `_source`, records in wrappers and envelopes.

Lines are read in blocks. A block whose lines agree with the types seen so far is parsed by Arrow straight into
the wanted columns; any other block, and anything that is not one object a line, takes the way record by record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from tocsin.engine.table import EventTable
from tocsin.sources.batch import EventBatch, RawEvent, Reject, Rejects, RowBatch, Wanted, whole_events
from tocsin.sources.document import Documents, holds_record, is_in_ecs, is_windows
from tocsin.sources.formats.json_layout import DocumentLayout, document_layout
from tocsin.sources.formats.json_text import Damage, JsonText, Value
from tocsin.sources.formats.rows import Rows, count_unseen, in_batches
from tocsin.sources.inputs import DAMAGE
from tocsin.sources.json_columns import Columns, sample_of
from tocsin.sources.line_headers import json_behind_header
from tocsin.sources.products.columns import ProductLayout, product_layout
from tocsin.sources.products.product import completed
from tocsin.sources.unseen import Reason
from tocsin.sources.wrappers import records_of

# Bytes of NDJSON a batch. Many rules cost the same over a small batch as over a large one, so they get large ones.
BLOCK, BLOCK_OF_MANY, MANY = 8 << 20, 32 << 20, 40  # more wanted fields than MANY mean many rules
_SAMPLE, _LARGE_SAMPLE = 64, 2048  # lines that are looked at to see how a block's records are laid out


def read_json(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of a JSON stream; what is no event is rejected with its line number."""
    reader = _Blocks(name, wanted, rejects, documents)
    first = True
    blocks = _blocks(file, BLOCK_OF_MANY if len(wanted.fields) > MANY else BLOCK)
    for block in blocks:
        if first:
            first = False
            block = block.removeprefix(b"\xef\xbb\xbf")
            if not _is_one_object_a_line(block):
                yield from _whole(b"".join((block, *blocks)), name, wanted, rejects, documents)
                return
        yield from reader.read(block)
    yield from reader.end()


def _blocks(file: BinaryIO, block: int) -> Iterator[bytes]:
    """Yield blocks of about `block` bytes that end at a line's end; the last line gets one if it has none.

    What a damaged stream still gives is yielded before its error.
    """
    read = getattr(file, "read1", file.read)
    parts: list[bytes] = []
    size = 0
    damage: Exception | None = None
    carriage: bool | None = None
    while damage is None:
        try:
            part = read(1 << 20)
        except DAMAGE as error:
            damage = error
            break
        if not part:
            break
        if carriage is None:
            carriage = b"\n" not in part and b"\r" in part[:-1]  # lines as old Macs end them
        if carriage:
            part = part.replace(b"\r", b"\n")
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
    first, *others = [line for line in lines if line.strip(b"\0")] or [b"{}"]
    if not first.startswith(b"{"):
        # What `evtx_dump` puts before each record, and daemons before each line.
        return first.startswith((b"\0", b"Record ")) or json_behind_header(first) is not None
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        # A damaged line has whole objects behind it, an object over several lines does not.
        return not others or others[0].startswith(b"{")
    return True


# ---- whole documents: arrays, responses, objects over several lines


def _whole(data: bytes, name: str, wanted: Wanted, rejects: Rejects, documents: Documents) -> Iterator[RowBatch]:
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        records = _records(JsonText().read(data, last=True), name, rejects)
    else:
        records = ((record, f"record {number}") for number, record in enumerate(records_of(content), 1))
    yield from in_batches(records, name, wanted, rejects, documents)


def _records(values: Iterable[Value | Damage], name: str, rejects: Rejects) -> Iterator[tuple[Any, str]]:
    """Yield the records among values with their places, and reject what is damaged."""
    for value in values:
        place = f"line {value.line}"
        if isinstance(value, Damage):
            rejects.add(_damaged(value.text, name, place, value.error))
            continue
        records = records_of(value.value)
        for number, record in enumerate(records, 1):
            if not is_bulk_action(record):
                yield record, place if len(records) == 1 else f"{place}, record {number}"


def _damaged(text: bytes, name: str, place: str, error: Exception) -> Reject:
    shown = text[:4000].decode("utf-8", errors="replace")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as damage:
        detail = f"byte {damage.start + 1} of the line is not UTF-8; convert the file to UTF-8"
        return Reject(name, place, "unknown encoding", detail, shown)
    return Reject(name, place, "malformed JSON", str(error), shown)


# ---- lines


class _Blocks:
    """Reads blocks of lines, remembering how the records of the last one are laid out."""

    def __init__(self, name: str, wanted: Wanted, rejects: Rejects, documents: Documents) -> None:
        self.name, self.wanted, self.rejects, self.documents = name, wanted, rejects, documents
        self.layout: DocumentLayout | ProductLayout | None = None
        self._text = JsonText()

    def read(self, block: bytes) -> Iterator[EventBatch | RowBatch]:
        """Yield the events of a block of whole lines."""
        lines = block.count(b"\n")
        if self.layout is None:
            self.layout = layout_of(sample_of(block, _SAMPLE), self.wanted.fields, self.documents)
        columns = self.layout.read(block, lines) if self.layout and not self._text.rest else None
        if columns is not None:
            left = set(columns.left)
            if columns.rows:
                yield self._columns(block, columns, left)
            if left:
                yield from self._left(block, left)
            self._text.pass_over(lines)
            return
        yield from self._one_by_one(block)
        # The next block may be like this one, in which something was rarer than a small sample shows.
        self.layout = layout_of(sample_of(block, _LARGE_SAMPLE), self.wanted.fields, self.documents)

    def end(self) -> Iterator[RowBatch]:
        """Yield what the last block left."""
        if self._text.rest:
            yield from self._one_by_one(b"", last=True)

    def _columns(self, block: bytes, columns: Columns, left: set[int]) -> EventBatch:
        lines: list[bytes] = []

        def raw(row: int) -> RawEvent:
            if not lines:
                whole = [line for line in block.split(b"\n") if line.strip()]
                lines.extend(line for number, line in enumerate(whole) if number not in left)
            return RawEvent(lines[row], self.name, self.documents.read)

        batch = EventBatch(EventTable(columns.fields, columns.rows, events=whole_events(raw)), raw, columns.counts)
        if self.wanted.judge is not None:
            in_ecs = isinstance(self.layout, DocumentLayout)
            count_unseen(self.wanted.judge, columns.fields, batch, self.name, self.rejects.unseen, in_ecs=in_ecs)
            self.rejects.unseen.add(Reason.NO_VALUES, self.name, columns.without_values)
        return batch

    def _one_by_one(self, block: bytes, *, last: bool = False) -> Iterator[RowBatch]:
        yield from self._rows(self._text.read(block, last=last))

    def _left(self, block: bytes, left: set[int]) -> Iterator[RowBatch]:
        """Yield the records of the lines in `left`, by their numbers among the lines that are not empty."""
        numbered = enumerate(block.split(b"\n"), self._text.line)
        lines = ((number, text) for number, line in numbered if (text := line.strip()))
        yield from self._rows(
            Value(orjson.loads(text), text, number) for count, (number, text) in enumerate(lines) if count in left
        )

    def _rows(self, values: Iterable[Value | Damage]) -> Iterator[RowBatch]:
        rows = Rows(self.name, self.wanted, self.rejects, self.documents)
        for value in values:
            for record, place in _records((value,), self.name, self.rejects):
                alone = isinstance(value, Value) and record is value.value
                rows.add(record, place, value.text if alone else None)
        if (batch := rows.batch()) is not None:
            yield batch


def is_bulk_action(record: Any) -> bool:
    """Return whether a record is the line before each event of a bulk request."""
    return isinstance(record, dict) and record.keys() in ({"index"}, {"create"})


def _is_no_row(record: dict[str, Any]) -> bool:
    """Return whether a record is not to be read as columns: a Windows event, a wrapper of others, or no event."""
    return is_windows(record) or is_bulk_action(record) or holds_record(record)


def layout_of(
    sample: Sequence[Any], fields: frozenset[str], documents: Documents
) -> DocumentLayout | ProductLayout | None:
    """Return how records like these are read as columns; None when they are to be read one by one."""
    records = [record for record in sample if isinstance(record, dict)]
    if not records or len(records) < len(sample) or any(map(_is_no_row, records)):
        return None
    try:
        if any(completed(record, documents.source) is not record for record in records):
            return None
        recognised = [documents.product_of(record) for record in records]
    except ValueError:
        return None
    shapes = {id(known and known[1]) for known in recognised}
    if len(shapes) > 1:
        return None
    if recognised[0] is None:
        if documents.source is not None and not all(map(is_in_ecs, records)):  # some are no records of it
            return None
        return document_layout(records, fields, documents)
    product, shape, kind = recognised[0]
    if any(join.taught_by == kind for join in product.joins):  # each teaches something
        return None
    return product_layout(records, product, shape, fields, documents.metadata)
