"""A watched folder: new files in it are stored once they stop growing."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson
from watchfiles import watch

from tocsin.backoff import pause_after
from tocsin.errors import TocsinError
from tocsin.ingest.bulk import Action
from tocsin.ingest.files import Send, send_files
from tocsin.sources.batch import Reject, Rejects
from tocsin.sources.inputs import Input
from tocsin.store.durable import write_durably
from tocsin.store.events import StoreFullError
from tocsin.store.resources import raise_if_lacking
from tocsin.worker_thread import WorkerThread

log = logging.getLogger(__name__)
_QUIET = 2.0  # seconds without a change, after which a file is complete
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds, after folders could not be watched


class WatchedFolders:
    """Watches folders in a thread. The file `state` lists the files that were read, by size and time of change."""

    def __init__(
        self,
        folders: Sequence[Path],
        send: Send,
        state: Path,
        rejects: Path,
        quiet: float = _QUIET,
        add_unread: Callable[[Mapping[str, tuple[int, Reject]]], None] = lambda _: None,
    ) -> None:
        self._folders, self._send, self._state, self._rejects = folders, send, state, rejects
        self._quiet, self._add_unread = quiet, add_unread
        self.fault: str | None = None  # why the list of read files cannot be used
        self._problem: str | None = None
        self._done = self._read_state()
        self._seen: dict[str, list[int]] = {}
        self._worker = WorkerThread("watch-folders", self._run)

    def start(self) -> None:
        """Start; missing folders are created."""
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        self._worker.start()

    def problem(self) -> str | None:
        """Return why files in the folders are not read now, None when they are."""
        failure = self._worker.failure
        return self._problem if failure is None else f"the thread that watches folders has ended: {failure}"

    def close(self) -> None:
        """Stop after the file that is being read."""
        self._worker.close()

    def _run(self, closing: threading.Event) -> None:
        failures = 0
        while not closing.is_set():
            try:
                for path in self._completed(closing):
                    self._read(path, closing)
                    failures = 0
            except Exception as error:  # a folder that has gone, say, or a full disk
                failures += 1
                self._problem = f"folders cannot be watched now, and are tried again: {error}"
                log.warning("folders cannot be watched now, and are tried again: %s", error, exc_info=error)
                closing.wait(pause_after(failures, _FIRST_PAUSE, _LONGEST_PAUSE))

    def _completed(self, closing: threading.Event) -> Iterator[Path]:
        """Yield each file that is complete, until the thread has to end."""
        wake = int(self._quiet * 1000)
        for _ in watch(*self._folders, stop_event=closing, rust_timeout=wake, yield_on_timeout=True):
            self._problem = None
            for path in self._complete():
                if closing.is_set():
                    return
                yield path

    def _complete(self) -> list[Path]:
        """Return the files that are new or changed, and have not changed since the last look."""
        complete = []
        seen: dict[str, list[int]] = {}
        for path in sorted(path for folder in self._folders for path in folder.rglob("*")):
            try:
                status = path.stat()
            except OSError:
                continue
            mark = [status.st_size, status.st_mtime_ns]
            if not path.is_file() or path.name.startswith(".") or self._done.get(str(path)) == mark:
                continue
            seen[str(path)] = mark
            if self._seen.get(str(path)) == mark:
                complete.append(path)
        self._seen = seen
        return complete

    def _read(self, path: Path, closing: threading.Event) -> None:
        rejects = Rejects(self._rejects / f"{path.name}.rejects.ndjson")
        self._rejects.mkdir(parents=True, exist_ok=True)
        refused: Counter[str] = Counter()  # by the store, which has counted them
        try:
            sent = send_files([Input(str(path), path, named=False)], _patiently(self._send, closing), rejects)
            refused = sent.failed
        except TocsinError as error:
            log.warning("%s: %s", path, error)
            return
        finally:
            rejects.close()
            unread = rejects.counts - refused
            self._add_unread({reason: (count, rejects.first[reason]) for reason, count in unread.items()})
        log.info(
            "%s: %d events stored, %d known, %d rejected, %d recovered",
            path, sent.created, sent.known, rejects.total, rejects.recovered.total(),
        )  # fmt: skip
        self._done[str(path)] = self._seen.pop(str(path))
        write_durably(self._state, orjson.dumps(self._done))

    def _read_state(self) -> dict[str, list[int]]:
        """Return which files were read; none if that is not known, as each event is stored only once anyway."""
        try:
            state = orjson.loads(self._state.read_bytes())
            if isinstance(state, dict):
                return state
            reason = f"it holds no object but a {type(state).__name__}"
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise_if_lacking(self._state.name, error)
            reason = f"it cannot be read: {error}"
        self.fault = f"{reason}; watched files are read again, and each of their events is stored once"
        return {}


def _patiently(send: Send, stop: threading.Event) -> Send:
    """Send again while the store is full."""

    def again(actions: Sequence[Action]) -> Sequence[dict[str, object]]:
        while True:
            try:
                return send(actions)
            except StoreFullError as error:
                log.warning("waiting: %s", error)
                if stop.wait(2.0):
                    raise

    return again
