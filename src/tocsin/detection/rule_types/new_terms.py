"""New-terms rules: values, or combinations of values of several fields, that do not occur in the history."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, ORDER, TIME
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow, many, values_of

_COMBINATIONS = 100  # of an event's values, as in Elastic


def new_terms_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return the first event of each combination of values that no event of the history has."""
    history, start = rule.history(window.now), window.window.start
    assert history is not None
    assert start is not None
    names = rule.rule.terms_fields
    first: dict[tuple[Any, ...], tuple[int, int]] = {}  # combination -> time and row of its first event
    times, helds = rows.column(ORDER).to_pylist(), rows.column(TIME).to_pylist()
    for row, value in enumerate(values_of(rows, names)):
        for key in combinations(value, names):
            if key not in first or (times[row], row) < first[key]:
                first[key] = times[row], row
    if not first:
        return []
    earlier = window.history(history, start)
    if earlier is not None:
        for value in values_of(earlier, names):
            for key in combinations(value, names):
                first.pop(key, None)
    indices, ids = rows.column(INDEX).to_pylist(), rows.column(ID).to_pylist()
    return [
        Finding(
            (Place(indices[row], ids[row]),),
            time,
            helds[row],
            about={"key": list(key), "kibana.alert.new_terms": list(key)},
        )
        for key, (time, row) in sorted(first.items(), key=lambda entry: (entry[1], str(entry[0])))
    ]


def first_terms(rule: CompiledRule, rows: pa.Table, earlier: pa.Table | None, length: int) -> list[Finding]:
    """Return the events with a combination of values that no event has in the time before (`length`, nanoseconds).

    This is for a hunt, whose one window may be longer than the history of a rule. `earlier` are rows before the
    window.
    """
    names = rule.rule.terms_fields
    indices, ids = rows.column(INDEX).to_pylist(), rows.column(ID).to_pylist()
    times, helds = rows.column(ORDER).to_pylist(), rows.column(TIME).to_pylist()
    events = [
        (held, row, value) for row, (held, value) in enumerate(zip(helds, values_of(rows, names), strict=True))
    ]
    if earlier is not None:
        known = zip(earlier.column(TIME).to_pylist(), values_of(earlier, names), strict=True)
        events += ((held, -1, value) for held, value in known)
    last: dict[tuple[Any, ...], int] = {}  # combination -> when an event had it last
    findings = []
    for held, row, value in sorted(events, key=lambda event: event[:2]):
        for key in combinations(value, names):
            before = last.get(key)
            last[key] = held
            if row >= 0 and (before is None or held - before > length):
                about = {"key": list(key), "kibana.alert.new_terms": list(key)}
                findings.append(Finding((Place(indices[row], ids[row]),), times[row], held, about=about))
    return findings


def combinations(value: dict[str, Any], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the combinations of an event's values; none if it lacks a field."""
    lists = (many(value.get(name)) for name in names)
    yield from islice(dict.fromkeys(product(*lists)), _COMBINATIONS)


def last_of_each(rows: pa.Table, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Return which rows are the last with some combination of values: of a history, only these are needed.

    A later window asks whether a combination occurs between two moments of which the second is later than all
    these rows. The last event of the combination alone decides that.
    """
    last: dict[tuple[Any, ...], int] = {}
    times = rows.column(TIME).to_pylist()
    for row, value in enumerate(values_of(rows, names)):
        for key in combinations(value, names):
            if key not in last or times[last[key]] <= times[row]:
                last[key] = row
    kept = np.zeros(rows.num_rows, np.bool_)
    kept[list(last.values())] = True
    return kept
