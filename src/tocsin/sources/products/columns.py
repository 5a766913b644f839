"""Many records of a product at once: its mapping applied to columns, each distinct value converted once.

It gives what `record.py` gives record by record; both read the same tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP
from tocsin.engine.table import to_array
from tocsin.sources.json_columns import Columns, Tree, at, parse_lines, plant, schema_of, type_of
from tocsin.sources.mapping import DATASETS, Derived, Key, Row
from tocsin.sources.markers import DECLARED
from tocsin.sources.products.product import Metadata, Path, Product, Shape, dig
from tocsin.sources.products.record import readers_of
from tocsin.sources.readers import gathered
from tocsin.sources.values import (
    EMPTY,
    Converter,
    arguments,
    as_text,
    count_of_arguments,
    epoch_milliseconds,
    moment,
    number,
    text,
)

Codes = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_]  # for each whether it is meant


class Coded:
    """A column as codes over values, -1 for null. The values are distinct where `distinct` says so."""

    __slots__ = ("codes", "distinct", "values")

    def __init__(self, codes: Codes, values: list[Any], *, distinct: bool = True) -> None:
        self.codes, self.values, self.distinct = codes, values, distinct

    def convert(self, convert: Callable[[Any], Any]) -> Coded:
        """Return the column with each distinct value converted; values that become None are null."""
        if convert is text:
            return self
        lookup, values = _numbers(list(map(convert, self.values)))
        return Coded(lookup[self.codes], values)

    def or_else(self, other: Coded) -> Coded:
        """Return the column with the other's values where it is null."""
        null = self.codes < 0
        if not null.any():
            return self
        if null.all():
            return other
        shifted = np.where(other.codes < 0, -1, other.codes + len(self.values))
        return Coded(np.where(null, shifted, self.codes), [*self.values, *other.values], distinct=False)

    def only(self, rows: Rows) -> Coded:
        """Return the column with nulls outside of some rows."""
        return Coded(np.where(rows, self.codes, -1), self.values, distinct=self.distinct)

    def to_arrow(self) -> pa.Array | None:
        """Return the column for an event table, None when all of it is null."""
        codes, values = self.codes, self.values
        if not self.distinct:
            lookup, values = _numbers(values)
            codes = lookup[codes]
        array = _lists(values) if values and type(values[0]) is list else to_array(values)
        if array is None or not (codes >= 0).any():
            return None
        indices = pa.array(codes, pa.int64(), mask=codes < 0)
        if pa.types.is_list(array.type):
            return array.take(indices)
        return pa.DictionaryArray.from_arrays(indices, array)


def _lists(values: list[Any]) -> pa.Array | None:
    """Return lists of texts as an array, which is faster than looking at each item's type."""
    try:
        items = pa.array([item for value in values for item in value], pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid, TypeError):  # of something else, or some are no lists
        return to_array(values)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, items)


def _numbers(values: list[Any]) -> tuple[Codes, list[Any]]:
    """Return a number for each value, None as -1, and the values by their numbers.

    Equal values have one number, but for lists, which nothing compares. The numbers end in one for null, so that
    code -1 finds it.
    """
    kinds = set(map(type, values)) - {type(None)}
    if list in kinds:
        present = np.array([value is not None for value in values] + [False])
        return np.where(present, np.cumsum(present) - 1, -1), [value for value in values if value is not None]
    known: dict[Any, int] = {}
    keys = values if len(kinds) < 2 else [None if v is None else (type(v), v) for v in values]  # 1 equals True
    distinct = dict.fromkeys(keys)
    if len(distinct) == len(values) and None not in distinct:
        return np.append(np.arange(len(values)), -1), values
    numbers = [-1 if key is None else known.setdefault(key, len(known)) for key in keys]
    return np.array([*numbers, -1], np.int64), list(known) if len(kinds) < 2 else [value for _, value in known]


