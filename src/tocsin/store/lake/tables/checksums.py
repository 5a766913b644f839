"""Checksums of Parquet files: a flipped byte is noticed before the value that it has changed is read.

delta-rs writes no checksums of pages. So each file gets a small one beside it, in a folder that Delta leaves
alone, with a CRC-32 of each column's chunk in each row group and one of the rest, the footer. What is read is
compared once as long as the file's footer is remembered. A file of an earlier version has none until the keeper
gives it one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.store.durable import read_file, regular, write_durably
from tocsin.store.lake.reasons import sentence

FOLDER = "_checksums"  # Delta takes what begins with `_` for none of its files
_SUFFIX = ".crc"
_FIRST = 4  # bytes of a Parquet file before its first chunk
# What tells that a file is damaged, or gone.
FAULTS = (OSError, pa.ArrowException, ValueError)

# The first byte of a chunk, the one behind its last, and the checksum of what lies between.
_SUM = np.dtype([("start", "<u8"), ("end", "<u8"), ("sum", "<u4")])
Sums = npt.NDArray[np.void]


class ChecksumError(ValueError):
    """Bytes of a file that are not those that were written."""


class LostChecksumsError(ValueError):
    """Checksums that are damaged themselves, so that their file cannot be checked."""


def checksums_of(table: Path, file: str) -> Path:
    """Return where the checksums of a table's file are."""
    return table / FOLDER / f"{Path(file).name}{_SUFFIX}"


def write_checksums(table: Path, file: str) -> None:
    """Write the checksums of a file, as it lies there, for good. Raises one of FAULTS when it cannot be read."""
    path = table / file
    spans = list(_spans(pq.read_metadata(regular(path)), path.stat().st_size))
    handle = os.open(path, os.O_RDONLY)
    try:
        sums = np.array([(start, end, _sum(handle, start, end)) for start, end in spans], _SUM)
    finally:
        os.close(handle)
    content = sums.tobytes()
    target = checksums_of(table, file)
    target.parent.mkdir(exist_ok=True)
    write_durably(target, content + zlib.crc32(content).to_bytes(4, "little"))


def without_checksums(table: Path, files: Collection[str]) -> list[str]:
    """Return the files of a table that have no checksums."""
    folder = table / FOLDER
    known = set(os.listdir(folder)) if folder.is_dir() else set()
    return [file for file in files if checksums_of(table, file).name not in known]


def remove_unused(table: Path, files: Collection[str]) -> None:
    """Remove checksums of files that do not lie in a table's folder any more; `files` are those that it names."""
    folder = table / FOLDER
    if not folder.is_dir():
        return
    wanted = {checksums_of(table, file).name for file in files}
    unknown = [path for path in folder.iterdir() if path.name not in wanted]
    if unknown:
        there = {checksums_of(table, path.name).name for path in table.rglob("*.parquet")}
        for path in unknown:
            if path.name not in there and path.is_file():
                path.unlink()


class Checksums:
    """The checksums of a file, and which of its chunks have been compared with them.

    `fault` says why they cannot be: nothing is compared then.
    """

    def __init__(self, path: Path, footer: pq.FileMetaData, sums: Sums | None, fault: str | None = None) -> None:
        self._path, self._footer, self._sums, self.fault = path, footer, sums, fault
        self._compared = np.zeros((footer.num_row_groups, footer.num_columns), bool)
        if sums is not None:
            self._compare([len(sums) - 1])
            if len(sums) != self._compared.size + 1:
                raise ChecksumError("its footer does not describe what was written")

    def compare(self, groups: Sequence[int], columns: Collection[int] | None = None) -> None:
        """Compare what is to be read, all columns unless some are named. Raises ChecksumError."""
        if self._sums is None:
            return
        width = self._footer.num_columns
        wanted = range(width) if columns is None else sorted(columns)
        compared = self._compared[np.ix_(list(groups), list(wanted))]
        if not compared.all():
            self._compare([g * width + c for g in groups for c in wanted if not self._compared[g, c]])
            self._compared[np.ix_(list(groups), list(wanted))] = True

    def _compare(self, places: Sequence[int]) -> None:
        assert self._sums is not None
        handle = os.open(self._path, os.O_RDONLY)
        try:
            for start, end, expected, place in zip(
                *(self._sums[name][places].tolist() for name in ("start", "end", "sum")), places, strict=True
            ):
                if _sum(handle, start, end) != expected:
                    what = self._name(place)
                    raise ChecksumError(f"{what} is damaged: bytes {start:,} to {end:,} are not those written")
        finally:
            os.close(handle)

    def _name(self, place: int) -> str:
        group, column = divmod(place, self._footer.num_columns)
        if group >= self._footer.num_row_groups:
            return "its footer"
        return f"the column {self._footer.schema.column(column).path} of row group {group}"


def open_checksums(path: Path, footer: pq.FileMetaData) -> Checksums:
    """Return the checksums of a file in the folder of a slice of a table; the footer is compared at once.

    Raises ChecksumError for a damaged footer.
    """
    kept = checksums_of(path.parent.parent.parent, path.name)
    try:
        raw = read_file(kept)
    except FileNotFoundError:
        return Checksums(path, footer, None)
    except OSError as error:
        return Checksums(path, footer, None, f"{sentence(error)}; its file is read without checksums")
    content, own = raw[:-4], raw[-4:]
    if len(raw) <= 4 or len(content) % _SUM.itemsize or zlib.crc32(content) != int.from_bytes(own, "little"):
        return Checksums(path, footer, None, "these checksums are damaged; their file is read without them")
    return Checksums(path, footer, np.frombuffer(content, _SUM))


def verify(path: Path) -> None:
    """Compare all of a file with its checksums.

    Raises one of FAULTS when it is damaged, LostChecksumsError when its checksums are.
    """
    footer = pq.read_metadata(regular(path))
    checksums = open_checksums(path, footer)
    if checksums.fault:
        raise LostChecksumsError(checksums.fault)
    checksums.compare(range(footer.num_row_groups))


def _spans(footer: pq.FileMetaData, size: int) -> Iterator[tuple[int, int]]:
    """Yield where each chunk begins and ends, row group by row group, and then what lies behind them."""
    last = _FIRST
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for place in range(footer.num_columns):
            chunk = group.column(place)
            start = chunk.data_page_offset
            if chunk.has_dictionary_page:
                start = min(start, chunk.dictionary_page_offset)
            end = start + chunk.total_compressed_size
            last = max(last, end)
            yield start, end
    yield last, size


def _sum(handle: int, start: int, end: int) -> int:
    return zlib.crc32(os.pread(handle, end - start, start))
