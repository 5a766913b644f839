"""Connectors to products, each against a server that speaks its vendor's documented interface."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.response.host_actions.receivers import Reply
from tests.response.host_actions.vendors import CrowdStrike, Defender, Graph, Kibana, SentinelOne
from tocsin.errors import InvalidError
from tocsin.response.host_actions import requests

SHA1, SHA256 = "ab" * 20, "cd" * 32
APP = {"client_id": "the id", "client_secret": "the secret"}
# The server of each type of connectors, and the settings that it takes beside its address.
PRODUCTS = {
    "microsoft_defender": (Defender, {**APP, "tenant_id": "t"}, ("url", "login_url")),
    "elastic_defend": (Kibana, {"api_key": "the secret"}, ("url",)),
    "crowdstrike": (CrowdStrike, APP, ("url",)),
    "sentinelone": (SentinelOne, {"api_token": "the secret", "file_password": "the other secret"}, ("url",)),
    "entra_id": (Graph, {**APP, "tenant_id": "t"}, ("url", "login_url")),
}
ON_HOSTS = [name for name in PRODUCTS if name != "entra_id"]
WITH_TOKENS = ["microsoft_defender", "crowdstrike", "entra_id"]


class Product:
    def __init__(self, office, name):
        make, settings, addresses = PRODUCTS[name]
        self.office, self.vendor = office, make()
        self.id = office.add_connector(name, **settings, **dict.fromkeys(addresses, self.vendor.url))

    def request(self, **more):
        return self.office.request(connector_id=self.id, **more)

    def done(self, **more):
        """Return an action when what can be known of it is known."""
        id_ = self.request(**more)
        self.settle(id_)
        return self.office.action(id_)

    def settle(self, id_):
        for _ in range(8):
            self.office.sender.turn()
            self.office.pass_time(seconds=30)
            if self.office.action(id_).finished is not None:
                return


@pytest.fixture
def product(office, request):
    made = Product(office, request.param)
    yield made
    made.vendor.receiver.stop()


def of(*names):
    return pytest.mark.parametrize("product", names, indirect=True)


@of(*PRODUCTS)
def test_a_connector_is_tried_without_changing_anything(office, product):
    assert office.connectors.get(product.id).check()
    assert {request.method for request in product.vendor.receiver.requests if "token" not in request.path} == {
        "GET"
    }


@of(*ON_HOSTS)
def test_a_host_is_isolated_and_released(office, product):
    isolated = product.done(host="ws-1")
    assert isolated.state == "succeeded", isolated.detail
    undo = office.do(requests.undo_action, "second", isolated.id)
    product.settle(undo.id)
    assert office.state(undo.id) == "succeeded", office.action(undo.id).detail
    assert office.state(isolated.id) == "undone"


@of(*ON_HOSTS)
def test_an_unknown_host_is_said_to_be_unknown(product):
    with pytest.raises(InvalidError, match="knows no host"):
        product.request(host="nobody's")


@of("elastic_defend", "crowdstrike")
def test_hosts_come_in_pages(office, product):
    assert len(office.connectors.get(product.id).find_hosts("many")) == 150
    with pytest.raises(InvalidError, match="choose one"):
        product.request(host="many")


@of("microsoft_defender", "sentinelone")
def test_the_next_page_is_asked_for(office, product):
    assert len(office.connectors.get(product.id).find_hosts("twin")) == 2


@of("microsoft_defender")
def test_a_next_page_elsewhere_is_not_asked_for(product):
    product.vendor.faults = [Reply(200, {"value": [], "@odata.nextLink": "http://169.254.169.254/latest"})]
    with pytest.raises(InvalidError, match="elsewhere"):
        product.request(host="ws-1")


@of("microsoft_defender")
def test_a_name_is_a_host_s_own_and_no_beginning_of_another_s(office, product):
    assert [host.id for host in office.connectors.get(product.id).find_hosts("ws-1")] == ["m1"]


@of(*WITH_TOKENS)
def test_a_token_that_is_good_no_more_is_fetched_anew(office, product):
    office.connectors.get(product.id).check()
    product.vendor.tokens.clear()
    assert office.connectors.get(product.id).check()
    assert len([one for one in product.vendor.receiver.requests if one.path.endswith("/token")]) == 2


@of(*WITH_TOKENS)
def test_wrong_credentials_are_said_without_them(office, product):
    name = next(name for name in WITH_TOKENS if isinstance(product.vendor, PRODUCTS[name][0]))
    settings = {**PRODUCTS[name][1], "client_secret": "another secret"}
    wrong = office.add_connector(name, "wrong", **settings, **dict.fromkeys(PRODUCTS[name][2], product.vendor.url))
    with pytest.raises(Exception, match="no token was given") as raised:
        office.connectors.get(wrong).check()
    assert "another secret" not in str(raised.value)


@of(*ON_HOSTS)
def test_a_receiver_that_is_busy_is_asked_later(office, product):
    id_ = product.request(host="ws-1")
    product.vendor.faults = [Reply(429, {"error": "slow down"}, {"Retry-After": "20"})]
    office.sender.turn()
    assert office.state(id_) == "approved"
    office.pass_time(minutes=1)
    product.settle(id_)
    assert office.state(id_) == "succeeded"


@of(*ON_HOSTS)
def test_a_receiver_that_says_no(office, product):
    id_ = product.request(host="ws-1")
    product.vendor.faults = [Reply(403, {"error": {"code": "Forbidden", "message": "missing role"}})]
    office.sender.turn()
    assert office.state(id_) == "failed"
    assert "missing role" in office.action(id_).detail


@of(*ON_HOSTS)
def test_a_receiver_that_fails_is_found_out_about_and_does_it_once(office, product):
    """The request may have been taken, or not: it never is done twice, and never lost without a word."""
    id_ = product.request(host="ws-1")
    product.vendor.faults = [Reply(500, {"error": "oops"})]
    for _ in range(20):
        office.sender.turn()
        office.pass_time(seconds=30)
    sets_a_state = office.connectors.get(product.id).is_repeatable(requests.request_of(office.action(id_), None))
    assert office.state(id_) == ("succeeded" if sets_a_state else "unknown")


@of("microsoft_defender", "elastic_defend")
def test_an_answer_that_was_lost_is_found_by_the_comment(office, product):
    id_ = product.request(host="ws-1")
    taken, held = threading.Event(), threading.Event()
    answer = product.vendor.answer

    def lose(request):
        reply = answer(request)
        if request.method == "POST" and not taken.is_set():
            taken.set()
            return Reply(reply.status, reply.document, hold=held)
        return reply

    product.vendor.answer = lose
    office.seconds = 0.5
    office.restart()
    product.settle(id_)
    held.set()
    assert office.state(id_) == "succeeded", office.action(id_).detail
    assert len(product.vendor.actions) == 1


@of("microsoft_defender")
def test_an_action_that_microsoft_has_under_way_is_refused(office, product):
    first = product.request(host="ws-1")
    office.sender.turn()
    second = product.request(host="ws-1", kind="scan")
    office.sender.turn()
    assert office.state(second) == "failed"
    assert "ActiveRequestAlreadyExists" in office.action(second).detail
    product.settle(first)


@of("microsoft_defender", "elastic_defend", "crowdstrike", "sentinelone")
def test_an_indicator_is_blocked_until_its_end(office, product):
    block = (
        {"type": "sha1", "value": SHA1}
        if isinstance(product.vendor, SentinelOne)
        else {"type": "sha256", "value": SHA256}
    )
    action = product.done(kind="block_indicator", host="", parameters=block, lives=timedelta(hours=1))
    assert action.state == "succeeded", action.detail
    kept = getattr(
        product.vendor, {Kibana: "items", SentinelOne: "restrictions"}.get(type(product.vendor), "indicators")
    )
    assert len(kept) == 1
    office.pass_time(hours=2)
    for _ in range(3):
        office.sender.turn()
    assert (office.state(action.id), kept) == ("undone", {})


@of("elastic_defend")
def test_an_item_that_was_added_already_is_not_added_twice(office, product):
    id_ = product.request(kind="block_indicator", host="", parameters={"type": "sha256", "value": SHA256})
    product.vendor.faults = [Reply(500)]
    product.vendor.items[f"tocsin-{id_}"] = {}
    office.sender.turn()
    office.pass_time(minutes=1)
    office.sender.turn()
    assert (office.state(id_), len(product.vendor.items)) == ("succeeded", 1)


@pytest.mark.parametrize(
    ("product", "kind", "parameters", "state", "path", "body"),
    [
        ("elastic_defend", "kill_process", {"entity_id": "e1"}, "failed", "/api/endpoint/action/kill_process",
         {"parameters": {"entity_id": "e1"}}),
        ("elastic_defend", "suspend_process", {"pid": "4242"}, "succeeded", "/api/endpoint/action/suspend_process",
         {"parameters": {"pid": 4242}}),
        ("elastic_defend", "collect_file", {"path": "C:\\x"}, "succeeded", "/api/endpoint/action/get_file",
         {"parameters": {"path": "C:\\x"}}),
        ("elastic_defend", "scan", {}, "succeeded", "/api/endpoint/action/scan", {"parameters": {"path": "C:\\"}}),
        ("microsoft_defender", "scan", {}, "succeeded", "/api/machines/m1/runAntiVirusScan", {"ScanType": "Full"}),
        ("microsoft_defender", "quarantine_file", {"sha1": SHA1}, "succeeded",
         "/api/machines/m1/StopAndQuarantineFile", {"Sha1": SHA1}),
        ("microsoft_defender", "collect_file", {"path": "C:\\x"}, "succeeded", "/api/machines/m1/runliveresponse",
         {"Commands": [{"type": "GetFile", "params": [{"key": "Path", "value": "C:\\x"}]}]}),
        ("sentinelone", "scan", {}, "succeeded", "/web/api/v2.1/agents/actions/initiate-scan",
         {"filter": {"ids": ["s0"]}}),
        ("sentinelone", "collect_file", {"path": "C:\\x"}, "succeeded",
         "/web/api/v2.1/agents/s0/actions/fetch-files",
         {"data": {"files": ["C:\\x"], "password": "the other secret"}}),
        ("sentinelone", "quarantine_file", {"sha1": SHA1}, "succeeded",
         "/web/api/v2.1/threats/mitigate/quarantine", {"filter": {"contentHashes": [SHA1], "agentIds": ["s0"]}}),
        ("sentinelone", "quarantine_file", {"sha1": "00" * 20}, "failed", "", {}),
    ],
    indirect=["product"],
)  # fmt: skip
def test_what_is_sent_for_an_action_on_a_host(product, kind, parameters, state, path, body):
    action = product.done(host="ws-1", kind=kind, parameters=parameters)
    assert action.state == state, action.detail
    assert "the other secret" not in str(action.plan)
    if path:
        [sent] = product.vendor.bodies(path)
        assert sent | body == sent


@of("entra_id")
def test_an_account_is_disabled_enabled_and_its_credentials_reset(office, product):
    user = product.vendor.users["eve@corp.example"]
    account = {"account": "eve@corp.example"}
    disabled = product.done(kind="disable_account", host="", parameters=account)
    assert (disabled.state, user["accountEnabled"], user["revoked"]) == ("succeeded", False, True)
    office.do(requests.undo_action, "analyst", disabled.id)
    office.sender.turn()
    assert (office.state(disabled.id), user["accountEnabled"]) == ("undone", True)
    assert product.done(kind="reset_credentials", host="", parameters=account).state == "succeeded"
    assert user["passwordProfile"] == {"forceChangePasswordNextSignIn": True}
    nobody = product.done(kind="disable_account", host="", parameters={"account": "../groups/1"})
    assert (nobody.state, "no such user" in nobody.detail) == ("failed", True)
