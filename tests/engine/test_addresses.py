"""An address is one value however it is spelled, in every language, and addresses have an order.

What Elasticsearch does is in its InetAddresses, NetworkAddress and IpFieldMapper, and in Lucene's
InetAddressPoint: an IPv4 address is the IPv6 address that it is mapped to, and one spelling is answered.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.querying import matching, schema_of, sequences
from tocsin.addresses import LAST, canonical, number_of, span_of
from tocsin.detection.alerts.exceptions import exception_condition
from tocsin.engine.evaluate import evaluate
from tocsin.engine.graph import compile_conditions
from tocsin.engine.table import table_from_events
from tocsin.eql.compile import read
from tocsin.errors import QueryError
from tocsin.kql.read import read_kql
from tocsin.query_dsl.context import Context
from tocsin.query_dsl.parse import read_query
from tocsin.query_dsl.query_string import Reading, read_query_string

SCHEMA = schema_of(addr="ip", other="ip", t="keyword")
CONTEXT = Context(SCHEMA)

# spelling -> the one that is answered
SPELLINGS = {
    "10.1.2.3": "10.1.2.3",
    "::ffff:10.1.2.3": "10.1.2.3",
    "::FFFF:10.1.2.3": "10.1.2.3",
    "::ffff:a01:203": "10.1.2.3",
    "0:0:0:0:0:ffff:0a01:0203": "10.1.2.3",
    "2001:db8::1": "2001:db8::1",
    "2001:DB8:0::1": "2001:db8::1",
    "2001:0db8:0000:0000:0000:0000:0000:0001": "2001:db8::1",
    "2001:db8:0:1:0:0:0:1": "2001:db8:0:1::1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "::1.2.3.4": "::102:304",
    "fe80::1%11": "fe80::1",
    "::": "::",
}
NO_ADDRESSES = [
    "",
    "10.1.2",
    "10.1.2.3.4",
    "010.1.2.3",
    "10.1.2.256",
    "localhost",
    ":1",
    "1::2::3",
    "fe80::1%",
    "-",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_address_has_one_spelling(text):
    assert canonical(text) == SPELLINGS[text]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is not an IP string literal"):
        canonical(text)


SPANS = {
    "10.1.2.3": ("10.1.2.3", "10.1.2.3"),
    "10.6.48.157/8": ("10.0.0.0", "10.255.255.255"),
    "0.0.0.0/0": ("0.0.0.0", "255.255.255.255"),
    "::ffff:10.0.0.0/104": ("10.0.0.0", "10.255.255.255"),
    "2001:DB8::/32": ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    "::/0": ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "10.0.0.1-10.0.0.9": ("10.0.0.1", "10.0.0.9"),
    "10.0.0.1 - ::ffff:10.0.0.9": ("10.0.0.1", "10.0.0.9"),
}


@pytest.mark.parametrize("text", SPANS)
def test_a_block_is_a_span_of_addresses(text):
    first, last = SPANS[text]
    assert span_of(text) == (number_of(first), number_of(last))


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0/8", "::ffff:10.0.0.0/8", "10.0.0.0/x", "10.0.0.9-10.0.0.1"]
)
def test_what_is_no_block_is_refused(text):
    with pytest.raises(ValueError, match=r"is not|is no"):
        span_of(text)


# ---- conditions on addresses, in every language

EVENTS: list[dict[str, Any]] = [
    {"addr": "10.1.2.3", "other": "::ffff:10.1.2.3"},
    {"addr": "::FFFF:10.1.2.3", "other": "10.1.2.4"},
    {"addr": "::ffff:a01:203"},
    {"addr": "10.1.2.4"},
    {"addr": "9.255.0.1"},
    {"addr": "2001:DB8:0::1", "other": "2001:db8::1"},
    {"addr": ["192.168.0.1", "::ffff:10.1.2.3"]},
    {"addr": "no address"},
    {},
]
SAME, BESIDE_OTHER = [0, 1, 2, 6], [0, 5]
IN_TEN = [0, 1, 2, 3, 6]


def met(condition):
    program = compile_conditions([(("q", 0), condition)])
    table = table_from_events(EVENTS, program.fields, SCHEMA)
    return [int(row) for row in evaluate(program, table).get(("q", 0), ())]


EQL = {
    'addr == "10.1.2.3"': SAME,
    'addr == "::ffff:a01:203"': SAME,
    '"::ffff:10.1.2.3" == addr': SAME,
    'addr != "::ffff:10.1.2.3"': [3, 4, 5, 7, 8],
    'addr in ("::ffff:10.1.2.3", "2001:db8:0:0::1")': [0, 1, 2, 5, 6],
    'addr in~ ("::FFFF:10.1.2.3", "9.9.9.9")': SAME,
    'addr not in ("::ffff:10.1.2.3", "10.1.2.4")': [4, 5, 7, 8],
    'addr in ("::ffff:10.1.0.0/112", "9.0.0.0/8")': [0, 1, 2, 3, 4, 6],
    'addr : "::ffff:10.1.2.3"': SAME,
    'addr : ("2001:DB8::1", "9.*", "192.168.0.0/16")': [4, 5, 6],
    'addr like "::ffff:10.1.2.3"': SAME,
    "addr == other": BESIDE_OTHER,
    'cidrMatch(addr, "10.0.0.0/8")': IN_TEN,
    'cidrMatch(addr, "::ffff:10.0.0.0/104", "2001:db8::/32")': [0, 1, 2, 3, 5, 6],
    'not cidrMatch(addr, "10.0.0.0/8")': [4, 5, 7, 8],
    'addr >= "10.0.0.0"': [0, 1, 2, 3, 5, 6],
    'addr < "::ffff:10.0.0.0"': [4],
    'addr > "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"': [],
    '"10.1.2.3" < addr and addr <= "10.1.2.4"': [3, 6],  # of an event each test has a value
    'string(addr) == "10.1.2.3"': SAME,
}


@pytest.mark.parametrize("condition", EQL)
def test_eql(condition):
    assert matching(f"any where {condition}", EVENTS, SCHEMA) == EQL[condition]


KQL = {
    "addr: 10.1.2.3": SAME,
    'addr: "::ffff:10.1.2.3"': SAME,
    'addr: ("::FFFF:A01:203" or "2001:db8:0:0:0::1")': [0, 1, 2, 5, 6],
    'not addr: "::ffff:10.1.2.3"': [3, 4, 5, 7, 8],
    "addr: 10.0.0.0/8": IN_TEN,
    'addr: "10.0.0.0/8"': IN_TEN,
    'addr: "2001:db8::/32"': [5],
    "addr >= 10.0.0.0": [0, 1, 2, 3, 5, 6],
    'addr > "::ffff:10.1.2.3"': [3, 5, 6],
    "addr < 10.1.2.4 and addr >= 10.0.0.0": SAME,
    "addr: *": [0, 1, 2, 3, 4, 5, 6, 7],
}


@pytest.mark.parametrize("text", KQL)
def test_kql(text):
    assert met(read_kql(text, CONTEXT)) == KQL[text]


LUCENE = {
    "addr:10.1.2.3": SAME,
    'addr:"::ffff:10.1.2.3"': SAME,
    r"addr:2001\:DB8\:\:1": [5],
    'addr:"10.0.0.0/8"': IN_TEN,
    "addr:[10.0.0.0 TO 10.1.2.3]": SAME,
    "addr:[10.1.2.3 TO 10.1.2.4}": SAME,
    "addr:{10.1.2.3 TO *]": [3, 5, 6],
    "addr:[* TO 9.255.0.1]": [4],
    "addr:[2001:db8:: TO 2001:db8::ffff]": [5],
    "addr:>=10.1.2.4": [3, 5, 6],
    '"::ffff:10.1.2.3"': SAME,
}


@pytest.mark.parametrize("text", LUCENE)
def test_lucene(text):
    assert met(read_query_string(text, Reading(CONTEXT))) == LUCENE[text]


def term(**about):
    return {"term": about}


DSL = [
    (term(addr="::ffff:10.1.2.3"), SAME),
    (term(addr={"value": "10.0.0.0/8"}), IN_TEN),
    ({"terms": {"addr": ["::ffff:a01:203", "2001:db8:0::1"]}}, [0, 1, 2, 5, 6]),
    ({"terms": {"addr": ["9.0.0.0/8", "10.1.2.4"]}}, [3, 4]),
    ({"terms": {"addr": []}}, []),
    ({"match": {"addr": "::ffff:10.1.2.3"}}, SAME),
    ({"match_phrase": {"addr": "::ffff:10.1.2.3"}}, SAME),
    ({"range": {"addr": {"gte": "10.0.0.0", "lte": "::ffff:10.1.2.3"}}}, SAME),
    ({"range": {"addr": {"gt": "10.1.2.3", "lt": "10.1.2.4"}}}, []),
    ({"range": {"addr": {"gt": "192.168.0.1"}}}, [5]),
    ({"range": {"addr": {"lt": "::"}}}, []),
    ({"range": {"addr": {"gte": "10.1.2.4", "lte": "192.168.0.0"}}}, [3]),  # of one event one value lies in it
    ({"exists": {"field": "addr"}}, [0, 1, 2, 3, 4, 5, 6, 7]),
]


@pytest.mark.parametrize(("query", "matched"), DSL, ids=lambda value: str(value)[:50])
def test_query_dsl(query, matched):
    assert met(read_query(query, CONTEXT)) == matched


LISTS = {
    "addresses": ["::ffff:10.1.2.3", "2001:DB8::1"],
    "ranges": ["9.0.0.0/8", "10.1.2.4-10.1.2.9"],
    "empty": [],
}


def entry(kind, **about):
    return {"field": "addr", "operator": "included", "type": kind, **about}


def listed(name, kind):
    return entry("list", list={"id": name, "type": kind})


EXCEPTIONS = [
    (entry("match", value="::ffff:10.1.2.3"), SAME),
    (entry("match_any", value=["::ffff:a01:203", "9.255.0.1"]), [0, 1, 2, 4, 6]),
    (entry("match", value="10.0.0.0/8"), IN_TEN),
    (listed("addresses", "ip"), [0, 1, 2, 5, 6]),
    (listed("ranges", "ip_range"), [3, 4]),
    (listed("empty", "ip_range"), []),
]


@pytest.mark.parametrize(("about", "matched"), EXCEPTIONS, ids=lambda value: str(value)[:60])
def test_exceptions(about, matched):
    assert met(exception_condition([{"entries": [about]}], CONTEXT, LISTS.__getitem__)) == matched


PIPES = {
    "unique addr": [0, 3, 4, 5, 6, 7, 8],
    'filter addr == "::ffff:10.1.2.3"': [0, 1, 2],  # a pipe looks at the first value
    "filter addr == other": BESIDE_OTHER,
    "unique addr | head 2": [0, 3],
}


@pytest.mark.parametrize("pipe", PIPES)
def test_pipes(pipe):
    assert matching(f"any where true | {pipe}", EVENTS, SCHEMA) == PIPES[pipe]


REFUSED = [
    lambda: read('any where addr == "localhost"', SCHEMA),
    lambda: read('any where addr in ("10.0.0.1", "-")', SCHEMA),
    lambda: read('any where addr >= "10.0.0"', SCHEMA),
    lambda: read_kql("addr: localhost", CONTEXT),
    lambda: read_kql("addr > many", CONTEXT),
    lambda: read_query_string("addr:localhost", Reading(Context(SCHEMA))),
    lambda: read_query({"term": {"addr": "localhost"}}, CONTEXT),
    lambda: read_query({"terms": {"addr": ["10.0.0.1", "x"]}}, CONTEXT),
    lambda: read_query({"range": {"addr": {"gte": "10.0.0.0/8"}}}, CONTEXT),
]


@pytest.mark.parametrize("ask", REFUSED)
def test_a_constant_that_is_no_address_is_refused(ask):
    with pytest.raises(QueryError, match="is not an IP string literal"):
        ask()


@pytest.mark.parametrize("condition", ["addr > other", 'addr >= "10.0.0.0/8"'])
def test_an_address_is_ordered_beside_one_constant_address(condition):
    with pytest.raises(QueryError, match="orders an address beside a constant one"):
        read(f"any where {condition}", SCHEMA)


def test_a_field_that_holds_texts_keeps_them():
    events = [{"t": "::ffff:10.1.2.3"}, {"t": "10.1.2.3"}]
    assert matching('any where t == "10.1.2.3"', events, SCHEMA) == [1]


def test_sequences_join_addresses_however_they_are_spelled():
    spelled = ["10.1.2.3", "::ffff:10.1.2.3", "9.9.9.9", "2001:DB8::1", "2001:db8:0:0::1"]
    events = [
        {"@timestamp": f"2026-11-20T12:00:0{n}Z", "event.category": "network", "addr": one, "t": str(n)}
        for n, one in enumerate(spelled)
    ]
    query = "sequence by addr [network where true] [network where true]"
    found = [(result.keys, result.events) for result in sequences(query, events, SCHEMA)]
    assert found == [(("10.1.2.3",), (0, 1)), (("2001:db8::1",), (3, 4))]


# ---- whatever the address

NUMBERS = st.one_of(
    st.integers(0, LAST), st.integers(0xFFFF << 32, (0x10000 << 32) - 1), st.sampled_from([0, 1, LAST])
)


def hextets(number):
    return [number >> shift & 0xFFFF for shift in range(112, -1, -16)]


@st.composite
def spellings(draw, number=None):
    """An address as a number, and one of the ways to write it."""
    number = draw(NUMBERS) if number is None else number
    parts = [f"{part:x}" if draw(st.booleans()) else f"{part:04x}" for part in hextets(number)]
    forms = [":".join(parts), str(ipaddress.IPv6Address(number))]
    if number >> 32 == 0xFFFF:
        decimals = str(ipaddress.IPv4Address(number & 0xFFFFFFFF))
        forms += [decimals, f"::ffff:{decimals}", f"0:0:0:0:0:ffff:{decimals}"]
    text = draw(st.sampled_from(forms))
    text = text.upper() if draw(st.booleans()) else text
    return number, text + "%eth0" if ":" in text and draw(st.booleans()) else text


@given(spellings())
def test_every_spelling_of_an_address_is_one(spelled):
    number, text = spelled
    assert number_of(text) == number
    assert number_of(canonical(text)) == number
    assert canonical(text) == canonical(canonical(text)) == canonical(str(ipaddress.IPv6Address(number)))


@given(st.lists(spellings(), max_size=8), spellings(), spellings())
def test_conditions_are_those_on_numbers(some, first, second):
    events = [{"addr": text} for _, text in some]
    (low, a), (high, b) = first, second

    def holding(test):
        return [row for row, (number, _) in enumerate(some) if test(number)]

    def asked(condition):
        program = compile_conditions([(("q", 0), condition)])
        table = table_from_events(events, program.fields, SCHEMA)
        return [int(row) for row in evaluate(program, table).get(("q", 0), ())]

    within = {"range": {"addr": {"gte": a, "lt": b}}}
    assert asked(read_query(within, CONTEXT)) == holding(lambda number: low <= number < high)
    assert asked(read_query({"terms": {"addr": [a, b]}}, CONTEXT)) == holding(lambda number: number in (low, high))
    assert matching(f'any where addr != "{a}"', events, SCHEMA) == holding(lambda number: number != low)
    assert matching(f'any where addr <= "{b}"', events, SCHEMA) == holding(lambda number: number <= high)
