"""The pipes of an event query, over its matches in order of time: few, so one by one.

`head` and `tail` are Elasticsearch's; `count`, `unique`, `unique_count`, `filter` and `sort` python-eql's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin.addresses import one_spelling
from tocsin.ecs import FieldType, Schema, default_schema
from tocsin.eql import syntax as s
from tocsin.eql.scalar import evaluator
from tocsin.eql.strings import lower


@dataclass(frozen=True)
class Hit:
    """A match on its way through pipes: the fields that pipes read, and what it stands for.

    `added` holds `count`, `percent` and `key` once a counting pipe made them; `event` is None behind `count`.
    """

    event: Any
    values: Mapping[str, Any]
    added: Mapping[str, Any] = field(default_factory=dict)


def pipe_fields(pipes: Sequence[s.Pipe]) -> tuple[str, ...]:
    """Return the event fields that the pipes read."""
    names = (name for pipe in pipes for argument in pipe.arguments for name in s.field_names(argument))
    return tuple(dict.fromkeys(names))


def apply_pipes(pipes: Sequence[s.Pipe], hits: Sequence[Hit], schema: Schema | None = None) -> list[Hit]:
    """Send hits, ordered by time, through the pipes one after the other; an address is one in every spelling."""
    schema = schema or default_schema()
    kinds = ((name, schema.find(name)) for name in pipe_fields(pipes))
    addresses = [name for name, known in kinds if known is not None and known.type is FieldType.IP]
    result = (
        [replace(hit, values=_with_addresses(hit.values, addresses)) for hit in hits] if addresses else list(hits)
    )
    for pipe in pipes:
        result = _PIPES[pipe.name](pipe.arguments, result)
    return result


def _with_addresses(values: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    normalised = dict(values)
    for name in names:
        value = normalised.get(name)
        if isinstance(value, str):
            normalised[name] = one_spelling(value)
        elif isinstance(value, list | tuple):
            normalised[name] = [
                one_spelling(address) if isinstance(address, str) else address for address in value
            ]
    return normalised


def _reader(argument: s.Expression) -> Callable[[Hit], Any]:
    """Return a function from hit to the value of an expression; a bare field keeps all its values."""
    if isinstance(argument, s.FieldRef):
        name = argument.name
        return lambda hit: _plain(hit.added.get(name, hit.values.get(name)))
    names = s.field_names(argument)
    run = evaluator(argument, {name: i for i, name in enumerate(names)})
    return lambda hit: run([_first(hit.added.get(n, hit.values.get(n))) for n in names])


def _plain(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return tuple(value) if len(value) > 1 else _first(value)
    return value if isinstance(value, Hashable) else str(value)


def _first(value: Any) -> Any:
    return (value[0] if value else None) if isinstance(value, list | tuple) else value


def _head(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    return hits[: _number(arguments)]


def _tail(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    return hits[-_number(arguments) :]


def _number(arguments: Sequence[s.Expression]) -> int:
    literal = arguments[0]
    if not isinstance(literal, s.Literal) or not isinstance(literal.value, int):
        raise TypeError("the checker lets only whole numbers through")
    return literal.value


def _filter(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    holds = _reader(arguments[0])
    return [hit for hit in hits if holds(hit) is True]


def _groups(arguments: Sequence[s.Expression], hits: list[Hit]) -> dict[tuple[Any, ...], list[Hit]]:
    readers = [_reader(argument) for argument in arguments]
    groups: dict[tuple[Any, ...], list[Hit]] = {}
    for hit in hits:
        groups.setdefault(tuple(read(hit) for read in readers), []).append(hit)
    return groups


def _unique(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    return [group[0] for group in _groups(arguments, hits).values()]


def _unique_count(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    return [
        replace(group[0], added={"count": len(group), "percent": len(group) / len(hits), "key": list(key)})
        for key, group in _groups(arguments, hits).items()
    ]


def _count(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    if not arguments:
        return [Hit(None, {}, {"count": len(hits), "percent": 1.0, "key": ["totals"]})]
    counted = [replace(hit, event=None, values={}) for hit in _unique_count(arguments, hits)]
    return sorted(counted, key=lambda hit: (hit.added["count"], [_rank(v) for v in hit.added["key"]]))


def _sort(arguments: Sequence[s.Expression], hits: list[Hit]) -> list[Hit]:
    readers = [_reader(argument) for argument in arguments]
    return sorted(hits, key=lambda hit: [_rank(read(hit)) for read in readers])


def _rank(value: Any) -> tuple[int, Any]:
    """Order nulls first, then numbers, then text without regard to case."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    if isinstance(value, tuple):
        return (3, [_rank(v) for v in value])
    return (2, lower(str(value)))


_PIPES: Mapping[str, Callable[[Sequence[s.Expression], list[Hit]], list[Hit]]] = {
    "head": _head,
    "tail": _tail,
    "filter": _filter,
    "unique": _unique,
    "unique_count": _unique_count,
    "count": _count,
    "sort": _sort,
}
