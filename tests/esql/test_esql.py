"""ES|QL: what queries make of events, what is refused, and what events must meet to come into question."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.querying import schema_of
from tests.shared import needs_shared, shared
from tocsin.ecs import default_schema
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import KeyedQuery, compile_queries
from tocsin.engine.table import table_from_events
from tocsin.eql import syntax as s
from tocsin.errors import QueryError, UnknownFieldError
from tocsin.esql import table as t
from tocsin.esql.parse import parse
from tocsin.esql.patterns import PatternError, dissect, grok, replace_all
from tocsin.esql.pipeline import read_esql
from tocsin.moments import to_nanoseconds

SCHEMA = schema_of(n="long", x="double", k="keyword", many="keyword", b="boolean", at="date", a="ip")
NOON = to_nanoseconds("2026-01-05T12:00:00Z")


def value_of(value):
    if not isinstance(value, list):
        return value
    return value[0] if len(value) == 1 else tuple(value)


def table(events):
    def load(name, rows):
        return t.from_list(value_of(events[row].get(name)) for row in rows.tolist()).distinct()

    return t.source(len(events), load)


def run(commands, events, now=NOON):
    """Return the rows of `from logs-* | …`: of each the columns that the commands have made."""
    query = read_esql(f"from logs-* metadata _id | {commands}", SCHEMA)
    made = query.run(table(events), now)
    return [query.row(made, row) for row in range(made.rows)]


def left(commands, events):
    """Return the numbers of the events that are left."""
    query = read_esql(f"from logs-* | {commands}", SCHEMA)
    return query.run(table(events), NOON).events.tolist()


def both(commands, events):
    """Return the numbers of the events that meet the prefilter and are left, as a rule on the clock has it."""
    query = read_esql(f"from logs-* | {commands}", SCHEMA)
    program = compile_queries([KeyedQuery("query", s.Statement(s.EventQuery(None, query.prefilter)))])
    fits = evaluate(program, table_from_events(events, program.fields, SCHEMA)).get(("query", 0), np.empty(0))
    chosen = [events[row] for row in fits.tolist()]
    return [int(fits[row]) for row in query.run(table(chosen), NOON).events.tolist()]


# ---- conditions

EVENTS = [
    {"k": "abc", "n": 1, "x": 0.5, "b": True, "a": "10.0.0.1", "at": NOON},
    {"k": "Abd", "n": 2, "many": ["a", "b"]},
    {"k": "", "n": -3, "many": ["a"], "b": False, "a": "::1"},
    {"n": None},
    {"k": r"c:\temp\x*y"},
]
CONDITIONS = {
    'k == "abc"': [0],
    'k != "abc"': [1, 2, 4],
    'not k == "abc"': [1, 2, 4],  # null is not true when negated
    'k =~ "ABC"': [0],
    'k in ("abc", "Abd")': [0, 1],
    'k not in ("abc")': [1, 2, 4],
    'k in ("abc", null)': [0],
    'not k in ("abc", null)': [],  # neither true nor false
    'k like "a*"': [0],
    'k like ("a*", "A?d")': [0, 1],
    'not k like "a*"': [1, 2, 4],
    'k like "*"': [0, 1, 2, 4],
    r'k like """c:\\*"""': [4],
    r'k like """*x\*y"""': [4],
    'k rlike "[aA]b."': [0, 1],
    'k rlike ("ab", "ab.")': [0],
    "k is null": [3],
    "k is not null and n > 0": [0, 1],
    'many == "a"': [2],  # several values are neither equal nor not
    'many != "c"': [2],
    'mv_count(many) == 2 or k == "abc"': [0, 1],
    'many : "a"': [1, 2],  # a query of Lucene's: any value
    'not many : "a"': [0, 3, 4],  # and false, not null, where there is none
    'match(k, "abe", {"fuzziness": 1})': [0],
    'match(k, "bac", {"fuzziness": "1"})': [0],  # two letters swapped
    "n + 1 == 2": [0],
    "n % 2 == -1": [2],
    "n / 2 == 1": [1],
    "n / 0 == 1": [],
    "n * 1.5 > 2": [1],
    "-n == 3": [2],
    "b": [0],
    "not b": [2],
    "b or n == 2": [0, 1],
    "b and null": [],
    'a == "10.0.0.1"': [0],
    'a == "0:0::1"': [2],
    'a == "::ffff:10.0.0.1"': [0],
    'a in ("::FFFF:a00:1", "9.9.9.9")': [0],
    'a > "9.9.9.9"': [0],  # as addresses, not as texts
    'a <= "0:0::1"': [2],
    'cidr_match(a, "10.0.0.0/8", "::1")': [0, 2],
    'at > "2026-01-05T11:59:59Z"': [0],
    "at >= now() - 5m and at <= now()": [0],
    "at < now() - 1 second": [],
    'n::string == "1"': [0],
    'starts_with(k, "ab") or ends_with(k, "bd")': [0, 1],
    "true": [0, 1, 2, 3, 4],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition):
    assert left(f"where {condition}", EVENTS) == CONDITIONS[condition]


# ---- values

VALUES = {
    'length("añb🔥")': 4,
    'to_lower("ÄB")': "äb",
    'substring("abcdef", 2, 3)': "bcd",
    'substring("abcdef", -2)': "ef",
    'replace("a1b22", "[0-9]+", "#")': "a#b#",
    r'replace("a-b", """(\w)-(\w)""", "$2-$1")': "b-a",
    r'replace("a.b", """\.""", "\\$")': "a$b",
    'trim("  a ")': "a",
    'concat("a", "b", "c")': "abc",
    'split("a,b", ",")': ["a", "b"],
    'mv_concat(split("b,a", ","), "+")': "b+a",
    'mv_min(split("b,a", ","))': "a",
    'mv_first(split("b,a", ","))': "b",
    'mv_count("a")': 1,
    'mv_contains(split("b,a", ","), "a")': True,
    'mv_contains(null, "a")': False,
    'mv_contains("a", null)': True,
    'mv_sort(split("b,a,c", ","), "DESC")': ["c", "b", "a"],
    'mv_slice(split("a,b,c", ","), 1, -1)': ["b", "c"],
    'to_upper(split("a,b", ","))': ["A", "B"],  # conversions take each value
    'length(split("a,b", ","))': None,  # other functions take one
    "coalesce(null, null, 3)": 3,
    'case(false, "a", true, "b", "c")': "b",
    'case(null, "a", "c")': "c",
    'case(false, "a")': None,
    "greatest(1, 3, 2)": 3,
    "round(2.5)": 3.0,
    "round(-2.5)": -3.0,
    "round(1234, -2)": 1200,
    "abs(-3)": 3,
    "7 / 2": 3,
    "-7 / 2": -3,
    "7 / 2.0": 3.5,
    "7::double / 2::double": 3.5,
    'to_integer("12")': 12,
    'to_integer("3000000000")': None,
    'to_long("x")': None,
    'to_double("1.5")': 1.5,
    "to_string(1.0)": "1.0",
    'to_boolean("TRUE")': True,
    'to_ip("nothing")': None,
    'date_trunc(60 seconds, "2026-01-05T12:34:56.789Z")': "2026-01-05T12:34:00.000Z",
    'date_trunc(5m, "2026-01-05T12:34:56.789Z")': "2026-01-05T12:30:00.000Z",
    'date_trunc(1 week, "2026-01-08T12:34:56Z")': "2026-01-05T00:00:00.000Z",
    'date_trunc(1 month, "2026-02-08T12:34:56Z")': "2026-02-01T00:00:00.000Z",
    'date_trunc(1 quarter, "2026-05-08T12:34:56Z")': "2026-04-01T00:00:00.000Z",
    'date_diff("minute", "2026-01-05T11:00:30Z", now())': 59,
    'date_diff("hours", now(), "2026-01-05T09:00:00Z")': -3,
    'date_diff("month", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z")': 0,
    'date_extract("hour_of_day", now())': 12,
    "now() - 1 month": "2025-12-05T12:00:00.000Z",
    'sha256("a")': "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "[1, 2, 3]": [1, 2, 3],
    "`odd name`": None,
}


@pytest.mark.parametrize("expression", VALUES)
def test_values(expression):
    (row,) = run(f"eval `odd name` = null::string | eval r = {expression} | keep r", [{}])
    assert row.get("r") == VALUES[expression]


# ---- commands

LOGONS = [
    {"k": "ann", "n": 1, "many": ["x", "y"], "at": NOON, "x": 1.0},
    {"k": "ben", "n": 2, "at": NOON - 10**9},
    {"k": "ann", "n": 3, "many": ["y", "z"], "x": 3.0},
    {"n": 4, "many": ["x"]},
]
TABLES = {
    "stats c = count(*)": [{"c": 4}],
    "stats count(k), n = sum(n)": [{"count(k)": 3, "n": 10}],
    "stats c = count(*) by k": [{"c": 2, "k": "ann"}, {"c": 1, "k": "ben"}, {"c": 1}],
    "stats v = values(many) by k | where k is not null": [{"k": "ann", "v": ["x", "y", "z"]}, {"k": "ben"}],
    "stats c = count(*) by many | where many is not null": [
        {"c": 2, "many": "x"}, {"c": 2, "many": "y"}, {"c": 1, "many": "z"},
    ],
    "stats d = count_distinct(many), m = max(n), l = min(at)": [{"d": 3, "m": 4, "l": "2026-01-05T11:59:59.000Z"}],
    'stats a = count(*) where n > 1, b = count(*) where k == "ann"': [{"a": 3, "b": 2}],
    "stats r = max(n) - min(n), h = count(*) * 100 / 8": [{"r": 3, "h": 50}],
    "stats avg(x), median(n), percentile(n, 50)": [{"avg(x)": 2.0, "median(n)": 2.5, "percentile(n, 50)": 2.5}],
    'where n < 4 | eval a = to_ip(concat("::ffff:", to_string(n * 5), ".0.0.1")) | stats l = min(a), m = max(a)': [
        {"l": "5.0.0.1", "m": "15.0.0.1"},
    ],
    'eval a = to_ip(case(n == 1, "10.0.0.1", n == 2, "9.0.0.1", "2001:DB8::1")) | sort a, n | keep a': [
        {"a": "9.0.0.1"}, {"a": "10.0.0.1"}, {"a": "2001:db8::1"}, {"a": "2001:db8::1"},
    ],
    'eval a = greatest(to_ip("10.0.0.1"), to_ip("9.0.0.1")) | limit 1': [{"a": "10.0.0.1"}],
    "stats top(n, 2, \"desc\")": [{'top(n, 2, "desc")': [4, 3]}],
    "stats c = count(*) by k, date_trunc(1 hour, at) | sort c desc | limit 1": [
        {"c": 1, "k": "ann", "date_trunc(1 hour, at)": "2026-01-05T12:00:00.000Z"},
    ],
    "stats c = count(*), v = values(n) by k | stats m = max(c), o = count_distinct(v)": [{"m": 2, "o": 4}],
    "where n > 9 | stats c = count(*) by k": [],
    "stats by k | sort k desc nulls last": [{"k": "ben"}, {"k": "ann"}, {}],
    "inline stats c = count(*) by k | where c == 2 | keep c, n": [{"c": 2}, {"c": 2}],
    "inlinestats v = values(n) by k | where mv_contains(v, 3) | keep v": [{"v": [1, 3]}, {"v": [1, 3]}],
    "eval a = n, b = a + 1 | eval a = b | where n == 1 | drop b": [{"a": 2}],
    "rename n as m | where m == 2": [{"m": 2}],
    "rename m = n | where m == 2": [{"m": 2}],
    "eval k2 = k | keep k*, n | where n == 1": [{"k2": "ann"}],
    "sort n desc | limit 2 | eval o = n": [{"o": 4}, {"o": 3}],
    "sort k, n desc | eval o = n": [{"o": 3}, {"o": 1}, {"o": 2}, {"o": 4}],
    'eval p = "7 of 9" | grok p "%{INT:a:int} of %{NUMBER:b}" | limit 1': [{"a": 7, "b": "9", "p": "7 of 9"}],
    'eval p = "x" | grok p "%{INT:a}" | limit 1': [{"p": "x"}],
    'eval p = split("a=1,b,c=3", ",") | grok p "=%{INT:v}" | keep v | limit 1': [{"v": ["1", "3"]}],
    'eval p = "2026 - host" | dissect p "%{year} - %{name}" | keep year, name | limit 1': [
        {"year": "2026", "name": "host"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("commands", TABLES)
def test_commands(commands):
    assert run(commands, LOGONS) == TABLES[commands]


def test_a_row_knows_the_events_that_it_stands_for():
    query = read_esql("from logs-* | stats c = count(*) by k | stats m = max(c) by c", SCHEMA)
    made = query.run(table(LOGONS), NOON)
    assert [made.events_of(row).tolist() for row in range(made.rows)] == [[0, 2], [1, 3]]
    assert list(made.keys) == [{"c": 2}, {"c": 1}]


def test_comments_and_letter_case_and_line_breaks():
    query = parse('FROM a-*, "b" METADATA _id // x\n| /* | y */ WHERE k LIKE """a"b"""\n| LIMIT 3')
    assert (query.indices, query.metadata) == (("a-*", "b"), ("_id",))
    assert len(query.commands) == 2


