"""Overrides: the severity, risk score and name that an alert takes from its event, by the mappings of a rule.

Mappings and their order are Kibana's: of several severities that fit, the highest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.rules.model import SEVERITIES, Rule


def overridden(rule: Rule, event: Mapping[str, Any]) -> Rule:
    """Return the rule with the overrides of an event (flat: dotted field name -> value)."""
    changes: dict[str, Any] = {}
    severities = [
        str(mapping.get("severity"))
        for mapping in rule.severity_mapping
        if str(mapping.get("value")) in _texts(event.get(str(mapping.get("field"))))
        and mapping.get("severity") in SEVERITIES
    ]
    if severities:
        changes["severity"] = max(severities, key=SEVERITIES.index)
    for mapping in rule.risk_score_mapping:
        score = _score(mapping, event)
        if score is not None:
            changes["risk_score"] = score
    if rule.rule_name_override:
        names = _texts(event.get(rule.rule_name_override))
        if names and names[0]:
            changes["name"] = names[0]
    return rule.model_copy(update=changes) if changes else rule


def _score(mapping: Mapping[str, Any], event: Mapping[str, Any]) -> int | None:
    texts = _texts(event.get(str(mapping.get("field"))))
    wanted = str(mapping.get("value") or "")
    if wanted and wanted not in texts:
        return None
    if mapping.get("risk_score") is not None:
        return int(mapping["risk_score"])
    for text in texts:
        try:
            score = float(text)
        except ValueError:
            continue
        if 0 <= score <= 100:
            return int(score)
    return None


def _texts(value: Any) -> list[str]:
    return [] if value is None else [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]
