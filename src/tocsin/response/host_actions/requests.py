"""Actions are asked for, approved, withdrawn, undone and settled by people here; nothing is sent here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import ConflictError, InvalidError
from tocsin.response.host_actions.catalogue import action_kind, checked_parameters
from tocsin.response.host_actions.connectors import connector_type, find_response_connector
from tocsin.response.host_actions.interface import ActionRequest, PlannedRequest, Receipt
from tocsin.response.host_actions.policies import policy_of
from tocsin.response.host_actions.states import UNDER_WAY, UNDOABLE, ActionState, find_action, move, note_step
from tocsin.store.records.access import Actor, Scope, record
from tocsin.store.records.host_actions import HostAction, HostActionStep

_LONGEST_COMMENT, _LONGEST_HOST, _LONGEST_ID = 2_000, 255, 64  # characters
_LONGEST_LIFE = timedelta(days=90)  # of an action with an end


@dataclass(frozen=True)
class NewAction:
    """An action that somebody asks for. `host_id` and `plan` are what a dry run has shown."""

    kind: str
    connector_id: str
    host: str = ""
    host_id: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    comment: str = ""
    case_id: str | None = None
    alert_id: str | None = None
    lives: timedelta | None = None
    plan: Sequence[PlannedRequest] = ()


def check_action(session: Session, actor: Actor, new: NewAction) -> dict[str, str]:
    """Return the parameters of an action that somebody may ask for, in this form.

    Raises InvalidError, NotFoundError for an unknown connector.
    """
    kind = action_kind(new.kind)
    _check_right(session, actor, new.kind)
    parameters = checked_parameters(kind, new.parameters)
    type_ = connector_type(find_response_connector(session, new.connector_id).type)
    if kind.name not in type_.kinds:
        raise InvalidError(f"[connector] {type_.title} cannot do {kind.name}")
    if any("\x00" in (text or "") for text in (new.host, new.host_id, new.comment, new.case_id, new.alert_id)):
        raise InvalidError("[host], [comment] and ids have no NUL")
    if kind.on_host and not new.host.strip():
        raise InvalidError("[host] is needed")
    if len(new.host) > _LONGEST_HOST or len(new.host_id or "") > _LONGEST_HOST:
        raise InvalidError(f"[host] has at most {_LONGEST_HOST} characters")
    if len(new.comment) > _LONGEST_COMMENT:
        raise InvalidError(f"[comment] has at most {_LONGEST_COMMENT:,} characters")
    if max(len(new.case_id or ""), len(new.alert_id or "")) > _LONGEST_ID:
        raise InvalidError(f"[case] and [alert] are ids of at most {_LONGEST_ID} characters")
    if new.lives is not None:
        if kind.undone_by is None:
            raise InvalidError(f"[expires] {kind.name} cannot be undone, and so has no end")
        if not timedelta(minutes=1) <= new.lives <= _LONGEST_LIFE:
            raise InvalidError("[expires] is between a minute and 90 days from now")
    return parameters


def request_action(session: Session, actor: Actor, new: NewAction) -> HostAction:
    """Ask for an action, having seen what it sends; a second person approves it where its kind has four eyes.

    Raises InvalidError, NotFoundError, and ConflictError where the host has the same one under way.
    """
    parameters = check_action(session, actor, new)
    kind = action_kind(new.kind)
    same = select(HostAction).where(
        HostAction.kind == new.kind, HostAction.connector_id == new.connector_id, HostAction.host == new.host,
        HostAction.state.in_([str(state) for state in UNDER_WAY]),
    )  # fmt: skip
    if any(other.parameters == parameters for other in session.scalars(same)):
        raise ConflictError(f"the same action is under way already ({kind.name} {new.host})")
    four_eyes = policy_of(session, new.kind).four_eyes
    return _add(session, actor, new, parameters, four_eyes=four_eyes)


def approve_action(session: Session, actor: Actor, id_: str) -> HostAction:
    """Approve an action that somebody else has asked for, so that it is sent.

    Raises InvalidError for whoever may not, and ConflictError where it waits for no approval any more.
    """
    action = find_action(session, id_)
    _check_second(session, actor, action)
    move(
        session, action, {ActionState.AWAITING_APPROVAL}, ActionState.APPROVED, actor.name,
        decided=datetime.now(UTC), decided_by=actor.name[:160], next_try=datetime.now(UTC),
    )  # fmt: skip
    record(session, actor, "response.approved", id_, kind=action.kind, host=action.host)
    return action


def reject_action(session: Session, actor: Actor, id_: str, reason: str = "") -> HostAction:
    """Refuse to approve an action. Raises as `approve_action`."""
    action = find_action(session, id_)
    _check_second(session, actor, action)
    now = datetime.now(UTC)
    move(
        session, action, {ActionState.AWAITING_APPROVAL}, ActionState.REJECTED, actor.name,
        reason[:_LONGEST_COMMENT], decided=now, decided_by=actor.name[:160], finished=now,
    )  # fmt: skip
    record(session, actor, "response.rejected", id_, kind=action.kind, host=action.host)
    return action


def withdraw_action(session: Session, actor: Actor, id_: str) -> HostAction:
    """Take back an action that has not been sent, one's own or as an administrator. Raises as `approve_action`."""
    action = find_action(session, id_)
    if not _is_requester(actor, action) and not actor.may(Scope.ADMIN):
        raise InvalidError("whoever asked for an action takes it back, or an administrator")
    waiting = {ActionState.AWAITING_APPROVAL, ActionState.APPROVED}
    move(session, action, waiting, ActionState.WITHDRAWN, actor.name, finished=datetime.now(UTC))
    record(session, actor, "response.withdrawn", id_, kind=action.kind, host=action.host)
    return action