# ---- what is refused

ERRORS = {
    "where kk == 1": ("there is no column `kk`", (1, 21)),
    "keep n | where k == 1": ("there is no column `k`", (1, 30)),
    "stats c = count(*) | where n == 1": ("there is no column `n`", (1, 42)),
    "where _version == 1": ("there is no column `_version`", (1, 21)),
    'where n == "1"': ("a long is compared with a keyword", (1, 21)),
    "where n": ("a condition is true or false, and this is a long", (1, 21)),
    "where k and b": ("a condition is true or false, and this is a keyword", (1, 21)),
    "eval x = lenght(k)": ("there is no function `lenght`", (1, 24)),
    "eval x = length(n)": ("this has to be a text, and is a long", (1, 31)),
    "eval x = length(k, k)": ("length takes 1 arguments, and has 2", (1, 24)),
    "eval x = date_trunc(5, at)": ("this has to be a span of time", (1, 35)),
    "eval x = 5 minutes": ("a span of time stands beside a date", (1, 24)),
    'eval x = replace(k, "(", "")': ("not a regular expression", (1, 35)),
    'grok k "%{NOTHING:x}"': ("there is no grok pattern NOTHING", None),
    'where k rlike "~a"': ("complement", (1, 21)),
    "stats x = n": ("`n` is neither in a function over groups nor behind `by`", (1, 25)),
    "stats x = sum(k)": ("sum takes numbers, and this is a keyword", (1, 25)),
    "where k == ": ("the query ends too early", (1, 26)),
    "enrich x": ("`enrich` is not supported: it needs an enrich policy", (1, 15)),
    'completion x = k with { "inference_id": "y" }': ("it asks a language model, and there is none here", (1, 15)),
    "lookup join x on k": ("it needs a lookup index", (1, 15)),
    'stats c = count() | where kql("k: x")': ("`kql` looks at events, and `stats` has left none", None),
    'where kql("k: (")': ("in kql: the query ends too early", None),
    'where b or kql("anything")': ("a search has to name its fields", None),
    "wehre k": ("there is no command `wehre`", (1, 15)),
    'where k == "a': ("this text's quote is never closed", (1, 26)),
    'where k == "\\d"': ("unknown escape `\\d`", (1, 26)),
    "where k ==== 1": ("unexpected `=`", (1, 25)),
    'where a == "many"': ("'many' is not an IP string literal", (1, 26)),
    "eval x = n::thing": ("there is no type `thing`", (1, 24)),
}


