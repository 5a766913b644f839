"""ES|QL's functions and commands: what each gives.

Values are those of Elastic's reference, or follow its csv-spec files (bucket, limit, stats and stats_first_last
of ES|QL's test fixtures): the same cases over small tables of our own.

The table of docs/esql.md lists what the code has; what Elasticsearch has and the code has not is refused by name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.esql.test_esql import NOON, SCHEMA, both, left, run, table
from tocsin.errors import QueryError
from tocsin.esql.aggregations import AGGREGATIONS
from tocsin.esql.compile import FORMS
from tocsin.esql.functions.catalogue import ALIASES, FUNCTIONS
from tocsin.esql.pipeline import read_esql
from tocsin.esql.surrogates import SURROGATES

DOCS = Path(__file__).parents[2] / "docs" / "esql.md"
YEAR_1985 = 'to_datetime("1985-03-07T05:00:00Z"), {}, "1985-01-01T00:00:00Z", "1986-01-01T00:00:00Z"'

VALUES = {
    # 20 buckets in a year are months, 100 are weeks; so many dollars in 20 buckets are 5,000 each.
    f"bucket({YEAR_1985.format(20)})": "1985-03-01T00:00:00.000Z",
    f"bucket({YEAR_1985.format(100)})": "1985-03-04T00:00:00.000Z",
    f"bucket({YEAR_1985.format(2)})": "1985-01-01T00:00:00.000Z",
    'bucket(to_datetime("2026-01-05T12:34:56Z"), 60, now() - 1 hour, now())': "2026-01-05T12:34:00.000Z",
    'bucket(to_datetime("2026-01-05T12:34:56Z"), "5 minutes")': "2026-01-05T12:30:00.000Z",
    "bucket(27234, 20, 25324, 74999)": 25000.0,
    "bucket(100, 99.)": 99.0,
    "bucket(99., 100.)": 0.0,
    "bucket(100, 49.5)": 99.0,
    "bucket(7.5, 5)": 5.0,
    "bucket(-1, 5.)": -5.0,
    "round_to(65, 0, 10, 100)": 10,
    "round_to(-5, 0, 10, 100)": 0,
    "round_to(100.5, 0, 10, 100)": 100,
    'round_to(to_datetime("1957-05-23T00:00:00Z"), "1950-01-01", "1960-01-01")': "1950-01-01T00:00:00.000Z",
    r'json_extract("""{"name":"Alice","age":30}""", "name")': "Alice",
    r'json_extract("""{"name":"Alice","age":30.50}""", "$.age")': "30.50",
    """json_extract(\"\"\"{"a":{"b":[1, {"c.d": true}]}}\"\"\", "a.b[1]['c.d']")""": "true",
    r'json_extract("""{"a":{"b":[1, 2.0, "x"]}}""", "$.a")': '{"b":[1,2.0,"x"]}',
    r'json_extract("""{"a":1,"a":2}""", "a")': "1",
    r'json_extract("""{"a":null}""", "a")': None,
    r'json_extract("""{"a":[1]}""", "a[1]")': None,
    r'json_extract("""{"a":1}""", "A")': None,
    r'json_extract("""{"a":1}""", "a.b")': None,
    'json_extract("no JSON", "a")': None,
    'network_direction(to_ip("10.0.1.1"), to_ip("192.168.1.2"), ["private"])': "internal",
    'network_direction("10.0.1.1", "8.8.8.8", ["10.0.0.0/8"])': "outbound",
    'network_direction("8.8.8.8", "fd00::1", ["private"])': "inbound",
    'network_direction("8.8.8.8", "9.9.9.9", ["loopback", "private"])': "external",
    'network_direction("127.0.0.1", "224.0.0.1", ["loopback", "link_local_multicast"])': "internal",
    'network_direction(null::ip, to_ip("9.9.9.9"), ["private"])': None,
    "mv_pseries_weighted_sum([70.0, 45.0, 21.0, 21.0, 21.0], 1.5)": 94.45465156212452,
    "to_degrees(10)": pytest.approx(572.9577951308232),
    "to_radians(90)": pytest.approx(1.5707963267948966),
    "acos(.9)": pytest.approx(0.45102681179626236),
    "acos(2)": None,
    "atan2(12.9, .6)": pytest.approx(1.5243181954438936),
    "cosh(1.8)": pytest.approx(3.1074731763172667),
    "copy_sign(2.5, -1)": -2.5,
    "scalb(3.0, 10)": 3072.0,
    "clamp_min(3, 5)": 5,
    "clamp_max(9, 5)": 5,
    'to_unsigned_long("18446744073709551615")': 18446744073709551615,
    "to_unsigned_long(-1)": None,
    'now() - to_timeduration("1 hour")': "2026-01-05T11:00:00.000Z",
    'now() + "3 days"::date_period': "2026-01-08T12:00:00.000Z",
    'now() - "30m"::time_duration': "2026-01-05T11:30:00.000Z",
    'date_trunc("1 day", now())': "2026-01-05T00:00:00.000Z",
    'date_trunc("1 month"::date_period, now())': "2026-01-01T00:00:00.000Z",
    'days_in_month(to_datetime("2024-02-03T00:00:00Z"))': 29,
}  # fmt: skip


