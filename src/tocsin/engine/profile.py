"""Where an evaluation's time goes: fields whose tests are answered together, single tests, rules.

Work that rules share is counted for the first that needs it, as it is done once.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

from tocsin.engine.column import Mask
from tocsin.engine.evaluate import Evaluation
from tocsin.engine.graph import Target, Test

K = TypeVar("K", str, int, Target)


@dataclass
class Profile:
    """Seconds by field, test (its number in the program) and rule's step; how often each was worked out."""

    fields: dict[str, float] = field(default_factory=dict)
    tests: dict[int, float] = field(default_factory=dict)
    roots: dict[Target, float] = field(default_factory=dict)
    times: Counter[str | int | Target] = field(default_factory=Counter)

    def add(self, seconds: dict[K, float], key: K, took: float) -> None:
        """Count what one time took."""
        seconds[key] = seconds.get(key, 0.0) + took
        self.times[key] += 1


class ProfiledRun(Evaluation):
    """A run whose work a profile records."""

    profile: Profile

    def learn(self, name: str) -> None:
        """Time what a field's tests take together."""
        started = time.perf_counter()
        super().learn(name)
        self.profile.add(self.profile.fields, name, time.perf_counter() - started)

    def _test(self, number: int, test: Test) -> Mask:
        started, learning = time.perf_counter(), sum(self.profile.fields.values())
        mask = super()._test(number, test)
        learnt = sum(self.profile.fields.values()) - learning
        self.profile.add(self.profile.tests, number, time.perf_counter() - started - learnt)
        return mask

    def root(self, target: Target, number: int) -> Mask:
        """Time a rule's step."""
        started = time.perf_counter()
        mask = super().root(target, number)
        self.profile.add(self.profile.roots, target, time.perf_counter() - started)
        return mask


def profiled(profile: Profile) -> type[Evaluation]:
    """Return a kind of run that fills a profile."""
    return type("ProfiledRun", (ProfiledRun,), {"profile": profile})
