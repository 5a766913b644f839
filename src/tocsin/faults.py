"""What is wrong with a value, in plain words: the faults that pydantic finds, with their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_Fault = Mapping[str, Any]
_LONGEST = 40  # characters of a value that is repeated


def field_of(fault: _Fault) -> str:
    """Return the field of a fault as one writes it: `threat[0].tactic.name`; nothing for the whole."""
    name = ""
    for part in fault["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name


def fault_text(fault: _Fault) -> str:
    """Return what is wrong, to follow the field's name: `is 210, and may be at most 100`.

    `fault` is one of `ValidationError.errors()`; a type of fault that the table lacks has pydantic's words.
    """
    say = _TEXTS.get(fault["type"])
    if say is None:
        message = str(fault["msg"])
        return f"{message[:1].lower()}{message[1:]}"
    return say(fault)


def _must_be(what: str) -> Callable[[_Fault], str]:
    return lambda fault: f"is {_shown(fault.get('input'))}, and must be {what}"


def _limit(words: str, key: str) -> Callable[[_Fault], str]:
    return lambda fault: f"is {_shown(fault.get('input'))}, and must be {words} {fault['ctx'][key]}"


def _choice(fault: _Fault) -> str:
    return f"is {_shown(fault.get('input'))}, and must be {fault['ctx']['expected']}"


def _too_short(fault: _Fault) -> str:
    least = fault["ctx"]["min_length"]
    return "is empty" if least == 1 else f"is {_shown(fault.get('input'))}, and must be at least {least} long"


def _error(fault: _Fault) -> str:
    return str(fault["ctx"]["error"])


def _shown(value: Any) -> str:
    """Return a value as a person would write it, a long one cut."""
    names = {True: "true", False: "false", None: "empty"}
    if value is None or isinstance(value, bool):
        return names[value]
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    text = f"`{value}`" if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_TEXT, _WHOLE, _NUMBER, _LIST, _TABLE = "a text", "a whole number", "a number", "a list", "a table of fields"
_TEXTS: dict[str, Callable[[_Fault], str]] = {
    "missing": lambda _: "is missing",
    "extra_forbidden": lambda _: "is no setting",
    "string_type": _must_be(_TEXT),
    "int_type": _must_be(_WHOLE),
    "int_parsing": _must_be(_WHOLE),
    "int_from_float": _must_be(_WHOLE),
    "float_type": _must_be(_NUMBER),
    "float_parsing": _must_be(_NUMBER),
    "finite_number": _must_be(_NUMBER),
    "bool_type": _must_be("true or false"),
    "bool_parsing": _must_be("true or false"),
    "list_type": _must_be(_LIST),
    "tuple_type": _must_be(_LIST),
    "set_type": _must_be(_LIST),
    "dict_type": _must_be(_TABLE),
    "model_type": _must_be(_TABLE),
    "model_attributes_type": _must_be(_TABLE),
    "path_type": _must_be("a path"),
    "literal_error": _choice,
    "enum": _choice,
    "greater_than": _limit("more than", "gt"),
    "greater_than_equal": _limit("at least", "ge"),
    "less_than": _limit("less than", "lt"),
    "less_than_equal": _limit("at most", "le"),
    "string_too_short": _too_short,
    "too_short": _too_short,
    "string_too_long": lambda fault: f"is longer than {fault['ctx']['max_length']} characters",
    "value_error": _error,
}
