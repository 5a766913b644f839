"""Connectors: their documents as Kibana shows them, and as its exports of rules hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tocsin.actions.masking import is_masked, masked_config
from tocsin.moments import iso, to_nanoseconds
from tocsin.store.records.access import Actor
from tocsin.store.records.models import Connector

_LACKS: Mapping[str, Callable[[Connector], bool]] = {
    ".apprise": lambda one: not (one.secrets.get("urls") or one.secrets.get("url")),
    ".webhook": lambda one: one.config.get("hasAuth") is True and not one.secrets.get("user"),
}


def misses_secrets(connector: Connector) -> bool:
    """Tell whether a connector cannot deliver before it is given its secrets, which exports do not hold."""
    lacks = _LACKS.get(connector.type)
    return connector.is_undecryptable or is_masked(connector.config) or (lacks is not None and lacks(connector))


def connector_document(connector: Connector) -> dict[str, Any]:
    """Return a connector as Kibana shows it, without its secrets, those in its address and headers included."""
    return {
        "id": connector.id, "name": connector.name, "connector_type_id": connector.type,
        "config": masked_config(connector.config), "is_preconfigured": False, "is_deprecated": False,
        "is_missing_secrets": misses_secrets(connector), "is_system_action": False,
    }  # fmt: skip


def exported_connector(connector: Connector) -> dict[str, Any]:
    """Return a connector as an export of rules holds it: a saved object, without its secrets."""
    made = iso(to_nanoseconds(connector.created))
    config = masked_config(connector.config)
    return {
        "id": connector.id, "type": "action", "references": [], "managed": False, "created_at": made,
        "updated_at": made,
        "attributes": {
            "actionTypeId": connector.type, "name": connector.name, "config": config, "secrets": {},
            "isMissingSecrets": bool(connector.secrets) or is_masked(config),
        },
    }  # fmt: skip


def is_connector(found: Mapping[str, Any]) -> bool:
    """Tell whether an object of an export is a connector."""
    return found.get("type") == "action" and isinstance(found.get("attributes"), dict)


def imported_connector(found: Mapping[str, Any], actor: Actor) -> Connector:
    """Return a connector of an export; its secrets are to be given."""
    about: Mapping[str, Any] = found["attributes"]
    config = about.get("config")
    return Connector(
        id=str(found.get("id"))[:64], name=str(about.get("name"))[:255], type=str(about.get("actionTypeId"))[:64],
        config=config if isinstance(config, dict) else {}, secrets={}, created=datetime.now(UTC),
        created_by=actor.name,
    )  # fmt: skip
