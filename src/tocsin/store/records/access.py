"""Who may do what: people with roles, programs with keys, browsers with sessions; changes go to the audit log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tocsin.errors import TocsinError
from tocsin.store.records.models import ApiKey, AuditEntry, User, WebSession

log = logging.getLogger(__name__)


class Scope(StrEnum):
    """What may be done."""

    INGEST = "ingest"
    READ = "read"
    WRITE_RULES = "write_rules"
    RESPOND = "respond"
    ADMIN = "admin"


ROLES: dict[str, frozenset[Scope]] = {
    "viewer": frozenset({Scope.READ}),
    "analyst": frozenset({Scope.READ, Scope.RESPOND}),
    "engineer": frozenset({Scope.READ, Scope.RESPOND, Scope.WRITE_RULES, Scope.INGEST}),
    "admin": frozenset(Scope),
}
SESSION_HOURS = 12
_LOCAL = "local"  # the address of whoever uses the command line of this machine
A_DAY = timedelta(days=1)
SHORTEST_PASSWORD = 12  # characters
LONGEST_PASSWORD = 1024
_HASHER = PasswordHasher()  # argon2id with the library's parameters, which follow RFC 9106
# Compared with when there is no such user, so that an answer takes as long as for one.
_NOBODY = _HASHER.hash(secrets.token_urlsafe())


class AccessError(TocsinError):
    """A change to users or keys that cannot be made."""


@dataclass(frozen=True)
class Actor:
    """Who asks: what it is called, what it may do, and where it asks from.

    `id` is what it is known by: names may be given again. `user_id` is the person behind it, None for whoever uses
    the command line of this machine; `key_id` is the key that a program asks with.
    """

    name: str
    scopes: frozenset[Scope]
    address: str = ""
    role: str | None = None
    one_time: bool = False  # signed in with a one-time password, which must be changed first
    user_id: int | None = None
    key_id: str | None = None

    @property
    def id(self) -> str:
        """What it is known by."""
        if self.key_id is not None:
            return f"key:{self.key_id}"
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return f"local:{self.name}" if self.address == _LOCAL else "unknown"

    def owns(self, key: ApiKey) -> bool:
        """Return whether a key belongs to this person, or to the person whose key asks."""
        if self.user_id is None:
            return self.key_id is not None and self.key_id in (key.id, key.made_by_key)
        return key.owner_id == self.user_id

    def may(self, scope: Scope) -> bool:
        """Return whether it may do something."""
        return not self.one_time and (scope in self.scopes or Scope.ADMIN in self.scopes)


def local_actor(name: str) -> Actor:
    """Return someone who uses the command line on this machine, and so may do everything."""
    return Actor(name, frozenset(Scope), _LOCAL)


def record(session: Session, actor: Actor, action: str, target: str, **detail: Any) -> None:
    """Note a change in the audit log, within the transaction that makes it."""
    entry = AuditEntry(
        time=datetime.now(UTC),
        actor=actor.name[:160],
        actor_id=actor.id[:64],
        address=actor.address[:64],
        action=action,
        target=target[:256],
        detail=detail,
    )
    session.add(entry)
    log.info("%s %s", action, target, extra={"event.action": action, "user.name": actor.name, "user.id": actor.id})


# ---- people


def add_user(session: Session, actor: Actor, name: str, role: str, password: str | None = None) -> str | None:
    """Add a user; without a password it gets a one-time password, which is returned. Raises AccessError."""
    if not name or len(name) > 128 or ":" in name or not name.isprintable():
        raise AccessError("a user's name has 1 to 128 printable characters and no colon")
    _refuse_disguise("a user's name", name)
    if role not in ROLES:
        raise AccessError(f"no role called `{role}`", hint=f"one of {', '.join(ROLES)}")
    if session.scalar(select(User).where(User.name == name)):
        raise AccessError(f"there is a user called `{name}` already")
    made = secrets.token_urlsafe(15) if password is None else None
    user = User(
        name=name,
        role=role,
        password_hash=_hash(made or password or ""),
        one_time=made is not None,
        enabled=True,
        created=datetime.now(UTC),
    )
    session.add(user)
    record(session, actor, "user.add", name, role=role)
    return made


# Scripts with letters that look like those of another.
_LOOK_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "COPTIC", "ARMENIAN", "CHEROKEE", "LISU"})


def _refuse_disguise(what: str, name: str) -> None:
    """Raise AccessError for a name that can look like another one."""
    if name != name.strip() or name != unicodedata.normalize("NFKC", name):
        raise AccessError(f"{what} neither begins nor ends with a blank, and has the usual form of its characters")
    scripts = {
        unicodedata.name(character, "").partition(" ")[0] for character in name if character.isalpha()
    } & _LOOK_ALIKE
    if len(scripts) > 1:
        raise AccessError(f"{what} mixes letters of {' and '.join(sorted(map(str.title, scripts)))}")


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccessError(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return _HASHER.hash(password)


def find_user(session: Session, name: str) -> User:
    """Return a user. Raises AccessError."""
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise AccessError(f"no user called `{name}`")
    return user


def set_password(session: Session, actor: Actor, name: str, password: str) -> None:
    """Give a user a new password; every browser of theirs is signed out. Raises AccessError."""
    user = find_user(session, name)
    user.password_hash, user.one_time = _hash(password), False
    session.execute(delete(WebSession).where(WebSession.user_id == user.id))
    record(session, actor, "user.password", name)


def reset_password(session: Session, actor: Actor, name: str) -> str:
    """Give a user a one-time password and return it. Raises AccessError."""
    made = secrets.token_urlsafe(15)
    set_password(session, actor, name, made)
    find_user(session, name).one_time = True
    return made


def end_sessions(session: Session, actor: Actor, name: str) -> int:
    """Sign a user out of every browser; return how many. Raises AccessError."""
    user = find_user(session, name)
    ended = session.execute(
        delete(WebSession).where(WebSession.user_id == user.id).returning(WebSession.token_hash)
    )
    count = len(ended.all())
    record(session, actor, "user.sessions_ended", name, sessions=count)
    return count


def change_user(
    session: Session, actor: Actor, name: str, role: str | None = None, enabled: bool | None = None
) -> None:
    """Change a user's role, or let them in or not. Raises AccessError."""
    user = find_user(session, name)
    if role is not None and role not in ROLES:
        raise AccessError(f"no role called `{role}`", hint=f"one of {', '.join(ROLES)}")
    loses = user.role == "admin" and user.enabled and (role not in (None, "admin") or enabled is False)
    admins = select(User).where(User.role == "admin", User.enabled, User.id != user.id)
    if loses and session.scalar(admins) is None:
        raise AccessError(f"`{name}` is the only admin", hint="make another user one first")
    user.role = role or user.role
    user.enabled = user.enabled if enabled is None else enabled
    if enabled is False:
        session.execute(delete(WebSession).where(WebSession.user_id == user.id))
    record(session, actor, "user.change", name, role=user.role, enabled=user.enabled)


