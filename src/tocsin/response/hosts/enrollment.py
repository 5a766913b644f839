"""How hosts enrol: secrets that they show, keys that they are given, and who may not come back.

As osquery has it (docs/wiki/deployment/remote.md of osquery/osquery): a host posts the secret and what it is, and
is given a node key, which each later request carries. A host that is told `node_invalid` enrols again by itself;
so one that is revoked stays so until somebody lets it in again, whatever secret it shows.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError, TocsinError
from tocsin.moments import iso
from tocsin.printable import printable_line
from tocsin.response.hosts.live_queries import OPEN, QueryState
from tocsin.store.records.access import Actor, local_actor, record
from tocsin.store.records.hosts import EnrollmentSecret, LiveQueryHost, OsqueryHost

MOST_HOSTS = 50_000
MOST_SECRETS = 100
OVERLAP = timedelta(hours=24)  # for which a secret is taken after another took its place, unless told otherwise
_LONGEST = 256  # characters of what a host says it is called
# What boards without a number of their own say they have: no host can be told by it.
_NO_UUID = re.compile(
    r"0[0-]*|f[f-]*|03000200-0400-0500-0006-000700080009|12345678-1234-.*|not (settable|present|specified)"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# osquery's `platform_type` is a number of bits (osquery/core/platform.h); `platform` of os_version is a word.
_PLATFORM_BITS = ((0x02, "windows"), (0x10, "darwin"), (0x08, "linux"))
_PLATFORMS = {"windows": "windows", "darwin": "darwin", "macos": "darwin"}
_LINUX = frozenset(
    ("linux", "ubuntu", "debian", "rhel", "centos", "fedora", "amazon", "amzn", "arch", "suse", "sles", "opensuse",
     "oracle", "ol", "rocky", "almalinux", "gentoo", "kali", "raspbian", "linuxmint", "alpine", "photon")
)  # fmt: skip


class EnrollmentError(TocsinError):
    """A host that may not enrol, and why."""


@dataclass(frozen=True)
class MadeSecret:
    """A new secret for hosts to enrol with, which is shown once."""

    id: str
    secret: str


@dataclass(frozen=True)
class EnrollmentRequest:
    """What a host posts to enrol."""

    secret: str
    host_identifier: str
    details: Mapping[str, Any] = field(default_factory=dict)
    platform_type: Any = None
    address: str = ""
    agent: str = ""  # its `User-Agent`, as osquery/5.12.1


@dataclass(frozen=True)
class EnrolledHost:
    """A host that has enrolled, and the key that is given to it alone."""

    id: str
    node_key: str


def key_hash(secret: str) -> str:
    """Return the hash of a node key or secret, which is random, and long enough that a slow hash adds nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# ---- secrets


def add_secret(session: Session, actor: Actor, name: str = "", lives: timedelta | None = None) -> MadeSecret:
    """Make a secret beside those that are there. Raises InvalidError."""
    valid = [secret for secret in enrollment_secrets(session) if is_valid(secret)]
    if len(valid) >= MOST_SECRETS:
        raise InvalidError(f"there are {MOST_SECRETS} secrets that are taken: revoke some")
    now = datetime.now(UTC)
    made = MadeSecret(str(uuid.uuid4()), secrets.token_urlsafe(32))
    name = printable_line(name.strip())[:128] or f"of {now:%Y-%m-%d %H:%M}"
    session.add(
        EnrollmentSecret(
            id=made.id, name=name, secret_hash=key_hash(made.secret), created=now, created_by=actor.name[:160],
            expires=None if lives is None else now + lives, revoked=None,
        )
    )  # fmt: skip
    record(session, actor, "enrollment_secret.add", made.id, name=name)
    return made


def rotate_secret(session: Session, actor: Actor, name: str = "", overlap: timedelta = OVERLAP) -> MadeSecret:
    """Make a secret in the place of those that are there, which are taken for `overlap` still.

    Hosts that have enrolled keep their keys. Raises InvalidError.
    """
    until = datetime.now(UTC) + overlap
    for secret in enrollment_secrets(session):
        if is_valid(secret) and (secret.expires is None or secret.expires > until):
            secret.expires = until
            record(
                session, actor, "enrollment_secret.expire", secret.id, name=secret.name, until=until.isoformat()
            )
    session.flush()
    return add_secret(session, actor, name)


