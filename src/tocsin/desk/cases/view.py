"""What the list of cases shows, as its address says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tocsin.desk.translations import N_
from tocsin.desk.whole_numbers import read_whole_number
from tocsin.response.cases.fields import IN_PROGRESS, OPEN, SEVERITIES, STATUSES
from tocsin.response.cases.listing import NOBODY, SORTS, CaseFilter

PAGE_SIZE = 50
ALL = "all"
ME = "me"
STATUS_CHOICES = (("", N_("not closed")), *((status, status) for status in STATUSES), (ALL, N_("all")))
_PARAMETERS = (
    "q", "status", "severity", "assignee", "owner", "tag", "category", "reporter", "mentions", "due", "sort",
    "order",
)  # fmt: skip


@dataclass(frozen=True)
class CasesView:
    """A list of cases: a text each for what is asked; empty where nothing is. `page` counts from 1."""

    q: str = ""
    status: str = ""
    severity: str = ""
    assignee: str = ""
    owner: str = ""
    tag: str = ""
    category: str = ""
    reporter: str = ""
    mentions: str = ""
    due: str = ""
    sort: str = ""
    order: str = ""
    page: int = 1

    @staticmethod
    def of(parameters: QueryParams) -> CasesView:
        """Return the list that an address names. What it says that is none is left out."""
        texts = {name: parameters.get(name, "")[:400].replace("\0", "") for name in _PARAMETERS}
        if texts["sort"] not in SORTS:
            texts["sort"] = ""
        if texts["order"] not in ("asc", "desc"):
            texts["order"] = ""
        if texts["status"] not in (*STATUSES, ALL):
            texts["status"] = ""
        if texts["severity"] not in SEVERITIES:
            texts["severity"] = ""
        return CasesView(**texts, page=read_whole_number(parameters.get("page", ""), 10_000) or 1)

    def address(self, **changes: Any) -> str:
        """Return the address of the list with some of it changed, on its first page."""
        changed = replace(self, **{"page": 1, **changes})
        parameters = {name: getattr(changed, name) for name in _PARAMETERS if getattr(changed, name)}
        if changed.page > 1:
            parameters["page"] = str(changed.page)
        return f"/cases?{urlencode(parameters)}" if parameters else "/cases"

    def sorted_by(self, name: str) -> str:
        """Return the address of the list sorted by something; the other way round where it is already."""
        is_descending = self.sort == name and self.order != "asc"
        return self.address(sort=name, order="asc" if is_descending else "desc")

    def wanted(self, user: str, now: datetime) -> CaseFilter:
        """Return which cases somebody asks for."""
        name = {ME: user, NOBODY: NOBODY}.get(self.assignee, self.assignee)
        return CaseFilter(
            statuses=self._statuses(),
            severities=_alternatives(self.severity),
            tags=_alternatives(self.tag),
            assignees=_alternatives(name),
            owners=_alternatives(user if self.owner == ME else self.owner),
            reporters=_alternatives(self.reporter),
            categories=_alternatives(self.category),
            search=self.q,
            mentioned=user if self.mentions == ME else self.mentions,
            due=now if self.due else None,
        )

    def _statuses(self) -> Sequence[str]:
        return () if self.status == ALL else _alternatives(self.status) or (OPEN, IN_PROGRESS)


def _alternatives(text: str) -> tuple[str, ...]:
    return (text,) if text else ()
