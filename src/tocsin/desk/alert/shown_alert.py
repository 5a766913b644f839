"""The alert that an address names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from tocsin.api.answers import ApiError
from tocsin.desk.documents import FlatDocument, flat_document
from tocsin.desk.searches import search
from tocsin.store.alerts.names import ALERTS_INDEX


@dataclass(frozen=True)
class ShownAlert:
    """An alert: flat, and as its document is."""

    flat: FlatDocument
    document: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        """Its event's fields: with the time of the event, without what was added to it."""
        values = {n: v for n, v in self.flat.values.items() if not n.startswith("kibana.")}
        return values | {"@timestamp": self.flat.raw("kibana.alert.original_time") or self.flat.raw("@timestamp")}


async def find_alert(request: Request, id: str) -> ShownAlert:
    """Return an alert by its id. Raises ApiError where there is none."""
    answer = await search(request, [ALERTS_INDEX], {"query": {"ids": {"values": [id]}}, "size": 1})
    hits = answer["hits"]["hits"]
    if not hits:
        raise ApiError(404, "resource_not_found_exception", f"there is no alert {id}")
    return ShownAlert(flat_document(hits[0]), hits[0]["_source"])
