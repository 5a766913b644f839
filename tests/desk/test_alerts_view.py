"""What a list of alerts shows: columns, order, groups, facets, pages; and that its address says all of it."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tests.desk.many_alerts import desk_with_alerts
from tocsin.desk.alerts.columns import COLUMNS, DEFAULT_COLUMNS, column_of, moved_column
from tocsin.desk.alerts.view import FACETS, PAGE_SIZE, AlertsView

_HTMX = {"HX-Request": "true"}


def heads(text):
    """Return the heads of the columns."""
    return [
        re.sub("<[^>]*>", "", head).strip()
        for head in re.findall(r"<th scope=\"col\" class=\"of-[^>]*>(.*?)</th>", text)
    ]


def rows(text):
    return re.findall(r'data-row id="alert-([^"]*)"', text)


def link(text, words):
    """Return the address of the link that says something, or whose label does."""
    for href, rest in re.findall(r'<a href="([^"]*)"([^<]*)', text):
        if words in unescape(rest):
            return unescape(href)
    raise AssertionError(f"no link says {words}")


def view_of(address):
    return AlertsView.of(QueryParams(urlsplit(address).query))


_VALUES = st.text(max_size=8)
_CHOICES = st.lists(_VALUES.filter(bool), min_size=1, max_size=2, unique=True).map(tuple)
_VIEWS = st.builds(
    AlertsView,
    kql=_VALUES, since=st.just("now-1h") | _VALUES.filter(bool), until=_VALUES,
    chosen=st.dictionaries(st.sampled_from([f.name for f in FACETS]), _CHOICES, max_size=2),
    excluded=st.dictionaries(st.sampled_from([f.name for f in FACETS]), _CHOICES, max_size=2),
    columns=st.lists(st.sampled_from([*COLUMNS, "process.name", "a b"]), min_size=1, unique=True).map(tuple),
    sort=st.sampled_from(["newest", "oldest", "risk", "host:asc", "process.name:desc"]),
    group=st.sampled_from(["", "rule", "host", "user"]),
)  # fmt: skip


@given(_VIEWS, st.integers(1, 10_000), st.sampled_from(["", '[1,"x"]']))
def test_an_address_says_all_of_a_list(view, page, after):
    assert view_of(view.address()) == view
    placed = view_of(view.address(page=page, after=after))
    assert (placed.page, placed.after) == (page, after)
    assert view_of(placed.here) == placed


def test_columns_are_chosen_in_their_order_and_any_field_is_one(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts?from=&columns=process.name,host,severity").text
        assert heads(text) == ["process.name", "Host", "Severity"]
        assert 'data-field="process.name"' in text
        added = client.get("/alerts?from=&columns=host&column=process.pid").text
        assert heads(added) == ["Host", "process.pid"]
        moved = client.get(link(text, "Move process.name to the right")).text
        assert heads(moved) == ["Host", "process.name", "Severity"]
        less = client.get(link(moved, "Take Host away")).text
        assert heads(less) == ["process.name", "Severity"]
        assert len(heads(client.get(link(less, "The usual columns")).text)) == len(DEFAULT_COLUMNS)


@pytest.mark.parametrize("columns", ["", ",,", "x" * 5_000, "<script>", ",".join(f"f{n}" for n in range(100))])
def test_any_columns_are_answered(desk, columns):
    with desk.logged_in() as client:
        answer = client.get("/alerts", params={"from": "", "columns": columns})
    assert answer.status_code == 200
    assert 1 <= len(heads(answer.text)) <= 24
    assert "<script>" not in answer.text


@pytest.mark.parametrize(("step", "order"), [(-1, "bac"), (1, "acb"), (-5, "bac"), (5, "acb"), (0, "abc")])
def test_a_column_moves_as_far_as_there_is_room(step, order):
    name = "b"
    assert "".join(moved_column("abc", name, step)) == order


def test_a_click_on_a_head_sorts_and_a_second_turns_the_order_round(desk):
    with desk.logged_in() as client:
        text = client.get("/alerts?from=").text
        first = client.get(view_of("/alerts?from=").sorted_address(column_of("host"))).text
        assert 'aria-sort="descending"' in text
        assert 'column-host" aria-sort="ascending"' in first
        second = client.get(view_of("/alerts?from=&sort=host:asc").sorted_address(column_of("host"))).text
    assert rows(first) != rows(second)
    assert sorted(rows(first)) == sorted(rows(second))


@pytest.mark.parametrize("sort", ["process.pid:asc", "no.such.field:desc", "happened:asc", ":asc", "host", "x:y"])
def test_any_order_is_answered(desk, sort):
    with desk.logged_in() as client:
        answer = client.get("/alerts", params={"from": "", "sort": sort})
    assert len(rows(answer.text)) == len(desk.alerts)


@pytest.mark.parametrize("group", ["rule", "host", "user"])
def test_alerts_in_groups_lead_to_their_rows(desk, group):
    field = {facet.name: facet.field for facet in FACETS}[group].split(".")
    values = []
    for alert in desk.alerts:
        value = alert.get(".".join(field)) if group == "rule" else alert[field[0]][field[1]]
        values.append(value)
    with desk.logged_in() as client:
        text = client.get(f"/alerts?from=&group={group}").text
        assert rows(text) == []
        assert text.count('<div class="group">') == len(set(values))
        for value in set(values):
            address = next(
                unescape(href) for href in re.findall(r'href="([^"]*)" class="all-of-group"', text)
                if parse_qs(urlsplit(unescape(href)).query).get(group) == [value]
            )  # fmt: skip
            assert len(rows(client.get(address).text)) == values.count(value)
            part = client.get(f"/alerts/rows?{urlsplit(address).query}", headers=_HTMX).text
            assert len(rows(part)) == values.count(value)


def test_a_value_is_left_out_and_taken_back(desk):
    host = "WS-0142.corp.example.com"
    with desk.logged_in() as client:
        text = client.get("/alerts?from=").text
        without = client.get(link(text, f"Leave out {host}")).text
        shown = set(re.findall(r'<td class="host">.*?data-value="&#34;([^&]*)&#34;"', without))
        assert shown == {"SRV-FILE01.corp.example.com"}
        back = client.get(link(without, f"Leave out {host}")).text
        assert len(rows(back)) == len(desk.alerts)


def test_more_values_of_a_facet_are_found_by_what_they_hold(desk):
    with desk.logged_in() as client:
        every = client.get("/alerts/facets/host?from=", headers=_HTMX).text
        part = client.get("/alerts/facets/host?from=&text=srv", headers=_HTMX).text
        none = client.get("/alerts/facets/host?from=&text=*", headers=_HTMX).text
        unknown = client.get("/alerts/facets/unknown", headers=_HTMX)
    assert "WS-0142" in every
    assert "SRV-FILE01" in part
    assert "WS-0142" not in part
    assert "No value holds that." in none
    assert unknown.status_code == 404


@pytest.mark.parametrize("place", ["{", "[]", '["x","y"]', '[{"a":1},"x"]', "[1,2,3,4]", "7"])
def test_a_place_that_cannot_be_read_is_said_so(desk, place):
    with desk.logged_in() as client:
        answer = client.get("/alerts", params={"from": "", "after": place, "page": "7"})
    assert answer.status_code == 200
    assert 'class="problem"' in answer.text


def test_pages_are_all_there_in_both_directions(tmp_path):
    number = 4 * PAGE_SIZE + 3
    with desk_with_alerts(tmp_path, number) as desk, desk.logged_in() as client:
        address, pages = "/alerts?from=", []
        while address:
            text = client.get(address).text
            pages.append(rows(text))
            following = re.findall(r'href="([^"]*)" rel="next"', text)
            address = unescape(following[0]) if following else ""
        assert len({id_ for page in pages for id_ in page}) == sum(map(len, pages)) == number
        back = []
        while True:
            back.append(rows(text))
            before = re.findall(r'href="([^"]*)" rel="prev"', text)
            if not before:
                break
            text = client.get(unescape(before[0])).text
    assert [len(page) for page in pages[:-1]] == [PAGE_SIZE] * (len(pages) - 1)
    assert back[::-1] == pages
