"""What a connector is: the one interface through which actions are carried out, also for packages of others.

A package offers a `ResponseConnectorType` as an entry point of the group `tocsin.response_connectors`;
docs/response.md goes through it step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tocsin.response.host_actions.receiver import ReceiverClient

ENTRY_POINTS = "tocsin.response_connectors"


class ConnectorError(Exception):
    """Something went wrong between a connector and its receiver; the message is for people and names no secret."""


class NotReceivedError(ConnectorError):
    """The request has surely not been taken: nothing listens there, or it says to come again later.

    It is sent again, with growing pauses. `pause` are the seconds that the receiver asks for.
    """

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class RefusedError(ConnectorError):
    """The receiver says no, or nothing may be sent to it: the action has failed."""


class UnansweredError(ConnectorError):
    """The request may have been taken: it was sent, and there is no answer that says more."""


@dataclass(frozen=True)
class ReceiverHost:
    """A host as a receiver knows it."""

    id: str
    name: str
    detail: str = ""  # what tells it from others of the same name: when it was last seen, its addresses


@dataclass(frozen=True)
class Receipt:
    """What a receiver knows an action by; it is kept with the action."""

    reference: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class ProgressState(StrEnum):
    """How far an action is at its receiver."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class ActionProgress:
    """How far an action is: its state, a sentence for people, and what the receiver tells beside."""

    state: ProgressState
    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionRequest:
    """An action that is asked for. `id` is the same however often it is sent.

    `host_id` is the host's id at the receiver, None for actions on no host; `undone` is the receipt of the action
    that this one undoes.
    """

    id: str
    kind: str
    host: str = ""
    host_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    requested_by: str = ""
    approved_by: str | None = None
    requested: datetime | None = None
    expires: datetime | None = None
    undoes: str | None = None
    undone: Receipt | None = None

    @property
    def marked_comment(self) -> str:
        """The comment with the action's id, by which it can be found at receivers that keep comments."""
        who = self.requested_by + (f", approved by {self.approved_by}" if self.approved_by else "")
        return " ".join(filter(None, (self.comment, f"(tocsin {self.id}, requested by {who})")))


@dataclass(frozen=True)
class PlannedRequest:
    """A request that an action sends, as people are shown it before: no secrets."""

    method: str
    address: str
    body: Any = None


class ResponseConnector(Protocol):
    """Carries actions out at one receiver. Its methods may be called from several threads at once.

    All of them raise ConnectorError: NotReceivedError, RefusedError or UnansweredError.
    """

    def check(self) -> str:
        """Return a sentence about the receiver, having reached it and been let in; nothing is changed there."""

    def find_hosts(self, name: str) -> Sequence[ReceiverHost]:
        """Return the hosts that a name stands for, none where the receiver does not know it."""

    def plan(self, request: ActionRequest) -> Sequence[PlannedRequest]:
        """Return what `start` would send, without sending anything. Raises RefusedError for what it cannot do."""

    def start(self, request: ActionRequest) -> tuple[Receipt, ActionProgress]:
        """Have an action carried out; return its receipt and how far it is."""

    def progress(self, request: ActionRequest, receipt: Receipt) -> ActionProgress:
        """Return how far an action is."""

    def is_repeatable(self, request: ActionRequest) -> bool:
        """Return whether `start` may be given the same request twice without it being done twice."""

    def look_up(self, request: ActionRequest) -> Receipt | None:
        """Return the receipt of a request that may have been taken; None where the receiver has none of it.

        Raises RefusedError where the receiver cannot be asked so.
        """


@dataclass(frozen=True)
class ConnectorSetting:
    """A setting of a connector, as its form asks for it. A `secret` one is encrypted and never shown again."""

    name: str
    label: str
    secret: bool = False
    required: bool = True
    hint: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""


OpenConnector = Callable[[Mapping[str, str], "ReceiverClient"], ResponseConnector]


@dataclass(frozen=True)
class ResponseConnectorType:
    """A type of connectors: what it is called, which kinds of actions it can carry out, and its settings.

    `open` is given the settings, secrets among them, and the client that requests are sent through: it reaches
    only what the administrator allows, and no exchange takes longer than it may. Where requests are sent to is
    the setting named `url`, if there is one: secrets are let go of when it changes.
    """

    name: str
    title: str
    kinds: frozenset[str]
    settings: tuple[ConnectorSetting, ...]
    open: OpenConnector