def undo_of(action: HostAction, plan: Sequence[PlannedRequest] = ()) -> NewAction:
    """Return the action that undoes another one. Raises InvalidError where none does."""
    undone_by = action_kind(action.kind).undone_by
    if undone_by is None:
        raise InvalidError(f"{action.kind} cannot be undone")
    return NewAction(
        undone_by, action.connector_id, action.host, action.host_id, action.parameters,
        comment=f"undoes {action.id}", case_id=action.case_id, alert_id=action.alert_id, plan=plan,
    )  # fmt: skip


def undo_action(session: Session, actor: Actor, id_: str, plan: Sequence[PlannedRequest] = ()) -> HostAction:
    """Ask for the action that undoes another one, which may have had an effect.

    Raises InvalidError, and ConflictError where it is being undone, or has nothing that can be.
    """
    action = find_action(session, id_)
    if action.state not in UNDOABLE:
        raise ConflictError(f"the action is {action.state}: there is nothing to undo")
    if undo_under_way(session, id_) is not None:
        raise ConflictError("the action is being undone already")
    new = undo_of(action, plan)
    parameters = check_action(session, actor, new)
    return _add(session, actor, new, parameters, four_eyes=policy_of(session, new.kind).four_eyes, undoes=id_)


def expire_action(session: Session, action: HostAction, actor: Actor) -> HostAction:
    """Have an action undone whose end has come. Its approval held for its end, too."""
    new = undo_of(action)
    return _add(session, actor, new, dict(action.parameters), four_eyes=False, undoes=action.id)


def undo_ids(session: Session, id_: str) -> list[str]:
    """Return the ids of the actions that undo one, the newest first."""
    query = select(HostAction.id).where(HostAction.undoes == id_).order_by(HostAction.requested.desc())
    return list(session.scalars(query))


def confirmation_of(kind: str, host: str, parameters: Mapping[str, object]) -> str:
    """Return what people type to confirm an action: the host's name, or what else it is done to."""
    if action_kind(kind).on_host:
        return host
    return str(parameters.get("account") or parameters.get("value") or kind)


def check_confirmation(kind: str, host: str, parameters: Mapping[str, object], typed: str) -> None:
    """Refuse an action whose host's name was typed otherwise; letter case aside. Raises InvalidError."""
    wanted = confirmation_of(kind, host, parameters)
    if typed.strip().casefold() != wanted.strip().casefold():
        raise InvalidError(f"[confirmation] type {wanted} to confirm it: nothing has been sent")


def undo_under_way(session: Session, id_: str) -> HostAction | None:
    """Return the action under way that undoes one, None where there is none."""
    query = select(HostAction).where(
        HostAction.undoes == id_, HostAction.state.in_([str(state) for state in UNDER_WAY])
    )
    return session.scalar(query.limit(1))


def settle_action(session: Session, actor: Actor, id_: str, state: str, reason: str) -> HostAction:
    """Say what became of an action of which nothing is known, having looked at its receiver.

    `state` is succeeded or failed. Raises InvalidError, and ConflictError where more is known by now.
    """
    action = find_action(session, id_)
    _check_right(session, actor, action.kind)
    if state not in (ActionState.SUCCEEDED, ActionState.FAILED):
        raise InvalidError("[state] is succeeded or failed")
    if not reason.strip():
        raise InvalidError("[reason] says what was seen at the receiver")
    unsettled = {ActionState.UNKNOWN, ActionState.TIMED_OUT}
    detail = f"settled by {actor.name}: {reason.strip()[:_LONGEST_COMMENT]}"
    finished = datetime.now(UTC)
    move(session, action, unsettled, ActionState(state), actor.name, detail, finished=finished)
    record(session, actor, "response.settled", id_, state=state, kind=action.kind, host=action.host)
    return action


def ask_again(session: Session, actor: Actor, id_: str) -> HostAction:
    """Have the connector asked once more about an action that it knows. Raises InvalidError, ConflictError."""
    action = find_action(session, id_)
    _check_right(session, actor, action.kind)
    if action.receipt is None:
        raise InvalidError("the receiver gave no receipt for the action: look there, and say what you saw")
    deadline = datetime.now(UTC) + timedelta(minutes=5)
    asked = {ActionState.TIMED_OUT, ActionState.UNKNOWN}
    move(
        session, action, asked, ActionState.RUNNING, actor.name, "asked again", next_try=datetime.now(UTC),
        deadline=deadline, finished=None,
    )  # fmt: skip
    return action


