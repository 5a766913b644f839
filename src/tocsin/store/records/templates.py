"""Index templates that clients have set up, as records keep them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.store.mappings.templates import COMPONENT_TEMPLATE, INDEX_TEMPLATE, LEGACY_TEMPLATE, Templates
from tocsin.store.records.models import ClientObject

KINDS = (INDEX_TEMPLATE, COMPONENT_TEMPLATE, LEGACY_TEMPLATE)


def templates_in(session: Session) -> Templates:
    """Return the templates by kind and name."""
    templates: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for row in session.scalars(select(ClientObject).where(ClientObject.kind.in_(KINDS))):
        templates[row.kind][row.name] = row.body
    return templates