def combine(columns: Sequence[Coded], work_out: Callable[..., Any], only: Rows | None = None) -> Coded:
    """Return what is worked out from several columns, once for each combination; for `only` some rows."""
    if only is not None:
        some = combine([Coded(column.codes[only], column.values) for column in columns], work_out)
        codes = np.full(len(only), -1, np.int64)
        codes[only] = some.codes
        return Coded(codes, some.values)
    combined = np.zeros(len(columns[0].codes), np.int64)
    for column in columns:
        _, combined = _numbered(combined * (len(column.values) + 1) + column.codes + 1)
    first, combined = _numbered(combined)
    lists = [[*column.values, None] for column in columns]
    picked = [
        [values[code] for code in column.codes[first]] for column, values in zip(columns, lists, strict=True)
    ]
    lookup, values = _numbers([work_out(*parts) for parts in zip(*picked, strict=True)])
    return Coded(lookup[combined], values)


def _numbered(codes: Codes) -> tuple[npt.NDArray[np.intp], Codes]:
    """Return where each distinct code stands first, and the codes numbered in that order."""
    encoded = pa.array(codes).dictionary_encode()
    numbers = encoded.indices.to_numpy().astype(np.int64)
    first = np.full(len(encoded.dictionary), -1, np.intp)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return first, numbers


class ProductColumns:
    """The records of one table, read as columns of ECS fields."""

    def __init__(
        self, table: pa.Table, product: Product, shape: Shape, metadata: Metadata, fields: Iterable[str]
    ) -> None:
        self._table, self._product, self._shape, self._metadata = table, product, shape, metadata
        self._fields = frozenset(fields)
        self._texts: dict[str, Coded] = {}
        self._converted: dict[tuple[str, Converter], Coded] = {}
        paths = dict.fromkeys((shape.telltale, shape.key))
        telling = [_texts(at(table, path)) for path in paths]
        self.kinds = combine(
            telling, lambda *texts: shape.kind(texts[0] or "", texts[-1] or "") if texts[0] else None
        )

    @property
    def complete(self) -> bool:
        """Tell whether every row is a record of the shape."""
        return bool((self.kinds.codes >= 0).all())

    def field(self, name: str) -> pa.Array | pa.ChunkedArray | None:
        """Return an ECS field of every record, None when none has it."""
        if name == TIMESTAMP and self._moments is not None:
            return self._moments
        # Kinds whose rows are the same for this field are read together.
        alike: dict[_Reading, list[int]] = {}
        for code, key in enumerate(self.kinds.values):
            alike.setdefault(_reading(self._product.dataset.name, key, name), []).append(code)
        found: Coded | None = None
        for reading, codes in alike.items():
            rows = self._of_kinds(codes) if len(alike) > 1 else None
            column = self._read(reading, rows)
            if column is None:
                continue
            if rows is not None:
                column = column.only(rows)
            found = column if found is None else found.or_else(column)
        return None if found is None else found.to_arrow()

    @property
    def dated_by_number(self) -> bool:
        """Tell whether times are numbers of day and month, whose order only the file shows: a record at a time."""
        return self._moments is None and any(
            pc.any(pc.match_substring_regex(column, _BY_NUMBER)).as_py() for column in self._times()
        )

    @cached_property
    def _moments(self) -> pa.ChunkedArray | None:
        """The events' times where one column holds them all, spelled as Arrow reads them."""
        column = next((column for column in self._times() if column.null_count < len(column)), None)
        if column is None or column.null_count:
            return None
        try:
            return column.cast(pa.timestamp("ns", "UTC"))
        except pa.ArrowInvalid:
            return None

    def _times(self) -> Iterator[pa.ChunkedArray]:
        """Yield the columns of texts that hold events' times, the one that counts first."""
        if TIMESTAMP in self._fields:
            for row in self._product.dataset.rows[::-1]:
                if row.target == TIMESTAMP and row.convert is moment:
                    column = self._column(row.source)
                    if pa.types.is_string(column.type):
                        yield column

    def _of_kinds(self, codes: list[int]) -> Rows:
        chosen = np.zeros(len(self.kinds.values) + 1, bool)  # the last for null, whose code is -1
        chosen[codes] = True
        return chosen[self.kinds.codes]

    def _read(self, reading: _Reading, only: Rows | None) -> Coded | None:
        derived, rows, constant = reading
        columns = [combine([self.text(source) for source in one.sources], one.read, only) for one in derived]
        parts = [self._convert(row.source, row.convert) for row in rows]
        if constant is _GATHERED:
            return combine(parts, lambda *values: gathered(values), only) if parts else None
        columns += parts
        if constant is not None:
            value = list(constant) if isinstance(constant, tuple) else constant
            columns.append(Coded(np.zeros(self._table.num_rows, np.int64), [value]))
        found = columns[0] if columns else None
        for column in columns[1:]:
            found = found.or_else(column) if found else column
        return found

    def _convert(self, source: str, convert: Converter) -> Coded:
        key = (source, convert)
        if key not in self._converted and convert is count_of_arguments:
            self._converted[key] = self._convert(source, arguments).convert(len)
        if key not in self._converted:
            found = self._converted_whole(source, convert) if convert in _OF_WHOLE else None
            self._converted[key] = found or self.text(source).convert(convert)
        return self._converted[key]

    def _converted_whole(self, source: str, convert: Converter) -> Coded | None:
        """Convert numbers without the way over text, None where that cannot be done."""
        if self._product.join_of(source) is not None or not pa.types.is_int64(self._column(source).type):
            return None
        return _OF_WHOLE[convert](_encoded(self._column(source)))

    def text(self, source: str) -> Coded:
        """Return a value of every record as text."""
        if source not in self._texts:
            join = self._product.join_of(source)
            if join is None:
                self._texts[source] = self._own(source)
            else:
                name = source.removeprefix(join.prefix)
                about, product, metadata = self.text(join.source), self._product, self._metadata
                joined = about.convert(lambda value: as_text(metadata.about(product, join, value).get(name)))
                self._texts[source] = self._own(source).or_else(joined)
        return self._texts[source]

    def _own(self, source: str) -> Coded:
        return _texts(self._column(source))

    def _column(self, source: str) -> pa.ChunkedArray:
        return at(self._table, (*self._shape.body, source))


