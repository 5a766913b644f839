"""The states of an action, and the one way to change them: a step is noted with each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, NotFoundError
from tocsin.store.records.host_actions import HostAction, HostActionStep

_LONGEST = 4_000  # characters of a step's detail


class ActionState(StrEnum):
    """Where an action is.

    awaiting approval -> approved -> sending -> running -> succeeded, failed, timed out or unknown -> undone.
    Rejected, withdrawn and held back (over a ceiling) have not been sent. `sending` is written before a request
    leaves: after a crash it says that the request may have arrived. `unknown` waits for people.
    """

    AWAITING_APPROVAL = "awaiting approval"
    APPROVED = "approved"
    SENDING = "sending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    HELD_BACK = "held back"


UNDER_WAY = frozenset(
    {ActionState.AWAITING_APPROVAL, ActionState.APPROVED, ActionState.SENDING, ActionState.RUNNING}
)
# What may have had an effect, so that it can be undone.
UNDOABLE = frozenset({ActionState.SUCCEEDED, ActionState.TIMED_OUT, ActionState.UNKNOWN})


def find_action(session: Session, id_: str) -> HostAction:
    """Return an action. Raises NotFoundError."""
    action = session.get(HostAction, id_) if "\x00" not in id_ else None
    if action is None:
        raise NotFoundError(f"there is no action {id_[:64]}")
    return action


def move(
    session: Session,
    action: HostAction,
    before: Collection[ActionState],
    state: ActionState,
    actor: str,
    detail: str = "",
    **changes: Any,
) -> None:
    """Bring an action from one of some states into another one, which one transaction alone can do, and note it.

    `detail` says why, and is kept with the action; `changes` are of other columns.

    Raises ConflictError where it is in none of them, any more.
    """
    changed = session.execute(
        update(HostAction)
        .where(HostAction.id == action.id, HostAction.state.in_([str(one_of) for one_of in before]))
        .values(state=str(state), detail=detail[:_LONGEST] or None, **changes)
        .returning(HostAction.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(action)
    if changed is None:
        raise ConflictError(f"the action is {action.state} now: somebody else was faster")
    note_step(session, action, actor, detail)


def note_step(session: Session, action: HostAction, actor: str, detail: str = "") -> None:
    """Note that an action has come into its state, or what has come of trying that."""
    session.add(
        HostActionStep(
            action_id=action.id, time=datetime.now(UTC), actor=actor[:160], state=action.state,
            detail=detail[:_LONGEST],
        )
    )  # fmt: skip
