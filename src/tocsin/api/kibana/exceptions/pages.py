"""What routes of exceptions and lists share: pages of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from tocsin.api.kibana.parameters import PageNumber, PageSize, SortOrder
from tocsin.management.exceptions.finding import SORT_FIELDS, find_documents

_Filter = Annotated[
    str | None,
    Query(
        description="A filter in KQL over `exception-list.attributes.*`; without it, all.",
        examples=['exception-list.attributes.name: "Tools*"'],
    ),
]
_SortField = Annotated[
    str | None, Query(description=f"What they are sorted by: one of {', '.join(sorted(SORT_FIELDS))}.")
]


def page_of(documents: Sequence[dict[str, Any]], page: int, per_page: int) -> dict[str, Any]:
    """Return one page of documents, as Kibana shows it."""
    data = documents[(page - 1) * per_page : page * per_page]
    return {"data": data, "page": page, "per_page": per_page, "total": len(documents)}


class ListQuery:
    """Which lists or exceptions a request asks for: those that a filter in KQL fits, in an order, page by page."""

    def __init__(
        self,
        page: PageNumber = 1,
        per_page: PageSize = 20,
        filter: _Filter = None,
        sort_field: _SortField = None,
        sort_order: SortOrder = "asc",
    ) -> None:
        self.page, self.per_page, self.filter = page, per_page, filter
        self.sort_field, self.sort_order = sort_field, sort_order

    def of(self, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the page of some documents, as Kibana shows it. Raises InvalidError."""
        descending = self.sort_order == "desc"
        fitting = find_documents(documents, self.filter, self.sort_field, descending=descending)
        return page_of(fitting, self.page, self.per_page)
