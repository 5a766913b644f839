"""Actions that alerts of a rule ask for by themselves, where an engineer switched them on, up to a ceiling.

Each alert asks once: the action's row, with the alert's id, is what tells that it has asked. What goes beyond the
ceiling, or cannot be, is kept as held back, with the reason, so that nobody believes that it was done.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError, TocsinError
from tocsin.response.host_actions.catalogue import action_kind, checked_parameters
from tocsin.response.host_actions.connectors import (
    OpenConnectors,
    connector_type,
    find_response_connector,
)
from tocsin.response.host_actions.policies import policy_of
from tocsin.response.host_actions.preparing import dry_run
from tocsin.response.host_actions.requests import NewAction, add_action, person_of
from tocsin.response.host_actions.states import UNDER_WAY, UNDOABLE, ActionState
from tocsin.store.records.access import Actor, Scope, as_actor, record
from tocsin.store.records.database import Records
from tocsin.store.records.host_actions import AutomaticAction, HostAction
from tocsin.store.records.models import StoredAlert, StoredRule, User

log = logging.getLogger(__name__)
HIGHEST_CEILING = 100  # actions an hour
_HOUR = timedelta(hours=1)
_AT_ONCE = 100  # alerts of a turn and rule
_PAUSE = timedelta(seconds=30)  # before a receiver that does not answer is asked for a host again
_LONGEST_WAIT = timedelta(minutes=30)  # for such a receiver


def _hash(event: Mapping[str, Any], name: str) -> str:
    return _text(event, "process", "hash", name)


def _text(document: Any, *path: str) -> str:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    if isinstance(document, list):
        document = document[0] if document else None
    return "" if document is None or isinstance(document, dict) else str(document)


def _process(alert: Mapping[str, Any]) -> dict[str, str]:
    name = _text(alert, "process", "name")
    if _text(alert, "event", "module") == "endpoint" and (entity_id := _text(alert, "process", "entity_id")):
        return {"entity_id": entity_id, "process": name}
    return {"pid": _text(alert, "process", "pid"), "process": name}


# What an action is given of an alert; kinds that are not here no rule asks for by itself.
AUTOMATIC_KINDS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "isolate": lambda alert: {},
    "kill_process": _process,
    "suspend_process": _process,
    "quarantine_file": lambda alert: {"sha1": _hash(alert, "sha1")},
    "block_indicator": lambda alert: {"type": "sha256", "value": _hash(alert, "sha256")},
    "scan": lambda alert: {},
}
# Commands of Elastic's `response_actions` of a rule (action type `.endpoint`), by what they are called here.
_COMMANDS = {"isolate": "isolate", "kill-process": "kill_process", "suspend-process": "suspend_process"}


@dataclass(frozen=True)
class AutomaticSummary:
    """An automatic action with its rule's name, and what has come of it: in the last hour, in all, held back."""

    automatic: AutomaticAction
    rule_name: str
    last_hour: int
    all: int
    held_back: int


def wished_actions(document: Mapping[str, Any]) -> list[str]:
    """Return the kinds of actions that a rule brings along as Elastic's `response_actions`."""
    wished = document.get("response_actions")
    commands = [
        _text(action, "params", "command")
        for action in (wished if isinstance(wished, list) else ())
        if isinstance(action, dict) and action.get("action_type_id") == ".endpoint"
    ]
    return [_COMMANDS[command] for command in commands if command in _COMMANDS]