def actions_list(
    session: Session, *, host: str = "", case_id: str = "", alert_id: str = "", state: str = "", size: int = 100,
    before: datetime | None = None,
) -> Sequence[HostAction]:  # fmt: skip
    """Return the newest actions: of a host, a case, an alert, in a state, asked for earlier than a moment."""
    query = select(HostAction).order_by(HostAction.requested.desc(), HostAction.id).limit(size)
    for column, value in (
        (HostAction.host, host), (HostAction.case_id, case_id), (HostAction.alert_id, alert_id),
        (HostAction.state, state),
    ):  # fmt: skip
        if value:
            query = query.where(column == value.replace("\x00", ""))
    if before is not None:
        query = query.where(HostAction.requested < before)
    return session.scalars(query).all()


def action_steps(session: Session, id_: str) -> Sequence[HostActionStep]:
    """Return the steps of an action, in their order."""
    query = select(HostActionStep).where(HostActionStep.action_id == id_).order_by(HostActionStep.id)
    return session.scalars(query).all()


def action_counts(session: Session) -> dict[str, int]:
    """Return how many actions are in each state."""
    query = select(HostAction.state, func.count()).group_by(HostAction.state)
    return {str(state): int(count) for state, count in session.execute(query)}


def may_decide(session: Session, actor: Actor, action: HostAction) -> bool:
    """Return whether somebody may approve an action now."""
    if action.state != ActionState.AWAITING_APPROVAL:
        return False
    return not _is_requester(actor, action) and actor.may(policy_of(session, action.kind).scope)


def request_of(action: HostAction, undone: HostAction | None) -> ActionRequest:
    """Return an action as its connector is given it."""
    return ActionRequest(
        id=action.id, kind=action.kind, host=action.host, host_id=action.host_id, parameters=action.parameters,
        comment=action.comment, requested_by=action.requested_by, approved_by=action.decided_by,
        requested=action.requested, expires=action.expires, undoes=action.undoes,
        undone=None if undone is None else receipt_of(undone),
    )  # fmt: skip


def receipt_of(action: HostAction) -> Receipt | None:
    """Return what a receiver knows an action by."""
    if action.receipt is None:
        return None
    return Receipt(str(action.receipt["reference"]), action.receipt.get("detail") or {})


def planned(plan: Sequence[PlannedRequest]) -> list[dict[str, Any]]:
    """Return planned requests as records keep them."""
    return [{"method": each.method, "address": each.address, "body": each.body} for each in plan]


def add_action(
    session: Session, actor: Actor, new: NewAction, parameters: Mapping[str, str], *, four_eyes: bool,
    automatic_id: str | None = None, held_back: str = "",
) -> HostAction:  # fmt: skip
    """Add an action that a rule asks for; `held_back` says why it is not sent."""
    return _add(
        session, actor, new, parameters, four_eyes=four_eyes, automatic_id=automatic_id, held_back=held_back
    )


def _add(
    session: Session, actor: Actor, new: NewAction, parameters: Mapping[str, str], *, four_eyes: bool,
    undoes: str | None = None, automatic_id: str | None = None, held_back: str = "",
) -> HostAction:  # fmt: skip
    now = datetime.now(UTC)
    state = ActionState.AWAITING_APPROVAL if four_eyes else ActionState.APPROVED
    if held_back:
        state = ActionState.HELD_BACK
    action = HostAction(
        id=str(uuid.uuid4()), kind=new.kind, state=str(state), connector_id=new.connector_id, host=new.host,
        host_id=new.host_id, parameters=dict(parameters), comment=new.comment.strip(), case_id=new.case_id or None,
        alert_id=new.alert_id or None, requested=now, requested_by=actor.name[:160], requester=person_of(actor),
        four_eyes=four_eyes, decided=None, decided_by=None, plan=planned(new.plan), tries=0,
        next_try=now, sent=None, receipt=None, result=None, detail=held_back or None,
        finished=now if held_back else None, deadline=None,
        expires=None if new.lives is None else now + new.lives, undoes=undoes, automatic_id=automatic_id,
    )  # fmt: skip
    session.add(action)
    note_step(session, action, actor.name, held_back or new.comment)
    record(
        session, actor, "response.requested", action.id, kind=new.kind, host=new.host, parameters=dict(parameters),
        four_eyes=four_eyes,
    )  # fmt: skip
    return action


def person_of(actor: Actor) -> str:
    """Return what the person is known by who acts: a key acts for whom it belongs to."""
    return actor.id if actor.user_id is None else f"user:{actor.user_id}"


def _is_requester(actor: Actor, action: HostAction) -> bool:
    return person_of(actor) == action.requester


def _check_right(session: Session, actor: Actor, kind: str) -> None:
    scope = policy_of(session, kind).scope
    if not actor.may(scope):
        raise InvalidError(f"{actor.name} may not do {kind}: it needs the scope [{scope.value}]")


def _check_second(session: Session, actor: Actor, action: HostAction) -> None:
    """Refuse whoever asked for an action, and who may not ask for one. Raises InvalidError."""
    if _is_requester(actor, action):
        raise InvalidError("four eyes: somebody else than who asked for an action approves it")
    _check_right(session, actor, action.kind)