@pytest.mark.parametrize("commands", ERRORS)
def test_errors_say_what_and_where(commands):
    message, place = ERRORS[commands]
    with pytest.raises(QueryError) as caught:
        read_esql(f"from logs-* | {commands}", SCHEMA)
    error = caught.value
    assert message in error.message
    if place is not None:
        assert error.place is not None
        assert (error.place.line, error.place.column) == place, error.explain()


def test_a_query_begins_with_its_indices():
    with pytest.raises(QueryError, match="begins with `from`"):
        read_esql("where k == 1", SCHEMA)


def test_an_unknown_field_has_an_error_of_its_own_with_the_nearest():
    with pytest.raises(UnknownFieldError) as caught:
        read_esql('from logs-* | where proces.name == "x"', default_schema())
    assert "process.name" in caught.value.hint


# ---- patterns

GROK = {
    (r"""e=(?<Esql.host>[^&]+)&p""", "x e=h.example&p"): {"Esql.host": "h.example"},
    (r"""(?im)^[ \t]*rmd[ \t]*:[ \t]*(?<v>[^\r\n]+)\r?$""", "a:b\r\nRMD: host.\r\nx"): {"v": "host."},
    (r"(?m)a(?<v>.*)c", "a\nb\nc"): {"v": "\nb\n"},  # Ruby's `m` is for dots
    (r"""(?:[^.]+\.)+(?<parent>[^.]+\.[^.]+)$""", "a.b.example.com"): {"parent": "example.com"},
    ("%{IP:ip} %{WORD:w}", "from ::1 x"): {"ip": "::1", "w": "x"},
    ("%{DATA:a}-%{GREEDYDATA:b}", "1-2-3"): {"a": "1", "b": "2-3"},
    ("(?<a>x)|(?<b>y)", "y"): {"b": "y"},
}


