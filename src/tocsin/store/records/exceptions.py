"""Exception lists, their items, and lists of values, in Kibana's form; rules are read anew when theirs change."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, NotFoundError
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import ExceptionItem, ExceptionList, ListedValue, StoredRule, ValueList

ENDPOINT_LIST = "endpoint_list"  # of Elastic Endpoint, which Elastic's rules name
_AT_ONCE = 5_000  # values that are read or written in one go
_Kept = TypeVar("_Kept", ExceptionList, ExceptionItem)


def list_ids(session: Session) -> set[str]:
    """Return the names of all exception lists."""
    return set(session.scalars(select(ExceptionList.list_id)))


def get_list(session: Session, *, id_: str | None = None, list_id: str | None = None) -> ExceptionList:
    """Return an exception list. Raises NotFoundError."""
    return _get(session, ExceptionList, "exception list", id_, "list_id", list_id)


def get_item(session: Session, *, id_: str | None = None, item_id: str | None = None) -> ExceptionItem:
    """Return an exception. Raises NotFoundError."""
    return _get(session, ExceptionItem, "exception list item", id_, "item_id", item_id)


def _get(session: Session, kind: type[_Kept], what: str, id_: str | None, name: str, value: str | None) -> _Kept:
    """Return what has an id, or else a name."""
    if id_ is not None:
        name, value = "id", id_
    row = session.scalar(select(kind).where(getattr(kind, name) == value))
    if row is None:
        raise NotFoundError(f'{what} {name}: "{value}" does not exist')
    return row


def items_of(session: Session, lists: Collection[str]) -> list[ExceptionItem]:
    """Return the items of some lists, the oldest first."""
    asked = select(ExceptionItem).where(ExceptionItem.list_id.in_(list(lists)))
    return list(session.scalars(asked.order_by(ExceptionItem.created, ExceptionItem.id)))


def add_list(session: Session, actor: Actor, document: Mapping[str, Any]) -> ExceptionList:
    """Keep a new exception list. Raises ConflictError."""
    list_id = str(document.get("list_id") or uuid.uuid4())
    if session.scalar(select(ExceptionList.id).where(ExceptionList.list_id == list_id)):
        raise ConflictError(f'exception list id: "{list_id}" already exists')
    now = datetime.now(UTC)
    exception_list = ExceptionList(
        id=str(uuid.uuid4()), list_id=list_id, document={**document, "list_id": list_id}, created=now,
        created_by=actor.name, updated=now, updated_by=actor.name,
    )  # fmt: skip
    session.add(exception_list)
    session.flush()
    record(session, actor, "exception_list.created", list_id)
    return exception_list


def endpoint_list(session: Session, actor: Actor) -> tuple[ExceptionList, bool]:
    """Return the exception list of Elastic Endpoint, and whether it was made for that."""
    exception_list = session.scalar(select(ExceptionList).where(ExceptionList.list_id == ENDPOINT_LIST))
    if exception_list is not None:
        return exception_list, False
    name = "Endpoint Security Exception List"
    about = {"name": name, "description": name, "type": "endpoint", "namespace_type": "agnostic"}
    return add_list(session, actor, {**about, "list_id": ENDPOINT_LIST}), True


def change_list(
    session: Session, actor: Actor, exception_list: ExceptionList, document: Mapping[str, Any]
) -> None:
    """Give an exception list another document."""
    exception_list.document = {**document, "list_id": exception_list.list_id}
    exception_list.updated, exception_list.updated_by = datetime.now(UTC), actor.name
    record(session, actor, "exception_list.changed", exception_list.list_id)


def copy_list(
    session: Session, actor: Actor, exception_list: ExceptionList, *, expired: bool = True
) -> ExceptionList:
    """Keep a copy of an exception list with its items, without those that have expired unless `expired`."""
    about = {name: value for name, value in exception_list.document.items() if name != "list_id"}
    copy = add_list(session, actor, {**about, "name": f"{about.get('name')} [Duplicate]"})
    now = datetime.now(UTC)
    for item in items_of(session, [exception_list.list_id]):
        if expired or item.expires is None or item.expires > now:
            same = {name: value for name, value in item.document.items() if name != "item_id"}
            add_item(session, actor, {**same, "list_id": copy.list_id}, item.expires)
    return copy


def remove_list(session: Session, actor: Actor, exception_list: ExceptionList) -> None:
    """Remove an exception list and its items."""
    touch_rules(session, [exception_list.list_id])
    session.execute(delete(ExceptionItem).where(ExceptionItem.list_id == exception_list.list_id))
    session.delete(exception_list)
    record(session, actor, "exception_list.removed", exception_list.list_id)


def add_item(
    session: Session, actor: Actor, document: Mapping[str, Any], expires: datetime | None
) -> ExceptionItem:
    """Keep a new exception. Raises ConflictError, and NotFoundError for a list that is not there."""
    list_id = str(document.get("list_id"))
    get_list(session, list_id=list_id)
    item_id = str(document.get("item_id") or uuid.uuid4())
    if session.scalar(select(ExceptionItem.id).where(ExceptionItem.item_id == item_id)):
        raise ConflictError(f'exception list item id: "{item_id}" already exists')
    now = datetime.now(UTC)
    item = ExceptionItem(
        id=str(uuid.uuid4()), item_id=item_id, list_id=list_id, document={**document, "item_id": item_id},
        expires=expires, created=now, created_by=actor.name, updated=now, updated_by=actor.name,
    )  # fmt: skip
    session.add(item)
    session.flush()
    touch_rules(session, [list_id])
    record(session, actor, "exception.created", item_id, list_id=list_id, name=document.get("name"))
    return item


def change_item(
    session: Session, actor: Actor, item: ExceptionItem, document: Mapping[str, Any], expires: datetime | None
) -> None:
    """Give an exception another document."""
    item.document = {**document, "item_id": item.item_id, "list_id": item.list_id}
    item.expires = expires
    item.updated, item.updated_by = datetime.now(UTC), actor.name
    touch_rules(session, [item.list_id])
    record(session, actor, "exception.changed", item.item_id, list_id=item.list_id)


def remove_item(session: Session, actor: Actor, item: ExceptionItem) -> None:
    """Remove an exception."""
    touch_rules(session, [item.list_id])
    session.delete(item)
    record(session, actor, "exception.removed", item.item_id, list_id=item.list_id)


def touch_rules(session: Session, lists: Collection[str]) -> None:
    """Mark the rules that use some exception lists as changed, so that the scheduler reads them again."""
    wanted = set(lists)
    for rule in session.scalars(select(StoredRule)):
        if wanted & set(lists_of(rule.document)):
            rule.changed += 1


def lists_of(document: Mapping[str, Any]) -> list[str]:
    """Return the names of the exception lists that a rule's document names."""
    references = document.get("exceptions_list")
    return (
        [str(reference.get("list_id")) for reference in references if isinstance(reference, dict)]
        if isinstance(references, list)
        else []
    )


