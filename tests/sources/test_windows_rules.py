"""Public rules that read what the Windows tables say fire on recorded events, where those are at hand."""

from __future__ import annotations

import pytest

from tests.shared import needs_shared, shared
from tocsin.detection.hunt import Hunt
from tocsin.detection.ruleset import read_ruleset
from tocsin.sources.batch import Rejects
from tocsin.sources.inputs import find_inputs


@needs_shared("cases/20_uac_preauth.evtx")
@needs_shared("rules/elastic-windows")
@pytest.mark.parametrize(
    ("rule", "alerts"),
    [("credential_access_disable_kerberos_preauth", 1), ("persistence_dontexpirepasswd_account", 2)],
)
def test_changed_accounts_are_seen(rule: str, alerts: int) -> None:
    """A recorded 4738 in which pre-authentication is switched off, and one after it in which it is on again."""
    events = find_inputs([str(shared("cases/20_uac_preauth.evtx"))])
    rules = read_ruleset([str(shared(f"rules/elastic-windows/{rule}.toml"))])
    found = Hunt(rules.ready).run(events, Rejects()).alerts
    assert len(found) == alerts
    assert {alert.event["user.name"] for alert in found} == {"admmig"}


@needs_shared("events/evtx")
@needs_shared("rules/elastic-windows")
def test_a_privilege_that_is_adjusted_is_seen_by_its_tasks_name() -> None:
    """MalSeclogon takes SeDebugPrivilege (4703); the rule asks for the action that shippers set."""
    rules = [
        path
        for path in shared("rules/elastic-windows").glob("*.toml")
        if "SeDebugPrivilege" in path.stem + path.read_text("utf-8")
    ]
    events = find_inputs([str(shared("events/evtx/Credential_Access__tutto_malseclogon.evtx"))])
    found = Hunt(read_ruleset([str(path) for path in rules]).ready).run(events, Rejects()).alerts
    told = {alert.rule.name: alert.event for alert in found}
    assert told["SeDebugPrivilege Enabled by a Suspicious Process"]["user.name"] == "IEUser"
    assert told["SeDebugPrivilege Enabled by a Suspicious Process"]["process.name"] == "MalSeclogon.exe"
