"""osquery's TLS remote API, spoken by a host over real TLS: enrolment, queries, logs, files.

The host is written from osquery's documentation (`tests/osquery_host.py`); no osqueryd was at hand.
"""

from __future__ import annotations

import io
import json
import random
import ssl
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.api.conftest import Running, run_service
from tests.certificates import make_certificates
from tests.osquery_host import BEACON, OsqueryHost
from tests.waiting import eventually
from tocsin.errors import InvalidError
from tocsin.investigation.guides.guide import guide_text
from tocsin.investigation.guides.guide_blocks import OsqueryBlock, parse_guide
from tocsin.response.hosts import enrollment, live_queries, packs
from tocsin.response.hosts.live_queries import NewLiveQuery
from tocsin.response.hosts.query_rows import MOST_BYTES, read_rows
from tocsin.rules.load import bundled_rules
from tocsin.store.records.access import local_actor
from tocsin.store.records.hosts import Carve, LiveQueryHost, StoredLiveQuery
from tocsin.store.records.hosts import OsqueryHost as StoredHost
from tocsin.store.records.models import AuditEntry

ACTOR = local_actor("tests")
NewHost = Callable[..., OsqueryHost]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="module")
def service(tmp_path_factory, certificates) -> Iterator[Running]:
    settings = {"tls_certificate": certificates.certificate, "tls_key": certificates.key}
    with run_service(tmp_path_factory.mktemp("hosts"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def secret(service) -> str:
    with service.service.records.transaction() as session:
        return enrollment.add_secret(session, ACTOR, "tests").secret


@pytest.fixture
def new_host(service, secret, certificates) -> Iterator[NewHost]:
    hosts: list[OsqueryHost] = []

    def new(*, enrolled: bool = True, **options) -> OsqueryHost:
        host = OsqueryHost(service.url, options.pop("secret", secret), authority=certificates.authority, **options)
        hosts.append(host)
        if enrolled:
            assert host.enroll()["node_key"]
        return host

    yield new
    for host in hosts:
        host.close()


def stored(service: Running, host: OsqueryHost) -> StoredHost:
    with service.service.records.transaction() as session:
        query = select(StoredHost).where(StoredHost.hardware_uuid == host.hardware)
        kept = session.scalar(query)
        assert kept is not None
        return kept


def ask(service: Running, sql: str, *hosts: OsqueryHost, **options) -> str:
    """Have hosts asked; the id of the query, once the service has seen that it is there."""
    ids = [stored(service, host).id for host in hosts]
    with service.service.records.transaction() as session:
        query = live_queries.create_live_query(session, ACTOR, NewLiveQuery(sql, ids, **options))
    service.service.fleet.wake()
    eventually(lambda: all(service.service.fleet.delivery.waits(id_) for id_ in ids))
    return query.id


def target(service: Running, query_id: str, host: OsqueryHost) -> LiveQueryHost:
    with service.service.records.transaction() as session:
        return session.get_one(LiveQueryHost, (query_id, stored(service, host).id))


def rows(service: Running, query_id: str, **page) -> list[dict[str, Any]]:
    with service.service.records.transaction() as session:
        return [row for _, row in read_rows(session, query_id, **page)]


def test_a_host_enrols_with_what_it_says_of_itself(service, new_host):
    host = new_host(name="DC01.corp.example", version="5.9.1")
    kept = stored(service, host)
    assert (kept.name, kept.short_name, kept.platform, kept.osquery_version, kept.enrollments) == (
        "DC01.corp.example", "dc01", "windows", "5.9.1", 1,
    )  # fmt: skip
    assert kept.os_version == "10.0.22631"
    assert kept.node_key_hash is not None
    assert host.node_key not in (kept.node_key_hash, kept.id)
    assert host.config()["packs"] == {}


def test_a_host_with_a_wrong_secret_is_refused_and_that_is_noted(service, new_host):
    host = new_host(enrolled=False, secret="wrong")
    assert host.enroll() == {"node_invalid": True}
    with service.service.records.transaction() as session:
        refused = select(AuditEntry).where(AuditEntry.action == "host.refused")
        eventually(lambda: session.scalar(refused) is not None)


@pytest.mark.parametrize("node_key", ["", "wrong", 7, None, ["x"]])
@pytest.mark.parametrize("path", ["config", "log", "distributed/read", "distributed/write", "carve/begin"])
def test_a_request_without_a_key_is_told_to_enrol(service, new_host, path, node_key):
    host = new_host(enrolled=False)
    assert host.post(path, {"node_key": node_key}) == {"node_invalid": True}


def test_another_certificate_is_not_trusted_by_the_host(service, secret, tmp_path):
    other = make_certificates(tmp_path / "others")
    host = OsqueryHost(service.url, secret, authority=other.authority)
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        host.enroll()
    host.close()


def test_a_host_that_enrols_again_has_a_new_key_and_is_the_same_host(service, new_host):
    host = new_host()
    former, kept = host.node_key, stored(service, host)
    assert host.enroll()["node_key"] != former
    again = stored(service, host)
    assert (again.id, again.enrollments) == (kept.id, 2)
    assert host.post("config", {"node_key": former}) == {"node_invalid": True}
    assert "packs" in host.config()


def test_a_secret_that_another_took_the_place_of_is_taken_for_a_while(service, new_host):
    with service.service.records.transaction() as session:
        first = enrollment.add_secret(session, ACTOR, "first")
        overlapping = enrollment.add_secret(session, ACTOR, "second")
        session.flush()
        enrollment.revoke_secret(session, ACTOR, first.id)
    assert new_host(enrolled=False, secret=first.secret).enroll() == {"node_invalid": True}
    host = new_host(secret=overlapping.secret)
    with service.service.records.transaction() as session:
        kept = [secret for secret in enrollment.enrollment_secrets(session) if secret.name == "second"]
        kept[0].expires = kept[0].created - timedelta(seconds=1)
    assert "packs" in host.config()  # who has enrolled keeps the key
    assert new_host(enrolled=False, secret=overlapping.secret).enroll() == {"node_invalid": True}


def test_a_revoked_host_stays_out_until_it_is_let_in_again(service, new_host):
    host = new_host()
    id_ = stored(service, host).id
    query_id = ask(service, "SELECT * FROM dns_cache", host)
    with service.service.records.transaction() as session:
        enrollment.revoke_host(session, ACTOR, id_)
    service.service.fleet.wake()
    eventually(lambda: host.config() == {"node_invalid": True})
    assert host.read() == {"node_invalid": True}
    assert host.enroll() == {"node_invalid": True}  # it has the right secret, and tries by itself
    assert (target(service, query_id, host).state, target(service, query_id, host).reason) == (
        "failed", "the host was revoked",
    )  # fmt: skip
    with service.service.records.transaction() as session:
        enrollment.readmit_host(session, ACTOR, id_)
    assert host.enroll()["node_key"]
    assert stored(service, host).id == id_


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("WS-1.corp.example", ["ws-1", "WS-1", "ws-1.CORP.example"]),
        ("ws-2", ["WS-2.corp.example", "ws-2"]),
    ],
)
def test_a_host_is_known_by_its_names(service, new_host, name, asked):
    host = new_host(name=name)
    with service.service.records.transaction() as session:
        for text in (*asked, host.hardware.upper()):
            assert [kept.hardware_uuid for kept in enrollment.hosts_named(session, text)] == [host.hardware], text
        assert enrollment.hosts_named(session, f"{name.partition('.')[0]}.other.example") == (
            [] if "." in name else enrollment.hosts_named(session, name)
        )
        alert = {"host.name": [asked[0]], "host.id": ["unknown"]}
        assert [kept.name for kept in enrollment.hosts_of_alert(session, alert)] == [name]


