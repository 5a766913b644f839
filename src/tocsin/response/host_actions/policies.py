"""Who may ask for which kind of action, and which kinds a second person has to approve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.response.host_actions.catalogue import ACTION_KINDS, action_kind
from tocsin.store.records.access import Actor, Scope, record
from tocsin.store.records.host_actions import ActionPolicy

# What a policy may ask for: analysts and above, engineers and above, administrators.
POLICY_SCOPES = (Scope.RESPOND, Scope.WRITE_RULES, Scope.ADMIN)


@dataclass(frozen=True)
class KindPolicy:
    """Who may ask for a kind of action (and approve it), and whether a second person has to."""

    kind: str
    scope: Scope = Scope.RESPOND
    four_eyes: bool = False


def policy_of(session: Session, kind: str) -> KindPolicy:
    """Return the policy of a kind of action."""
    policy = session.get(ActionPolicy, kind)
    return KindPolicy(kind) if policy is None else KindPolicy(kind, Scope(policy.scope), policy.four_eyes)


def policies(session: Session) -> Mapping[str, KindPolicy]:
    """Return the policies of all kinds, in their order."""
    given = {
        policy.kind: KindPolicy(policy.kind, Scope(policy.scope), policy.four_eyes)
        for policy in session.scalars(select(ActionPolicy))
    }
    return {kind: given.get(kind, KindPolicy(kind)) for kind in ACTION_KINDS}


def set_policy(session: Session, actor: Actor, kind: str, scope: str, *, four_eyes: bool) -> None:
    """Say who may ask for a kind of action, and whether a second person approves it. Raises InvalidError."""
    action_kind(kind)
    if scope not in POLICY_SCOPES:
        raise InvalidError(f"[scope] is one of {', '.join(POLICY_SCOPES)}")
    policy = session.get(ActionPolicy, kind)
    if policy is None:
        policy = ActionPolicy(kind=kind)
        session.add(policy)
    elif (policy.scope, policy.four_eyes) == (scope, four_eyes):
        return
    policy.scope, policy.four_eyes = scope, four_eyes
    policy.updated, policy.updated_by = datetime.now(UTC), actor.name[:160]
    record(session, actor, "response.policy", kind, scope=scope, four_eyes=four_eyes)
