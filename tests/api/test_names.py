"""Names that look like another one, and addresses and bodies that say something else than is understood."""

from __future__ import annotations

import pytest

from tests.api.conftest import run_service


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("names")) as running:
        yield running.http(running.add_key("admin", "read", "ingest", "write_rules"), headers={"kbn-xsrf": "1"})


GOOD = ["maria", "Jos\u00e9", "\u0418\u0432\u0430\u043d", "\u7530\u4e2dTaro", "svc-1@corp.example", "O'Neil jr."]
DISGUISED = {
    "a blank at the end": "admin ",
    "a blank in front": " admin",
    "a wide blank at the end": "admin\u3000",
    "a Cyrillic letter": "\u0430dmin",
    "a Greek letter": "adm\u03b9n",
    "letters of full width": "\uff41dmin",
    "a ligature": "\ufb01le",
    "a letter and its accent apart": "Jose\u0301",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_user_has_a_name_of_any_script(client, name):
    assert client.post("/api/users", json={"name": name, "role": "viewer"}).status_code == 201


@pytest.mark.parametrize("name", DISGUISED.values(), ids=DISGUISED)
def test_names_that_look_like_others_are_refused(client, name):
    assert client.post("/api/users", json={"name": name, "role": "viewer"}).status_code == 400
    assert client.post("/_security/api_key", json={"name": name, "scopes": ["read"]}).status_code == 400


@pytest.mark.parametrize("body", [{"disabled": True}, {"enabled": True, "rolle": "admin"}, {}], ids=str)
def test_a_change_of_a_user_that_says_nothing_known_is_refused(client, body):
    answer = client.patch("/api/users/viewer", json=body)
    assert answer.status_code == 400
    assert "enabled" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/%ff%fe/_doc", "/logs-%c0%af/_doc", "/%ed%a0%80/_doc"])
def test_an_address_that_is_no_text_is_refused(client, path):
    """Python reads such bytes as U+FFFD, so that two such names would be one index."""
    answer = client.post(path, json={"@timestamp": "2026-01-01T00:00:00Z"})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["reason"]
