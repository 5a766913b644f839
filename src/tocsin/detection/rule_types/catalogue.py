"""All rule types, by the names that rule files use."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.detection.rule_types.eql import eql_findings
from tocsin.detection.rule_types.esql import esql_findings
from tocsin.detection.rule_types.findings import Findings
from tocsin.detection.rule_types.indicator_match import indicator_match_findings
from tocsin.detection.rule_types.new_terms import new_terms_findings
from tocsin.detection.rule_types.query import query_findings
from tocsin.detection.rule_types.threshold import threshold_findings


@dataclass(frozen=True)
class RuleType:
    """A rule type: the function that returns findings, and Elastic's id and category for its alerts."""

    findings: Findings
    id: str
    category: str


RULE_TYPES = {
    "eql": RuleType(eql_findings, "siem.eqlRule", "Event Correlation Rule"),
    "query": RuleType(query_findings, "siem.queryRule", "Custom Query Rule"),
    "saved_query": RuleType(query_findings, "siem.savedQueryRule", "Saved Query Rule"),
    "threshold": RuleType(threshold_findings, "siem.thresholdRule", "Threshold Rule"),
    "new_terms": RuleType(new_terms_findings, "siem.newTermsRule", "New Terms Rule"),
    "threat_match": RuleType(indicator_match_findings, "siem.indicatorRule", "Indicator Match Rule"),
    "esql": RuleType(esql_findings, "siem.esqlRule", "ES|QL Rule"),
}
