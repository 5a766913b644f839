"""Exception lists in files, in the form of Kibana's `POST /api/exception_lists/_export`.

The shapes are those of Elastic's reference (Security API, "Export an exception list"): the list, its items and the
summary, one object a line.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.querying import schema_of
from tocsin.detection.alerts.exception_files import read_exception_lists, without_exceptions
from tocsin.detection.compile import prepare
from tocsin.ecs import default_schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_queries
from tocsin.engine.table import table_from_events
from tocsin.errors import InputError, RuleError
from tocsin.moments import to_nanoseconds
from tocsin.rules.model import Rule

NOW = to_nanoseconds(datetime(2026, 11, 1, tzinfo=UTC))
EVENTS = [
    {"event.category": "process", "process.name": "backup.exe", "host.name": "a", "host.os.type": "windows"},
    {"event.category": "process", "process.name": "cmd.exe", "host.name": "a", "host.os.type": "windows"},
    {"event.category": "process", "process.name": "cmd.exe", "host.name": "b", "host.os.type": "linux"},
    {"event.category": "process", "process.name": "pwsh.exe", "user.name": "x", "source.ip": "10.1.2.3"},
]
SUMMARY = {
    "exported_exception_list_count": 1, "exported_exception_list_item_count": 1,
    "missing_exception_list_item_count": 0, "missing_exception_list_items": [],
    "missing_exception_lists": [], "missing_exception_lists_count": 0,
}  # fmt: skip


def a_list(list_id="shared", **more):
    about = {"_version": "WzgxLDFd", "id": f"id-{list_id}", "name": f"List {list_id}", "namespace_type": "single"}
    return {**about, "list_id": list_id, "type": "detection", "immutable": False, "os_types": [], **more}


def item(*entries, list_id="shared", **more):
    about = {"id": "1", "namespace_type": "single", "os_types": [], "tags": [], "comments": [], "type": "simple"}
    item_id = f"{list_id}-{json.dumps(entries)}"
    return {**about, "item_id": item_id, "name": "Backups", "list_id": list_id, "entries": list(entries), **more}


def match(field, value, operator="included"):
    return {"field": field, "type": "match", "operator": operator, "value": value}


BACKUP = match("process.name", "backup.exe")
IN_LIST = {
    "field": "host.name",
    "type": "list",
    "operator": "included",
    "list": {"id": "hosts.txt", "type": "keyword"},
}


def rule(query="process.name: *", rule_id="r", type_="query", language="kuery", lists=(), **more):
    about = {"rule_id": rule_id, "name": rule_id, "severity": "low", "risk_score": 1, "type": type_}
    named = [{"id": f"id-{one}", "list_id": one, "type": "detection", "namespace_type": "single"} for one in lists]
    found = Rule.model_validate({**about, "query": query, "language": language, "exceptions_list": named, **more})
    ready, skipped = prepare([found])
    assert skipped == []
    return ready[0]


@pytest.fixture
def export(tmp_path):
    """Write a file as Kibana exports it, and return its path."""

    def write(*documents, name="export.ndjson", summary=True):
        path = tmp_path / name
        lines = [*documents, SUMMARY] if summary else documents
        path.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
        return str(path)

    return write


def matching(ready):
    program = compile_queries([ready.keyed_query(any_index=True)])
    table = table_from_events(EVENTS, program.fields)
    found = {int(row) for rows in evaluate(program, table).values() for row in rows}
    return sorted(found)


def left(rules, *paths):
    """Return the events that each rule of a hunt still finds."""
    lists = read_exception_lists(paths).for_rules(rules)
    return [matching(without_exceptions(one, lists, default_schema(), NOW)) for one in rules]


@pytest.mark.parametrize(
    ("items", "kept"),
    [
        ([item(BACKUP)], [1, 2, 3]),
        ([item(match("process.name", "cmd.exe"), match("host.name", "a"))], [0, 2, 3]),
        ([item(match("process.name", "cmd.exe"), match("host.name", "a", "excluded"))], [0, 1, 3]),
        ([item(BACKUP), item({"field": "user.name", "type": "exists", "operator": "included"})], [1, 2]),
        ([item({**BACKUP, "type": "match_any", "value": ["backup.exe", "pwsh.exe"]})], [1, 2]),
        ([item({**BACKUP, "type": "wildcard", "value": "*.exe"})], []),
        ([item({"field": "process", "type": "nested", "entries": [match("name", "cmd.exe")]})], [0, 3]),
        ([item(match("source.ip", "10.1.2.3"))], [0, 1, 2]),
        ([item(match("process.name", "cmd.exe"), os_types=["linux"])], [0, 1, 3]),
        ([item(BACKUP, expire_time="2026-10-31T00:00:00.000Z")], [0, 1, 2, 3]),
        ([item(BACKUP, expire_time="2026-11-30T00:00:00.000Z")], [1, 2, 3]),
        ([item(BACKUP), item({**BACKUP, "type": "unknown"})], [1, 2, 3]),
        ([item(IN_LIST)], [0, 1, 2, 3]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_items_take_out_the_events_that_their_entries_fit(export, items, kept):
    assert left([rule(lists=["shared"])], export(a_list(), *items)) == [kept]


LISTS = {
    "a list that a rule names": ([["shared"], []], "detection", [[1, 2, 3], [0, 1, 2, 3]]),
    "a list that no rule names": ([[], ["other"]], "detection", [[1, 2, 3], [1, 2, 3]]),
    "a list of one rule, which is there": ([["shared"], []], "rule_default", [[1, 2, 3], [0, 1, 2, 3]]),
    "a list of one rule, which is not there": ([[], []], "rule_default", [[0, 1, 2, 3]] * 2),
    "the list of endpoints": ([["shared"], []], "endpoint", [[1, 2, 3], [0, 1, 2, 3]]),
    "a blocklist of Elastic Endpoint": ([["shared"], []], "endpoint_blocklists", [[0, 1, 2, 3]] * 2),
    "trusted programs of Elastic Endpoint": ([[], []], "endpoint_trusted_apps", [[0, 1, 2, 3]] * 2),
}


@pytest.mark.parametrize(("named", "kind", "kept"), LISTS.values(), ids=LISTS)
def test_lists_apply_to_the_rules_that_name_them_or_to_all(export, named, kind, kept):
    rules = [rule(rule_id=str(n), lists=lists) for n, lists in enumerate(named)]
    assert left(rules, export(a_list(type=kind), item(BACKUP))) == kept


def test_an_export_of_rules_says_which_lists_are_theirs(export):
    """Kibana's `POST /api/detection_engine/rules/_export` puts lists and items behind the rules."""
    exported = {"rule_id": "r", "name": "r", "exceptions_list": [{"list_id": "mine", "type": "rule_default"}]}
    path = export(exported, a_list("mine", type="rule_default"), item(BACKUP, list_id="mine"))
    assert left([rule(), rule(rule_id="q")], path) == [[1, 2, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    "ready",
    [
        rule(lists=["shared"], query='process where process.name != ""', type_="eql", language="eql"),
        rule(lists=["shared"], query="process.name:*", language="lucene"),
        rule(lists=["shared"], type_="threshold", threshold={"field": ["host.name"], "value": 1}),
        rule(lists=["shared"], query='FROM logs-* | WHERE process.name != "" | STATS n = COUNT(*) BY host.name',
             type_="esql", language="esql"),
    ],
    ids=["EQL", "Lucene", "threshold", "ES|QL"],
)  # fmt: skip
def test_rules_of_every_language_look_at_no_excepted_event(export, ready):
    before = matching(ready)
    assert left([ready], export(a_list(), item(BACKUP))) == [[one for one in before if one != 0]]
    assert 0 in before


def test_no_step_of_a_sequence_is_an_excepted_event(export):
    ready = rule('sequence [process where true] [process where process.name == "cmd.exe"]', "r", "eql", "eql")
    assert left([ready], export(a_list(), item(BACKUP))) == [[1, 2, 3]]


def test_value_lists_are_read_from_their_exported_files(export, tmp_path):
    values = tmp_path / "hosts.txt"
    values.write_text("b\r\nc\n")
    assert left([rule()], export(a_list(), item(IN_LIST)), str(values)) == [[0, 1, 3]]


def test_several_files_are_one(export):
    paths = [export(a_list(), item(BACKUP)), export(a_list(), item(match("host.name", "b")), name="b.ndjson")]
    assert left([rule()], *paths) == [[1, 3]]


def test_the_summary_says_what_applies_and_what_does_not(export):
    path = export(
        a_list(), item(BACKUP), item(match("host.name", "b"), expire_time="2026-10-01T00:00:00Z", name="Old"),
        item({**BACKUP, "type": "magic"}, name="Odd"), item(IN_LIST, name="Hosts"),
        a_list("all", name="Everywhere"), item(BACKUP, list_id="all"), a_list("own", type="rule_default"),
        a_list("blocked", type="endpoint_blocklists"),
    )  # fmt: skip
    lists = read_exception_lists([path])
    rules = [rule(lists=["shared", "gone"]), rule(rule_id="q", lists=["gone"])]
    assert lists.lines(rules, NOW) == [
        "1 exception of the list `List shared` applied to the 1 rule that names it",
        "1 exception of the list `Everywhere` applied to all 2 rules, because no rule names it",
        "0 exceptions of the list `List own` not used: it belongs to one rule, and no rule of the hunt names it "
        "in `exceptions_list`",
        "0 exceptions of the list `List blocked` not used: lists of type endpoint_blocklists are for Elastic's "
        "agent, not for rules",
        f"1 exception expired and left out: `Old` ({path}, line 3)",
        f"the exception `Odd` ({path}, line 4) cannot be used: [process.name] has the type `magic`; it is one of "
        "exists, list, match, match_any, nested, wildcard",
        f"the exception `Hosts` ({path}, line 5) is not used: no file holds the value list `hosts.txt` (name its "
        "exported file, `hosts.txt`, too)",
        "the exception list `gone`, which 2 rules name, is in no file",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"list_id": "a"}\n{"list_id": ', "line 2 is no JSON"),
        ('{"list_id": "a"}\n[1]\n', "line 2 is no JSON object"),
        ('{"process": {"name": "a"}}\n', "document 1 is no exception list"),
        ("[]", "no exception list"),
        ("cmd.exe\n", "no exception names a value list"),
        ("", "is empty"),
    ],
)
def test_what_is_no_export_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "export.ndjson"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        read_exception_lists([str(path)])
    assert "export.ndjson" in str(error.value)
    assert error.value.hint


