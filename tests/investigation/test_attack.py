"""Rules in ATT&CK's matrix, and the matrix as a layer of the Navigator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from tests.shared import needs_shared, shared
from tocsin.investigation.coverage.attack_layer import ALERTS, COVERAGE, LayerScore, navigator_layer
from tocsin.investigation.coverage.attack_matrix import attack_matrix, on_platforms, outside_matrix, platforms_of
from tocsin.investigation.coverage.rule_outlines import RuleOutline, threats_of
from tocsin.rules.attack import TACTICS
from tocsin.rules.load import load_rules


def threat(tactic: str, *techniques: str, framework: str = "MITRE ATT&CK") -> dict[str, Any]:
    """A rule's threat; `T1003.001` is a subtechnique of the technique before it."""
    members: list[dict[str, Any]] = []
    for id_ in techniques:
        member: dict[str, Any] = {"id": id_, "name": f"name of {id_}", "subtechnique": []}
        (members[-1]["subtechnique"] if "." in id_ else members).append(member)
    return {"framework": framework, "tactic": {"id": tactic, "name": f"name of {tactic}"}, "technique": members}


def rule(id_: str, *threats: dict[str, Any], enabled: bool = True, tags: tuple[str, ...] = ()) -> RuleOutline:
    return RuleOutline(id_, f"rule {id_}", enabled, tags=tags, threats=threats_of(list(threats)))


RULES = [
    rule("1", threat("TA0006", "T1003", "T1003.001", "T1110"), threat("TA0002", "T1059"), tags=("OS: Windows",)),
    rule("2", threat("TA0006", "T1003", "T1003.002"), enabled=False, tags=("OS: Linux", "OS: Windows")),
    rule("3", threat("TA0040"), tags=("OS: macOS",)),
    rule("4", threat("TA9999", "no id"), threat("AML.TA0002", "AML-T0000", framework="MITRE ATLAS")),
    rule("5", threat("AML.TA0002", "AML-T0000", framework="MITRE ATLAS")),
]


def test_tactics_stand_in_the_order_of_attack_with_their_names_and_others_behind() -> None:
    columns = attack_matrix(RULES, {})
    assert [column.name for column in columns] == ["Execution", "Credential Access", "Impact", "name of TA9999"]
    assert columns[1].short_name == "credential-access"


def test_a_technique_has_the_rules_of_its_subtechniques_and_their_alerts() -> None:
    credentials = attack_matrix(RULES, {"1": 5, "2": 3})[1]
    dumping, guessing = credentials.techniques
    assert (dumping.id, dumping.enabled, dumping.alerts) == ("T1003", 1, 8)
    assert [rule.id for rule in dumping.rules] == ["1", "2"]
    subtechniques = [(cell.id, cell.enabled, cell.alerts) for cell in dumping.subtechniques]
    assert subtechniques == [("T1003.001", 1, 5), ("T1003.002", 0, 3)]
    assert (guessing.id, guessing.alerts, guessing.subtechniques) == ("T1110", 5, [])
    assert credentials.find("T1003.002") == dumping.subtechniques[1]
    assert credentials.find("T9999") is None


def test_rules_that_name_a_tactic_alone_or_none_of_attack_are_told() -> None:
    impact = attack_matrix(RULES, {})[2]
    assert (impact.techniques, [r.id for r in impact.bare]) == ([], ["3"])
    assert [r.id for r in outside_matrix(RULES)] == ["5"]


def test_rules_are_chosen_by_the_platforms_of_their_tags() -> None:
    assert platforms_of(RULES) == ["Linux", "Windows", "macOS"]
    assert [r.id for r in on_platforms(RULES, ["Linux", "macOS"])] == ["2", "3"]
    assert on_platforms(RULES, []) == RULES


