"""EVTX files, by way of the `evtx` parser: records that a loaded rule can match become a table."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import PurePath
from typing import BinaryIO

import orjson

from tocsin.errors import InputError
from tocsin.sources.batch import Event, RawEvent, Reject, Rejects, RowBatch, Wanted
from tocsin.sources.document import WINDOWS, Documents
from tocsin.sources.formats.evtx_chunks import CHUNK, EMPTY, HEADER, is_sound, promise_of
from tocsin.sources.formats.evtx_recovery import DamagedFile, FileHeader, ParsedRecord, parser_of, read_at
from tocsin.sources.mapping import DATASETS, Dataset
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord, dataset_of

BATCH = 4096

# The head of a record as the parser writes it; anything else takes the long way.
_HEAD = re.compile(
    r'\{"Event":\{(?:"#attributes":\{[^{}]*\},)?"System":\{"Provider":\{"#attributes":\{"Name":"([^"\\]*)"'
    r'[^{}]*\}\},"EventID":(?:\{"#attributes":\{[^{}]*\},"#text":)?(\d+)'
)
_EVENT_ID = '"EventID":'
_CHANNEL = re.compile(r'"Channel":"([^"\\]*)"')


def read_evtx(
    file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[RowBatch]:
    """Yield the events of an EVTX file, those of damaged chunks too as far as their records are whole.

    Raises InputError when the file holds no chunk, or is taken for what it is not.
    """
    if documents.source is not None and documents.source not in WINDOWS:
        raise InputError(f"{name} is a log of Windows, and holds no records of {documents.source}")
    forwarded = PurePath(name).name.lower().startswith("forwardedevents")
    dataset = DATASETS.get(documents.source or "")
    decode = partial(_read, forwarded=forwarded, dataset=dataset)
    batch = _Batch(name, wanted, rejects, decode, dataset)
    for records in _by_chunk(file, name, rejects):
        batch.add(records)
        if len(batch.rows) >= BATCH:
            yield batch.finish()
            batch = _Batch(name, wanted, rejects, decode, dataset)
    if batch.counts:
        yield batch.finish()


def _by_chunk(file: BinaryIO, name: str, rejects: Rejects) -> Iterator[Iterable[ParsedRecord]]:
    """Yield the records of each chunk: one parser reads them up to the first damage, then each has its own."""
    header = FileHeader.read(file)
    damaged = DamagedFile(file, name, rejects, header)
    if header is None:
        yield from damaged.chunks(0)
        return
    # A path is read faster than a file object; archive members and pipes have none.
    path = getattr(file, "name", None)
    file.seek(0)
    records = parser_of(path if isinstance(path, str) else file)
    position = HEADER
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        while chunk := read_at(file, position, CHUNK):
            promise = promise_of(chunk)
            if promise is not None and is_sound(chunk, promise):
                taken, failed = _take(records, promise.count)
                yield taken
                if failed or warned or len(taken) < promise.count:
                    yield from damaged.chunks(position, skip=len(taken))
                    return
            elif chunk != EMPTY or damaged.is_promised(position):
                yield from damaged.chunks(position)
                return
            position += CHUNK
    damaged.finish(position)


def _take(records: Iterator[ParsedRecord], most: int) -> tuple[list[ParsedRecord], bool]:
    """Return up to `most` of the parser's records, and whether it failed."""
    try:
        return list(islice(records, most)), False
    except RuntimeError:
        return [], True


@dataclass(frozen=True)
class _Head:
    """What the beginning of a record says, and whether any loaded rule reads events of its category."""

    provider: str
    dataset: Dataset
    event_id: int
    relevant: bool


class _Batch:
    """Records gathered for one table."""

    def __init__(
        self, name: str, wanted: Wanted, rejects: Rejects, decode: partial[Event], dataset: Dataset | None
    ) -> None:
        self.name, self.wanted, self.rejects = name, wanted, rejects
        self.decode, self.dataset = decode, dataset  # without a dataset each record determines its own
        self.forwarded: bool = decode.keywords["forwarded"]
        self.rows: list[WindowsRecord] = []
        self.counts: Counter[str] = Counter()
        self._heads: dict[str, _Head] = {}

    def add(self, records: Iterable[ParsedRecord]) -> None:
        """Add records as the parser gives them."""
        heads, rows, forwarded = self._heads, self.rows, self.forwarded
        seen: dict[str, int] = {}  # by dataset
        for record in records:
            text: str = record["data"]
            # Records of one kind begin alike up to the event id, so that their head is judged once.
            head = heads.get(text[: text.find(",", text.find(_EVENT_ID))]) or self._judge(text)
            if head is None:
                self._add_odd(text, record["event_record_id"])
                continue
            name = head.dataset.name
            seen[name] = seen.get(name, 0) + 1
            if head.relevant:
                rows.append(
                    WindowsRecord.unparsed(text, head.provider, head.dataset, head.event_id, forwarded=forwarded)
                )
        self.counts.update(seen)

    def _add_odd(self, text: str, number: int) -> None:
        try:
            row = WindowsRecord(orjson.loads(text), forwarded=self.forwarded, dataset=self.dataset)
        except (MalformedRecord, orjson.JSONDecodeError) as error:
            self.rejects.add(Reject(self.name, f"record {number}", "malformed Windows event", str(error), text))
            return
        self.counts[row.dataset.name] += 1
        self.rows.append(row)

    def _judge(self, text: str) -> _Head | None:
        """Return what a record's head says, or None when it is written in some other way."""
        match = _HEAD.match(text)
        if match is None:
            return None
        provider, event_id = match[1], int(match[2])
        channel = _CHANNEL.search(text)
        dataset = self.dataset or dataset_of(provider, channel[1] if channel else "")
        head = _Head(provider, dataset, event_id, self._reads(dataset, event_id))
        # Only a provider with its own mapping determines the dataset without the channel, and an event id
        # with qualifiers stands further on.
        if (
            (self.dataset or dataset_of(provider, "")) is dataset
            and dataset.kinds
            and text.startswith(f"{_EVENT_ID}{event_id},", text.find(_EVENT_ID))
        ):
            self._heads[text[: text.find(",", text.find(_EVENT_ID))]] = head
        return head

    def _reads(self, dataset: Dataset, event_id: int) -> bool:
        return self.wanted.any_of(dataset.kind(event_id).category)

    def finish(self) -> RowBatch:
        rows, name, decode = self.rows, self.name, self.decode
        return RowBatch(rows, lambda row: RawEvent(rows[row].source(), name, decode), self.counts)


def _read(content: bytes, *, forwarded: bool, dataset: Dataset | None) -> Event:
    return WindowsRecord(orjson.loads(content), forwarded=forwarded, dataset=dataset).fields()