def revoke_secret(session: Session, actor: Actor, id_: str) -> EnrollmentSecret:
    """Take a secret no more. Raises NotFoundError."""
    secret = session.get(EnrollmentSecret, id_)
    if secret is None:
        raise NotFoundError(f"there is no enrolment secret {id_}")
    if secret.revoked is None:
        secret.revoked = datetime.now(UTC)
        record(session, actor, "enrollment_secret.revoke", id_, name=secret.name)
    return secret


def enrollment_secrets(session: Session) -> Sequence[EnrollmentSecret]:
    """Return the secrets, the newest first."""
    return session.scalars(select(EnrollmentSecret).order_by(EnrollmentSecret.created.desc())).all()


def is_valid(secret: EnrollmentSecret) -> bool:
    """Tell whether a secret is taken now."""
    return secret.revoked is None and (secret.expires is None or secret.expires > datetime.now(UTC))


# ---- hosts


def enroll(session: Session, request: EnrollmentRequest) -> EnrolledHost:
    """Take a host in, or give one that is known a new key in place of its former one. Raises EnrollmentError."""
    secret = session.scalar(
        select(EnrollmentSecret).where(EnrollmentSecret.secret_hash == key_hash(request.secret))
    )
    if secret is None or not is_valid(secret):
        why = "no such secret" if secret is None else f"the secret `{secret.name}` is taken no more"
        raise EnrollmentError(why)
    about = _about(request)
    host = session.scalar(select(OsqueryHost).where(OsqueryHost.identity == about["identity"]))
    if host is not None and host.revoked is not None:
        raise EnrollmentError(f"the host {host.name} is revoked", hint="let it in again on its page")
    now, node_key = datetime.now(UTC), secrets.token_urlsafe(32)
    if host is None:
        if (session.scalar(select(func.count()).select_from(OsqueryHost)) or 0) >= MOST_HOSTS:
            raise EnrollmentError(f"there are {MOST_HOSTS:,} hosts already")
        host = OsqueryHost(id=str(uuid.uuid4()), first_enrolled=now, enrollments=0, revoked=None, revoked_by=None)
        session.add(host)
    for name, value in about.items():
        setattr(host, name, value)
    host.node_key_hash, host.secret_id, host.address = key_hash(node_key), secret.id, request.address[:64]
    host.enrollments, host.enrolled, host.last_seen, host.changed = host.enrollments + 1, now, now, now
    actor = local_actor("osquery")
    record(session, actor, "host.enroll", host.id, name=host.name, address=host.address, times=host.enrollments)
    return EnrolledHost(host.id, node_key)


def revoke_host(session: Session, actor: Actor, id_: str) -> OsqueryHost:
    """Take a host's key from it, and take it in no more. What it has been asked ends. Raises NotFoundError."""
    host = host_by_id(session, id_)
    if host.revoked is None:
        now = datetime.now(UTC)
        host.node_key_hash, host.revoked, host.revoked_by, host.changed = None, now, actor.name[:160], now
        waiting = select(LiveQueryHost).where(LiveQueryHost.host_id == id_, LiveQueryHost.state.in_(OPEN))
        for target in session.scalars(waiting):
            target.state, target.reason = QueryState.FAILED.value, "the host was revoked"
        record(session, actor, "host.revoke", id_, name=host.name)
    return host


def readmit_host(session: Session, actor: Actor, id_: str) -> OsqueryHost:
    """Let a host that was revoked enrol again. Raises NotFoundError."""
    host = host_by_id(session, id_)
    if host.revoked is not None:
        host.revoked, host.revoked_by, host.changed = None, None, datetime.now(UTC)
        record(session, actor, "host.readmit", id_, name=host.name)
    return host


def remove_host(session: Session, actor: Actor, id_: str) -> None:
    """Forget a host; its answers stay. One that is still there enrols again. Raises NotFoundError."""
    host = host_by_id(session, id_)
    session.delete(host)
    record(session, actor, "host.remove", id_, name=host.name)


def host_by_id(session: Session, id_: str) -> OsqueryHost:
    """Return a host. Raises NotFoundError."""
    host = session.get(OsqueryHost, id_)
    if host is None:
        raise NotFoundError(f"there is no host {id_}")
    return host


def hosts_named(session: Session, text: str) -> list[OsqueryHost]:
    """Return the hosts that an id, a name, an identifier or a hardware's UUID stands for.

    Letter case does not matter, and a name without a domain fits one with it, as `ws-7` fits `WS-7.corp.example`.
    """
    wanted = text.strip().casefold()
    if not wanted:
        return []
    query = select(OsqueryHost).where(
        or_(
            OsqueryHost.id == wanted,
            OsqueryHost.hardware_uuid == wanted,
            OsqueryHost.short_name == wanted.partition(".")[0],
            func.lower(OsqueryHost.host_identifier) == wanted,
        )
    )
    hosts = [host for host in session.scalars(query.order_by(OsqueryHost.name)) if _is_called(host, wanted)]
    return [host for host in hosts if host.id == wanted] or hosts