# ---- lists of values


def get_values(session: Session, id_: str) -> ValueList:
    """Return a list of values. Raises NotFoundError."""
    value_list = session.get(ValueList, id_)
    if value_list is None:
        raise NotFoundError(f'list id: "{id_}" does not exist')
    return value_list


def get_value(session: Session, id_: str) -> ListedValue:
    """Return a value of a list. Raises NotFoundError."""
    value = session.get(ListedValue, id_)
    if value is None:
        raise NotFoundError(f'list item id: "{id_}" does not exist')
    return value


def values_of(session: Session, id_: str) -> list[str]:
    """Return the values of a list in their order; none for one that there is not."""
    asked = select(ListedValue.value).where(ListedValue.list_id == id_).order_by(ListedValue.value)
    return list(session.scalars(asked.execution_options(yield_per=_AT_ONCE)))


def page_of_values(
    session: Session, id_: str, first: int, most: int, text: str = ""
) -> tuple[list[ListedValue], int]:
    """Return some values of a list, in their order, and how many it has; those that hold a text, in any case."""
    inside = [ListedValue.list_id == id_]
    if text:
        inside.append(ListedValue.value.icontains(text, autoescape=True))
    asked = select(ListedValue).where(*inside).order_by(ListedValue.value).offset(first).limit(most)
    total = session.scalar(select(func.count()).select_from(ListedValue).where(*inside))
    return list(session.scalars(asked)), total or 0


