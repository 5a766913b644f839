"""Connectors as an attacker would use them: what they may reach, how long, and what they tell."""

from __future__ import annotations

import base64
import ipaddress
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.scheduler.test_actions import LOCAL, Hook, action, hook, office_of, raise_alerts
from tests.scheduler.virtual import Office, rule
from tests.waiting import eventually
from tocsin.actions.delivery import MESSAGE_TIMEOUT, Deliverer, DeliveryError, send
from tocsin.actions.egress import EgressPolicy, networks_of
from tocsin.actions.masking import MASK, changed_config, masked_address, masked_config
from tocsin.actions.messages import trial
from tocsin.actions.webhook import MOST_OF_ANSWER
from tocsin.store.records.models import Connector, Delivery

__all__ = ["hook"]  # the fixture


def connector(url="", type_=".webhook", secrets=None, **config):
    given = {"url": url, **config} if type_ == ".webhook" else config
    return Connector(
        id="c",
        name="c",
        type=type_,
        config=given,
        secrets=secrets or {},
        created=datetime.now(UTC),
        created_by="x",
    )


def error_of(one, egress=LOCAL, timeout=MESSAGE_TIMEOUT, **params):
    with pytest.raises(DeliveryError) as caught:
        send(one, trial(params, one), egress, timeout)
    return caught.value


# ---- what they may reach

