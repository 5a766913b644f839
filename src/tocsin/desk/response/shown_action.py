"""Actions as pages show them, and words for their kinds and states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from tocsin.desk.translations import N_
from tocsin.moments import iso
from tocsin.response.host_actions.catalogue import ACTION_KINDS
from tocsin.response.host_actions.requests import may_decide, person_of, undo_under_way
from tocsin.response.host_actions.states import UNDOABLE, ActionState
from tocsin.store.records.access import Actor, Scope
from tocsin.store.records.host_actions import HostAction, StoredResponseConnector

KIND_LABELS: Mapping[str, str] = {name: kind.label for name, kind in ACTION_KINDS.items()}
STATE_LABELS: Mapping[str, str] = {
    ActionState.AWAITING_APPROVAL: N_("awaiting approval"),
    ActionState.APPROVED: N_("to be sent"),
    ActionState.SENDING: N_("being sent"),
    ActionState.RUNNING: N_("running"),
    ActionState.SUCCEEDED: N_("succeeded"),
    ActionState.FAILED: N_("failed"),
    ActionState.TIMED_OUT: N_("timed out"),
    ActionState.UNKNOWN: N_("unknown: look"),
    ActionState.UNDONE: N_("undone"),
    ActionState.REJECTED: N_("rejected"),
    ActionState.WITHDRAWN: N_("withdrawn"),
    ActionState.HELD_BACK: N_("held back"),
}
# What somebody has to look at.
_BAD = frozenset({ActionState.FAILED, ActionState.TIMED_OUT, ActionState.UNKNOWN, ActionState.HELD_BACK})
_WAITS = frozenset({ActionState.AWAITING_APPROVAL, ActionState.APPROVED, ActionState.SENDING, ActionState.RUNNING})


@dataclass(frozen=True)
class ShownAction:
    """An action as pages show it: its words, its times as ISO 8601 writes them, and what may be done with it.

    `tone` is bad, waits or empty.
    """

    action: HostAction
    kind: str
    state: str
    tone: str
    target: str
    connector: str
    requested: str
    decided: str
    sent: str
    finished: str
    expires: str
    may_decide: bool = False
    may_withdraw: bool = False
    may_undo: bool = False
    may_settle: bool = False


def shown_actions(session: Session, actor: Actor, actions: Iterable[HostAction]) -> list[ShownAction]:
    """Return actions as pages show them to somebody."""
    names = {connector.id: connector.name for connector in session.query(StoredResponseConnector)}
    return [_shown(session, actor, action, names) for action in actions]


def _shown(session: Session, actor: Actor, action: HostAction, names: Mapping[str, str]) -> ShownAction:
    responds = actor.may(Scope.RESPOND)
    own = person_of(actor) == action.requester or actor.may(Scope.ADMIN)
    undone_by = ACTION_KINDS[action.kind].undone_by if action.kind in ACTION_KINDS else None
    return ShownAction(
        action=action,
        kind=KIND_LABELS.get(action.kind, action.kind),
        state=STATE_LABELS.get(action.state, action.state),
        tone="bad" if action.state in _BAD else "waits" if action.state in _WAITS else "",
        target=target_of(action.host, action.parameters),
        connector=names.get(action.connector_id, N_("a connector that was removed")),
        requested=iso(action.requested),
        decided=iso(action.decided) if action.decided else "",
        sent=iso(action.sent) if action.sent else "",
        finished=iso(action.finished) if action.finished else "",
        expires=iso(action.expires) if action.expires else "",
        may_decide=may_decide(session, actor, action),
        may_withdraw=responds and own and action.state in (ActionState.AWAITING_APPROVAL, ActionState.APPROVED),
        may_undo=responds
        and undone_by is not None
        and action.state in UNDOABLE
        and undo_under_way(session, action.id) is None,
        may_settle=responds and action.state in (ActionState.UNKNOWN, ActionState.TIMED_OUT),
    )


def target_of(host: str, parameters: Mapping[str, Any]) -> str:
    """Return what an action is done to, in a line: its host, or what else it names."""
    if "value" in parameters:
        return f"{parameters.get('type', '')} {parameters['value']}".strip()
    about = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return " · ".join(filter(None, (host, about)))
