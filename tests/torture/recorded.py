"""What records hold, read beside any service; alerts exactly once, and the mark of how far records are."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import create_engine, text

from tests.torture.senders import RULES
from tests.torture.service import INTERVAL

_ALERTS = (
    "SELECT r.rule_id, a.document FROM alerts a JOIN rules r ON r.id = a.rule_uuid WHERE NOT a.building_block"
)
_RUNS = "SELECT rule_uuid, first_tick, last_tick, ticks FROM executions WHERE kind = 'scheduled' ORDER BY id"


@dataclass(frozen=True)
class Recorded:
    """Records: ids of alerts, what pairs of events each rule has alerts of, rules, audited changes and executions.

    A run is the first tick, the last one and how many ticks lie between.
    """

    alerts: list[str]
    pairs: dict[str, list[str]]
    rules: list[str]
    changes: list[str]
    entries: list[int]
    runs: dict[str, list[list[int]]]


def recorded(url: str) -> Recorded:
    """Return what records hold."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        pairs: dict[str, list[str]] = {}
        for rule, document in connection.execute(text(_ALERTS)):
            pairs.setdefault(rule, []).append(str(orjson.loads(document)["user"]["name"]))
        runs: dict[str, list[list[int]]] = {}
        for rule, *run in connection.execute(text(_RUNS)):
            runs.setdefault(rule, []).append(run)
        entries = list(connection.execute(text("SELECT id, target FROM audit ORDER BY id")))
        found = Recorded(
            list(connection.execute(text("SELECT id FROM alerts")).scalars()),
            pairs,
            list(connection.execute(text("SELECT rule_id FROM rules")).scalars()),
            [target for _, target in entries],
            [id_ for id_, _ in entries],
            runs,
        )
    engine.dispose()
    return found


def check_once(found: Recorded, *, lost: bool = False) -> None:
    """Raise AssertionError when an alert is there twice, or a tick of a rule was run twice or not at all.

    Where executions may be `lost` their ticks are run again, or missing beyond the last day.
    """
    for rule, names in found.pairs.items():
        twice = [name for name, count in Counter(names).items() if count > 1]
        assert not twice, f"{rule}: {len(twice)} alerts are there twice, that of {twice[0]} for one"
    for rule, runs in () if lost else found.runs.items():
        for before, after in itertools.pairwise(runs):
            assert after[0] == before[1] + INTERVAL, f"{rule}: between two executions ticks are missing, or twice"
        assert all(count == (last - first) // INTERVAL + 1 for first, last, count in runs), rule


def check_alerts(found: Recorded, pairs: set[str]) -> None:
    """Raise AssertionError when a rule that is there has no alert of one of some pairs of events."""
    for rule in set(found.rules) & {str(rule["rule_id"]) for rule in RULES}:
        missing = pairs - set(found.pairs.get(rule, ()))
        assert not missing, f"{rule}: {len(missing)} of {len(pairs)} alerts are missing: {min(missing)}"


def check_mark(folder: Path, found: Recorded) -> None:
    """Raise AssertionError when the mark of how far records are is ahead of them, or cannot be read."""
    mark = orjson.loads((folder / "records.json").read_bytes())
    assert mark["audit"] <= max(found.entries, default=0), f"the mark is ahead of the audit log: {mark}"
