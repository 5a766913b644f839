"""Which rows of columns may be documents of Windows' logs that lack fields of their kind."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import CATEGORIES, CATEGORY
from tocsin.sources.windows.forms.shipped import EVENT_DATA
from tocsin.sources.windows.unfinished import (
    CHANNEL,
    CODE,
    PROVIDER,
    MainFields,
    main_fields_of,
)

Mask = npt.NDArray[np.bool_]


class FieldsNotRead(Exception):
    """Some fields that show which documents are finished have not been read."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(fields)))
        self.fields = fields


def may_be_unfinished(
    columns: Mapping[str, pa.Array | pa.ChunkedArray], logged: Mask, read: Container[str] | None = None
) -> Mask:
    """Return which of the rows that are `logged`, documents of Windows' logs, may lack fields of their kind.

    `columns` are those of `fields_of_a_log` that exist, of the fields that were `read`, by default all. Each of
    these rows is then read by itself to find out; no other row lacks a field. The object `winlog.event_data`
    may be a column too: rows without it have nothing to make fields of. Raises FieldsNotRead when more have to be
    read first.
    """
    unfinished: Mask = np.zeros(len(logged), bool)
    if not logged.any():
        return unfinished
    masks = _Masks(columns, len(logged), read)
    unfinished |= logged & masks.missing(CATEGORY)
    rows = np.flatnonzero(logged & ~unfinished)
    if not len(rows):
        return unfinished
    uncategorised = ~_of_a_category(columns[CATEGORY])
    for (provider, channel, code), of_kind in _kinds(columns, rows):
        main = main_fields_of(provider, channel, code)
        if main is not None:
            unfinished[of_kind] = _may_lack(masks, main, of_kind, uncategorised)
    if masks.unread:
        raise FieldsNotRead(frozenset(masks.unread))
    return unfinished


def _may_lack(masks: _Masks, main: MainFields, rows: npt.NDArray[np.intp], uncategorised: Mask) -> Mask:
    lacks: Mask = uncategorised[rows] if main.categorised else np.zeros(len(rows), bool)
    for name in (*main.constants, *([main.always] if main.always else ())):
        lacks = lacks | masks.missing(name)[rows]
    without_data = masks.lacks_object(EVENT_DATA[:-1])[rows].all()
    all_missing = np.full(len(rows), bool(main.sources))
    for field, sources in sorted(main.sources.items(), key=lambda item: not masks.is_read(item[0])):
        if without_data and not all_missing.any():  # there is nothing that a further field could be made of
            break
        missing = masks.missing(field)[rows]
        all_missing &= missing
        for source in sources if missing.any() and not without_data else ():
            lacks = lacks | (missing & ~masks.missing(EVENT_DATA + source)[rows])
    may_lack: Mask = lacks | all_missing
    return may_lack


class _Masks:
    """Which rows have no value in a field, worked out once for each; `unread` are the fields that nobody read."""

    def __init__(
        self, columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: int, read: Container[str] | None
    ) -> None:
        self._columns, self._rows, self._read = columns, rows, read
        self.unread: set[str] = set()
        self._known: dict[str, Mask] = {}

    def is_read(self, field: str) -> bool:
        """Return whether a field was read, or looked for."""
        return self._read is None or field in self._read

    def lacks_object(self, name: str) -> Mask:
        """Return where there is no such object; nowhere if its members have names with dots."""
        column = self._columns.get(name)
        return _none(self._rows) if column is None else _missing(column)

    def missing(self, field: str) -> Mask:
        """Return where a field has no value; an empty list is none."""
        if field not in self._known:
            if not self.is_read(field):
                self.unread.add(field)
            column = self._columns.get(field)
            self._known[field] = np.ones(self._rows, bool) if column is None else _missing(column)
        return self._known[field]


def _missing(column: pa.Array | pa.ChunkedArray) -> Mask:
    missing: Mask = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else _none(len(column))
    if pa.types.is_list(column.type):
        missing = missing | pc.equal(pc.list_value_length(column), 0).fill_null(True).to_numpy(
            zero_copy_only=False
        )
    elif pa.types.is_string(column.type) and column.null_count < len(column):
        missing = missing | pc.equal(column, "").fill_null(True).to_numpy(zero_copy_only=False)
    return missing


def _none(rows: int) -> Mask:
    return np.zeros(rows, bool)


def _of_a_category(column: pa.Array | pa.ChunkedArray) -> Mask:
    """Return which rows have a category of ECS."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    known = pa.array(sorted(CATEGORIES))
    if not pa.types.is_list(array.type):
        return _mask(pc.is_in(array.cast(pa.string()), known))
    categorised = _none(len(array))
    inside = _mask(pc.is_in(pc.list_flatten(array).cast(pa.string()), known))
    categorised[pc.list_parent_indices(array).to_numpy(zero_copy_only=False)[inside]] = True
    return categorised


def _mask(values: pa.Array) -> Mask:
    mask: Mask = values.to_numpy(zero_copy_only=False)
    return mask


def _kinds(
    columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: npt.NDArray[np.intp]
) -> Iterable[tuple[tuple[Any, ...], npt.NDArray[np.intp]]]:
    """Yield the provider, channel and code of each kind of event among some rows, and its rows."""
    encoded = [_encoded(columns, names, rows) for names in (PROVIDER, CHANNEL, CODE)]
    combined = np.zeros(len(rows), np.int64)
    for codes, values in encoded:
        combined = combined * (len(values) + 1) + codes + 1
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(inverse.reshape(-1)))
    for position, members in zip(first, np.split(order, ends[:-1]), strict=True):
        yield (
            tuple(values[codes[position]] if codes[position] >= 0 else None for codes, values in encoded),
            rows[members],
        )


def _encoded(
    columns: Mapping[str, pa.Array | pa.ChunkedArray], names: Sequence[str], rows: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Return the codes of the first value that each row has under some names, -1 for none, and the values."""
    there = [_scalars(columns[name]) for name in names if name in columns]
    if not there:
        return np.full(len(rows), -1, np.int64), []
    texts = [column.cast(pa.string()) for column in there]
    encoded = (pc.coalesce(*texts) if len(texts) > 1 else texts[0]).take(pa.array(rows)).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


def _scalars(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return pc.list_element(array, 0) if pa.types.is_list(array.type) else array
