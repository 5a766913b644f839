"""The documents of connectors, as Kibana shows them and as its exports of rules hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tocsin.actions.masking import is_masked, masked_config
from tocsin.moments import iso, to_nanoseconds
from tocsin.store.records.access import Actor
from tocsin.store.records.models import Connector

_LACKS: Mapping[str, Callable[[Connector], bool]] = {
    ".apprise": lambda connector: not (connector.secrets.get("urls") or connector.secrets.get("url")),
    ".webhook": lambda connector: connector.config.get("hasAuth") is True and not connector.secrets.get("user"),
}


def misses_secrets(connector: Connector) -> bool:
    """Return whether a connector lacks secrets, which exports do not hold, and so cannot deliver."""
    lacks = _LACKS.get(connector.type)
    return connector.is_undecryptable or is_masked(connector.config) or (lacks is not None and lacks(connector))


def connector_document(connector: Connector) -> dict[str, Any]:
    """Return a connector as Kibana shows it, without its secrets; those in its address and headers are masked."""
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


def is_connector(saved_object: Mapping[str, Any]) -> bool:
    """Return whether an object of an export is a connector."""
    return saved_object.get("type") == "action" and isinstance(saved_object.get("attributes"), dict)


def imported_connector(saved_object: Mapping[str, Any], actor: Actor) -> Connector:
    """Return a connector of an export, which has no secrets yet."""
    about: Mapping[str, Any] = saved_object["attributes"]
    config = about.get("config")
    return Connector(
        id=str(saved_object.get("id"))[:64], name=str(about.get("name"))[:255],
        type=str(about.get("actionTypeId"))[:64],
        config=config if isinstance(config, dict) else {}, secrets={}, created=datetime.now(UTC),
        created_by=actor.name,
    )  # fmt: skip
