"""What became of an alert by its history: changes that were taken back have not happened.

Whoever took it up first, when it was closed at last, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

_AUTOMATIC = "automated_closure"  # Kibana's reason for what no person has closed
_PROGRAM = "key:"  # begins the name that the history has of who asks with a key of a program


class HistoryChange(NamedTuple):
    """A change of a field of an alert: when (ns since 1970), by whom, from what to what.

    `undoes` tells that it takes an earlier change back.
    """

    time: int
    actor: str
    field: str
    old: Any
    new: Any
    undoes: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """How an alert was closed: when (ns since 1970), by whom, for what reason, None where none was given."""

    time: int
    actor: str
    reason: str | None

    @property
    def is_automatic(self) -> bool:
        """Tell whether no person closed it: a program did, or it was said to be an automated closure."""
        return self.reason == _AUTOMATIC or not is_person(self.actor)


@dataclass(frozen=True, slots=True)
class AlertWorkflow:
    """What became of an alert.

    `taken_up` is when a person first acknowledged it or assigned it to somebody (ns since 1970), None where nobody
    did. `closing` is the last one, None for an alert that is not closed, as one that was opened again.
    """

    taken_up: int | None = None
    closing: Closing | None = None


def is_person(actor: str) -> bool:
    """Tell whether the history's name of somebody is that of a person, not that of a program's key."""
    return not actor.startswith(_PROGRAM)


def standing_changes(changes: Iterable[HistoryChange]) -> list[HistoryChange]:
    """Return the changes of an alert, which are in their order, without those that were taken back.

    What takes back a change of which nothing is known stands for itself.
    """
    standing: list[HistoryChange] = []
    for change in changes:
        place = _undone(standing, change) if change.undoes else None
        if place is None:
            standing.append(change)
        else:
            del standing[place]
    return standing


def workflow_of(changes: Iterable[HistoryChange]) -> AlertWorkflow:
    """Return what became of an alert, by its changes in their order."""
    taken_up: int | None = None
    closed: HistoryChange | None = None
    reason: str | None = None
    for change in standing_changes(changes):
        if taken_up is None and _takes_up(change):
            taken_up = change.time
        if change.field == "status":
            closed = change if change.new == "closed" else None
        elif change.field == "reason":
            reason = change.new
    if closed is None:
        return AlertWorkflow(taken_up)
    return AlertWorkflow(taken_up, Closing(closed.time, closed.actor, reason))


def _undone(standing: list[HistoryChange], undo: HistoryChange) -> int | None:
    """Return the place of the last change of a field, if it is what an undo takes back."""
    for place in range(len(standing) - 1, -1, -1):
        change = standing[place]
        if change.field == undo.field:
            return place if (change.old, change.new) == (undo.new, undo.old) else None
    return None


def _takes_up(change: HistoryChange) -> bool:
    """Tell whether by a change a person acknowledges an alert, or assigns it to somebody."""
    if not is_person(change.actor):
        return False
    if change.field == "assignees":
        return not {*(change.new or ())} <= {*(change.old or ())}
    return change.field == "status" and change.new == "acknowledged"
