"""Versions of a rule: the documents that it had, how they differ, and its return to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from tocsin.management.rules.documents import with_defaults
from tocsin.management.rules.saving import SavedRule, SchemaOf, change_rule
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import StoredRule
from tocsin.store.records.rule_versions import find_version, made_of, versions_of


@dataclass(frozen=True)
class ShownVersion:
    """A document of a rule, when it became so and by whom (None: before versions were kept).

    `changed` are the members in which it differs from the version before it that is known.
    """

    revision: int
    document: Mapping[str, Any]
    made: datetime | None
    made_by: str | None
    changed: tuple[str, ...] = ()
    is_present: bool = False


def shown_versions(session: Session, rule: StoredRule) -> list[ShownVersion]:
    """Return the versions of a rule, its present one first."""
    earlier = versions_of(session, rule)
    made, made_by = made_of(rule, earlier[0] if earlier else None)
    entries = [
        (rule.revision, rule.document, made, made_by),
        *((v.revision, v.document, v.made, v.made_by) for v in earlier),
    ]
    befores = [document for _, document, _, _ in entries[1:]]
    return [
        ShownVersion(
            revision, document, made, made_by,
            _changed(befores[place], document) if place < len(befores) else (), is_present=place == 0,
        )
        for place, (revision, document, made, made_by) in enumerate(entries)
    ]  # fmt: skip


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = with_defaults(before), with_defaults(after)
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def restore_version(
    session: Session, actor: Actor, rule: StoredRule, revision: int, schemas: SchemaOf
) -> SavedRule:
    """Give a rule the document of an earlier version again, as a new revision; whether it is enabled stays.

    Raises NotFoundError for an unknown version, and InvalidError for one that could not be saved today.
    """
    document = find_version(session, rule, revision).document
    saved = change_rule(session, actor, rule, document, schemas)
    record(session, actor, "rule.restored", rule.rule_id, uuid=rule.id, revision=revision)
    return saved
