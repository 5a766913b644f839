"""Event categories that ECS does not have: a misspelt one matches nothing."""

from __future__ import annotations

from tocsin.ecs import CATEGORIES, nearest_of
from tocsin.eql import syntax as s


def unknown_categories(statement: s.Statement) -> list[str]:
    """Return a message for each category of a query that ECS does not have.

    It is no error: Elasticsearch takes any value, because custom events may have it.
    """
    named = dict.fromkeys(event.category for event in s.event_queries(statement.query) if event.category)
    return [_message(name) for name in named if name not in CATEGORIES]


def _message(name: str) -> str:
    near = " or ".join(f"`{category}`" for category in nearest_of(name, CATEGORIES)[:1])
    return f"`{name}` is no event category of ECS" + (f"; did you mean {near}?" if near else "")
