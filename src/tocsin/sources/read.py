"""One door for every input: recognise, read, and go on where something is damaged."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import zstandard

from tocsin.errors import InputError
from tocsin.sources.batch import EventBatch, Reject, Rejects, RowBatch, Wanted, gather
from tocsin.sources.ecs_json import read_json
from tocsin.sources.evtx import read_evtx
from tocsin.sources.inputs import Input, open_streams
from tocsin.sources.parquet import read_parquet

Reader = Callable[[BinaryIO, str, Wanted, Rejects], Iterator[EventBatch | RowBatch]]

_READERS: dict[str, Reader] = {"evtx": read_evtx, "json": read_json, "parquet": read_parquet}


GATHERED = 8192  # rows that small batches are joined to


def read_inputs(
    sources: Iterable[Input],
    wanted: Wanted,
    rejects: Rejects,
    started: Callable[[Input], None] = lambda _source: None,
) -> Iterator[EventBatch]:
    """Yield the events of every input, small ones together; `started` is told of each as it is opened."""

    def each() -> Iterator[EventBatch | RowBatch]:
        for source in sources:
            started(source)
            yield from read_input(source, wanted, rejects)

    return gather(each(), wanted.fields, GATHERED)


def read_input(source: Input, wanted: Wanted, rejects: Rejects) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of one input. What cannot be read is rejected; nothing is raised for bad content."""
    try:
        with open_streams(source) as streams:
            while True:
                try:
                    stream = next(streams)
                except StopIteration:
                    return
                yield from _READERS[stream.format](stream.file, stream.name, wanted, rejects)
    except InputError as error:
        reason = "unreadable file" if source.named else "no telemetry"
        rejects.add(Reject(source.name, "", reason, f"{error.message}. {error.hint}".rstrip(" .")))
    except (OSError, EOFError, zstandard.ZstdError, zlib.error, zipfile.BadZipFile) as error:
        rejects.add(Reject(source.name, "", "damaged file", f"reading stopped: {error}"))
