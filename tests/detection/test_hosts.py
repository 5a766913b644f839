"""Hosts of alerts are one under their short and full names, and only where that is sure."""

import pytest

from tests.alerts import alert_with
from tocsin.detection.alerts.alert import Alert
from tocsin.detection.hosts import NO_HOST, Hosts
from tocsin.rules.model import Rule

RULE = Rule(rule_id="r", name="r", type="eql", severity="low", risk_score=1, query="any where true")
CASES = [
    (["W5", "W5.corp.example"], ["W5.corp.example", "W5.corp.example"]),
    (["W5", "w5", "W5"], ["W5", "W5", "W5"]),
    (["W5.corp.example.", "W5.corp.example"], ["W5.corp.example", "W5.corp.example"]),
    # Which of two domains the short name is of cannot be told.
    (["W5", "W5.a.example", "W5.b.example"], ["W5", "W5.a.example", "W5.b.example"]),
    (["W5", "W50.corp.example"], ["W5", "W50.corp.example"]),
    # The beginning of an address is no host's name.
    (["10", "10.1.2.3"], ["10", "10.1.2.3"]),
    ([None, "W5"], [NO_HOST, "W5"]),
]


def alerts(names: list[str | None]) -> list[Alert]:
    return [alert_with(RULE, {} if name is None else {"host.name": name}) for name in names]


@pytest.mark.parametrize(("names", "expected"), CASES)
def test_alerts_are_of_one_host_under_any_of_its_names(names: list[str | None], expected: list[str]) -> None:
    found = alerts(names)
    hosts = Hosts(found)
    assert [hosts.of(alert) for alert in found] == expected


def test_every_spelling_of_a_host_is_known() -> None:
    found = alerts(["W5", "W5.corp.example", "X"])
    hosts = Hosts(found)
    assert hosts.spellings(found[0]) == hosts.spellings(found[1]) == ["W5", "W5.corp.example"]
    assert hosts.counts(found) == {"W5.corp.example": 2, "X": 1}


def test_a_sequence_over_two_names_of_a_host_is_on_one_host() -> None:
    members = alerts(["W5", "W5.corp.example"])
    sequence = alert_with(RULE, {}, members)
    assert Hosts([sequence]).of(sequence) == "W5.corp.example"


def test_a_sequence_over_several_hosts_is_on_each_of_them() -> None:
    members = alerts(["W5", "DC1"])
    found = [alert_with(RULE, {}, members), *alerts(["W5"])]
    hosts = Hosts(found)
    assert hosts.each(found[0]) == ("W5", "DC1")
    assert hosts.of(found[0]) == "W5, DC1"
    assert hosts.counts(found) == {"W5": 2, "DC1": 1}
