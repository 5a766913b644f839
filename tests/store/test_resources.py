"""What fails for want of memory, threads, file handles or room is never taken for damage."""

from __future__ import annotations

import errno
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from tests.store.test_lake import SLOW
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeStore
from tocsin.store.resources import is_lack_of_memory, is_lack_of_resources

MEMORY = [
    MemoryError(),
    pa.ArrowMemoryError("malloc of size 128 failed"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    RuntimeError("can't start new thread"),
    RuntimeError("Failed to launch worker thread: Resource temporarily unavailable"),
    pa.ArrowInvalid("std::bad_alloc"),
    BaseException('called `Result::unwrap()` on an `Err` value: Os { code: 11, kind: WouldBlock, message: "…" }'),
]
OTHERS = [
    OSError(errno.EMFILE, "Too many open files"),
    OSError("Generic LocalFileSystem error: Unable to open file: Too many open files (os error 24)"),
    OSError(errno.ENOSPC, "No space left on device"),
    sqlite3.OperationalError("unable to open database file"),
    sqlite3.OperationalError("database or disk is full"),
]
DAMAGE = [
    OSError(errno.EIO, "Input/output error"),
    OSError("Corrupt snappy compressed data."),
    pa.ArrowInvalid("Parquet magic bytes not found in footer. Either the file is corrupted or this is not a file"),
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    ValueError("its checksum is wrong"),
    sqlite3.DatabaseError("file is not a database"),
]


@pytest.mark.parametrize("error", MEMORY, ids=repr)
def test_lack_of_memory_and_threads_is_told_from_damage(error):
    assert is_lack_of_memory(error)
    assert is_lack_of_resources(error)


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_lack_of_handles_and_room_is_told_from_damage(error):
    assert is_lack_of_resources(error)
    assert not is_lack_of_memory(error)


@pytest.mark.parametrize("error", DAMAGE, ids=repr)
def test_damage_is_told_from_lack_of_resources(error):
    assert not is_lack_of_resources(error)


def test_an_error_is_what_it_came_from():
    error = ValueError("no footer")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert is_lack_of_resources(error)


_OPEN = """
import json, os, resource, sys
from pathlib import Path
from tocsin.errors import TocsinError
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.records.salvage import damage_of
import deltalake, pyarrow.parquet
folder, free = Path(sys.argv[1]), int(sys.argv[2])
used = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + free, used + free))
told = {}
try:
    store = LakeStore(folder, LakeSettings(flush_after=3600, maintain_every=3600))
    told["set_aside"] = [one.name for one in store.set_aside()]
    os._exit(print(json.dumps(told), flush=True) or 0)
except (TocsinError, OSError) as error:
    told["error"] = str(error)
told["records"] = damage_of(folder / "records.db")
os._exit(print(json.dumps(told), flush=True) or 0)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("free", [1, 3, 5, 8, 12])
def test_a_start_with_too_few_file_handles_sets_nothing_aside(tmp_path, free):
    with closing(LakeStore(tmp_path, SLOW)) as store:
        for index in ("logs-a-default", "logs-b-default"):
            store.add([Document(index, 10**18, b'{"@timestamp":"2001-09-09T01:46:40Z"}', "one")])
    sqlite3.connect(tmp_path / "records.db").execute("CREATE TABLE a (b)").connection.close()
    command = [sys.executable, "-c", _OPEN, str(tmp_path), str(free)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    told = json.loads(done.stdout)
    assert told.get("set_aside", []) == []
    assert told.get("records") is None
    with closing(LakeStore(tmp_path, SLOW)) as store:
        assert store.set_aside() == []
        assert sorted(info.name for info in store.indices()) == ["logs-a-default", "logs-b-default"]
