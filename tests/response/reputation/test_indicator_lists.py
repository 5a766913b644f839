"""Lists of indicators: what is loaded, what is not and why, and what rules and searches find of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest
from sqlalchemy import select

from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.moments import SECOND, iso
from tocsin.response.reputation.indicator_lists import (
    NewList,
    change_list,
    documents_of,
    find_list,
    indicator_lists,
    load_list,
    make_list,
    remove_indicators,
    remove_list,
    values_of,
)
from tocsin.sources.indicators import indicators_of
from tocsin.sources.text_files import texts_of
from tocsin.store.events import ID, Scan
from tocsin.store.indicators.indicator_index import IndicatorIndex
from tocsin.store.patterns import INDICATORS
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.encryption import open_cipher
from tocsin.store.records.models import AuditEntry

ACTOR = local_actor("tests")
FIELDS = {ID, "@timestamp", "threat.indicator.ip", "threat.indicator.file.hash.sha256", "threat.feed.name"}


@pytest.fixture
def records(tmp_path):
    opened = Records(f"sqlite:///{tmp_path}/records.db", open_cipher(tmp_path))
    opened.upgrade()
    yield opened
    opened.close()


def read(text):
    return indicators_of(texts_of("feed.csv", text.encode()))


@pytest.fixture
def load(records):
    """Make the list `blocked` if it is missing, and load it with a text."""

    def loading(text, *, name="blocked", replace=False, **about):
        with records.transaction() as session:
            if name not in [known.name for known in indicator_lists(session)]:
                make_list(session, ACTOR, NewList(name, **about))
        return load_list(records, ACTOR, name, read(text), replace=replace, go_on=lambda: None)

    return loading


def in_index(records, patterns=("logs-ti_*",), **more):
    """Return the documents of the index, by what a search would get."""
    documents = []
    for batch in IndicatorIndex(records).scan(Scan(patterns, FIELDS, **more)):
        documents += [orjson.loads(source) for source in batch.sources(range(batch.rows))]
    return documents


def addresses(documents):
    return sorted(document["threat"]["indicator"]["ip"] for document in documents)


def test_what_is_loaded_is_an_index_like_those_of_elastics_integrations(records, load):
    load("indicator\n10.1.2.3\n", source="ISAC", confidence="High")
    [document] = in_index(records)
    assert document["threat"]["indicator"] == {
        "type": "ipv4-addr", "ip": "10.1.2.3", "name": "10.1.2.3", "confidence": "High", "provider": "ISAC",
    }  # fmt: skip
    assert document["threat"]["feed"] == {"name": "blocked"}
    assert (document["event"]["kind"], document["event"]["module"]) == ("enrichment", "ti_custom")
    assert IndicatorIndex(records).names() == [INDICATORS]
    assert "threat.indicator.ip" in IndicatorIndex(records).index_fields(["logs-*"])[INDICATORS]


def test_columns_hold_what_the_documents_hold(records, load):
    load("indicator\n10.1.2.3\n10.1.2.4\n" + "ab" * 32 + "\n")
    [batch] = IndicatorIndex(records).scan(Scan(["*"], FIELDS))
    assert sorted(filter(None, batch.columns["threat.indicator.ip"].to_pylist())) == ["10.1.2.3", "10.1.2.4"]
    assert set(batch.columns["threat.feed.name"].to_pylist()) == {"blocked"}
    assert batch.ids(range(3)) == batch.columns[ID].to_pylist()


def test_an_index_without_indicators_is_not_there(records):
    index = IndicatorIndex(records)
    assert (index.names(), index.indices(), list(index.scan(Scan(["*"])))) == ([], [], [])


def test_a_list_is_replaced_or_added_to(records, load):
    load("10.1.2.3\n10.1.2.4\n")
    added = load("10.1.2.4\n10.1.2.5\n")
    assert (added.taken, added.indicators) == (2, 3)
    assert addresses(in_index(records)) == ["10.1.2.3", "10.1.2.4", "10.1.2.5"]
    replaced = load("10.1.2.9\n", replace=True)
    assert (replaced.taken, replaced.indicators) == (1, 1)
    assert addresses(in_index(records)) == ["10.1.2.9"]


def test_who_reads_while_a_list_is_replaced_sees_one_of_the_two(records, load):
    load("10.1.2.3\n")
    before = IndicatorIndex(records).scan(Scan(["*"], FIELDS))
    load("10.1.2.9\n", replace=True)
    assert [orjson.loads(s)["threat"]["indicator"]["ip"] for b in before for s in b.sources(range(b.rows))] == [
        "10.1.2.3"
    ]


def test_what_expires_is_gone_from_then_on(records, load, monkeypatch):
    soon = datetime.now(UTC) + timedelta(hours=1)
    result = load(f"indicator,valid_until\n10.1.2.3,{soon.isoformat()}\n10.1.2.4,2001-01-01\n10.1.2.5,\n")
    assert result.skipped == {"indicator that has expired": 1}
    assert addresses(in_index(records)) == ["10.1.2.3", "10.1.2.5"]
    later = time.time_ns() + 3601 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert addresses(in_index(records)) == ["10.1.2.5"]


def test_a_list_says_for_how_long_what_does_not_say_itself_is_valid(records, load, monkeypatch):
    load("10.1.2.3\n", valid_days=2)
    later = time.time_ns() + 3 * 86_400 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert in_index(records) == []


def test_an_indicator_on_a_list_is_one_of_today(records, load, monkeypatch):
    """Elastic's indicator rules ask for `@timestamp >= "now-30d/d"`; a list of spring holds in winter too."""
    load("10.1.2.3\n")
    later = time.time_ns() + 90 * 86_400 * SECOND
    monkeypatch.setattr(time, "time_ns", lambda: later)
    [document] = in_index(records, start=later - 86_400 * SECOND)
    assert document["@timestamp"][:10] == iso(later)[:10]