def find_value(session: Session, id_: str, value: str) -> ListedValue | None:
    """Return a value of a list, None where the list has it not."""
    return session.scalar(select(ListedValue).where(ListedValue.list_id == id_, ListedValue.value == value))


def add_values_list(session: Session, actor: Actor, document: Mapping[str, Any]) -> ValueList:
    """Keep a new list of values. Raises ConflictError."""
    id_ = str(document.get("id") or uuid.uuid4())
    if session.get(ValueList, id_) is not None:
        raise ConflictError(f'list id: "{id_}" already exists')
    now = datetime.now(UTC)
    value_list = ValueList(
        id=id_, type=str(document.get("type")), document={**document, "id": id_}, created=now,
        created_by=actor.name, updated=now, updated_by=actor.name,
    )  # fmt: skip
    session.add(value_list)
    session.flush()
    record(session, actor, "value_list.created", id_)
    return value_list


def change_values_list(session: Session, actor: Actor, value_list: ValueList, about: Mapping[str, Any]) -> None:
    """Change what a list of values says of itself, as its name."""
    value_list.document = {**value_list.document, **about}
    value_list.updated, value_list.updated_by = datetime.now(UTC), actor.name
    record(session, actor, "value_list.changed", value_list.id)


def add_values(
    session: Session,
    actor: Actor,
    value_list: ValueList,
    values: Iterable[str],
    go_on: Callable[[], None] = lambda: None,
) -> int:
    """Add values to a list, each once; return how many it did not have. `go_on` is called now and then."""
    known = set(values_of(session, value_list.id))
    before = len(known)
    about = {"list_id": value_list.id, "created": datetime.now(UTC), "created_by": actor.name}
    waiting = iter(values)
    while chunk := list(islice(waiting, _AT_ONCE)):
        go_on()
        new = [value for value in dict.fromkeys(chunk) if value and value not in known]
        known.update(new)
        if new:  # not as objects: a million of them hold up everything else when they are collected
            session.execute(
                insert(ListedValue), [{"id": str(uuid.uuid4()), "value": value, **about} for value in new]
            )
    if len(known) > before:
        values_changed(session, actor, value_list)
    return len(known) - before


def change_value(session: Session, actor: Actor, value_list: ValueList, listed: ListedValue, value: str) -> None:
    """Replace a value of a list by another. Raises ConflictError when the list has it already."""
    if listed.value == value:
        return
    if find_value(session, value_list.id, value) is not None:
        raise ConflictError(f'list item value: "{value}" already exists')
    listed.value = value
    session.flush()
    values_changed(session, actor, value_list)


def remove_values(session: Session, actor: Actor, value_list: ValueList, values: Collection[str]) -> int:
    """Take values from a list; return how many it had."""
    inside = (ListedValue.list_id == value_list.id, ListedValue.value.in_(list(values)))
    gone = int(session.execute(delete(ListedValue).where(*inside)).rowcount)  # type: ignore[attr-defined]
    if gone:
        values_changed(session, actor, value_list)
    return gone


def remove_values_list(session: Session, actor: Actor, value_list: ValueList) -> None:
    """Remove a list of values."""
    values_changed(session, actor, value_list)
    session.execute(delete(ListedValue).where(ListedValue.list_id == value_list.id))
    session.delete(value_list)
    record(session, actor, "value_list.removed", value_list.id)


def values_changed(session: Session, actor: Actor, value_list: ValueList) -> None:
    """Note that a list has other values, and mark the rules whose exceptions name it as changed."""
    value_list.updated, value_list.updated_by = datetime.now(UTC), actor.name
    record(session, actor, "value_list.changed", value_list.id)
    named = {
        item.list_id
        for item in session.scalars(select(ExceptionItem))
        if value_list.id in value_lists_in(item.document)
    }
    if named:
        touch_rules(session, named)


def value_lists_in(document: Mapping[str, Any]) -> set[str]:
    """Return the lists of values that an exception names."""
    ids: set[str] = set()
    waiting = list(document.get("entries") or ())
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            named = entry.get("list")
            if isinstance(named, dict):
                ids.add(str(named.get("id")))
            waiting += entry.get("entries") or ()
    return ids