# ---- queries


@pytest.mark.parametrize("version", ["5.12.1", "2.11.2"])
def test_a_host_is_asked_and_its_rows_are_kept(service, new_host, version):
    host = new_host(version=version)
    assert host.poll() == []
    query_id = ask(service, "SELECT name, type FROM dns_cache ORDER BY name", host)
    assert host.poll() == [query_id]
    assert target(service, query_id, host).state == "answered"
    assert rows(service, query_id)[0] == {"name": "example.com", "type": "A"}
    assert host.poll() == []
    with service.service.records.transaction() as session:
        eventually(
            lambda: session.scalar(select(StoredLiveQuery.ended).where(StoredLiveQuery.id == query_id)) is not None
        )


def test_an_answer_that_comes_twice_is_taken_once(service, new_host):
    host = new_host()
    query_id = ask(service, "SELECT * FROM dns_cache", host)
    answer = host.answers(host.read()["queries"])
    assert host.write(**answer) == {}
    assert host.write(**{**answer, "queries": {query_id: [{"name": "forged"}]}}) == {}
    assert [row["name"] for row in rows(service, query_id)] == ["example.com", "files.bad.example", "wpad"]


def test_a_host_cannot_answer_for_another(service, new_host):
    asked, other = new_host(name="A"), new_host(name="B")
    query_id = ask(service, "SELECT * FROM dns_cache", asked)
    assert other.write({query_id: [{"name": "forged"}]}, {query_id: 0}) == {}
    assert target(service, query_id, asked).state == "waiting"
    assert rows(service, query_id) == []


