"""What Elasticsearch returns: each rule of its semantics as a case of our own.

The rules were read off Elasticsearch's EQL test resources (test_queries, additional_test_queries, test_extra,
querytranslator_tests, test_string_functions) and its EQL reference; the cases are written for tocsin.
"""

# ruff: noqa: E501 (a table reads better than it wraps)

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.querying import hits, matching, schema_of
from tocsin.eql.compile import read
from tocsin.errors import QueryError

SCHEMA = schema_of(
    n="long", d="double", flag="boolean", t="keyword", u="keyword", many="keyword", when="date", addr="ip"
)


@dataclass(frozen=True)
class Case:
    rule: str
    condition: str
    events: list[dict[str, Any]]
    matched: list[int]
    category: str = "any"
    id: str = field(default="")


N: list[dict[str, Any]] = [{"n": -2}, {"n": 0}, {"n": 3}, {}]
T: list[dict[str, Any]] = [{"t": "Abc"}, {"t": "abc"}, {"t": "xyz"}, {}]
MANY: list[dict[str, Any]] = [{"many": ["Alpha", "beta"]}, {"many": "beta"}, {"many": []}, {"many": [None]}, {}]

CASES = [
    # ---- missing fields
    Case("a comparison with a missing field is not met", "n > -5", N, [0, 1, 2]),
    Case("and its negation is", "not (n > -5)", N, [3]),
    Case("!= is met by a missing field", 't != "abc"', T, [0, 2, 3]),
    Case("not in is met by a missing field", 't not in ("abc", "Abc")', T, [2, 3]),
    Case("not : is met by a missing field", 'not t : "abc"', T, [2, 3]),
    Case("not over and: one side missing", 'not (n > 0 and t == "a")', [{"n": 1, "t": "a"}, {"n": 1}, {}], [1, 2]),
    Case("== null asks whether a field is missing", "n == null", N, [3]),
    Case("null == does too", "null == n", N, [3]),
    Case("!= null asks whether it is there", "n != null", N, [0, 1, 2]),
    Case("a test on a missing field is null as a value", "null == (n > -5)", N, [3]),
    Case("an ordering with null is met by none", "n > null", N, []),
    Case("nor is its negation", "not (n > null)", N, []),
    Case("two missing fields are not equal", "t == u", [{}, {"t": "a", "u": "a"}, {"t": "a"}], [1]),
    Case("a function of a missing field is null", "length(t) == null", T, [3]),
    Case("concat with a null is null", "concat(t, null) == null", T, [0, 1, 2, 3]),
    Case("a missing field in a list of in decides nothing", "t in (u)", [{"t": "a"}, {"t": "a", "u": "a"}], [1]),
    # ---- optional fields
    Case("an optional field that no schema knows", '?none.such == "x"', T, []),
    Case("is missing", "?none.such == null", T, [0, 1, 2, 3]),
    Case("and is no truth", "?none.such", T, []),
    Case("two of them are both missing, and so equal", "?none.such == ?none.other", T, [0, 1, 2, 3]),
    Case("and not unequal", "?none.such != ?none.other", T, []),
    Case("nor is it untrue that they are equal", "not ?none.such == ?none.other", T, []),
    Case("a field equals one of them where it is missing", "t == ?none.such", T, [3]),
    Case("on either side", "?none.such == t", T, [3]),
    Case("and differs where it is there", "t != ?none.such", T, [0, 1, 2]),
    Case("a function of one of them is missing too", "length(?none.such) == ?none.other", T, [0, 1, 2, 3]),
    Case("as a sum is", "n == ?none.such + 1", N, [3]),
    Case("a function of a field is compared where it is missing", "length(t) == ?none.such", T, [3]),
    Case("it is no constant", 'concat(?none.such, "a") == "a"', T, []),
    Case("and differs from each", '?none.such != "a"', T, [0, 1, 2, 3]),
    Case("an ordering with one of them is met by none", "?none.such > ?none.other", T, []),
    Case("nor is a membership", '?none.such in (?none.other, "a")', T, []),
    Case("nor is a pattern", '?none.such : ("*", "a")', T, []),
    Case("nor a function's test", 'startsWith(?none.such, "")', T, []),
    Case(
        "events that have them are compared",
        "?none.such == ?none.other",
        [
            {"none.such": "a", "none.other": "a"},
            {"none.such": "a", "none.other": "b"},
            {"none.such": "a"},
            {},
        ],
        [0, 3],
    ),
    Case("an event that has it is tested", '?none.such : "x*"', [{"none.such": "xy"}, {}], [0]),
    # ---- several values
    Case("any value decides", 'many == "beta"', MANY, [0, 1]),
    Case("for : too", 'many : "ALPHA"', MANY, [0]),
    Case("not == means none of them", 'not many == "beta"', MANY, [2, 3, 4]),
    Case("!= means none of them", 'many != "Alpha"', MANY, [1, 2, 3, 4]),
    Case("two tests may be met by two values", 'many == "Alpha" and many == "beta"', MANY, [0]),
    Case("an empty list is missing, as is a list of nulls", "many == null", MANY, [2, 3, 4]),
    Case("a function is applied to each", "length(many) == 4", MANY, [0, 1]),
    Case(
        "two fields: some pair of values",
        "many == t",
        [{"many": ["a", "b"], "t": "b"}, {"many": ["a"], "t": "b"}],
        [0],
    ),
    Case(
        "an item of in may be a field",
        't in (u, "System")',
        [{"t": "a", "u": "a"}, {"t": "System"}, {"t": "b", "u": "a"}],
        [0, 1],
    ),
    Case("numbers too", "n >= 5", [{"n": [1, 9]}, {"n": [1, 2]}], [0]),
    # ---- letter case
    Case("== regards case", 't == "abc"', T, [1]),
    Case(": does not", 't : "ABC"', T, [0, 1]),
    Case("in regards case", 't in ("abc", "XYZ")', T, [1]),
    Case("in~ does not", 't in~ ("ABC", "XYZ")', T, [0, 1, 2]),
    Case("like regards case", 't like "a*"', T, [1]),
    Case("like~ does not", 't like~ "A*"', T, [0, 1]),
    Case("case beyond ASCII", 't : "ÄRGER"', [{"t": "Ärger"}, {"t": "ärger"}, {"t": "arger"}], [0, 1]),
    Case("a function with ~", 'startsWith~(t, "AB")', T, [0, 1]),
    Case("and without", 'startsWith(t, "Ab")', T, [0]),
    Case("strings are ordered by code point", 't < "a"', T, [0]),
    # ---- wildcards
    Case("* is any text, also none", 't : "abc*"', T, [0, 1]),
    Case("? is one character", 't : "ab?"', T, [0, 1]),
    Case("? is not none", 't : "abc?"', T, []),
    Case("a pattern covers the whole value", 't : "b"', T, []),
    Case("== has no wildcards", 't == "ab*"', [{"t": "abc"}, {"t": "ab*"}], [1]),
    Case("in~ has none", 't in~ ("ab*")', [{"t": "abc"}, {"t": "AB*"}], [1]),
    Case("a list of patterns: any of them", 't : ("x*", "*c")', T, [0, 1, 2]),
    Case(
        "a backslash is itself in a pattern", 't : "C:\\\\Win*"', [{"t": "c:\\windows"}, {"t": "c:windows"}], [0]
    ),
    Case("dots and brackets are themselves", 't : "a.b[*"', [{"t": "a.b[1]"}, {"t": "axb[1]"}], [0]),
    Case("* spans lines", 't : "a*z"', [{"t": "a\nz"}], [0]),
    # ---- regular expressions
    Case("a regex covers the whole value", 't regex "b."', T, []),
    Case("alternatives and classes", 't regex "[ax](bc|yz)"', T, [1, 2]),
    Case("regex~ ignores case", 't regex~ "ABC"', T, [0, 1]),
    Case("several regexes: any", 't regex ("x.*", "A.c")', T, [0, 2]),
    Case("^ is a plain character", 't regex "^abc"', [{"t": "abc"}, {"t": "^abc"}], [1]),
    Case(".*? is an optional .*", 't regex ".*?bc"', T, [0, 1]),
    Case("@ is any text, as Lucene has it", 't regex "a@"', T, [1]),
    Case("<n-m> is a number between", 't regex "v<8-11>"', [{"t": "v9"}, {"t": "v11"}, {"t": "v12"}], [0, 1]),
    # ---- strings
    Case("escapes", r't == "tab\there \"q\" \\ \u{41}"', [{"t": 'tab\there "q" \\ A'}], [0]),
    Case("raw strings take backslashes as they are", 't == """C:\\dir\\"x" """', [{"t": 'C:\\dir\\"x" '}], [0]),
    # ---- numbers
    Case("whole numbers divide towards zero", "n / 2 == -1", [{"n": -3}, {"n": -2}, {"n": -4}], [0, 1]),
    Case("with a decimal they do not", "n / 2.0 == -1.5", [{"n": -3}], [0]),
    Case("the remainder has the sign of the dividend", "n % 3 == -1", [{"n": -4}, {"n": 4}], [0]),
    Case("dividing by zero is null", "n / 0 == null", [{"n": 1}], [0]),
    Case("a whole number equals the same decimal", "n == 3.0", N, [2]),
    Case("minus", "-n + 1 == 3", N, [0]),
    Case("precedence", "n + 2 * 2 == 7", N, [2]),
    # ---- booleans
    Case("a boolean field alone", "flag", [{"flag": True}, {"flag": False}, {}], [0]),
    Case("not of it", "not flag", [{"flag": True}, {"flag": False}, {}], [1, 2]),
    Case("== false asks for false", "flag == false", [{"flag": True}, {"flag": False}, {}], [1]),
    Case("!= true is met by a missing field", "flag != true", [{"flag": True}, {"flag": False}, {}], [1, 2]),
    Case(
        "a test == false is its negation",
        'cidrMatch(addr, "10.0.0.0/8") == false',
        [{"addr": "10.1.1.1"}, {"addr": "9.9.9.9"}, {}],
        [1, 2],
    ),
    # ---- addresses and dates
    Case(
        "cidrMatch: any block",
        'cidrMatch(addr, "192.168.0.0/16", "10.6.48.157/8")',
        [{"addr": "10.9.9.9"}, {"addr": "11.0.0.1"}],
        [0],
    ),
    Case(
        "an address equals a block that it lies in",
        'addr == "10.0.0.0/8"',
        [{"addr": "10.9.9.9"}, {"addr": "11.0.0.1"}],
        [0],
    ),
    Case("IPv6 in any spelling", 'addr == "::1"', [{"addr": "0:0:0:0:0:0:0:1"}, {"addr": "::2"}], [0]),
    Case(
        "dates compare as moments",
        'when >= "2026-01-01T12:00:00+02:00"',
        [{"when": "2026-01-01T10:00:00Z"}, {"when": "2026-01-01T09:59:59.999Z"}],
        [0],
    ),
    Case(
        "a date compares with milliseconds since 1970",
        "when > 1516116808349",
        [{"when": "2018-01-16T15:33:28.349Z"}, {"when": "2018-01-16T15:33:28.350Z"}],
        [1],
    ),
    Case("a date equals its milliseconds", "when == 1516116808349", [{"when": "2018-01-16T15:33:28.349Z"}], [0]),
    Case(
        "a date literal to the nanosecond",
        'when == "1974-03-03T02:22:54.294365140Z"',
        [{"when": "1974-03-03T02:22:54.294365140Z"}, {"when": "1974-03-03T02:22:54.294365141Z"}],
        [0],
    ),
    Case(
        "a range between nanoseconds",
        'when > "1974-03-03T02:22:54.294209140Z" and when < "1974-03-03T02:22:54.294209142Z"',
        [{"when": "1974-03-03T02:22:54.294209141Z"}, {"when": "1974-03-03T02:22:54.294209142Z"}],
        [0],
    ),
    Case(
        "a date beyond 64 bits of nanoseconds is none, and spoils no other",
        'when > "2026-01-01"',
        [{"when": "2280-04-09T11:52:44.123Z"}, {"when": "2026-01-02"}, {"when": 99999999999999999}],
        [1],
    ),
    # ---- functions
    Case("between", 'between(t, "s", "e") == "t"', [{"t": "xstey"}, {"t": "xst"}], [0]),
    Case("between, greedy", 'between(t, "s", "e", true) == "te"', [{"t": "xsteey"}], [0]),
    Case("between is null without an end", 'between(t, "s", "z") == null', [{"t": "xstey"}], [0]),
    Case("between~ keeps the case of what it returns", 'between~(t, "S", "E") == "T"', [{"t": "xsTey"}], [0]),
    Case("indexOf counts from zero", 'indexOf(t, "c") == 2', T, [0, 1]),
    Case("indexOf from a position", 'indexOf(t, "a", 1) == 3', [{"t": "abca"}], [0]),
    Case("indexOf of what is not there is null", 'indexOf(t, "q") == null', T, [0, 1, 2, 3]),
    Case("substring from the end", 'substring(t, -2) == "bc"', T, [0, 1]),
    Case("substring to before the end", 'substring(t, -3, -1) == "ab"', T, [1]),
    Case("concat takes any type", 'concat(n, "-", flag) == "3-true"', [{"n": 3, "flag": True}], [0]),
    Case("string of a number", 'string(n) : "3"', N, [2]),
    Case("string of a decimal, as Java spells it", 'string(d) == "1.0E10"', [{"d": 1e10}], [0]),
    Case("number of a text", "number(t) == 17", [{"t": "17"}, {"t": "x"}], [0]),
    Case("number with a null base is decimal", "number(t, null) == 17", [{"t": "17"}], [0]),
    Case(
        "the constant may be the text and the field the part",
        'startsWith("explorer.exeaaa", t)',
        [{"t": "explorer.exe"}, {"t": "exe"}],
        [0],
    ),
    Case("concat of one", 'concat(n) == "3"', N, [2]),
    Case(
        "string of a test",
        'string(cidrMatch(addr, "10.0.0.0/8")) == "true"',
        [{"addr": "10.1.1.1"}, {"addr": "9.9.9.9"}],
        [0],
    ),
    Case("number in another base", "number(t, 16) == 50", [{"t": "0x32"}, {"t": "32"}, {"t": "50"}], [0, 1]),
    Case("stringContains", 'stringContains~(t, "BC")', T, [0, 1]),
    Case("endsWith", 'endsWith(t, "bc")', T, [0, 1]),
    Case("length of an empty text is 0", "length(t) == 0", [{"t": ""}, {}], [0]),
    Case("function names may be written in any case", 'ENDSWITH(t, "bc")', T, [0, 1]),
    Case("arithmetic by name", "add(n, 1) == 4 and modulo(n, 2) == 1", N, [2]),
    # ---- categories
    Case(
        "a category is one of the event's",
        "true",
        [{"event.category": ["iam", "process"]}, {"event.category": "file"}],
        [0],
        "process",
    ),
    Case("a category regards case", "true", [{"event.category": "Process"}], [], "process"),
    Case("a category in quotes", "true", [{"event.category": "my kind"}], [0], '"my kind"'),
    Case("any needs no category", "true", [{}, {"event.category": "x"}], [0, 1]),
    # ---- syntax
    Case("backticks", '`and` == "x"', [{"and": "x"}], [0]),
    Case("comments", 't == "abc" // here\n /* and\n there */ or false', T, [1]),
]
WITH_AND = SCHEMA.extended(schema_of(**{"and": "keyword"}).fields.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_query_returns_what_elasticsearch_returns(case: Case) -> None:
    assert matching(f"{case.category} where {case.condition}", case.events, WITH_AND) == case.matched


REFUSED = [
    ("process where pid2 == 1", "unknown field `pid2`"),
    ('process where process.nmae : "x"', "did you mean `process.name`"),
    ("process where length(process.pid) == 1", "needs a string here, and this is a number"),
    ('process where process.pid == "4"', "a number cannot be compared with a string"),
    ("process where process.name == 4", "a string cannot be compared with a number"),
    ('process where process.pid : "4"', "need a string"),
    ("process where process.name", "must be true or false"),
    ("process where 1 + 2", "must be true or false"),
    ("process where flag > true", "does not order booleans"),
    ("process where startsWith(process.name)", "takes 2 arguments, not 1"),
    ("process where nosuch(process.name)", "unknown function"),
    ('process where startwith(process.name, "a")', "did you mean `startsWith`"),
    ("process where length~(process.name) == 1", "no case-insensitive form"),
    ("process where number(1) == 1", "needs a string"),
    ('process where cidrMatch(source.ip, "10.0.0/99")', "not an address block"),
    ('process where process.name regex "(a"', "never closed"),
    ('process where process.name regex "~(a)"', "complement"),
    ('process where process.name = "x"', "write `==`"),
    ("process where process.name == 'x'", 'use "…"'),
    ('process where process.name == "C:\\q"', "unknown escape \\q"),
    ('process where process.name == "x', "never ends"),
    ('process where process.args[0] == "x"', "index into an array"),
    ("process where (process.pid == 1", "expected `)`"),
    ("process where", "ends too early"),
    ("process where process.pid == 1 AND true", "unexpected `AND`"),
    ("process", "expected `where`"),
    ("", "ends too early"),
    ("process where true | had 5", "did you mean `head`"),
    ("process where true | head 0", "positive whole number"),
    ("process where true | head 1.5", "positive whole number"),
    ("process where true | filter process.pid", "must be true or false"),
    ("sequence [process where true]", "at least two steps"),
    ("sequence by user.id [process where true] by host.id [file where true]", "same number of join keys"),
    ("sequence with maxspan=5 [process where true] [file where true]", "needs a unit"),
    ("sequence with maxspan=1.5h [process where true] [file where true]", "positive whole number"),
    ("sequence by host.id [process where true] ![file where true]", "needs maxspan"),
    ("sequence [process where true] [file where true] | count", "no pipe `count`"),
    ("sample [process where true] [file where true]", "needs join keys"),
    ("join by user.id [process where true] [file where true]", "write `sample by"),
    ("sequence [process where true] [file where nmae == 1]", "unknown field `nmae`"),
]


@pytest.mark.parametrize(("query", "says"), REFUSED, ids=[query[:60] for query, _ in REFUSED])
def test_a_faulty_query_is_refused_with_its_place_and_a_hint(query: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        read(query, SCHEMA)
    assert says in str(caught.value)
    assert caught.value.place is not None
    assert "^" in caught.value.explain() or not query


ACCEPTED = [
    "sequence by host.id with maxspan=5m [process where true] by user.id [file where true] by ?user.name until [process where process.pid == 1] by user.id | head 5",
    "sequence with maxspan=1h by host.id [process where true] with runs=3 ![network where true]",
    "sample by host.id [process where true] [file where true] | tail 2",
    "sequence [process where true] [file where true] with runs=2 until [process where true]",
]


@pytest.mark.parametrize("query", ACCEPTED)
def test_sequences_and_samples_are_checked(query: str) -> None:
    assert read(query, SCHEMA).query


PIPED: list[dict[str, Any]] = [{"t": "b", "n": 1}, {"t": "a", "n": 2}, {"t": "b", "n": 3}, {"t": "B"}, {"n": 5}]
PIPES = [
    ("head 2", [0, 1]),
    ("tail 2", [3, 4]),
    ("tail 3 | head 1", [2]),
    ("filter n > 1 | head 2", [1, 2]),
    ("unique t", [0, 1, 3, 4]),
    ("unique t, n", [0, 1, 2, 3, 4]),
    ("unique length(t)", [0, 4]),
    ("sort n", [3, 0, 1, 2, 4]),
    ("sort t, n", [4, 1, 3, 0, 2]),
    ("unique_count t | filter count == 2", [0]),
    ("unique_count t | filter percent < 0.3 | sort t", [4, 1, 3]),
]


@pytest.mark.parametrize(("pipes", "expected"), PIPES)
def test_pipes(pipes: str, expected: list[int]) -> None:
    assert matching(f"any where true | {pipes}", PIPED, SCHEMA) == expected


def test_count_yields_numbers() -> None:
    (total,) = hits("any where true | count", PIPED, SCHEMA)
    assert total.added == {"count": 5, "percent": 1.0, "key": ["totals"]}
    by_name = [hit.added for hit in hits("any where n != null | count t", PIPED, SCHEMA)]
    assert [(c["key"], c["count"]) for c in by_name] == [([None], 1), (["a"], 1), (["b"], 2)]
