"""The pages of hosts: enrolled, listed, asked from a guide, from a form; who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from tests.desk.conftest import Desk, token_of
from tests.osquery_host import BEACON, OsqueryHost
from tests.waiting import eventually
from tocsin.response.hosts import enrollment
from tocsin.store.records.access import local_actor
from tocsin.store.records.hosts import OsqueryHost as StoredHost
from tocsin.store.records.hosts import StoredLiveQuery

HTMX = {"hx-request": "true"}
SERVICES = "Osquery: unsigned service executables"


@pytest.fixture(scope="module")
def secret(desk: Desk) -> str:
    with desk.running.service.records.transaction() as session:
        return enrollment.add_secret(session, local_actor("tests"), "desk").secret


@pytest.fixture
def host(desk: Desk, secret: str) -> Iterator[OsqueryHost]:
    """A host that is called as that of the first alert, without its domain."""
    name = str(desk.alerts[0]["host"]["name"]).partition(".")[0].lower()
    host = OsqueryHost(desk.url, secret, name=name, hardware="11111111-2222-3333-4444-555555555555")
    assert host.enroll()["node_key"]
    yield host
    host.close()


def stored(desk: Desk, host: OsqueryHost) -> StoredHost:
    with desk.running.service.records.transaction() as session:
        kept = session.scalar(select(StoredHost).where(StoredHost.hardware_uuid == host.hardware))
        assert kept is not None
        return kept


def answered(host: OsqueryHost) -> bool:
    return bool(host.poll())


def test_a_query_of_the_guide_runs_on_the_alerts_host(desk: Desk, host: OsqueryHost) -> None:
    alert = desk.alerts[0]["kibana.alert.uuid"]
    with desk.logged_in() as client:
        text = client.get(f"/alerts/{alert}").text
        numbers = re.findall(rf"/alerts/{alert}/guide/(\d+)/osquery\"", text)
        assert len(set(numbers)) == 4
        address = f"/alerts/{alert}/guide/{numbers[-1]}/osquery"
        asked = client.post(address, data={"csrf": token_of(client)}, headers=HTMX)
        assert asked.status_code == 200, asked.text
        (query,) = set(re.findall(r"hx-get=\"(/hosts/queries/[\w-]+)", asked.text))
        eventually(lambda: answered(host))
        part = client.get(query, headers=HTMX).text
        assert BEACON in part
        assert "https://www.virustotal.com/gui/file/" in part
        assert "1 rows of 1 of 1 hosts" in part
        page = client.get(query).text
        assert f"/alerts/{alert}" in page
        lines = client.get(f"{query}/export?format=csv").text.splitlines()
        assert lines[0].startswith('"host.name","host.id","VtLink"')
        assert len(lines) == 2
        assert b'"osquery":{"VtLink"' in client.get(f"{query}/export?format=ndjson").content


def test_hosts_are_asked_from_the_form_and_a_query_is_cancelled(desk: Desk, host: OsqueryHost) -> None:
    id_ = stored(desk, host).id
    with desk.logged_in() as client:
        form = client.get("/hosts/query", params={"host": host.name, "sql": "SELECT name FROM services"}).text
        assert f'value="{id_}" checked' in form
        fields = {"csrf": token_of(client), "host": id_, "sql": "SELECT * FROM services WHERE name LIKE %svc"}
        asked = client.post("/hosts/query", data={**fields, "name": "<script>alert(1)</script>"})
        assert asked.status_code == 303
        page = client.get(asked.headers["location"]).text
        assert "&lt;script&gt;alert(1)" in page
        assert "quotes were lost and are put back round: %svc" in page
        cancelled = client.post(f"{asked.headers['location']}/cancel", data={"csrf": fields["csrf"]})
        assert cancelled.status_code == 303
        assert "cancelled by analyst" in client.get(asked.headers["location"]).text
        assert "&lt;script&gt;" in client.get("/hosts/queries").text


def test_a_query_that_does_not_fit_is_sent_only_where_somebody_says_so(desk: Desk, host: OsqueryHost) -> None:
    with desk.logged_in() as client:
        fields = {"csrf": token_of(client), "host": stored(desk, host).id, "sql": "SELECT * FROM no_table"}
        refused = client.post("/hosts/query", data=fields)
        assert refused.status_code == 400
        assert "osquery has no table no_table on Windows" in refused.text
        assert client.post("/hosts/query", data={**fields, "unchecked": "on"}).status_code == 303
        eventually(lambda: answered(host))
        queries = select(StoredLiveQuery.id).where(StoredLiveQuery.query == fields["sql"])
        with desk.running.service.records.transaction() as session:
            (id_,) = session.scalars(queries)
        assert "status 1: no such table: no_table" in client.get(f"/hosts/queries/{id_}").text


def test_a_query_is_kept_for_later(desk: Desk, host: OsqueryHost) -> None:
    with desk.logged_in() as client:
        fields = {"csrf": token_of(client), "sql": "SELECT * FROM users", "name": "All users", "keep": "1"}
        assert client.post("/hosts/query", data=fields).status_code == 303
        (address,) = re.findall(
            r"\"(/hosts/saved-queries/[\w-]+)\"[^>]*>All users", client.get("/hosts/query").text
        )
        assert "sql=SELECT%20%2A%20FROM%20users" in client.get(address).headers["location"]
        fields |= {"id": address.rpartition("/")[2]}
        assert client.post("/hosts/saved-queries/remove", data=fields).status_code == 303
        assert "All users" not in client.get("/hosts/query").text


def test_packs_are_made_changed_and_removed(desk: Desk, host: OsqueryHost) -> None:
    with desk.logged_in("engineer") as client:
        fields = {
            "csrf": token_of(client), "name": "users", "enabled": "on", "platform": "windows",
            "queries": '{"all": {"query": "SELECT * FROM users", "interval": 60, "snapshot": true}}',
        }  # fmt: skip
        made = client.post("/hosts/packs", data=fields)
        assert made.status_code == 303, made.text
        eventually(lambda: "users" in host.config()["packs"])
        assert host.config()["packs"]["users"]["queries"]["all"]["snapshot"] is True
        for wrong, reason in (
            ("{", "no JSON"), ("[]", "1 to 200 queries"),
            ('{"a": {"query": "SELECT x FROM users"}}', "no such column"),
            ('{"a": {"query": "SELECT 1", "interval": 1}}', "10 to 604,800 seconds"),
            ('{"a/b": {"query": "SELECT 1"}}', "is no name"),
        ):  # fmt: skip
            refused = client.post("/hosts/packs", data={**fields, "name": "wrong", "queries": wrong})
            assert (refused.status_code, reason in refused.text) == (400, True), (wrong, refused.text)
        fields |= {"id": made.headers["location"].rpartition("/")[2]}
        assert client.post("/hosts/packs", data={**fields, "enabled": ""}).status_code == 303
        eventually(lambda: "users" not in host.config()["packs"])
        assert client.post("/hosts/packs/remove", data=fields).headers["location"] == "/hosts/packs"


def test_an_administrator_makes_secrets_and_revokes_hosts(desk: Desk, host: OsqueryHost) -> None:
    id_ = stored(desk, host).id
    with desk.logged_in("admin") as client:
        csrf = {"csrf": token_of(client)}
        made = client.post("/hosts/enrolment", data={**csrf, "name": "made here"}).text
        (shown,) = re.findall(r"<code data-copied[^>]*>([\w-]{40,})</code>", made)
        other = OsqueryHost(desk.url, shown, name="OTHER")
        assert other.enroll()["node_key"]
        other.close()
        assert shown not in client.get("/hosts/enrolment").text
        assert "--enroll_tls_endpoint=/api/v1/osquery/enroll" in client.get("/hosts/enrolment?platform=linux").text
        assert client.post(f"/hosts/{id_}/revoke", data=csrf).status_code == 303
        eventually(lambda: host.config() == {"node_invalid": True})
        assert "It is refused, whatever secret it shows." in client.get(f"/hosts/{host.name}").text
        assert client.post(f"/hosts/{id_}/admit", data=csrf).status_code == 303
        assert host.enroll()["node_key"]


@pytest.mark.parametrize(
    ("role", "address", "status"),
    [
        ("viewer", "/hosts", 200), ("viewer", "/hosts/queries", 200), ("viewer", "/hosts/packs", 200),
        ("viewer", "/hosts/query", 403), ("analyst", "/hosts/enrolment", 403),
        ("analyst", "/hosts/packs/new", 403),
        ("analyst", "/hosts/nobody", 404), ("analyst", "/hosts/queries/nothing", 404),
    ],
)  # fmt: skip
def test_pages_are_for_those_who_may(desk: Desk, host: OsqueryHost, role: str, address: str, status: int) -> None:
    with desk.logged_in(role) as client:
        answer = client.get(address)
        assert answer.status_code == status
        if role == "viewer" and status == 200:
            assert "/hosts/query" not in re.findall(r'href="([^"]+)"', answer.text)


def test_an_alert_whose_host_has_not_enrolled_says_so(desk: Desk) -> None:
    alert = next(a for a in desk.alerts if a["host"]["name"] != desk.alerts[0]["host"]["name"])
    id_ = alert["kibana.alert.uuid"]
    with desk.logged_in() as client:
        numbers = re.findall(rf"/alerts/{id_}/guide/(\d+)/osquery", client.get(f"/alerts/{id_}").text)
        answer = client.post(
            f"/alerts/{id_}/guide/{numbers[0]}/osquery", data={"csrf": token_of(client)}, headers=HTMX
        )
        assert "has not enrolled" in answer.text
