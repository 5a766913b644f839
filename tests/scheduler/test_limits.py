"""Which rules are refused when they are saved, and with which field.

The limits are those of Kibana's schema of rules: `rule_schemas.schema.yaml`, `common_attributes.schema.yaml`, the
`specific_attributes` beside them, `request_schema_validation.ts` and `validateHistoryWindowStart`, as of 2026.
"""

from __future__ import annotations

import pytest

from tests.scheduler.virtual import rule
from tests.shared import needs_shared, shared
from tocsin.detection.rule_checks import rule_problems
from tocsin.ecs import default_schema
from tocsin.rules.files import read_rule
from tocsin.rules.load import load_rules

SUPPRESSION = "alert_suppression"
SUPPRESSED = {"group_by": ["host.name"]}


def threshold(**about):
    given = {"field": ["host.name"], "value": 2, **about}
    return rule(query="*:*", type="threshold", language="kuery", threshold=given)


def new_terms(fields=("user.name",), start="now-7d", **more):
    asked = {"new_terms_fields": list(fields), "history_window_start": start, **more}
    return rule(query="*:*", type="new_terms", language="kuery", **asked)


MAPPED = {"field": "source.ip", "type": "mapping", "value": "threat.indicator.ip"}


def threat_match(*groups, **more):
    mapping = [{"entries": list(group)} for group in groups]
    asked = {"threat_index": ["ti-*"], "threat_query": "*:*", "threat_mapping": mapping, **more}
    return rule(query="*:*", type="threat_match", language="kuery", **asked)


def acting(**frequency):
    return {"id": "c", "group": "default", "params": {}, "frequency": frequency}


