"""Conditions of an exception as rows of a form, and as Kibana's entries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.api.answers import bad_request
from tocsin.desk.forms import Fields, field
from tocsin.desk.translations import N_
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.nesting import is_too_deep

_MOST = 200  # rows of a form
_LARGEST_NUMBER = 99_999  # of a row: each that a page adds has the next one


@dataclass(frozen=True)
class Operator:
    """A choice of how a field is compared: Kibana's words, and its entry's type and operator."""

    label: str
    type: str
    excluded: bool = False


OPERATORS: Mapping[str, Operator] = {
    "is": Operator(N_("is"), "match"),
    "is_not": Operator(N_("is not"), "match", excluded=True),
    "is_one_of": Operator(N_("is one of"), "match_any"),
    "is_not_one_of": Operator(N_("is not one of"), "match_any", excluded=True),
    "exists": Operator(N_("exists"), "exists"),
    "does_not_exist": Operator(N_("does not exist"), "exists", excluded=True),
    "matches": Operator(N_("matches"), "wildcard"),
    "does_not_match": Operator(N_("does not match"), "wildcard", excluded=True),
    "in_list": Operator(N_("is in list"), "list"),
    "not_in_list": Operator(N_("is not in list"), "list", excluded=True),
    # Several fields of one object of a list; written as JSON.
    "nested": Operator(N_("has (nested)"), "nested"),
}
OPERATOR_NAMES = {(operator.type, operator.excluded): name for name, operator in OPERATORS.items()}


@dataclass(frozen=True)
class ConditionRow:
    """A condition as a form has it. Values of `is one of` are lines, or a JSON list where one has lines itself.

    `used` tells whether it is chosen; `suggestions` are further values that the event has.
    """

    field: str
    operator: str = "is"
    value: str = ""
    list_id: str = ""
    used: bool = True

    @property
    def kind(self) -> str:
        """The type of its entry."""
        return OPERATORS[self.operator].type

    @property
    def values(self) -> list[str]:
        """The values that it names."""
        if self.kind != "match_any":
            return [self.value]
        text = self.value.strip()
        if text.startswith("["):
            try:
                read = json.loads(text)
            except (ValueError, RecursionError):
                read = None
            if isinstance(read, list) and not any(isinstance(value, list | dict) for value in read):
                return [str(value) for value in read]
        return [line for line in (line.strip() for line in text.split("\n")) if line]

    def entry(self, list_types: Mapping[str, str]) -> dict[str, Any]:
        """Return its entry. Raises ApiError for one without a field, or with a nested part that cannot be read."""
        operator = OPERATORS[self.operator]
        if not self.field:
            raise bad_request("a condition names no field: choose one, or take the condition away")
        about: dict[str, Any] = {"field": self.field, "type": operator.type}
        if operator.type == "nested":
            return about | {"entries": _inner(self)}
        about["operator"] = "excluded" if operator.excluded else "included"
        if operator.type in ("match", "wildcard"):
            if not self.value:
                raise bad_request(f"{self.field}: the value is empty; choose `exists` for any value")
            about["value"] = self.value
        elif operator.type == "match_any":
            about["value"] = self.values
        elif operator.type == "list":
            if self.list_id not in list_types:
                raise bad_request(f"{self.field}: choose a list of values")
            about["list"] = {"id": self.list_id, "type": list_types[self.list_id]}
        return about


def _inner(row: ConditionRow) -> list[Any]:
    try:
        entries = json.loads(row.value)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"{row.field}: the nested conditions are no JSON: {error}") from None
    if not isinstance(entries, list) or is_too_deep(entries, row.value.encode()):
        raise bad_request(f"{row.field}: nested conditions are a JSON list of entries")
    return entries


def row_of_value(name: str, value: Any, *, used: bool) -> ConditionRow:
    """Return the row in which a field is what an event has in it."""
    values = value if isinstance(value, list) else [value]
    texts = [_written(each) for each in values]
    if len(texts) == 1:
        return ConditionRow(name, "is", texts[0], used=used)
    return ConditionRow(name, "is_one_of", _lines(texts), used=used)


def row_of_entry(entry: Mapping[str, Any]) -> ConditionRow:
    """Return the row of a saved entry."""
    kind, excluded = str(entry.get("type")), entry.get("operator") == "excluded"
    name = OPERATOR_NAMES.get((kind, excluded and kind != "nested"), "is")
    about = entry.get("list")
    if kind == "nested":
        value = json.dumps(entry.get("entries"), ensure_ascii=False)
    elif isinstance(entry.get("value"), list):
        value = _lines([_written(each) for each in entry["value"]])
    else:
        value = _written(entry.get("value", ""))
    return ConditionRow(
        str(entry.get("field", "")), name, value, str(about.get("id", "")) if isinstance(about, dict) else ""
    )


def read_rows(form: Fields) -> list[ConditionRow]:
    """Return the rows of a form: `field-0`, `operator-0`, `value-0`, `list-0`, and `use-0` for one that is chosen.

    Raises ApiError.
    """
    numbers = [
        number
        for name in form
        if name.startswith("field-") and (number := read_whole_number(name[6:], _LARGEST_NUMBER)) is not None
    ]
    if len(numbers) > _MOST:
        raise bad_request(f"an exception has at most {_MOST} conditions")
    rows = []
    for number in sorted(numbers):
        operator = field(form, f"operator-{number}") or "is"
        if operator not in OPERATORS:
            raise bad_request(f"there is no operator `{operator}`")
        rows.append(
            ConditionRow(
                field(form, f"field-{number}").strip(),
                operator,
                field(form, f"value-{number}").replace("\r\n", "\n"),
                field(form, f"list-{number}"),
                f"use-{number}" in form,
            )
        )
    return rows


def entries_of(
    rows: Sequence[ConditionRow], list_types: Mapping[str, str], event: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Return the entries of the rows that are chosen. Raises ApiError where none is.

    Browsers change the ends of lines in what they send: a value that differs from the event's in these alone is
    that of the event.
    """
    entries = [row.entry(list_types) for row in rows if row.used]
    if not entries:
        raise bad_request("choose at least one condition")
    for entry in entries:
        exact = (event or {}).get(entry["field"])
        if (
            entry["type"] == "match"
            and isinstance(exact, str)
            and _same_lines(exact) == _same_lines(entry["value"])
        ):
            entry["value"] = exact
    return entries


def _same_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(texts: Sequence[str]) -> str:
    plain = all(text.strip() == text and text and "\n" not in text and "\r" not in text for text in texts)
    whole = "\n".join(texts)
    return whole if plain and not whole.startswith("[") else json.dumps(texts, ensure_ascii=False)
