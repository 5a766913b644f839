"""A flipped byte of a Parquet file is noticed wherever it lies, also where it would make another value."""

from __future__ import annotations

import shutil
from datetime import timedelta

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.test_lake import NOW, SLOW, document
from tocsin.store.events import ID, Scan, StoreError
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.repair import check, repair

INDEX, OTHER = "logs-bad-default", "logs-good-default"
FIELDS = {"process.name", "process.command_line", "process.pid", "process.args", "@timestamp"}


def events_of(number):
    """Events with short and long texts, numbers and lists, none of which says what another one says."""
    process = {
        "name": f"{number:08}.exe",
        "command_line": f"{number} " * 40,
        "pid": number,
        "args": [f"a{number}", "b"],
    }
    time = NOW + timedelta(seconds=number)
    return [document(index, id_=f"{index}-{number}", time=time, process=process) for index in (INDEX, OTHER)]


@pytest.fixture(params=["as they came", "ordered"], scope="module")
def stored(request, tmp_path_factory):
    """A stopped store of two indices with 40 events each."""
    folder = tmp_path_factory.mktemp("stored")
    lake = LakeStore(folder, SLOW)
    for start in (0, 20):
        lake.add([one for number in range(start, start + 20) for one in events_of(number)])
        lake.flush()
    if request.param == "ordered":
        assert lake.maintain(clean=True) == 2
    lake.close()
    return folder


def copied(folder, tmp_path_factory):
    return shutil.copytree(folder, tmp_path_factory.mktemp("copied") / "data")


def flip(path, at, by=0x01):
    content = bytearray(path.read_bytes())
    content[at] ^= by
    path.write_bytes(content)


def files(folder, index=INDEX):
    return sorted(folder.glob(f"events/{index}/**/*.parquet"))


def place_in(path, column):
    """Return the middle of what a file's first row group has of a column."""
    group = pq.read_metadata(path).row_group(0)
    chunk = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == column)
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return start + chunk.total_compressed_size // 2


def read(lake, index):
    """Return what is found of each event: its values and its document."""
    found = {}
    for batch in lake.scan(Scan((index,), FIELDS | {ID})):
        rows = range(batch.rows)
        columns = {name: column.to_pylist() for name, column in batch.columns.items()}
        for row, id_, source in zip(rows, batch.ids(rows), batch.sources(rows), strict=True):
            found[id_] = ({name: column[row] for name, column in columns.items()}, orjson.loads(source))
    return found


def read_on(lake, index):
    """Return what is found, asking again where a file turns out to be damaged while it is read."""
    try:
        return read(lake, index)
    except StoreError:
        return read(lake, index)


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_never_changes_a_value_and_what_it_costs_is_named(stored, tmp_path_factory, data):
    lake = LakeStore(copied(stored, tmp_path_factory), SLOW)
    whole = {index: read(lake, index) for index in (INDEX, OTHER)}
    lake.close()
    folder = copied(stored, tmp_path_factory)
    path = data.draw(st.sampled_from(range(len(files(folder)))).map(lambda number: files(folder)[number]))
    flip(path, data.draw(st.integers(4, path.stat().st_size - 1)), data.draw(st.integers(1, 255)))
    lake = LakeStore(folder, SLOW)
    left = read_on(lake, INDEX)
    assert left.items() <= whole[INDEX].items()
    named = [f"{INDEX}/{path.relative_to(folder / 'events' / INDEX)}"]
    assert [one.name for one in lake.set_aside()] == (named if len(left) < len(whole[INDEX]) else [])
    assert read(lake, OTHER) == whole[OTHER]
    lake.close()
    assert [one.name for one in check(folder)] == named  # where a column is damaged that nobody has read, too


@pytest.mark.parametrize("column", ["_source", "_id"])
def test_documents_and_ids_are_compared_when_they_are_read(stored, tmp_path_factory, column):
    folder = copied(stored, tmp_path_factory)
    for path in files(folder):
        flip(path, place_in(path, column))
    lake = LakeStore(folder, SLOW)
    [batch, *_] = lake.scan(Scan((INDEX,), {"process.pid"}))
    with pytest.raises(StoreError, match="cannot be read"):
        batch.sources([0]) if column == "_source" else batch.ids([0])
    assert [one.index for one in lake.set_aside()] == [INDEX]
    lake.close()


def test_what_is_damaged_is_not_written_anew_with_checksums_that_are_right(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    for number in (1, 2):
        lake.add(events_of(number))
        lake.flush()
    damaged = files(tmp_path)[0]
    flip(damaged, place_in(damaged, "process.pid"))
    content = damaged.read_bytes()
    assert lake.maintain(clean=True) == 1  # the other index alone
    assert damaged.read_bytes() == content
    assert [one.index for one in lake.set_aside()] == [INDEX]
    assert len(read(lake, INDEX)) == 1
    lake.close()


def test_files_of_an_earlier_version_are_read_and_get_checksums(stored, tmp_path_factory):
    folder = copied(stored, tmp_path_factory)
    written = {path.name: path.read_bytes() for path in folder.glob("events/*/_checksums/*")}
    for path in folder.glob("events/*/_checksums"):
        shutil.rmtree(path)
    lake = LakeStore(folder, SLOW)
    assert len(read(lake, INDEX)) == 40
    assert lake.set_aside() == []
    lake.maintain(clean=True)
    lake.close()
    made = {path.name: path.read_bytes() for path in folder.glob("events/*/_checksums/*")}
    assert made.keys() == {f"{path.name}.crc" for index in (INDEX, OTHER) for path in files(folder, index)}
    assert {name: content for name, content in written.items() if name in made}.items() <= made.items()


@pytest.mark.parametrize("damage", [lambda path: flip(path, 9), lambda path: path.write_bytes(b"")])
def test_checksums_that_are_damaged_are_told_and_their_file_is_read(stored, tmp_path_factory, damage):
    folder = copied(stored, tmp_path_factory)
    path = folder / "events" / INDEX / "_checksums" / f"{files(folder)[0].name}.crc"
    damage(path)
    lake = LakeStore(folder, SLOW)
    assert len(read(lake, INDEX)) == 40
    assert [one.name for one in lake.set_aside()] == [f"{INDEX}/_checksums/{path.name}"]
    lake.maintain(clean=True)
    assert len(read(lake, INDEX)) == 40
    lake.close()
    assert repair(folder, print) == []
    lake = LakeStore(folder, SLOW)
    assert len(read(lake, INDEX)) == 40
    lake.close()


@pytest.mark.parametrize("column", ["process.pid", "_user"])  # values that documents have too
def test_repair_makes_damaged_columns_anew_from_documents(stored, tmp_path_factory, column):
    lake = LakeStore(copied(stored, tmp_path_factory), SLOW)
    whole = read(lake, INDEX)
    lake.close()
    folder = copied(stored, tmp_path_factory)
    flip(files(folder)[0], place_in(files(folder)[0], column))
    told: list[str] = []
    assert repair(folder, told.append) == []
    lake = LakeStore(folder, SLOW)
    assert read(lake, INDEX) == whole
    lake.close()


def test_checksums_go_with_their_files(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    for number in (1, 2, 3):
        lake.add(events_of(number))
        lake.flush()
    lake.maintain(clean=True)
    lake.maintain(clean=True)
    for index in (INDEX, OTHER):
        kept = {path.name for path in tmp_path.glob(f"events/{index}/_checksums/*")}
        assert kept == {f"{path.name}.crc" for path in files(tmp_path, index)}
    lake.close()