@pytest.mark.parametrize("case", GROK)
def test_grok(case):
    pattern, text = case
    assert grok(pattern).apply(text) == GROK[case]


def test_dissect_appends_and_passes_over():
    assert dissect("%{a} %{?b} %{+a}->%{c}").apply("x y z->w") == {"a": "xz", "c": "w"}
    assert dissect("%{a->} %{b}").apply("x    y") == {"a": "x", "b": "y"}
    assert dissect("%{a}:%{b}").apply("none") is None


def test_a_pattern_that_would_run_for_ever_is_ended():
    with pytest.raises(TimeoutError):
        replace_all("a" * 5000 + "b", "(a|aa)+$", "")


def test_classes_within_classes_are_refused():
    with pytest.raises(PatternError):
        replace_all("a", "[a&&[b]]", "")


# ---- what events must meet

NAMES = st.sampled_from(["abc", "ABC", "abd", "", "x*y", "svchost.exe"])
KEYS = st.sampled_from(["k", "many"])


def conditions():
    text = NAMES.map(lambda name: '"""' + name + '"""')
    leaf = st.one_of(
        st.builds("{} {} {}".format, KEYS, st.sampled_from(["==", "!=", "=~", "<", ">="]), text),
        st.builds("{} in ({}, {})".format, KEYS, text, text),
        st.builds("to_lower({}) == {}".format, KEYS, text),
        st.builds("to_lower({}) like {}".format, KEYS, st.sampled_from(['"a*"', '"*B*"', '"?bc"', '"*"'])),
        st.builds("{} rlike {}".format, KEYS, st.sampled_from(['"a.*"', '"[aA]bc"'])),
        st.builds("{} is null".format, KEYS),
        st.builds("{} : {}".format, KEYS, text),
        st.builds("starts_with({}, {})".format, KEYS, text),
        st.builds("n {} {}".format, st.sampled_from(["==", "!=", "<", ">"]), st.integers(-2, 2)),
        st.builds('case(k == {}, "one", n > {}, "two", {}) == {}'.format, text, st.integers(-2, 2),
                  st.sampled_from(['"three"', "null"]), st.sampled_from(['"one"', '"two"', '"three"'])),
        st.builds('cidr_match(a, "{}")'.format, st.sampled_from(["10.0.0.0/8", "::1"])),
        st.builds('a {} "{}"'.format, st.sampled_from(["==", "<", ">="]), st.sampled_from(["10.1.2.3", "9::"])),
        st.just("d == 1"),
        st.just("b"),
    )  # fmt: skip
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=6,
    )


