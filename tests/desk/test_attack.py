"""The page of ATT&CK's matrix: cells lead to rules and alerts, a layer is answered, names stay text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from tests.desk.test_source_health import SCRIPT
from tests.investigation.test_attack import Layer, threat
from tocsin.management.rules.saving import add_document
from tocsin.store.records.access import local_actor

PATH = "/overview/attack"


@pytest.fixture(scope="module", autouse=True)
def hostile_rule(desk) -> str:
    """A rule whose names are scripts, which is not enabled."""
    hostile = threat(SCRIPT, SCRIPT, f"{SCRIPT}.001")
    hostile["tactic"]["name"] = f"\u202e{SCRIPT}"
    document = {
        "name": f"Hostile {SCRIPT}", "rule_id": "hostile-threat", "type": "query", "query": "*",
        "description": "d", "severity": "low", "risk_score": 1, "enabled": False,
        "threat": [hostile, threat("TA0001", "T1566")], "tags": [f"OS: {SCRIPT}"],
    }  # fmt: skip
    with desk.running.service.records.transaction() as session:
        return str(add_document(session, local_actor("tests"), document).id)


@pytest.fixture
def viewer(desk) -> Iterator[httpx.Client]:
    with desk.logged_in("viewer") as client:
        yield client


def shown(client: httpx.Client, **parameters: str) -> str:
    answer = client.get(PATH, params=parameters)
    assert answer.status_code == 200, answer.text
    assert SCRIPT not in answer.text
    assert "\u202e" not in answer.text
    return answer.text


def test_a_cell_says_its_numbers_and_leads_to_its_rules_and_alerts(desk, viewer) -> None:
    page = shown(viewer, by="alerts", since="")
    address = unescape(next(a for a in re.findall(r'class="cell [^"]*" href="([^"]+)"', page) if "T1105" in a))
    chosen = viewer.get(address).text
    rule = desk.alerts[0]["kibana.alert.rule.uuid"]
    assert f"/rules/{rule}" in chosen
    count, alerts = re.findall(r'<a href="(/alerts\?[^"]+)">(\d+) alerts?</a>', chosen)[0][::-1]
    assert int(count) >= 1
    listed = viewer.get(unescape(alerts)).text
    assert f"<b>{count}</b> alert" in listed


def test_techniques_without_an_enabled_rule_are_told_from_others_and_can_be_left_out(viewer, hostile_rule) -> None:
    page = shown(viewer)
    assert re.search(r'class="cell level-0 off"[^>]*title="name of T1566 \(T1566\): 0 of 1 rules enabled', page)
    assert "name of T1566" not in shown(viewer, rules="enabled")
    chosen = shown(viewer, tactic="TA0001", technique="T1566")
    assert f"/rules/{hostile_rule}" in chosen
    assert "disabled" in chosen


@pytest.mark.parametrize(
    "parameters",
    [
        {"tactic": SCRIPT, "technique": SCRIPT},
        {"tactic": "TA0002", "technique": f"'\"{SCRIPT}"},
        {"platform": SCRIPT, "by": SCRIPT, "since": SCRIPT, "rules": SCRIPT, "subtechniques": "open"},
    ],
)
def test_whatever_an_address_or_a_rule_holds_is_text(viewer, parameters: dict[str, str]) -> None:
    shown(viewer, **parameters)


def test_an_empty_choice_says_why(viewer) -> None:
    assert "No rule fits this choice." in shown(viewer, platform="BeOS")


@pytest.mark.parametrize("by", ["coverage", "alerts"])
def test_the_layer_is_answered_as_a_file_of_the_documented_form(viewer, by: str) -> None:
    answer = viewer.get(f"{PATH}/layer", params={"by": by, "since": ""})
    assert answer.headers["content-disposition"] == f'attachment; filename="tocsin-{by}.json"'
    layer = Layer.model_validate(answer.json())
    download = next(t for t in layer.techniques if (t.tactic, t.technique_id) == ("command-and-control", "T1105"))
    assert download.score >= 1


def test_an_address_that_is_too_long_is_refused(viewer) -> None:
    assert viewer.get(PATH, params={"technique": "x" * 5_000}).status_code == 400


def test_nobody_sees_it_without_logging_in(desk) -> None:
    with desk.browser() as client:
        assert [client.get(path).status_code for path in (PATH, f"{PATH}/layer")] == [303, 303]
