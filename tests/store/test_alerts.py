"""The index of alerts: what it says is held against the documents that lie in records, whoever changes these."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, text

from tests.store.memory import MemoryStore
from tests.waiting import eventually
from tocsin.ecs import FieldType
from tocsin.management.alerts import set_status, set_tags
from tocsin.query_dsl.parse import read_query
from tocsin.search.hits import context_of, read_search, run_search
from tocsin.search.selection import Clock, matching_rows
from tocsin.sources.batch import flatten
from tocsin.store.alerts.alert_index import AlertIndex
from tocsin.store.alerts.names import ALERTS_INDEX
from tocsin.store.composite import CompositeStore
from tocsin.store.events import ARRIVED, ID, Scan, StoreError
from tocsin.store.records.access import local_actor
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert

START = 1_790_000_000_000_000_000
STATUS, TAGS = "kibana.alert.workflow_status", "kibana.alert.workflow_tags"
PATTERNS = [".alerts-security.*"]
_NUMBERS = itertools.count()


def alert(number: int, *, created: int | None = None, changed: int | None = None, **fields: Any) -> StoredAlert:
    made = START + number * 1_000_000_007 if created is None else created
    document = {
        "kibana.alert.rule.name": f"rule {number % 3}", STATUS: "open", TAGS: [],
        "host": {"name": f"h{number % 5}"}, **fields,
    }  # fmt: skip
    return StoredAlert(
        id=f"alert-{number}", rule_uuid=f"{number % 3}", created=made, time=made, status="open", severity="low",
        building_block=False, group_key=None, counted_to=None, changed=made if changed is None else changed,
        document=orjson.dumps(document).decode(),
    )  # fmt: skip


def add(records, *alerts):
    with records.transaction() as session:
        session.add_all(alerts)


def close(records, *ids):
    with records.transaction() as session:
        set_status(session, local_actor("tests"), ids, "closed")


def found(reader, query, patterns=PATTERNS):
    """Return the ids of the alerts that a query in Elasticsearch's language finds."""
    context = context_of(reader, patterns)
    condition = read_query(query, context)
    rows = matching_rows(reader, patterns, condition, (), context.schema, Clock())
    return sorted(id_ for batch, _, some in rows for id_ in batch.ids(some.tolist()))


def page(reader, **body):
    context = context_of(reader, PATTERNS)
    return run_search(reader, PATTERNS, read_search(body, context), context.schema, Clock(), parsed=True)


def everything(index, fields, **bounds):
    """Return id -> document and the values of some fields, as scans give them."""
    alerts: dict[str, tuple[Any, dict[str, Any]]] = {}
    for batch in index.scan(Scan(PATTERNS, frozenset(fields), **bounds)):
        columns = {name: column.to_pylist() for name, column in batch.columns.items()}
        places = list(range(batch.rows))
        for row, id_, source in zip(places, batch.ids(places), batch.sources(places), strict=True):
            assert id_ not in alerts
            values = {name: column[row] for name, column in columns.items()}
            alerts[id_] = orjson.loads(source), {name: v for name, v in values.items() if v not in (None, [])}
    return alerts


def test_alerts_are_seen_as_they_are_added_changed_and_removed(records):
    index = AlertIndex(records)
    assert index.indices(PATTERNS)[0].events == 0
    add(records, *map(alert, range(4)))
    assert found(index, {"term": {STATUS: "open"}}) == ["alert-0", "alert-1", "alert-2", "alert-3"]
    close(records, "alert-1")
    assert found(index, {"term": {STATUS: "open"}}) == ["alert-0", "alert-2", "alert-3"]
    assert found(index, {"term": {STATUS: "closed"}}) == ["alert-1"]
    with records.transaction() as session:
        session.execute(delete(StoredAlert).where(StoredAlert.id == "alert-2"))
    assert found(index, {"match_all": {}}) == ["alert-0", "alert-1", "alert-3"]
    add(records, alert(2))
    assert found(index, {"term": {STATUS: "open"}}) == ["alert-0", "alert-2", "alert-3"]