@needs_shared("rules/elastic-windows")
def test_every_technique_of_the_public_rules_has_its_place() -> None:
    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    outlines = [RuleOutline(r.rule_id, r.name, True, tags=r.tags, threats=r.threat) for r in rules]
    columns = attack_matrix(outlines, {})
    assert {column.id for column in columns} <= {tactic.id for tactic in TACTICS}
    cells = {(column.id, cell.id) for column in columns for cell in column.techniques}
    named = {(t.tactic.id, technique.id) for r in outlines for t in r.threats for technique in t.technique}
    assert cells == named
    assert len(cells) > 100


# ---- the layer, held against mitre-attack/attack-navigator: layers/spec/v4.5/layerformat.md


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Versions(Part):
    navigator: Literal["4.9.0"]  # at least
    layer: Literal["4.5"]
    attack: str | None = None


class Filter(Part):
    platforms: list[Literal["PRE", "Windows", "Linux", "macOS", "Network", "AWS", "GCP", "Azure", "Office 365"]]


class Layout(Part):
    layout: Literal["side", "flat", "mini"]
    show_id: bool = Field(alias="showID")
    show_name: bool
    expanded_subtechniques: Literal["none", "all", "annotated"]


class Metadata(Part):
    name: str
    value: str


class Technique(Part):
    technique_id: str = Field(alias="techniqueID", pattern=r"^T\d{4}(\.\d{3})?$")
    tactic: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")
    comment: str
    enabled: bool
    score: int
    metadata: list[Metadata]
    show_subtechniques: bool


Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class Gradient(Part):
    colors: list[Colour] = Field(min_length=2)
    min_value: int
    max_value: int


class LegendItem(Part):
    label: str
    color: Colour


class Layer(Part):
    name: str
    versions: Versions
    domain: Literal["enterprise-attack", "mobile-attack", "ics-attack"]
    description: str
    filters: Filter | None = None
    sorting: int = Field(ge=0, le=3)
    layout: Layout
    hide_disabled: bool
    techniques: list[Technique]
    gradient: Gradient
    legend_items: list[LegendItem]


@pytest.mark.parametrize(
    ("of", "scores"), [(COVERAGE, {"T1003": 1, "T1110": 1}), (ALERTS, {"T1003": 8, "T1110": 5})]
)
def test_a_layer_is_of_the_documented_form_and_scores_each_technique(
    of: LayerScore, scores: dict[str, int]
) -> None:
    layer = Layer.model_validate(navigator_layer(attack_matrix(RULES, {"1": 5, "2": 3}), of, ["Windows", "BeOS"]))
    by_id = {(technique.tactic, technique.technique_id): technique for technique in layer.techniques}
    assert {id_: by_id["credential-access", id_].score for id_ in scores} == scores
    assert by_id["credential-access", "T1003"].comment == "rule 1\nrule 2 (disabled)"
    assert by_id["credential-access", "T1003"].show_subtechniques
    assert layer.gradient.max_value == max(scores.values())
    assert layer.filters is not None
    assert layer.filters.platforms == ["Windows"]
    assert "1 technique left out" in layer.description


def test_a_layer_of_nothing_is_of_the_documented_form() -> None:
    layer = Layer.model_validate(navigator_layer([], COVERAGE, []))
    assert (layer.techniques, layer.gradient.min_value, layer.gradient.max_value) == ([], 0, 1)


tactics = st.one_of(st.sampled_from([tactic.id for tactic in TACTICS]), st.text(max_size=12))
ids = st.one_of(st.from_regex(r"T\d{4}", fullmatch=True), st.text(max_size=12))


@given(st.lists(st.tuples(tactics, ids, ids, st.booleans()), max_size=12))
def test_whatever_ids_rules_have_the_layer_is_of_the_documented_form(named) -> None:
    rules = [
        RuleOutline(
            str(number), text, enabled,
            threats=threats_of([{
                "tactic": {"id": tactic, "name": text},
                "technique": [{"id": id_, "name": text, "subtechnique": [{"id": text, "name": ""}]}],
            }]),
        )
        for number, (tactic, id_, text, enabled) in enumerate(named)
    ]  # fmt: skip
    Layer.model_validate(navigator_layer(attack_matrix(rules, {}), COVERAGE, []))
