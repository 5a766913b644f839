"""What may stand at the cursor of a query bar: fields, operators, values and connectives, the likeliest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.desk.translations import N_
from tocsin.ecs import FieldType, Schema
from tocsin.kql.complete import CONNECTIVE, CONNECTIVES, FIELD, OPERATOR, VALUE, TypedPart
from tocsin.kql.write import field_name, written_value

MOST_OPTIONS = 40
MOST_VALUES = 20
_MOST_OTHERS = 500  # values of a type that searches cannot filter by what is typed
_NUMBERS = (FieldType.LONG, FieldType.DOUBLE, FieldType.DATE)
_OPERATORS: Mapping[str, str] = {
    ":": N_("has the value"), ": *": N_("has any value"), "<": N_("is less than"),
    "<=": N_("is at most"), ">": N_("is greater than"), ">=": N_("is at least"),
}  # fmt: skip
_WORD_OF_EQL = re.compile(r"[\w@.?]*$")


@dataclass(frozen=True)
class CompletionOption:
    """What may be chosen: what is shown of it, and the text that takes the place of what is typed."""

    kind: str
    label: str
    text: str
    about: str = ""


def options(
    part: TypedPart, fields: Mapping[str, FieldType], schema: Schema, values: Sequence[Any]
) -> list[CompletionOption]:
    """Return what may stand at a place. `fields` are those that events have, `values` those of the field there."""
    if part.kind == FIELD:
        return field_options(part.text, fields, schema)
    if part.kind == OPERATOR:
        # The name of a field may go on: `host` to `host.name`.
        return [CompletionOption(OPERATOR, sign, f"{sign} ", about) for sign, about in _OPERATORS.items()
                if sign.startswith(part.text)]  # fmt: skip
    if part.kind == VALUE:
        return [CompletionOption(VALUE, str(value), f"{written_value(value)} ") for value in values]
    return [
        CompletionOption(CONNECTIVE, word, f"{word} ")
        for word in CONNECTIVES
        if word.startswith(part.text.lower())
    ]


def field_options(
    text: str, fields: Mapping[str, FieldType], schema: Schema, end: str = ": "
) -> list[CompletionOption]:
    """Return fields whose names hold a text, those that events have first, then by where they hold it."""
    wanted = text.lower()
    known = {name: field.type for name, field in schema.fields.items() if field.type is not FieldType.OBJECT}
    kinds = {**known, **fields}
    names = [name for name in kinds if wanted in name.lower()]
    names.sort(key=lambda name: (name not in fields, *_rank(name, wanted)))
    return [
        CompletionOption(
            FIELD, name, (field_name(name) + (" " if kinds[name] in _NUMBERS else end)) if end else name,
            kinds[name].value if name in fields else N_("no event has it"),
        )
        for name in names[:MOST_OPTIONS]
    ]  # fmt: skip


def _rank(name: str, wanted: str) -> tuple[bool, bool, int, str]:
    """Put what begins with a text first, then names with a part that does, short ones before long ones."""
    lower = name.lower()
    return not lower.startswith(wanted), f".{wanted}" not in lower, len(name) if wanted else 0, name


def typed_in_eql(query: str, cursor: int) -> TypedPart:
    """Return the word that is typed at a place of a query in EQL: a field's name."""
    cursor = max(0, min(cursor, len(query)))
    match = _WORD_OF_EQL.search(query, 0, cursor)
    start = match.start() if match else cursor
    return TypedPart(FIELD, query[start:cursor].lstrip("?"), start, cursor)


def values_search(part: TypedPart, kind: FieldType, since: str, until: str) -> dict[str, Any]:
    """Return the search for values of a field that hold what is typed, within a time."""
    bounds = {name: moment for name, moment in (("gte", since), ("lt", until)) if moment}
    tests: list[dict[str, Any]] = [{"range": {"@timestamp": bounds}}] if bounds else []
    if part.text and kind is FieldType.KEYWORD:
        pattern = re.sub(r"([\\*?])", r"\\\1", part.text.strip("*"))
        tests.append({"wildcard": {part.field: {"value": f"*{pattern}*", "case_insensitive": True}}})
    size = MOST_VALUES if kind is FieldType.KEYWORD else _MOST_OTHERS
    return {
        "size": 0, "track_total_hits": False, "query": {"bool": {"filter": tests}},
        "aggs": {"values": {"terms": {"field": part.field, "size": size}}},
    }  # fmt: skip


def fitting_values(part: TypedPart, buckets: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return the values of a search that hold what is typed, those that begin with it first."""
    wanted = part.text.strip("*").lower()
    keys = [_value_of(bucket) for bucket in buckets]
    fitting = [key for key in keys if wanted in str(key).lower()]
    return sorted(fitting, key=lambda key: not str(key).lower().startswith(wanted))[:MOST_VALUES]


def _value_of(bucket: Mapping[str, Any]) -> Any:
    """Return the value of a bucket; whole numbers without a point, as they are typed."""
    key, text = bucket["key"], bucket.get("key_as_string")
    if text in ("true", "false"):
        return text == "true"
    return int(key) if isinstance(key, float) and key.is_integer() else key if text is None else text