def check_password(session: Session, name: str, password: str, address: str) -> Actor | None:
    """Return who signs in with a password, None for a wrong one. It takes as long for an unknown user."""
    user = session.scalar(select(User).where(User.name == name))
    try:
        _HASHER.verify(user.password_hash if user else _NOBODY, password[:LONGEST_PASSWORD])
    except (VerifyMismatchError, InvalidHashError):
        return None
    if user is None or not user.enabled:
        return None
    if _HASHER.check_needs_rehash(user.password_hash):
        user.password_hash = _HASHER.hash(password)
    return logged_in(user, address)


def logged_in(user: User, address: str) -> Actor:
    """Keep that a user has just logged in, by whatever way; return them as who asks from an address."""
    user.last_login = datetime.now(UTC)
    return as_actor(user, address)


def as_actor(user: User, address: str) -> Actor:
    """Return a user as who asks from an address."""
    return Actor(user.name, ROLES.get(user.role, frozenset()), address, user.role, user.one_time, user.id)


def has_admin(session: Session) -> bool:
    """Return whether a user who may sign in has the role admin."""
    return session.scalar(select(User.id).where(User.role == "admin", User.enabled).limit(1)) is not None


def ensure_admin(session: Session) -> str | None:
    """Add the user `admin` where no user who may sign in is an admin; return the one-time password.

    Returns None where there is one, or where a user of that name is there, who is given nothing.
    """
    if has_admin(session) or session.scalar(select(User.id).where(User.name == "admin")) is not None:
        return None
    return add_user(session, local_actor("tocsin"), "admin", "admin")


# ---- programs


@dataclass(frozen=True)
class MadeKey:
    """A new key: what identifies it, and its secret, which is shown once."""

    id: str
    secret: str

    @property
    def encoded(self) -> str:
        """What stands behind `ApiKey` in the header `Authorization`."""
        return base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()


