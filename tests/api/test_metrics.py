"""What Prometheus is told of the service."""

from __future__ import annotations

import re

from tests.api.conftest import run_service


def test_memory_is_told_by_what_it_is_held_for(tmp_path):
    with run_service(tmp_path, flush_after=3600) as running, running.http() as client:
        event = {"@timestamp": "2026-01-01T00:00:00Z", "message": "x" * 1000}
        assert client.post("/logs-metrics-default/_doc", json=event).status_code == 201
        told = dict(re.findall(r'tocsin_memory_bytes\{part="(\w+)"\} (\S+)', client.get("/metrics").text))
    assert set(told) == {"waiting_events", "kept_events", "rule_windows", "arrow"}
    assert float(told["waiting_events"]) > 1000
