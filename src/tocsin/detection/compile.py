"""Rules -> compiled rules; a rule that cannot run is reported with its reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from tocsin.detection.categories import unknown_categories
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_limits import type_faults
from tocsin.ecs import CATEGORY, Field, FieldType, Schema, default_schema
from tocsin.eql import syntax as s
from tocsin.eql.compile import read
from tocsin.errors import QueryError, UnknownFieldError
from tocsin.esql.pipeline import Pipeline, read_esql
from tocsin.field_patterns import field_pattern
from tocsin.kql.read import read_kql
from tocsin.query_dsl.build import all_of
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.query_dsl.query_string import Reading, read_query_string
from tocsin.query_size import MOST_UNKNOWN
from tocsin.rules.files import query_place
from tocsin.rules.load import Skipped
from tocsin.rules.model import Rule


def prepare(
    rules: Iterable[Rule],
    schema: Schema | None = None,
    *,
    open_fields: bool = False,
) -> tuple[list[CompiledRule], list[Skipped]]:
    """Return the rules that can run, and for each other rule why it cannot.

    With `open_fields`, as in a hunt, a rule may name fields that the schema does not know: events may have them.
    """
    schema = schema or default_schema()
    ready: list[CompiledRule] = []
    skipped: list[Skipped] = []
    for rule in rules:
        result = _prepare(rule, schema, open_fields)
        if isinstance(result, CompiledRule):
            ready.append(result)
        else:
            skipped.append(result)
    return ready, skipped


_Read = Callable[[str, Schema], s.Statement | Pipeline]


def _kql(text: str, schema: Schema) -> s.Statement:
    return s.Statement(_of_category(read_kql(text, Context(schema))))


def _lucene(text: str, schema: Schema) -> s.Statement:
    return s.Statement(_of_category(read_query_string(text, Reading(Context(schema)))))


# The languages that queries of events are written in.
_QUERIES: dict[str, _Read] = {"kuery": _kql, "lucene": _lucene}
# The rule types, with the languages of the query that selects their events.
_TYPES: dict[str, dict[str, _Read]] = {
    "eql": {"eql": read}, "esql": {"esql": read_esql},
    "query": _QUERIES, "saved_query": _QUERIES, "threshold": _QUERIES, "new_terms": _QUERIES,
    "threat_match": _QUERIES,
}  # fmt: skip
UNKNOWN_FIELD = "unknown field"  # the reason of a rule that names a field which no schema knows


def _of_category(condition: s.Expression) -> s.EventQuery:
    """Return a condition as an event query, with the category that it demands, if it demands one."""
    operands = condition.operands if isinstance(condition, s.And) else (condition,)
    for place, operand in enumerate(operands):
        match operand:
            case s.Comparison("==", s.FieldRef(name), s.Literal(str() as category)) if name == CATEGORY:
                return s.EventQuery(category, all_of((*operands[:place], *operands[place + 1 :])))
    return s.EventQuery(None, condition)


_Query = TypeVar("_Query", s.Statement, s.Statement | Pipeline)


def read_open(
    text: str, schema: Schema, reader: Callable[[str, Schema], _Query]
) -> tuple[_Query, dict[str, UnknownFieldError]]:
    """Return a query that may name fields which no schema knows, and the error about each of these fields."""
    unknown: dict[str, UnknownFieldError] = {}
    # In ES|QL a field is a column, which has a type: that of a field without a mapping.
    kind = FieldType.KEYWORD if reader is read_esql else FieldType.OBJECT
    while True:
        try:
            return reader(text, schema), unknown
        except UnknownFieldError as error:
            if error.field in unknown:
                raise
            if len(unknown) >= MOST_UNKNOWN:
                raise QueryError(f"the query names more than {MOST_UNKNOWN} fields that are not known") from None
            unknown[error.field] = error
            schema = schema.extended([Field(error.field, kind)])


def _fault_behind(text: str, schema: Schema, reader: _Read) -> QueryError | None:
    """Return an error of a query other than its unknown fields, which events may have; None without one."""
    try:
        if reader is read_esql:
            read_esql(text, schema, unmapped="nullify")
        else:
            read_open(text, schema, reader)
    except QueryError as error:
        return error
    return None


def query_errors(type_: str, language: str, text: str, schema: Schema) -> list[QueryError]:
    """Return what is wrong with the query of a rule: its error, or its unknown fields, which events may have.

    `type_` is the rule's; an empty language is that of the type.
    """
    readers = _TYPES.get(type_, {})
    reader = readers.get(language or next(iter(readers), ""))
    if reader is None:
        return [QueryError(f"rules of the type {type_} in {language or 'no language'} cannot run here")]
    try:
        reader(text, schema)
    except UnknownFieldError as error:
        if (fault := _fault_behind(text, schema, reader)) is not None:
            return [fault]
        return [error] if reader is read_esql else list(read_open(text, schema, reader)[1].values())
    except QueryError as error:
        return [error]
    return []


def _prepare(rule: Rule, schema: Schema, open_fields: bool) -> CompiledRule | Skipped:
    readers = _TYPES.get(rule.type, {})
    language = rule.language or next(iter(readers), "")
    reader = readers.get(language)
    if reader is None:
        kind = f"{rule.type} ({language})" if readers else rule.type
        message = f"{rule.name}: rules of type {kind} cannot run here"
        return Skipped(rule.name, f"type {kind}", message)
    if not rule.query or not rule.query.strip():
        return Skipped(rule.name, "invalid rule", f"{rule.file or rule.name}: the rule has no query", invalid=True)
    if open_fields and (lack := next(type_faults(rule), None)) is not None:
        message = f"{rule.file or rule.name}: `{lack[0]}` {lack[1]}"
        return Skipped(rule.name, "invalid rule", message, invalid=True)
    try:
        unknown: Mapping[str, UnknownFieldError] = {}
        if open_fields:
            query, unknown = read_open(rule.query, schema, reader)
        else:
            query = reader(rule.query, schema)
    except UnknownFieldError as error:
        fault = _fault_behind(rule.query, schema, reader)
        if fault is None:
            return Skipped(rule.name, UNKNOWN_FIELD, explain_query_error(rule, error), invalid=True)
        return Skipped(rule.name, "invalid query", explain_query_error(rule, fault), invalid=True)
    except QueryError as error:
        return Skipped(rule.name, "invalid query", explain_query_error(rule, error), invalid=True)
    pipeline = query if isinstance(query, Pipeline) else None
    statement = s.Statement(_of_category(query.prefilter)) if isinstance(query, Pipeline) else query
    if any(pipe.name == "count" for pipe in statement.pipes):
        message = f"{rule.name}: `| count` yields numbers, not events, so it cannot raise alerts"
        return Skipped(rule.name, "count pipe", message, invalid=True)
    try:
        messages = {name: explain_query_error(rule, error) for name, error in unknown.items()}
        statement = narrowed(statement, filtered_by(rule, schema))
        if open_fields and language in _QUERIES:
            where = rule.file or rule.name
            messages = {name: f"{where}: {text}" for name, text in _unknown_to(schema, statement).items()}
            messages |= dict.fromkeys(_below(messages, statement), "")
        return CompiledRule(rule, statement, pipeline, messages, rule.rule_id)
    except QueryError as error:
        message = f"{rule.file or rule.name}: in `filters`: {error}"
        return Skipped(rule.name, "invalid filter", message, invalid=True)


def filtered_by(rule: Rule, schema: Schema) -> s.Expression:
    """Return the condition of all filters of a rule together. Raises QueryError."""
    context = Context(schema)
    conditions: list[s.Expression] = []
    for filter_ in rule.filters:
        about = filter_.get("meta") or {}
        if about.get("disabled") is True:
            continue
        # Kibana writes a query below `query`, or (older) beside `meta` itself.
        own = {name: body for name, body in filter_.items() if name not in ("meta", "$state")}
        query = filter_.get("query") or own
        condition = read_query(query, context)
        conditions.append(s.Not(condition) if about.get("negate") is True else condition)
    return all_of(conditions)


def narrowed(statement: s.Statement, condition: s.Expression) -> s.Statement:
    """Return a statement whose every event also meets a condition."""
    if condition == s.Literal(True):
        return statement

    def event(query: s.EventQuery) -> s.EventQuery:
        return replace(query, condition=all_of((query.condition, condition)))

    def step(whole: s.Step) -> s.Step:
        return replace(whole, event=event(whole.event))

    query = statement.query
    match query:
        case s.EventQuery():
            return replace(statement, query=event(query))
        case s.Sample():
            return replace(statement, query=replace(query, steps=tuple(map(step, query.steps))))
        case s.Sequence():
            until = step(query.until) if query.until else None
            return replace(statement, query=replace(query, steps=tuple(map(step, query.steps)), until=until))


def doubtful_fields(ready: CompiledRule, schema: Schema | None = None) -> list[str]:
    """Return messages about fields that no schema knows, and about categories that ECS does not have.

    KQL and Lucene take any name for a field. EQL and ES|QL refuse an unknown one, unless in EQL it is marked as
    optional with `?`.
    """
    if ready.rule.type in ("eql", "esql"):
        messages = [f"no event is known to have the field `{name}`" for name in ready.unknown]
    else:
        messages = list(_unknown_to(schema or default_schema(), ready.statement).values())
    return messages + (unknown_categories(ready.statement) if ready.of_known_category else [])


def _unknown_to(schema: Schema, statement: s.Statement) -> dict[str, str]:
    """Return the fields of a statement that a schema does not know, with a message about each."""
    messages: dict[str, str] = {}
    for name in s.statement_fields(statement):
        if schema.find(name) is None and field_pattern(name) is None:
            similar = schema.nearest(name)[:2] if len(messages) < MOST_UNKNOWN else ()  # it is slow
            near = " or ".join(f"`{known}`" for known in similar)
            hint = f"; did you mean {near}?" if near else ""
            messages[name] = f"`{name}` is no field that is known{hint}"
    return messages


def _below(names: Collection[str], statement: s.Statement) -> list[str]:
    """Return the wildcards of a statement for all subfields of some fields, as in `names: *`."""
    patterns = ((name, field_pattern(name)) for name in s.statement_fields(statement))
    return [
        name for name, pattern in patterns if pattern is not None and pattern.pattern.removesuffix(".*") in names
    ]


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