@pytest.mark.parametrize("status", [1, "1", "no number"])
def test_what_failed_at_a_host_says_why(service, new_host, status):
    host = new_host()
    query_id = ask(service, "SELECT * FROM dns_cache", host)
    host.read()
    host.write({query_id: ""}, {query_id: status}, messages={query_id: "no such table: dns_cache"})
    kept = target(service, query_id, host)
    assert (kept.state, kept.reason) == ("failed", "SQLite's status 1: no such table: dns_cache")


def test_a_query_that_is_cancelled_is_given_to_nobody_and_takes_no_rows(service, new_host):
    first, second = new_host(name="C1"), new_host(name="C2")
    query_id = ask(service, "SELECT * FROM dns_cache", first, second)
    given = first.read()["queries"]
    with service.service.records.transaction() as session:
        live_queries.cancel_live_query(session, ACTOR, query_id)
    assert second.read() == {"queries": {}}
    first.write(**first.answers(given))
    assert {target(service, query_id, host).state for host in (first, second)} == {"cancelled"}
    assert rows(service, query_id) == []


def test_a_host_that_disappears_is_given_up_in_time(service, new_host):
    host = new_host()
    query_id = ask(service, "SELECT * FROM dns_cache", host)
    given = host.read()["queries"]
    with service.service.records.transaction() as session:
        query = session.get_one(StoredLiveQuery, query_id)
        query.expires = query.created
    service.service.fleet.wake()
    eventually(lambda: target(service, query_id, host).state == "no answer")
    assert target(service, query_id, host).reason == "no answer in time"
    host.write(**host.answers(given))  # late rows are rows
    assert target(service, query_id, host).state == "answered"


def test_ten_megabytes_of_rows_are_kept_and_more_is_cut(service, new_host):
    host = new_host(compress=True)
    query_id = ask(service, "SELECT * FROM hash", host)
    host.read()
    text = "".join(random.Random(7).choices("abcdef0123456789", k=1_000))
    host.write({query_id: [{"path": f"{number}", "sha256": text} for number in range(10_000)]}, {query_id: 0})
    kept = target(service, query_id, host)
    assert (kept.state, kept.rows, kept.kept_rows, kept.reason) == ("answered", 10_000, 10_000, "")
    assert kept.size > 10_000_000
    assert [row["path"] for row in rows(service, query_id, start=9_998)] == ["9998", "9999"]
    larger = ask(service, "SELECT * FROM hash", host)
    host.read()
    host.write({larger: [{"path": f"{number}", "sha256": text} for number in range(15_000)]}, {larger: 0})
    kept = target(service, larger, host)
    assert kept.rows == 15_000
    assert kept.size <= MOST_BYTES
    assert kept.kept_rows == len(rows(service, larger))
    assert f"of 15,000 rows the first {kept.kept_rows:,} are kept" in kept.reason


def test_an_answer_beyond_all_bounds_is_a_failure_that_says_so(service, new_host):
    host = new_host()
    query_id = ask(service, "SELECT * FROM hash", host)
    host.read()
    assert host.write({query_id: [{"path": "x" * 1_000}] * 26_000}, {query_id: 0}) == {}
    kept = target(service, query_id, host)
    assert kept.state == "failed"
    assert "more than 24 MB" in kept.reason