def test_what_another_process_writes_is_seen(records, database_url):
    """Even what is stamped earlier than what is known, by a clock behind or by a transaction that took long."""
    index, other = AlertIndex(records), Records(database_url)
    add(records, alert(1_000_000))
    assert found(index, {"match_all": {}}) == ["alert-1000000"]
    add(other, alert(1))
    close(other, "alert-1000000")
    assert found(index, {"term": {STATUS: "open"}}) == ["alert-1"]
    other.close()


@pytest.mark.parametrize("field", ["process.name", "kibana.alert.rule.name"])
def test_a_change_shows_in_every_field_at_once(records, field):
    index = AlertIndex(records)
    name = {"process.name": lambda text: {"process": {"name": text}}}.get(field, lambda text: {field: text})
    add(records, *(alert(number, **name("old.exe")) for number in range(20)))
    assert len(found(index, {"term": {field: "old.exe"}})) == 20
    with records.transaction() as session:
        changed = session.get_one(StoredAlert, "alert-7")
        changed.document = alert(7, **name("new.exe")).document
        changed.changed += 1
    assert found(index, {"term": {field: "new.exe"}}) == ["alert-7"]
    assert len(found(index, {"term": {field: "old.exe"}})) == 19
    add(records, alert(20, **name("newer.exe")))
    assert found(index, {"term": {field: "newer.exe"}}) == ["alert-20"]


def test_the_first_page_is_sorted_filtered_and_counted(records):
    index = AlertIndex(records)
    add(records, *map(alert, range(30)))
    close(records, "alert-29", "alert-4")
    counts = {"terms": {"field": "kibana.alert.rule.name"}}
    answer = page(
        index, size=3, sort=[{"@timestamp": "desc"}], query={"term": {STATUS: "open"}}, aggs={"rules": counts}
    )
    assert answer.total == 28
    assert [hit["_id"] for hit in answer.hits] == ["alert-28", "alert-27", "alert-26"]
    assert [hit["_source"][STATUS] for hit in answer.hits] == ["open"] * 3
    buckets = answer.aggregations["rules"]["buckets"]
    assert [(one["key"], one["doc_count"]) for one in buckets] == [("rule 0", 10), ("rule 1", 9), ("rule 2", 9)]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("field", ["process.pid", "kibana.alert.risk_score", "process.name"])
def test_the_first_page_of_many_is_that_of_all_sorted(records, field, order):
    """Numbers, floating numbers and texts, of which many are equal, and then by another field."""
    index = AlertIndex(records)
    values = [(number * 7919) % 97 for number in range(3000)]
    kinds: dict[str, Callable[[int], Any]] = {
        "process.pid": int, "kibana.alert.risk_score": float, "process.name": "p{:02}".format,
    }  # fmt: skip
    add(
        records,
        *(
            alert(number, **{field: kinds[field](value), "own.rank": -number})
            for number, value in enumerate(values)
        ),
    )
    answer = page(index, size=40, sort=[{field: order}, {"own.rank": "asc"}])
    numbers = sorted(range(3000), reverse=True)
    numbers.sort(key=values.__getitem__, reverse=order == "desc")
    assert [hit["_id"] for hit in answer.hits] == [f"alert-{number}" for number in numbers[:40]]


def test_an_alert_counts_once_for_each_of_its_values(records):
    index = AlertIndex(records)
    tags: list[dict[str, Any]] = [{TAGS: ["b"]}, {TAGS: ["a", "b", "a"]}]
    add(records, *(alert(number, **tags[number % 2]) for number in range(20)))
    of_each = {"rules": {"terms": {"field": "kibana.alert.rule.name"}}}
    answer = page(index, aggs={
        "tags": {"terms": {"field": TAGS}},
        "with rules": {"terms": {"field": TAGS}, "aggs": of_each},
    })  # fmt: skip
    for name in ("tags", "with rules"):
        buckets = answer.aggregations[name]["buckets"]
        assert [(bucket["key"], bucket["doc_count"]) for bucket in buckets] == [("b", 20), ("a", 10)]
    rules = answer.aggregations["with rules"]["buckets"][1]["rules"]["buckets"]
    assert {bucket["key"]: bucket["doc_count"] for bucket in rules} == {"rule 0": 3, "rule 1": 4, "rule 2": 3}


