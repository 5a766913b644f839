"""What is damaged is set aside by name, and everything else goes on: each kind of file of a data folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_lake import SLOW, document, sources
from tocsin.store.events import DocumentResult
from tocsin.store.lake.journal import journal
from tocsin.store.lake.lake import LakeStore
from tocsin.store.lake.reasons import sentence
from tocsin.store.lake.repair import repair
from tocsin.store.lake.tables.folders import folder_of, index_in, label, safe_name
from tocsin.store.mappings.reading import read_mapping
from tocsin.store.patterns import name_error

BAD, GOOD = "logs-bad-default", "logs-good-default"


@pytest.fixture
def folder(tmp_path):
    """A stopped store: two commits and ids of two indices, and one event each that is in the journal alone."""
    lake = LakeStore(tmp_path, SLOW)
    for number in (1, 2):
        lake.add([document(index, id_=f"{index}-{number}", n=number) for index in (BAD, GOOD)])
        lake.flush()
    lake.add([document(index, n=3) for index in (BAD, GOOD)])
    lake.close()
    return tmp_path


def numbers(lake, index):
    return sorted(orjson.loads(source)["n"] for source in sources(lake, patterns=(index,)))


def newest(folder, pattern):
    """Return the file that was written to last, one that is empty only where all are."""
    return max(folder.glob(pattern), key=lambda path: (path.stat().st_size > 0, path.stat().st_mtime_ns))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(byte ^ 0x5A for byte in content[: len(content) // 2])
    path.write_bytes(content)


def flip_last(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def blank_end(path):
    content = path.read_bytes()
    path.write_bytes(content[:128].ljust(len(content), b"\0"))


def change_a_word(path):
    path.write_bytes(path.read_bytes().replace(b"keyword", b"boolean"))


TABLE = f"events/{BAD}"
# What is done, to which file, the name that it is set aside by, and the events of the index that are still found.
DAMAGES = [
    (cut, f"{TABLE}/**/*.parquet", f"{BAD}/", {1, 3}),
    (empty, f"{TABLE}/**/*.parquet", f"{BAD}/", {1, 3}),
    (flip, f"{TABLE}/**/*.parquet", f"{BAD}/", {1, 3}),
    (Path.unlink, f"{TABLE}/**/*.parquet", f"{BAD}/", {1, 3}),
    (flip, f"{TABLE}/_delta_log/*0.json", BAD, set()),
    (Path.unlink, f"{TABLE}/_delta_log/*0.json", BAD, set()),
    (empty, f"{TABLE}/_delta_log/*1.json", f"{BAD}/_delta_log", {1, 3}),
    (Path.unlink, f"{TABLE}/_delta_log/*1.json", f"{BAD}/_delta_log", {1, 3}),
    (cut, "ids/*.npy", "ids/", {1, 2, 3}),
    (empty, "ids/*.npy", "ids/", {1, 2, 3}),
    (flip, "ids/*.npy", "ids/", {1, 2, 3}),
    (flip_last, "ids/*.npy", "ids/", {1, 2, 3}),
    (blank_end, "ids/*.npy", "ids/", {1, 2, 3}),
    (Path.unlink, "ids/*.npy", "ids/", {1, 2, 3}),
    (shutil.rmtree, "ids", "ids/", {1, 2, 3}),
]


@pytest.mark.parametrize(("damage", "pattern", "name", "left"), DAMAGES)
def test_what_is_damaged_is_set_aside_and_everything_else_goes_on(folder, damage, pattern, name, left):
    damage(newest(folder, pattern))
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, GOOD) == [1, 2, 3]
    assert set(numbers(lake, BAD)) == left
    [aside] = lake.set_aside()
    assert aside.name.startswith(name)
    assert aside.reason
    [outcome] = lake.add([document(GOOD, n=4)])
    assert outcome.result is DocumentResult.CREATED
    lake.flush()
    lake.maintain(clean=True)
    assert numbers(lake, GOOD) == [1, 2, 3, 4]
    lake.close()
    again = LakeStore(folder, SLOW)  # and it is said again until it is mended
    assert numbers(again, GOOD) == [1, 2, 3, 4]
    assert set(numbers(again, BAD)) == left
    assert [one.name for one in again.set_aside()] == [aside.name]
    again.close()


def test_an_index_that_is_set_aside_takes_no_events_and_loses_none(folder):
    log = next(folder.glob(f"{TABLE}/_delta_log/*0.json"))
    whole = log.read_bytes()
    flip(log)
    lake = LakeStore(folder, SLOW)
    assert [one.result for one in lake.add([document(BAD, n=4), document(GOOD, n=4)])] == [
        DocumentResult.SET_ASIDE,
        DocumentResult.CREATED,
    ]
    lake.flush()
    lake.close()
    log.write_bytes(whole)
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, BAD) == [1, 2, 3]  # the third was in the journal, which kept it
    assert numbers(lake, GOOD) == [1, 2, 3, 4]
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize("stray", [".DS_Store", "Thumbs.db", "lost+found/x", "..%2fx/_delta_log/0.json", "a[b/x"])
def test_what_lies_beside_indices_is_told_and_left_alone(folder, stray):
    path = folder / "events" / stray
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"?")
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, BAD) == numbers(lake, GOOD) == [1, 2, 3]
    assert [one.name for one in lake.set_aside()] == [f"events/{stray.partition('/')[0]}"]
    lake.close()
    assert path.read_bytes() == b"?"


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_an_index_is_known_by_its_folder_where_the_label_is_damaged(tmp_path, damage):
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document("logs-test", n=1), document("a$b", n=1)])
    lake.flush()
    lake.close()
    for path in tmp_path.glob("events/*/_index.json"):
        if damage is not Path.unlink or path.parent.name == "logs-test":
            damage(path)
    lake = LakeStore(tmp_path, SLOW)
    assert (numbers(lake, "logs-test"), numbers(lake, "a$b")) == ([1], [1])
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize("name", ["logs-test", "a$b", "é" * 127])
def test_a_label_that_says_another_index_is_not_believed(tmp_path, name):
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document(name, n=1), document("others", n=2)])
    lake.flush()
    lake.close()
    (path,) = (path for path in tmp_path.glob("events/*/_index.json") if path.parent.name != "others")
    path.write_bytes(b'{"index":"logs-tesu"}')
    lake = LakeStore(tmp_path, SLOW)
    folder_tells = path.parent.name == safe_name(name) and len(path.parent.name) < 200
    assert "logs-tesu" not in lake.names()
    assert numbers(lake, "others") == [2]
    if folder_tells:
        assert numbers(lake, name) == [1]
        assert lake.set_aside() == []
    else:  # the folder's name ends in a digest
        assert f"events/{path.parent.name}" in [damage.name for damage in lake.set_aside()]
    lake.close()


def test_a_label_whose_damage_names_another_index_is_written_anew(folder):
    label_path = folder / TABLE / "_index.json"
    whole = label_path.read_bytes()
    label_path.write_bytes(whole.replace(b"logs-bad", b"logs-odd"))
    lake = LakeStore(folder, SLOW)
    assert lake.names() == [BAD, GOOD]
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
    assert lake.set_aside() == []
    lake.close()
    assert label_path.read_bytes() == whole


def test_a_folder_that_was_renamed_holds_its_index_and_a_copy_is_set_aside(folder):
    (folder / TABLE).rename(folder / "events" / "renamed")
    shutil.copytree(folder / "events" / GOOD, folder / "events" / "copied")
    lake = LakeStore(folder, SLOW)
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
    assert [aside.name for aside in lake.set_aside()] == ["events/copied"]
    lake.close()


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_ids_are_known_without_their_list(folder, damage):
    damage(folder / "ids.json")
    lake = LakeStore(folder, SLOW)
    assert [one.name for one in lake.set_aside()] == ["ids.json"] * (damage is not Path.unlink)
    assert lake.add([document(BAD, id_=f"{BAD}-1", n=1)])[0].result is DocumentResult.SAME
    lake.close()
    lake = LakeStore(folder, SLOW)
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_events_are_found_by_ids_whose_file_is_damaged(folder, damage):
    """Rules fetch the events of their alerts so; a repair makes the ids anew, and finding fast again."""
    wanted = [f"{BAD}-1", f"{BAD}-2"]
    [path] = folder.glob("ids/*.npy")
    damage(path)
    for repaired in (False, True):
        lake = LakeStore(folder, SLOW)
        there = [set(batch.ids(range(batch.rows))) for batch in lake.find([BAD], wanted)]
        assert set(wanted) <= set().union(*there)
        assert list(lake.find([BAD], [])) == []
        lake.close()
        if not repaired:
            repair(folder, print)


def test_ids_that_a_crash_left_beside_their_list(folder):
    listed = (folder / "ids.json").read_bytes()
    [old] = folder.glob("ids/*.npy")
    kept = old.read_bytes()
    lake = LakeStore(folder, SLOW)
    lake.add([document(BAD, id_=f"{BAD}-9", n=9)])
    lake.flush()
    lake.close()
    (folder / "ids.json").write_bytes(listed)  # before it was written anew, and what was merged removed
    old.write_bytes(kept)
    lake = LakeStore(folder, SLOW)
    assert lake.set_aside() == []
    assert lake.add([document(BAD, id_=f"{BAD}-1", n=1)])[0].result is DocumentResult.SAME
    lake.close()


def test_ids_that_an_earlier_version_has_merged_since_they_were_listed(folder):
    listed = (folder / "ids.json").read_bytes()
    lake = LakeStore(folder, SLOW)
    lake.add([document(BAD, id_=f"{BAD}-9", n=9)])
    lake.flush()
    lake.close()
    (folder / "ids.json").write_bytes(listed)
    lake = LakeStore(folder, SLOW)
    assert lake.set_aside() == []
    for number in (1, 9):
        assert lake.add([document(BAD, id_=f"{BAD}-{number}", n=number)])[0].result is DocumentResult.SAME
    lake.close()


@pytest.fixture(scope="module")
def checkpointed(tmp_path_factory):
    """A stopped store with a checkpoint among the commits of an index."""
    folder = tmp_path_factory.mktemp("checkpointed")
    lake = LakeStore(folder, SLOW)
    lake.add([document(GOOD, n=1)])
    for number in range(53):
        lake.add([document(BAD, n=number)])
        lake.flush()
    lake.close()
    return folder


@pytest.mark.parametrize("pattern", ["*.checkpoint.parquet", "_last_checkpoint"])
@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_an_index_is_read_without_its_checkpoint(checkpointed, tmp_path, damage, pattern):
    folder = shutil.copytree(checkpointed, tmp_path / "data")
    damage(next((folder / TABLE / "_delta_log").glob(pattern)))
    for more in ([], [99]):
        lake = LakeStore(folder, SLOW)
        assert numbers(lake, BAD) == [*range(53), *more]
        named = [one.name for one in lake.set_aside()]
        assert all(name.startswith(f"{BAD}/_delta_log/") and "checkpoint" in name for name in named)
        assert bool(named) == (pattern != "_last_checkpoint")  # without which nothing is lost but time
        assert lake.add([document(BAD, id_="99", n=99)])[0].result is not DocumentResult.SET_ASIDE
        lake.flush()
        lake.close()
    assert repair(folder, print) == []
    lake = LakeStore(folder, SLOW)
    assert numbers(lake, BAD) == [*range(53), 99]
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("Kernel error: it is no\nStack backtrace:\n   0: <unknown>\n   1: <unknown>", "Kernel error: it is no"),
        ("Generic error: gone\n\n   0: <unknown>\n   1: __libc_start_main", "Generic error: gone"),
        ("two\nlines", "two lines"),
        ("at 10: 20 bytes", "at 10: 20 bytes"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_a_reason_is_a_sentence_without_a_backtrace(told, left):
    assert sentence(told) == left
    assert sentence(ValueError(told)).startswith("ValueError: ")


NUMBERS_AS_WORDS = read_mapping({"properties": {"n": {"type": "keyword"}}}, {})


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink, change_a_word])
def test_a_mapping_that_is_damaged_or_gone_sets_its_index_aside_until_it_is_repaired(tmp_path, damage):
    lake = LakeStore(tmp_path, SLOW)
    for index in (BAD, GOOD):
        lake.begin(index, NUMBERS_AS_WORDS)
        lake.add([document(index, n=1)])
    lake.close()
    damage(tmp_path / "mappings" / f"{BAD}.json")
    for _ in range(2):
        lake = LakeStore(tmp_path, SLOW)
        assert [one.name for one in lake.set_aside()] == [BAD]
        assert f"mappings/{BAD}.json" in lake.set_aside()[0].reason
        assert numbers(lake, GOOD) == [1]
        lake.close()
    assert repair(tmp_path, print) == []
    lake = LakeStore(tmp_path, SLOW)
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1], [1])
    lake.begin(BAD, NUMBERS_AS_WORDS)
    lake.close()


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink])
def test_mappings_are_known_without_their_list(tmp_path, damage):
    lake = LakeStore(tmp_path, SLOW)
    lake.begin(BAD, NUMBERS_AS_WORDS)
    lake.begin(GOOD, NUMBERS_AS_WORDS)
    lake.close()
    damage(tmp_path / "mappings.json")
    lake = LakeStore(tmp_path, SLOW)
    assert lake.mapping(BAD) == NUMBERS_AS_WORDS
    assert [one.name for one in lake.set_aside()] == ["mappings.json"] * (damage is not Path.unlink)
    lake.close()
    assert repair(tmp_path, print) == []


def test_a_folder_that_is_gone_since_the_last_stop(folder):
    shutil.rmtree(folder / TABLE)
    lake = LakeStore(folder, SLOW)
    assert [(one.name, "2 events" in one.reason) for one in lake.set_aside()] == [(BAD, True)]
    assert numbers(lake, GOOD) == [1, 2, 3]
    lake.close()


@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
def test_a_segment_that_is_gone_since_the_last_stop(folder, damage):
    segment = newest(folder, "journal/*.journal")
    damage(segment)
    lake = LakeStore(folder, SLOW)
    assert [one.name for one in lake.set_aside()] == [f"journal/{segment.name}"]
    assert numbers(lake, GOOD) == [1, 2]
    lake.close()


@pytest.fixture
def killed(folder):
    """The store as a kill leaves it: three commits, one of them made since the start, and one journalled event."""
    lake = LakeStore(folder, SLOW)
    lake.flush()
    lake.add([document(index, n=4) for index in (BAD, GOOD)])
    copy = folder / "killed"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("killed", "*.new"))
    lake.close()
    return copy


def test_a_kill_leaves_nothing_that_is_told_of(killed):
    lake = LakeStore(killed, SLOW)
    assert lake.set_aside() == []
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3, 4], [1, 2, 3, 4])
    lake.close()


@pytest.mark.parametrize(
    ("damage", "pattern", "name", "left"),
    [
        (Path.unlink, f"{TABLE}/_delta_log/*2.json", f"{BAD}/_delta_log", {1, 2, 4}),
        (cut, f"{TABLE}/_delta_log/*2.json", f"{BAD}/_delta_log", {1, 2, 4}),
        (empty, f"{TABLE}/_delta_log/*2.json", f"{BAD}/_delta_log", {1, 2, 4}),
        (Path.unlink, "journal/*.journal", "journal/", {1, 2, 3}),
        (shutil.rmtree, TABLE, BAD, set()),
    ],
)
def test_what_is_gone_since_a_kill_is_told_and_what_is_left_of_it_repaired(killed, damage, pattern, name, left):
    damage(newest(killed, pattern))
    for _ in range(2):  # and again until it is mended
        lake = LakeStore(killed, SLOW)
        [aside] = lake.set_aside()
        assert aside.name.startswith(name)
        assert set(numbers(lake, BAD)) == left
        lake.close()
    assert repair(killed, print) == []
    lake = LakeStore(killed, SLOW)
    if name == f"{BAD}/_delta_log":  # the file that the table did not name was there still
        assert numbers(lake, BAD) == [1, 2, 3, 4]
    if name != "journal/":
        assert numbers(lake, GOOD) == [1, 2, 3, 4]
    lake.close()


# ---- the journal


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_flipped_byte_in_the_journal_costs_its_own_frame(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("journal")
    segment = journal.Segment(folder, 1)
    bounds = [0]
    for number in range(5):
        entry = journal.Entry("i", str(number), True, number, number, b'{"n":%d}' % number * 20)
        segment.append([[entry]])
        bounds.append(segment.size)
    segment.close()
    content = bytearray(segment.path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    segment.path.write_bytes(content)
    entries, damaged, cut_off, *_ = journal.read(segment.path)
    assert not cut_off  # that is what a write leaves that was not finished
    hit = next(number for number in range(5) if bounds[number] <= at < bounds[number + 1])
    assert [entry.id for entry in entries] == [str(number) for number in range(5) if number != hit]
    assert damaged == bounds[hit + 1] - bounds[hit]


def copy_as(number):
    def copy(segment):
        shutil.copy(segment, journal.path_of(segment.parent, number))

    return copy


def append_itself(segment):
    segment.write_bytes(segment.read_bytes() * 2)


@pytest.mark.parametrize("damage", [copy_as(2), copy_as(77), append_itself])
def test_copies_of_the_journal_are_set_aside_and_add_no_event(folder, damage):
    damage(newest(folder, "journal/*.journal"))
    lake = LakeStore(folder, SLOW)
    [aside] = lake.set_aside()
    assert aside.name.startswith("journal/")
    assert "copies" in aside.reason
    lake.close()
    for _ in range(2):
        lake = LakeStore(folder, SLOW)
        assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
        lake.flush()
        assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
        assert {aside.name for aside in lake.set_aside()} <= {aside.name}
        lake.close()
    assert repair(folder, print) == []
    lake = LakeStore(folder, SLOW)
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
    lake.close()


def test_a_segment_that_was_renamed_is_read_under_its_own_name(folder):
    segment = newest(folder, "journal/*.journal")
    segment.rename(journal.path_of(segment.parent, 77))
    lake = LakeStore(folder, SLOW)
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
    assert lake.set_aside() == []
    lake.close()


def test_a_copy_of_a_segment_that_has_gone_into_tables_adds_no_event(folder):
    segment = newest(folder, "journal/*.journal")
    content = segment.read_bytes()
    lake = LakeStore(folder, SLOW)
    lake.flush()
    lake.close()
    assert not segment.exists()
    journal.path_of(segment.parent, 77).write_bytes(content)
    lake = LakeStore(folder, SLOW)
    lake.flush()
    assert (numbers(lake, BAD), numbers(lake, GOOD)) == ([1, 2, 3], [1, 2, 3])
    lake.close()


def leave_one_frame(segment):
    length = int.from_bytes(segment.read_bytes()[:4], "little")
    segment.write_bytes(segment.read_bytes()[: 8 + length])


def cut_a_frame(segment):
    segment.write_bytes(segment.read_bytes()[:-3])


def remove_the_first_frame(segment):
    length = int.from_bytes(segment.read_bytes()[:4], "little")
    segment.write_bytes(segment.read_bytes()[8 + length :])


@pytest.mark.parametrize("damage", [empty, cut, cut_a_frame, leave_one_frame, remove_the_first_frame, Path.unlink])
def test_what_was_acknowledged_and_is_gone_after_a_kill_is_told(folder, damage):
    """A kill leaves whole frames, or one more that is cut off and was not acknowledged."""
    lake = LakeStore(folder, SLOW)
    lake.flush()
    for number in (4, 5):
        lake.add([document(GOOD, n=number)])
    copy = folder / "killed"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("killed", "*.new"))
    lake.close()
    segment = newest(copy, "journal/*.journal")
    with segment.open("ab") as file:
        file.write(segment.read_bytes()[:20])  # a write that was not finished
    lake = LakeStore(Path(shutil.copytree(copy, folder / "unfinished")), SLOW)
    assert (lake.set_aside(), numbers(lake, GOOD)) == ([], [1, 2, 3, 4, 5])
    lake.close()
    segment.write_bytes(segment.read_bytes()[:-20])
    damage(segment)
    for _ in range(2):  # and again until it is mended
        lake = LakeStore(copy, SLOW)
        assert [aside.name for aside in lake.set_aside()] == [f"journal/{segment.name}"]
        lake.close()
    assert repair(copy, print) == []


def test_a_damaged_mark_is_told(folder):
    flip(folder / "journal.mark")
    lake = LakeStore(folder, SLOW)
    assert [aside.name for aside in lake.set_aside()] == ["journal.mark"]
    lake.close()
    lake = LakeStore(folder, SLOW)
    assert lake.set_aside() == []
    lake.close()


@pytest.mark.parametrize("name", ["connectors", "events", "ids", "journal", "mappings", "records", "uuid"])
def test_an_index_may_be_called_as_a_part_of_the_folder(folder, name):
    lake = LakeStore(folder, SLOW)
    lake.add([document(name, n=1)])
    lake.flush()
    lake.report_damage(name, "what lies beside the indices is damaged")
    [aside] = lake.set_aside()
    assert (aside.name, aside.index) == (name, None)
    assert numbers(lake, name) == [1]
    lake.close()
    flip(next(folder.glob(f"events/{name}/_delta_log/*0.json")))
    lake = LakeStore(folder, SLOW)
    assert [(aside.name, aside.index) for aside in lake.set_aside()] == [(name, name)]
    assert numbers(lake, GOOD) == [1, 2, 3]
    lake.close()
    assert repair(folder, print) == []


def test_a_damaged_frame_is_told_and_its_segment_kept(folder):
    segment = newest(folder, "journal/*.journal")
    content = bytearray(segment.read_bytes())
    content[20] ^= 1
    segment.write_bytes(content)
    lake = LakeStore(folder, SLOW)
    assert [one.name for one in lake.set_aside()] == [f"journal/{segment.name}"]
    lake.flush()
    lake.close()
    assert segment.read_bytes() == content


# ---- names of folders

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Lu", "Lt", "C", "Z")), min_size=1, max_size=255)


@given(st.lists(NAMES.filter(lambda name: name_error(name) is None), min_size=2, max_size=6, unique=True))
@settings(max_examples=300, deadline=None)
def test_each_name_that_is_allowed_has_a_safe_folder_of_its_own(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("events")
    for name in names:
        label(folder_of(root, name), name)
    for name in names:
        folder = folder_of(root, name)
        assert index_in(folder) == name
        assert folder.parent == root
        assert len(folder.name) <= 255
        assert set(folder.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-=")
        assert folder.name not in (".", "..")
    assert len(list(root.iterdir())) == len(names)


@pytest.mark.parametrize(
    "names",
    [("vic.tim", "vic%2etim"), ("..%2fx", "%2e%2e%2fx"), ("a$b", "a=24b"), ("a[b", "a'b", "ünï", "é" * 127)],
)
def test_indices_with_unusual_names_are_there_after_a_restart(tmp_path, names):
    lake = LakeStore(tmp_path, SLOW)
    assert {one.result for one in lake.add([document(name, n=1) for name in names])} == {DocumentResult.CREATED}
    lake.flush()
    lake.close()
    lake = LakeStore(tmp_path, SLOW)
    assert lake.names() == sorted(names)
    lake.add([document(name, n=2) for name in names])
    lake.flush()
    assert [numbers(lake, name) for name in names] == [[1, 2]] * len(names)
    assert lake.set_aside() == []
    lake.close()


def test_a_folder_of_an_earlier_version_keeps_its_name(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document("a=24b", n=1)])
    lake.flush()
    lake.close()
    old = tmp_path / "events" / "a=24b"  # as it was named before, without a label
    (tmp_path / "events" / safe_name("a=24b")).rename(old)
    (old / "_index.json").unlink()
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document("a$b", n=2)])
    lake.flush()
    assert (numbers(lake, "a=24b"), numbers(lake, "a$b")) == ([1], [2])
    lake.close()
