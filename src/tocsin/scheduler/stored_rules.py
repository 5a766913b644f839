"""Enabled rules in records -> their states, with the compiled rule, or the reason why it cannot be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.detection.alerts.documents import ANCESTORS
from tocsin.detection.alerts.exceptions import exception_condition, leaving_out
from tocsin.detection.compile import UNKNOWN_FIELD, prepare
from tocsin.detection.compiled_rule import CompiledRule, scheduled, with_rows
from tocsin.detection.schedule import Schedule, read_schedule
from tocsin.ecs import Schema
from tocsin.eql import syntax as s
from tocsin.errors import QueryError, RuleError, UnknownFieldError
from tocsin.esql.pipeline import read_esql
from tocsin.moments import SECOND, to_nanoseconds
from tocsin.query_dsl.build import any_of, term
from tocsin.query_dsl.context import Context
from tocsin.rules.files import read_rule
from tocsin.rules.model import Rule
from tocsin.scheduler.rule_state import RuleState
from tocsin.store.alerts.names import takes_alerts
from tocsin.store.records.exceptions import items_of, values_of
from tocsin.store.records.models import StoredRule

# The rules that an alert is based on. No rule looks at alerts that are based on its own: it would alert on its own
# alerts for ever.
_ITS_RULES = ("kibana.alert.rule.uuid", f"{ANCESTORS}.rule")


_NAMED = 3  # fields that a rule waits for, in a sentence
# A rule that cannot be read is due too, so that its executions say why.
_UNREADABLE_SCHEDULE = Schedule(300 * SECOND, "now-6m")


class UnknownColumnError(RuleError):
    """A rule with a field that neither a schema nor an event has so far."""


def changes(session: Session) -> dict[str, int]:
    """Return the enabled rules, each with the number of its last change."""
    rows = session.execute(select(StoredRule.id, StoredRule.changed).where(StoredRule.enabled))
    return {row.id: row.changed for row in rows}


SchemaOf = Callable[[Sequence[str]], Schema]  # the schema of the indices that some patterns take


def read_states(session: Session, ids: Iterable[str], schema_of: SchemaOf, now: int) -> list[RuleState]:
    """Return the states of rules at a moment, each compiled against the indices of its patterns."""
    rules = session.scalars(select(StoredRule).where(StoredRule.id.in_(list(ids)), StoredRule.enabled))
    return [_state(session, stored, schema_of, now) for stored in rules]


def _state(session: Session, stored: StoredRule, schema_of: SchemaOf, now: int) -> RuleState:
    state = RuleState(
        stored.id, stored.changed, stored.name, _UNREADABLE_SCHEDULE, stored.watched_from or 0, stored.done_to
    )
    try:
        rule = read_rule(stored.document)
        state.schedule = read_schedule(rule)
        schema = schema_of(rule.index or ("*",))
        compiled, state.expires = compile_stored_rule(session, rule, stored.id, schema, now)
        state.rule = scheduled(with_rows(compiled, schema), stored.id, state.schedule, stored.revision)
        state.schedule = state.rule.schedule
    except UnknownColumnError as error:
        state.waits = error.message
    except RuleError as error:
        state.failure = error.message
    return state


def compile_stored_rule(
    session: Session, rule: Rule, uuid: str, schema: Schema, now: int
) -> tuple[CompiledRule, int | None]:
    """Return a compiled rule without its exceptions, and when the first of these expires.

    `uuid` is its id in records. Raises RuleError.
    """
    ready, skipped = prepare([rule], schema)
    if skipped and skipped[0].reason == UNKNOWN_FIELD:
        raise UnknownColumnError(_waits_for(rule, schema, skipped[0].message))
    if skipped:
        raise RuleError(skipped[0].message)
    compiled, taken_out = ready[0], list[s.Expression]()
    if takes_alerts(compiled.index):
        taken_out.append(any_of(term(name, uuid, Context(schema)) for name in _ITS_RULES))
    items = [
        (item, None if item.expires is None else to_nanoseconds(item.expires))
        for item in items_of(session, [str(reference.get("list_id")) for reference in rule.exceptions_list])
    ]
    valid = [(item, expires) for item, expires in items if expires is None or expires > now]
    expires_first = min((expires for _, expires in valid if expires is not None), default=None)
    if valid:
        documents = [item.document for item, _ in valid]
        try:
            taken_out.append(exception_condition(documents, Context(schema), lambda id_: values_of(session, id_)))
        except QueryError as error:
            raise RuleError(f"an exception of the rule cannot be used: {error.message}") from None
    for condition in taken_out:
        compiled = leaving_out(compiled, condition)
    return compiled, expires_first


def _waits_for(rule: Rule, schema: Schema, otherwise: str) -> str:
    """Return a message about the fields that a rule waits for, with similar names; else `otherwise`."""
    names = _unknown_fields(rule, schema)
    if not names:
        return otherwise
    them = "field" if len(names) == 1 else "fields"
    listed = ", ".join(f"`{name}`" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    near = schema.nearest(names[0])[:2] if len(names) == 1 else ()
    meant = f" (did you mean {' or '.join(f'`{known}`' for known in near)}?)" if near else ""
    return f"no event has had the {them} {listed}{more}{meant}: the rule cannot match until one has"


def _unknown_fields(rule: Rule, schema: Schema) -> list[str]:
    if rule.type != "esql":
        ready, _ = prepare([rule], schema, open_fields=True)
        return [name for compiled in ready for name in compiled.unknown]
    try:  # a pipeline reports only the first: the commands after it depend on it
        read_esql(rule.query or "", schema)
    except UnknownFieldError as error:
        return [error.field]
    except QueryError:
        pass
    return []
