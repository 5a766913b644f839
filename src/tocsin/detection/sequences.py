"""The sequences and samples of a hunt: candidates are gathered batch by batch, matched when all are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.spool import Spool
from tocsin.engine.candidates import Candidates, Places
from tocsin.engine.graph import Target
from tocsin.engine.pipes import Hit, apply_pipes
from tocsin.sources.batch import EventBatch, RawEvent

Rows = npt.NDArray[np.intp]
_NONE = np.empty(0, np.intp)


@dataclass(frozen=True)
class Match:
    """A sequence or sample: its join keys, and its events by step, None for a missing one."""

    keys: tuple[object, ...]
    events: tuple[RawEvent | None, ...]


class SequenceSearch:
    """Candidates for the sequences and samples of rules; of each key at most `samples` samples."""

    def __init__(self, rules: Sequence[CompiledRule], *, samples: int = 1) -> None:
        self._pipes = {rule.rule.rule_id: rule.statement.pipes for rule in rules}
        self._candidates = {
            rule.rule.rule_id: Candidates(rule.joined, rule.ordering, samples=samples)
            for rule in rules
            if rule.joined is not None
        }
        self._spool = Spool()
        self._arrived = 0
        # How many times an event fit a step but has no time, so that it is in no sequence.
        self.untimed = 0

    def add(self, batch: EventBatch, fits: Mapping[Target, Rows]) -> None:
        """Add the rows of a batch that fit steps."""
        places = Places(batch.table, self._arrived)
        needed: list[Rows] = []
        for rule_id, candidates in self._candidates.items():
            of_steps = [fits.get((rule_id, number), _NONE) for number in range(len(candidates.steps))]
            if any(map(len, of_steps)):
                needed.append(candidates.add(batch.table, of_steps, places))
        if needed:
            rows = np.unique(np.concatenate(needed)).tolist()
            self._spool.add((self._arrived + row for row in rows), map(batch.raw, rows))
        self._arrived += batch.table.rows

    def matches(self, rule_id: str) -> Iterator[Match]:
        """Yield the matches of a rule, in order, and drop its candidates."""
        candidates = self._candidates.pop(rule_id)
        self.untimed += candidates.untimed
        hits = [Hit(result, {}) for result in candidates.results()]
        del candidates
        for hit in apply_pipes(self._pipes[rule_id], hits):
            events = (None if event is None else self._spool.get(event) for event in hit.event.events)
            yield Match(hit.event.keys, tuple(events))

    def close(self) -> None:
        """Remove the spooled events."""
        self._spool.close()
