"""What a change of alerts came to, said on the next page, with an offer to take it back for a short time."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.security import is_encrypted
from tocsin.desk.visitor import Visitor
from tocsin.management.alert_changes import ChangedAlert

MESSAGE_COOKIE = "tocsin_message"
SHOWN_SECONDS = 10  # for which a page offers to undo
_LIVES = SHOWN_SECONDS + 5.0  # seconds: a click at the end has to arrive
_MOST_OF_ONE = 20  # messages that are held for one person


@dataclass(frozen=True)
class Sentence:
    """A text of the catalogue, and what stands in its places."""

    text: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionMessage:
    """What to say of a change: what was done, what could not be done, and the changes that can be undone.

    `back` is where whoever undoes it goes. `token` names it to the browser of `actor` alone.
    """

    text: Sentence | None
    problems: Sequence[Sentence] = ()
    changed: Sequence[ChangedAlert] = ()
    back: str = ""
    token: str = ""
    actor: str = ""
    until: float = 0.0


@dataclass
class UndoOffers:
    """The messages of the last seconds. They are kept in memory alone, each for one person."""

    clock: Callable[[], float] = time.monotonic
    _messages: dict[str, ActionMessage] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, actor: str, message: ActionMessage) -> ActionMessage:
        """Keep a message for somebody; return it with its token."""
        kept = replace(message, token=secrets.token_urlsafe(32), actor=actor, until=self.clock() + _LIVES)
        with self._lock:
            self._forget(actor)
            self._messages[kept.token] = kept
        return kept

    def find(self, actor: str, token: str) -> ActionMessage | None:
        """Return a message of somebody, None for one of somebody else, or that is too old."""
        message = self._messages.get(token)
        if message is None or message.actor != actor or message.until < self.clock():
            return None
        return message

    def take(self, actor: str, token: str) -> ActionMessage | None:
        """Return a message as `find` does, and forget it."""
        with self._lock:
            message = self.find(actor, token)
            if message is not None:
                del self._messages[token]
            return message

    def _forget(self, actor: str) -> None:
        """Forget what is too old, and the oldest of somebody who has many."""
        now = self.clock()
        old = [token for token, message in self._messages.items() if message.until < now]
        mine = [token for token, message in self._messages.items() if message.actor == actor]
        for token in {*old, *mine[: max(0, len(mine) + 1 - _MOST_OF_ONE)]}:
            del self._messages[token]


def offers_of(request: Request) -> UndoOffers:
    """Return the offers of the service that a request is for."""
    offers: UndoOffers = request.app.state.undo_offers
    return offers


def taken_message(request: Request, visitor: Visitor) -> ActionMessage | None:
    """Return what is to be said to a visitor of what they did last, None where there is nothing.

    What offers to undo something is said for as long as it does, other messages once.
    """
    offers, token = offers_of(request), request.cookies.get(MESSAGE_COOKIE, "")
    message = offers.find(visitor.actor.id, token)
    if message is not None and not message.changed:
        offers.take(visitor.actor.id, token)
    return message


def say(request: Request, visitor: Visitor, response: Response, message: ActionMessage) -> Response:
    """Have the page after a response say something; return the response."""
    token = offers_of(request).add(visitor.actor.id, message).token
    response.set_cookie(
        MESSAGE_COOKIE, token, max_age=SHOWN_SECONDS, path="/", httponly=True, samesite="lax",
        secure=is_encrypted(request),
    )  # fmt: skip
    return response
