"""Exceptions: the events that a rule leaves out. Kibana's entries become conditions.

All entries of an item must hold; of several items, one is enough. A missing field fits no entry, and therefore
fits every entry that excludes. In Elasticsearch nested entries look at one object of a list; here, as everywhere
in tocsin, they look at the fields of all its objects together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tocsin.detection.compile import narrowed
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.eql import syntax as s
from tocsin.errors import QueryError
from tocsin.query_dsl.addresses import address_ranges
from tocsin.query_dsl.build import all_of, any_of, exists, terms, wildcard
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.words import words

Values = Callable[[str], Sequence[str]]  # the values of a list, by its id
_OPERATORS = ("included", "excluded")


def exception_condition(items: Iterable[Mapping[str, Any]], context: Context, values: Values) -> s.Expression:
    """Return the condition of the events that any item excludes. Raises QueryError, which names the entry."""
    return any_of(_item(item, context, values) for item in items)


def leaving_out(rule: CompiledRule, condition: s.Expression) -> CompiledRule:
    """Return a rule without the events that meet a condition.

    The commands of a piped query get only the other events, and so does each step of a sequence.
    """
    return replace(rule, statement=narrowed(rule.statement, s.Not(condition)))


def _item(item: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    entries = item.get("entries")
    if not isinstance(entries, list) or not entries:
        raise QueryError("[entries] has to name at least one field")
    return all_of((*_of_systems(item, context), *(_entry(entry, "", context, values) for entry in entries)))


def _of_systems(item: Mapping[str, Any], context: Context) -> list[s.Expression]:
    """Return the condition for the operating systems that an item names, if it names any.

    Kibana looks at these two fields; Elastic Endpoint writes the second.
    """
    systems = item.get("os_types")
    if not isinstance(systems, list) or not systems:
        return []
    names = ("host.os.type", "host.os.name.caseless")
    return [any_of(terms(name, systems, context) for name in names)]


def _entry(entry: Any, prefix: str, context: Context, values: Values) -> s.Expression:
    if not isinstance(entry, dict):
        raise QueryError("[entries] is a list of objects")
    field, kind = entry.get("field"), entry.get("type")
    if not isinstance(field, str) or not field:
        raise QueryError("[entries.field] is missing, or no name")
    name = f"{prefix}{field}"
    if kind == "nested":
        if prefix:
            raise QueryError(f"[{name}] is nested in another nested entry, which cannot be")
        inner = entry.get("entries")
        if not isinstance(inner, list) or not inner:
            raise QueryError(f"[{name}] is nested and has no [entries]")
        return all_of(_entry(nested, f"{name}.", context, values) for nested in inner)
    operator = entry.get("operator", "included")
    if operator not in _OPERATORS:
        raise QueryError(f"[{name}] has the operator `{operator}`; it is included or excluded")
    test = _TESTS.get(str(kind))
    if test is None:
        raise QueryError(f"[{name}] has the type `{kind}`; it is one of {', '.join(sorted((*_TESTS, 'nested')))}")
    condition = test(name, entry, context, values)
    return s.Not(condition) if operator == "excluded" else condition


def _match(name: str, entry: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    return words(name, _value(name, entry), context, phrase=True)


def _match_any(name: str, entry: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    wanted = entry.get("value")
    if not isinstance(wanted, list) or not wanted:
        raise QueryError(f"[{name}] needs a list of values as [value]")
    return any_of(words(name, value, context, phrase=True) for value in wanted)


def _exists(name: str, entry: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    return exists(name)


def _wildcard(name: str, entry: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    return wildcard(name, str(_value(name, entry)))


def _list(name: str, entry: Mapping[str, Any], context: Context, values: Values) -> s.Expression:
    about = entry.get("list")
    if not isinstance(about, dict) or not about.get("id"):
        raise QueryError(f"[{name}] needs the id of a value list as [list.id]")
    wanted = list(values(str(about["id"])))
    if about.get("type") == "text":
        return any_of(words(name, value, context) for value in wanted)
    if about.get("type") == "ip_range":
        return address_ranges(name, wanted)
    return terms(name, wanted, context)


def _value(name: str, entry: Mapping[str, Any]) -> Any:
    value = entry.get("value")
    if value is None or isinstance(value, (list, dict)):
        raise QueryError(f"[{name}] needs one [value]")
    return value


_Test = Callable[[str, Mapping[str, Any], Context, Values], s.Expression]
_TESTS: Mapping[str, _Test] = {
    "match": _match,
    "match_any": _match_any,
    "exists": _exists,
    "wildcard": _wildcard,
    "list": _list,
}
