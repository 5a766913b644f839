"""Behind a proxy: whose addresses are believed, and what is encrypted then."""

from __future__ import annotations

import pytest

from tests.api.conftest import PASSWORD, run_service
from tocsin.config import ConfigError, load_config

FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
CLAIMED = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("trusted", "headers", "address", "secure"),
    [
        ((), FORWARDED, "127.0.0.1", False),
        (("10.0.0.0/8",), FORWARDED, "127.0.0.1", False),
        (("127.0.0.1",), FORWARDED, "203.0.113.7", True),
        (("127.0.0.0/8", "10.0.0.0/8"), FORWARDED, "203.0.113.7", True),
        (("127.0.0.1",), CLAIMED, "203.0.113.7", True),  # the nearest that is no proxy of ours, not what it claims
        (("127.0.0.1",), {}, "127.0.0.1", False),
    ],
)
def test_a_forwarded_address_counts_when_a_trusted_proxy_gives_it(tmp_path, trusted, headers, address, secure):
    with run_service(tmp_path, trusted_proxies=trusted) as running, running.http("", headers=headers) as http:
        begun = http.post("/api/session", json={"name": "admin", "password": PASSWORD})
        assert ("secure" in begun.headers["set-cookie"].lower()) == secure
        assert ("strict-transport-security" in begun.headers) == secure
        with running.http(running.add_key("admin")) as admin:
            signed_in = admin.get("/api/audit?size=20").json()["entries"]
        assert next(entry["address"] for entry in signed_in if entry["action"] == "session.begin") == address


def test_wrong_passwords_are_counted_by_the_address_behind_the_proxy(tmp_path):
    with run_service(tmp_path, trusted_proxies=("127.0.0.1",)) as running:

        def tried(address: str, password: str) -> int:
            with running.http("", headers={"X-Forwarded-For": address}) as http:
                return http.post("/api/session", json={"name": "viewer", "password": password}).status_code

        assert 429 in [tried("203.0.113.7", "a wrong password") for _ in range(8)]
        assert tried("203.0.113.8", PASSWORD) == 200


@pytest.mark.parametrize("wrong", ["everyone", "10.0.0.1/8", "*", "10.0.0.0/33"])
def test_a_proxy_is_named_by_its_address_or_network(wrong):
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load_config(flags={"trusted_proxies": (wrong,)})


def test_the_environment_names_several_keys(monkeypatch):
    monkeypatch.setenv("TOCSIN_DECRYPTION_ONLY_KEYS", "one key of theirs,another key")
    keys = load_config().decryption_only_keys
    assert [key.get_secret_value() for key in keys] == ["one key of theirs", "another key"]


def test_the_environment_names_several_proxies(monkeypatch):
    monkeypatch.setenv("TOCSIN_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")
    assert load_config().trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