def add_key(
    session: Session,
    actor: Actor,
    name: str,
    scopes: Collection[str],
    lives: timedelta | None = None,
    owner: User | None = None,
) -> MadeKey:
    """Add a key that may do what `scopes` name, none of it more than who makes it and its owner may.

    Without an owner it is of who makes it. A key that a key makes belongs to the same person, and is revoked with
    it. Raises AccessError.
    """
    if not name or len(name) > 128 or not name.isprintable():
        raise AccessError("a key's name has 1 to 128 printable characters")
    _refuse_disguise("a key's name", name)
    now = datetime.now(UTC)
    holder = actor if owner is None else as_actor(owner, actor.address)
    same = select(ApiKey).where(
        ApiKey.name == name, ApiKey.owner_id.is_not_distinct_from(holder.user_id), ApiKey.revoked.is_(None)
    )
    if any(key.expires is None or key.expires > now for key in session.scalars(same)):
        raise AccessError(f"there is a key called `{name}` already", hint="revoke that one, or take another name")
    unknown = sorted(set(scopes) - set(Scope))
    if unknown or not scopes:
        raise AccessError(
            f"no scope called {', '.join(f'`{s}`' for s in unknown)}" if unknown else "a key needs a scope",
            hint=f"some of {', '.join(Scope)}",
        )
    for person in (actor, holder):
        beyond = [scope for scope in sorted(scopes) if not person.may(Scope(scope))]
        if beyond:
            raise AccessError(f"{person.name} may not {', '.join(beyond)}, and so no key of theirs")
    made = MadeKey(secrets.token_hex(10), secrets.token_urlsafe(24))  # an id that begins with `-` is an option
    key = ApiKey(
        id=made.id,
        name=name,
        secret_hash=_digest(made.secret),
        scopes=sorted(scopes),
        owner=holder.name,
        owner_id=holder.user_id,
        made_by_key=actor.key_id,
        created=now,
        expires=None if lives is None else now + lives,
    )
    session.add(key)
    record(session, actor, "key.add", made.id, name=name, scopes=sorted(scopes), owner=holder.name)
    return made


def revoke_keys(session: Session, actor: Actor, ids: Sequence[str]) -> list[str]:
    """Revoke keys, and those that they have made; return those that were there and valid."""
    revoked: list[str] = []
    waiting = list(ids)
    while waiting:
        keys = session.scalars(select(ApiKey).where(ApiKey.id.in_(waiting), ApiKey.revoked.is_(None))).all()
        for key in keys:
            key.revoked = datetime.now(UTC)
            record(session, actor, "key.revoke", key.id, name=key.name)
        revoked += [key.id for key in keys]
        made = select(ApiKey.id).where(ApiKey.made_by_key.in_(waiting), ApiKey.revoked.is_(None))
        waiting = list(session.scalars(made))
    return revoked


def check_key(session: Session, encoded: str, address: str) -> Actor | None:
    """Return the program that a key is of, None for one that is wrong, revoked or has expired.

    It may do what the key was given and what its owner may do now.
    """
    try:
        id_, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    key = session.get(ApiKey, id_)
    if key is None or not hmac.compare_digest(key.secret_hash, _digest(secret)):
        return None
    if key.revoked is not None or (key.expires is not None and key.expires <= datetime.now(UTC)):
        return None
    scopes = frozenset(map(Scope, key.scopes))
    if key.owner_id is not None:
        owner = session.get(User, key.owner_id)
        if owner is None or not owner.enabled:
            return None
        scopes = _within(scopes, ROLES.get(owner.role, frozenset()))
    return Actor(f"key:{key.name}", scopes, address, user_id=key.owner_id, key_id=key.id)


def _within(scopes: frozenset[Scope], allowed: frozenset[Scope]) -> frozenset[Scope]:
    """Return what a key may do whose owner may do what is allowed. `admin` stands for all scopes on both sides."""
    if Scope.ADMIN in allowed:
        return scopes
    return allowed if Scope.ADMIN in scopes else scopes & allowed


def _digest(secret: str) -> str:
    """Hash a secret that is random, and long enough that a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# ---- browsers


@dataclass(frozen=True)
class SignedIn:
    """A browser's session: its cookie's token, and the CSRF token that requests which change something carry."""

    token: str
    csrf: str


def sign_in(session: Session, actor: Actor) -> SignedIn:
    """Begin a session of someone whose password was right."""
    now = datetime.now(UTC)
    session.execute(delete(WebSession).where(WebSession.expires <= now))
    made = SignedIn(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    ends = now + timedelta(hours=SESSION_HOURS)
    row = WebSession(
        token_hash=_digest(made.token), user_id=actor.user_id, csrf=made.csrf, created=now, expires=ends
    )
    session.add(row)
    record(session, actor, "session.begin", actor.name)
    return made


def check_session(session: Session, token: str, address: str) -> tuple[Actor, str] | None:
    """Return whose session a token is of, and the CSRF token of its requests; None when the session is over."""
    browser = session.get(WebSession, _digest(token))
    if browser is None or browser.expires <= datetime.now(UTC) or not browser.user.enabled:
        return None
    return as_actor(browser.user, address), browser.csrf


def sign_out(session: Session, actor: Actor, token: str) -> None:
    """End a session."""
    session.execute(delete(WebSession).where(WebSession.token_hash == _digest(token)))
    record(session, actor, "session.end", actor.name)
