"""One index is damaged: the service starts, says so, and searches and rules go on over the others."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest
from typer.testing import CliRunner

from tests.api.conftest import run_service
from tests.api.test_watch import RULE, alerts, put_event, run_now
from tests.store.test_lake import SLOW, document
from tests.store.test_strays import NO_FILES
from tests.waiting import eventually
from tocsin.api.service import open_service
from tocsin.cli.main import app
from tocsin.config import load_config
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.repair import repair

BAD, GOOD = "logs-bad-default", "logs-good-default"


@pytest.fixture
def running(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document(index, n=1) for index in (BAD, GOOD)])
    lake.flush()
    lake.close()
    (tmp_path / "events" / BAD / "_delta_log" / f"{0:020}.json").write_bytes(b"\xff")
    (tmp_path / "events" / ".DS_Store").write_bytes(b"?")
    (tmp_path / "uuid").write_bytes(b"\xff\xfe")
    (tmp_path / "watched.json").write_bytes(b"[]")
    with run_service(tmp_path, watch=(tmp_path / "drop",)) as started:
        yield started


def test_what_is_damaged_is_named_and_the_rest_goes_on(running):
    with running.http(running.add_key("admin")) as http:
        ready = http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "degraded"
        names = [one["name"] for one in ready.json()["set_aside"]]
        assert names == ["events/.DS_Store", BAD, "uuid", "watched.json"]
        assert all(one["reason"] and one["since"] for one in ready.json()["set_aside"])
        assert http.get("/_cluster/health").json()["status"] == "yellow"
        found = http.post("/logs-*/_search", json={"query": {"match_all": {}}})
        assert [hit["_index"] for hit in found.json()["hits"]["hits"]] == [GOOD]
        shards = found.json()["_shards"]
        assert shards["failed"] == 1
        assert BAD in str(shards["failures"])
        eql = http.post(
            "/logs-*/_eql/search", json={"query": "any where n == 1", "event_category_field": "n"}
        ).json()
        assert (eql["is_partial"], len(eql["shard_failures"])) == (True, 1)
        assert http.post(f"/{BAD}/_search", json={}).status_code == 503
        assert http.post(f"/{GOOD}/_count", json={}).json()["count"] == 1
        refused = http.post(f"/{BAD}/_doc", json={"@timestamp": "2026-11-20T12:00:00Z"})
        assert refused.status_code == 503
        assert "set aside" in refused.json()["error"]["reason"]
        assert "tocsin_set_aside 4" in http.get("/metrics").text


@pytest.mark.parametrize("emptied", [True, False])
def test_records_that_are_gone_are_told_until_the_store_is_repaired(tmp_path, emptied):
    with run_service(tmp_path):
        pass
    for path in tmp_path.glob("records.db*"):
        path.write_bytes(b"") if emptied else path.unlink()
    for _ in range(2):
        with closing(open_service(load_config(None, {"data": tmp_path}))) as service:
            assert [one.name for one in service.store.set_aside()] == ["records"]
    repair(tmp_path, print)
    with closing(open_service(load_config(None, {"data": tmp_path}))) as service:
        assert service.store.set_aside() == []


@pytest.mark.parametrize("lost", ["log", "mark", "byte"])
def test_records_that_have_gone_back_are_told_until_the_store_is_repaired(tmp_path, lost):
    data, copy = tmp_path / "data", tmp_path / "copy"
    with run_service(data) as running:
        running.add_key("admin")
        shutil.copytree(data, copy)  # as a kill leaves it
    if lost == "log":
        (copy / "records.db-wal").unlink()
    elif lost == "mark":
        (copy / "records.json").unlink()
    else:
        shutil.rmtree(copy)
        shutil.copytree(data, copy)
        content = (copy / "records.db").read_bytes()
        (copy / "records.db").write_bytes(content.replace(b"admin", b"adnin"))

    def check() -> tuple[int, str]:
        done = CliRunner().invoke(app, ["store", "check", "--data", str(copy)])
        return done.exit_code, done.output

    if lost != "mark":
        code, told = check()
        assert (code, "records: " in told) == (1, True)
    for _ in range(2):
        with closing(open_service(load_config(None, {"data": copy}))) as service:
            assert [one.name for one in service.store.set_aside()] == ["records"]
    assert check()[0] == 1
    assert CliRunner().invoke(app, ["store", "repair", "--data", str(copy)]).exit_code == 0
    assert check()[0] == 0
    with closing(open_service(load_config(None, {"data": copy}))) as service:
        assert service.store.set_aside() == []


def test_a_repair_saves_what_can_be_read_of_damaged_records(tmp_path):
    with run_service(tmp_path) as running:
        running.add_key("admin")
    path = tmp_path / "records.db"
    path.write_bytes(path.read_bytes()[:-8192])
    assert CliRunner().invoke(app, ["store", "check", "--data", str(tmp_path)]).exit_code == 1
    done = CliRunner().invoke(app, ["store", "repair", "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "records: records.db was damaged" in done.output
    assert list(tmp_path.glob("damaged/*/records.db"))
    assert CliRunner().invoke(app, ["store", "check", "--data", str(tmp_path)]).exit_code == 0
    with closing(open_service(load_config(None, {"data": tmp_path}))) as service:
        assert service.store.set_aside() == []


def test_rules_on_other_indices_alert(running):
    with running.http(running.add_key("admin")) as http:
        rule = {**RULE, "index": ["logs-*"], "enabled": True}
        http.post("/api/detection_engine/rules", json=rule).raise_for_status()
        put_event(http, process={"name": "bad.exe"})
        run_now(http, query="alert.attributes.enabled: true")
        eventually(lambda: alerts(http))
        told = http.get("/api/detection_engine/rules/executions", params={"rule_id": RULE["rule_id"]})
        assert f"{BAD} is set aside" in told.text


@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
def test_strays_in_all_folders_keep_no_rule_from_alerting(tmp_path, make):
    with run_service(tmp_path):
        pass
    (tmp_path / "mappings").mkdir(exist_ok=True)
    (tmp_path / "uuid").unlink()
    places = ["journal/x", "journal/000000000099.journal", "mappings/x.json", "ids/x", "events/x", "uuid", "x",
              "watched.json", "watched.json.new", "records.db-journal"]  # fmt: skip
    for place in places:
        make(tmp_path / place)
    with run_service(tmp_path) as running, running.http(running.add_key("admin")) as http:
        names = [one["name"] for one in http.get("/readyz").json()["set_aside"]]
        assert names == ["./records.db-journal", "./uuid", "./watched.json", "events/x", "ids/x",
                         "journal/000000000099.journal", "journal/x", "mappings/x.json"]  # fmt: skip
        rule = {**RULE, "index": ["logs-*"], "enabled": True}
        http.post("/api/detection_engine/rules", json=rule).raise_for_status()
        put_event(http, process={"name": "bad.exe"})
        run_now(http, query="alert.attributes.enabled: true")
        eventually(lambda: alerts(http))


def test_a_stray_file_whose_name_is_no_utf8_is_named(tmp_path):
    with run_service(tmp_path):
        pass
    with open(bytes(tmp_path / "events") + b"/b\xffd", "wb"):
        pass
    with run_service(tmp_path) as running, running.http("") as http:
        told = http.get("/readyz")
    assert told.status_code == 200
    assert [one["name"] for one in told.json()["set_aside"]] == ["events/b\\udcffd"]