@pytest.mark.parametrize("expression", VALUES)
def test_a_function_gives_what_the_reference_says(expression):
    expected = VALUES[expression]
    assert run(f"eval v = {expression} | keep v", [{}]) == [{} if expected is None else {"v": expected}]


# Of Elastic's example of `earliest`: a second between rows, with nulls and with several values.
ROWS = [
    {"k": name, "n": number, "@timestamp": NOON + second * 10**9}
    for second, (name, number) in enumerate(
        [
            ("alpha", 1),
            ("alpha", 2),
            ("bravo", None),
            ("alpha", 4),
            ("bravo", 5),
            ("charlie", [6, 7, 8]),
            ("delta", None),
        ]
    )
]
GROUPS = {
    "stats v = earliest(n)": [{"v": 1}],
    "stats v = latest(n), w = latest(k)": [{"w": "delta"}],  # null is a value here
    "where n is not null | stats v = latest(n)": [{"v": [6, 7, 8]}],
    "stats v = first(n, @timestamp), w = last(n, @timestamp) by k": [
        {"v": 1, "w": 4, "k": "alpha"}, {"w": 5, "k": "bravo"},
        {"v": [6, 7, 8], "w": [6, 7, 8], "k": "charlie"}, {"k": "delta"},
    ],
    "stats v = first(k, n)": [{"v": "alpha"}],  # null comes last, whatever the order is by
    "stats v = last(k, n)": [{"v": "charlie"}],
    'stats v = last(n, @timestamp) where k == "alpha"': [{"v": 4}],
    "stats v = first(@timestamp, n), w = last(@timestamp, n)": [
        {"v": "2026-01-05T12:00:00.000Z", "w": "2026-01-05T12:00:05.000Z"},
    ],
    "stats v = first(n, null)": [{"v": 1}],
    "where n < 5 | stats v = weighted_avg(n, n)": [{"v": 3.0}],
    # A constant weighs each value, a column only what stands in rows of one value and one weight.
    'where k == "charlie" | stats v = weighted_avg(n, 2)': [{"v": 7.0}],
    'where k == "charlie" | stats v = weighted_avg(n, 1 + 1)': [{"v": 7.0}],
    'where k == "charlie" | stats v = weighted_avg(n, n)': [{}],
    "eval w = 0 | stats v = weighted_avg(n, w)": [{}],
    'where k == "alpha" | stats v = weighted_avg(n, 2)': [{"v": pytest.approx(7 / 3)}],
    "stats v = top(n, 2)": [{"v": [1, 2]}],
    "stats c = count(*) by b = tbucket(5 seconds) | sort b | keep c": [{"c": 5}, {"c": 2}],
    "stats c = count(*) by b = bucket(n, 4) | where b == 4 | keep c": [{"c": 2}],
    "limit 1 by n | eval c = n | keep c": [{"c": 1}, {"c": 2}, {}, {"c": 4}, {"c": 5}, {"c": [6, 7, 8]}],
    "limit 0 by k": [],
    "limit 2 by 5 * 42 | eval c = n | keep c": [{"c": 1}, {"c": 2}],
    "limit 1 by k | keep k, n | eval c = n": [{"c": 1}, {}, {"c": [6, 7, 8]}, {}],
    "sort n desc nulls last | limit 2 by k | eval c = n | keep c": [
        {"c": [6, 7, 8]}, {"c": 5}, {"c": 4}, {"c": 2}, {}, {},
    ],
}  # fmt: skip


