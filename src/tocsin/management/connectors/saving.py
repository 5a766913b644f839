"""Connectors are created, changed, removed and tried here."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy.orm import Session

from tocsin.actions.delivery import SENDERS, send
from tocsin.actions.egress import EgressPolicy
from tocsin.actions.masking import MASK, changed_config, is_masked, masked_address
from tocsin.actions.messages import TEXT_FORMATS, trial
from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import Connector


def find_connector(session: Session, id_: str) -> Connector:
    """Return the connector with an id. Raises NotFoundError."""
    connector = session.get(Connector, id_)
    if connector is None:
        raise NotFoundError(f"Saved object [action/{id_}] not found")
    return connector


def create_connector(session: Session, actor: Actor, body: Mapping[str, Any], id_: str | None = None) -> Connector:
    """Save a new connector, with a new id unless one is given. Raises InvalidError, and ConflictError."""
    name, kind, config, secrets = _read(body)
    id_ = (id_ or str(uuid.uuid4()))[:64]
    if session.get(Connector, id_) is not None:
        raise ConflictError(f"there is a connector {id_}")
    connector = Connector(
        id=id_, name=name[:255], type=kind, config=config, secrets=secrets, created=datetime.now(UTC),
        created_by=actor.name,
    )  # fmt: skip
    session.add(connector)
    record(session, actor, "connector.created", id_, type=kind)
    return connector


def change_connector(session: Session, actor: Actor, connector: Connector, body: Mapping[str, Any]) -> None:
    """Change the settings of a connector. Raises InvalidError.

    Without new secrets it keeps its own, unless its address changes: secrets belong to the address that they were
    given with.
    """
    given = body.get("config") if isinstance(body.get("config"), dict) else {}
    changed, same = changed_config(given or {}, connector.config)
    kept = connector.secrets if same else {}
    name, _, config, secrets = _read({"secrets": kept, **body, "config": changed}, connector.type)
    connector.name, connector.config, connector.secrets = name[:255], config, secrets
    address = masked_address(str(config["url"])) if "url" in config else None
    about = "given" if "secrets" in body else "kept" if same else "dropped"
    record(session, actor, "connector.changed", connector.id, address=address, secrets=about)


def remove_connector(session: Session, actor: Actor, id_: str) -> None:
    """Remove a connector; messages that wait for it are given up. Raises NotFoundError."""
    session.delete(find_connector(session, id_))
    record(session, actor, "connector.removed", id_)


def try_connector(connector: Connector, params: Mapping[str, Any], egress: EgressPolicy) -> None:
    """Send a message through a connector now; `params` are those of an action. Raises DeliveryError."""
    send(connector, trial(params, connector), egress)


def _read(body: Mapping[str, Any], kind: str | None = None) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return name, type, settings and secrets of a connector. Raises InvalidError, which names the member."""
    name, kind = body.get("name"), kind or body.get("connector_type_id")
    config, secrets = body.get("config", {}), body.get("secrets", {})
    if not isinstance(name, str) or not name:
        raise InvalidError("[request body.name]: a text is needed")
    if kind not in SENDERS:
        raise InvalidError(f"[connector_type_id] is one of {', '.join(SENDERS)}")
    if not isinstance(config, dict) or not isinstance(secrets, dict):
        raise InvalidError("[config] and [secrets] are objects")
    if kind == ".webhook":
        _check_webhook(config)
    if kind == ".apprise" and config.get("format", TEXT_FORMATS[0]) not in TEXT_FORMATS:
        raise InvalidError(f"[config.format] is what messages are written in: one of {', '.join(TEXT_FORMATS)}")
    if kind == ".apprise" and not (secrets.get("urls") or secrets.get("url")):
        raise InvalidError("[secrets.urls] are addresses of Apprise, such as mailto:// or slack://")
    return name, str(kind), config, secrets


_METHODS = ("post", "put", "patch", "get", "delete")


def _check_webhook(config: dict[str, Any]) -> None:
    """Refuse settings that cannot be sent; the error does not repeat them, as they may hold secrets."""
    try:
        url = httpx.URL(str(config.get("url", "")))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or masked_address(str(config["url"])) == MASK:
        raise InvalidError("[config.url] is the address of a webhook, http or https")
    if config.get("method", "post") not in _METHODS:
        raise InvalidError(f"[config.method] is one of {', '.join(_METHODS)}")
    headers = config.get("headers") or {}
    if not isinstance(headers, dict) or not all(_TOKEN.fullmatch(n) and _is_value(v) for n, v in headers.items()):
        raise InvalidError("[config.headers] are names of headers with their values, texts in one line of ASCII")
    if is_masked(config):
        raise InvalidError(f"[config] has `{MASK}` where something was masked: give it whole")


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110)


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and (value.isprintable() or not value)
