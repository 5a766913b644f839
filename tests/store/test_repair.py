"""What `tocsin store repair` mends of each kind of damage, and that nothing is deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.store.test_damage import BAD, DAMAGES, GOOD, TABLE, flip, folder, newest, numbers
from tests.store.test_lake import SLOW, document
from tocsin.store.events import DocumentResult
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.repair import check, repair

__all__ = ["folder"]  # the fixture

# The events of the damaged index that are found again. A file that is no more takes its events along.
_LEFT = {damage: {1, 2, 3} for damage in range(len(DAMAGES))} | {0: {1, 3}, 1: {1, 3}, 2: {1, 3}, 3: {1, 3}}


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_repair_finds_what_is_left_again(folder, number):
    damage, pattern, name, _ = DAMAGES[number]
    damage(newest(folder, pattern))
    contents = {path.read_bytes() for path in folder.rglob("*.parquet")}
    assert [one.name.startswith(name) for one in check(folder)] == [True]
    told: list[str] = []
    assert repair(folder, told.append) == []
    assert told
    assert contents <= {path.read_bytes() for path in folder.rglob("*.parquet")}
    lake = LakeStore(folder, SLOW)
    assert set(numbers(lake, BAD)) == _LEFT[number]
    assert len(numbers(lake, BAD)) == len(_LEFT[number])
    assert numbers(lake, GOOD) == [1, 2, 3]
    known = [lake.add([document(index, id_=f"{index}-1", n=1)])[0].result for index in (BAD, GOOD)]
    assert known == [DocumentResult.SAME, DocumentResult.SAME]
    lake.add([document(BAD, n=9)])
    lake.flush()
    lake.close()
    lake = LakeStore(folder, SLOW)
    assert set(numbers(lake, BAD)) == _LEFT[number] | {9}
    assert lake.set_aside() == []
    lake.close()


def test_files_of_before_and_after_ordering_make_each_event_once(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    for start in range(0, 40, 10):
        lake.add([document(BAD, n=number, user={"name": f"u{number}"}) for number in range(start, start + 10)])
        lake.flush()
    lake.maintain()
    lake.close()
    assert len(list(tmp_path.glob(f"{TABLE}/**/*.parquet"))) > 1
    shutil.rmtree(tmp_path / TABLE / "_delta_log")
    repair(tmp_path, print)
    lake = LakeStore(tmp_path, SLOW)
    assert numbers(lake, BAD) == list(range(40))
    lake.close()


def test_a_store_without_damage_is_left_as_it_is(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    assert check(folder) == []
    told: list[str] = []
    assert repair(folder, told.append) == []
    assert told == []
    assert before.items() <= {path: path.read_bytes() for path in folder.rglob("*.parquet")}.items()


def test_strays_and_damaged_segments_are_moved(folder):
    flip(newest(folder, "journal/*.journal"))
    stray = folder / "events" / ".DS_Store"
    stray.write_bytes(b"?")
    assert len(check(folder)) == 2
    repair(folder, print)
    assert check(folder) == []
    assert [path.read_bytes() for path in Path(folder / "damaged").rglob(".DS_Store")] == [b"?"]
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, GOOD) == [1, 2]
    lake.close()
