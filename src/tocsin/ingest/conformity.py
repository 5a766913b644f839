"""Whether a document fits the mapping of its index, by the rules of Elasticsearch's document parser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tocsin.addresses import number_of
from tocsin.ecs import TIMESTAMP, Field, FieldType
from tocsin.sources.batch import flatten
from tocsin.store.columns.values import converter
from tocsin.store.mappings.index_mapping import IndexMapping

_CHECKED = frozenset({FieldType.DATE, FieldType.LONG, FieldType.DOUBLE, FieldType.BOOLEAN, FieldType.IP})
_SHOWN = 200  # characters of a value in an error


class Misfit(NamedTuple):
    """Why a document does not fit, in the words that Elasticsearch's clients know."""

    kind: str
    reason: str


_Check = Callable[[Any], Misfit | None]


def misfit(document: Mapping[str, Any], mapping: IndexMapping) -> Misfit | None:
    """Return why a document does not fit a mapping, None when it does."""
    if not mapping.body:
        return None
    checks: dict[str, _Check | None] = mapping.checks
    for name, value in flatten(document).items():
        if name not in checks:
            checks[name] = _check_of(name, mapping)
        check = checks[name]
        if check is not None:
            wrong = check(value)
            if wrong is not None:
                return wrong
    return None


def _check_of(name: str, mapping: IndexMapping) -> _Check | None:
    known = mapping.find(name)
    if known is None and name != TIMESTAMP:
        dynamic = mapping.dynamic_of(name)
        if dynamic == "strict":
            parent, _, leaf = name.rpartition(".")
            reason = f"mapping set to strict, dynamic introduction of [{leaf}] within [{parent or '_doc'}]"
            return _always(Misfit("strict_dynamic_mapping_exception", f"{reason} is not allowed"))
        if dynamic == "disabled":
            return None
    reason = mapping.refusal_of_name(name)
    if reason:
        return _always(Misfit("document_parsing_exception", reason))
    if known is None or known.mapped is None:
        return None
    if known.mapped.value is not None:
        return _same(known, known.mapped.value)
    if known.mapped.ignore_malformed or known.type not in _CHECKED:
        return None
    return _fits(known)


def _always(wrong: Misfit) -> _Check:
    return lambda value: wrong


def _same(known: Field, expected: str) -> _Check:
    def check(value: Any) -> Misfit | None:
        if all(str(single) == expected for single in _each(value)):
            return None
        return Misfit(
            "document_parsing_exception",
            f"[constant_keyword] field [{known.name}] only accepts values that are equal to the value defined in "
            f"the mappings [{expected}], but got [{str(value)[:_SHOWN]}]",
        )

    return check


def _fits(known: Field) -> _Check:
    assert known.mapped is not None
    convert = _address if known.type is FieldType.IP else converter(known)
    kind = known.mapped.type

    def check(value: Any) -> Misfit | None:
        for single in _each(value):
            if convert(single) is None:
                shown = str(single)[:_SHOWN]
                reason = (
                    f"failed to parse field [{known.name}] of type [{kind}]. Preview of field's value: '{shown}'"
                )
                return Misfit("document_parsing_exception", reason)
        return None

    return check


def _each(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [single for item in value for single in _each(item) if single is not None]


def _address(value: Any) -> int | None:
    try:
        return number_of(str(value))
    except ValueError:
        return None