@pytest.mark.parametrize("commands", GROUPS)
def test_groups_and_orders(commands):
    query = read_esql(f"from logs-* | {commands}", SCHEMA)
    made = query.run(table(ROWS), NOON)
    assert [query.row(made, row) for row in range(made.rows)] == GROUPS[commands]


TIMES = {
    "where trange(2 seconds)": [5, 6],  # what lies at the beginning is out, what lies at the end is in
    'where trange("2 seconds")': [5, 6],
    'where trange("2026-01-05T12:00:01Z", "2026-01-05T12:00:03Z")': [2, 3],
    "where trange(1767614401000, 1767614403000)": [2, 3],
    'where multi_match("alpha", k, many)': [0, 1, 3],
    'where not multi_match("alpha", k, many) and n == 5': [4],
    'where multi_match("alpho", k, {"fuzziness": 1})': [0, 1, 3],
    'where multi_match("delta", k, many, {"type": "phrase", "boost": 2})': [6],
}


@pytest.mark.parametrize("commands", TIMES)
def test_times_and_words(commands):
    query = read_esql(f"from logs-* | {commands}", SCHEMA)
    assert query.run(table(ROWS), NOON + 6 * 10**9).events.tolist() == TIMES[commands]


DISSECTED = {
    'dissect k "%{+a} %{+a}" append_separator=", "': {"a": "x, y"},
    'dissect k "%{+a/2} %{+a/1}" append_separator="-"': {"a": "y-x"},
    'dissect k "%{a} %{?skipped}"': {"a": "x"},
}


@pytest.mark.parametrize("command", DISSECTED)
def test_dissect_appends_in_order_with_a_separator(command):
    assert run(command, [{"k": "x y"}]) == [DISSECTED[command]]


# The example of Elasticsearch's documentation on its uri_parts processor.
URIS: dict[str, dict[str, Any]] = {
    "http://myusername:mypassword@www.example.com:80/foo.gif?key1=val1&key2=val2#fragment": {
        "scheme": "http", "domain": "www.example.com", "port": 80, "path": "/foo.gif", "extension": "gif",
        "query": "key1=val1&key2=val2", "fragment": "fragment", "user_info": "myusername:mypassword",
        "username": "myusername", "password": "mypassword",
    },
    "https://a.example/x/y": {"scheme": "https", "domain": "a.example", "path": "/x/y"},
    "http://[::1:80": {},
}  # fmt: skip


@pytest.mark.parametrize("uri", URIS)
def test_a_uri_is_taken_apart(uri):
    expected = {f"u.{part}": value for part, value in URIS[uri].items()}
    assert run("uri_parts u = k", [{"k": uri}]) == [expected]
    assert run("uri_parts u = k | where u.port == 80 | keep u.port", [{"k": uri}]) == (
        [{"u.port": 80}] if "u.port" in expected else []
    )


# ---- fields that no index has

UNMAPPED = {
    ("nullify", 'where nobody.has == "x"'): [],
    ("nullify", 'where nobody.has is null and k == "a"'): [0],
    ("nullify", 'where coalesce(nobody.has, k) == "b"'): [1],
    ("nullify", 'eval c = nobody.has | rename nobody.has as d | where d is null and c is null'): [0, 1],
    ("nullify", "stats c = count(nobody.has), d = count(*) by nobody.has | where c == 0 and d == 2"): [0, 1],
    ("nullify", "mv_expand nobody.has | sort nobody.has | keep k, nobody.has"): [0, 1],
    ("load", 'where nobody.has == "x"'): [1],
    ("load", 'where nobody.has like "x*" or k == "a"'): [0, 1],
}  # fmt: skip


@pytest.mark.parametrize("case", UNMAPPED)
def test_a_query_says_what_a_field_is_that_no_index_has(case):
    setting, commands = case
    query = read_esql(f'SET unmapped_fields="{setting}"; from logs-* | {commands}', SCHEMA)
    made = query.run(table([{"k": "a"}, {"k": "b", "nobody.has": "x"}]), NOON)
    found = sorted({event for row in range(made.rows) for event in made.events_of(row).tolist()})
    assert found == UNMAPPED[case]


