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
    """Queue the messages of a rule's actions about its new alerts: one for each alert, or one for all.

    There are no messages about building blocks. A throttled action sends one message in its span of time; alerts
    that are created meanwhile go into one message when the span is over.
    """
    reported = [alert for alert in alerts if not alert.building_block]
    deliveries: list[Delivery] = []
    if not reported:
        return deliveries
    for number, action in enumerate(_actions(rule.document)):
        name = str(action.get("uuid") or f"{action.get('id')}:{number}")
        frequency = action.get("frequency") if isinstance(action.get("frequency"), dict) else {}
        assert frequency is not None
        throttle = _span(frequency.get("throttle") if frequency else rule.document.get("throttle"))
        if throttle is not None:
            deliveries.append(_throttled(session, rule, action, name, reported, throttle, now))
        elif frequency.get("summary", True):
            deliveries.append(_message(rule, action, name, reported, now, summary=True))
        else:
            deliveries += (_message(rule, action, name, [alert], now, summary=False) for alert in reported)
    if rule.muted_until is not None and rule.muted_until > now:
        for delivery in deliveries:
            delivery.state, delivery.done = HELD_BACK, now
    session.add_all(deliveries)
    return deliveries


def _throttled(
    session: Session,
    rule: StoredRule,
    action: Mapping[str, Any],
    name: str,
    alerts: Sequence[StoredAlert],
    throttle: timedelta,
    now: datetime,
) -> Delivery:
    """Return the message about alerts that is sent when the span since the last one is over."""
    of_action = (Delivery.rule_uuid == rule.id, Delivery.action == name)
    last = session.scalar(select(Delivery).where(*of_action).order_by(Delivery.id.desc()).limit(1))
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
    actions = document.get("actions")
    return [action for action in actions if isinstance(action, dict)] if isinstance(actions, list) else []


def _span(text: Any) -> timedelta | None:
    match = _SPAN.fullmatch(str(text))
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
