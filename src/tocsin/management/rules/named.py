"""The kept rules that a command names: by an id, a name, a part of a name, or all of them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import RuleError
from tocsin.rules.finding import rule_called
from tocsin.store.records.models import StoredRule

_HINT = "`tocsin rules list --saved` names those that it keeps; `tocsin rules import` takes rules in"


def rules_named(session: Session, names: Iterable[str], *, every: bool = False) -> list[StoredRule]:
    """Return the kept rules that are named, each once, or `every` one, in the order of their names.

    Raises RuleError where none is named, and for a name that stands for none or for several.
    """
    rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name, StoredRule.rule_id)))
    if every:
        return rules
    named = {_rule_named(rules, name).id for name in names if name}
    if not named:
        raise RuleError("no rule is named", hint="name one, or give --all")
    return [rule for rule in rules if rule.id in named]


def _rule_named(rules: list[StoredRule], name: str) -> StoredRule:
    rule = next((rule for rule in rules if rule.id == name.lower()), None) or rule_called(rules, name)
    if rule is None:
        raise RuleError(f"the service keeps no rule called `{name}`", hint=_HINT)
    return rule
