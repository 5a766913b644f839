"""EVTX files, by way of the `evtx` parser: records that a loaded rule can match become a table."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO

import evtx
import orjson

from tocsin.errors import InputError
from tocsin.sources.batch import Event, Reject, Rejects, RowBatch, Wanted
from tocsin.sources.windows.mapping import Dataset
from tocsin.sources.windows.record import MalformedRecord, dataset_of, to_ecs

BATCH = 4096
_HEADER, _CHUNK = 4096, 65536  # bytes of a file's header and of each chunk

# The head of a record as the parser writes it; anything else takes the long way.
_HEAD = re.compile(
    r'\{"Event":\{(?:"#attributes":\{[^{}]*\},)?"System":\{"Provider":\{"#attributes":\{"Name":"([^"\\]*)"'
    r'[^{}]*\}\},"EventID":(?:\{"#attributes":\{[^{}]*\},"#text":)?(\d+)'
)
_CHANNEL = re.compile(r'"Channel":"([^"\\]*)"')


def read_evtx(file: BinaryIO, name: str, wanted: Wanted, rejects: Rejects) -> Iterator[RowBatch]:
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
    batch = _Batch(name, wanted, rejects, forwarded)
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
                batch = _Batch(name, wanted, rejects, forwarded)
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


class _Batch:
    """Records gathered for one table."""

    def __init__(self, name: str, wanted: Wanted, rejects: Rejects, forwarded: bool) -> None:
        self.name, self.wanted, self.rejects, self.forwarded = name, wanted, rejects, forwarded
        self.rows: list[Event] = []
        self.texts: list[str] = []
        self.counts: Counter[str] = Counter()
        self.last_id: object = "the start"
        self._relevant: dict[tuple[str, str], tuple[str, bool]] = {}

    def add(self, record: dict[str, Any]) -> None:
        text: str = record["data"]
        self.last_id = record["event_record_id"]
        head = _HEAD.match(text)
        dataset = "winlog.winlog"
        if head is not None:
            dataset, relevant = self._judge(head[1], head[2], text)
            if not relevant:
                self.counts[dataset] += 1
                return
        try:
            row = to_ecs(orjson.loads(text), self.wanted.fields, forwarded=self.forwarded)
        except (MalformedRecord, orjson.JSONDecodeError) as error:
            place = f"record {self.last_id}"
            self.rejects.add(Reject(self.name, place, "malformed Windows event", str(error), text))
            return
        self.counts[dataset] += 1
        self.rows.append(row)
        self.texts.append(text)

    def _judge(self, provider: str, event_id: str, text: str) -> tuple[str, bool]:
        """Return a record's dataset and whether any loaded rule reads events of its category."""
        key = (provider, event_id)
        known = self._relevant.get(key)
        if known is None:
            channel = _CHANNEL.search(text)
            dataset = dataset_of(provider, channel[1] if channel else "")
            known = dataset.name, self._reads(dataset, int(event_id))
            # Only a provider with a mapping of its own tells the dataset without the channel.
            if dataset_of(provider, "") is dataset and dataset.kinds:
                self._relevant[key] = known
        return known

    def _reads(self, dataset: Dataset, event_id: int) -> bool:
        if self.wanted.categories is None:
            return True
        category = dataset.kinds.get(event_id, dataset.default).category
        return not self.wanted.categories.isdisjoint(category)

    def finish(self) -> RowBatch:
        texts, forwarded = self.texts, self.forwarded
        return RowBatch(
            self.rows,
            lambda row: to_ecs(orjson.loads(texts[row]), forwarded=forwarded),
            self.name,
            self.counts,
        )