def test_alerts_are_read_by_the_moment_of_their_making(records):
    index = AlertIndex(records)
    add(records, *map(alert, range(10)))
    third, fifth = (alert(number).created for number in (3, 5))
    of = everything(index, {ARRIVED}, arrived_from=third, arrived_to=fifth)
    assert sorted(of) == ["alert-3", "alert-4"]
    assert sorted(everything(index, (), start=fifth, end=fifth + 1)) == ["alert-5"]
    assert sorted(everything(index, (), times=[third, fifth])) == ["alert-3", "alert-5"]
    (batch,) = index.find(PATTERNS, ["alert-6", "none"])
    assert batch.ids([0]) == ["alert-6"]


def test_alerts_that_are_named_are_read_without_the_others(records):
    index = AlertIndex(records)
    add(records, *map(alert, range(10)))
    named = frozenset({"alert-3", "alert-6", "none"})
    assert sorted(everything(index, {ID}, equal={ID: named})) == ["alert-3", "alert-6"]
    assert everything(index, {ID}, equal={ID: frozenset({"none"})}) == {}
    assert found(index, {"ids": {"values": ["alert-6", "alert-3", "none"]}}) == ["alert-3", "alert-6"]


def test_a_filter_behind_the_query_takes_hits_and_leaves_aggregations(records):
    """As Elasticsearch's reference describes `post_filter`: it is applied after aggregations are calculated."""
    index = AlertIndex(records)
    add(records, *map(alert, range(10)))
    close(records, "alert-0", "alert-3", "alert-4")
    answer = page(
        index, size=2, sort=[{"@timestamp": "desc"}], post_filter={"term": {STATUS: "closed"}},
        aggs={"statuses": {"terms": {"field": STATUS}}},
    )  # fmt: skip
    assert (answer.total, [hit["_id"] for hit in answer.hits]) == (3, ["alert-4", "alert-3"])
    buckets = answer.aggregations["statuses"]["buckets"]
    assert {bucket["key"]: bucket["doc_count"] for bucket in buckets} == {"open": 7, "closed": 3}
    nothing = page(index, post_filter={"term": {STATUS: "acknowledged"}}, aggs={"n": {"max": {"field": "none"}}})
    assert (nothing.total, nothing.hits) == (0, [])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_alerts_of_one_moment_are_paged_through_by_their_ids(records, order):
    index = AlertIndex(records)
    alerts = list(map(alert, range(12)))
    for made in alerts:
        made.created = made.time = alerts[0].created
    add(records, *alerts)
    ids, after = list[str](), None
    for _ in range(5):
        place: dict[str, Any] = {} if after is None else {"search_after": after}
        hits = page(index, size=5, sort=[{"@timestamp": "desc"}, {"_id": order}], **place).hits
        ids += [hit["_id"] for hit in hits]
        after = hits[-1]["sort"] if hits else after
    assert ids == sorted((made.id for made in alerts), reverse=order == "desc")


def test_queries_within_buckets_count_the_alerts_of_their_bucket(records):
    index = AlertIndex(records)
    add(records, *map(alert, range(10)))
    close(records, "alert-0", "alert-3", "alert-4")
    within = {
        "open": {"filter": {"term": {STATUS: "open"}}},
        "hosts": {"filters": {"filters": {name: {"term": {"host.name": name}} for name in ("h0", "h1", "none")}}},
    }
    rules = {"terms": {"field": "kibana.alert.rule.name"}, "aggs": within}
    buckets = page(index, size=0, aggs={"rules": rules}).aggregations["rules"]["buckets"]
    counts = {
        bucket["key"]: (
            bucket["open"]["doc_count"],
            {name: host["doc_count"] for name, host in bucket["hosts"]["buckets"].items()},
        )
        for bucket in buckets
    }
    assert counts == {
        "rule 0": (2, {"h0": 1, "h1": 1, "none": 0}),
        "rule 1": (2, {"h0": 0, "h1": 1, "none": 0}),
        "rule 2": (3, {"h0": 1, "h1": 0, "none": 0}),
    }


