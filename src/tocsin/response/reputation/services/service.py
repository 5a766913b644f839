"""What a service that judges observables is to the rest, and how answers become verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tocsin.translatable import N_

MALICIOUS, SUSPICIOUS, HARMLESS, UNKNOWN = N_("malicious"), N_("suspicious"), N_("harmless"), N_("unknown")
_MOST_TEXT = 300  # characters of what a service says
Question = Callable[[str, str, str], httpx.Request]  # its address, the value, its key


class NoVerdictError(ValueError):
    """An answer that holds no verdict: the service has changed, or something else has answered."""


@dataclass(frozen=True)
class ServiceQuota:
    """How many questions a service takes in a span of seconds, as it documents for keys that cost nothing."""

    questions: int
    seconds: int


@dataclass(frozen=True)
class ServiceVerdict:
    """What a service says of an observable: a word for all services alike, and its own figures in a sentence."""

    rating: str
    says: str

    @classmethod
    def unknown(cls) -> ServiceVerdict:
        """Return that of a service that does not know a value."""
        return cls(UNKNOWN, "")


@dataclass(frozen=True)
class ReputationProvider:
    """A service: where it is, what it may be asked, and how.

    `questions` are by the kind of observable. `read` returns the verdict that a JSON answer holds, and raises
    NoVerdictError; an answer with a status of `not_known` says that it does not know the value.
    """

    id: str
    name: str
    address: str
    limits: Sequence[ServiceQuota]
    questions: Mapping[str, Question]
    read: Callable[[str, Any], ServiceVerdict]
    not_known: frozenset[int] = frozenset({404})


def number(value: Any) -> int:
    """Return a whole number of an answer, 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def text(value: Any) -> str:
    """Return a text of an answer, cut; nothing for what is none."""
    return value[:_MOST_TEXT] if isinstance(value, str) else ""


def member(document: Any, *names: str) -> Any:
    """Return what lies in objects in one another. Raises NoVerdictError where it is not there."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise NoVerdictError(f"the answer has no `{'.'.join(names)}`")
        document = document[name]
    return document
