"""What an event changes of its alert: severity, risk score and name, by a rule's mappings.

Mappings and their order are Kibana's: of several severities that fit the highest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.rules.model import SEVERITIES, Rule


def overridden(rule: Rule, event: Mapping[str, Any]) -> Rule:
    """Return the rule as an event (flat: dotted field name -> value) has it."""
    changes: dict[str, Any] = {}
    severities = [
        str(one.get("severity"))
        for one in rule.severity_mapping
        if str(one.get("value")) in _texts(event.get(str(one.get("field")))) and one.get("severity") in SEVERITIES
    ]
    if severities:
        changes["severity"] = max(severities, key=SEVERITIES.index)
    for one in rule.risk_score_mapping:
        score = _score(one, event)
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
