"""Lists of values as Kibana shows them, and what may be a value of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.addresses import canonical, range_text, span_of, spelled
from tocsin.api.answers import bad_request
from tocsin.api.kibana.exception_objects import managed
from tocsin.store.records.models import ListedValue, ValueList


def _number(text: str) -> str:
    float(text)
    return text


def _addresses(text: str) -> str:
    """Return a block or a range (`10.0.0.1-10.0.0.9`), as Kibana's lists of the type ip_range take them."""
    low, high = span_of(text)
    return text if "/" in text else range_text((low, high)) if "-" in text else spelled(low)


TYPES: dict[str, Callable[[str], str]] = {
    "keyword": str, "text": str, "date": str, "boolean": str, "ip": canonical, "ip_range": _addresses,
    **dict.fromkeys(("long", "integer", "short", "byte", "double", "float"), _number),
}  # fmt: skip


def shown(found: ValueList) -> dict[str, Any]:
    """Return a list as Kibana shows it."""
    return {
        "description": "", "immutable": False, "version": 1, **found.document, "id": found.id, "type": found.type,
        **managed(found),
    }  # fmt: skip


def shown_value(found: ListedValue, kind: str) -> dict[str, Any]:
    """Return a value as Kibana shows it; `kind` is the type of its list."""
    return {
        "id": found.id, "list_id": found.list_id, "value": found.value, "type": kind, "_version": "",
        "tie_breaker_id": found.id, "created_at": found.created.isoformat(), "created_by": found.created_by,
        "updated_at": found.created.isoformat(), "updated_by": found.created_by,
    }  # fmt: skip


def checked_value(kind: str, value: Any) -> str:
    """Return a value as a list of some type keeps it. Raises ApiError."""
    try:
        return TYPES[kind](str(value).strip())
    except ValueError:
        raise bad_request(f"`{value}` is no value of a list of the type {kind}", "invalid_value") from None


def required_text(body: dict[str, Any], name: str) -> str:
    """Return a member of a body that has to be a text. Raises ApiError."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad_request(f"[request body]: {name}: Required")
    return value