def events():
    event = st.fixed_dictionaries(
        {},
        optional={
            "k": NAMES,
            "many": st.lists(NAMES, min_size=1, max_size=3, unique=True).map(lambda v: v[0] if len(v) == 1 else v),
            "n": st.integers(-2, 2),
            "b": st.booleans(),
            "a": st.sampled_from(["10.1.2.3", "::1"]),
        },
    )
    return st.lists(event, max_size=8)


@given(conditions(), events())
def test_what_events_must_meet_leaves_out_none_that_the_query_takes(condition, some):
    query = read_esql(
        f'from logs-* | eval d = n + 1 | where {condition} | eval k = to_upper(k) | where k != ""', SCHEMA
    )
    taken = query.run(table(some), NOON).events.tolist()
    statement = s.Statement(s.EventQuery(None, query.prefilter))
    program = compile_queries([KeyedQuery("query", statement)])
    fits = evaluate(program, table_from_events(some, program.fields, SCHEMA)).get(("query", 0), np.empty(0))
    assert set(taken) <= set(fits.tolist())


@given(events())
def test_groups_are_those_of_a_plain_reading(some):
    found = run("stats c = count(*), v = values(n), m = max(n) by k, many", some)
    plain: dict[Any, list[Any]] = {}
    for event in some:
        many = event.get("many")
        for one in many if isinstance(many, list) else [many]:
            plain.setdefault((event.get("k"), one), []).append(event.get("n"))
    expected = []
    for (k, many), numbers in plain.items():
        values = sorted({number for number in numbers if number is not None})
        row = {"c": len(numbers), "v": values[0] if len(values) == 1 else values or None, "k": k, "many": many}
        expected.append({n: v for n, v in {**row, "m": max(values, default=None)}.items() if v is not None})
    assert found == expected


