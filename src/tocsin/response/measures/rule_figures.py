"""What rules cost: noisy ones, false positives, those never seen firing, exceptions that end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.response.measures.figures import Closings
from tocsin.response.measures.measured_alerts import Marks, MeasuredAlerts
from tocsin.store.records.models import ExceptionItem, ExceptionList, StoredRule

FALSE_POSITIVE = "false_positive"
ENDS_WITHIN = timedelta(days=30)  # from now on: exceptions that are about to expire
ENDED_WITHIN = timedelta(days=7)  # before now: those that have expired lately


@dataclass(frozen=True)
class RuleFigures:
    """A rule in a span of time: alerts raised and how many hosts they are of; alerts closed by people, and why.

    `raised` and `closed` are of the same span, not of the same alerts.
    """

    id: str
    name: str
    raised: int
    hosts: int
    closed: int
    false_positives: int

    @property
    def false_positive_share(self) -> float | None:
        """The share of false positives among the alerts that people closed, None where they closed none."""
        return self.false_positives / self.closed if self.closed else None


@dataclass(frozen=True)
class SilentRule:
    """An enabled rule of which no alert is kept, and since when it has been enabled (ns since 1970), if known."""

    id: str
    name: str
    severity: str
    watched_from: int | None


@dataclass(frozen=True)
class EndingException:
    """An exception that is about to expire, or did lately."""

    list_id: str
    list_name: str
    item_id: str
    name: str
    expires: datetime
    is_expired: bool


def raised_within(alerts: MeasuredAlerts, since: int, until: int) -> Marks:
    """Tell of each alert whether it was raised between two moments, the first of them included."""
    marks: Marks = (alerts.created >= since) & (alerts.created < until)
    return marks


def closed_within(alerts: MeasuredAlerts, since: int, until: int, closings: Closings) -> Marks:
    """Tell of each alert whether it was closed between two moments, by whoever counts."""
    marks: Marks = closings.marks(alerts) & (alerts.closed >= since) & (alerts.closed < until)
    return marks


def rule_figures(alerts: MeasuredAlerts, since: int, until: int) -> list[RuleFigures]:
    """Return the rules that raised alerts in a span, or whose alerts were closed in it, by how many."""
    raised = raised_within(alerts, since, until)
    closed = closed_within(alerts, since, until, Closings.PEOPLE)
    false = closed & alerts.reasons.is_one_of(FALSE_POSITIVE)
    codes, number = alerts.rules.codes, len(alerts.rules.values)

    def count(marks: Marks) -> Sequence[int]:
        counted: list[int] = np.bincount(codes[marks & (codes >= 0)], minlength=number).tolist()
        return counted

    hosts = _hosts_by_rule(alerts, raised)
    names = rule_names(alerts)
    figures = [
        RuleFigures(id_, names.get(id_, id_), *numbers)
        for id_, *numbers in zip(
            alerts.rules.values, count(raised), hosts, count(closed), count(false), strict=True
        )
        if numbers[0] or numbers[2]
    ]  # fmt: skip
    return sorted(figures, key=lambda rule: (-rule.raised, -rule.closed, rule.name))


def _hosts_by_rule(alerts: MeasuredAlerts, marks: Marks) -> Sequence[int]:
    """Return of how many hosts the alerts of each rule are."""
    both = marks & (alerts.rules.codes >= 0) & (alerts.hosts.codes >= 0)
    pairs = np.unique(np.stack((alerts.rules.codes[both], alerts.hosts.codes[both])), axis=1)
    counted: list[int] = np.bincount(pairs[0], minlength=len(alerts.rules.values)).tolist()
    return counted


def rule_names(alerts: MeasuredAlerts) -> dict[str, str]:
    """Return the names of rules by their ids, as their newest alerts have them."""
    order = np.argsort(alerts.created, kind="stable")
    rules, names = alerts.rules.codes[order], alerts.rule_names.codes[order]
    # Of places that are written several times the last is kept.
    last = np.full(len(alerts.rules.values) + 1, -1, np.int64)
    last[rules] = names
    return {
        id_: alerts.rule_names.values[code]
        for id_, code in zip(alerts.rules.values, last[:-1].tolist(), strict=True)
        if code >= 0
    }


def silent_rules(session: Session, alerts: MeasuredAlerts) -> list[SilentRule]:
    """Return the enabled rules of which no alert is kept, those that have been enabled longest first."""
    columns = StoredRule.id, StoredRule.name, StoredRule.document["severity"], StoredRule.watched_from
    rules = [
        SilentRule(id_, name, str(severity or ""), watched_from)
        for id_, name, severity, watched_from in session.execute(select(*columns).where(StoredRule.enabled))
        if id_ not in alerts.fired
    ]
    return sorted(rules, key=lambda rule: (rule.watched_from or 0, rule.name))


def ending_exceptions(session: Session, now: datetime) -> list[EndingException]:
    """Return the exceptions that are about to expire or did lately, those that end first before others."""
    query = (
        select(ExceptionItem, ExceptionList)
        .join(ExceptionList, ExceptionList.list_id == ExceptionItem.list_id)
        .where(ExceptionItem.expires > now - ENDED_WITHIN, ExceptionItem.expires <= now + ENDS_WITHIN)
        .order_by(ExceptionItem.expires, ExceptionItem.id)
    )
    return [
        EndingException(
            list_.id, str(list_.document.get("name") or list_.list_id), item.id,
            str(item.document.get("name") or item.item_id), item.expires, is_expired=item.expires <= now,
        )
        for item, list_ in session.execute(query)
        if item.expires is not None
    ]  # fmt: skip
