"""One thread brings generations into tables, the oldest first; then their segments of the journal go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from tocsin.store.lake import journal
from tocsin.store.lake.contents import Contents, LakeSettings
from tocsin.store.lake.fresh import Generation
from tocsin.store.lake.ids import ChosenIds

log = logging.getLogger(__name__)
_WRITERS = 3  # indices that are written at once: one waits for the disk while another packs
_LONGEST_PAUSE = 60.0  # seconds between tries while it fails


class Settler:
    """Commits to tables. `done` is told whenever a generation has become ready, or is through."""

    def __init__(self, contents: Contents, ids: ChosenIds, folder: Path, settings: LakeSettings) -> None:
        self._contents, self._ids, self._folder, self._settings = contents, ids, folder, settings
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-write")
        self.done = threading.Condition()

    def tell(self) -> None:
        """Wake those who wait for a change."""
        with self.done:
            self.done.notify_all()

    def close(self) -> None:
        """Let go of the threads that write, when `run` has ended."""
        self._writers.shutdown()

    def run(self, stop: threading.Event) -> None:
        """Commit until stopped. What fails, a full disk say, is tried again; the journal keeps it meanwhile."""
        contents, pause = self._contents, 1.0
        while not stop.is_set():
            with self.done:
                self.done.wait_for(lambda: contents.old or stop.is_set(), 1.0)
            if stop.is_set() or not contents.old:
                continue
            try:
                self._settle(self._next())
                contents.problem, pause = None, 1.0
            except Exception as error:
                contents.problem = f"events cannot be brought into their tables: {error}"
                log.exception("bringing segment %d into tables failed", contents.old[0].segment)
                stop.wait(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    def _next(self) -> list[Generation]:
        """Return the oldest generations that make one commit: after a crash there may be many small ones."""
        old = self._contents.old
        some, size = old[:1], old[0].size
        for generation in old[1:]:
            size += generation.size
            if size > 2 * self._settings.flush_size:
                break
            some.append(generation)
        return some

    def _settle(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            self._ids.settle(generation.segment)
        names = dict.fromkeys(name for generation in generations for name in generation.indices)
        for committed in [self._writers.submit(self._settle_index, name, generations) for name in names]:
            committed.result()
        for generation in generations:
            with self._contents.lock:
                self._contents.old.remove(generation)
            journal.path_of(self._folder, generation.segment).unlink(missing_ok=True)
        pa.default_memory_pool().release_unused()
        self.tell()

    def _settle_index(self, name: str, generations: Sequence[Generation]) -> None:
        table = self._contents.table(name)
        mine = [generation for generation in generations if name in generation.indices]
        whole = pa.concat_tables([g.indices[name].whole() for g in mine], promote_options="default")
        version = table.append(whole, generations[-1].segment)
        with self._contents.lock:  # readers see the events in one place or the other, never in both
            table.publish(version)
            for generation in mine:
                del generation.indices[name]