# ---- the public rules


@needs_shared("rules/elastic-windows")
def test_the_public_rules_are_read():
    found = 0
    for path in sorted(shared("rules/elastic-windows").glob("*.toml")):
        rule = tomllib.loads(path.read_text("utf-8"))["rule"]
        if rule.get("language") == "esql":
            query = read_esql(rule["query"], default_schema())
            assert query.prefilter != s.Literal(True), path
            found += 1
    assert found == 28


# ---- searches in other languages, and rows of several values

SEARCHED = [
    {"k": "abc", "n": 1, "many": ["x", "y"]},
    {"k": "abd", "n": 5, "b": True},
    {"k": "mimikatz", "many": "x", "a": "10.0.0.1"},
]
SEARCHES = {
    'where kql("k: ab*")': [0, 1],
    'where kql("k: ab*") and n > 1': [1],
    'where kql("many: y and not k: z")': [0],
    'where not kql("k: ab*")': [2],
    'where kql("*katz*")': [2],
    'where n == 5 or kql("many: (x and y)")': [0, 1],
    'eval c = case(kql("k: abc"), "one", "other") | where c == "one"': [0],
    'inline stats c = count(*) | where kql("many: x") and c == 3': [0, 2],
    'where qstr("k:ab? AND n:>1")': [1],
    'where qstr("10.0.0.1")': [2],
    'where match_phrase(k, "abc") or term(k, "abd")': [0, 1],
    'sort n | where kql("k: abc")': [0],
    # A cast before a search changes nothing: it is the field that is searched.
    'where match(k::string, "abc")': [0],
    'where match_phrase(k::keyword, "abd") or term(k::string, "abc")': [0, 1],
    'where multi_match("abc", k::string, many)': [0],
    'where k::string : "mimikatz"': [2],
}


@pytest.mark.parametrize("commands", SEARCHES)
def test_a_search_in_another_language_asks_events(commands):
    assert both(commands, SEARCHED) == SEARCHES[commands]


def test_each_part_of_a_name_may_begin_with_an_at_sign():
    assert run("eval made.@time = at, `a b`.@c = 1 | keep made.@time, `a b`.@c", [{"at": NOON}]) == [
        {"made.@time": "2026-01-05T12:00:00.000Z", "a b.@c": 1}
    ]


def test_each_value_becomes_a_row():
    assert run("mv_expand many | keep k, many", SEARCHED) == [{"many": "x"}, {"many": "y"}, {}, {"many": "x"}]
    assert run("mv_expand many | stats c = count(*) by many", SEARCHED) == [
        {"c": 2, "many": "x"},
        {"c": 1, "many": "y"},
        {"c": 1},
    ]
    assert left('mv_expand many | where many == "y"', SEARCHED) == [0]


