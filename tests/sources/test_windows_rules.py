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