REFUSED = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.9.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "fd12::1",
    "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1", "::ffff:0:127.0.0.1", "nonsense", "",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_lead_inside_are_refused(address):
    assert not EgressPolicy().allows(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_public_networks_are_not(address):
    assert EgressPolicy().allows(address)


@given(st.ip_addresses(v=4))
def test_no_spelling_of_an_ipv4_address_is_allowed_more_than_it_is_itself(address):
    plain = EgressPolicy().allows(str(address))
    for start in ("::ffff:0:0", "64:ff9b::", "::"):
        spelled = ipaddress.IPv6Address(int(ipaddress.IPv6Address(start)) + int(address))
        assert EgressPolicy().allows(str(spelled)) <= plain


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_the_administrator_may_allow_networks(address):
    policy = EgressPolicy(networks_of(["10.1.0.0/16"]))
    assert policy.allows(address)
    assert not policy.allows("10.2.0.1")


SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f.1",
    "127.1",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_nothing_is_sent_where_a_webhook_may_not_reach(hook, host):
    error = error_of(connector(f"http://{host}:{hook.port}/"), EgressPolicy())
    assert "connector_networks" in str(error)
    assert error.lasting
    assert hook.got == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433"])
def test_nothing_is_sent_where_apprise_may_not_reach(hook, host):
    one = connector(type_=".apprise", secrets={"urls": [f"json://{host}:{hook.port}/"]})
    error = error_of(one, EgressPolicy())
    assert "connector_networks" in str(error)
    assert error.lasting
    assert hook.got == []


def test_a_name_is_looked_at_by_the_address_that_is_connected_to(hook, monkeypatch):
    """As a name's server answers that leads outside when it is asked first, and inside from then on."""
    answers = iter(["8.8.8.8", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    whole = socket.getaddrinfo

    def rebinding(host, *rest, **more):
        return whole(next(answers) if host == "rebinding.test" else host, *rest, **more)

    assert EgressPolicy().allows(rebinding("rebinding.test", 80)[0][4][0])
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    error_of(connector(f"http://rebinding.test:{hook.port}/"), EgressPolicy())
    assert hook.got == []


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
def test_a_redirect_leads_nowhere_that_may_not_be_reached(hook, kind):
    """The server that redirects is at an address that is allowed, the one that it names at another one."""
    inner = Hook("127.0.0.2")
    hook.status, hook.headers = 307, {"Location": f"http://127.0.0.2:{inner.port}/"}
    policy = EgressPolicy(networks_of(["127.0.0.1/32"]))
    urls = {"urls": [f"json://127.0.0.1:{hook.port}/"]}
    address = f"http://127.0.0.1:{hook.port}/"
    one = connector(address) if kind == "webhook" else connector(type_=".apprise", secrets=urls)
    error_of(one, policy)
    assert len(hook.got) == 1
    assert inner.got == []
    inner.server.shutdown()


# ---- how long, and how much


class Dripping:
    """A server that answers with one byte after the other, for ever; `answer` comes first."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\nX-A: ", every=0.05):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.answer, self.every = answer, every
        self.gone, self.end = threading.Event(), threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        connection, _ = self.listening.accept()
        with closing(connection):
            try:
                connection.sendall(self.answer)
                while not self.end.wait(self.every):
                    connection.sendall(b"a")
            except OSError:
                self.gone.set()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n", b""]
)
def test_a_server_that_drips_is_left(answer):
    server = Dripping(answer)
    error = error_of(connector(f"http://127.0.0.1:{server.port}/"), timeout=0.5)
    assert "not over within" in str(error) or "cannot be reached" in str(error)
    assert server.gone.wait(10)


def test_apprise_is_ended_when_its_time_is_over():
    server = Dripping()
    one = connector(type_=".apprise", secrets={"urls": [f"json://127.0.0.1:{server.port}/?rto=1000&cto=1000"]})
    assert "within 3 seconds" in str(error_of(one, timeout=1.5))
    assert server.gone.wait(10)


def test_an_answer_is_read_to_a_bound(hook):
    hook.status, hook.answer = 500, b"x" * (64 << 20)
    error = error_of(connector(f"http://127.0.0.1:{hook.port}/"))
    assert "answers 500" in str(error)
    assert len(str(error)) < 1000
    assert MOST_OF_ANSWER == 64 << 10


def test_a_slow_connector_delays_no_other(tmp_path, hook):
    slow = Dripping()
    office = Office(tmp_path, [rule(actions=[action(), {**action(), "id": "slow"}])])
    with office.records.transaction() as session:
        for name, port in (("hook", hook.port), ("slow", slow.port)):
            made = {"created": datetime.now(UTC), "created_by": "x", "type": ".webhook", "secrets": {}}
            session.add(Connector(id=name, name=name, config={"url": f"http://127.0.0.1:{port}/"}, **made))
    office.turn()
    deliverer = Deliverer(office.records, office.clock, LOCAL, timeout=60)
    for count in (1, 2):  # the second turn begins while the first is at the slow one
        raise_alerts(office)
        for one in deliverer.begin():
            threading.Thread(target=one.result, daemon=True).start()
        eventually(partial(hook.has_got, count))
        assert len(hook.got) == count
    assert not slow.gone.is_set()
    slow.end.set()
    deliverer.close()


# ---- what they tell

TOKEN = "T0KENx9/B0Bsecret/hunter2hunter2"
ADDRESSES = [
    (f"https://hooks.slack.com/services/{TOKEN}", f"https://hooks.slack.com/{MASK}"),
    ("https://x.webhook.office.com/webhookb2/1-2@3/IncomingWebhook/4/5", f"https://x.webhook.office.com/{MASK}"),
    ("https://me:hunter2@example.com:8443", f"https://{MASK}@example.com:8443"),
    ("https://example.com?token=hunter2", f"https://example.com/{MASK}"),
    ("https://example.com/#hunter2", f"https://example.com/{MASK}"),
    ("http://[2001:db8::1]:80/hunter2", f"http://[2001:db8::1]:80/{MASK}"),
    ("https://example.com/", "https://example.com/"),
    ("https://example.com", "https://example.com"),
    ("http://[hunter2", MASK),
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_of_an_address_people_see_where_it_leads(address, shown):
    assert masked_address(address) == shown


HIDDEN = {"Authorization": "Bearer hunter2", "Accept": "a/b"}


def test_what_was_shown_may_be_sent_back():
    before = {
        "url": ADDRESSES[0][0],
        "headers": {"Authorization": "Bearer hunter2", "Accept": "a/b"},
        "method": "put",
    }
    assert changed_config(masked_config(before), before) == (before, True)


def test_another_address_does_not_get_what_was_hidden():
    before = {
        "url": ADDRESSES[0][0],
        "headers": {"Authorization": "Bearer hunter2", "Accept": "a/b"},
        "key": "hunter2",
    }
    given_ = {**masked_config(before), "url": "https://evil.test/"}
    config, same = changed_config(given_, before)
    assert not same
    assert config == {"url": "https://evil.test/", "headers": {"Accept": "a/b"}}


SECRETS = {
    "user": "alice-name",
    "password": "correct horse",
}
HEADERS = {"Authorization": "Bearer sesame-open", "X-Api-Key": "kkey-1234"}


def test_an_answer_that_repeats_secrets_is_reported_without_them(tmp_path, hook, caplog):
    basic = base64.b64encode(b"alice-name:correct horse").decode()
    whole = [
        "sesame-open",
        "kkey-1234",
        "correct horse",
        "alice-name",
        "T0KENx9",
        "hunter2hunter2",
        "qsecret",
        basic,
    ]
    hook.status = 404
    hook.answer = (" ".join(whole) + "\x1b[31m\nhttp://elsewhere.test/hidden-path").encode()
    url = f"http://127.0.0.1:{hook.port}/services/{TOKEN}?key=qsecret"
    office = office_of(tmp_path, hook, action(), config={"url": url, "headers": HEADERS}, secrets=SECRETS)
    raise_alerts(office)
    Deliverer(office.records, office.clock, LOCAL).turn()
    with office.records.transaction() as session:
        told = str(session.scalars(select(Delivery)).one().error)
    assert "answers 404" in told
    for secret in (*whole, "hidden-path", "\x1b", "\n"):
        assert secret not in told
        assert secret not in caplog.messages[-1]


def test_what_cannot_be_reached_is_reported_without_secrets():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    error = error_of(connector(f"http://u:hunter2@127.0.0.1:{port}/{TOKEN}", headers={"X-A": "bad\nhunter2"}))
    assert "hunter2" not in str(error)
    error = error_of(connector(f"http://u:hunter2@127.0.0.1:{port}/{TOKEN}"))
    assert str(error).startswith(f"http://{MASK}@127.0.0.1:{port}/{MASK} cannot be reached")
