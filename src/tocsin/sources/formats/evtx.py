"""EVTX files, by way of the `evtx` parser: records that a loaded rule can match become a table."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any, BinaryIO

import evtx
import orjson

from tocsin.errors import InputError
from tocsin.sources.batch import Event, RawEvent, Reject, Rejects, RowBatch, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.mapping import DATASETS, Dataset
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord, dataset_of

BATCH = 4096
_HEADER, _CHUNK = 4096, 65536  # bytes of a file's header and of each chunk

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
    """Yield the events of an EVTX file. A damaged record or chunk is rejected, and reading goes on.

    Raises InputError when the file's header cannot be read.
    """
    try:
        # A path is read faster than a file object; archive members and pipes have none.
        path = getattr(file, "name", None)
        parser = evtx.PyEvtxParser(path if isinstance(path, str) else file, number_of_threads=1, skip_errors=True)
        records = parser.records_json()
    except (RuntimeError, OSError) as error:
        raise InputError(f"{name} is not readable as EVTX: {_reason(error)}") from None
    _check_length(file, name, rejects)
    forwarded = PurePath(name).name.lower().startswith("forwardedevents")
    dataset = DATASETS.get(documents.source or "")
    decode = partial(_read, forwarded=forwarded, dataset=dataset)
    batch = _Batch(name, wanted, rejects, decode, dataset)
    with warnings.catch_warnings(record=True) as damaged:
        warnings.simplefilter("always")
        while True:
            try:
                record = next(records)
            except StopIteration:
                break
            except RuntimeError as error:
                rejects.add(Reject(name, f"after record {batch.last_id}", "damaged EVTX chunk", _reason(error)))
                break
            if record is not None:
                batch.add(record)
            if damaged:
                _reject_damaged(damaged, name, batch.last_id, rejects)
            if len(batch.rows) >= BATCH:
                yield batch.finish()
                batch = _Batch(name, wanted, rejects, decode, dataset)
        _reject_damaged(damaged, name, batch.last_id, rejects)
    if batch.counts:
        yield batch.finish()


def _check_length(file: BinaryIO, name: str, rejects: Rejects) -> None:
    """Reject what a file's header promises and the file does not hold: the parser passes over it in silence."""
    file.seek(42)
    promised = int.from_bytes(file.read(2), "little")
    held = max(0, file.seek(0, 2) - _HEADER) / _CHUNK
    if held < promised:
        detail = f"the file ends within chunk {int(held) + 1} of {promised}"
        rejects.add(Reject(name, f"byte {_HEADER + int(held * _CHUNK)}", "truncated EVTX", detail))


def _reject_damaged(damaged: list[Any], name: str, last_id: object, rejects: Rejects) -> None:
    for warning in damaged:
        rejects.add(Reject(name, f"near record {last_id}", "damaged EVTX record", _reason(warning.message)))
    damaged.clear()


def _reason(error: object) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


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
        self.decode, self.dataset = decode, dataset  # the latter is None where each record tells its own
        self.forwarded: bool = decode.keywords["forwarded"]
        self.rows: list[WindowsRecord] = []
        self.counts: Counter[str] = Counter()
        self.last_id: object = "the start"
        self._heads: dict[str, _Head] = {}

    def add(self, record: dict[str, Any]) -> None:
        text: str = record["data"]
        self.last_id = record["event_record_id"]
        # Records of one kind begin alike up to the event id, so that their head is judged once.
        head = self._heads.get(text[: text.find(",", text.find(_EVENT_ID))]) or self._judge(text)
        if head is None:
            self._add_odd(text)
            return
        self.counts[head.dataset.name] += 1
        if head.relevant:
            self.rows.append(
                WindowsRecord.unparsed(text, head.provider, head.dataset, head.event_id, forwarded=self.forwarded)
            )

    def _add_odd(self, text: str) -> None:
        try:
            row = WindowsRecord(orjson.loads(text), forwarded=self.forwarded, dataset=self.dataset)
        except (MalformedRecord, orjson.JSONDecodeError) as error:
            place = f"record {self.last_id}"
            self.rejects.add(Reject(self.name, place, "malformed Windows event", str(error), text))
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
        # Only a provider with a mapping of its own tells the dataset without the channel, and an event id
        # that comes with qualifiers stands further behind.
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
