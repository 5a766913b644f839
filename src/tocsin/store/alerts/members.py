"""What columns of alerts are made of: the members of documents that hold some fields; all fields' names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from tocsin.sources.batch import flatten
from tocsin.store.alerts.arrays import joined, with_dictionary
from tocsin.store.alerts.documents import AlertDocument
from tocsin.store.columns.documents import to_table
from tocsin.store.columns.fields import IGNORED, IndexFields
from tocsin.store.columns.layout import ObservedLayout
from tocsin.store.columns.tables import stored_columns

_AT_ONCE = 2048  # documents that become a table together


_Tree = dict[str | None, "_Tree"]  # members by their names; with None what has been a value


class FieldNames:
    """Learns which fields documents have, and of which types, into the fields of an index."""

    def __init__(self, fields: IndexFields) -> None:
        self._fields = fields
        self._known: _Tree = {}

    def learn(self, document: Mapping[str, Any]) -> None:
        """Take the fields of a document into account."""
        if _has_members(self._known, document):
            return
        for name, value in flatten(document).items():
            with self._fields.lock:
                self._fields.type_of(name, lambda value=value: value)  # type: ignore[misc]
        _add_members(self._known, document)


def _has_members(tree: _Tree, document: Mapping[str, Any]) -> bool:
    """Return whether a tree has every member of a document that has a value."""
    for name, value in document.items():
        below, kind = tree.get(name), type(value)
        if kind is dict:
            if below is None or not _has_members(below, value):
                return False
        elif kind is list:
            if not _has_values(tree, name, value):
                return False
        elif value is not None and (below is None or None not in below):
            return False
    return True


def _has_values(tree: _Tree, name: str, values: Sequence[Any]) -> bool:
    below = tree.get(name)
    if below is not None and None in below and {*map(type, values)}.isdisjoint((dict, list)):
        return True
    return all(_has_members(tree, {name: value}) for value in values)


def _add_members(tree: _Tree, document: Mapping[str, Any]) -> None:
    for name, value in document.items():
        if isinstance(value, dict):
            _add_members(tree.setdefault(name, {}), value)
        elif isinstance(value, list):
            for item in value:
                _add_members(tree, {name: item})
        elif value is not None:
            tree.setdefault(name, {})[None] = {}


class _Entry(NamedTuple):
    """Some members of a document, as a table is made of them."""

    id: str
    time: int
    ingested: int
    source: bytes


class ColumnBuilder:
    """Makes columns of some fields, row by row of documents."""

    def __init__(self, names: Collection[str], fields: IndexFields) -> None:
        self._names = names
        # Members that hold a few fields are laid out alike in documents that are not.
        self._fields = replace(fields, layout=ObservedLayout())
        # Only the whole of a document tells which of its values do not fit.
        self._members = None if IGNORED in names else _tree_of(names)
        self._entries: list[_Entry] = []
        self._tables: list[tuple[int, dict[str, pa.Array]]] = []

    def add(self, document: AlertDocument, parsed: Mapping[str, Any]) -> None:
        """Take up a document as the next row."""
        wanted = parsed if self._members is None else _members(self._members, parsed)
        # An alert's own time is that of its making, as its `@timestamp` has it.
        self._entries.append(_Entry(document.id, document.created, document.created, orjson.dumps(wanted)))
        if len(self._entries) == _AT_ONCE:
            self._make_table()

    def _make_table(self) -> None:
        table = to_table(self._entries, self._fields)
        names = stored_columns(self._names, table.column_names)
        columns = {name: with_dictionary(joined(table.column(name).chunks)) for name in names}
        self._tables.append((table.num_rows, columns))
        self._entries = []

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns of all rows, by their names in tables."""
        if self._entries:
            self._make_table()
        return stacked(self._tables)


def stacked(tables: Collection[tuple[int, Mapping[str, pa.Array]]]) -> dict[str, pa.Array]:
    """Return the columns of tables, with how many rows each has, one below the other."""
    types = {
        name: array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        for _, columns in tables
        for name, array in columns.items()
    }
    return {
        name: joined([columns[name] if name in columns else pa.nulls(rows, kind) for rows, columns in tables])
        for name, kind in types.items()
    }


def _tree_of(fields: Iterable[str]) -> _Tree:
    """Return the members that may hold some fields: a name's parts may lie in one another, or be one member's."""
    tree: _Tree = {}
    below: dict[str, list[str]] = {}
    for name in fields:
        tree.setdefault(name, {})
        parts = name.split(".")
        for end in range(1, len(parts)):
            below.setdefault(".".join(parts[:end]), []).append(".".join(parts[end:]))
    for name, rest in below.items():
        tree[name] = _tree_of(rest)
    return tree


def _members(tree: _Tree, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return those members of a document that are in a tree and have a value."""
    members: dict[str, Any] = {}
    for name, below in tree.items():
        value = document.get(name)  # type: ignore[arg-type]
        if isinstance(value, dict):
            value = _members(below, value)
        if value is not None and value != [] and value != {}:
            members[name] = value  # type: ignore[index]
    return members
