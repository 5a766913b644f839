"""Rules -> what the engine runs; what cannot run is named with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.ecs import CATEGORY, TIMESTAMP, Schema, default_schema
from tocsin.engine.candidates import TIEBREAKER, Ordering
from tocsin.engine.graph import EventRule
from tocsin.eql import syntax as s
from tocsin.eql.compile import read
from tocsin.errors import QueryError
from tocsin.rules.files import query_place
from tocsin.rules.load import Skipped
from tocsin.rules.model import Rule


@dataclass(frozen=True)
class ReadyRule:
    """A rule with its query in normal form."""

    rule: Rule
    statement: s.Statement

    @property
    def joined(self) -> s.Sequence | s.Sample | None:
        """The query, if it is a sequence or a sample."""
        query = self.statement.query
        return None if isinstance(query, s.EventQuery) else query

    @property
    def categories(self) -> frozenset[str] | None:
        """The event categories that it reads; None for any, and where another field holds the category."""
        if self.rule.event_category_override:
            return None
        named = {event.category for event in s.event_queries(self.statement.query)}
        return None if None in named else frozenset(c for c in named if c is not None)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it reads beside its conditions: for joining and ordering events."""
        if self.joined is None:
            return frozenset()
        return s.join_fields(self.joined).union(self.ordering)

    @property
    def ordering(self) -> Ordering:
        """The fields that order events."""
        return Ordering(self.rule.timestamp_field or TIMESTAMP, self.rule.tiebreaker_field or TIEBREAKER)

    def event_rule(self, *, any_index: bool) -> EventRule:
        """Return what the engine needs of it."""
        indices = () if any_index else self.rule.index
        category = self.rule.event_category_override or CATEGORY
        return EventRule(self.rule.rule_id, self.statement, indices, category)


def prepare(rules: Iterable[Rule], schema: Schema | None = None) -> tuple[list[ReadyRule], list[Skipped]]:
    """Return the rules that can run, and for each other the reason why not."""
    schema = schema or default_schema()
    ready: list[ReadyRule] = []
    skipped: list[Skipped] = []
    for rule in rules:
        result = _prepare(rule, schema)
        if isinstance(result, ReadyRule):
            ready.append(result)
        else:
            skipped.append(result)
    return ready, skipped


def _prepare(rule: Rule, schema: Schema) -> ReadyRule | Skipped:
    if rule.type != "eql":
        kind = rule.type if rule.type != "query" else f"query ({rule.language})"
        message = f"{rule.name}: rules of type {kind} cannot run yet"
        return Skipped(rule.name, f"type {kind}", message)
    if not rule.query or not rule.query.strip():
        return Skipped(rule.name, "invalid rule", f"{rule.file or rule.name}: the rule has no query", invalid=True)
    try:
        statement = read(rule.query, schema)
    except QueryError as error:
        return Skipped(rule.name, "invalid query", explain_query_error(rule, error), invalid=True)
    if any(pipe.name == "count" for pipe in statement.pipes):
        message = f"{rule.name}: `| count` yields numbers, not events, so it cannot raise alerts"
        return Skipped(rule.name, "count pipe", message, invalid=True)
    return ReadyRule(rule, statement)


def explain_query_error(rule: Rule, error: QueryError) -> str:
    """Return a query's error with its place in the rule's file."""
    if error.place is not None and rule.file.endswith(".toml"):
        place, text = query_place(rule.file, error.text, error.place)
        if text:
            moved = QueryError(error.message, hint=error.hint, place=place, text=text, file=rule.file)
            return f"{rule.file}:{place.line}:{place.column}\n{moved.explain()}"
    return QueryError(
        error.message, hint=error.hint, place=error.place, text=error.text, file=rule.file or rule.name
    ).explain()