@pytest.mark.parametrize(
    ("patterns", "takes"),
    [
        ([".alerts-security.alerts-default"], True),
        ([".internal.alerts-*"], True),
        (["logs-*", ".alerts-*"], True),
        (["*"], False),
        (["logs-*"], False),
        ([".alerts-*", "-.alerts-*", "-.internal*"], False),
    ],
)
def test_only_patterns_that_begin_with_a_dot_take_alerts(records, patterns, takes):
    index = AlertIndex(records)
    add(records, alert(1))
    store = CompositeStore(MemoryStore(), [index])
    assert [info.name for info in store.indices(patterns)] == ([ALERTS_INDEX] if takes else [])
    assert [batch.rows for batch in store.scan(Scan(patterns))] == ([1] if takes else [])
    assert bool(list(store.find(patterns, ["alert-1"]))) is takes
    assert (ALERTS_INDEX in store.index_fields(patterns)) is takes


def test_fields_are_those_of_every_alert(records):
    index = AlertIndex(records)
    add(records, *(alert(number, **{f"own.field{number}": number}) for number in range(3)))
    add(records, alert(9, own={"nested": {"text": "a"}}, listed=[{"name": "x"}, {"size": 1.5}]))
    kinds = {
        "own.field2": FieldType.LONG, "own.nested.text": FieldType.KEYWORD, "listed.name": FieldType.KEYWORD,
        "listed.size": FieldType.DOUBLE, "host.name": FieldType.KEYWORD,
    }  # fmt: skip
    of = index.index_fields(PATTERNS)[ALERTS_INDEX]
    assert {name: of[name].type for name in kinds} == kinds
    schema = index.schema(PATTERNS)
    assert schema.fields["own.field2"].type is FieldType.LONG
    assert index.schema(PATTERNS) is schema
    assert found(index, {"exists": {"field": "listed.size"}}) == ["alert-9"]


def test_numbers_in_a_text_field_keep_their_spelling_beside_others(records):
    """As Elasticsearch has them in a keyword: `0` and `0.0` are two."""
    index = AlertIndex(records)
    add(records, *(alert(number, process={"name": value}) for number, value in enumerate([0.0, 3, 0, 0.0, 0])))
    assert found(index, {"term": {"process.name": "0"}}) == ["alert-2", "alert-4"]
    assert found(index, {"term": {"process.name": "0.0"}}) == ["alert-0", "alert-3"]


def test_an_alert_that_is_removed_while_it_is_read(records):
    index = AlertIndex(records)
    add(records, alert(1))
    (batch,) = index.scan(Scan(PATTERNS))
    with records.transaction() as session:
        session.execute(delete(StoredAlert))
    with pytest.raises(StoreError, match="alert-1 was removed"):
        batch.sources([0])


def test_rows_are_read_in_the_background_from_the_start(records):
    """A question that comes meanwhile waits for them."""
    add(records, *map(alert, range(30)))
    index = AlertIndex(records)
    index.start()
    assert len(found(index, {"term": {STATUS: "open"}})) == 30
    close(records, "alert-3")
    assert found(index, {"term": {STATUS: "closed"}}) == ["alert-3"]
    index.close()


def test_an_index_that_is_stopped_reads_no_more_documents(records):
    add(records, alert(1))
    index = AlertIndex(records)
    index.stop()
    index.start()
    index.close()
    with pytest.raises(StoreError, match="the service stops"):
        index.indices(PATTERNS)


def test_alerts_that_cannot_be_read_at_the_start_are_read_later(records, caplog):
    add(records, alert(1))
    with records.transaction() as session:
        session.execute(text("ALTER TABLE alerts RENAME TO alerts_elsewhere"))
    index = AlertIndex(records)
    index.start()
    assert eventually(lambda: "could not be read yet" in caplog.text)
    with records.transaction() as session:
        session.execute(text("ALTER TABLE alerts_elsewhere RENAME TO alerts"))
    assert found(index, {"match_all": {}}) == ["alert-1"]
    index.close()


@pytest.mark.parametrize("field", ["process.name", "process.parent.name", "kibana.alert.rule.tags", "source.ip"])
def test_common_fields_are_read_with_the_rows_and_show_every_change(records, field):
    values = ["10.0.0.1", "10.0.0.2"]
    add(records, *(alert(number, **placed(field, values[number % 2], nested=False)) for number in range(10)))
    index = AlertIndex(records)
    assert len(found(index, {"term": {field: values[1]}})) == 5
    with records.transaction() as session:
        changed = session.get_one(StoredAlert, "alert-1")
        changed.document = alert(1, **placed(field, values[0], nested=False)).document
        changed.changed += 1
        session.execute(delete(StoredAlert).where(StoredAlert.id == "alert-2"))
    add(records, alert(11, **placed(field, values[1], nested=False)))
    assert found(index, {"term": {field: values[1]}}) == ["alert-11", "alert-3", "alert-5", "alert-7", "alert-9"]