def switch_on(
    session: Session, actor: Actor, rule_uuid: str, kind: str, connector_id: str, *, ceiling: int,
    lives: timedelta | None = None, comment: str = "", now: int,
) -> AutomaticAction:  # fmt: skip
    """Have each new alert of a rule ask for an action, from the store's time `now` on, `ceiling` an hour at most.

    Raises InvalidError, NotFoundError.
    """
    if not actor.may(Scope.WRITE_RULES) or not actor.may(policy_of(session, kind).scope):
        raise InvalidError(f"{actor.name} may not switch {kind} on for a rule")
    if kind not in AUTOMATIC_KINDS:
        raise InvalidError(f"[action] is one of {', '.join(AUTOMATIC_KINDS)}")
    if session.get(StoredRule, rule_uuid) is None:
        raise NotFoundError(f"there is no rule {rule_uuid[:64]}")
    if kind not in connector_type(find_response_connector(session, connector_id).type).kinds:
        raise InvalidError(f"[connector] cannot do {kind}")
    if not 1 <= ceiling <= HIGHEST_CEILING:
        raise InvalidError(f"[ceiling] is 1 to {HIGHEST_CEILING} actions an hour")
    if lives is not None and action_kind(kind).undone_by is None:
        raise InvalidError(f"[expires] {kind} cannot be undone, and so has no end")
    same = select(AutomaticAction).where(
        AutomaticAction.rule_uuid == rule_uuid, AutomaticAction.kind == kind,
        AutomaticAction.connector_id == connector_id,
    )  # fmt: skip
    moment = datetime.now(UTC)
    automatic = session.scalar(same)
    if automatic is None:
        automatic = AutomaticAction(
            id=str(uuid.uuid4()), rule_uuid=rule_uuid, kind=kind, connector_id=connector_id, parameters={},
            created=moment, created_by=actor.name[:160],
        )  # fmt: skip
        session.add(automatic)
    automatic.comment, automatic.ceiling = comment.strip()[:2_000], ceiling
    automatic.expires_after = None if lives is None else int(lives.total_seconds())
    automatic.switched_on, automatic.switched_by, automatic.watched_from = True, person_of(actor), now
    automatic.updated, automatic.updated_by = moment, actor.name[:160]
    record(session, actor, "response.automatic.on", rule_uuid, kind=kind, ceiling=ceiling, uuid=rule_uuid)
    return automatic


def switch_off(session: Session, actor: Actor, id_: str) -> None:
    """Have alerts of a rule ask for an action no more. Raises NotFoundError, InvalidError."""
    if not actor.may(Scope.WRITE_RULES):
        raise InvalidError(f"{actor.name} may not change the actions of rules")
    automatic = session.get(AutomaticAction, id_)
    if automatic is None:
        raise NotFoundError(f"there is no automatic action {id_[:64]}")
    automatic.switched_on = False
    automatic.updated, automatic.updated_by = datetime.now(UTC), actor.name[:160]
    record(
        session,
        actor,
        "response.automatic.off",
        automatic.rule_uuid,
        kind=automatic.kind,
        uuid=automatic.rule_uuid,
    )


def automatic_actions(session: Session, now: datetime) -> list[AutomaticSummary]:
    """Return the automatic actions, those that are switched on first."""
    order = (AutomaticAction.switched_on.desc(), AutomaticAction.id)
    sent = HostAction.state != ActionState.HELD_BACK
    return [
        AutomaticSummary(
            automatic, rule.name if (rule := session.get(StoredRule, automatic.rule_uuid)) else "",
            _count(session, automatic, sent, HostAction.requested > now - _HOUR),
            _count(session, automatic, sent), _count(session, automatic, ~sent),
        )
        for automatic in session.scalars(select(AutomaticAction).order_by(*order))
    ]  # fmt: skip


def _count(session: Session, automatic: AutomaticAction, *conditions: Any) -> int:
    query = (
        select(func.count()).select_from(HostAction).where(HostAction.automatic_id == automatic.id, *conditions)
    )
    return session.scalar(query) or 0


