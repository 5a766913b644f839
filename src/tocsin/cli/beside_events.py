"""What a hunt is given beside events and rules: exceptions, and indicators."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tocsin.counted import counted

if TYPE_CHECKING:
    from tocsin.detection.hunt import Hunt


def beside_events(hunt: Hunt, exceptions: Sequence[str], indicators: Sequence[str]) -> tuple[Hunt, list[str]]:
    """Return a hunt with the exceptions and indicators of files, and lines that say what came of these.

    Raises InputError for a file that cannot be used.
    """
    notes: list[str] = []
    if exceptions:
        from tocsin.detection.alerts.exception_files import read_exception_lists, without_exceptions
        from tocsin.ecs import default_schema

        lists = read_exception_lists(exceptions).for_rules(hunt.rules)
        schema, now = default_schema(), time.time_ns()
        rules = [without_exceptions(rule, lists, schema, now) for rule in hunt.rules]
        notes += lists.lines(hunt.rules)
        hunt = replace(hunt, rules=rules, plan=None)
    if indicators:
        from tocsin.detection.hunt_indicators import indicator_reader
        from tocsin.sources.indicators import read_indicators

        read = read_indicators(indicators)
        hunt = replace(hunt, indicators=indicator_reader(read.documents))
        notes.append(f"indicators: {counted(len(read.documents), 'indicator')}")
        notes += (f"indicators: {count:,} not taken: {reason}" for reason, count in read.skipped.items())
    matching = sum(rule.rule.type == "threat_match" for rule in hunt.rules)
    if matching and not indicators:
        notes.append(f"{counted(matching, 'indicator-match rule')} looked for nothing: --indicators names files")
    return hunt, notes
