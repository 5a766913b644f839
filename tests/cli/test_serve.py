"""The service as its users start it: a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.serving import Serve, key, tocsin
from tests.torture.rounds import Round, torture
from tests.waiting import eventually

EXAMPLES = Path(__file__).parents[2] / "examples" / "telemetry"


def get(url, path, api_key, **options):
    headers = {"Authorization": f"ApiKey {api_key}"}
    return httpx.get(url + path, headers=headers, trust_env=False, timeout=30, **options)


def has_stored(url, api_key, events):
    """Tell whether a service has so many events."""
    return get(url, "/_count", api_key).json()["count"] == events


def test_the_demo_has_something_to_see(tmp_path):
    with Serve(tmp_path, "--demo") as service:
        assert "one-time password" in service.text
        eventually(lambda: "_eql/search" in service.text)
        [encoded] = set(re.findall(r"ApiKey (\S+?)'", service.text))
        query = {"query": 'process where process.args : "-DownloadFile"'}
        found = httpx.post(
            f"{service.url}/logs-*,winlogbeat-*/_eql/search", json=query, trust_env=False,
            headers={"Authorization": f"ApiKey {encoded}"},
        )  # fmt: skip
        events = found.json()["hits"]["events"]
        assert events
        assert all("-downloadfile" in str(e["_source"]["process"]["args"]).lower() for e in events)
        assert "logs-windows.sysmon_operational-default" in get(service.url, "/_cat/indices?v", encoded).text


def test_it_stops_gracefully_and_what_it_took_is_there_again(tmp_path):
    api_key = key(tmp_path, "ingest", "read")
    with Serve(tmp_path) as service:
        sent = tocsin("ingest", EXAMPLES, "--url", service.url, "--api-key", api_key, data=tmp_path)
        assert "329 events stored" in sent.stderr
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
    with Serve(tmp_path) as service:
        assert get(service.url, "/_count", api_key).json()["count"] == 329
        again = tocsin("ingest", EXAMPLES, "--url", service.url, "--api-key", api_key, data=tmp_path)
        assert "0 events stored, 329 were there already" in again.stderr


def test_a_second_service_refuses(tmp_path):
    with Serve(tmp_path):
        second = tocsin("serve", "--port", "0", data=tmp_path)
        assert second.returncode == 2
        assert "in use by another tocsin" in second.stderr
        assert "Traceback" not in second.stderr
        direct = tocsin("ingest", EXAMPLES, data=tmp_path)
        assert direct.returncode == 2
        assert "--url" in direct.stderr


def test_a_taken_port_leaves_the_data_directory_alone(tmp_path):
    with Serve(tmp_path / "one") as service:
        port = service.url.rsplit(":", 1)[1]
        second = tocsin("serve", "--port", port, data=tmp_path / "two")
        assert second.returncode == 2
        assert "cannot listen" in second.stderr
        assert not (tmp_path / "two").exists()


def test_logs_are_ecs(tmp_path):
    with Serve(tmp_path, "--log-level", "debug") as service:
        httpx.get(f"{service.url}/healthz", trust_env=False)
        service.stop()
        lines = [json.loads(line) for line in service.told if line.startswith("{")]
    assert lines
    assert all({"@timestamp", "log.level", "message", "ecs.version"} <= line.keys() for line in lines)
    [request] = [line for line in lines if line.get("url", {}).get("path") == "/healthz"]
    assert request["http"]["response"]["status_code"] == 200


def test_metrics(tmp_path):
    api_key = key(tmp_path, "ingest", "read")
    with Serve(tmp_path) as service:
        tocsin("ingest", EXAMPLES, "--url", service.url, "--api-key", api_key, data=tmp_path)
        text = get(service.url, "/metrics", api_key).text
    assert 'tocsin_ingested_events_total{result="created"} 329.0' in text
    assert 'tocsin_store_events{index="logs-windows.sysmon_operational-default"}' in text
    assert re.search(r'tocsin_requests_total\{method="POST",route="/_bulk",status="200"\} \d', text)


def healthy(url, host="127.0.0.1"):
    """Tell what the health check of the image says about a service that listens on a host."""
    environment = {**os.environ, "TOCSIN_PORT": url.rpartition(":")[2], "TOCSIN_HOST": host}
    script = Path(__file__).parents[2] / "scripts" / "healthcheck.py"
    return subprocess.run([sys.executable, script], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost"])
def test_the_health_check_of_the_image_follows_the_service(tmp_path, host):
    with Serve(tmp_path, "--host", host) as service:
        assert healthy(service.url, host)
    assert not healthy(service.url, host)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls(tmp_path):
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", private, "-out", certificate,
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    data = tmp_path / "data"
    with Serve(data, "--tls-certificate", certificate, "--tls-key", private) as service:
        assert service.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        answer = httpx.get(f"{service.url}/healthz", verify=trusted, trust_env=False)
        assert answer.json() == {"status": "alive"}
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        assert healthy(service.url)
    wrong = tocsin("serve", "--tls-certificate", private, "--tls-key", private, data=data)
    assert (wrong.returncode, "is no certificate" in wrong.stderr) == (2, True)
    half = tocsin("serve", "--tls-certificate", certificate, data=data)
    assert (half.returncode, "come together" in half.stderr) == (2, True)


def test_files_in_a_watched_folder_are_stored(tmp_path):
    folder = tmp_path / "drop"
    api_key = key(tmp_path / "data", "read")
    with Serve(tmp_path / "data", "--watch", folder) as service:
        for source in EXAMPLES.iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        (folder / "broken.evtx").write_bytes(b"ElfFile\x00 and no more")
        eventually(partial(has_stored, service.url, api_key, 329))
        eventually((tmp_path / "data" / "rejected" / "broken.evtx.rejects.ndjson").exists)


def test_following_a_growing_file(tmp_path):
    growing = tmp_path / "events.ndjson"
    growing.write_text('{"@timestamp":"2026-11-20T12:00:00Z","n":1}\n')
    api_key = key(tmp_path / "data", "ingest", "read")
    with Serve(tmp_path / "data") as service:
        follow = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "ingest", str(growing), "--follow", "--url", service.url],
            env={**os.environ, "TOCSIN_API_KEY": api_key}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for n in (2, 3, 4):
            eventually(partial(has_stored, service.url, api_key, n - 1))
            with growing.open("a") as file:
                file.write(f'{{"@timestamp":"2026-11-20T12:00:00Z","n":{n}}}\n')
        eventually(partial(has_stored, service.url, api_key, 4))
        follow.send_signal(signal.SIGINT)
        _, told = follow.communicate(timeout=10)
        assert "4 events stored" in told


# ---- configuration


def test_flags_stand_above_the_environment_above_the_file(tmp_path):
    file = tmp_path / "tocsin.toml"
    file.write_text('port = 1111\nhost = "127.0.0.2"\nkeep_days = 30\n')
    shown = tocsin("config", "show", "--config", file, data=tmp_path, env={"TOCSIN_PORT": "2222"}).stdout
    rows = {line.split()[0]: line for line in shown.splitlines() if line.split()}
    assert re.search(r"2222\s+environment", rows["port"])
    assert "127.0.0.2" in rows["host"]
    assert re.search(r"30\s+file", rows["keep_days"])
    assert re.search(r"9200|default", rows["request_size"])


def test_secrets_are_not_shown(tmp_path):
    shown = tocsin("config", "show", data=tmp_path, env={"TOCSIN_DATABASE_URL": "postgresql://u:hunter2@h/d"})
    assert "hunter2" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("port = 99999\n", "`port`"),
        ("prot = 9200\n", "`prot`"),
        ("port = \n", "no TOML"),
        ('log_level = "loud"\n', "`log_level`"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path, text, reason):
    file = tmp_path / "tocsin.toml"
    file.write_text(text)
    for command in ("serve", "config show"):
        told = tocsin(*command.split(), "--config", file, data=tmp_path)
        assert told.returncode == 2
        assert reason in told.stderr
        assert "Traceback" not in told.stderr


# ---- users and keys


def test_users_and_keys_by_command(tmp_path):
    assert "one-time password of ann" in tocsin("users", "add", "ann", "--role", "analyst", data=tmp_path).stdout
    refused = tocsin("users", "add", "ann", data=tmp_path)
    assert (refused.returncode, "already" in refused.stderr) == (2, True)
    set_ = tocsin("users", "password", "ann", data=tmp_path, input="a long enough password\n")
    assert set_.returncode == 0
    tocsin("users", "change", "ann", "--role", "engineer", data=tmp_path)
    assert re.search(r"ann\s+engineer\s+yes", tocsin("users", "list", data=tmp_path).stdout)
    made = tocsin("keys", "add", "k", "--scope", "read", "--days", "3", data=tmp_path).stdout
    id_ = re.search(r"id:\s+(\S+)", made)
    assert id_ is not None
    assert id_[1] in tocsin("keys", "list", data=tmp_path).stdout
    assert id_[1] in tocsin("keys", "revoke", id_[1], data=tmp_path).stdout
    assert "revoked" in tocsin("keys", "list", data=tmp_path).stdout


@pytest.mark.slow
def test_killing_the_service_loses_nothing(tmp_path):
    rounds = [
        Round("an execution is written", ("Parquet file", "flip"), 3600),
        Round("events are committed", ("records' log", "remove"), -7200, set_while_running=True),
    ]
    done = torture(tmp_path / "data", rounds)
    assert 0 < done.acknowledged <= done.stored
    assert done.ends == {one.end: 1 for one in rounds}
    assert (len(done.damages), done.steps) == (2, 2)


def test_following_a_pattern_waits_for_a_file_and_says_so(tmp_path):
    data, folder = tmp_path / "data", tmp_path / "drop"
    folder.mkdir()
    follow = subprocess.Popen(
        [sys.executable, "-m", "tocsin", "ingest", f"{folder}/*.ndjson", "--follow"],
        env={**os.environ, "TOCSIN_DATA": str(data)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follow.stderr is not None
    assert "waiting for" in follow.stderr.readline()
    (folder / "one.ndjson").write_text('{"@timestamp":"2026-11-20T12:00:00Z","n":1}\n')
    assert "following" in follow.stderr.readline()
    (folder / "one.ndjson").unlink()
    assert "waiting for" in follow.stderr.readline()
    follow.send_signal(signal.SIGINT)
    _, told = follow.communicate(timeout=20)
    assert "stored" in told
