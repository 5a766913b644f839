"""Event categories that ECS does not have: a misspelt one matches nothing, and nobody else says so."""

from __future__ import annotations

from tocsin.ecs import CATEGORIES, nearest_of
from tocsin.eql import syntax as s


def unknown_categories(statement: s.Statement) -> list[str]:
    """Return what to tell about each category of a query that is none of ECS.

    It is no error: Elasticsearch takes any value, as events of somebody's own may have it.
    """
    named = dict.fromkeys(event.category for event in s.event_queries(statement.query) if event.category)
    return [_told(name) for name in named if name not in CATEGORIES]


def _told(name: str) -> str:
    near = " or ".join(f"`{one}`" for one in nearest_of(name, CATEGORIES)[:1])
    return f"`{name}` is no event category of ECS" + (f"; did you mean {near}?" if near else "")
