"""What an import would do: it is done in a transaction that is undone, so that the preview is what will happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from tocsin.management.differences import MemberDifference, differences
from tocsin.management.imports import ImportResult, Overwrite, import_objects
from tocsin.management.rules.documents import with_defaults
from tocsin.management.rules.saving import SchemaOf
from tocsin.store.records.access import Actor

_EVERYTHING = Overwrite(rules=True, exceptions=True, connectors=True)
_MOST_DIFFERENCES = 50  # rules of which it is shown how they differ


@dataclass(frozen=True)
class PreviewedRule:
    """A rule of an import: `state` is new, changed or same, beside the rule of its `rule_id` that is there."""

    rule_id: str
    name: str
    state: str
    differences: Sequence[MemberDifference] = ()


@dataclass(frozen=True)
class ImportPreview:
    """What an import that replaces everything would do."""

    result: ImportResult
    rules: Sequence[PreviewedRule]

    def of_state(self, state: str) -> list[PreviewedRule]:
        """Return the rules that are new, changed or same."""
        return [rule for rule in self.rules if rule.state == state]


def preview_import(
    session: Session,
    actor: Actor,
    lines: Sequence[bytes],
    schemas: SchemaOf,
    go_on: Callable[[], None] = lambda: None,
) -> ImportPreview:
    """Return what an import that replaces what is there would do. Nothing is saved. Raises InvalidError."""
    savepoint = session.begin_nested()
    try:
        result = import_objects(session, actor, lines, schemas, _EVERYTHING, go_on)
    finally:
        savepoint.rollback()
    rules: list[PreviewedRule] = []
    shown = 0
    for saved in result.documents:
        go_on()
        before = None if saved.before is None else with_defaults(saved.before)
        after = with_defaults(saved.after)
        state = "new" if before is None else "same" if before == after else "changed"
        members: Sequence[MemberDifference] = ()
        if before is not None and before != after and shown < _MOST_DIFFERENCES:
            shown += 1
            members = differences(before, after)
        rules.append(PreviewedRule(saved.rule_id, _name(saved.after), state, members))
    return ImportPreview(result, rules)


def _name(document: Mapping[str, Any]) -> str:
    return str(document.get("name") or document.get("rule_id"))
