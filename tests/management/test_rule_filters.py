"""Filters over rules, as Kibana's own pages write them (`convertRulesFilterToKQL`), and what they may not ask."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.api.test_watch import RULE
from tocsin.errors import InvalidError
from tocsin.management.rules.finding import matching_rules
from tocsin.store.records.models import StoredRule

THREAT = {
    "framework": "MITRE ATT&CK", "tactic": {"id": "TA0002", "name": "Execution"},
    "technique": [{"id": "T1059", "name": "Command", "subtechnique": [{"id": "T1059.001", "name": "PowerShell"}]}],
}  # fmt: skip


def stored(**more):
    document = {**RULE, "threat": [THREAT], "max_signals": 50, **more}
    now = datetime.now(UTC)
    return StoredRule(
        id="1", rule_id="bad", name=document["name"], enabled=True, document=document, revision=0, changed=1,
        created=now, created_by="ann", updated=now, updated_by="bob",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ('name: "Bad process"', True),
        ("name: bad*", True),
        ("name: process", True),
        ("name: proc", False),
        ('tags: ("Domain: Endpoint" or "x")', True),
        ("enabled: true", True),
        ("enabled: false", False),
        ('params.index: "logs-watch-*"', True),
        ("params.severity: (medium or high)", True),
        ("params.riskScore >= 47", True),
        ("params.maxSignals < 50", False),
        ('params.threat.tactic.id: "TA0002"', True),
        ('params.threat.tactic.name: "Execution"', True),
        ('params.threat.technique.id: "T1059"', True),
        ('params.threat.technique.name: "Command"', True),
        ('params.threat.technique.subtechnique.id: "T1059.001"', True),
        ('params.threat.technique.subtechnique.name: "PowerShell"', True),
        ('alertTypeId: "siem.eqlRule"', True),
        ('schedule.interval: "5m"', True),
        ("params.immutable: false", True),
        ("*: siem", True),
    ],
)
def test_rules_are_found_by_their_attributes(asked, fits):
    assert bool(matching_rules([stored()], f"alert.attributes.{asked}")) is fits


@pytest.mark.parametrize("rules", [[], [stored()]])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("alert.attributes.nme: x", "alert.attributes.name"),
        ("not alert.attributes.nme: x", "alert.attributes.name"),  # it would fit every rule
        ("name: x", "`name` is no attribute"),
        ("alert.attributes.name: x or severity: high", "`severity` is no attribute"),
    ],
)
def test_what_no_rule_has_cannot_be_asked_for(rules, asked, told):
    """Kibana: "This key 'name' need to be wrapped by a saved object type like alert"."""
    with pytest.raises(InvalidError) as error:
        matching_rules(rules, asked)
    assert told in error.value.message