def test_a_field_that_no_index_has_is_an_error_unless_the_query_says_more():
    for setting in ("", 'set unmapped_fields = "default"; '):
        with pytest.raises(QueryError, match=r"there is no column `nobody\.has`"):
            read_esql(f"{setting}from logs-* | where nobody.has is null", SCHEMA)
    read_esql(
        'set time_zone="UTC", unmapped_fields="NULLIFY"; set time_zone="z"; from logs-* | keep nobody.has', SCHEMA
    )


# ---- what is refused

REFUSED = {
    "from logs-* | stats c = count(*) by categorize(k)": ("`categorize` is not supported", (1, 37)),
    "from logs-* | where st_distance(k, k) > 1": ("no points and shapes here", (1, 21)),
    "from logs-* | stats max(rate(n))": ("no indices of metrics here", (1, 25)),
    "from logs-* | where knn(k, 1)": ("no vectors here", (1, 21)),
    'from logs-* | where multi_match("x", k, {"type": "cross_fields"})': (
        "type cross_fields is not supported", (1, 21),
    ),
    "from logs-* | where trange(5)": ("trange takes a span of time up to now", (1, 21)),
    "from logs-* | eval c = bucket(n, 5, 1)": ("bucket takes a number with a size", None),
    "from logs-* | eval c = bucket(at, 5)": ("bucket takes a date with a span of time", (1, 24)),
    'from logs-* | eval c = to_timeduration("3 days")': ("this is no time_duration", (1, 24)),
    'from logs-* | eval c = json_extract(k, "a[")': ("'a[' is no path into JSON", (1, 24)),
    "from logs-* | stats c = first(n)": ("first takes a column, and one that rows are ordered by", (1, 25)),
    "from logs-* | stats c = first(n, k)": ("rows are ordered by a date or a number", (1, 25)),
    "from logs-* metadata _ignored | where _ignored is not null": (
        "`_ignored` names no field for its length here", (1, 39),
    ),
    "from logs-* | stats v = weighted_avg(n, 0)": ("the weight of weighted_avg is a number other than 0", (1, 25)),
    "from logs-* | stats v = weighted_avg(n, null)": ("is a number other than 0, not null", (1, 25)),
    "from logs-* | highlight k": ("`highlight` is not supported", (1, 15)),
    "from logs-* | ip_location p = a": ("no database of places here", (1, 15)),
    "from a-*, (from b-* | limit 1)": ("queries in the place of an index are not run", (1, 11)),
    "from (from b-*)": ("queries in the place of an index are not run", (1, 6)),
    "from logs-* | where k == ?name": ("a rule's query has no parameters", (1, 26)),
    "ts metrics-* | limit 1": ("no indices of metrics here", (1, 1)),
    'set approximation=true; from logs-*': ("the setting `approximation` is not supported", (1, 5)),
    'set time_zone="Europe/Paris"; from logs-*': ("`time_zone` cannot be `Europe/Paris` here", (1, 5)),
    'from logs-* | dissect k "%{a}" separator=","': ("dissect has no option `separator`", None),
    'from logs-* | dissect k "%{*a} %{&a}"': ("cannot name a key by what another one holds", None),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_to_be_had_is_refused_by_name_and_place(text):
    message, place = REFUSED[text]
    with pytest.raises(QueryError) as caught:
        read_esql(text, SCHEMA)
    assert message in caught.value.message
    if place is not None:
        assert caught.value.place is not None
        assert (caught.value.place.line, caught.value.place.column) == place


def test_the_documentation_lists_the_functions_that_there_are():
    rows = re.findall(r"^\| functions (.+)$", DOCS.read_text("utf-8"), re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == {*AGGREGATIONS, *FUNCTIONS, *ALIASES, *SURROGATES, *FORMS}


def test_what_events_must_meet_knows_what_a_call_stands_for():
    events = [{"k": "alpha"}, {"many": ["x", "alpha"]}, {"k": "beta"}]
    assert both('where multi_match("alpha", k, many)', events) == [0, 1]
    assert left('where multi_match("alpha", k, many)', events) == [0, 1]
