"""Many texts looked for in a whole column of strings at once: one pass of Hyperscan over the column's bytes.

An Arrow array of strings lies in memory as one run of bytes with offsets, so that a column is scanned in a single
call, however many values it has. Where Hyperscan is not installed nothing is found to be absent (`find` returns
None), and callers test value by value. Making a database takes some 50 µs a text, so that the first values are
looked through without one: a hunt over a small file, or for a kind of event that is rare, needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.engine.column import Codes

hyperscan: Any
try:
    import hyperscan
except ImportError:  # pragma: no cover (no build for this platform)
    hyperscan = None


BEFORE_COMPILING = 1 << 14  # bytes of values


class Literals:
    """Texts to look for, by number. Their database is made when `BEFORE_COMPILING` bytes were looked through."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self._lengths = np.array([len(text.encode()) for text in texts], np.int64)
        self._database: Any = None
        self._looked_through = 0

    def find(self, values: pa.Array) -> tuple[Codes, Codes] | None:
        """Return which value holds which text, as two columns (value, text); a text is given once for a value.

        None where each value has to be looked at for it.
        """
        if hyperscan is None:
            return None
        if not self.texts or not len(values):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        offsets, data = _bytes(values)
        if self._database is None and self._looked_through + len(data) <= BEFORE_COMPILING:
            self._looked_through += len(data)
            return self._one_by_one(values)
        ends: list[tuple[int, int]] = []

        def on_match(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            ends.append((number, end))

        self._compiled().scan(data, match_event_handler=on_match)
        if not ends:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        numbers, stops = np.array(ends, np.int64).T
        value = np.searchsorted(offsets, stops, "left") - 1
        whole = stops - self._lengths[numbers] >= offsets[value]  # not across two values
        pairs = np.unique(value[whole] * len(self.texts) + numbers[whole])
        return pairs // len(self.texts), pairs % len(self.texts)

    def _one_by_one(self, values: pa.Array) -> tuple[Codes, Codes]:
        held = [
            (value, number)
            for value, text in enumerate(values.to_pylist())
            if text
            for number, part in enumerate(self.texts)
            if part in text
        ]
        pairs = np.array(held, np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _compiled(self) -> Any:
        if self._database is None:
            self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            expressions = ["".join(f"\\x{byte:02x}" for byte in text.encode()).encode() for text in self.texts]
            flags = [hyperscan.HS_FLAG_DOTALL] * len(expressions)
            self._database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=flags)
        return self._database


def _bytes(values: pa.Array) -> tuple[npt.NDArray[np.int64], bytes]:
    """Return the offsets of a string array's values, from 0, and its bytes."""
    _validity, ends, data = values.buffers()
    offsets = np.frombuffer(ends, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    if data is None:
        return offsets * 0, b""
    return offsets - offsets[0], data.slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes()
