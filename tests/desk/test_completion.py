"""Completion in query bars: what is offered where, and that nothing that is typed makes it fail."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_EVENTS = "logs-*"


def completed(client, query, **asked):
    answer = client.get("/desk/completion", params={"q": query, **asked}, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    return answer.text


def offered(text):
    """Return the texts that may be chosen."""
    return [unescape(option) for option in re.findall(r'data-text="([^"]*)"', text)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("host.na", "host.name: "),
        ("rule.nam", "kibana.alert.rule.name: "),
        ("risk_sc", "kibana.alert.risk_score "),
        ("host.name ", ": "),
        ("kibana.alert.risk_score ", ": "),
        ("host.name: ", '"WS-0142.corp.example.com" '),
        ("host.name: srv", '"SRV-FILE01.corp.example.com" '),
        ('user.name: "svc', '"svc-backup" '),
        ("kibana.alert.risk_score: 4", "47 "),
        ("kibana.alert.workflow_status: o", '"open" '),
        ('host.name: "x" ', "and "),
        ('host.name: "x" o', "or "),
    ],
)
def test_the_likeliest_is_offered_first(desk, query, first):
    with desk.logged_in("viewer") as client:
        assert offered(completed(client, query))[0] == first


def test_fields_that_events_have_come_before_those_that_none_has(desk):
    with desk.logged_in() as client:
        text = completed(client, "process.", index=_EVENTS)
    names = re.findall(r'class="what field">([^<]*)<', text)
    assert "process.executable" in names[:40]
    abouts = [about == "no event has it" for about in re.findall(r'<span class="dim">([^<]*)</span>', text)]
    assert abouts == sorted(abouts)


def test_a_path_is_completed_with_its_backslashes_escaped(desk):
    with desk.logged_in() as client:
        texts = offered(completed(client, 'process.executable: "C:\\\\Users\\\\Pub', index=_EVENTS))
    assert texts == ['"C:\\\\Users\\\\Public\\\\update.exe" ']


def test_values_are_those_of_the_time_that_is_shown(desk):
    with desk.logged_in() as client:
        about = {"from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z"}
        assert offered(completed(client, "host.name: ", **about)) == []
        assert offered(completed(client, "host.name: ", **{"from": "no time"})) == []


@pytest.mark.parametrize(
    ("query", "about", "shown"),
    [
        ("host.name: (a and ", {}, "the query ends too early"),
        ("a: b )", {}, "<mark>)</mark>"),
        ("a: b { c", {}, "<mark>{</mark>"),
        ('a: "b', {}, "never closed"),
        ("process where process.nme == 1", {"language": "eql", "index": _EVENTS}, "<mark>"),
        ("a: <script>", {}, "&lt;"),
    ],
)
def test_what_is_wrong_is_shown_with_its_place(desk, query, about, shown):
    with desk.logged_in() as client:
        text = completed(client, query, **about)
    assert shown in text
    assert "<script" not in text


def test_fields_are_completed_in_eql(desk):
    with desk.logged_in() as client:
        query = "process where process.comm"
        assert offered(completed(client, query, language="eql", index=_EVENTS))[0] == "process.command_line "


def test_places_are_those_that_a_browser_counts(desk):
    with desk.logged_in() as client:
        query = 'a: "\U0001f600" and host.na'  # a picture is two units of UTF-16
        text = completed(client, query, at=str(len(query) + 1))
    assert f'data-start="{len(query) + 1 - 7}" data-end="{len(query) + 1}"' in text
    assert offered(text)[0] == "host.name: "


def test_a_query_that_is_too_long_is_refused(desk):
    with desk.logged_in() as client:
        answer = client.get("/desk/completion", params={"q": "x" * 20_000}, headers={"HX-Request": "true"})
    assert answer.status_code == 400


_QUERIES = st.sampled_from(
    ['host.name: "WS-0142" and not (user.name: m* or a: {b: 1})', 'process where process.name : "x"']
) | st.text(alphabet=st.characters(codec="utf-8"), max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_QUERIES, st.integers(-5, 80), st.sampled_from(["kql", "eql", "sql"]))
def test_any_prefix_of_any_query_is_answered(desk, query, at, language):
    with desk.logged_in() as client:
        completed(client, query, at=str(at), language=language)