def test_metadata_that_says_nothing_may_be_asked_for():
    query = read_esql("from logs-* metadata _id, _index, _version, _source, _score | keep k, _source", SCHEMA)
    assert query.run(table(SEARCHED), NOON).rows == 3
    with pytest.raises(QueryError, match="`_source` can be kept, and nothing can be made of it"):
        read_esql("from logs-* metadata _source | eval x = length(_source)", SCHEMA)


# Results are those of Elastic's ES|QL reference.
COMPUTED = {
    'url_decode("https%3A%2F%2Fexample.com%2F%3Fx%3Dfoo%20bar%26y%3Dbaz")': "https://example.com/?x=foo bar&y=baz",
    'url_decode("a+b%zz")': "a b%zz",
    'url_encode("https://example.com/?x=foo bar")': "https%3A%2F%2Fexample.com%2F%3Fx%3Dfoo+bar",
    'url_encode_component("foo bar")': "foo%20bar",
    'concat("a", space(3), "b")': "a   b",
    'to_base64("elastic")': "ZWxhc3RpYw==",
    'from_base64("ZWxhc3RpYw==")': "elastic",
    'ip_prefix(to_ip("1.2.3.4"), 24, 0)': "1.2.3.0",
    'ip_prefix(to_ip("fe80::cae2:65ff:fece:feb9"), 24, 112)': "fe80::cae2:65ff:fece:0",
    "mv_intersection([1, 2, 3, 3], [3, 2, 4])": [2, 3],
    'mv_intersection(["a"], ["b"])': None,
    "mv_union([1, 2, 2], [3, 2])": [1, 2, 3],
    "mv_difference([1, 2, 3], [2])": [1, 3],
    "mv_intersects([1, 2], [2, 5])": True,
    'mv_zip(["x", "y", "z"], ["1", "2"], "-")': ["x-1", "y-2", "z"],
    "mv_percentile([5, 5, 10, 12, 5000], 50)": 10.0,
    "mv_median_absolute_deviation([0, 2, 5, 6])": 2.0,
    'date_format("yyyy-MM-dd HH:mm", to_datetime("2026-01-05T12:34:56Z"))': "2026-01-05 12:34",
    'date_format(to_datetime("2026-01-05T12:34:56Z"))': "2026-01-05T12:34:56.000Z",
    'date_parse("yyyy-MM-dd", "2022-05-06")': "2022-05-06T00:00:00.000Z",
    'date_parse("yyyy-MM-dd", "none")': None,
    'day_name(to_datetime("2026-01-05T12:34:56Z"))': "Monday",
    'bucket(to_datetime("2026-01-05T12:34:56Z"), 5 minutes)': "2026-01-05T12:30:00.000Z",
    "clamp(7, 1, 5)": 5,
    'to_int("7")': 7,
    'bit_length("ab")': 16,
}


@pytest.mark.parametrize("expression", COMPUTED)
def test_a_function_gives_what_the_reference_says(expression):
    assert run(f"eval v = {expression} | keep v", [{}]) == [
        {} if COMPUTED[expression] is None else {"v": COMPUTED[expression]}
    ]


def test_fields_of_alerts_have_the_types_that_kibana_gives_them():
    """kbn-alerts-as-data-utils/src/schemas/generated/security_schema.ts."""
    query = read_esql(
        """from .alerts-security.* metadata _id, _version, _index
        | where kibana.alert.risk_score > 21 and kibana.alert.depth == 1 and kibana.alert.rule.version == "3"
        | eval minutes = date_diff("minute", kibana.alert.original_time, kibana.alert.start)
        | stats c = count_distinct(kibana.alert.rule.rule_id) by host.id""",
        default_schema(),
    )
    assert query.aggregating


def test_grok_takes_addresses_of_the_web_apart():
    [row] = run(
        'eval t = "curl -s https://a.example.com:8443/x?y=1" '
        '| grok t "%{URIPROTO:p}://%{URIHOST:h}%{URIPATHPARAM:rest}" | keep p, h, rest',
        [{}],
    )
    assert row == {"p": "https", "h": "a.example.com:8443", "rest": "/x?y=1"}


def test_rows_are_counted_without_a_star():
    assert run("stats c = count(), v = variance(n), m = median_absolute_deviation(n)", SEARCHED) == [
        {"c": 3, "v": 4.0, "m": 2.0}
    ]
