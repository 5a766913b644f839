"""Many records of a product at once: its mapping applied to columns, each distinct value converted once.

It gives what `record.py` gives record by record; both read the same tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import TIMESTAMP
from tocsin.sources.json_columns import Columns, Tree, at, parse_lines, plant, schema_of, type_of
from tocsin.sources.mapping import DATASETS, Derived, Key, Row
from tocsin.sources.markers import DECLARED
from tocsin.sources.products.coded import Coded, Rows, combine, encoded_column, numbered_values
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
)


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
        marks = [_texts(at(table, path)) for path in paths]
        self.kinds = combine(
            marks, lambda *texts: shape.kind(texts[0] or "", texts[-1] or "") if texts[0] else None
        )

    @property
    def complete(self) -> bool:
        """Whether every row is a record of the shape."""
        return bool((self.kinds.codes >= 0).all())

    def field(self, name: str) -> pa.Array | pa.ChunkedArray | None:
        """Return an ECS field of every record, None when none has it."""
        if name == TIMESTAMP and self._moments is not None:
            return self._moments
        # Kinds whose rows are the same for this field are read together.
        alike: dict[_Reading, list[int]] = {}
        for code, key in enumerate(self.kinds.values):
            alike.setdefault(_reading(self._product.dataset.name, key, name), []).append(code)
        merged: Coded | None = None
        for reading, codes in alike.items():
            rows = self._of_kinds(codes) if len(alike) > 1 else None
            column = self._read(reading, rows)
            if column is None:
                continue
            if rows is not None:
                column = column.only(rows)
            merged = column if merged is None else merged.or_else(column)
        return None if merged is None else merged.to_arrow()

    @property
    def dated_by_number(self) -> bool:
        """Whether times have day and month as numbers: their order shows in the file alone, record by record."""
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
        columns = [combine([self.text(source) for source in field.sources], field.read, only) for field in derived]
        parts = [self._convert(row.source, row.convert) for row in rows]
        if constant is _GATHERED:
            return combine(parts, lambda *values: gathered(values), only) if parts else None
        columns += parts
        if constant is not None:
            value = list(constant) if isinstance(constant, tuple) else constant
            columns.append(Coded(np.zeros(self._table.num_rows, np.int64), [value]))
        merged = columns[0] if columns else None
        for column in columns[1:]:
            merged = merged.or_else(column) if merged else column
        return merged

    def _convert(self, source: str, convert: Converter) -> Coded:
        key = (source, convert)
        if key not in self._converted and convert is count_of_arguments:
            self._converted[key] = self._convert(source, arguments).convert(len)
        if key not in self._converted:
            converted = self._converted_whole(source, convert) if convert in _OF_WHOLE else None
            self._converted[key] = converted or self.text(source).convert(convert)
        return self._converted[key]

    def _converted_whole(self, source: str, convert: Converter) -> Coded | None:
        """Convert numbers without the way over text, None where that cannot be done."""
        if self._product.join_of(source) is not None or not pa.types.is_int64(self._column(source).type):
            return None
        return _OF_WHOLE[convert](encoded_column(self._column(source)))

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
        numbers, values = numbered_values(list(map(as_text, column.to_pylist())))
        return Coded(numbers[:-1], values)
    encoded = encoded_column(column)
    if pa.types.is_int64(column.type):
        return Coded(encoded.codes, list(map(str, encoded.values)))
    if not pa.types.is_string(column.type):
        return encoded.convert(as_text)
    empty = [code for code, value in enumerate(encoded.values) if value in EMPTY]
    if not empty:
        return encoded
    return Coded(np.where(np.isin(encoded.codes, empty), -1, encoded.codes), encoded.values)


# How a field is read from one kind of record: derived fields, rows in order of precedence, and the constant where
# these have no value (a list as a tuple).
_Reading = tuple[tuple[Derived, ...], tuple[Row, ...], Any]
_GATHERED = object()  # in place of a constant: the rows' values are gathered


@cache
def _reading(dataset_name: str, key: Key, name: str) -> _Reading:
    dataset = DATASETS[dataset_name]
    rows = tuple(row for row in dataset.rows_of(key) if row.target == name)
    if name.startswith("related."):
        return (), rows, _GATHERED
    derived = tuple(field for field in dataset.derived_of(key) if field.target == name)
    kept = name.removeprefix(dataset.kept + ".")
    if kept != name:
        rows = (*rows, Row(kept, name))
    return derived, rows[::-1], _hashable(readers_of(dataset_name, key).constants.get(name))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _LazyFields(Mapping[str, pa.Array]):
    """Fields of records, each worked out when it is first read: most rules are ruled out before they need many."""

    def __init__(self, records: ProductColumns, fields: Iterable[str]) -> None:
        self._records, self._fields = records, dict.fromkeys(fields)
        self._arrays: dict[str, pa.Array | None] = {}

    def __getitem__(self, name: str) -> pa.Array:
        if name not in self._arrays:
            self._arrays[name] = self._records.field(name) if name in self._fields else None
        array = self._arrays[name]
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
        if not records.complete or records.dated_by_number or not self._are_of_product(table):
            return None
        counts = Counter({self.product.dataset.name: table.num_rows})
        return Columns(_LazyFields(records, self.fields), table.num_rows, counts)

    def _are_of_product(self, table: pa.Table) -> bool:
        """Return whether each line has another field of the product, and none that only documents in ECS have."""
        marked = np.full(table.num_rows, not self.shape.beside)
        for name in self.shape.beside:
            if not marked.all():
                marked |= at(table, (*self.shape.body, name)).is_valid().to_numpy()
        return bool(marked.all()) and all(at(table, path).null_count == table.num_rows for path in self.strange)


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
    sources = [row.source for row in dataset.rows if row.target in named]
    sources += [source for field in dataset.derived if field.target in named for source in field.sources]
    prefix = dataset.kept + "."
    sources += [name.removeprefix(prefix) for name in named if name.startswith(prefix)]
    joined = [join.source for source in sources if (join := product.join_of(source)) is not None]
    return list(dict.fromkeys((*sources, *joined)))
