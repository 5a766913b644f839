"""Inputs of every format, whole and damaged: recognised by content, read on past damage, nothing lost silently."""

import gzip
import io
import json
import random
import sys
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evtx_writer import CHUNK, write_evtx
from tests.scenario import Machine, shipped
from tocsin.errors import InputError
from tocsin.sources.batch import Rejects, Wanted, flatten, unflatten
from tocsin.sources.inputs import Input, find_inputs, recognise
from tocsin.sources.read import read_inputs

FIELDS = frozenset(
    ("process.name", "process.args", "event.category", "event.type", "host.os.type", "_index", "process.pid")
)
EVENTS: list[dict[str, Any]] = [
    {"event": {"category": ["process"]}, "process": {"name": "a.exe", "args": ["a.exe", "-x"], "pid": 4}},
    {"event": {"category": ["file"]}, "process": {"name": "b.exe"}},
    {"event": {"category": ["process"]}, "host": {"os": {"type": "windows"}}},
]


def read(path: Path | str, rejects: Rejects | None = None, wanted: Wanted | None = None) -> list[dict[str, Any]]:
    """Return the wanted fields of every event, as the table has them, nulls left out."""
    rows: list[dict[str, Any]] = []
    for batch in read_inputs(find_inputs([str(path)]), wanted or Wanted(FIELDS), rejects or Rejects()):
        columns = {name: batch.table.raw(name).to_pylist() for name in batch.table.names}  # type: ignore[union-attr]
        for row in range(batch.table.rows):
            rows.append({name: values[row] for name, values in columns.items() if values[row] is not None})
            document = batch.raw(row).event()
            for name, value in rows[-1].items():
                assert (
                    name == "_index"
                    or document[name] == value
                    or document[name] == [value]
                    or [document[name]] == value
                )
    return rows


def ndjson(events: list[Any]) -> bytes:
    return "".join(json.dumps(event) + "\n" for event in events).encode()


EXPECTED: list[dict[str, Any]] = [
    {"event.category": ["process"], "process.name": "a.exe", "process.args": ["a.exe", "-x"], "process.pid": 4},
    {"event.category": ["file"], "process.name": "b.exe"},
    {"event.category": ["process"], "host.os.type": "windows"},
]
FLAT = [flatten(event) for event in EVENTS]
HITS = [{"_index": "winlogbeat-8", "_id": str(i), "_source": event} for i, event in enumerate(EVENTS)]
PRETTY = "\n".join(json.dumps(event, indent=2) for event in EVENTS).encode()


def zipped(*contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"inside{number}.json", content)
    return buffer.getvalue()


