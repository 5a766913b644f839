"""Where a hunt's time went: stages, the costliest rules, the costliest predicates; for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.counted import counted
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.hunt import HuntProfile
from tocsin.engine.graph import Test
from tocsin.eql.render import render
from tocsin.printable import printable_line

_MOST = 10


def profile_document(profile: HuntProfile, rules: Sequence[CompiledRule]) -> dict[str, Any]:
    """Return a profile as plain data, times in seconds."""
    return {
        "stages": {name: round(seconds, 4) for name, seconds in profile.stages.items()},
        "rules": [
            {"rule_id": rule_id, "name": name, "seconds": round(seconds, 4)}
            for rule_id, name, seconds in _rules(profile, rules)
        ],
        "predicates": [
            {"predicate": text, "seconds": round(seconds, 4), "times": times}
            for text, seconds, times in _predicates(profile)
        ],
    }


def show_profile(profile: HuntProfile, rules: Sequence[CompiledRule]) -> None:
    """Print a profile on standard error."""
    console = wide_console(120, stderr=True)
    total = sum(profile.stages.values()) or 1.0
    stages = _table("time by stage", "stage")
    for name, seconds in sorted(profile.stages.items(), key=lambda stage: -stage[1]):
        stages.add_row(name, f"{seconds:.3f} s", f"{seconds / total:.0%}")
    console.print(stages)
    costly = _table("costliest rules", "rule")
    for _, name, seconds in _rules(profile, rules):
        costly.add_row(Text(printable_line(name)), f"{seconds:.3f} s", f"{seconds / total:.1%}")
    console.print(costly)
    tests = _table("costliest predicates", "predicate")
    for text, seconds, _ in _predicates(profile):
        shown = text if len(text) <= 200 else text[:199] + "…"
        tests.add_row(Text(printable_line(shown)), f"{seconds:.3f} s", f"{seconds / total:.1%}")
    console.print(tests)


def _table(title: str, what: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0))
    table.add_column(what, overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("of all", justify="right", no_wrap=True)
    return table


def _rules(profile: HuntProfile, rules: Sequence[CompiledRule]) -> list[tuple[str, str, float]]:
    names = {rule.rule.rule_id: rule.rule.name for rule in rules}
    seconds: dict[str, float] = {}
    for (rule_id, _step), took in profile.engine.roots.items():
        seconds[rule_id] = seconds.get(rule_id, 0.0) + took
    costly = sorted(seconds.items(), key=lambda entry: -entry[1])[:_MOST]
    return [(rule_id, names.get(rule_id, rule_id), took) for rule_id, took in costly]


def _predicates(profile: HuntProfile) -> list[tuple[str, float, int]]:
    """Return single tests, and the tests of a field that are answered together, the costliest first."""
    if profile.plan is None:
        return []
    nodes = profile.plan.program.nodes
    predicates: list[tuple[str, float, int]] = []
    for number, took in profile.engine.tests.items():
        node = nodes[number]
        if isinstance(node, Test):
            predicates.append((render(node.expression), took, profile.engine.times[number]))
    of_field = {tests.name: len(tests.tests) for tests in profile.plan.fields}
    for name, took in profile.engine.fields.items():
        predicates.append(
            (f"{name}: {counted(of_field[name], 'test')} together", took, profile.engine.times[name])
        )
    return sorted(predicates, key=lambda entry: -entry[1])[:_MOST]