def _is_called(host: OsqueryHost, wanted: str) -> bool:
    names = {host.id, host.hardware_uuid, host.host_identifier.casefold()}
    return wanted in names or same_name(host.name, wanted) or same_name(host.host_identifier, wanted)


def same_name(one_name: str, other: str) -> bool:
    """Tell whether two names are of the same host: equal, or equal up to the domain that one of them has not."""
    left, right = one_name.casefold(), other.casefold()
    if "." in left and "." in right:
        return left == right
    return left.partition(".")[0] == right.partition(".")[0]


def hosts_of_alert(session: Session, alert: Mapping[str, Any]) -> list[OsqueryHost]:
    """Return the hosts that an alert is about, which have enrolled: by its host's ids first, then by its names."""
    for name in ("host.id", "host.name", "host.hostname", "agent.name", "observer.hostname"):
        values = alert.get(name)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str) and (hosts := hosts_named(session, value)):
                return hosts
    return []


def _about(request: EnrollmentRequest) -> dict[str, Any]:
    """Return the columns of a host that what it says of itself fills. Raises EnrollmentError."""
    identifier = _text(request.host_identifier)
    system, os_version = _table(request.details, "system_info"), _table(request.details, "os_version")
    info = _table(request.details, "osquery_info")
    name = _text(system.get("hostname") or system.get("computer_name")) or identifier
    if not identifier and not name:
        raise EnrollmentError("it says no host_identifier")
    hardware = _text(system.get("uuid") or info.get("uuid")).casefold()
    known = bool(_UUID.fullmatch(hardware)) and not _NO_UUID.fullmatch(hardware)
    agent = request.agent.partition("osquery/")[2].split()[:1]
    return {
        "identity": f"uuid:{hardware}" if known else f"name:{(identifier or name).casefold()}",
        "host_identifier": identifier or name,
        "name": name,
        "short_name": name.casefold().partition(".")[0],
        "hardware_uuid": hardware[:64] if known else "",
        "platform": platform_of(
            os_version.get("platform"), os_version.get("platform_like"), request.platform_type
        ),
        "os_name": _text(os_version.get("name")),
        "os_version": _text(os_version.get("version")),
        "osquery_version": (_text(info.get("version")) or _text(agent[0] if agent else ""))[:64],
        "details": {table: _table(request.details, table) for table in
                    ("os_version", "osquery_info", "system_info", "platform_info")},
    }  # fmt: skip


def platform_of(platform: Any, like: Any, bits: Any) -> str:
    """Return osquery's word for a platform: windows, linux or darwin; empty where it cannot be told."""
    for text in (platform, like):
        for word in _text(text).casefold().split():
            if word in _PLATFORMS:
                return _PLATFORMS[word]
            if word in _LINUX:
                return "linux"
    number = int(bits) if str(bits).isascii() and str(bits).isdecimal() and len(str(bits)) < 9 else 0
    return next((name for bit, name in _PLATFORM_BITS if number & bit), "")


def _table(details: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return a row that a host posts of one of its tables, as texts."""
    row = details.get(name)
    if not isinstance(row, Mapping):
        return {}
    return {_text(key): _text(value) for key, value in list(row.items())[:64]}


def _text(value: Any) -> str:
    return printable_line(str(value)).strip()[:_LONGEST] if isinstance(value, (str, int, float)) else ""


def all_hosts(session: Session) -> Sequence[OsqueryHost]:
    """Return all hosts, by their names."""
    return session.scalars(select(OsqueryHost).order_by(OsqueryHost.short_name, OsqueryHost.id)).all()


def host_document(host: OsqueryHost) -> dict[str, Any]:
    """Return a host as a document."""
    return {
        "id": host.id, "name": host.name, "host_identifier": host.host_identifier, "uuid": host.hardware_uuid,
        "platform": host.platform, "os": {"name": host.os_name, "version": host.os_version},
        "osquery_version": host.osquery_version, "address": host.address, "enrollments": host.enrollments,
        "enrolled": iso(host.enrolled), "last_seen": None if host.last_seen is None else iso(host.last_seen),
        "revoked": None if host.revoked is None else iso(host.revoked),
    }  # fmt: skip
