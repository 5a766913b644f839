"""Whatever lies in a data folder: the store opens, the other indices are read and written, and it is named."""

from __future__ import annotations

import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.store.test_damage import BAD, GOOD, newest, numbers
from tests.store.test_lake import SLOW, document
from tocsin.store.events import DocumentResult
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.repair import check, repair
from tocsin.store.mappings.reading import read_mapping

_TIMEOUT = 120  # seconds, after which something hangs


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A stopped store with each kind of file: of a table, ids, mappings, and a segment with events of its own."""
    folder = tmp_path_factory.mktemp("stopped")
    lake = LakeStore(folder, SLOW)
    for index in (BAD, GOOD):
        lake.begin(index, read_mapping({"properties": {"a": {"type": "keyword"}}}, {}))
    lake.add([document(index, id_=f"{index}-1", n=1) for index in (BAD, GOOD)])
    lake.flush()
    lake.add([document(index, n=2) for index in (BAD, GOOD)])
    lake.close()
    return folder


@pytest.fixture
def folder(stopped, tmp_path):
    return Path(shutil.copytree(stopped, tmp_path / "data"))


def a_folder(path):
    path.mkdir()
    (path / "within").write_bytes(b"?")


def a_link_to_nothing(path):
    path.symlink_to(path.parent / "nothing")


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    here = os.open(path.parent, os.O_RDONLY)  # the path of a socket has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def a_file(path):
    path.write_bytes(b"\0?")


def an_unreadable_file(path):
    path.write_bytes(b"{}")
    path.chmod(0)


NO_FILES = [a_folder, a_link_to_nothing, a_pipe, a_socket]
FILE_KINDS = [a_file, an_unreadable_file]
IN_TABLE = f"events/{BAD}"
BESIDE = [
    "journal/stray",
    "journal/000000000009.journal",
    "journal/999999999999.journal",
    "mappings/stray",
    "mappings/stray.json",
    "ids/stray",
    "ids/ids-000000000009-000000000009.npy",
    "events/stray",
    f"{IN_TABLE}/stray",
    f"{IN_TABLE}/_delta_log/stray",
    f"{IN_TABLE}/_checksums/stray",
    f"{IN_TABLE}/_day=2026-11-20/stray",
]
WITHIN = [  # what nobody reads
    "rejected",
    "stray",
    "stopped.json.new",
    "ids.json.new",
]
FILES = [  # of an index, or ones without which the store goes on, and the name that is told
    ("journal/*.journal", "journal/"),
    ("mappings/logs-bad*.json", BAD),
    ("ids/*.npy", "ids/"),
    (f"{IN_TABLE}/_delta_log", BAD),
    (f"{IN_TABLE}/_delta_log/*0.json", BAD),
    (f"{IN_TABLE}/**/*.parquet", f"{BAD}/"),
    (f"{IN_TABLE}/_checksums/*.crc", f"{BAD}/"),
    (f"{IN_TABLE}/_checksums", f"{BAD}/"),
    ("ids.json", "./ids.json"),
    ("mappings.json", "./mappings.json"),
    ("stopped.json", "./stopped.json"),
    ("lock", "./lock"),
]


def in_time(work):
    """Return what some work does; it fails where that waits for a writer of a pipe."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result(_TIMEOUT)
    finally:
        pool.shutdown(wait=False)


def goes_on(folder, expected):
    """Open a store, see that another index is read and written, and return the names of what is set aside.

    `expected` are the numbers of its events, and grow by one.
    """
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, GOOD) == expected
    numbers(lake, BAD)
    lake.add([document(GOOD, n=expected[-1] + 1)])
    lake.flush()
    lake.maintain(clean=True)
    expected.append(expected[-1] + 1)
    assert numbers(lake, GOOD) == expected
    names = [one.name for one in lake.set_aside()]
    lake.close()
    return names


@pytest.mark.parametrize("make", [*NO_FILES, a_file, an_unreadable_file], ids=lambda make: make.__name__)
def test_strays_are_named_and_left_alone(folder, make):
    for place in (*BESIDE, *WITHIN):
        make(folder / place)
    expected = [1, 2]
    for _ in range(2):
        names = in_time(lambda: goes_on(folder, expected))
        wanted = {place for place in BESIDE if make in NO_FILES or place.endswith("/stray")}
        assert wanted <= {*names}
    if make in NO_FILES:
        assert all(os.path.lexists(folder / place) for place in (*BESIDE, *WITHIN) if place != "rejected")
    told: list[str] = []
    assert in_time(lambda: repair(folder, told.append)) == [], told
    assert in_time(lambda: goes_on(folder, expected)) == []


@pytest.mark.parametrize("make", NO_FILES[:3], ids=lambda make: make.__name__)
@pytest.mark.parametrize(("pattern", "name"), FILES, ids=[pattern for pattern, _ in FILES])
def test_what_lies_in_the_place_of_a_file_is_named_until_a_repair(folder, pattern, name, make):
    path = newest(folder, pattern)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    make(path)
    expected = [1] if name == "journal/" else [1, 2]  # the second was in the journal alone
    names = in_time(lambda: goes_on(folder, expected))
    assert all(found.startswith((name, IN_TABLE)) for found in names), names
    assert names or "_checksums" in pattern, "checksums that are not there are made anew"
    assert names == [one.name for one in in_time(lambda: check(folder))] or "_checksums" in pattern
    told: list[str] = []
    assert in_time(lambda: repair(folder, told.append)) == [], told
    assert in_time(lambda: goes_on(folder, expected)) == []


@pytest.mark.parametrize("make", [a_link_to_nothing, a_pipe, a_file], ids=lambda make: make.__name__)
@pytest.mark.parametrize("place", ["events", "journal", "ids", "mappings", "rejected", "damaged", "rebuilding"])
def test_what_lies_in_the_place_of_a_folder_is_moved_and_named(folder, place, make):
    shutil.rmtree(folder / place, ignore_errors=True)
    make(folder / place)
    lake = in_time(lambda: LakeStore(folder, SLOW))
    [outcome] = lake.add([document("logs-new-default", n=9)])
    assert outcome.result is DocumentResult.CREATED
    lake.flush()
    assert numbers(lake, "logs-new-default") == [9]
    assert f"./{place}" in [one.name for one in lake.set_aside()]
    lake.close()
    assert [path for path in folder.rglob("*") if path.name.startswith(place)]
