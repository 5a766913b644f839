"""One thread brings generations into tables, the oldest first; then their segments of the journal go."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from tocsin.allocators import give_back
from tocsin.backoff import pause_after
from tocsin.store.lake.contents import Contents, LakeSettings
from tocsin.store.lake.ids import ChosenIds
from tocsin.store.lake.journal import journal
from tocsin.store.lake.journal.event_buffer import Generation
from tocsin.store.lake.reasons import sentence
from tocsin.store.resources import is_lack_of_resources

log = logging.getLogger(__name__)
PROBE = "probe"  # beside the journal, for a moment
_WRITERS = 3  # indices that are written at once: one waits for the disk while another packs
_LONGEST_PAUSE = 60.0  # seconds between tries while it fails
_GIVE_BACK_EVERY = 10.0  # seconds
_TRIES = 3  # of an index that fails while the disk is well, before it is set aside


class _IndexError(Exception):
    """Indices into whose tables events cannot be brought, and why."""

    def __init__(self, failed: Mapping[str, BaseException]) -> None:
        super().__init__("; ".join(f"{name}: {sentence(error)}" for name, error in failed.items()))
        self.failed = failed


Note = Callable[[Collection[int]], None]


class Settler:
    """Commits to tables. `done` is notified when a generation is ready for the tables, and when it is in them.

    `note` writes down what the store holds, for good, without segments that are about to go.
    """

    def __init__(
        self, contents: Contents, ids: ChosenIds, folder: Path, settings: LakeSettings, note: Note
    ) -> None:
        self._contents, self._ids, self._folder, self._settings = contents, ids, folder, settings
        self._note = note
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-write")
        self._failures: dict[str, int] = {}  # in a row, by index
        self._given_back = 0.0  # when free memory was last given back, on the monotonic clock
        self.done = threading.Condition()

    def wake(self) -> None:
        """Wake those who wait for a change."""
        with self.done:
            self.done.notify_all()

    def close(self) -> None:
        """End the threads that write, when `run` has ended."""
        self._writers.shutdown()

    def run(self, stop: threading.Event) -> None:
        """Commit until stopped. What fails, a full disk say, is tried again; the journal keeps it meanwhile."""
        contents, failures = self._contents, 0
        while not stop.is_set():
            with self.done:
                self.done.wait_for(lambda: contents.old or stop.is_set(), 1.0)
            if stop.is_set() or not contents.old:
                continue
            try:
                self._settle(self._next())
                contents.problem, failures = None, 0
            except Exception as error:
                contents.problem = f"events cannot be brought into their tables: {error}"
                if isinstance(error, _IndexError):
                    log.error("bringing segment %d into tables failed: %s", contents.old[0].segment, error)
                    if self._judge(error):
                        failures = 0
                        continue
                else:
                    log.exception("bringing segment %d into tables failed", contents.old[0].segment)
                failures += 1
                stop.wait(pause_after(failures, 1.0, _LONGEST_PAUSE))

    def _next(self) -> list[Generation]:
        """Return the oldest generations that make one commit: after a crash there may be many small ones."""
        old = self._contents.old
        generations, size = old[:1], old[0].size
        for generation in old[1:]:
            size += generation.size
            if size > 2 * self._settings.flush_size:
                break
            generations.append(generation)
        return generations

    def _settle(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            self._ids.settle(generation.segment)
        names = dict.fromkeys(name for generation in generations for name in list(generation.indices))
        commits = {name: self._writers.submit(self._settle_index, name, generations) for name in names}
        failed: dict[str, BaseException] = {}
        for name, commit in commits.items():
            error = commit.exception()
            if error is None:
                self._failures.pop(name, None)
            else:
                failed[name] = error
        if failed:
            raise _IndexError(failed)
        self._note([generation.segment for generation in generations if not generation.held])
        for generation in generations:
            with self._contents.lock:
                self._contents.old.remove(generation)
            if not generation.held:
                journal.path_of(self._folder, generation.segment).unlink(missing_ok=True)
        self.wake()
        self._give_back()

    def _give_back(self) -> None:
        """Give memory of writing back to the system: the allocator keeps it because of small pieces in use."""
        if time.monotonic() >= self._given_back + _GIVE_BACK_EVERY:
            give_back()
            self._given_back = time.monotonic()

    def _judge(self, error: _IndexError) -> bool:
        """Set aside indices that fail again and again while the disk is well; return whether these were all.

        The journal keeps their events.
        """
        if not self._disk_is_well():
            return False
        for name, reason in error.failed.items():
            if is_lack_of_resources(reason):
                continue
            self._failures[name] = self._failures.get(name, 0) + 1
        given_up = [name for name in error.failed if self._failures.get(name, 0) >= _TRIES]
        all_of_them = len(given_up) == len(error.failed)
        if all_of_them:
            self._contents.problem = None
        for name in given_up:
            self._contents.put_index_aside(name, error.failed[name])
        return all_of_them

    def _disk_is_well(self) -> bool:
        """Return whether a file can be written beside the journal."""
        probe = self._folder / PROBE
        try:
            with probe.open("wb") as file:
                file.write(bytes(1 << 20))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        return True

    def _settle_index(self, name: str, generations: Sequence[Generation]) -> None:
        contents = self._contents
        with contents.lock:
            if contents.is_set_aside(name):  # by whoever has read it meanwhile
                return
            table = contents.table(name)
            mine = [generation for generation in generations if name in generation.indices]
            # What an earlier try has committed, before it failed, is in the table already.
            buffers = [generation.indices[name] for generation in mine if generation.segment > table.segment]
        with contents.apart(name):  # trying again makes no table of documents that made none
            whole = (
                pa.concat_tables([buffer.whole() for buffer in buffers], promote_options="default")
                if buffers
                else None
            )
        if contents.is_set_aside(name):
            return
        if whole is not None:
            table.commit(whole, generations[-1].segment)
        version = table.current()
        with contents.lock:  # readers see the events in one place or the other, never in both
            table.publish(version)
            for generation in mine:
                generation.indices.pop(name, None)
