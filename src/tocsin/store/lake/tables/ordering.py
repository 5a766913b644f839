"""Slices are ordered in a process of their own, at the lowest priority: events that come in, and alerts, go first.

When the service is killed, the process lives on until its slice is done. A lock keeps it and that of the next
service apart, as delta-rs does not notice that two processes rewrite the same files.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock

from tocsin.store.events import StoreError
from tocsin.store.lake.tables.slices import Slice, order_slice

_LOWEST = 19
_MEMORY = (
    1 << 20
)  # kibibytes, beyond which the process makes room for a new one: what it took it does not give back


class OrderingProcess:
    """A process that orders slices, started with the first slice. For one thread only."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()

    def order(self, path: Path, slice_: Slice) -> None:
        """Write the files of a table's slice anew as one. Raises StoreError when that fails."""
        process = self._started()
        asked = json.dumps(
            {"path": str(path), "day": str(slice_.day), "slice": slice_.number, "complete": slice_.complete}
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(asked.encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError as error:
            line, problem = b"", str(error)
        else:
            problem = "the process has ended"
        answer: dict[str, Any] = json.loads(line) if line else {"error": problem, "ends": True}
        if answer["ends"]:
            self._end()
        if answer["error"] is None:
            return
        raise StoreError(
            f"slice {slice_.number} of {slice_.day} of {path.name} cannot be ordered: {answer['error']}"
        )

    def close(self) -> None:
        """End the process; a slice that it was at is left as it was."""
        self._closing.set()
        self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._closing.is_set():
            raise StoreError("the store is closed")
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tocsin.store.lake.tables.ordering", str(self._lock)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        return self._process

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def main() -> None:
    """Read requests to order slices, a line each, and answer each with a line."""
    os.nice(_LOWEST)
    lock = FileLock(sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        problem: str | None = None
        try:
            with lock:
                slice_ = Slice(date.fromisoformat(asked["day"]), asked["slice"], asked["complete"])
                order_slice(Path(asked["path"]), slice_)
        except Exception as error:  # whatever it is, the service gets it
            problem = f"{type(error).__name__}: {error}"
        ends = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _MEMORY
        print(json.dumps({"error": problem, "ends": ends}), flush=True)


if __name__ == "__main__":
    main()
