"""One process at a time uses a store's folder: a lock on a file in it, which ends with the process."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout


def guard_of(folder: Path) -> FileLock:
    """Return the lock that whoever opens a store holds."""
    return FileLock(folder / "lock")


def in_use(folder: Path) -> bool:
    """Return whether a process has the store of a folder open. The folder is left as it is."""
    if not (folder / "lock").is_file():
        return False
    guard = guard_of(folder)
    try:
        guard.acquire(timeout=0)
    except (Timeout, PermissionError):
        return True
    guard.release()
    return False