class AutomaticActions:
    """Asks for the actions of new alerts. `clock` gives the time."""

    def __init__(
        self,
        records: Records,
        connectors: OpenConnectors,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records, self._connectors, self._clock = records, connectors, clock
        self._later: dict[str, datetime] = {}  # automatic action -> when its receiver is asked again
        self._since: dict[str, datetime] = {}  # alert -> since when its receiver does not answer
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="automatic-actions")
        self._busy = threading.Lock()

    def begin(self) -> None:
        """Do a turn beside the caller, unless one is under way."""
        if self._busy.acquire(blocking=False):
            self._pool.submit(self._turn_and_release)

    def close(self) -> None:
        """End when the turn under way is over."""
        self._pool.shutdown()

    def turn(self) -> int:
        """Ask for the actions of alerts that have not asked yet; return how many alerts that were."""
        now, asked = self._clock(), 0
        with self._records.transaction() as session:
            switched_on = list(session.scalars(select(AutomaticAction).where(AutomaticAction.switched_on)))
            waiting = {automatic.id: self._alerts(session, automatic) for automatic in switched_on}
        for automatic in switched_on:
            if self._later.get(automatic.id, now) > now:
                continue
            for alert in waiting[automatic.id]:
                if not self._ask(automatic, alert, now):
                    self._later[automatic.id] = now + _PAUSE
                    break
                asked += 1
        return asked

    def _turn_and_release(self) -> None:
        try:
            self.turn()
        except Exception as error:
            log.warning("actions of rules cannot be asked for now: %s", error)
        finally:
            self._busy.release()

    @staticmethod
    def _alerts(session: Session, automatic: AutomaticAction) -> Sequence[StoredAlert]:
        has_asked = select(HostAction.id).where(
            HostAction.automatic_id == automatic.id, HostAction.alert_id == StoredAlert.id
        )
        query = select(StoredAlert).where(
            StoredAlert.rule_uuid == automatic.rule_uuid, StoredAlert.created >= automatic.watched_from,
            StoredAlert.building_block.is_(False), ~has_asked.exists(),
        )  # fmt: skip
        return session.scalars(query.order_by(StoredAlert.created, StoredAlert.id).limit(_AT_ONCE)).all()

    def _ask(self, automatic: AutomaticAction, alert: StoredAlert, now: datetime) -> bool:
        """Ask for the action of an alert; return whether it has asked, False where the receiver did not answer."""
        document: Mapping[str, Any] = orjson.loads(alert.document)
        with self._records.transaction() as session:
            rule = session.get(StoredRule, automatic.rule_uuid)
            actor, lacks = _actor_of(session, automatic, rule.name if rule else automatic.rule_uuid)
        kind = action_kind(automatic.kind)
        lives = None if automatic.expires_after is None else timedelta(seconds=automatic.expires_after)
        new = NewAction(
            automatic.kind, automatic.connector_id, _text(document, "host", "name") if kind.on_host else "",
            parameters=AUTOMATIC_KINDS[automatic.kind](document), comment=automatic.comment, alert_id=alert.id,
            lives=lives,
        )  # fmt: skip
        reason = lacks or self._in_the_way(automatic, new, now)
        parameters: Mapping[str, str] = {}
        if not reason:
            try:
                parameters = checked_parameters(kind, new.parameters)
                if kind.on_host and not new.host:
                    raise InvalidError("the alert names no host")
                run = dry_run(self._connectors, actor, new)
            except TocsinError as error:
                reason = error.message
            else:
                reason, new = run.problem, replace(run.action, host=new.host)
                if run.is_unreached and now - self._since.setdefault(alert.id, now) < _LONGEST_WAIT:
                    return False
        self._since.pop(alert.id, None)
        with self._records.transaction() as session:
            current = session.get(AutomaticAction, automatic.id)
            if current is None or not current.switched_on:
                return True
            add_action(
                session, actor, new, parameters, four_eyes=policy_of(session, new.kind).four_eyes,
                automatic_id=automatic.id, held_back=reason,
            )  # fmt: skip
        return True

    def _in_the_way(self, automatic: AutomaticAction, new: NewAction, now: datetime) -> str:
        """Return why an action is not asked for, an empty text where nothing speaks against it."""
        with self._records.transaction() as session:
            effective = select(HostAction.id).where(
                HostAction.kind == new.kind, HostAction.host == new.host, HostAction.host != "",
                HostAction.connector_id == automatic.connector_id,
                HostAction.state.in_([str(state) for state in UNDER_WAY | UNDOABLE]),
            )  # fmt: skip
            if action_kind(new.kind).undone_by and session.scalar(effective.limit(1)) is not None:
                return "it is under way or in effect on this host already"
            sent = _count(
                session, automatic, HostAction.state != ActionState.HELD_BACK, HostAction.requested > now - _HOUR
            )
        if sent >= automatic.ceiling:
            return f"the ceiling of {automatic.ceiling} an hour is reached"
        return ""


def _actor_of(session: Session, automatic: AutomaticAction, rule_name: str) -> tuple[Actor, str]:
    """Return in whose name an alert asks, and why they may not, empty where they may."""
    name = f"rule {rule_name}"[:160]
    kind, _, id_ = automatic.switched_by.partition(":")
    if kind != "user":
        return Actor(name, frozenset(), "local"), ""
    user = session.get(User, int(id_))
    actor = Actor(name, frozenset(), user_id=int(id_))
    if user is None or not user.enabled:
        return actor, "whoever switched it on may not log in any more: somebody else has to"
    person = as_actor(user, "")
    if not (person.may(Scope.WRITE_RULES) and person.may(policy_of(session, automatic.kind).scope)):
        return actor, "whoever switched it on may not any more: somebody else has to"
    return actor, ""
