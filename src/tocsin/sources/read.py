"""One door for every input: recognise, read, and go on where something is damaged."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, cast

from tocsin.errors import InputError, NoTelemetryError
from tocsin.sources.batch import EventBatch, Reject, Rejects, RowBatch, Wanted, gather
from tocsin.sources.containers.archives import Unread
from tocsin.sources.containers.blocks import DamagedError
from tocsin.sources.containers.compression import COMPRESSIONS
from tocsin.sources.date_order import DateOrder, Text, shows_dates
from tocsin.sources.document import Documents
from tocsin.sources.formats.csv_events import read_csv
from tocsin.sources.formats.event_xml import read_xml
from tocsin.sources.formats.evtx import read_evtx
from tocsin.sources.formats.json_events import read_json
from tocsin.sources.formats.parquet import read_parquet
from tocsin.sources.inputs import DAMAGE, Input, Stream, open_streams, recognise
from tocsin.sources.products.product import Metadata

Reader = Callable[[BinaryIO, str, Wanted, Rejects, Documents], Iterator[EventBatch | RowBatch]]

_READERS: dict[str, Reader] = {
    "csv": read_csv,
    "evtx": read_evtx,
    "json": read_json,
    "parquet": read_parquet,
    "xml": read_xml,
}
GATHERED = 8192  # rows that small batches are joined to
_BLOCK = 1 << 20
_HEAD = 512  # bytes that show a format


def read_inputs(
    sources: Iterable[Input],
    wanted: Wanted,
    rejects: Rejects,
    started: Callable[[Input], None] | None = None,
) -> Iterator[EventBatch]:
    """Yield the events of every input, small ones together; `started` is called with each as it is opened.

    Inputs that say something about the hosts and users of others come first.
    """
    metadata = Metadata()

    def each() -> Iterator[EventBatch | RowBatch]:
        for source in _teaching_first(list(sources)):
            if source.hidden:
                rejects.pass_over(source.name, "hidden")
                continue
            if started:
                started(source)
            yield from read_input(source, wanted, rejects, Documents(source.source, metadata))

    return gather(each(), wanted.fields, GATHERED)


def _teaching_first(inputs: list[Input]) -> list[Input]:
    return sorted(inputs, key=lambda source: not _teaches(source)) if len(inputs) > 1 else inputs


def _teaches(source: Input) -> bool:
    """Look at the first record of an input in JSON, compressed or not."""
    if source.path is None:
        return False
    try:
        with source.path.open("rb") as file:
            if recognise(file.read(_HEAD)) not in ("json", *COMPRESSIONS):
                return False
        with open_streams(source) as streams:
            stream = next(streams, None)
            if stream is None or isinstance(stream, Unread) or stream.format != "json":
                return False
            first = cast("io.BufferedReader", stream.file).peek().split(b"\n", 1)[0]
            return Documents(source.source).teaches(first)
    except Exception:  # reading it will report this
        return False


@contextmanager
def _read_again(source: Input, stream: Stream) -> Iterator[tuple[BinaryIO, Text | None]]:
    """Give a stream's file, and a function that reads it from its beginning; a pipe's data is kept for that.

    A pipe is only kept where its first bytes hold a date by number, and cannot be read again otherwise.
    """
    if source.path is not None:
        yield stream.file, _again(source, stream.name)
    elif stream.format not in ("csv", "json") or not shows_dates(_peek(stream.file)):
        yield stream.file, None
    else:
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(stream.file, spool, _BLOCK)
            spool.seek(0)
            file = cast("io.BufferedReader", spool)
            yield file, lambda: _from_beginning(file)


def _peek(file: BinaryIO) -> bytes:
    return cast("io.BufferedReader", file).peek()


def _from_beginning(file: BinaryIO) -> Iterator[bytes]:
    place = file.tell()
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block
    file.seek(place)


def _again(source: Input, name: str) -> Text:
    def blocks() -> Iterator[bytes]:
        try:
            with open_streams(source) as streams:
                for stream in streams:
                    if not isinstance(stream, Unread) and stream.name == name:
                        while block := stream.file.read(_BLOCK):
                            yield block
        except Exception:  # reading it reports this
            return

    return blocks


def read_input(
    source: Input, wanted: Wanted, rejects: Rejects, documents: Documents
) -> Iterator[EventBatch | RowBatch]:
    """Yield the events of one input. What cannot be read is rejected; nothing is raised, whatever a file holds.

    A file in a folder or an archive that is no telemetry is passed over, an archive of such files as one; what the
    user named should have been read.
    """
    strangers: list[Unread] = []  # of an archive
    read = False
    try:
        with open_streams(source) as streams:
            for stream in streams:
                if isinstance(stream, Unread):
                    if isinstance(stream.error, NoTelemetryError):
                        strangers.append(stream)
                    else:
                        rejects.add(_unread(stream.name, stream.error))
                        read = True
                    continue
                try:
                    with _read_again(source, stream) as (file, text):
                        dates = DateOrder(text, source.day_first)
                        if text is not None and source.path is None:
                            dates.decide()  # while what was kept of the pipe is there
                        rejects.unseen.orders[stream.name] = dates
                        reading = replace(documents, dates=dates)
                        yield from _READERS[stream.format](file, stream.name, wanted, rejects, reading)
                    read = True
                except NoTelemetryError as error:
                    if source.path is not None and stream.name == source.name:
                        raise
                    strangers.append(Unread(stream.name, error))
                except Exception as error:  # of one file, which does not end the others
                    rejects.add(_unread(stream.name, error))
                    read = True
                for why in stream.stopped:
                    rejects.add(Reject(stream.name, "", "damaged file", why))
                    read = True
                stream.stopped.clear()
    except Exception as error:
        if isinstance(error, NoTelemetryError) and not source.named:
            rejects.pass_over(source.name, _why(source.name, error))
        else:
            rejects.add(_unread(source.name, error))
    none = f"none of the {len(strangers):,} files in it is telemetry"
    if read or not strangers:
        for stranger in strangers:
            rejects.pass_over(stranger.name, _why(stranger.name, stranger.error))
    elif source.named:
        rejects.add(Reject(source.name, "", "unreadable file", none))
    else:
        rejects.pass_over(source.name, none)


def _unread(name: str, error: Exception) -> Reject:
    if isinstance(error, InputError):
        damaged = isinstance(error, DamagedError)
        return Reject(name, "", "damaged file" if damaged else "unreadable file", _message(error))
    if isinstance(error, OSError) and error.strerror:
        return Reject(name, "", "damaged file", f"reading stopped: {error.strerror}")
    if isinstance(error, DAMAGE):
        return Reject(name, "", "damaged file", f"reading stopped: {error}")
    what = f"{type(error).__name__}: {error}"
    return Reject(
        name, "", "unreadable file", f"reading stopped at what tocsin did not expect; report it ({what})"
    )


def _message(error: Exception) -> str:
    return f"{error.message}. {error.hint}".rstrip(" .") if isinstance(error, InputError) else str(error)


def _why(name: str, error: Exception) -> str:
    """Return why a file is no telemetry, without its name and without what to do about it."""
    return (error.message if isinstance(error, InputError) else str(error)).removeprefix(f"{name} ")
