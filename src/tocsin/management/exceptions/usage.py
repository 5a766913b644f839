"""Who uses exception lists and lists of values: the rules that name a list, the exceptions that name values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tocsin.management.exceptions.documents import list_document
from tocsin.store.records.access import Actor
from tocsin.store.records.exceptions import lists_of, value_lists_in
from tocsin.store.records.models import ExceptionItem, ExceptionList, ListedValue, StoredRule, ValueList
from tocsin.store.records.rules import change_rule

# Lists of these types are for rules; Elastic's others are for its agent.
TYPES_OF_RULES = ("rule_default", "detection", "endpoint")


@dataclass(frozen=True)
class NamedRule:
    """A rule by its id and its name."""

    id: str
    name: str


@dataclass(frozen=True)
class ListUsage:
    """An exception list with how many exceptions it has, and the rules that name it."""

    stored: ExceptionList
    items: int
    rules: Sequence[NamedRule]

    @property
    def name(self) -> str:
        """Its name, or its id where it has none."""
        return str(self.stored.document.get("name") or self.stored.list_id)

    @property
    def type(self) -> str:
        """Its type, as Kibana has it."""
        return str(list_document(self.stored)["type"])


def rules_by_list(session: Session) -> Mapping[str, Sequence[NamedRule]]:
    """Return the rules that name exception lists, by `list_id`, in the order of their names."""
    rules: dict[str, list[NamedRule]] = {}
    # Not whole documents: hundreds of rules with their guides take a quarter of a second.
    named = StoredRule.document["exceptions_list"]
    asked = select(StoredRule.id, StoredRule.name, named).order_by(StoredRule.name, StoredRule.id)
    for id_, name, references in session.execute(asked):
        for list_id in dict.fromkeys(lists_of({"exceptions_list": references})):
            rules.setdefault(list_id, []).append(NamedRule(id_, name))
    return rules


def used_lists(session: Session) -> list[ListUsage]:
    """Return all exception lists with who uses them, by name."""
    rules = rules_by_list(session)
    asked = select(ExceptionItem.list_id, func.count()).group_by(ExceptionItem.list_id)
    counts = {row[0]: row[1] for row in session.execute(asked)}
    lists = [
        ListUsage(stored, counts.get(stored.list_id, 0), rules.get(stored.list_id, ()))
        for stored in session.scalars(select(ExceptionList))
    ]
    return sorted(lists, key=lambda usage: (usage.name.lower(), usage.stored.id))


def use_list(session: Session, actor: Actor, rule: StoredRule, exceptions: ExceptionList) -> bool:
    """Have a rule use an exception list; return whether it did not before."""
    if exceptions.list_id in lists_of(rule.document):
        return False
    about = list_document(exceptions)
    reference = {"id": exceptions.id, "list_id": exceptions.list_id}
    reference |= {"type": about["type"], "namespace_type": about["namespace_type"]}
    named = [*(rule.document.get("exceptions_list") or ()), reference]
    change_rule(session, actor, rule, {**rule.document, "exceptions_list": named})
    return True


def leave_list(session: Session, actor: Actor, rule: StoredRule, exceptions: ExceptionList) -> None:
    """Have a rule use an exception list no more."""
    kept = [
        reference
        for reference in rule.document.get("exceptions_list") or ()
        if reference.get("list_id") != exceptions.list_id
    ]
    change_rule(session, actor, rule, {**rule.document, "exceptions_list": kept})


def rules_called(session: Session, name: str) -> Sequence[StoredRule]:
    """Return the rules with a name, an id or a `rule_id`."""
    asked = select(StoredRule).where(
        or_(StoredRule.name == name, StoredRule.id == name, StoredRule.rule_id == name)
    )
    return session.scalars(asked.order_by(StoredRule.id)).all()


def rule_names(session: Session) -> Sequence[str]:
    """Return the names of all rules, each once."""
    return session.scalars(select(StoredRule.name).distinct().order_by(StoredRule.name)).all()


def value_counts(session: Session) -> Mapping[str, int]:
    """Return how many values each list of values has."""
    asked = select(ListedValue.list_id, func.count()).group_by(ListedValue.list_id)
    return {row[0]: row[1] for row in session.execute(asked)}


def exceptions_by_values(session: Session) -> Mapping[str, Sequence[ExceptionItem]]:
    """Return the exceptions that name lists of values, by the id of that list."""
    items: dict[str, list[ExceptionItem]] = {}
    for item in session.scalars(select(ExceptionItem).order_by(ExceptionItem.created, ExceptionItem.id)):
        for id_ in value_lists_in(item.document):
            items.setdefault(id_, []).append(item)
    return items


def value_lists(session: Session) -> Sequence[ValueList]:
    """Return the lists of values, by id."""
    return session.scalars(select(ValueList).order_by(ValueList.id)).all()
