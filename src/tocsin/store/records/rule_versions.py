"""The documents that rules had before, of each rule the last ones: nobody loses a rule to a change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tocsin.errors import NotFoundError
from tocsin.store.records.access import Actor
from tocsin.store.records.models import RuleVersion, StoredRule

MOST_VERSIONS = 100  # of a rule, beside its present document


def keep_version(session: Session, actor: Actor, rule: StoredRule, now: datetime) -> None:
    """Keep the document of a rule that is about to get another, and let go of its oldest versions."""
    made, made_by = made_of(rule, newest_version(session, rule))
    session.add(
        RuleVersion(
            rule_uuid=rule.id, revision=rule.revision, document=rule.document, made=made, made_by=made_by,
            replaced=now, replaced_by=actor.name[:160],
        )
    )  # fmt: skip
    session.flush()
    let_go = (RuleVersion.rule_uuid == rule.id, RuleVersion.revision <= rule.revision - MOST_VERSIONS)
    session.execute(delete(RuleVersion).where(*let_go))


def newest_version(session: Session, rule: StoredRule) -> RuleVersion | None:
    """Return the version of a rule that its present document replaced, None where there is none."""
    newest = select(RuleVersion).where(RuleVersion.rule_uuid == rule.id).order_by(RuleVersion.revision.desc())
    return session.scalar(newest.limit(1))


def made_of(rule: StoredRule, before: RuleVersion | None) -> tuple[datetime | None, str | None]:
    """Return when a rule got its present document, and by whom; None where that is not known.

    `before` is the version that it replaced.
    """
    if before is not None:
        return before.replaced, before.replaced_by
    return (rule.created, rule.created_by) if rule.revision == 0 else (None, None)


def versions_of(session: Session, rule: StoredRule) -> list[RuleVersion]:
    """Return the versions of a rule before its present one, the newest first."""
    versions = select(RuleVersion).where(RuleVersion.rule_uuid == rule.id).order_by(RuleVersion.revision.desc())
    return list(session.scalars(versions))


def find_version(session: Session, rule: StoredRule, revision: int) -> RuleVersion:
    """Return the version of a rule with a revision. Raises NotFoundError."""
    version = session.scalar(
        select(RuleVersion).where(RuleVersion.rule_uuid == rule.id, RuleVersion.revision == revision)
    )
    if version is None:
        raise NotFoundError(f"the rule has no version {revision}")
    return version