def test_the_same_value_is_one_indicator_of_a_list_and_of_each_list(records, load):
    load("indicator,comment\n10.1.2.3,first\n")
    result = load("indicator,comment\n10.1.2.3,second\n10.1.2.3,third\n")
    assert result.skipped == {"value that the files have twice": 1}
    load("10.1.2.3\n", name="other")
    assert sorted(document["threat"]["feed"]["name"] for document in in_index(records)) == ["blocked", "other"]


def test_single_indicators_are_removed_by_their_values(records, load):
    load("10.1.2.3\nhttp://Evil.example/a\n" + "AB" * 32 + "\n")
    removed = remove_indicators(records, ACTOR, "blocked", ["ab" * 32, "http://evil.EXAMPLE/a "], lambda: None)
    assert removed == 2
    assert addresses(in_index(records)) == ["10.1.2.3"]


def test_a_list_is_removed_with_its_indicators(records, load):
    load("10.1.2.3\n")
    with records.transaction() as session:
        remove_list(session, ACTOR, "blocked")
    assert in_index(records) == []
    with records.transaction() as session, pytest.raises(NotFoundError):
        find_list(session, "blocked")


def test_many_indicators_lie_in_several_blocks(records, load):
    text = "".join(f"10.{a}.{b}.1\n" for a in range(64) for b in range(160))
    assert load(text).indicators == 64 * 160
    index = IndicatorIndex(records)
    batches = list(index.scan(Scan(["*"], {"threat.indicator.ip"})))
    assert sum(batch.rows for batch in batches) == 64 * 160
    assert len(batches) > 1
    [wanted] = batches[1].ids([5])
    [held] = list(index.find(["logs-ti_*"], [wanted]))
    assert held.ids(range(held.rows)) == [wanted]
    # What a few values have to be read of comes by these values alone.
    few = index.scan(Scan(["*"], {"threat.indicator.ip"}, equal={"threat.indicator.ip": frozenset(["10.3.7.1"])}))
    assert [batch.columns["threat.indicator.ip"].to_pylist() for batch in few] == [["10.3.7.1"]]


HOSTILE = (
    "<script>alert(1)</script>.evil.example",
    'http://evil.example/"><img src=x onerror=alert(1)>',
    "http://evil.example/\t\\n\u202e",
    "evil.example' OR '1'='1",
    "C:\\Temp\\\u0000a.exe",
)


def test_hostile_values_are_kept_as_they_are_or_counted(records, load):
    lines = orjson.dumps([{"type": "url", "indicator": value} for value in HOSTILE]).decode()
    result = load_list(records, ACTOR, made(records), read(lines), replace=True, go_on=lambda: None)
    assert result.taken + sum(result.skipped.values()) == len(HOSTILE)
    with records.transaction() as session:
        kept = {value for document in documents_of(session, "hostile") for value in values_of(document)}
    assert {value for value in HOSTILE if value.startswith("http")} <= kept


def made(records, name="hostile"):
    with records.transaction() as session:
        return make_list(session, ACTOR, NewList(name)).id


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (NewList(""), "name"),
        (NewList(" a"), "name"),
        (NewList("a\nb"), "name"),
        (NewList("a", confidence="Certain"), "confidence"),
        (NewList("a", valid_days=0), "valid_days"),
        (NewList("a", source="x" * 1001), "source"),
    ],
)
def test_what_a_list_cannot_be_is_said(records, new, message):
    with records.transaction() as session, pytest.raises(InvalidError, match=message):
        make_list(session, ACTOR, new)


def test_two_lists_have_two_names_and_a_name_stays(records):
    made(records)
    with records.transaction() as session:
        with pytest.raises(ConflictError, match="already"):
            make_list(session, ACTOR, NewList("hostile"))
        with pytest.raises(InvalidError, match="name"):
            change_list(session, ACTOR, "hostile", NewList("other"))
        assert change_list(session, ACTOR, "hostile", NewList("hostile", source="me")).source == "me"


def test_changes_are_in_the_audit_log(records, load):
    load("10.1.2.3\n")
    with records.transaction() as session:
        remove_list(session, ACTOR, "blocked")
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["indicators.create", "indicators.load", "indicators.remove"]


def test_documents_that_disagree_about_a_field_are_both_read(records):
    """`x` is a number in one file and a text in the other: the index has one type, and no document is lost."""
    for name, value in (("a", 5), ("b", "five")):
        line = orjson.dumps({"threat.indicator.ip": "10.1.2.3", "x": {"y": value}}).decode()
        load_list(records, ACTOR, made(records, name), read(line), replace=True, go_on=lambda: None)
    documents = in_index(records)
    assert sorted(str(document["x"]["y"]) for document in documents) == ["5", "five"]
    batches = list(IndicatorIndex(records).scan(Scan(["*"], {"x.y"})))
    assert sum(batch.rows for batch in batches) == 2
    assert all(isinstance(column, pa.ChunkedArray | pa.Array) for b in batches for column in b.columns.values())