FINE = {
    "one field for new terms": new_terms(),
    "three fields for new terms": new_terms("abc"),
    "a history just longer than the look-back": new_terms(start="now-10m"),
    "new terms as Elastic's TOML has them": rule(
        query="*:*", type="new_terms", language="kuery",
        new_terms={"value": ["a"], "history_window_start": [{"field": "x", "value": "now-7d"}]},
    ),
    "three fields for suppression": rule(alert_suppression={"group_by": list("abc")}),
    "suppression in a span": rule(alert_suppression={**SUPPRESSED, "duration": {"value": 5, "unit": "h"}}),
    "suppression of a threshold rule": {
        **threshold(), "alert_suppression": {"duration": {"value": 1, "unit": "m"}},
    },
    "a threshold without fields": threshold(field=[]),
    "a threshold with one field, a text": threshold(field="host.name"),
    "a threshold with five fields": threshold(field=list("abcde")),
    "a threshold with a cardinality": threshold(cardinality=[{"field": "user.name", "value": 3}]),
    "indicators": threat_match([MAPPED, {**MAPPED, "field": "x", "negate": True}]),
    "indicators, searched at once": threat_match([MAPPED], concurrent_searches=2, items_per_search=100),
    "a timeline": rule(timeline_id="1", timeline_title="t"),
    "fields to show first": rule(investigation_fields={"field_names": ["a"]}),
    "throttled actions": rule(actions=[acting(summary=True, notifyWhen="onThrottleInterval", throttle="1h")]),
    "actions at once": rule(actions=[acting(summary=False, notifyWhen="onActiveAlert", throttle=None)]),
    "an old throttle": rule(throttle="no_actions"),
}  # fmt: skip
BROKEN = {
    "no name": (rule(name=" "), "name"),
    "no description": (rule(description=""), "description"),
    "version 0": (rule(version=0), "version"),
    "another type's language": (rule(language="kuery"), "language"),
    "KQL in EQL": (rule(query="*:*", type="query", language="eql"), "language"),
    "no field for new terms": (new_terms(()), "new_terms_fields"),
    "four fields for new terms": (new_terms("abcd"), "new_terms_fields"),
    "an empty field for new terms": (new_terms([""]), "new_terms_fields"),
    "a history that begins with the window": (new_terms(start="now-9m"), "history_window_start"),
    "a history shorter than the look-back": (new_terms(start="now-5m"), "history_window_start"),
    "a history as a date": (new_terms(start="2026-01-01"), "history_window_start"),
    "no history": (new_terms(start=None), "history_window_start"),
    "no field for suppression": (rule(alert_suppression={"group_by": []}), f"{SUPPRESSION}.group_by"),
    "four fields for suppression": (rule(alert_suppression={"group_by": list("abcd")}), f"{SUPPRESSION}.group_by"),
    "suppression without fields": (
        rule(alert_suppression={"duration": {"value": 1, "unit": "m"}}), f"{SUPPRESSION}.group_by",
    ),
    "suppression for days": (
        rule(alert_suppression={**SUPPRESSED, "duration": {"value": 1, "unit": "d"}}), f"{SUPPRESSION}.duration",
    ),
    "suppression for no time": (
        rule(alert_suppression={**SUPPRESSED, "duration": {"value": 0, "unit": "m"}}), f"{SUPPRESSION}.duration",
    ),
    "an unknown way with missing fields": (
        rule(alert_suppression={**SUPPRESSED, "missing_fields_strategy": "drop"}),
        "alert_suppression.missing_fields_strategy",
    ),
    "suppression of a threshold rule without a span": (
        {**threshold(), "alert_suppression": SUPPRESSED}, f"{SUPPRESSION}.duration",
    ),
    "no threshold": (rule(query="*:*", type="threshold", language="kuery"), "threshold.value"),
    "a threshold of 0": (threshold(value=0), "threshold.value"),
    "a threshold of 1.5": (threshold(value=1.5), "threshold.value"),
    "a threshold as a text": (threshold(value="2"), "threshold.value"),
    "a threshold with six fields": (threshold(field=list("abcdef")), "threshold.field"),
    "a cardinality of a field that is grouped by": (
        threshold(cardinality=[{"field": "host.name", "value": 2}]), "threshold.cardinality",
    ),
    "a cardinality below 0": (threshold(cardinality=[{"field": "x", "value": -1}]), "threshold.cardinality"),
    "a cardinality without a field": (threshold(cardinality=[{"value": 1}]), "threshold.cardinality"),
    "no indices of indicators": (threat_match([MAPPED], threat_index=[]), "threat_index"),
    "no mapping of indicators": (threat_match(), "threat_mapping"),
    "an empty group of mappings": (threat_match([]), "threat_mapping"),
    "a mapping without a value": (threat_match([{"field": "a", "type": "mapping"}]), "threat_mapping"),
    "a mapping that is negated alone": (threat_match([{**MAPPED, "negate": True}]), "threat_mapping"),
    "a mapping and its negation": (threat_match([MAPPED, {**MAPPED, "negate": True}]), "threat_mapping"),
    "half of how indicators are searched": (threat_match([MAPPED], items_per_search=100), "concurrent_searches"),
    "anomalies beyond 100": (
        rule(type="machine_learning", language=None, query=None, anomaly_threshold=101), "anomaly_threshold",
    ),
    "a timeline without its title": (rule(timeline_id="1"), "timeline_id"),
    "no fields to show first": (rule(investigation_fields={"field_names": []}), "investigation_fields"),
    "an integration without its version": (rule(related_integrations=[{"package": "x"}]), "related_integrations"),
    "a required field without its type": (rule(required_fields=[{"name": "x"}]), "required_fields"),
    "a severity that is none": (
        rule(severity_mapping=[{"field": "a", "operator": "equals", "value": "1", "severity": "worst"}]),
        "severity_mapping",
    ),
    "a mapping of severity by another operator": (
        rule(severity_mapping=[{"field": "a", "operator": "is", "value": "1", "severity": "low"}]),
        "severity_mapping",
    ),
    "a risk beyond 100": (
        rule(risk_score_mapping=[{"field": "a", "operator": "equals", "value": "", "risk_score": 101}]),
        "risk_score_mapping",
    ),
    "an action without a connector": (rule(actions=[{"params": {}}]), "actions"),
    "an action that is throttled for no time": (rule(actions=[acting(summary=True, throttle="0h")]), "actions"),
    "an action that is throttled for a word": (rule(actions=[acting(summary=True, throttle="hourly")]), "actions"),
    "an action that tells at an unknown time": (rule(actions=[acting(notifyWhen="never")]), "actions"),
    "an unknown throttle": (rule(throttle="sometimes"), "throttle"),
    "a list without its name": (rule(exceptions_list=[{"id": "x"}]), "exceptions_list"),
}  # fmt: skip


def refusals(document):
    return [one for one in rule_problems(read_rule(document), default_schema()) if one.fatal]


@pytest.mark.parametrize("name", FINE)
def test_a_rule_within_the_limits_is_taken(name):
    assert refusals(FINE[name]) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_beyond_a_limit_is_refused_by_name(name):
    document, field = BROKEN[name]
    found = refusals(document)
    assert [one.field for one in found] == [field]
    assert f"`{field}" in found[0].message


@needs_shared("rules/elastic-windows")
def test_every_public_rule_is_within_the_limits():
    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    assert len(rules) > 400
    broken = {rule.name: refusals(rule.document()) for rule in rules}
    assert {name: found for name, found in broken.items() if found} == {}
