"""When somebody last said that they have seen what happened: a saved object of their own.

The moment moves when they say so and at no other time, so that neither a reload nor a look at a colleague's link
loses anything; it never lies in the future. The one before is kept, so that it can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.management.saved_objects import save_object, saved_objects
from tocsin.moments import iso
from tocsin.store.records.access import Actor
from tocsin.store.records.models import SavedObject

_TYPE = "last_look"
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LastLook:
    """Up to which moment somebody has seen what happened, and what the moment before was, if there was one."""

    seen: datetime
    before: datetime | None = None


def last_look(session: Session, actor: Actor) -> LastLook | None:
    """Return how far somebody has seen what happened, None for who never said so."""
    kept = _kept(session, actor)
    seen = None if kept is None else _moment(kept.document, "seen")
    return None if kept is None or seen is None else LastLook(seen, _moment(kept.document, "before"))


def set_last_look(session: Session, actor: Actor, moment: datetime) -> LastLook:
    """Keep that somebody has seen what happened up to a moment. Raises InvalidError for one to come."""
    if moment > datetime.now(UTC):
        raise InvalidError("[seen] lies in the future: what is to come has not been seen")
    if moment < _EARLIEST:
        raise InvalidError("[seen] lies before 1970: records have no earlier moment")
    kept, former = _kept(session, actor), last_look(session, actor)
    document = {"seen": iso(moment), **({"before": iso(former.seen)} if former else {})}
    save_object(session, actor, _TYPE, "overview", document, id_=kept.id if kept else None)
    return LastLook(moment, former.seen if former else None)


def _kept(session: Session, actor: Actor) -> SavedObject | None:
    own = (kept for kept in saved_objects(session, actor, _TYPE) if kept.owner_id == actor.user_id)
    return next(own, None)


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(str(document.get(name))).astimezone(UTC)
    except ValueError:
        return None