def _encoded(column: pa.ChunkedArray) -> Coded:
    array = column.combine_chunks()
    if array.null_count == len(array):
        return Coded(np.full(len(array), -1, np.int64), [])
    encoded = array.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return Coded(codes, encoded.dictionary.to_pylist())


def _moments(milliseconds: Coded) -> Coded | None:
    numbers = np.array(milliseconds.values, np.int64)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= _YEAR_10_000):
        return None
    written = np.datetime_as_string(numbers.astype("datetime64[ms]"), timezone="UTC")
    return Coded(milliseconds.codes, written.tolist())


_BY_NUMBER = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d"
_YEAR_10_000 = 253_402_300_800_000  # in milliseconds since 1970
# Conversions of a column of whole numbers that give what their namesakes give for its texts.
_OF_WHOLE: dict[Converter, Callable[[Coded], Coded | None]] = {
    number: lambda column: column,
    epoch_milliseconds: _moments,
}


def _texts(column: pa.ChunkedArray) -> Coded:
    """Return a column as `as_text` gives each value."""
    if pa.types.is_nested(column.type):  # lists, which converters read as JSON
        numbers, values = _numbers(list(map(as_text, column.to_pylist())))
        return Coded(numbers[:-1], values)
    encoded = _encoded(column)
    if pa.types.is_int64(column.type):
        return Coded(encoded.codes, list(map(str, encoded.values)))
    if not pa.types.is_string(column.type):
        return encoded.convert(as_text)
    empty = [code for code, value in enumerate(encoded.values) if value in EMPTY]
    if not empty:
        return encoded
    return Coded(np.where(np.isin(encoded.codes, empty), -1, encoded.codes), encoded.values)


# How a field is read from one kind of record: what is worked out, rows in the order in which they are asked, and
# the constant where these have nothing (a list as a tuple).
_Reading = tuple[tuple[Derived, ...], tuple[Row, ...], Any]
_GATHERED = object()  # in place of a constant: the rows' values are gathered


