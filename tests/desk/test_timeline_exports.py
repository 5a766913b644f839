"""Exports of a timeline: whole, bounded, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.desk.test_timeline import rows_of, send, total_of
from tocsin.desk.timeline.exports import MOST_EVENTS, download_headers
from tocsin.investigation.timeline_csv import csv_line, read_cell, written_cell
from tocsin.moments import to_datetime

_TEXTS = st.text(st.characters(codec="utf-8"))
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_EVENTS = 4_321


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(values=st.lists(st.lists(_TEXTS, max_size=4), min_size=1, max_size=5))
@example([["=1+1"], ["'=1"], ["[1]"], [""], ["", "a"], [], ["\0"], [" =1"], ["a\r\nb"], ['"']])
def test_cells_are_read_back_exactly_and_never_begin_a_formula(values):
    (cells,) = read_csv(csv_line(map(written_cell, values)).decode())
    assert list(map(read_cell, cells)) == values
    for cell in cells:
        assert not cell.startswith(_FORMULAS)
        assert not cell.lstrip().startswith(_FORMULAS)


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        (-5, "'-5"),
        (443, "443"),
        (True, "true"),
        (["a", "b"], '["a","b"]'),
        (None, ""),
        ({"lat": 1.5}, '[{"lat":1.5}]'),
        ("'quoted", "''quoted"),
    ],
)
def test_a_cell_is_the_value_as_a_text(values, cell):
    assert written_cell(values) == cell


@pytest.fixture(scope="module")
def index(desk):
    documents = [
        {
            "id": f"e{n}", "@timestamp": f"2024-03-01T00:{n // 60 % 60:02}:{n % 60:02}Z", "event": {"sequence": n},
            "message": '=cmd|"/c calc"!A1', "process": {"args": ["a,b", '"c"\r\n']}, "host": {"name": "h"},
        }
        for n in range(_EVENTS)
    ]  # fmt: skip
    send(desk, "timeline-export", documents)
    return "timeline-export"


@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_ndjson_has_every_document_whole_in_the_order_of_the_page(desk, index, sort):
    parameters = {"from": "", "index": index, "sort": sort}
    with desk.logged_in("viewer") as client:
        answer = client.get("/timeline/export", params={**parameters, "format": "ndjson"})
        first = rows_of(client.get("/timeline", params=parameters).text)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["x-tocsin-exported"] == f"{_EVENTS} of {_EVENTS}"
    documents = [orjson.loads(line) for line in answer.text.splitlines()]
    assert {document["event"]["sequence"] for document in documents} == set(range(_EVENTS))
    assert len(documents) == _EVENTS
    assert documents[0]["process"]["args"] == ["a,b", '"c"\r\n']
    shown = [f"{index}:e{document['event']['sequence']}" for document in documents[: len(first)]]
    assert shown == first


def test_csv_has_the_columns_and_no_formula(desk, index):
    parameters = {"from": "", "index": index, "columns": "@timestamp,message,event.sequence,process.args"}
    with desk.logged_in() as client:
        answer = client.get("/timeline/export", params={**parameters, "format": "csv"})
    assert answer.headers["content-disposition"].endswith('.csv"')
    header, *rows = read_csv(answer.text)
    assert header == ["'@timestamp", "message", "event.sequence", "process.args"]
    assert len(rows) == _EVENTS
    assert {row[1][:2] for row in rows} == {"'="}
    assert read_cell(rows[0][3]) == ["a,b", '"c"\r\n']
    assert {int(row[2]) for row in rows} == set(range(_EVENTS))


def test_what_the_query_does_not_find_is_not_exported(desk, index):
    parameters = {"from": "", "index": index, "q": "event.sequence < 10", "format": "ndjson"}
    with desk.logged_in() as client:
        assert len(client.get("/timeline/export", params=parameters).text.splitlines()) == 10
        nothing = client.get("/timeline/export", params={**parameters, "q": "host.name: nobody"})
    assert (nothing.status_code, nothing.text) == (200, "")


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_sequences_are_exported_with_their_steps(desk, form):
    query = 'sequence by host.name [process where process.name : "cmd.exe"] [network where true]'
    parameters = {"language": "eql", "q": query}
    with desk.logged_in() as client:
        total = total_of(client.get("/timeline", params=parameters).text)
        text = client.get("/timeline/export", params={**parameters, "format": form}).text
    if form == "csv":
        header, *rows = read_csv(text)
        assert header[:2] == ["sequence", "step"]
        assert [(row[0], row[1]) for row in rows] == [(str(n), s) for n in range(1, total + 1) for s in "12"]
    else:
        sequences = [orjson.loads(line) for line in text.splitlines()]
        assert [len(sequence["events"]) for sequence in sequences] == [2] * total


def test_a_cut_is_said_in_the_files_name_and_in_a_header():
    now = to_datetime(0)
    whole = download_headers(now, "csv", 7, MOST_EVENTS)
    assert whole["Content-Disposition"] == 'attachment; filename="timeline-19700101T000000Z.csv"'
    assert whole["X-Tocsin-Exported"] == "7 of 7"
    cut = download_headers(now, "csv", 200_000, MOST_EVENTS)
    assert "-first-100000-of-200000.csv" in cut["Content-Disposition"]
    assert cut["X-Tocsin-Exported"] == "100000 of 200000; the others are cut"


@pytest.mark.parametrize(
    ("parameters", "reason"), [({"format": "exe"}, "ndjson or csv"), ({"q": "a: ("}, "ends too")]
)
def test_an_export_that_cannot_be_made_says_why(desk, parameters, reason):
    with desk.logged_in() as client:
        answer = client.get("/timeline/export", params={"format": "csv", **parameters})
    assert answer.status_code == 400
    assert reason in answer.text
