"""What administrators set about services that judge observables. Without that, nothing is sent anywhere.

A key is kept encrypted and is never given back; with another address it has to be given anew, so that no key
goes to a server for which it was not meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.response.reputation.services.catalogue import SERVICES
from tocsin.response.reputation.services.service import ReputationProvider, ServiceQuota
from tocsin.store.records.access import Actor, record
from tocsin.store.records.reputation import ReputationLookUp, ReputationService

SENT = ("asking", "answered", "failed")  # states of look-ups that count against a quota
_GENERAL = "general"  # the row of what holds for all services
_LONGEST_KEY, _MOST_DOMAINS = 512, 500
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\Z")


@dataclass(frozen=True)
class Usage:
    """How many questions went to a service in the span of one of its limits."""

    limit: ServiceQuota
    used: int

    @property
    def left(self) -> int:
        """How many more may go."""
        return max(0, self.limit.questions - self.used)


@dataclass(frozen=True)
class ServiceSettings:
    """What is set about a service, and how much of its quota is used. `has_key` says whether there is a key."""

    service: ReputationProvider
    enabled: bool
    automatic: bool
    address: str
    has_key: bool
    undecryptable: bool
    blocked_until: datetime | None
    usage: tuple[Usage, ...]


@dataclass(frozen=True)
class ServiceChange:
    """What an administrator sets about a service. An empty `key` leaves the one that there is."""

    enabled: bool
    automatic: bool = False
    key: str = ""
    address: str = ""
    remove_key: bool = False


def service_settings(session: Session, now: datetime | None = None) -> list[ServiceSettings]:
    """Return what is set about all services."""
    rows = {row.id: row for row in session.scalars(select(ReputationService))}
    moment = now or datetime.now(UTC)
    return [_settings(session, service, rows.get(service.id), moment) for service in SERVICES.values()]


def settings_of(session: Session, id_: str, now: datetime | None = None) -> ServiceSettings:
    """Return what is set about a service. Raises NotFoundError."""
    moment = now or datetime.now(UTC)
    return _settings(session, known_service(id_), session.get(ReputationService, id_), moment)


def known_service(id_: str) -> ReputationProvider:
    """Return a service by its id. Raises NotFoundError."""
    if id_ not in SERVICES:
        raise NotFoundError(f"there is no service {id_}: {', '.join(SERVICES)}")
    return SERVICES[id_]


def key_of(session: Session, id_: str) -> str:
    """Return the key of a service, which goes nowhere but to it; an empty text where there is none."""
    row = session.get(ReputationService, id_)
    return "" if row is None else str(row.secrets.get("key", ""))


def change_service(session: Session, actor: Actor, id_: str, change: ServiceChange) -> ServiceSettings:
    """Set what holds for a service. Raises NotFoundError, InvalidError."""
    service, row = known_service(id_), session.get(ReputationService, id_)
    address = change.address.strip().rstrip("/") or service.address
    _check_address(address)
    known_key = key_of(session, id_)
    before = str(row.config.get("address", service.address)) if row is not None else service.address
    if change.key and (len(change.key) > _LONGEST_KEY or not change.key.isascii() or not change.key.isprintable()):
        raise InvalidError(f"[key] has at most {_LONGEST_KEY} characters of ASCII")
    if address != before and known_key and not (change.key or change.remove_key):
        raise InvalidError("[key] has to be given anew with another address")
    key = "" if change.remove_key else change.key.strip() or known_key
    if change.enabled and not key:
        raise InvalidError(f"[key] is missing: {service.name} is not asked without one")
    now = datetime.now(UTC)
    if row is None:
        row = ReputationService(
            id=id_, enabled=False, automatic=False, config={}, secrets={}, blocked_until=None, updated=now,
            updated_by="",
        )  # fmt: skip
        session.add(row)
    row.enabled, row.automatic = change.enabled, change.enabled and change.automatic
    row.config, row.secrets = {"address": address}, {"key": key} if key else {}
    row.updated, row.updated_by = now, actor.name[:160]
    if change.key or address != before:
        row.blocked_until = None
    new_key = "removed" if change.remove_key else "changed" if change.key else "as before"
    record(
        session, actor, "reputation.settings", service.name, enabled=row.enabled, automatic=row.automatic,
        address=address, key=new_key,
    )  # fmt: skip
    session.flush()
    return settings_of(session, id_)


def own_domains(session: Session) -> tuple[str, ...]:
    """Return the domains that are never sent."""
    row = session.get(ReputationService, _GENERAL)
    return () if row is None else tuple(row.config.get("own_domains", ()))


def change_own_domains(session: Session, actor: Actor, domains: list[str]) -> tuple[str, ...]:
    """Set the domains that are never sent, with all names below them. Raises InvalidError."""
    names = list(dict.fromkeys(name.strip().strip(".").lower() for name in domains if name.strip().strip(".")))
    if len(names) > _MOST_DOMAINS:
        raise InvalidError(f"there may be {_MOST_DOMAINS} domains")
    if wrong := next((name for name in names if not _DOMAIN.match(name)), None):
        raise InvalidError(f"{wrong[:100]} is no domain")
    now, row = datetime.now(UTC), session.get(ReputationService, _GENERAL)
    if row is None:
        row = ReputationService(
            id=_GENERAL, enabled=False, automatic=False, config={}, secrets={}, blocked_until=None, updated=now,
            updated_by="",
        )  # fmt: skip
        session.add(row)
    row.config, row.updated, row.updated_by = {"own_domains": names}, now, actor.name[:160]
    record(session, actor, "reputation.own_domains", "own domains", domains=names)
    session.flush()
    return tuple(names)


def _settings(
    session: Session, service: ReputationProvider, row: ReputationService | None, now: datetime
) -> ServiceSettings:
    usage = tuple(Usage(limit, _used(session, service.id, limit, now)) for limit in service.limits)
    if row is None:
        return ServiceSettings(service, False, False, service.address, False, False, None, usage)
    blocked = row.blocked_until if row.blocked_until is not None and row.blocked_until > now else None
    return ServiceSettings(
        service, row.enabled, row.automatic, str(row.config.get("address", service.address)),
        bool(row.secrets.get("key")), row.is_undecryptable, blocked, usage,
    )  # fmt: skip


def _used(session: Session, id_: str, limit: ServiceQuota, now: datetime) -> int:
    since = now - timedelta(seconds=limit.seconds)
    sent = (ReputationLookUp.service == id_, ReputationLookUp.asked > since, ReputationLookUp.state.in_(SENT))
    return session.scalar(select(func.count()).select_from(ReputationLookUp).where(*sent)) or 0


def _check_address(address: str) -> None:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise InvalidError("[address] is no URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise InvalidError("[address] is the URL of an interface, as in https://www.virustotal.com/api/v3")


def all_by_id(settings: list[ServiceSettings]) -> Mapping[str, ServiceSettings]:
    """Return settings by the ids of their services."""
    return {of.service.id: of for of in settings}
