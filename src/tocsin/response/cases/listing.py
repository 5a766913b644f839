"""Which cases there are: filtered, ordered, counted; those that are to be followed up now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from tocsin.response.cases.fields import CLOSED, SEVERITIES, STATUSES
from tocsin.store.records.cases import CaseComment, StoredCase

NOBODY = "none"  # stands for no assignee, as in Kibana
# What cases are sorted by: Kibana's names.
SORTS: Mapping[str, Callable[[], Any]] = MappingProxyType({
    "createdAt": lambda: StoredCase.created,
    "updatedAt": lambda: StoredCase.updated,
    "closedAt": lambda: StoredCase.closed,
    "title": lambda: func.lower(StoredCase.title),
    "category": lambda: StoredCase.category,
    "status": lambda: _place(StoredCase.status, STATUSES),
    "severity": lambda: _place(StoredCase.severity, SEVERITIES),
    "followUp": lambda: StoredCase.follow_up,
})  # fmt: skip


@dataclass(frozen=True)
class CaseFilter:
    """Which cases are wanted; an empty member asks for nothing. Several values of one member are alternatives.

    `search` is words of the title or description (each of them, or one with `any_word`), the number or the id;
    `mentioned` is a user whom a comment calls; `due` are those to be followed up at a moment.
    """

    statuses: Sequence[str] = ()
    severities: Sequence[str] = ()
    tags: Sequence[str] = ()
    assignees: Sequence[str] = ()
    owners: Sequence[str] = ()
    reporters: Sequence[str] = ()
    categories: Sequence[str] = ()
    search: str = ""
    any_word: bool = False
    search_fields: Sequence[str] = ("title", "description")
    since: datetime | None = None
    until: datetime | None = None
    mentioned: str = ""
    due: datetime | None = None

    def apply(self, query: Select[Any], *, statuses: bool = True) -> Select[Any]:
        """Return a query of cases that asks for those that fit, with `statuses=False` of any status."""
        for column, values in (
            (StoredCase.status, self.statuses if statuses else ()),
            (StoredCase.severity, self.severities), (StoredCase.owner, self.owners),
            (StoredCase.created_by, self.reporters), (StoredCase.category, self.categories),
        ):  # fmt: skip
            if values:
                query = query.where(column.in_(values))
        if self.tags:
            query = query.where(or_(*(_holds(StoredCase.tags, tag) for tag in self.tags)))
        if self.assignees:
            query = query.where(or_(*(_assigned(name) for name in self.assignees)))
        if self.since is not None:
            query = query.where(StoredCase.created >= self.since)
        if self.until is not None:
            query = query.where(StoredCase.created <= self.until)
        if self.mentioned:
            mentioning = select(CaseComment.case_id).where(_holds(CaseComment.mentions, self.mentioned))
            query = query.where(StoredCase.id.in_(mentioning))
        if self.due is not None:
            query = query.where(StoredCase.follow_up <= self.due, StoredCase.status != CLOSED)
        return query.where(self._words()) if self.search.split() else query

    def _words(self) -> ColumnElement[bool]:
        columns = [getattr(StoredCase, name) for name in self.search_fields]
        tests = [
            or_(*(func.lower(column).contains(word.lower(), autoescape=True) for column in columns))
            for word in self.search.replace("\0", " ").split()[:50]
        ]
        text = self.search.strip()
        number = text.removeprefix("#")
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        itself = [StoredCase.id == text, *([StoredCase.number == int(number)] if is_number else [])]
        words = or_(*tests) if self.any_word else and_(*tests)
        return or_(words, *itself)


def find_cases(
    session: Session,
    wanted: CaseFilter,
    *,
    size: int,
    start: int = 0,
    sort: str = "createdAt",
    ascending: bool = False,
) -> Sequence[StoredCase]:
    """Return some of the cases that a filter lets through, in an order; those without the value come last."""
    key = SORTS[sort]()
    order = key.asc().nulls_last() if ascending else key.desc().nulls_last()
    query = wanted.apply(select(StoredCase)).order_by(order, StoredCase.number.desc())
    return session.scalars(query.offset(start).limit(size)).all()


def count_cases(session: Session, wanted: CaseFilter) -> int:
    """Return how many cases a filter lets through."""
    return session.scalar(wanted.apply(select(func.count()).select_from(StoredCase))) or 0


def count_by_status(session: Session, wanted: CaseFilter) -> dict[str, int]:
    """Return how many cases of each status a filter lets through, whatever status it asks for."""
    columns: Any = select(StoredCase.status, func.count())
    query = wanted.apply(columns, statuses=False).group_by(StoredCase.status)
    counts = {str(status): int(count) for status, count in session.execute(query)}
    return {status: counts.get(status, 0) for status in STATUSES}


def due_cases(session: Session, now: datetime, size: int = 20) -> Sequence[StoredCase]:
    """Return the cases that are to be followed up by now, those that wait longest first."""
    return find_cases(session, CaseFilter(due=now), size=size, sort="followUp", ascending=True)


def all_tags(session: Session) -> list[str]:
    """Return the tags that cases have, by name."""
    return sorted({tag for tags in session.scalars(select(StoredCase.tags)) for tag in tags})


def distinct_values(session: Session, column: str) -> list[str]:
    """Return the values that cases have in one of `created_by`, `owner` and `category`, by name."""
    attribute = {"created_by": StoredCase.created_by, "owner": StoredCase.owner, "category": StoredCase.category}[
        column
    ]
    return sorted(value for value in session.scalars(select(attribute).distinct()) if value)


def _place(column: Any, order: Sequence[str]) -> Any:
    return case({value: number for number, value in enumerate(order)}, value=column, else_=len(order))


def _holds(column: Any, member: str) -> ColumnElement[bool]:
    """Return the condition that a list of texts has a member.

    In the JSON of the list a member begins behind `[` or `, `; within another its quotes are escaped.
    """
    written = cast(column, String)
    return or_(*(written.contains(f"{before}{json.dumps(member)}", autoescape=True) for before in ("[", ", ")))


def _assigned(name: str) -> ColumnElement[bool]:
    return cast(StoredCase.assignees, String) == "[]" if name == NOBODY else _holds(StoredCase.assignees, name)
