"""Watched folders: what lies in them is stored, also after something went wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import eventually
from tocsin.ingest.bulk import Action
from tocsin.ingest.rejected import Rejected
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


def test_what_cannot_be_read_of_a_file_is_counted_with_the_first_of_it(tmp_path: Path) -> None:
    rejected = Rejected(tmp_path / "rejected")

    def send(actions: Sequence[Action]) -> Sequence[dict[str, object]]:
        return [{"status": 201, "result": "created"} for _ in actions]

    folder = tmp_path / "in"
    watched = WatchedFolders(
        [folder], send, tmp_path / "state.json", tmp_path / "rejects", 0.05, rejected.add_unread
    )
    watched.start()
    try:
        event = '{"@timestamp": "2026-11-27T09:00:00Z", "process": {"pid": 7}}\n'
        (folder / "events.ndjson").write_text(f'{event}{{"broken"\n{event}{{"broken too"\n')
        (of,) = eventually(rejected.by_reason)
    finally:
        watched.close()
    assert of.count == 2
    assert of.samples[0].index is None
    assert "events.ndjson" in of.samples[0].detail
    assert "broken" in of.samples[0].beginning
