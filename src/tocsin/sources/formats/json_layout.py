"""Where the wanted fields lie in lines of ECS documents and of which Arrow types they are, read off a sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ecs import CATEGORY, INDEX, TIMESTAMP, FieldType, default_schema
from tocsin.sources.batch import flatten
from tocsin.sources.document import DATASET_FIELDS, Documents, constant_index, index_and_counts, moments
from tocsin.sources.event_time import MENTIONS, has_time_of_day, named_times
from tocsin.sources.json_columns import Columns, Tree, at, parse_lines, plant, sample_of, schema_of, type_of
from tocsin.sources.products.product import dig, telltales
from tocsin.sources.unseen import describes_event, fields_of_kinds, rows_without_values
from tocsin.sources.windows.forms.shipped import EVENT_DATA
from tocsin.sources.windows.forms.shipped import MARKS as SHIPPED_MARKS
from tocsin.sources.windows.recognise import MARKS
from tocsin.sources.windows.unfinished import fields_like, fields_of_a_log
from tocsin.sources.windows.unfinished_columns import FieldsNotRead, may_be_unfinished
from tocsin.sources.wrappers import may_hold_record

# Members that a Windows event in some form of JSON has, and hardly any ECS document.
_OF_WINDOWS = tuple((mark,) for mark in MARKS)
# Members of documents of Windows' logs, nested or with dots. Such a document may be unfinished, category or not.
_OF_A_LOG = ("winlog", *SHIPPED_MARKS)
_CHANNEL = "winlog.channel"
_EVENT_DATA = tuple(EVENT_DATA[:-1].split("."))
_SAMPLE = 64  # lines that show of which types further fields are


class DocumentLayout:
    """Where the wanted fields lie in an ECS document and of which Arrow types they are.

    The members of `tree` are read, which `root` leads to where the documents are those of hits. `strange` are the
    paths of members that show a line to be something else, `logged` those that show a document of Windows' logs;
    `knows_logs` says that `paths` has what shows which of these are finished, for the kinds in the sample; what
    other kinds need is added when a block has them. `times` are those of members that hold the time of an event
    without `@timestamp`, in order of precedence.
    """

    def __init__(
        self,
        tree: Tree,
        root: tuple[str, ...],
        paths: dict[str, tuple[str, ...]],
        strange: Sequence[tuple[str, ...]],
        logged: Sequence[tuple[str, ...]],
        knows_logs: bool,
        times: Sequence[tuple[str, ...]],
        wanted: frozenset[str],
        documents: Documents,
    ) -> None:
        self.tree, self.root, self.paths, self.strange, self.logged = tree, root, paths, strange, logged
        self.knows_logs, self.times, self.wanted, self.documents = knows_logs, times, wanted, documents
        self._take_in()

    def _take_in(self) -> None:
        """Derive what follows from the members that are read."""
        self.schema = schema_of(self.tree)
        # A document that holds another record has none of the fields that say what happened.
        self.what_happened = [
            path for name, path in self.paths.items() if describes_event(name) and not name.startswith("event.")
        ]

    def read(self, block: bytes, lines: int) -> Columns | None:
        """Return the wanted fields of a block of lines, or None when a line does not fit."""
        while True:
            try:
                return self._read(block, lines)
            except FieldsNotRead as unread:  # a document of another kind, or unlike the others of its kind
                records = [record for record in sample_of(block, _SAMPLE) if isinstance(record, dict)]
                if not self._add(unread.fields, records):
                    return None

    def _add(self, fields: Iterable[str], records: Sequence[dict[str, Any]]) -> bool:
        """Read more fields from now on, of the types that they have in a sample; False where that cannot be."""
        bodies = [body for record in records if isinstance(body := dig(record, self.root) or record, dict)]
        for field in sorted(fields):
            path = _planted(field, bodies, self.tree, self.root)
            if path is None:
                return False
            self.paths[field] = path
        self._take_in()
        return True

    def _read(self, block: bytes, lines: int) -> Columns | None:
        table = parse_lines(block, lines, self.schema)
        if table is None or any(at(table, path).null_count < table.num_rows for path in self.strange):
            return None
        left = self._unfinished(table) | self._wrapped(table, block)
        times = self._moments(table) if TIMESTAMP in self.wanted else None
        if times is not None and times.null_count:
            left |= self._named_otherwise(table, block) & times.is_null().to_numpy()
        if left.any():
            table = table.filter(pa.array(~left))
            times = None if times is None else times.filter(pa.array(~left))
        columns: dict[str, pa.Array | pa.ChunkedArray] = {}
        for name, path in self.paths.items():
            column = at(table, path)
            if column.null_count < len(column):  # those that are null throughout are left out
                columns[name] = column
        index, counts = index_and_counts(columns, table.num_rows)
        if self.documents.source is not None:
            index = constant_index(self.documents.source, table.num_rows)
        if index is not None:
            columns[INDEX] = index
        wanted = {name: column for name, column in columns.items() if name in self.wanted}
        if times is not None and times.null_count < len(times):
            wanted[TIMESTAMP] = times
        lacking = rows_without_values(columns, table.num_rows)
        return Columns(wanted, table.num_rows, counts, tuple(np.flatnonzero(left).tolist()), lacking)

    def _moments(self, table: pa.Table) -> pa.ChunkedArray:
        """Return each event's time, null where none can be read."""
        times = moments(at(table, self.paths[TIMESTAMP]), self.documents.moment)
        for path in self.times:
            if times.null_count and pa.types.is_timestamp(times.type):
                times = pc.coalesce(times, moments(at(table, path), self.documents.other_moment))
        return times

    def _named_otherwise(self, table: pa.Table, block: bytes) -> npt.NDArray[np.bool_]:
        """Return which events may have a time that only reading them one by one finds."""
        if MENTIONS.search(block) is not None:
            return np.ones(table.num_rows, bool)
        valid: npt.NDArray[np.bool_] = at(table, self.paths[TIMESTAMP]).is_valid().to_numpy()
        return valid

    def _unfinished(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Return which documents of Windows' logs may lack what a pipeline makes of them."""
        logged = np.zeros(table.num_rows, bool)
        unlike = ~logged if self.logged and not self.knows_logs else np.zeros(table.num_rows, bool)
        dotted = self.paths.get(_CHANNEL, ())[-1:] == (_CHANNEL,)
        for path in self.logged:
            column = at(table, path)
            if column.null_count < table.num_rows:
                valid = column.is_valid().to_numpy()
                logged |= valid
                if (path[-1] == "winlog") is dotted:  # unlike the sample, so that no path fits
                    unlike |= valid
        if not logged.any():
            return logged
        columns = {name: at(table, self.paths[name]) for name in fields_of_a_log() if name in self.paths}
        if self.knows_logs and not dotted:
            columns[EVENT_DATA[:-1]] = at(table, (*self.root, *_EVENT_DATA))
        return (logged & unlike) | may_be_unfinished(columns, logged & ~unlike, self.paths)

    def _wrapped(self, table: pa.Table, block: bytes) -> npt.NDArray[np.bool_]:
        """Return which lines may hold another record: some of those that do not say what happened themselves."""
        wrapped = np.zeros(table.num_rows, bool)
        columns = [at(table, path) for path in self.what_happened]
        suspects = ~wrapped
        for column in sorted(columns, key=lambda column: column.null_count):
            if not column.null_count:
                return wrapped
            suspects &= column.is_null().to_numpy()
            if not suspects.any():
                return wrapped
        lines = [line for line in block.split(b"\n") if line.strip()]
        categorised = at(table, self.paths[CATEGORY]).is_valid().to_numpy()
        for number in np.flatnonzero(suspects):
            wrapped[number] = may_hold_record(lines[number], categorised=bool(categorised[number]))
        return wrapped


_DEFAULT_TYPES = {
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
}


def document_layout(
    sample: Sequence[dict[str, Any]], wanted: frozenset[str], documents: Documents
) -> DocumentLayout | None:
    """Return the layout of ECS documents like these; None when Arrow cannot read them."""
    root: tuple[str, ...] = ("_source",) if all(isinstance(r.get("_source"), dict) for r in sample) else ()
    bodies = [r["_source"] if root else r for r in sample]
    logs = [body for body in bodies if not body.keys().isdisjoint(_OF_A_LOG)]
    of_kinds = fields_of_kinds(map(flatten, logs)) | (fields_like(logs) if logs else frozenset())
    fields = sorted({*wanted, *DATASET_FIELDS, CATEGORY, *of_kinds} - {INDEX})
    tree: Tree = {}
    paths: dict[str, tuple[str, ...]] = {}
    for field in fields:
        path = _planted(field, bodies, tree, root)
        if path is None:
            return None
        paths[field] = path
    if root and not plant(tree, ("_index",), pa.string()):
        return None
    if root:
        paths[INDEX] = ("_index",)
    times = _times(bodies)
    spare: list[tuple[str, ...]] = []
    for name in times or ():
        path = _planted(name, bodies, tree, root)
        if path is None or pa.types.is_list(dig(tree, path)):
            return None
        spare.append(path)
    if times is None:
        return None
    strange = [
        (*above, *path)
        for above in dict.fromkeys(((), root))
        for path in (*_OF_WINDOWS, *telltales())
        if plant(tree, (*above, *path), pa.string())
    ]
    if logs and paths[_CHANNEL][-1] != _CHANNEL and dig(tree, (*root, *_EVENT_DATA)) is None:
        plant(tree, (*root, *_EVENT_DATA), {})  # an object of which nothing is read yet
    return DocumentLayout(tree, root, paths, strange, _logged(tree, root), bool(logs), spare, wanted, documents)


def _planted(
    field: str, bodies: list[dict[str, Any]], tree: Tree, root: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Add a field to the members read, and return its path; None when its values share no type or place."""
    place = _place_of(field, bodies)
    if place is None:
        return None
    path, values = place
    kind = _type_of(field, values)
    return (*root, *path) if kind is not None and plant(tree, (*root, *path), kind) else None


def _times(bodies: list[dict[str, Any]]) -> list[str] | None:
    """Return the fields in which documents without `@timestamp` have their time, in order of precedence.

    None where a day and a time of day may stand in two of them.
    """
    names = {time.name for body in bodies if TIMESTAMP not in body for time in named_times(flatten(body))}
    return None if has_time_of_day(names) else [time.name for time in named_times(dict.fromkeys(names))]


def _logged(tree: Tree, root: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return where documents of Windows' logs have what shows them, an object even if nothing of it is read."""
    paths = [(*root, name) for name in _OF_A_LOG]
    for path in paths:
        if dig(tree, path) is None:
            plant(tree, path, pa.struct([]) if path[-1] == "winlog" else pa.string())
    return paths


def _place_of(field: str, bodies: list[dict[str, Any]]) -> tuple[tuple[str, ...], list[Any]] | None:
    """Find a field as `a.b`, or as b inside a; both ways in one sample is beyond one column."""
    nested_path = tuple(field.split(".")) if not field.startswith("@") else (field,)
    dotted = [body[field] for body in bodies if field in body] if "." in field else []
    nested = [value for body in bodies if (value := dig(body, nested_path)) is not None]
    mixed = any(isinstance(body, dict) and _has_mixed_path(body, nested_path) for body in bodies)
    if mixed or (dotted and nested):
        return None
    if dotted:
        return (field,), dotted
    return nested_path, nested


def _has_mixed_path(body: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Return whether a prefix of the path is itself written with dots, as in {"process.parent": {"name": …}}."""
    return any(isinstance(body.get(".".join(path[:length])), dict) for length in range(2, len(path))) or any(
        isinstance(inner := dig(body, path[:depth]), dict) and ".".join(path[depth:]) in inner
        for depth in range(1, len(path) - 1)
    )


def _type_of(field: str, values: list[Any]) -> pa.DataType | None:
    """Return the Arrow type that all sampled values share; the schema's when there are none."""
    known = default_schema().find(field)
    kind = type_of(values, _DEFAULT_TYPES.get(known.type, pa.string()) if known else pa.string())
    if known is None or kind is None:
        return kind
    if known.type is FieldType.DOUBLE:
        kind = {pa.int64(): pa.float64(), pa.list_(pa.int64()): pa.list_(pa.float64())}.get(kind, kind)
    return pa.list_(kind) if known.many and not values else kind
