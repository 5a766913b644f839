"""Actions on many rules at once. If an action fails for one rule, it still goes on with the others."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import NotFoundError, TocsinError
from tocsin.management.rules.documents import rule_document, without_managed
from tocsin.management.rules.edits import changes_more_than_tags, edited
from tocsin.management.rules.finding import matching_rules
from tocsin.management.rules.references import check_connectors, connectors_of
from tocsin.management.rules.runs import Span, read_span, request_backfill, request_run
from tocsin.management.rules.saving import SchemaOf, check_rule
from tocsin.store.records.access import Actor
from tocsin.store.records.exceptions import copy_list, get_list
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rules import add_rule, change_rule, remove_rule, set_enabled


@dataclass(frozen=True)
class Failure:
    """A rule for which an action failed, and why; without a name if no rule has the id."""

    error: TocsinError
    id: str
    name: str | None = None


@dataclass
class BulkResult:
    """The result of an action: the documents of the rules that it changed, removed or created."""

    action: str
    succeeded: int = 0
    updated: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, rule: StoredRule, made: StoredRule | None) -> None:
        """Add a rule on which the action succeeded, and the rule that it has `made`, if any."""
        self.succeeded += 1
        if made is not None:
            self.created.append(rule_document(made))
        elif self.action == "delete":
            self.deleted.append(rule_document(rule))
        elif self.action != "duplicate":
            self.updated.append(rule_document(rule))


@dataclass(frozen=True)
class Change:
    """The actions on a rule: by whom, and with which `options` (as in the body of Kibana's `_bulk_action`)."""

    session: Session
    actor: Actor
    schemas: SchemaOf
    options: Mapping[str, Any] = field(default_factory=dict)

    def enable(self, rule: StoredRule) -> None:
        """Enable a rule."""
        set_enabled(self.session, self.actor, rule, True)

    def disable(self, rule: StoredRule) -> None:
        """Disable a rule."""
        set_enabled(self.session, self.actor, rule, False)

    def delete(self, rule: StoredRule) -> None:
        """Remove a rule; its alerts stay."""
        remove_rule(self.session, self.actor, rule)

    def duplicate(self, rule: StoredRule) -> StoredRule:
        """Create a disabled copy of a rule, with copies of the rule's own exceptions."""
        about = self.options.get("duplicate") or {}
        references = rule.document.get("exceptions_list") or [] if about.get("include_exceptions", True) else []
        expired = about.get("include_expired_exceptions", True) is not False
        copy = {
            **rule.document, "rule_id": str(uuid.uuid4()), "name": f"{rule.name} [Duplicate]", "immutable": False,
            "exceptions_list": [self._copied(reference, expired) for reference in references],
        }  # fmt: skip
        return add_rule(self.session, self.actor, without_managed(copy), enabled=False)

    def _copied(self, reference: Mapping[str, Any], expired: bool) -> Mapping[str, Any]:
        """Return the list reference of a copy: of a rule's own list, that of a copy."""
        if reference.get("type") != "rule_default":
            return reference
        own = get_list(self.session, list_id=str(reference.get("list_id")))
        copy = copy_list(self.session, self.actor, own, expired=expired)
        return {**reference, "id": copy.id, "list_id": copy.list_id}

    def edit(self, rule: StoredRule) -> None:
        """Change a part of a rule's document."""
        edits = self.options.get("edit") or ()
        document = edited(rule.document, edits)
        if changes_more_than_tags(edits):
            check_rule(document, self.schemas(document))
            check_connectors(self.session, document, connectors_of(rule.document))
        change_rule(self.session, self.actor, rule, document)

    def run(self, rule: StoredRule) -> None:
        """Request a run over a span, or of the window that ends now."""
        request_run(self.session, self.actor, rule, self._span("run"))

    def fill_gaps(self, rule: StoredRule) -> None:
        """Request a run of the windows of a span, or of every gap that is not filled."""
        about = self.options.get("fill_gaps") or {}
        given = about.get("start_date") is not None
        request_backfill(self.session, self.actor, rule, self._span("fill_gaps") if given else None)

    def _span(self, action: str) -> Span:
        about = self.options.get(action) or {}
        return read_span(about.get("start_date"), about.get("end_date"))


ACTIONS: Mapping[str, Callable[[Change, StoredRule], StoredRule | None]] = {
    "enable": Change.enable, "disable": Change.disable, "delete": Change.delete, "duplicate": Change.duplicate,
    "edit": Change.edit, "run": Change.run, "fill_gaps": Change.fill_gaps,
}  # fmt: skip


def apply_action(
    name: str,
    rules: Iterable[StoredRule],
    change: Change,
    *,
    dry_run: bool = False,
    go_on: Callable[[], None] = lambda: None,
) -> BulkResult:
    """Apply one of `ACTIONS` to rules; a `dry_run` changes nothing. `go_on` is called before each rule."""
    result = BulkResult(name)
    for rule in rules:
        go_on()
        id_, title = rule.id, rule.name
        try:
            with change.session.begin_nested():
                result.add(rule, None if dry_run else ACTIONS[name](change, rule))
        except TocsinError as error:
            result.failures.append(Failure(error, id_, title))
    return result


def select_rules(
    session: Session, ids: Sequence[str] | None, rule_ids: Sequence[str] | None, query: str | None
) -> tuple[list[StoredRule], list[Failure]]:
    """Return the rules with some ids, or those that fit a filter in KQL, or all; and the ids that no rule has.

    `rule_ids` are ids or `rule_id`s. Raises InvalidError for a filter that cannot be read.
    """
    rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name)))
    if ids is None and rule_ids is None:
        return matching_rules(rules, query), []
    known = {rule.id: rule.id for rule in rules}
    if rule_ids is not None:
        known |= {rule.rule_id: rule.id for rule in rules}
    wanted = [*(ids or ()), *(rule_ids or ())]
    chosen = {known.get(id_) for id_ in wanted}
    missing = [Failure(NotFoundError(f'id: "{id_}" not found'), id_) for id_ in wanted if id_ not in known]
    return [rule for rule in rules if rule.id in chosen], missing
