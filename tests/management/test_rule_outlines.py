"""Rules by what they watch: patterns without an index, indices without a rule, and malformed documents."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.investigation.coverage.rule_outlines import (
    RuleOutline,
    rules_by_index,
    threats_of,
    without_index,
)
from tocsin.management.rules.outlines import rule_outlines
from tocsin.management.rules.saving import add_document
from tocsin.store.patterns import matching
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records

INDICES = ("logs-system.security-default", "winlogbeat-default")


@pytest.mark.parametrize(
    ("patterns", "sees_none"),
    [
        (("winlogbeat-*",), False),
        (("logs-endpoint.*", "winlogbeat-*"), False),
        (("logs-endpoint.*", "endgame-*"), True),
        (("logs-endpoint.*", "-winlogbeat-*"), True),
        (("-winlogbeat-*",), False),
        (("_all",), False),
        (("*",), False),
    ],
)
def test_a_rule_sees_nothing_where_none_of_its_patterns_fits(patterns: tuple[str, ...], sees_none: bool) -> None:
    rule = RuleOutline("1", "a rule", True, patterns=patterns)
    assert (without_index([rule], INDICES) == [rule]) is sees_none


def test_rules_are_counted_by_the_indices_that_they_look_at() -> None:
    rules = [
        RuleOutline("1", "a", True, patterns=("winlogbeat-*",)),
        RuleOutline("2", "b", True, patterns=("*", "-logs-*")),
        RuleOutline("3", "c", True, patterns=("logs-endpoint.*",)),
    ]
    assert rules_by_index(rules, INDICES) == {"winlogbeat-default": 2}


@given(
    st.lists(st.lists(st.text("-*abl", min_size=1, max_size=4), max_size=4), max_size=6),
    st.sets(st.text("abl", min_size=1, max_size=4), max_size=6),
)
def test_a_rule_looks_at_the_indices_that_its_patterns_take(patterns: list[list[str]], names: set[str]) -> None:
    rules = [RuleOutline(str(number), "", True, patterns=tuple(each)) for number, each in enumerate(patterns)]
    taken = Counter(name for each in patterns for name in matching(each, names))
    assert rules_by_index(rules, names) == taken


def test_a_threat_of_another_form_is_left_out() -> None:
    whole = {"framework": "MITRE ATT&CK", "tactic": {"id": "TA0002", "name": "Execution"}, "technique": []}
    assert [threat.tactic.id for threat in threats_of([whole, "text", {"tactic": 5}, None])] == ["TA0002"]
    assert threats_of("text") == ()


def test_outlines_are_read_of_the_rules_that_are_saved(tmp_path) -> None:
    common = {"description": "d", "severity": "high", "risk_score": 73}
    threat = [
        {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": "TA0002", "name": "Execution"},
            "technique": [{"id": "T1059", "name": "Command and Scripting Interpreter"}],
        }
    ]
    documents = [
        {**common, "name": "b", "rule_id": "b", "type": "query", "query": "*", "index": ["logs-*"],
         "tags": ["OS: Windows", "OS: Linux", "other"], "threat": threat, "enabled": True},
        {**common, "name": "A", "rule_id": "a", "type": "esql", "language": "esql", "enabled": False,
         "query": "FROM logs-system.*, winlogbeat-* | WHERE true"},
        {**common, "name": "c", "rule_id": "c", "type": "query", "query": "*"},
    ]  # fmt: skip
    with closing(Records(f"sqlite:///{tmp_path}/records.db")) as records:
        records.upgrade()
        with records.transaction() as session:
            for document in documents:
                add_document(session, local_actor("tests"), document)
        with records.transaction() as session:
            piped, rule, plain = rule_outlines(session)
    assert (piped.name, piped.enabled, piped.patterns) == ("A", False, ("logs-system.*", "winlogbeat-*"))
    assert (rule.platforms, rule.severity, rule.patterns) == (["Windows", "Linux"], "high", ("logs-*",))
    assert [technique.id for technique in rule.threats[0].technique] == ["T1059"]
    assert (plain.patterns, plain.tags, plain.threats) == (("*",), (), ())
