"""What Prometheus is told of the service."""

from __future__ import annotations

import re

import pytest

from tests.api.conftest import run_service
from tocsin.allocators import allocated


def test_memory_is_told_by_what_it_is_held_for(tmp_path):
    with run_service(tmp_path, flush_after=3600) as running, running.http() as client:
        event = {"@timestamp": "2026-01-01T00:00:00Z", "message": "x" * 1000}
        assert client.post("/logs-metrics-default/_doc", json=event).status_code == 201
        told = dict(re.findall(r'tocsin_memory_bytes\{part="(\w+)"\} (\S+)', client.get("/metrics").text))
    assert set(told) >= {"waiting_documents", "waiting_columns", "alerts", "kept_events", "rule_windows", "arrow"}
    assert float(told["waiting_documents"]) + float(told["waiting_columns"]) > 1000


@pytest.mark.skipif(set(allocated()) == {"arrow"}, reason="another C library than glibc tells nothing")
def test_memory_that_is_free_and_not_given_back_is_told(tmp_path):
    with run_service(tmp_path) as running, running.http() as client:
        told = dict(re.findall(r'tocsin_memory_bytes\{part="(\w+)"\} (\S+)', client.get("/metrics").text))
    assert float(told["malloc"]) > 1 << 20
    assert float(told["malloc_free"]) > 0