def test_alerts_take_a_small_row_of_memory_each(records):
    index = AlertIndex(records)
    text = "x" * 12_000

    def fill(first, end):
        for start in range(first, end, 500):
            add(records, *(alert(number, message=text) for number in range(start, start + 500)))
        index.indices(PATTERNS)
        return index.memory()["alerts"]

    small, large = fill(0, 2000), fill(2000, 6000)
    assert (large - small) / 4000 < 400


# ---- under random changes

_VALUES = st.one_of(
    st.sampled_from(["a", "b", "c:\\windows", ""]), st.integers(-5, 1 << 40), st.booleans(), st.floats(0, 9),
    st.lists(st.sampled_from(["x", "y", "z"]), max_size=3),
)  # fmt: skip
_FIELDS = ("process.name", "event.category", "own.value", "host.ip", "process.pid")
_READ = (ID, STATUS, TAGS, "kibana.alert.rule.name", "host.name", *_FIELDS)


def placed(field, value, *, nested):
    if not nested:
        return {field: value}
    head, _, rest = field.partition(".")
    return {head: {rest: value}}


def listed(value):
    return value if isinstance(value, list) else [value]


class Changes(RuleBasedStateMachine):
    """An index that is asked now and then, and one that is opened anew each time, hold the same."""

    @initialize()
    def begin(self):
        self.records = Records("sqlite://")
        self.records.upgrade()
        self.index = AlertIndex(self.records)
        self.made = 0

    def teardown(self):
        self.records.close()

    @rule(count=st.integers(1, 40), field=st.sampled_from(_FIELDS), value=_VALUES, nested=st.booleans())
    def add(self, count, field, value, nested):
        more = placed(field, value, nested=nested)
        add(self.records, *(alert(self.made + number, **more) for number in range(count)))
        self.made += count

    def some(self, data):
        with self.records.transaction() as session:
            ids = sorted(row.id for row in session.query(StoredAlert.id))
        return data.draw(st.lists(st.sampled_from(ids), max_size=5, unique=True)) if ids else []

    @rule(data=st.data(), status=st.sampled_from(["open", "acknowledged", "closed"]))
    def set_status(self, data, status):
        with self.records.transaction() as session:
            set_status(session, local_actor("tests"), self.some(data), status)

    @rule(data=st.data(), tag=st.sampled_from(["t1", "t2"]))
    def tag(self, data, tag):
        with self.records.transaction() as session:
            set_tags(session, local_actor("tests"), self.some(data), [tag], [])

    @rule(data=st.data())
    def remove(self, data):
        with self.records.transaction() as session:
            session.execute(delete(StoredAlert).where(StoredAlert.id.in_(self.some(data))))

    @rule(fields=st.sets(st.sampled_from(_READ), min_size=1))
    def read_some_fields(self, fields):
        """Columns are kept of what was asked for, in any order."""
        assert everything(self.index, fields).keys() == self.documents().keys()

    def documents(self):
        with self.records.transaction() as session:
            return {row.id: orjson.loads(row.document) for row in session.query(StoredAlert)}

    @precondition(lambda self: self.made)
    @invariant()
    def holds_what_records_hold(self):
        documents = self.documents()
        held = everything(self.index, _READ)
        assert {id_: document for id_, (document, _) in held.items()} == documents
        for id_, (document, values) in held.items():
            flat = flatten(document)
            assert values[ID] == id_
            for name in (STATUS, TAGS, "kibana.alert.rule.name", "host.name"):
                assert listed(values.get(name, [])) == listed(flat.get(name, []))
        assert self.index.indices(PATTERNS)[0].events == len(documents)

    @precondition(lambda self: self.made)
    @invariant()
    def holds_what_a_new_index_holds(self):
        # The first value that an index has seen makes a field's type, and that may be of an alert which is gone.
        if self.index.index_fields(PATTERNS) == AlertIndex(self.records).index_fields(PATTERNS):
            assert everything(self.index, _READ) == everything(AlertIndex(self.records), _READ)


Changes.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
test_under_random_changes = Changes.TestCase
