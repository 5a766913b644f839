"""Custom query rules and saved query rules: each event that fits is a finding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tocsin.detection.columns import ID, INDEX, ORDER, TIE, TIME
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.detection.rule_types.findings import Finding, Place, RuleWindow, values_of
from tocsin.engine.pipes import Hit, apply_pipes


def query_findings(rule: CompiledRule, rows: pa.Table, window: RuleWindow) -> list[Finding]:
    """Return a finding for each event that the rule's pipes leave, the oldest first."""
    findings = [
        Finding((Place(index, id_),), time, held)
        for index, id_, time, held in zip(
            *(rows.column(n).to_pylist() for n in (INDEX, ID, ORDER, TIME)), strict=True
        )
    ]
    order = np.lexsort((np.arange(len(findings)), rows.column(TIE).to_numpy(), rows.column(ORDER).to_numpy()))
    pipes = rule.statement.pipes
    if not pipes:
        return [findings[at] for at in order.tolist()]
    values = values_of(rows, rule.row_fields)
    hits = [Hit(findings[at], values[at]) for at in order.tolist()]
    return [hit.event for hit in apply_pipes(pipes, hits)]
