"""Actions of rules -> messages that wait for delivery, written in the transaction that writes the alerts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.store.records.models import Delivery, StoredAlert, StoredRule

WAITING, DELIVERED, FAILED, HELD_BACK = "waiting", "delivered", "failed", "held back"
_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def queue_actions(
    session: Session, rule: StoredRule, alerts: Sequence[StoredAlert], now: datetime
) -> list[Delivery]:
    """Let the actions of a rule tell of its new alerts: each of them, or all in one message.

    Building blocks are told of by nobody. An action that is throttled tells once in its span of time; what is
    raised meanwhile is told of together, when the span is over.
    """
    told = [alert for alert in alerts if not alert.building_block]
    made: list[Delivery] = []
    if not told:
        return made
    for number, action in enumerate(_actions(rule.document)):
        name = str(action.get("uuid") or f"{action.get('id')}:{number}")
        frequency = action.get("frequency") if isinstance(action.get("frequency"), dict) else {}
        assert frequency is not None
        throttle = _span(frequency.get("throttle") if frequency else rule.document.get("throttle"))
        if throttle is not None:
            made.append(_throttled(session, rule, action, name, told, throttle, now))
        elif frequency.get("summary", True):
            made.append(_message(rule, action, name, told, now, summary=True))
        else:
            made += (_message(rule, action, name, [alert], now, summary=False) for alert in told)
    if rule.muted_until is not None and rule.muted_until > now:
        for one in made:
            one.state, one.done = HELD_BACK, now
    session.add_all(made)
    return made


def _throttled(
    session: Session,
    rule: StoredRule,
    action: Mapping[str, Any],
    name: str,
    alerts: Sequence[StoredAlert],
    throttle: timedelta,
    now: datetime,
) -> Delivery:
    """Return the message that tells of alerts when the span since the last one is over."""
    mine = (Delivery.rule_uuid == rule.id, Delivery.action == name)
    last = session.scalar(select(Delivery).where(*mine).order_by(Delivery.id.desc()).limit(1))
    if last is not None and last.state == WAITING and last.tries == 0 and last.next_try > now:
        last.alerts = [*last.alerts, *(alert.id for alert in alerts)]
        return last
    message = _message(rule, action, name, alerts, now, summary=True)
    if last is not None and last.state != HELD_BACK:
        message.next_try = max(now, last.next_try + throttle)
    return message


def _message(
    rule: StoredRule,
    action: Mapping[str, Any],
    name: str,
    alerts: Sequence[StoredAlert],
    now: datetime,
    *,
    summary: bool,
) -> Delivery:
    params = action.get("params")
    return Delivery(
        rule_uuid=rule.id, action=name[:64], connector_id=str(action.get("id"))[:64],
        params=dict(params) if isinstance(params, dict) else {}, alerts=[alert.id for alert in alerts],
        summary=summary, state=WAITING, tries=0, made=now, next_try=now, done=None, error=None,
    )  # fmt: skip


def _actions(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document.get("actions")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _span(text: Any) -> timedelta | None:
    found = _SPAN.fullmatch(str(text))
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
