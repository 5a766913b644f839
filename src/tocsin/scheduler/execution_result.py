"""What an execution of a rule amounts to: its figures, alerts and messages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.alerts.suppression import Group
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.schedule import Window
from tocsin.scheduler.buffer.event_counts import EventCounts, fitting_none
from tocsin.store.events import SetAside
from tocsin.store.patterns import takes
from tocsin.store.records.models import StoredAlert


@dataclass
class ExecutionResult:
    """The result of one tick of a rule, or of several in a row without findings."""

    rule: str  # its uuid
    first_tick: int
    last_tick: int
    ticks: int
    window: Window
    kind: str = "scheduled"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    late: int = 0
    events: int = 0
    matches: int = 0
    duplicates: int = 0
    suppressed: int = 0
    durations: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)  # messages that are no reason for a warning
    failure: str | None = None
    alerts: list[StoredAlert] = field(default_factory=list)
    new_alerts: list[Alert] = field(default_factory=list)  # from which `alerts` are made
    written: int = 0
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    updated_groups: list[Group] = field(default_factory=list)  # whose alerts stand for more events than before

    @property
    def status(self) -> str:
        """The outcome: `succeeded`, `warning` or `failed`."""
        return "failed" if self.failure else "warning" if self.messages else "succeeded"

    @property
    def all_messages(self) -> list[str]:
        """Its failure, its warnings and its notices."""
        return [*([self.failure] if self.failure else []), *self.messages, *self.notices]


def add_messages(
    result: ExecutionResult,
    rule: CompiledRule,
    window: Window,
    event_counts: EventCounts,
    names: Iterable[str],
    set_aside: Iterable[SetAside] = (),
) -> None:
    """Add to an execution the number of events, which indices are set aside, and which patterns fit no index.

    As in Kibana, it is a warning only when none of the rule's patterns fits an index, so that it sees no event:
    most rules name the indices of several products, and few of these exist.
    """
    patterns = rule.index
    result.events = event_counts.count(patterns, window, by_arrival=rule.by_arrival)
    for item in set_aside:
        if item.index is not None and takes(patterns, item.index):
            result.messages.append(f"{item.name} is set aside, and the events in it are not seen: {item.reason}")
    missing = fitting_none(patterns, tuple(names))
    if missing and len(missing) == sum(not pattern.startswith("-") for pattern in patterns):
        result.messages.insert(
            0, f"no index fits any pattern of the rule, so that it sees no event: {_list(missing)}"
        )
    elif missing:
        result.notices.append(f"no index fits the pattern {_list(missing)}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
