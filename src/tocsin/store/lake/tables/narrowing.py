"""Which rows can be among a scan's events: held by the columns that it bounds, before any other is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP
from tocsin.store.columns.fields import MANY, column_name
from tocsin.store.events import Scan


@dataclass(frozen=True)
class Narrowing:
    """Columns of texts with the values of which an event must have one, and bounds of its time in microseconds."""

    values: Mapping[str, pa.Array]
    start: int | None
    end: int | None

    @staticmethod
    def of(scan: Scan, types: Mapping[str, pa.DataType]) -> Narrowing | None:
        """Return what a scan says of a file's columns; None where it names no value of one.

        A field whose events have several values tells nothing here.
        """
        values = {
            name: pa.array(sorted(wanted), pa.string())
            for field, wanted in scan.equal.items()
            if types.get(name := column_name(field)) == pa.string() and name + MANY not in types
        }
        if not values:
            return None
        start = None if scan.start is None else scan.start // 1000
        end = None if scan.end is None else -(-scan.end // 1000)
        return Narrowing(values, start, end)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        bounded = self.start is not None or self.end is not None
        return (*self.values, TIMESTAMP) if bounded else tuple(self.values)

    def holds(self, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Tell of each row of a column whether it may be wanted."""
        if name != TIMESTAMP:
            return np.concatenate([_is_in(chunk, self.values[name]) for chunk in column.chunks])
        times = column.cast(pa.int64()).to_numpy()  # what is beyond microseconds lies in another column
        inside = np.ones(len(times), bool)
        if self.start is not None:
            inside &= times >= self.start
        if self.end is not None:
            inside &= times < self.end
        return inside


def _is_in(chunk: pa.Array, wanted: pa.Array) -> npt.NDArray[np.bool_]:
    if not pa.types.is_dictionary(chunk.type):
        members: npt.NDArray[np.bool_] = pc.is_in(chunk, wanted).to_numpy(zero_copy_only=False)
        return members
    of_codes = np.append(pc.is_in(chunk.dictionary, wanted).to_numpy(zero_copy_only=False), False)
    codes = chunk.indices.fill_null(len(of_codes) - 1).to_numpy(zero_copy_only=False)
    held: npt.NDArray[np.bool_] = of_codes[codes]
    return held
