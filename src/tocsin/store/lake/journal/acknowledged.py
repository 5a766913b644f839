"""How far the newest segment of the journal was acknowledged: a mark that shows a start what is gone.

The mark is written when the disk has the frames, and is not forced to disk: that costs some microseconds a write,
where waiting would cost as much as the frames do. So it is exact after the end of a process. After a crash of the
machine it may be some seconds behind, and is never ahead.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from tocsin.store.durable import read_file

MARK = "journal.mark"  # in the data folder
log = logging.getLogger(__name__)
_MARK = struct.Struct("<QQ")
_SUM = struct.Struct("<I")


class Acknowledged(NamedTuple):
    """A segment of the journal, and how many of its bytes were acknowledged."""

    segment: int = 0
    size: int = 0

    def size_of(self, segment: int) -> int:
        """Return how many bytes of a segment were acknowledged, 0 where the mark is one of another."""
        return self.size if segment == self.segment else 0


def read_mark(folder: Path) -> Acknowledged:
    """Return the mark in a data folder, an empty one where there is none. Raises OSError or ValueError."""
    try:
        content = read_file(folder / MARK)
    except FileNotFoundError:  # an earlier version wrote none
        return Acknowledged()
    mark, expected = content[: _MARK.size], content[_MARK.size :]
    if expected != _SUM.pack(zlib.crc32(mark)) or len(mark) != _MARK.size:
        raise ValueError("its checksum is wrong")
    return Acknowledged(*_MARK.unpack(mark))


class Mark:
    """Writes the mark. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT, 0o600)

    def begin(self, segment: int) -> None:
        """Write that nothing of a new segment is acknowledged, for good. The mark before has been compared."""
        os.pwrite(self._handle, _content(Acknowledged(segment, 0)), 0)
        os.ftruncate(self._handle, _MARK.size + _SUM.size)
        os.fsync(self._handle)

    def write(self, segment: int, size: int) -> None:
        """Write that so many bytes of a segment are acknowledged. What cannot be written is logged."""
        try:
            os.pwrite(self._handle, _content(Acknowledged(segment, size)), 0)
        except OSError as error:  # the events are safe
            log.warning("%s cannot be written: %s", MARK, error)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _content(acknowledged: Acknowledged) -> bytes:
    mark = _MARK.pack(*acknowledged)
    return mark + _SUM.pack(zlib.crc32(mark))
