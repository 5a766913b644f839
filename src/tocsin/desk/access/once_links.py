"""Links that log somebody in by themselves."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, field

_LIVES = 3_600.0  # seconds


@dataclass
class OnceLinks:
    """Links that log somebody in, each once and within an hour. They are kept in memory alone."""

    _users: dict[str, tuple[str, float]] = field(default_factory=dict)

    def make(self, user: str) -> str:
        """Return the path of a new link for a user."""
        token = secrets.token_urlsafe(32)
        self._users[token] = (user, time.monotonic() + _LIVES)
        return f"/login/once/{token}"

    def take(self, token: str) -> str | None:
        """Return whom a link logs in, and forget it; None for one that is unknown, used or too old."""
        known = next((held for held in self._users if hmac.compare_digest(held.encode(), token.encode())), "")
        user, until = self._users.pop(known, ("", 0.0))
        return user if until > time.monotonic() else None
