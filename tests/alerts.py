"""Alerts of made-up events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.detection.alerts.alert import Alert
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Finding
from tocsin.eql import syntax as s
from tocsin.rules.model import Rule


def alert_with(rule: Rule, event: Mapping[str, Any], members: Sequence[Alert] = ()) -> Alert:
    """Return an alert of a rule with an event, or with the events of other alerts."""
    compiled = CompiledRule(rule, s.Statement(s.EventQuery(None, s.Literal(True))), uuid=rule.rule_id)
    return Alert("id", compiled, Finding((), 0, 0), rule, event, "file", members=tuple(members))
