"""Value lists: their documents in Kibana's form, and the values that each type allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from tocsin.addresses import canonical, range_text, span_of, spelled
from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.management.exceptions.documents import managed
from tocsin.moments import iso
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor
from tocsin.store.records.models import ListedValue, ValueList

_MOST = 1_000_000  # values that are imported at once


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


def value_list_document(value_list: ValueList) -> dict[str, Any]:
    """Return a list in Kibana's form."""
    return {
        "description": "", "version": 1, **value_list.document, "immutable": False, "id": value_list.id,
        "type": value_list.type, **managed(value_list),
    }  # fmt: skip


def value_document(listed: ListedValue, kind: str) -> dict[str, Any]:
    """Return a value in Kibana's form; `kind` is the type of its list."""
    return {
        "id": listed.id, "list_id": listed.list_id, "value": listed.value, "type": kind, "_version": "",
        "tie_breaker_id": listed.id, "created_at": iso(listed.created), "created_by": listed.created_by,
        "updated_at": iso(listed.created), "updated_by": listed.created_by,
    }  # fmt: skip


def check_type(kind: str) -> None:
    """Raise InvalidError for a text that is no type of value lists."""
    if kind not in TYPES:
        raise InvalidError(f"[type] is one of {', '.join(TYPES)}")


def checked_value(kind: str, value: Any) -> str:
    """Return a value as a list of a type keeps it. Raises InvalidError."""
    try:
        return TYPES[kind](str(value).strip())
    except ValueError:
        raise InvalidError(f"`{value}` is no value of a list of the type {kind}") from None


def add_value(session: Session, actor: Actor, value_list: ValueList, value: Any) -> ListedValue:
    """Add a value to a list. Raises InvalidError, and ConflictError if the list has it already."""
    checked = checked_value(value_list.type, value)
    added = records.add_values(session, actor, value_list, [checked])
    listed = records.find_value(session, value_list.id, checked)
    if listed is None:
        raise InvalidError("[value] is empty")
    if not added:
        raise ConflictError(f'list item value: "{checked}" already exists')
    return listed


def change_value(session: Session, actor: Actor, value_list: ValueList, listed: ListedValue, value: str) -> None:
    """Replace a value of a list. Raises InvalidError, and ConflictError if the list has the new one already."""
    records.change_value(session, actor, value_list, listed, checked_value(value_list.type, value))


def remove_value(session: Session, actor: Actor, value_list: ValueList, value: str) -> None:
    """Remove a value from a list. Raises NotFoundError if the list does not have it."""
    if not records.remove_values(session, actor, value_list, [value]):
        raise NotFoundError(f'list item value: "{value}" does not exist')


def import_values(
    session: Session,
    actor: Actor,
    data: bytes,
    value_list: ValueList | None = None,
    *,
    name: str,
    kind: str,
    go_on: Callable[[], None] = lambda: None,
) -> ValueList:
    """Add the lines of a text in UTF-8 to a list; without one, to a new list of a `name` and of the type `kind`.

    Raises InvalidError for a line that is no value of the list's type, and for too many lines. `go_on` is called
    again and again while values are added.
    """
    lines = [line for line in map(str.strip, data.decode("utf-8", "replace").splitlines()) if line]
    if len(lines) > _MOST:
        raise InvalidError(f"the file has more than {_MOST:,} lines")
    if value_list is None:
        check_type(kind)
        about = {"id": name or "values", "name": name or "values", "type": kind}
        value_list = records.add_values_list(session, actor, about)
    of_type = value_list.type
    records.add_values(session, actor, value_list, (checked_value(of_type, line) for line in lines), go_on)
    return value_list
