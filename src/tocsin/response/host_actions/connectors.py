"""Connectors for actions are added, changed, removed and opened here. Their secrets are never given back."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.actions.egress import EgressPolicy
from tocsin.actions.masking import masked_address
from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.response.host_actions.connector_types import connector_types
from tocsin.response.host_actions.interface import (
    ConnectorError,
    RefusedError,
    ResponseConnector,
    ResponseConnectorType,
)
from tocsin.response.host_actions.receiver import RECEIVER_TIMEOUT, ReceiverClient
from tocsin.response.host_actions.states import UNDER_WAY
from tocsin.store.records.access import Actor, record
from tocsin.store.records.database import Records
from tocsin.store.records.host_actions import AutomaticAction, HostAction, StoredResponseConnector

_LONGEST_NAME, _LONGEST_SETTING = 128, 8_192  # characters
_VERIFY = "verify"  # a setting of every connector: `no` leaves certificates unchecked


def response_connectors(session: Session) -> Sequence[StoredResponseConnector]:
    """Return all connectors, by name."""
    order = (StoredResponseConnector.name, StoredResponseConnector.id)
    return session.scalars(select(StoredResponseConnector).order_by(*order)).all()


def find_response_connector(session: Session, id_: str) -> StoredResponseConnector:
    """Return a connector. Raises NotFoundError."""
    connector = session.get(StoredResponseConnector, id_)
    if connector is None:
        raise NotFoundError(f"there is no connector {id_[:64]} for actions")
    return connector


def connectors_for(session: Session, kind: str) -> list[StoredResponseConnector]:
    """Return the connectors that can carry out a kind of action now."""
    types = connector_types()
    return [
        connector
        for connector in response_connectors(session)
        if connector.enabled and connector.type in types and kind in types[connector.type].kinds
    ]


def connector_type(name: str) -> ResponseConnectorType:
    """Return a type of connectors. Raises InvalidError."""
    type_ = connector_types().get(name)
    if type_ is None:
        raise InvalidError(f"[type] is one of {', '.join(connector_types())}")
    return type_


def add_response_connector(
    session: Session, actor: Actor, name: str, type_name: str, given: Mapping[str, str]
) -> StoredResponseConnector:
    """Add a connector. `given` are its settings, secrets among them. Raises InvalidError, ConflictError."""
    type_ = connector_type(type_name)
    now = datetime.now(UTC)
    settings, secrets = _checked(type_, given, {})
    connector = StoredResponseConnector(
        id=str(uuid.uuid4()), name=_checked_name(session, name, None), type=type_.name, settings=settings,
        secrets=secrets, enabled=True, created=now, created_by=actor.name[:160], updated=now,
        updated_by=actor.name[:160],
    )  # fmt: skip
    session.add(connector)
    record(session, actor, "response.connector.added", connector.id, name=connector.name, type=type_.name)
    return connector


def change_response_connector(
    session: Session, actor: Actor, id_: str, name: str, given: Mapping[str, str], *, enabled: bool
) -> None:
    """Change a connector. Secrets that are not given stay, unless the address changes, which they belong to.

    Raises InvalidError, ConflictError, NotFoundError.
    """
    connector = find_response_connector(session, id_)
    type_ = connector_type(connector.type)
    same = given.get("url", "") == connector.settings.get("url", "")
    kept = connector.secrets if same and not connector.is_undecryptable else {}
    settings, secrets = _checked(type_, given, kept)
    connector.name = _checked_name(session, name, id_)
    connector.settings, connector.secrets, connector.enabled = settings, secrets, enabled
    connector.updated, connector.updated_by = datetime.now(UTC), actor.name[:160]
    record(
        session, actor, "response.connector.changed", id_, name=connector.name, enabled=enabled,
        address=masked_address(settings.get("url", "")), secrets="kept" if secrets == kept else "given",
    )  # fmt: skip


def remove_response_connector(session: Session, actor: Actor, id_: str) -> None:
    """Remove a connector that no action needs any more. Raises NotFoundError, ConflictError."""
    connector = find_response_connector(session, id_)
    waiting = select(HostAction.id).where(
        HostAction.connector_id == id_, HostAction.state.in_([str(state) for state in UNDER_WAY])
    )
    if session.scalar(waiting.limit(1)) is not None:
        raise ConflictError("actions are under way through this connector: switch it off, or wait for them")
    of_rules = select(AutomaticAction.id).where(AutomaticAction.connector_id == id_, AutomaticAction.switched_on)
    if session.scalar(of_rules.limit(1)) is not None:
        raise ConflictError("rules use this connector: switch their automatic actions off before")
    session.delete(connector)
    record(session, actor, "response.connector.removed", id_, name=connector.name)


def _checked_name(session: Session, name: str, id_: str | None) -> str:
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidError(f"[name] has 1 to {_LONGEST_NAME} printable characters")
    same = session.scalar(select(StoredResponseConnector).where(StoredResponseConnector.name == name))
    if same is not None and same.id != id_:
        raise ConflictError(f"there is a connector called `{name}` already")
    return name


def _checked(
    type_: ResponseConnectorType, given: Mapping[str, str], kept: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings and the secrets of a connector. Raises InvalidError, which repeats no value."""
    settings: dict[str, str] = {_VERIFY: "no" if given.get(_VERIFY) == "no" else "yes"}
    secrets: dict[str, str] = {}
    for setting in type_.settings:
        value = given.get(setting.name, "").strip()
        if len(value) > _LONGEST_SETTING or not value.isprintable():
            raise InvalidError(f"[{setting.name}] is one line of at most {_LONGEST_SETTING:,} characters")
        value = value or (kept.get(setting.name, "") if setting.secret else setting.default)
        if not value:
            if setting.required:
                raise InvalidError(f"[{setting.name}] is needed")
            continue
        if setting.choices and value not in setting.choices:
            raise InvalidError(f"[{setting.name}] is one of {', '.join(setting.choices)}")
        if setting.name.endswith("url"):
            _check_address(setting.name, value)
        (secrets if setting.secret else settings)[setting.name] = value
    try:
        type_.open({**settings, **secrets}, ReceiverClient(EgressPolicy()))
    except ConnectorError as error:
        raise InvalidError(f"[settings] {error}") from None
    return settings, secrets


