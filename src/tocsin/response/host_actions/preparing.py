"""The dry run of an action: its host is looked for at the receiver, and what would be sent is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from tocsin.errors import InvalidError
from tocsin.response.host_actions.catalogue import action_kind, checked_parameters
from tocsin.response.host_actions.connectors import OpenConnectors
from tocsin.response.host_actions.interface import (
    ActionRequest,
    ConnectorError,
    PlannedRequest,
    ReceiverHost,
    RefusedError,
)
from tocsin.response.host_actions.requests import NewAction, undo_of
from tocsin.response.host_actions.states import find_action
from tocsin.store.records.access import Actor

_ID_TO_COME = "00000000-0000-0000-0000-000000000000"  # what stands for the id that an action gets


@dataclass(frozen=True)
class DryRun:
    """What an action would do: the hosts that its name stands for at the receiver, and the requests.

    `problem` says why it would not be sent as it is; without one, `action` is what may be asked for.
    """

    action: NewAction
    hosts: Sequence[ReceiverHost] = ()
    plan: Sequence[PlannedRequest] = ()
    problem: str = ""
    is_unreached: bool = False  # the receiver did not answer: it may another time


def dry_run(connectors: OpenConnectors, actor: Actor, new: NewAction) -> DryRun:
    """Prepare an action: the receiver is asked for the host, and nothing is changed there. Raises InvalidError."""
    kind = action_kind(new.kind)
    parameters = checked_parameters(kind, new.parameters)
    hosts: Sequence[ReceiverHost] = ()
    try:
        connector = connectors.get(new.connector_id)
        host_id = new.host_id or None
        if kind.on_host:
            hosts = connector.find_hosts(new.host)
            ids = {host.id for host in hosts}
            if not ids:
                return DryRun(new, problem=f"the receiver knows no host {new.host}")
            if host_id is None and len(ids) > 1:
                return DryRun(new, hosts, problem="several hosts have this name: choose one")
            if host_id is not None and host_id not in ids:
                return DryRun(new, hosts, problem="the receiver knows no host of this id and name")
            host_id = host_id or next(iter(ids))
        request = ActionRequest(
            id=_ID_TO_COME, kind=new.kind, host=new.host, host_id=host_id, parameters=parameters,
            comment=new.comment, requested_by=actor.name,
        )  # fmt: skip
        plan = connector.plan(request)
    except ConnectorError as error:
        return DryRun(new, hosts, problem=str(error), is_unreached=not isinstance(error, RefusedError))
    return DryRun(replace(new, host_id=host_id, plan=tuple(plan)), hosts, plan)


def prepared(connectors: OpenConnectors, actor: Actor, new: NewAction) -> NewAction:
    """Return an action with its host's id and what it sends. Raises InvalidError where it would not be sent."""
    run = dry_run(connectors, actor, new)
    if run.problem:
        raise InvalidError(run.problem)
    return run.action


def undo_to_prepare(session: Session, id_: str) -> NewAction:
    """Return the action that undoes one, whose plan is to be made. Raises InvalidError, NotFoundError."""
    return undo_of(find_action(session, id_))