@cache
def _reading(dataset_name: str, key: Key, name: str) -> _Reading:
    dataset = DATASETS[dataset_name]
    rows = tuple(row for row in dataset.rows_of(key) if row.target == name)
    if name.startswith("related."):
        return (), rows, _GATHERED
    derived = tuple(one for one in dataset.derived_of(key) if one.target == name)
    kept = name.removeprefix(dataset.kept + ".")
    if kept != name:
        rows = (*rows, Row(kept, name))
    return derived, rows[::-1], _hashable(readers_of(dataset_name, key).constants.get(name))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Lazily(Mapping[str, pa.Array]):
    """Fields of records, each worked out when it is first read: rules rule each other out before they need all."""

    def __init__(self, records: ProductColumns, fields: Iterable[str]) -> None:
        self._records, self._fields = records, dict.fromkeys(fields)
        self._found: dict[str, pa.Array | None] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._found:
            self._found[name] = self._records.field(name) if name in self._fields else None
        array = self._found[name]
        if array is None:
            raise KeyError(name)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class ProductLayout:
    """Where the values that wanted fields are made of lie in a product's records, and of which types they are."""

    def __init__(
        self,
        product: Product,
        shape: Shape,
        fields: Iterable[str],
        tree: Tree,
        strange: Sequence[Path],
        metadata: Metadata,
    ) -> None:
        self.product, self.shape, self.fields, self.metadata = product, shape, tuple(fields), metadata
        self.schema, self.strange = schema_of(tree), strange

    def read(self, block: bytes, lines: int) -> Columns | None:
        """Return the wanted fields of a block of lines, or None when a line does not fit."""
        table = parse_lines(block, lines, self.schema)
        if table is None:
            return None
        records = ProductColumns(table, self.product, self.shape, self.metadata, self.fields)
        if not records.complete or records.dated_by_number or not self._tells(table):
            return None
        counts = Counter({self.product.dataset.name: table.num_rows})
        return Columns(_Lazily(records, self.fields), table.num_rows, counts)

    def _tells(self, table: pa.Table) -> bool:
        """Tell whether each line has another field of the product's, and none that only documents in ECS have."""
        told = np.full(table.num_rows, not self.shape.beside)
        for name in self.shape.beside:
            if not told.all():
                told |= at(table, (*self.shape.body, name)).is_valid().to_numpy()
        return bool(told.all()) and all(at(table, path).null_count == table.num_rows for path in self.strange)


def product_layout(
    sample: Sequence[dict[str, Any]], product: Product, shape: Shape, wanted: Iterable[str], metadata: Metadata
) -> ProductLayout | None:
    """Return the layout of records like these; None when Arrow cannot read them."""
    fields = sorted(wanted)
    tree: Tree = {}
    for path in dict.fromkeys((shape.telltale, shape.key)):
        if not plant(tree, path, pa.string()):
            return None
    for source in sources_of(product, fields):
        path = (*shape.body, source)
        kind = type_of((dig(record, path) for record in sample), pa.string())
        # In a column of fractions whole numbers would be read as fractions, too.
        if (
            kind is None
            or kind in (pa.float64(), pa.list_(pa.float64()))
            or (path not in (shape.telltale, shape.key) and not plant(tree, path, kind))
        ):
            return None
    for name in shape.beside:
        if dig(tree, (*shape.body, name)) is None:
            kind = type_of((dig(record, (*shape.body, name)) for record in sample), pa.string())
            if kind is None or not plant(tree, (*shape.body, name), kind):
                return None
    strange = [path for path in DECLARED if path != shape.key and plant(tree, path, pa.string())]
    return ProductLayout(product, shape, fields, tree, strange, metadata)


def sources_of(product: Product, fields: Iterable[str]) -> list[str]:
    """Return the names of the values that fields are made of."""
    dataset, named = product.dataset, set(fields)
    found = [row.source for row in dataset.rows if row.target in named]
    found += [source for one in dataset.derived if one.target in named for source in one.sources]
    prefix = dataset.kept + "."
    found += [name.removeprefix(prefix) for name in named if name.startswith(prefix)]
    joined = [join.source for source in found if (join := product.join_of(source)) is not None]
    return list(dict.fromkeys((*found, *joined)))
