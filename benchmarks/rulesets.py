"""Rule sets to measure with: the public Windows rules of the user's own checkout, and variants of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from tests.shared import shared

from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.ruleset import RuleSet, read_ruleset
from tocsin.engine.evaluate import plan
from tocsin.engine.graph import compile_queries
from tocsin.eql import syntax as s

# Values of these are shared by events of every rule, so that variants keep them.
_KEPT = ("event.", "host.os.", "_index", "data_stream.")
_WORD = re.compile(r"[A-Za-z]{4,}")


def public_rules() -> RuleSet | None:
    """Return Elastic's public Windows rules in EQL, which python-eql on the other side reads as well.

    They are in the folder that RULES names; None where there is none.
    """
    folder = Path(os.environ.get("RULES", shared("rules/elastic-windows")))
    if not folder.is_dir():
        return None
    every = read_ruleset([str(folder)])
    ready = [rule for rule in every.ready if rule.rule.type == "eql"]
    program = compile_queries(rule.keyed_query(any_index=False) for rule in ready)
    return RuleSet(ready, every.skipped, plan(program))


def variants(ready: Sequence[CompiledRule], count: int) -> Iterator[CompiledRule]:
    """Yield so many rules: the given ones, then copies whose texts have a number put into a word of theirs."""
    for number in range(count):
        rule = ready[number % len(ready)]
        turn = number // len(ready)
        if not turn:
            yield rule
            continue
        model = rule.rule.model_copy(update={"rule_id": f"{rule.rule.rule_id}-{turn}"})
        yield CompiledRule(model, _varied(rule.statement, str(turn)))


def _varied(node: Any, mark: str) -> Any:
    """Return a tree with other texts; what compares fields that all events share stays."""
    match node:
        case s.PatternMatch("wildcard", _, s.FieldRef(name), patterns) if not name.startswith(_KEPT):
            return replace(node, patterns=tuple(_marked(p, mark) for p in patterns))
        case s.Comparison(_, s.FieldRef(name), s.Literal(str() as text)) if not name.startswith(_KEPT):
            return replace(node, right=s.Literal(_marked(text, mark)))
        case s.Membership(s.FieldRef(name), items) if not name.startswith(_KEPT):
            return replace(node, items=tuple(_varied_item(item, mark) for item in items))
        case tuple():
            return tuple(_varied(item, mark) for item in node)
        case _ if is_dataclass(node) and not isinstance(node, type):
            changed = {f.name: _varied(getattr(node, f.name), mark) for f in fields(node) if f.name != "place"}
            return replace(node, **changed)
        case _:
            return node


def _varied_item(item: s.Expression, mark: str) -> s.Expression:
    if isinstance(item, s.Literal) and isinstance(item.value, str):
        return s.Literal(_marked(item.value, mark))
    return item


def _marked(text: Any, mark: str) -> Any:
    if not isinstance(text, str):
        return text
    return _WORD.sub(lambda word: word[0][:2] + mark + word[0][2:], text, count=1)
