"""What routes of exceptions and lists share: pages of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query

from tocsin.management.exceptions.finding import find_documents


def page_of(documents: Sequence[dict[str, Any]], page: int, per_page: int) -> dict[str, Any]:
    """Return one page of documents, as Kibana shows it."""
    data = documents[(page - 1) * per_page : page * per_page]
    return {"data": data, "page": page, "per_page": per_page, "total": len(documents)}


class ListQuery:
    """Which lists or exceptions a request asks for: those that a filter in KQL fits, in an order, page by page."""

    def __init__(
        self,
        page: Annotated[int, Query(ge=1, le=10_000)] = 1,
        per_page: Annotated[int, Query(ge=1, le=10_000)] = 20,
        filter: str | None = None,
        sort_field: str | None = None,
        sort_order: Literal["asc", "desc"] = "asc",
    ) -> None:
        self.page, self.per_page, self.filter = page, per_page, filter
        self.sort_field, self.sort_order = sort_field, sort_order

    def of(self, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the page of some documents, as Kibana shows it. Raises InvalidError."""
        descending = self.sort_order == "desc"
        fitting = find_documents(documents, self.filter, self.sort_field, descending=descending)
        return page_of(fitting, self.page, self.per_page)