def test_large_bodies_of_strangers_are_not_read(service, new_host):
    host = new_host(enrolled=False)
    answer = host.http.post(
        "/api/v1/osquery/enroll",
        content=b'{"x":"' + b"y" * 100_000 + b'"}',
        headers={"x-forwarded-for": "10.1.1.1"},
    )
    assert answer.json() in ({"node_invalid": True}, {})


def test_a_query_is_checked_before_it_is_sent(service, new_host):
    host = new_host()
    id_ = stored(service, host).id
    with service.service.records.transaction() as session:
        for sql, reason in (
            ("SELECT cmd_line FROM processes", "no such column: cmd_line"),
            ("DROP TABLE users", "something else than read"),
            (" ", "1 to 20,000 characters"),
        ):
            with pytest.raises(InvalidError, match=reason):
                live_queries.create_live_query(session, ACTOR, NewLiveQuery(sql, [id_]))
        with pytest.raises(InvalidError, match="names no host"):
            live_queries.create_live_query(session, ACTOR, NewLiveQuery("SELECT 1", []))


def test_a_host_of_another_platform_is_given_up_at_once_and_says_why(service, new_host):
    windows, linux = new_host(name="W"), new_host(name="L", platform="ubuntu")
    ids = [stored(service, host).id for host in (windows, linux)]
    with service.service.records.transaction() as session:
        query = live_queries.create_live_query(session, ACTOR, NewLiveQuery("SELECT * FROM services", ids))
    assert target(service, query.id, linux).state == "failed"
    assert target(service, query.id, linux).reason == "not sent: osquery has no table services on Linux"
    assert target(service, query.id, windows).state == "waiting"


def test_the_queries_of_the_reference_rule_give_rows(service, new_host):
    """Its guide has four: the DNS cache, services, those of users, and those whose executable is not signed."""
    host = new_host()
    [rule] = bundled_rules().rules
    blocks = [block for block in parse_guide(guide_text(rule)) if isinstance(block, OsqueryBlock)]
    assert len(blocks) == 4
    answers = []
    for block in blocks:
        query_id = ask(service, block.query, host)
        assert host.poll() == [query_id]
        assert target(service, query_id, host).state == "answered"
        answers.append(rows(service, query_id))
    assert [len(answer) for answer in answers] == [3, 4, 1, 1]
    assert answers[2][0]["user_account"] == "CORP\\svc-deploy"
    [unsigned] = answers[3]
    assert unsigned["path"] == BEACON
    assert unsigned["VtLink"].startswith("https://www.virustotal.com/gui/file/")


# ---- packs and logs