def _check_address(name: str, value: str) -> None:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise InvalidError(f"[{name}] is an address, https or http, with no password in it")


class OpenConnectors:
    """Connectors that have been opened: each is kept with its tokens until its settings change."""

    def __init__(self, records: Records, egress: EgressPolicy, seconds: float = RECEIVER_TIMEOUT) -> None:
        self._records, self._egress, self._seconds = records, egress, seconds
        self._lock = threading.Lock()
        self._open: dict[str, tuple[datetime, ResponseConnector]] = {}

    def get(self, id_: str) -> ResponseConnector:
        """Return a connector. Raises RefusedError where it cannot be used: nothing is sent then."""
        with self._records.transaction() as session:
            stored = session.get(StoredResponseConnector, id_)
        if stored is None:
            raise RefusedError("its connector has been removed")
        if not stored.enabled:
            raise RefusedError(f"the connector {stored.name} is switched off")
        if stored.is_undecryptable:
            raise RefusedError(f"no key decrypts the settings of {stored.name}: give the former key, or them anew")
        type_ = connector_types().get(stored.type)
        if type_ is None:
            raise RefusedError(f"the package with connectors of the type {stored.type} is not installed")
        with self._lock:
            known = self._open.get(id_)
            if known is not None and known[0] == stored.updated:
                return known[1]
            client = ReceiverClient(
                self._egress, list(stored.secrets.values()), seconds=self._seconds,
                verify=stored.settings.get(_VERIFY) != "no",
            )  # fmt: skip
            opened = type_.open({**stored.settings, **stored.secrets}, client)
            self._open[id_] = (stored.updated, opened)
            return opened
