"""Exception lists and items that fit a filter in KQL, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tocsin.errors import InvalidError
from tocsin.management.filters import Filter

_FILTER = Filter(
    ("exception-list.attributes.", "exception-list-agnostic.attributes."),
    ("name", "description", "list_id", "item_id", "type", "tags", "os_types", "created_by", "updated_by"),
)
SORT_FIELDS = frozenset(
    {"name", "list_id", "item_id", "type", "created_at", "created_by", "updated_at", "updated_by", "id", "_id"}
)


def find_documents(
    documents: Sequence[dict[str, Any]], text: str | None, sort_field: str | None, *, descending: bool = False
) -> list[dict[str, Any]]:
    """Return the documents of lists or items that fit a filter, or all, in order. Raises InvalidError."""
    fitting = _FILTER.matching(documents, text)
    if sort_field is None:
        return fitting
    if sort_field not in SORT_FIELDS:
        raise InvalidError(f"[sort_field] is one of {', '.join(sorted(SORT_FIELDS))}")
    name = sort_field.removeprefix("_")
    return sorted(fitting, key=lambda document: str(document.get(name, "")).lower(), reverse=descending)
