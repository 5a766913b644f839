"""What people save of the desk: views of lists, timelines. Shared ones belong to all, the others to one person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.store.records.access import Actor, Scope, record
from tocsin.store.records.models import SavedObject

_MOST, _LONGEST, _LONGEST_NAME = 1_000, 1_000_000, 200  # objects of a type and person, bytes, characters


def saved_objects(session: Session, actor: Actor, type_: str) -> Sequence[SavedObject]:
    """Return the objects of a type that somebody may see: their own and shared ones, by name."""
    query = select(SavedObject).where(SavedObject.type == type_, _visible(actor))
    return session.scalars(query.order_by(SavedObject.name, SavedObject.id)).all()


def saved_object(session: Session, actor: Actor, type_: str, id_: str) -> SavedObject:
    """Return an object by its id. Raises NotFoundError also where it belongs to somebody else."""
    query = select(SavedObject).where(SavedObject.id == id_, SavedObject.type == type_, _visible(actor))
    known = session.scalar(query)
    if known is None:
        raise NotFoundError(f"there is no {type_} {id_}")
    return known


def save_object(
    session: Session,
    actor: Actor,
    type_: str,
    name: str,
    document: Mapping[str, Any],
    *,
    id_: str | None = None,
    shared: bool = False,
) -> SavedObject:
    """Save an object, a new one where `id_` is None; else its name and document are replaced, its owner stays.

    Raises NotFoundError, and InvalidError also where somebody may not change what all share.
    """
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME:
        raise InvalidError(f"[name] has 1 to {_LONGEST_NAME} characters")
    if len(orjson.dumps(document)) > _LONGEST:
        raise InvalidError(f"[document] has more than {_LONGEST:,} bytes")
    now = datetime.now(UTC)
    if id_ is None:
        if (shared or actor.user_id is None) and not may_change_shared(actor):
            raise InvalidError("[shared] needs the right to respond to alerts")
        owner_id = None if shared else actor.user_id
        _check_number(session, type_, owner_id)
        kept = SavedObject(
            id=str(uuid.uuid4()), type=type_, owner_id=owner_id, created=now, created_by=actor.name[:160]
        )
        session.add(kept)
    else:
        kept = _changeable(session, actor, type_, id_)
    kept.name, kept.document, kept.updated, kept.updated_by = name, dict(document), now, actor.name[:160]
    record(session, actor, "saved_object.saved", kept.id, type=type_, name=name)
    return kept


def remove_object(session: Session, actor: Actor, type_: str, id_: str) -> None:
    """Remove an object. Raises NotFoundError, and InvalidError where somebody may not."""
    kept = _changeable(session, actor, type_, id_)
    session.delete(kept)
    record(session, actor, "saved_object.removed", id_, type=type_, name=kept.name)


def may_change_shared(actor: Actor) -> bool:
    """Tell whether somebody may change what all share."""
    return actor.may(Scope.RESPOND)


def _changeable(session: Session, actor: Actor, type_: str, id_: str) -> SavedObject:
    kept = saved_object(session, actor, type_, id_)
    if kept.owner_id is None and not may_change_shared(actor):
        raise InvalidError(f"the {type_} {id_} is shared: to change it needs the right to respond to alerts")
    return kept


def _visible(actor: Actor) -> Any:
    own = SavedObject.owner_id == actor.user_id if actor.user_id is not None else SavedObject.owner_id.is_(None)
    return or_(SavedObject.owner_id.is_(None), own)


def _check_number(session: Session, type_: str, owner_id: int | None) -> None:
    mine = SavedObject.owner_id.is_(None) if owner_id is None else SavedObject.owner_id == owner_id
    query = select(func.count()).select_from(SavedObject).where(SavedObject.type == type_, mine)
    if (session.scalar(query) or 0) >= _MOST:
        raise InvalidError(f"there are {_MOST:,} of {type_} already: remove some")
