"""The matrix as a layer of the ATT&CK Navigator: JSON of its layer format 4.5.

The form is that of mitre-attack/attack-navigator, `layers/spec/v4.5/layerformat.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.counted import counted
from tocsin.investigation.coverage.attack_matrix import TacticColumn, TechniqueCell
from tocsin.rules.attack import ORDER

LAYER_VERSION, NAVIGATOR_VERSION = "4.5", "4.9.0"  # the first version of the Navigator that reads the format
_ID = re.compile(r"T\d{4}(\.\d{3})?")
_PLATFORMS = frozenset(("Windows", "Linux", "macOS", "Network"))  # those of the format that rules' tags name
_LONGEST_COMMENT = 4_000  # characters
_NONE, _MOST = "#ffffff", "#9a3412"  # no rule or alert, and the most of them


@dataclass(frozen=True)
class LayerScore:
    """What a layer shows by its colours: its name, what it says of itself, and the score of a technique."""

    name: str
    description: str
    unit: str
    score: Callable[[TechniqueCell], int]


COVERAGE = LayerScore(
    "tocsin: coverage",
    "How many enabled rules look for each technique.",
    "enabled rule",
    lambda cell: cell.enabled,
)
ALERTS = LayerScore(
    "tocsin: alerts", "How many alerts the rules of each technique have raised.", "alert", lambda cell: cell.alerts
)


def navigator_layer(columns: Sequence[TacticColumn], of: LayerScore, platforms: Collection[str]) -> dict[str, Any]:
    """Return the matrix as a layer. What is none of ATT&CK's is left out, and the description says so."""
    cells = [
        (column, cell)
        for column in columns
        for technique in column.techniques
        for cell in (technique, *technique.subtechniques)
    ]
    known = [(column, cell) for column, cell in cells if column.id in ORDER and _ID.fullmatch(cell.id)]
    most = max((of.score(cell) for _, cell in known), default=0)
    description = f"{of.description} Techniques that no rule names have no score."
    if left_out := len(cells) - len(known):
        description += f" {counted(left_out, 'technique')} left out, whose id or tactic is none of ATT&CK's."
    shown_platforms = sorted(_PLATFORMS.intersection(platforms))
    return {
        "name": of.name,
        "versions": {"navigator": NAVIGATOR_VERSION, "layer": LAYER_VERSION},
        "domain": "enterprise-attack",
        "description": description,
        **({"filters": {"platforms": shown_platforms}} if shown_platforms else {}),
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [_technique(column, cell, of) for column, cell in known],
        "gradient": {"colors": [_NONE, _MOST], "minValue": 0, "maxValue": max(1, most)},
        "legendItems": [
            {"label": f"no {of.unit}", "color": _NONE},
            {"label": counted(max(1, most), of.unit), "color": _MOST},
        ],
    }


def _technique(column: TacticColumn, cell: TechniqueCell, of: LayerScore) -> dict[str, Any]:
    rules = "\n".join(f"{rule.name}{'' if rule.enabled else ' (disabled)'}" for rule in cell.rules)
    comment = rules if len(rules) <= _LONGEST_COMMENT else f"{rules[: _LONGEST_COMMENT - 1]}…"
    return {
        "techniqueID": cell.id,
        "tactic": column.short_name,
        "score": of.score(cell),
        "comment": comment,
        "enabled": True,
        "metadata": [
            {"name": "enabled rules", "value": str(cell.enabled)},
            {"name": "rules", "value": str(len(cell.rules))},
            {"name": "alerts", "value": str(cell.alerts)},
        ],
        "showSubtechniques": bool(cell.subtechniques),
    }
