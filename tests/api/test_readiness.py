"""`/readyz` says what the service cannot do, also where only a thread of its own has ended."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from tests.api.conftest import run_service
from tests.store.test_lake import NO_NUMBER, document
from tests.waiting import eventually
from tocsin.store.lake.lake import LakeSettings, LakeStore


@pytest.mark.parametrize(
    ("settings", "status", "name", "reason"),
    [
        ({"flush_after": NO_NUMBER}, 503, "events", "the thread that writes the journal has ended"),
        ({"maintain_every": NO_NUMBER}, 200, "upkeep", "the thread that maintains tables has ended"),
    ],
)
def test_a_thread_of_the_store_that_has_ended_is_said(
    tmp_path, settings: dict[str, Any], status: int, name: str, reason: str
) -> None:
    with (
        run_service(tmp_path / "service") as running,
        closing(LakeStore(tmp_path / "store", LakeSettings(**settings))) as store,
        running.http("") as http,
    ):
        whole, running.service.store = running.service.store, store
        try:
            store.add([document(n=1)])
            ready = eventually(lambda: (answer := http.get("/readyz")).json()["problems"] and answer)
        finally:
            running.service.store = whole
        assert ready.status_code == status
        assert ready.json()["status"] == ("not ready" if status == 503 else "degraded")
        assert reason in ready.json()["problems"][name]
        assert eventually(lambda: http.get("/readyz").json()["status"] == "ready")
