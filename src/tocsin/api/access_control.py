"""Passwords, keys and sessions, checked for whoever shows them; guessing is slowed down."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cachetools import LRUCache, TTLCache

from tocsin.api.answers import ApiError
from tocsin.backoff import pause_after
from tocsin.store.records import access
from tocsin.store.records.access import Actor
from tocsin.store.records.database import Records

_REMEMBERED = 30.0  # seconds for which a password or key that was right is not checked again
# Wrong passwords before it gets slow, and seconds to wait at the most: of one user, and of an address whatever
# users it names, which may be that of a proxy with many people behind it.
_OF_USER = (5, 900.0)
_OF_ADDRESS = (50, 60.0)
_KNOWN = 4096  # entries of each memory


@dataclass
class _Failures:
    count: int = 0
    until: float = 0.0


@dataclass
class Throttle:
    """Makes those wait who gave wrong passwords, twice as long after each, by name and address and by address."""

    clock: Callable[[], float] = time.monotonic
    _failures: LRUCache[tuple[str | None, str], _Failures] = field(default_factory=lambda: LRUCache(_KNOWN))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str, address: str) -> float:
        """Return how many seconds are left to wait."""
        now = self.clock()
        with self._lock:
            known = (self._failures.get((name, address)), self._failures.get((None, address)))
            return max(0.0, *(failures.until - now for failures in known if failures), 0.0)

    def failed(self, name: str, address: str) -> None:
        """Count a wrong password."""
        now = self.clock()
        with self._lock:
            for key, (free, longest) in (((name, address), _OF_USER), ((None, address), _OF_ADDRESS)):
                known = self._failures.setdefault(key, _Failures())
                known.count += 1
                if known.count >= free:
                    known.until = now + pause_after(known.count - free + 1, 1.0, longest)

    def succeeded(self, name: str, address: str) -> None:
        """Forget what was wrong before."""
        with self._lock:
            self._failures.pop((name, address), None)
            self._failures.pop((None, address), None)


class AccessControl:
    """Checks who asks."""

    def __init__(self, records: Records) -> None:
        self.records, self.throttle = records, Throttle()
        self._key = os.urandom(32)  # credentials are remembered as hashes that only this process can make
        self._known: TTLCache[bytes, Actor] = TTLCache(_KNOWN, _REMEMBERED)
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Check every credential anew: users or keys have changed."""
        with self._lock:
            self._known.clear()

    def check_header(self, header: str, address: str) -> Actor | None:
        """Return who an `Authorization` header names, None when wrong. Raises ApiError for too many tries."""
        mark = hmac.new(
            self._key, f"{address}\0{header}".encode("utf-8", "surrogatepass"), hashlib.sha256
        ).digest()
        with self._lock:
            known = self._known.get(mark)
        if known is not None:
            return known
        scheme, _, value = header.partition(" ")
        kind = scheme.lower()
        if kind == "basic":
            actor = self._basic(value, address)
        elif kind in ("apikey", "bearer"):
            with self.records.transaction() as session:
                actor = access.check_key(session, value.strip(), address)
        else:
            actor = None
        if actor is not None and not actor.one_time:
            with self._lock:
                self._known[mark] = actor
        return actor

    def _basic(self, value: str, address: str) -> Actor | None:
        try:
            name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        return self.check_password(name, password, address) if colon else None

    def check_password(self, name: str, password: str, address: str) -> Actor | None:
        """Return who signs in, None when the password is wrong. Raises ApiError for too many tries."""
        wait = self.throttle.wait(name, address)
        if wait:
            reason = f"too many wrong passwords for this user or from this address: try again in {wait:.0f} s"
            raise ApiError(429, "security_exception", reason, {"Retry-After": str(int(wait) + 1)})
        with self.records.transaction() as session:
            actor = access.check_password(session, name, password, address)
        if actor is not None:
            self.throttle.succeeded(name, address)
            return actor
        self.throttle.failed(name, address)
        with self.records.transaction() as session:
            access.record(session, Actor(name or "?", frozenset(), address), "login.failed", name)
        return None

    def check_cookie(self, token: str, address: str) -> tuple[Actor, str] | None:
        """Return whose session a cookie is of, and its token against forged requests."""
        with self.records.transaction() as session:
            return access.check_session(session, token, address)