SPELLINGS = {
    "ndjson": ndjson(EVENTS),
    "ndjson, dotted names": ndjson(FLAT),
    "ndjson, blank lines and no last newline": ndjson(EVENTS).replace(b"\n", b"\n\n").rstrip(),
    "ndjson, CRLF": ndjson(EVENTS).replace(b"\n", b"\r\n"),
    "ndjson with a byte order mark": b"\xef\xbb\xbf" + ndjson(EVENTS),
    "ndjson in UTF-16": ndjson(EVENTS).decode().encode("utf-16"),
    "a JSON array": json.dumps(EVENTS).encode(),
    "a JSON array over many lines": json.dumps(EVENTS, indent=2).encode(),
    "pretty-printed objects": PRETTY,
    "gzip": gzip.compress(ndjson(EVENTS)),
    "zstd": zstandard.compress(ndjson(EVENTS)),
    "zip": zipped(ndjson(EVENTS)),
    "gzip in zip": zipped(gzip.compress(ndjson(EVENTS))),
    "a bulk request": b"".join(b'{"index":{"_index":"x"}}\n' + ndjson([event]) for event in EVENTS),
}
SPELLINGS_WITH_INDEX = {
    "hits, one a line": ndjson(HITS),
    "a search response": json.dumps({"took": 1, "hits": {"total": {"value": 3}, "hits": HITS}}).encode(),
    "a search response over many lines": json.dumps({"hits": {"hits": HITS}}, indent=1).encode(),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_same_events_in_every_spelling(name: str, tmp_path: Path) -> None:
    path = tmp_path / "no-name-tells.bin"
    path.write_bytes(SPELLINGS[name])
    rejects = Rejects()
    assert read(path, rejects) == EXPECTED
    assert not rejects.counts


@pytest.mark.parametrize("name", SPELLINGS_WITH_INDEX)
def test_hits_keep_their_index(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hits"
    path.write_bytes(SPELLINGS_WITH_INDEX[name])
    assert read(path) == [{**event, "_index": "winlogbeat-8"} for event in EXPECTED]


def test_a_pretty_printed_object_that_no_text_can_hold_is_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "half-a-character.json"
    half = b'{\n  "event": {"category": "process"},\n  "process": {"name": "\\ud800"}\n}\n'
    path.write_bytes(half + PRETTY + b"\n" + half)
    rejects = Rejects(tmp_path / "rejects.ndjson")
    assert read(path, rejects) == EXPECTED
    rejects.close()
    places = [json.loads(line)["position"] for line in (tmp_path / "rejects.ndjson").read_text().splitlines()]
    assert places == ["line 1", f"line {5 + len(PRETTY.splitlines())}"]


def test_parquet_nested_and_flat(tmp_path: Path) -> None:
    nested, flat = tmp_path / "nested", tmp_path / "flat"
    pq.write_table(pa.Table.from_struct_array(pa.array(EVENTS)), nested, row_group_size=2)
    pq.write_table(
        pa.Table.from_pylist([{**dict.fromkeys({n for e in FLAT for n in e}), **e} for e in FLAT]), flat
    )
    assert read(nested) == read(flat) == EXPECTED


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BufferedReader(io.BytesIO(ndjson(EVENTS)))

    monkeypatch.setattr(sys, "stdin", Standard())
    assert read("-") == EXPECTED


def test_evtx_by_path_in_an_archive_and_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("H", "D\\u", 1)
    content = write_evtx([machine.ordinary() for _ in range(200)])
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(zipped(content))
    (tmp_path / "c").write_bytes(gzip.compress(content))
    plain = read(tmp_path / "a")
    assert len(plain) == 200
    assert read(tmp_path / "b") == read(tmp_path / "c") == plain


INDICES = [
    (
        {"_index": ".ds-logs-endpoint.events.process-default-2026.01.02-000003", "_source": {}},
        "logs-endpoint.events.process-default",
    ),
    ({"_index": "cluster:winlogbeat-7.17.0-2021.12.01-000001", "_source": {}}, "winlogbeat-7.17.0"),
    (
        {"data_stream": {"type": "logs", "dataset": "system.security", "namespace": "prod"}},
        "logs-system.security-prod",
    ),
    ({"event": {"dataset": "endpoint.events.file"}}, "logs-endpoint.events.file-default"),
    ({"agent": {"type": "winlogbeat"}}, "winlogbeat-default"),
    ({"process": {"name": "x"}}, None),
]


@pytest.mark.parametrize(("record", "index"), INDICES)
def test_an_event_tells_its_index(record: dict[str, Any], index: str | None, tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(ndjson([record] * 2))
    assert [row.get("_index") for row in read(path)] == [index, index]


# ---- damage


def test_a_damaged_line_is_rejected_with_its_number_and_kept(tmp_path: Path) -> None:
    path, kept = tmp_path / "events", tmp_path / "rejects"
    path.write_bytes(ndjson(EVENTS[:1]) + b'{"process": {"name": "half\n[1, 2]\n"text"\n' + ndjson(EVENTS[1:]))
    rejects = Rejects(kept)
    assert read(path, rejects) == EXPECTED
    rejects.close()
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(r["position"], r["reason"]) for r in lines] == [
        ("line 2", "malformed JSON"),
        ("line 3", "not an event"),
        ("line 4", "not an event"),
    ]
    assert lines[0]["content"] == '{"process": {"name": "half'


def test_a_line_in_another_encoding_is_rejected_and_the_rest_read(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(ndjson(EVENTS[:2]) + '{"user": {"name": "Jörg"}}\n'.encode("latin-1") + ndjson(EVENTS[2:]))
    rejects = Rejects()
    assert read(path, rejects) == EXPECTED
    assert rejects.first["unknown encoding"].position == "line 3"
    assert "byte 21 of the line is not UTF-8" in rejects.first["unknown encoding"].detail


def test_a_value_of_the_wrong_type_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events"
    events = [
        {"process": {"pid": "4", "name": "a"}},
        {"process": {"pid": {"x": 1}, "name": 7}},
        {"process": "text"},
        {"process": {"pid": "many"}},
    ]
    path.write_bytes(ndjson(events))
    (batch,) = read_inputs(find_inputs([str(path)]), Wanted(FIELDS), Rejects())
    column, names = batch.table.column("process.pid"), batch.table.column("process.name")
    assert column is not None
    assert names is not None
    assert [None if c < 0 else column.objects[c] for c in column.codes] == [4, None, None, None]
    assert [None if c < 0 else names.objects[c] for c in names.codes] == ["a", "7", None, None]


def test_a_truncated_evtx_gives_what_it_still_holds(tmp_path: Path) -> None:
    machine = Machine("H", "D\\u", 1)
    content = write_evtx([machine.ordinary() for _ in range(300)])
    path = tmp_path / "cut.evtx"
    path.write_bytes(content[: 4096 + CHUNK + CHUNK // 2])
    rejects = Rejects()
    found = read(path, rejects)
    assert 30 < len(found) < 300
    assert rejects.total


def test_a_damaged_evtx_record_costs_itself_alone(tmp_path: Path) -> None:
    machine = Machine("H", "D\\u", 1)
    content = bytearray(write_evtx([machine.ordinary() for _ in range(60)]))
    position = content.find(b"**\0\0", 4096 + 20_000)
    content[position + 40 : position + 60] = b"\xff" * 20
    path = tmp_path / "damaged.evtx"
    path.write_bytes(content)
    rejects = Rejects()
    found = read(path, rejects)
    assert len(found) >= 20
    assert rejects.total >= 1


UNREADABLE = {
    "an EVTX header alone": (b"ElfFile\x00 and then nothing", "not readable as EVTX"),
    "half a Parquet file": (b"PAR1 and then nothing", "not readable as Parquet"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_rejected_and_the_next_is_read(name: str, tmp_path: Path) -> None:
    content, says = UNREADABLE[name]
    (tmp_path / "1").write_bytes(content)
    (tmp_path / "2").write_bytes(ndjson(EVENTS))
    rejects = Rejects()
    assert read(tmp_path, rejects) == EXPECTED
    (reject,) = rejects.first.values()
    assert says in reject.detail


def test_a_member_of_an_archive_that_is_unreadable_costs_itself_alone(tmp_path: Path) -> None:
    damaged = bytearray(zipped(ndjson(EVENTS * 50), b"\x00\x05 resource fork", ndjson(EVENTS)))
    damaged[60:64] = b"\xff\xff\xff\xff"  # inside the first member's compressed data
    path = tmp_path / "three.zip"
    path.write_bytes(damaged)
    rejects = Rejects()
    assert read(path, rejects)[-3:] == EXPECTED
    assert rejects.counts == {"damaged file": 1, "unreadable file": 1}
    assert rejects.first["unreadable file"].file == f"{path}!inside1.json"


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_truncated_archive_gives_what_it_still_holds(compress: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    noise = random.Random(1)
    events = [{**event, "trace": {"id": f"{noise.getrandbits(512):x}"}} for event in list(shipped()) * 100]
    content = compress(ndjson(events))
    path.write_bytes(content[: len(content) // 2])
    rejects = Rejects()
    assert read(path, rejects)
    assert rejects.counts["damaged file"] == 1


def test_names_that_stand_for_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, says in (("nothing", "does not exist"), ("*.evtx", "matches no file"), ("empty", "holds no files")):
        with pytest.raises(InputError, match=says):
            find_inputs([str(tmp_path / name)])


def test_inputs_are_found_once(tmp_path: Path) -> None:
    for name in ("b/2.json", "a/1.json", "a/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    found = find_inputs([str(tmp_path), str(tmp_path / "a" / "*.json"), str(tmp_path / "b" / "2.json")])
    assert [(Path(i.name).name, i.hidden) for i in found] == [
        (".hidden", True),
        ("1.json", False),
        ("2.json", False),
    ]
    assert isinstance(found[0], Input)


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"ElfFile\0", "evtx"), (b" \n{", "json"), (b"[", "json"), (b"PAR1", "parquet"), (b"x", None)],
)
def test_formats_are_recognised(head: bytes, kind: str | None) -> None:
    assert recognise(head) == kind


# ---- properties

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "a", "1", "x.y"]), st.floats(-2, 2)
)
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(["name", "x"]), SCALARS, max_size=2)
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["process", "process.name", "process.args", "event", "host.os.type", "agent"]),
    st.one_of(
        VALUES,
        st.dictionaries(st.sampled_from(["name", "args", "pid", "category", "os", "type"]), VALUES, max_size=4),
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(DOCUMENTS, min_size=1, max_size=8))
def test_columns_hold_what_reading_one_by_one_finds(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Any]
) -> None:
    """However its fields are spelled and typed, every document is an event, and none disappears."""
    path = tmp_path_factory.mktemp("fuzz") / "events"
    path.write_bytes(ndjson(documents))
    rejects = Rejects()
    batches = list(read_inputs(find_inputs([str(path)]), Wanted(FIELDS), rejects))
    assert sum(batch.events for batch in batches) + rejects.total == len(documents)
    for batch in batches:
        for name in FIELDS:
            batch.table.column(name)  # encodes without an error whatever the types
        for row in range(batch.table.rows):
            batch.raw(row).event()


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.recursive(
            SCALARS.filter(lambda v: v is not None),
            lambda below: st.dictionaries(st.sampled_from(["c", "d"]), below, min_size=1),
        ),
        max_size=2,
    )
)
def test_flattening_and_back(document: dict[str, Any]) -> None:
    assert unflatten(flatten(document)) == document
