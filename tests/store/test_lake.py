"""The event store: what it promises in `tocsin.store.events`, on a real disk."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest
from benchmarks.fleet import Fleet
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.waiting import eventually
from tocsin.moments import to_nanoseconds
from tocsin.store.events import ARRIVED, Document, DocumentResult, Scan, StoreError, StoreFullError
from tocsin.store.lake.journal import journal
from tocsin.store.lake.lake import LakeSettings, LakeStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SLOW = LakeSettings(flush_after=1e9, maintain_every=1e9, clean_after=0, quiet=0)  # nothing happens by itself


@pytest.fixture
def store(tmp_path):
    lake = LakeStore(tmp_path / "data", SLOW)
    yield lake
    lake.close()


def document(index="logs-test-default", id_=None, time=NOW, **fields):
    event = {"@timestamp": time.isoformat(), **fields}
    return Document(index, to_nanoseconds(time), orjson.dumps(event), id_)


def fleet(count, seed=1):
    documents = []
    for event in Fleet(seed).events(count):
        index = event.get("_index") or f"logs-{(event.get('data_stream') or {}).get('dataset', 'other')}"
        documents.append(Document(index, to_nanoseconds(event["@timestamp"]), orjson.dumps(event)))
    return documents


def events(store, fields=(), patterns=("*",), **scan):
    """Return (index, id, source, values) of every event."""
    found: list[tuple[str, str, bytes, dict[str, Any]]] = []
    for batch in store.scan(Scan(patterns, {*fields}, **scan)):
        rows = range(batch.rows)
        columns = {name: column.to_pylist() for name, column in batch.columns.items()}
        values = [{name: column[row] for name, column in columns.items()} for row in rows]
        found += zip([batch.index] * batch.rows, batch.ids(rows), batch.sources(rows), values, strict=True)
    return found


def sources(store, **scan):
    return sorted(source for _, _, source, _ in events(store, **scan))


# ---- what was added is there, to the byte


def test_an_event_is_found_at_once_and_after_each_way_it_takes(store, tmp_path):
    documents = fleet(5_000)
    wanted = sorted(d.source for d in documents)
    for start in range(0, len(documents), 1000):
        store.add(documents[start : start + 1000])
        if start == 2000:
            store.flush()
    assert sources(store) == wanted
    store.flush()
    assert sources(store) == wanted
    assert store.maintain(clean=True) > 0
    assert sources(store) == wanted
    store.close()
    again = LakeStore(tmp_path / "data", SLOW)
    assert sources(again) == wanted
    assert sum(info.events for info in again.indices()) == len(documents)
    again.close()


def test_text_is_kept_to_the_byte(store):
    texts = [
        b'{"@timestamp":"2026-11-20T12:00:00Z", "a" : 1.50, "b":"\\u00e9\\/x", "n":null}',
        b'{"@timestamp":"2026-11-20T12:00:00Z","a":1e3,"big":123456789012345678901234567890}',
        '{"@timestamp":"2026-11-20T12:00:00Z","process":{"command_line":"Ünïcode \\"quoted\\" ☃"}}'.encode(),
    ]
    store.add([Document("logs-test-default", to_nanoseconds(NOW), text) for text in texts])
    store.flush()
    assert sources(store) == sorted(texts)


@pytest.mark.parametrize("rich", [True, False])
def test_values_that_are_taken_out_of_documents_come_back(store, rich):
    documents = [
        document(process={"command_line": f'C:\\run {n if rich else 0} "{n}"', "args": ["run", f"value {n}"]})
        for n in range(500)
    ]
    store.add(documents)
    store.flush()
    assert sources(store) == sorted(d.source for d in documents)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc.%#A"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "process", "event", "x y", "é"]), JSON), max_size=12))
@example([{"a": {".": 1}}, {"a": {".b": 1, "[0]": 2, ".[": 3, "": 4, "\\": 5}}])  # names like paths of Arrow
def test_any_json_object_is_stored_and_given_back(tmp_path_factory, objects):
    folder = tmp_path_factory.mktemp("any")
    lake = LakeStore(folder, SLOW)
    documents = [document(**members) for members in objects]
    lake.add(documents)
    assert sources(lake) == sorted(d.source for d in documents)
    lake.flush()
    assert sources(lake) == sorted(d.source for d in documents)
    lake.close()
    shutil.rmtree(folder)


# ---- fields as columns


def values_of(store, field):
    return [
        values.get(field) for *_, values in sorted(events(store, [field]), key=lambda e: orjson.loads(e[2])["n"])
    ]


CONFLICTS = {
    "numbers and text in an ECS keyword": ("process.name", [1, "a", True], ["1", "a", "true"]),
    "text in an ECS long": ("process.pid", ["5", 6, "six", 7.9, [8]], [5, 6, None, 7, 8]),
    "several values in an ECS list": (
        "process.args",
        ["a", ["b", "c"], ["d"], []],
        [["a"], ["b", "c"], ["d"], []],
    ),
    "several values elsewhere": ("x.y", ["a", ["b", "c"], ["d"]], [["a"], ["b", "c"], ["d"]]),
    "a new field takes the type of its first value": ("x.n", [1, "2", "z", 3.5], [1, 2, None, 3]),
    "truth": ("process.code_signature.trusted", [True, "false", "maybe"], [True, False, None]),
    "an object where a value was": ("x.o", ["a", {"b": 1}, "c"], ["a", None, "c"]),
    "long whole numbers": ("x.l", [2**62, 2**63, 1], [2**62, None, 1]),
}


@pytest.mark.parametrize(("field", "given", "expected"), CONFLICTS.values(), ids=CONFLICTS)
@pytest.mark.parametrize("flushed", [True, False])
def test_values_of_several_types_are_converted_or_left_out(store, field, given, expected, flushed):
    store.add([document(n=n, **{field: value}) for n, value in enumerate(given)])
    if flushed:
        store.flush()
    found = values_of(store, field)
    lists = any(isinstance(value, list) for value in found)
    assert [[] if v is None and [] in expected else v for v in found] == [
        [v] if lists and v is not None and not isinstance(v, list) else v for v in expected
    ]


def test_what_does_not_fit_is_named_and_the_document_kept(store):
    documents = [document(n=0, process={"pid": 1}), document(n=1, process={"pid": "many"})]
    store.add(documents)
    store.flush()
    assert values_of(store, "_ignored") == [None, ["process.pid"]]
    assert sources(store) == sorted(d.source for d in documents)


def test_a_type_that_comes_later_does_not_change_a_field(store):
    store.add([document(n=0, x={"code": 5})])
    store.flush()
    store.add([document(n=1, x={"code": "text"}), document(n=2, x={"code": "6"})])
    store.flush()
    assert values_of(store, "x.code") == [5, None, 6]


def test_fields_beyond_the_limit_stay_in_the_document(store):
    wide = document(n=0, **{f"f{n}": n for n in range(10_000)})
    store.add([wide])
    store.flush()
    assert sources(store) == [wide.source]
    assert len(store.fields()) <= 2_000
    assert len(values_of(store, "_ignored")[0]) > 7_000


def test_names_that_tables_forbid(store):
    names = ["with space", "a;b", "a{b}", "a,b", "a=b", "100%", "back`tick", "tab\t", "hash#many", "Case", "case"]
    store.add([document(n=0, **{name: name for name in names})])
    store.flush()
    found = {name: values_of(store, name) for name in names}
    assert {name for name in names if found[name] == [name]} == {*names} - {"case"}
    assert values_of(store, "_ignored") == [["case"]]  # a table cannot have both


def test_by_columns_and_one_by_one_give_the_same(store):
    documents = fleet(3_000, seed=7)
    odd = [Document(d.index + "-odd", d.time, d.source) for d in documents]
    strange = {d.index for d in odd}
    # One object in a list makes a whole chunk of documents be read one by one.
    odd += [document(index, n=0, odd=[{"a": 1}]) for index in strange for _ in range(2)]
    store.add(documents + random.Random(1).sample(odd, len(odd)))
    fields = sorted(store.fields(["*", "-*-odd"]))
    plain = {(i, s): v for i, _, s, v in events(store, fields, ["*", "-*-odd"])}
    other = {
        (i.removesuffix("-odd"), s): v for i, _, s, v in events(store, fields, ["*-odd"]) if b'"odd"' not in s
    }
    for values in (*plain.values(), *other.values()):
        values.pop("event.ingested")
    assert plain == other


# ---- one id, one event


def test_an_id_names_one_event_for_ever(store):
    results = [
        o.result for o in store.add([document(id_="a", n=1), document(id_="a", n=1), document(id_="b", n=1)])
    ]
    assert results == [DocumentResult.CREATED, DocumentResult.SAME, DocumentResult.CREATED]
    for _ in range(2):
        again = store.add([document(id_="a", n=1), document(id_="a", n=2), document("logs-other", id_="a", n=2)])
        assert [o.result for o in again[:2]] == [DocumentResult.SAME, DocumentResult.CONFLICT]
        store.flush()
    assert sum(info.events for info in store.indices()) == 3


def test_ids_are_remembered_over_many_commits_and_starts(tmp_path):
    for start in range(6):
        lake = LakeStore(tmp_path, SLOW)
        for part in range(3):
            number = start * 3 + part
            lake.add([document(id_=f"{number}-{k}", n=k) for k in range(number + 1)])
            lake.flush()
        every = [document(id_=f"{number}-{k}", n=k) for number in range(start * 3 + 3) for k in range(number + 1)]
        assert {o.result for o in lake.add(every)} == {DocumentResult.SAME}
        lake.close()


def test_events_are_found_by_id(store):
    made = store.add([document(n=n, time=NOW + timedelta(hours=n)) for n in range(30)])
    store.add([document(id_="mine", n=99)])
    store.flush()
    store.add([document(id_="fresh", n=100)])
    for id_, n in ((made[7].id, 7), ("mine", 99), ("fresh", 100)):
        found = [
            (batch.ids([row])[0], orjson.loads(batch.sources([row])[0])["n"])
            for batch in store.find(["*"], [id_])
            for row in range(batch.rows)
        ]
        assert (id_, n) in found
    assert list(store.find(["*"], ["unknown"])) == []


# ---- nothing acknowledged is lost


FEED = """
import sys
from pathlib import Path
from tests.store.test_lake import fleet
from tocsin.store.events import Document
from tocsin.store.lake.lake import LakeSettings, LakeStore

