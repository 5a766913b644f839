"""Watched folders: what lies in them is stored, also after something went wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tocsin.ingest.bulk import Action
from tocsin.ingest.watch import WatchedFolders


def test_a_file_is_read_again_after_a_fault_that_nobody_foresaw(tmp_path: Path) -> None:
    stored = threading.Event()
    tries: list[int] = []

    def send(actions: Sequence[Action]) -> Sequence[dict[str, object]]:
        tries.append(len(actions))
        if len(tries) == 1:
            raise RuntimeError("a fault")
        stored.set()
        return [{"status": 201, "result": "created"} for _ in actions]

    folder = tmp_path / "in"
    watched = WatchedFolders([folder], send, tmp_path / "state.json", tmp_path / "rejects", quiet=0.05)
    watched.start()
    try:
        (folder / "events.ndjson").write_text('{"@timestamp": "2026-11-27T09:00:00Z", "process": {"pid": 7}}\n')
        assert stored.wait(60)
    finally:
        watched.close()
    assert tries == [1, 1]
    assert (tmp_path / "state.json").exists()
