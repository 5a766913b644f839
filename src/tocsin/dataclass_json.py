"""Dataclasses as JSON and back, held against their annotations: a format that holds values and no code.

What is read back is what the annotations say or an EncodingError, whatever stands in a file: no name in it chooses
what is called, and only the classes that the annotations of the outermost one lead to are made. So hostile bytes
do no more than any other value of these types.

A dataclass that an annotation names alone is written in place, as the list of its fields. One of several (`A | B`)
is a row of a table of its own, with the number of its class in front, and stands where it is used as the number of
its row. Rows refer to earlier rows alone, so that values share parts and are never circular.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ForwardRef, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import orjson

_Value = TypeVar("_Value")
_Convert = Callable[[Any], Any]
_SCALARS = (type(None), bool, int, float, str)


class EncodingError(ValueError):
    """A value that JSON cannot hold, or JSON that is no value of the type."""


class Form(NamedTuple):
    """How values of a type of one's own are written as JSON, and read back."""

    write: _Convert
    read: _Convert


class DataclassJson(Generic[_Value]):
    """Writes and reads values of one type; `forms` are those of types that are no dataclasses.

    Annotations may name dataclasses (generic ones with what they are of), enumerations, scalars, `Literal`,
    tuples, lists, frozen sets, mappings and unions of scalars or of dataclasses, each also with None. `aliases`
    are types by the quoted names under which they refer to themselves. Raises TypeError for others.
    """

    def __init__(
        self,
        kind: type[_Value],
        forms: Mapping[type, Form] | None = None,
        aliases: Mapping[str, Any] | None = None,
    ) -> None:
        self._forms, self._aliases = dict(forms or {}), dict(aliases or {})
        self._kind = kind
        self._known: dict[Any, Form] = {}
        self._unfinished: dict[Any, list[Form]] = {}
        self._members: dict[type, Any] = {}  # classes of the rows, in the order of their numbers, and their hints
        self._places: dict[type, int] = {}  # those numbers
        self._rows: list[Any] = []  # those of the value that is being written or read
        self._numbers: dict[int, int] = {}  # id of a value that is being written -> its row
        self._root = self._form_of(kind)

    def encode(self, value: _Value) -> bytes:
        """Return a value as JSON. Raises EncodingError for what JSON cannot hold."""
        self._rows, self._numbers = [], {}
        try:
            root = self._root.write(value)
            return orjson.dumps([self._rows, root], option=orjson.OPT_PASSTHROUGH_DATETIME)
        except (TypeError, ValueError) as error:
            raise EncodingError(str(error)) from None
        finally:
            self._rows, self._numbers = [], {}

    def decode(self, data: bytes) -> _Value:
        """Return the value that JSON holds. Raises EncodingError for anything but a value of the type."""
        made = self._rows = []
        try:
            rows, root = orjson.loads(data)
            readers = [self._known[kind].read for kind in self._members.values()]
            for number, *values in rows:
                made.append(readers[_place(number)](values))
            value: _Value = self._root.read(root)
        except (TypeError, ValueError, LookupError) as error:
            raise EncodingError(str(error)) from None
        finally:
            self._rows = []
        return value

    # ---- types

    def _form_of(self, hint: Any) -> Form:
        form = self._known.get(hint)
        if form is not None:
            return form
        if hint in self._unfinished:
            # A type that refers to itself. Its form is there before the first value is, and is not looked up by
            # the type for each: a type of many classes takes long to hash.
            later = self._unfinished[hint]
            return Form(lambda value: later[0].write(value), lambda value: later[0].read(value))
        unfinished = self._unfinished[hint] = list[Form]()
        form = self._known[hint] = self._make_form(hint)
        unfinished.append(form)
        return form

    def _make_form(self, hint: Any) -> Form:
        origin, arguments = get_origin(hint), get_args(hint)
        if hint in self._forms:
            return self._forms[hint]
        if isinstance(hint, ForwardRef) and hint.__forward_arg__ in self._aliases:
            return self._form_of(self._aliases[hint.__forward_arg__])
        if hint in _SCALARS:
            return _scalar((hint,))
        if origin is Literal:
            return _one_of(arguments)
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin is tuple and arguments[-1] is not Ellipsis:
            return self._fixed(arguments)
        if origin in (tuple, list, frozenset):
            return self._many(origin, arguments[0])
        if origin in (dict, Mapping):
            return self._mapping(*arguments)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return Form(lambda value: value.value, hint)
        kind = _dataclass_of(hint)
        if kind is not None:
            return self._dataclass(kind, _hints(hint))
        raise TypeError(f"{hint} has no form in JSON")

    def _union(self, members: tuple[Any, ...]) -> Form:
        if all(member in _SCALARS for member in members):
            return _scalar(members)
        others = tuple(member for member in members if member is not type(None))
        if len(others) < len(members):
            write, read = self._form_of(others[0]) if len(others) == 1 else self._union(others)
            return Form(
                lambda value: None if value is None else write(value),
                lambda value: None if value is None else read(value),
            )
        classes = [kind for member in members if (kind := _dataclass_of(member)) is not None]
        if len(classes) < len(members):
            raise TypeError(f"{members} are neither scalars nor dataclasses")
        for kind, member in zip(classes, members, strict=True):
            if self._members.setdefault(kind, member) != member:
                raise TypeError(f"no value says whether it is {member} or {self._members[kind]}")
            self._places.setdefault(kind, len(self._places))
            self._form_of(member)
        allowed = frozenset(classes)

        def held(value: Any) -> Any:
            if type(value) not in allowed:
                raise TypeError(f"{type(value)} where it cannot stand")
            return value

        return Form(lambda value: self._write_row(held(value)), lambda number: held(self._rows[_place(number)]))

    def _fixed(self, hints: tuple[Any, ...]) -> Form:
        writers, readers = zip(*map(self._form_of, hints), strict=True)
        return Form(
            lambda value: [write(item) for write, item in zip(writers, value, strict=True)],
            lambda value: tuple([read(item) for read, item in zip(readers, _list(value), strict=True)]),
        )

    def _many(self, container: type, hint: Any) -> Form:
        write, read = self._form_of(hint)
        return Form(
            lambda value: [write(item) for item in value],
            lambda value: container([read(item) for item in _list(value)]),
        )

    def _mapping(self, key: Any, hint: Any) -> Form:
        (write_key, read_key), (write, read) = self._form_of(key), self._form_of(hint)
        return Form(
            lambda value: [[write_key(name), write(item)] for name, item in value.items()],
            lambda value: {read_key(name): read(item) for name, item in map(_list, _list(value))},
        )

    def _dataclass(self, kind: type[Any], hints: Mapping[str, Any]) -> Form:
        names = tuple(field.name for field in dataclasses.fields(kind))
        writers, readers = zip(*(self._form_of(hints[name]) for name in names), strict=True)

        def write(value: Any) -> list[Any]:
            if type(value) is not kind:
                raise TypeError(f"{type(value)} is not {kind}")
            return [write(getattr(value, name)) for name, write in zip(names, writers, strict=True)]

        def read(values: Any) -> Any:
            return kind(*[read(value) for read, value in zip(readers, _list(values), strict=True)])

        return Form(write, read)

    def _write_row(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            kind = self._members[type(value)]
            row = [self._places[type(value)], *self._known[kind].write(value)]
            number = self._numbers[id(value)] = len(self._rows)
            self._rows.append(row)
        return number


def _scalar(kinds: tuple[type, ...]) -> Form:
    allowed = frozenset(kinds)

    def write(value: Any) -> Any:
        if type(value) not in allowed or (type(value) is float and not math.isfinite(value)):
            raise TypeError(f"JSON holds no {value!r}")
        return value

    def read(value: Any) -> Any:
        if type(value) not in allowed:
            raise TypeError(f"{value!r} where it cannot stand")
        return value

    return Form(write, read)


def _one_of(values: tuple[Any, ...]) -> Form:
    def same(value: Any) -> Any:
        if value not in values:
            raise TypeError(f"{value!r} where it cannot stand")
        return value

    return Form(same, same)


def _dataclass_of(hint: Any) -> type | None:
    """Return the dataclass that a hint names, without what a generic one is of."""
    kind = get_origin(hint) or hint
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def _hints(hint: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields, those that it inherits too, with what generic ones are of."""
    kind = get_origin(hint) or hint
    given = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=True))
    hints: dict[str, Any] = {}
    for base in reversed(vars(kind).get("__orig_bases__", kind.__bases__)):
        if _dataclass_of(base) is not None:
            hints |= _hints(base)
    for name, field in inspect.get_annotations(kind, eval_str=True).items():
        if isinstance(field, TypeVar):
            hints[name] = given[field]
        else:
            parameters = getattr(field, "__parameters__", ())
            hints[name] = field[tuple(given[parameter] for parameter in parameters)] if parameters else field
    return hints


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"{value!r} is no list")
    return value


def _place(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no number of a row")
    return value