lake = LakeStore(Path(sys.argv[1]), LakeSettings(flush_size=150_000, flush_after=0.05, maintain_every=0.05))
turn = sys.argv[2]
documents = [Document(d.index, d.time, d.source, f"{turn}-{n}") for n, d in enumerate(fleet(20_000, seed=3))]
for start in range(0, len(documents), 50):
    for outcome in lake.add(documents[start : start + 50]):
        print(outcome.id)
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_the_end_of_the_process_at_any_moment_loses_nothing(tmp_path):
    rng = random.Random(5)
    acknowledged: set[str] = set()
    for turn in range(4):
        feed = subprocess.Popen(
            [sys.executable, "-c", FEED, str(tmp_path), str(turn)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), *sys.path))},
        )
        assert feed.stdout is not None
        acknowledged.add(feed.stdout.readline().strip())
        threading.Timer(rng.random() * 2, feed.kill).start()
        acknowledged |= {line.strip() for line in feed.stdout if line.endswith("\n")}
        feed.wait()
        lake = LakeStore(tmp_path, SLOW)
        found = Counter(id_ for _, id_, _, _ in events(lake))
        assert not acknowledged - found.keys()
        assert max(found.values(), default=1) == 1
        if turn % 2:
            lake.flush()
            assert Counter(id_ for _, id_, _, _ in events(lake)) == found
        lake.close()
    assert acknowledged


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 100])
def test_what_is_behind_the_last_whole_frame_is_left_out(tmp_path, cut):
    segment = journal.Segment(tmp_path, 1)
    entries = [journal.Entry("i", str(n), True, n, n, b'{"n":%d}' % n) for n in range(20)]
    segment.append([entries[:10]])
    whole = segment.size
    segment.append([entries[10:]])
    segment.close()
    with segment.path.open("r+b") as file:
        file.truncate(max(whole, segment.size - cut))
    read, damaged, cut_off, *_ = journal.read(segment.path)
    assert (read, damaged) == (entries[:10], 0)
    assert cut_off == max(whole, segment.size - cut) - whole


