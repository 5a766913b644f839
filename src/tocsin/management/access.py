"""Users and keys, as the HTTP interface and the desk read and change them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import NotFoundError
from tocsin.store.records import access
from tocsin.store.records.access import AccessError, Actor, MadeKey, Scope
from tocsin.store.records.models import ApiKey, User, WebSession

_LARGEST_ID = 2**31 - 1  # that all databases have


def all_users(session: Session) -> Sequence[User]:
    """Return the users by their names."""
    return session.scalars(select(User).order_by(User.name)).all()


def user_by_id(session: Session, id_: int) -> User:
    """Return a user by what they are known by. Raises NotFoundError."""
    user = session.get(User, id_) if 0 <= id_ <= _LARGEST_ID else None
    if user is None:
        raise NotFoundError(f"there is no user {id_}")
    return user


def sessions_of_users(session: Session) -> dict[int, int]:
    """Return how many browsers each user is logged in with, by their ids; those with none are left out."""
    query = select(WebSession.user_id, func.count()).where(WebSession.expires > datetime.now(UTC))
    return {user_id: int(count) for user_id, count in session.execute(query.group_by(WebSession.user_id))}


def visible_keys(session: Session, actor: Actor) -> list[ApiKey]:
    """Return somebody's own keys, or every key to an admin, the oldest first."""
    keys = session.scalars(select(ApiKey).order_by(ApiKey.created, ApiKey.id))
    return [key for key in keys if actor.may(Scope.ADMIN) or actor.owns(key)]


def scopes_of(actor: Actor) -> list[Scope]:
    """Return what somebody may do, and so what a key of theirs can be given."""
    return [scope for scope in Scope if actor.may(scope)]


def add_key(
    session: Session,
    actor: Actor,
    name: str,
    scopes: Collection[str] | None,
    lives: timedelta | None,
    owner: str | None = None,
) -> MadeKey:
    """Add a key for some scopes; for None, with all that its owner may do. An admin can name another owner.

    Raises AccessError.
    """
    if actor.role is None and not actor.may(Scope.ADMIN):
        raise AccessError("a key makes no other keys")
    if owner is not None and owner != actor.name and not actor.may(Scope.ADMIN):
        raise AccessError("only an admin makes keys of others")
    holder = None if owner is None or owner == actor.name else access.find_user(session, owner)
    if scopes is None:
        scopes = scopes_of(actor if holder is None else access.as_actor(holder, actor.address))
    return access.add_key(session, actor, name, scopes, lives, holder)


def revoke_keys(session: Session, actor: Actor, ids: Sequence[str]) -> list[str]:
    """Revoke keys, and those that they have made: one's own, or any as an admin. Return those that were valid."""
    keys = session.scalars(select(ApiKey).where(ApiKey.id.in_(ids)))
    return access.revoke_keys(
        session, actor, [key.id for key in keys if actor.may(Scope.ADMIN) or actor.owns(key)]
    )