def test_an_item_that_a_schema_forbids_is_named_with_its_file(export):
    """The schema that events bring along may give a field another type than ECS has."""
    path = export(a_list(), item(match("my.address", "here")))
    lists = read_exception_lists([path])
    ready = rule(lists=["shared"])
    with pytest.raises(RuleError, match=r"`Backups` \(.*export.ndjson, line 2\) cannot be used"):
        without_exceptions(ready, lists, schema_of(my__address="long"), NOW)


def test_lists_that_no_rule_names_wait_for_the_rules_of_the_hunt(export):
    lists = read_exception_lists([export(a_list(), item(BACKUP))])
    assert matching(without_exceptions(rule(), lists, default_schema(), NOW)) == [0, 1, 2, 3]


_NAMES = st.sampled_from(["backup.exe", "cmd.exe", "pwsh.exe", "other.exe"])
_HOSTS = st.sampled_from(["a", "b", "c"])
_ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.just("process.name"), _NAMES, st.sampled_from(["included", "excluded"])),
        st.tuples(st.just("host.name"), _HOSTS, st.sampled_from(["included", "excluded"])),
    ),
    min_size=1,
    max_size=3,
)


@given(items=st.lists(_ENTRIES, min_size=1, max_size=4))
def test_an_event_is_left_that_no_item_fits_whole(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("lists") / "export.ndjson"
    documents = [item(*(match(*one) for one in entries), item_id=str(n)) for n, entries in enumerate(items)]
    path.write_text("\n".join(json.dumps(one) for one in (a_list(), *documents)))

    def fits(event, entries):
        return all((event.get(name) == value) == (operator == "included") for name, value, operator in entries)

    expected = [n for n, event in enumerate(EVENTS) if not any(fits(event, entries) for entries in items)]
    assert left([rule()], str(path)) == [expected]
