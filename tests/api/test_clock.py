"""The system clock was set back while the service was stopped: it goes on, says so, and rules alert."""

from __future__ import annotations

import time

import pytest

from tests.api.conftest import run_service
from tests.api.test_watch import RULE, alerts, put_event
from tests.store.test_lake import SLOW, document
from tests.waiting import eventually
from tocsin.store.clock import ArrivalClock
from tocsin.store.lake.lake import LakeStore

AHEAD = 7200 * 1_000_000_000


@pytest.mark.parametrize("flushed", [True, False])
def test_a_clock_that_was_set_back_before_the_start_is_told_and_rules_alert(tmp_path, flushed):
    earlier = ArrivalClock(wall=lambda: time.time_ns() + AHEAD)
    lake = LakeStore(tmp_path, SLOW, earlier)
    lake.add([document("logs-watch-default", n=1)])
    if flushed:
        lake.flush()
    lake.close()
    with run_service(tmp_path) as running, running.http(running.add_key("admin")) as http:
        rule = {**RULE, "interval": "2s", "from": "now-10s", "enabled": True}
        http.post("/api/detection_engine/rules", json=rule).raise_for_status()
        put_event(http, process={"name": "bad.exe"})
        assert len(eventually(lambda: alerts(http))) == 1
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "the system clock was set back" in ready.json()["problems"]["clock"]
        metrics = http.get("/metrics").text
        assert "tocsin_clock_steps_total 1.0" in metrics
        lead = next(line for line in metrics.splitlines() if line.startswith("tocsin_clock_lead_seconds"))
        assert 7000 < float(lead.split()[1]) <= 7200


def test_a_clock_that_nobody_has_set_is_not_told_of(tmp_path):
    with run_service(tmp_path) as running, running.http(running.add_key("admin")) as http:
        put_event(http, process={"name": "bad.exe"})
        assert http.get("/readyz").json() == {"status": "ready", "problems": {}, "set_aside": []}
