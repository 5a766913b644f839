"""KQL: what queries match, as Kibana and Elasticsearch answer them, and what is wrong with those refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.querying import schema_of
from tests.shared import needs_shared, shared
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import table_from_events
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.rules.load import load_rules

SCHEMA = schema_of(a="keyword", b="keyword", o__x="keyword", o__y="keyword", n="long", when="date", addr="ip")
SCRIPT = "powershell.file.script_block_text"
EVENTS = [
    {"a": "x", "b": "y", "n": 1, "process.name": "CMD.exe"},
    {"a": ["x", "w"], "n": 5, "o.x": "1"},
    {"b": "two words", "n": 10, "when": "2026-11-20T12:00:00Z", "o.x": "1", "o.y": "2"},
    {"a": "C:\\Windows\\x.exe", "addr": "10.1.2.3", "process.name": "cmd.exe"},
    {"a": 'say "hi" (now): *', "b": "or"},
    {SCRIPT: "$f = [Windows.Forms.Clipboard]::GetText(); get-clipboard -Raw", "a": "?"},
    {SCRIPT: "Invoke-NinjaCopyAll; Import-Module Invoke-Ninja\r\n# d\u00e9j\u00e0-vu\r\nImport-Csv"},
]
EVERY = list(range(len(EVENTS)))
# query -> the events it matches
CASES = {
    "": EVERY,
    "*": EVERY,
    "a: x": [0, 1],
    "a : x": [0, 1],
    "a:X": [],
    'a: "x"': [0, 1],
    "a: x and b: y": [0],
    "a: x AND NOT b: y": [1],
    "a: x or b: y and n: 7": [0, 1],
    "(a: x or b: y) and n: 1": [0],
    "not a: x": [2, 3, 4, 5, 6],
    "not not a: x": [0, 1],
    "not(a: x)": [2, 3, 4, 5, 6],
    "a: (x and w)": [1],
    "a: (x and not w)": [0],
    'a: (w or "?")': [1, 5],
    "a: (x and (w or q))": [1],
    "a: *": [0, 1, 3, 4, 5],
    "not a: *": [2, 6],
    "a: *.exe": [3],
    "a: C\\:\\\\Windows\\\\*": [3],
    'a: "C:\\Windows\\x.exe"': [3],
    'a: "C:\\\\Windows\\\\x.exe"': [3],
    "a: ?": [5],
    'a: "*"': [],
    'a: "say \\"hi\\" (now): *"': [4],
    "a: say*\\(now\\)\\:*": [4],
    "a: *\\*": [4],
    "b: two words": [2],
    'b: "two words"': [2],
    "b: two": [],
    "b: \\or": [4],
    'b: "or"': [4],
    "b: order": [],
    "n: 5": [1],
    'n: "5"': [1],
    "n > 1": [1, 2],
    "n >= 5 and n < 10": [1],
    'when >= "2026-11-20"': [2],
    "when < 2026-11-20": [],
    'when: "2026-11-20"': [2],
    "addr: 10.1.0.0/16": [3],
    "addr >= 10.1.2.3": [3],
    "addr > 10.1.2.3": [],
    "addr >= 9.0.0.0 and addr < 10.1.2.4": [3],
    'addr: "::ffff:a01:203"': [3],
    'addr: (127.0.0.0/8 or "10.1.2.3")': [3],
    "o: { x: 1 and y: 2 }": [2],
    "o.*: 2": [2],
    "o*: (1 and 2)": [2],
    "gone: x": [],
    "not gone: x": EVERY,
    "process.name: cmd.exe": [3],
    "process.name.caseless: cmd.exe": [0, 3],
    "process.name.caseless: (c*.EXE or none)": [0, 3],
    "process.name.caseless: (CMD.EXE or pwsh.exe)": [0, 3],
    # analysed text: words, whole ones, in any case
    f"{SCRIPT}: Get-Clipboard": [5],
    f'{SCRIPT}: "get-clipboard"': [5],
    f'{SCRIPT}: "Clipboard"': [5],
    f"{SCRIPT}: Clip": [],
    f"{SCRIPT}: Clip*": [5],
    f"{SCRIPT}: *NinjaCopy*": [6],
    f'{SCRIPT}: "Invoke-NinjaCopy"': [],
    f'{SCRIPT}: "Invoke-Ninja"': [6],
    f'{SCRIPT}: "]::GetText"': [5],
    f'{SCRIPT}: "Forms.Clipboard"': [5],
    f'{SCRIPT}: "Clipboard Forms"': [],
    f"{SCRIPT}: Clipboard Nothing": [5],
    f'{SCRIPT}: ("Import-Module" and "Invoke-Ninja")': [6],
    f"{SCRIPT}: import-csv": [6],
    f"{SCRIPT}: dejavu": [],
    f"{SCRIPT}: -vu": [6],
    f"{SCRIPT}: *": [5, 6],
}


def matching(text: str, events=EVENTS, context: Context | None = None) -> list[int]:
    condition = read_kql(text, context or Context(SCHEMA))
    program = compile_conditions([(("q", 0), condition)])
    table = table_from_events(events, program.fields, SCHEMA)
    return [int(row) for row in evaluate(program, table).get(("q", 0), [])]


@pytest.mark.parametrize("text", CASES)
def test_a_query_matches(text):
    assert matching(text) == CASES[text]


def test_a_value_without_a_field_is_looked_for_in_those_that_events_have():
    context = Context(SCHEMA)
    assert matching("two words", context=context) == [2]
    assert matching("5 or w", context=context) == [1]


# query -> what its error says, where, and its hint
ERRORS = {
    "a: ": ("the query ends too early", (1, 4), "a value"),
    "a: x and": ("the query ends too early", (1, 9), ""),
    "a: x)": ("unexpected `)`", (1, 5), "the end of the query"),
    "(a: x": ("the query ends too early", (1, 6), "`)`"),
    'a: "x': ("this value's quote is never closed", (1, 4), ""),
    "a: c:\\d": ("unexpected `:`", (1, 5), ""),
    "a: x\nand b: \\d": ("unexpected character `\\`", (2, 8), "in quotes"),
    "n: many": ("For input string: 'many', which is no number", (1, 1), ""),
    "when > soon": ("failed to parse date field [soon]", (1, 1), ""),
    "addr: 10.0.0.0/99": ("'10.0.0.0/99' is not an address block", (1, 1), ""),
    "(" * 5000: ("the query ends too early", (1, 5001), ""),
}


@pytest.mark.parametrize("text", ERRORS, ids=lambda text: text[:20])
def test_a_query_is_refused_with_its_place(text):
    message, (line, column), hint = ERRORS[text]
    with pytest.raises(QueryError, match=re.escape(message)) as refused:
        read_kql(text, Context(SCHEMA))
    place = refused.value.place
    assert place is not None
    assert (place.line, place.column) == (line, column)
    assert hint in refused.value.hint


@needs_shared("rules/elastic-windows")
def test_every_public_query_in_kql_is_read():
    rules = load_rules([str(shared("rules/elastic-windows"))]).rules
    written = [rule for rule in rules if rule.language == "kuery"]
    assert len(written) == 68
    for rule in written:
        read_kql(rule.query or "", Context(SCHEMA))


# ---- any query means what its parts mean, however it is written

_TEXTS = st.text(st.sampled_from('xyX \\*"():<>{}?.ü'), min_size=1, max_size=6).filter(lambda text: text.strip())
_ESCAPED = re.compile(r'([\\():<>"*{}])')


def _written(value: str, quoted: bool) -> str:
    if quoted or value != value.strip() or "  " in value or re.search(r"(?i)(^| )(and|or|not)( |$)", value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _ESCAPED.sub(r"\\\1", value)


_LEAF = st.tuples(st.just("is"), st.sampled_from("ab"), _TEXTS, st.booleans())
_TREES = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


def _text(tree) -> str:
    if tree[0] == "is":
        return f"{tree[1]}: {_written(tree[2], tree[3])}"
    if tree[0] == "not":
        return f"not ({_text(tree[1])})"
    return f" {tree[0]} ".join(f"({_text(one)})" for one in tree[1])


def _holds(tree, event) -> bool:
    if tree[0] == "is":
        return bool(event.get(tree[1]) == tree[2])
    if tree[0] == "not":
        return not _holds(tree[1], event)
    return (all if tree[0] == "and" else any)(_holds(one, event) for one in tree[1])


@given(_TREES, st.data())
def test_any_query_holds_for_an_event_where_its_parts_say_so(tree, data):
    values = st.one_of(st.none(), _TEXTS, st.sampled_from([leaf[2] for leaf in _leaves(tree)]))
    events = [
        {name: value for name in "ab" if (value := data.draw(values)) is not None}
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    assert matching(_text(tree), events) == [row for row, event in enumerate(events) if _holds(tree, event)]


def _leaves(tree):
    if tree[0] == "is":
        return [tree]
    inner = [tree[1]] if tree[0] == "not" else tree[1]
    return [leaf for one in inner for leaf in _leaves(one)]