def test_a_commit_that_a_power_cut_left_incomplete(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    lake.add([document(n=1)])
    lake.flush()
    lake.add([document(n=2)])
    segment = max(journal.segments(tmp_path / "journal"))
    kept = (tmp_path / "journal" / f"{segment:012}.journal").read_bytes()
    lake.flush()
    lake.close()
    log = tmp_path / "events" / "logs-test-default" / "_delta_log"
    (log / f"{1:020}.json").write_bytes(b"")
    (tmp_path / "journal" / f"{segment:012}.journal").write_bytes(kept)
    lake = LakeStore(tmp_path, SLOW)
    assert sorted(orjson.loads(source)["n"] for source in sources(lake)) == [1, 2]
    lake.flush()
    assert sorted(orjson.loads(source)["n"] for source in sources(lake)) == [1, 2]
    lake.close()


def test_a_full_disk_and_too_much_waiting_refuse_and_store_nothing(tmp_path):
    for tight, word in (
        (LakeSettings(reserve=1 << 60), "disk is full"),
        (LakeSettings(waiting_size=1000, flush_after=1e9, maintain_every=1e9), "wait to be written"),
    ):
        lake = LakeStore(tmp_path / word, tight)
        with contextlib.suppress(StoreFullError):
            for _ in range(100):
                lake.add([document(n=1)])
        before = sum(info.events for info in lake.indices())
        with pytest.raises(StoreFullError, match=word):
            lake.add([document(n=1, text="x" * 2000)])
        assert sum(info.events for info in lake.indices()) == before
        lake.close()


def test_a_disk_that_fills_while_the_journal_is_written(tmp_path):
    script = """
import resource, sys, signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tests.store.test_lake import SLOW, document, sources
from tocsin.store.events import StoreFullError
from tocsin.store.lake.lake import LakeStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lake = LakeStore(Path(sys.argv[1]), SLOW)
lake.add([document(n=1, id_="first")])
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
import random
try:
    lake.add([document(n=2, id_="second", text=random.randbytes(20_000).hex())])
except StoreFullError as error:
    print("refused:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print([o.result.value for o in lake.add([document(n=2, id_="second")])], len(sources(lake)))
lake.close()
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((os.getcwd(), *sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert "refused: the journal cannot be written" in run.stdout, run.stderr
    assert "['created'] 2" in run.stdout
    lake = LakeStore(tmp_path, SLOW)
    assert len(sources(lake)) == 2
    lake.close()


def test_one_process_a_folder(store, tmp_path):
    with pytest.raises(StoreError, match="in use by another tocsin"):
        LakeStore(tmp_path / "data")


# ---- finding without reading everything; ordering; retention


def test_files_outside_the_span_of_time_are_not_read(store):
    for day in range(5):
        store.add([document(n=n, time=NOW - timedelta(days=day, minutes=n)) for n in range(10)])
        store.flush()
    start = to_nanoseconds(NOW - timedelta(days=2, hours=1))
    end = to_nanoseconds(NOW - timedelta(days=1, hours=1))
    assert len(sources(store, start=start, end=end)) == 10


def test_events_are_found_by_the_moment_of_their_arrival(store):
    """Whatever an event says itself, and wherever it lies: in memory, in a new file, in an ordered one."""
    marks = []
    for part in range(4):
        store.add([document(n=n, part=part, event={"ingested": "2020-01-01T00:00:00Z"}) for n in range(10)])
        marks.append(store.watermark())
        if part < 3:
            store.flush()
        if part == 1:
            assert store.maintain() == 1
    after_first = events(store, ["part", ARRIVED], arrived_from=marks[0], arrived_to=marks[2])
    exact = [v for *_, v in after_first if marks[0] <= to_nanoseconds(v[ARRIVED]) < marks[2]]
    assert sorted(v["part"] for v in exact) == [1] * 10 + [2] * 10
    assert len(after_first) == 30  # the ordered file holds the first part too
    assert {v["part"] for *_, v in events(store, ["part"], arrived_from=marks[2])} == {3}


def test_arrivals_are_complete_up_to_the_watermark(store):
    """However many threads add: what a scan sees below a watermark never grows."""
    seen: list[tuple[int, int]] = []
    with ThreadPoolExecutor(4) as pool:
        added = [pool.submit(store.add, [document(n=n)] * 5) for n in range(60)]
        while not all(one.done() for one in added):
            mark = store.watermark()
            seen.append((mark, len(events(store, arrived_to=mark))))
    for mark, count in seen:
        assert len(events(store, arrived_to=mark)) == count
    assert len(events(store, arrived_to=store.watermark())) == 300


def test_row_groups_without_a_wanted_value_are_not_read(store):
    users = [f"user{n:03}" for n in range(100)]
    for part in range(3):
        store.add(
            [document(n=n, user={"name": user}) for user in users for n in range(part * 600, part * 600 + 600)]
        )
        store.flush()
    store.maintain(clean=True)
    found = events(store, ["user.name"], equal={"user.name": frozenset({"user042"})})
    assert sum(values["user.name"] == "user042" for *_, values in found) == 1800
    assert len(found) < 100_000  # of 180,000


def test_slices_become_one_file_each(store):
    for n in range(4):
        store.add([document(n=n)])
        store.flush()
    files = store.contents.tables["logs-test-default"].files
    assert (len(files), store.maintain(), len(store.contents.tables["logs-test-default"].files)) == (4, 1, 1)


def test_clocks_far_off_share_a_partition(store):
    moments = [datetime(year, 1, 1, tzinfo=UTC) for year in (1678, 1970, 1999, 2100, 2261)]
    store.add([document(n=n, time=moment) for n, moment in enumerate(moments)])
    store.flush()
    assert len(store.contents.tables["logs-test-default"].files) == 1
    assert len(sources(store, start=to_nanoseconds(moments[3]))) == 5  # one file, read whole
    [info] = store.indices()
    assert info.first == to_nanoseconds(moments[0])


def test_events_leave_by_age_and_by_size(tmp_path):
    today = datetime.now(UTC)
    lake = LakeStore(tmp_path, SLOW)
    for day in (0, 1, 40, 400):
        lake.add([document(n=day, time=today - timedelta(days=day))])
    lake.flush()
    lake.close()
    aged = LakeStore(tmp_path, LakeSettings(keep_days=60, maintain_every=1e9, clean_after=0))
    aged.maintain(clean=True)
    assert sorted(orjson.loads(s)["n"] for s in sources(aged)) == [0, 1, 40]
    size = sum(info.size for info in aged.indices())
    aged.close()
    small = LakeStore(tmp_path, LakeSettings(keep_size=size * 5 // 6, maintain_every=1e9, clean_after=0))
    small.maintain(clean=True)
    assert sorted(orjson.loads(s)["n"] for s in sources(small)) == [0, 1]
    small.close()


def test_no_more_indices_than_may_be(tmp_path):
    lake = LakeStore(tmp_path, LakeSettings(max_indices=2, maintain_every=1e9))
    results = [o.result for o in lake.add([document(f"logs-{n}", n=n) for n in (1, 2, 3, 1)])]
    assert results == [
        DocumentResult.CREATED,
        DocumentResult.CREATED,
        DocumentResult.NO_ROOM,
        DocumentResult.CREATED,
    ]
    lake.close()


def test_tables_are_plain_delta(store, tmp_path):
    from deltalake import DeltaTable

    store.add(fleet(500))
    store.flush()
    for info in store.indices():
        table = DeltaTable(tmp_path / "data" / "events" / info.name).to_pyarrow_table()
        assert isinstance(table, pa.Table)
        assert table.num_rows == info.events


# A setting of a wrong type ends the thread that reads it, as an error of tocsin's own would.
NO_NUMBER: Any = "soon"


def test_a_store_whose_journal_is_written_no_more_says_so_and_nobody_waits_for_it(tmp_path):
    with contextlib.closing(LakeStore(tmp_path, LakeSettings(flush_after=NO_NUMBER))) as store:
        store.add([document(n=1)])
        reason = str(eventually(store.check))
        assert "the thread that writes the journal has ended: TypeError" in reason
        with pytest.raises(StoreFullError, match="the thread that writes the journal has ended"):
            store.add([document(n=2)])
        with pytest.raises(StoreError, match="the thread that writes the journal has ended"):
            store.flush()
        assert [values["n"] for *_, values in events(store, {"n"})] == [1]
    with contextlib.closing(LakeStore(tmp_path, SLOW)) as again:
        assert again.check() is None
        assert [values["n"] for *_, values in events(again, {"n"})] == [1]


def test_a_store_whose_tables_are_maintained_no_more_says_so_and_stores_events(tmp_path):
    with contextlib.closing(LakeStore(tmp_path, LakeSettings(maintain_every=NO_NUMBER))) as store:
        assert "the thread that maintains tables has ended" in str(eventually(store.upkeep_problem))
        assert store.check() is None
        assert store.add([document(n=1)])[0].result is DocumentResult.CREATED