def test_rows_that_packs_log_become_events_once(service, new_host):
    host = new_host(name="PACKED.corp.example", compress=True)
    with service.service.records.transaction() as session:
        document = {
            "queries": {
                "dns": {
                    "query": "SELECT * FROM dns_cache", "interval": 60,
                    "ecs_mapping": {"dns.question.name": {"field": "name"}, "tags": {"value": ["dns"]}},
                }
            },
        }  # fmt: skip
        pack = packs.save_pack(session, ACTOR, "network", document)
    service.service.fleet.wake()
    eventually(lambda: "network" in host.config()["packs"])
    query = host.config()["packs"]["network"]["queries"]["dns"]
    assert (query["query"], query["interval"]) == ("SELECT * FROM dns_cache", 60)
    assert "ecs_mapping" not in query
    line = {
        "name": "pack/network/dns", "hostIdentifier": host.hardware, "unixTime": 1_790_000_000, "epoch": 0,
        "calendarTime": "Mon Sep 21 12:53:20 2026 UTC", "counter": 3, "numerics": False, "action": "added",
        "columns": {"name": "files.bad.example", "type": "A", "flags": "0"},
    }  # fmt: skip
    snapshot = {
        **{key: line[key] for key in ("name", "hostIdentifier", "unixTime", "calendarTime")}, "action": "snapshot",
        "snapshot": [{"name": "a.example"}, {"name": "b.example"}],
    }  # fmt: skip
    batch = {
        **{k: line[k] for k in ("name", "unixTime")},
        "diffResults": {"added": [{"name": "c"}], "removed": []},
    }
    for _ in range(2):  # a host sends again what it believes lost
        assert host.log("result", [line, snapshot, batch]) == {}
    client = service.client(ca_certs=str(host_authority(service)))
    hits = client.search(index="logs-osquery_manager.result-*", size=50)["hits"]["hits"]
    sources = [hit["_source"] for hit in hits if hit["_source"]["host"]["name"] == host.name]
    assert len(sources) == 4
    [added] = [source for source in sources if source["osquery_meta"].get("counter") == 3]
    assert added["osquery"] == {"name": "files.bad.example", "type": "A", "flags": "0"}
    assert added["osquery_meta"] == {
        "type": "diff", "action": "added", "counter": 3, "epoch": 0, "unix_time": 1_790_000_000,
        "calendar_type": "Mon Sep 21 12:53:20 2026 UTC",
    }  # fmt: skip
    assert added["dns"] == {"question": {"name": "files.bad.example"}}
    assert (added["tags"], added["pack_name"], added["query_name"]) == (["dns"], "network", "dns")
    assert added["host"]["os"]["type"] == "windows"
    assert added["data_stream"]["dataset"] == added["event"]["dataset"] == "osquery_manager.result"
    assert added["@timestamp"].startswith("2026-09-21T")
    with service.service.records.transaction() as session:
        packs.remove_pack(session, ACTOR, pack.id)


def test_warnings_of_osqueryd_become_events(service, new_host):
    host = new_host(name="STATUS")
    entry = {"severity": "1", "filename": "scheduler.cpp", "line": "101", "message": "denylisted", "unixTime": 1}
    host.log("status", [{**entry, "severity": "0", "message": "did this and that"}, entry, "no object", None])
    client = service.client(ca_certs=str(host_authority(service)))
    hits = client.search(index="logs-osquery_manager.status-*")["hits"]["hits"]
    [source] = [hit["_source"] for hit in hits if hit["_source"]["host"]["name"] == "STATUS"]
    assert (source["log"]["level"], source["message"]) == ("warning", "denylisted")


def host_authority(service: Running):
    certificate = service.service.config.tls_certificate
    assert certificate is not None
    return certificate.parent / "ca.pem"


# ---- files


def test_files_come_in_blocks_in_any_order_and_twice(service, new_host):
    host = new_host()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.exe"), io.BytesIO(b""))
    data = archive.getvalue()
    count = -(-len(data) // 1000)
    host.carve("query", data, order=[*reversed(range(count)), 0])
    with service.service.records.transaction() as session:
        [carve] = session.scalars(select(Carve).where(Carve.host_id == stored(service, host).id))
        assert service.service.fleet.carves.path_of(carve).read_bytes() == data
        assert carve.sha256 is not None


@pytest.mark.parametrize(
    "change",
    [{"carve_size": 2 << 30}, {"block_size": 8 << 20}, {"block_count": 3}, {"carve_size": "x"}, {"block_size": 0}],
)
def test_files_beyond_bounds_are_refused(service, new_host, change):
    host = new_host()
    fitting = {"block_count": 1, "block_size": 1000, "carve_size": 1000, "carve_id": "x", "request_id": "y"}
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        host.post("carve/begin", {**fitting, **change, "node_key": host.node_key})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"7", b"{", b"\xff", b'{"queries": 7, "statuses": []}', json.dumps([[]] * 50).encode()]
)
def test_what_is_no_request_is_answered_clearly(service, new_host, body):
    host = new_host()
    answer = host.http.post("/api/v1/osquery/distributed/write", content=body)
    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or answer.json() == {"node_invalid": True}
    packed = host.http.post("/api/v1/osquery/log", content=body, headers={"content-encoding": "gzip"})
    assert packed.status_code in (200, 400)


def test_hosts_ask_over_tls_that_they_know(service):
    assert service.url.startswith("https://")
    with pytest.raises((httpx.ConnectError, ssl.SSLError)):
        httpx.get(service.url, trust_env=False)
