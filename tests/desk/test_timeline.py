"""The timeline over HTTP: what a query finds by time, page by page, and what its address says."""

from __future__ import annotations

import html
import re
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from tests.desk.conftest import Desk
from tocsin.desk.timeline.view import DEFAULT_COLUMNS, RANGES, SORTS, TimelineView
from tocsin.desk.timeline.ways_in import guide_timeline
from tocsin.investigation.guides.alert_queries import alert_query
from tocsin.investigation.guides.guide import read_guide
from tocsin.investigation.guides.guide_blocks import InvestigateBlock
from tocsin.investigation.timeline import TimelineQuery, TimelineTask
from tocsin.search.selection import Clock

_HTMX = {"hx-request": "true"}
_MANY = 10_500
_START = 1_700_000_000_000_000_000
_HOSTILE = "<script>alert(1)</script>\"'\u202e"


def send(desk: Desk, index: str, documents: list[dict[str, Any]]) -> None:
    lines = [line for document in documents for line in ({"create": {"_id": document.pop("id")}}, document)]
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    with desk.running.http() as client:
        answer = client.post(f"/{index}/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert not answer.json()["errors"], answer.text[:500]


def rows_of(text: str) -> list[str]:
    return [html.unescape(key) for key in re.findall(r'<tr data-row [^>]*id="event-([^"]*)"', text)]


def link(text: str, relation: str) -> str:
    return html.unescape(next(iter(re.findall(rf'href="([^"]*)" rel="{relation}"', text)), ""))


def total_of(text: str) -> int:
    return int(re.findall(r'class="total"><b>([\d,]+)', text)[0].replace(",", ""))


def test_events_and_alerts_are_listed_with_the_columns_of_kibanas_timeline(desk):
    with desk.logged_in("viewer") as client:
        text = client.get("/timeline").text
    headers = re.findall(r'<th scope="col"[^>]*title="([^"]*)"', text)
    assert tuple(headers) == DEFAULT_COLUMNS
    assert ".alerts-security.alerts-default:" in " ".join(rows_of(text))
    assert total_of(text) > 300


@pytest.mark.parametrize("sort", SORTS)
def test_pages_have_every_event_once_and_lead_back(desk, sort):
    with desk.logged_in() as client:
        address = f"/timeline?from=&index=logs-*&sort={sort}"
        pages: list[list[str]] = []
        texts: list[str] = []
        while address and len(pages) < 100:
            texts.append(client.get(address).text)
            pages.append(rows_of(texts[-1]))
            address = link(texts[-1], "next")
        back = [rows_of(texts[-1])]
        address = link(texts[-1], "prev")
        while address and len(back) <= len(pages):
            text = client.get(address).text
            back.append(rows_of(text))
            address = link(text, "prev")
    keys = [key for page in pages for key in page]
    assert len(keys) == len(set(keys)) == total_of(texts[0])
    assert back == pages[::-1]


def test_pages_are_exact_beyond_ten_thousand_events_also_of_one_moment(desk):
    index = "timeline-many"
    documents = [
        {"id": str(n), "@timestamp": "2023-11-14T22:13:20Z" if n % 3 else "2023-11-14T22:13:20.000000001Z", "n": n}
        for n in range(_MANY)
    ]
    send(desk, index, documents)
    query = TimelineQuery(patterns=(index,))

    def walked(newest_first: bool, backwards: bool = False, after: list[Any] | None = None) -> list[str]:
        ids: list[str] = []
        while True:
            task = TimelineTask(query, ("n",), 1000, newest_first=newest_first, after=after, backwards=backwards)
            page = orjson.loads(task(desk.running.service.store, Clock()))
            assert page["total"] == _MANY
            events = page["events"]
            ids += [event["id"] for event in (events[::-1] if backwards else events)]
            if not page["has_previous" if backwards else "has_next"]:
                return ids
            after = events[0 if backwards else -1]["sort"]

    newest = walked(True)
    assert sorted(newest, key=int) == [str(n) for n in range(_MANY)]
    assert walked(False) == newest[::-1]
    behind_all = [_START - 1, "", ""]
    assert walked(True, backwards=True, after=behind_all) == newest[::-1]


@pytest.mark.parametrize(
    ("language", "query", "least"),
    [
        ("kql", "process.name: MpCmdRun.exe and event.type: start", 2),
        ("eql", 'process where event.type == "start" and process.name : "MpCmdRun.exe"', 2),
        ("eql", "any where true | head 5", 5),
    ],
)
def test_a_query_chooses_events(desk, language, query, least):
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"language": language, "q": query, "index": "logs-*"}).text
    assert least <= total_of(text) < 100
    assert len(rows_of(text)) == total_of(text)


def test_kql_and_eql_find_the_same_events(desk):
    with desk.logged_in() as client:
        of_kql, of_eql = (
            rows_of(client.get("/timeline", params={"language": language, "q": query, "from": ""}).text)
            for language, query in (
                ("kql", "event.category: network and destination.port: 443"),
                ("eql", "network where destination.port == 443"),
            )
        )
    assert of_kql == of_eql != []


def test_a_sequence_is_a_group_of_events_in_the_order_of_its_steps(desk):
    query = 'sequence by host.name [process where process.name : "cmd.exe"] [network where true]'
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"language": "eql", "q": query}).text
    groups = text.split('<tr class="group">')[1:]
    assert len(groups) == total_of(text) > 0
    for group in groups:
        moments = re.findall(r'<time datetime="([^"]*)"', group)
        assert len(rows_of(group)) == 2
        assert moments == sorted(moments)


@pytest.mark.parametrize(
    ("language", "query", "place"),
    [
        ("kql", "host.name: (a and", "Line 1, column 18:"),
        ("eql", 'process where\n process.name = "x"', "Line 2, column"),
        ("eql", "process where no.such_field == 1", "Line 1, column 15:"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_with_its_place(desk, language, query, place):
    with desk.logged_in() as client:
        answer = client.get("/timeline", params={"language": language, "q": query})
    assert answer.status_code == 200
    assert place in answer.text
    assert "^</pre>" in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"from": "yesterday"}, "neither a date"),
        ({"after": "[1]"}, "names no page"),
        ({"open": "nothing"}, "names no event"),
        ({"index": "other:logs-*"}, "no such remote cluster"),
        ({"columns": ",".join(map(str, range(60)))}, "at most 50 columns"),
        ({"q": "x" * 20_000}, "at most 16,000 characters"),
    ],
)
def test_an_address_that_cannot_be_read_says_why(desk, parameters, reason):
    with desk.logged_in() as client:
        answer = client.get("/timeline", params=parameters)
    assert answer.status_code in (200, 400, 404)
    assert reason in answer.text


def test_the_bars_of_the_histogram_count_all_events_and_lead_to_theirs(desk):
    with desk.logged_in() as client:
        text = client.get("/timeline").text
        bars = re.findall(r"<svg.*?</svg>", text, re.DOTALL)[0]
        counts = [int(count.replace(",", "")) for count in re.findall(r": ([\d,]+) events?</title>", bars)]
        addresses = [html.unescape(address) for address in re.findall(r'<a href="([^"]*)"', bars)]
        assert sum(counts) == total_of(text)
        assert [total_of(client.get(address).text) for address in addresses] == counts


def test_an_event_opens_below_its_row_with_all_of_its_fields(desk):
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"q": "process.name: MpCmdRun.exe", "index": "logs-*"}).text
        address = html.unescape(re.findall(r'data-opened="([^"]*)"', text)[0])
        part = html.unescape(re.findall(r'data-part="([^"]*)"', text)[0])
        whole = client.get(address).text
        opened = client.get(part, headers=_HTMX).text
        as_page = client.get(part).text
    assert re.search(r"</tr>\s*<tr class=\"opened\">", whole)
    for shown in (whole, opened, as_page):
        assert "process.executable" in shown
        assert "<summary>JSON</summary>" in shown
    assert "<title>" not in opened
    assert "<title>" in as_page


def test_an_alert_leads_to_its_page(desk):
    alert = desk.alerts[0]["kibana.alert.uuid"]
    with desk.logged_in() as client:
        text = client.get("/timeline/event", params={"open": f".alerts-security.alerts-default:{alert}"}).text
    assert f'href="/alerts/{alert}"' in text


def test_an_event_that_is_not_there_is_said_so(desk):
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"open": "logs-nothing:x"}).text
    assert "This event is not in the store" in text


def test_an_empty_page_says_why_and_what_to_do(desk):
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"q": "host.name: nobody", "index": "logs-*"}).text
    assert "No event of this time fits the query." in text
    for words in ("Look at all times", "Look at all indices", "Take the query away"):
        assert words in text


def test_columns_are_added_moved_and_taken_away(desk):
    view = TimelineView(columns=("@timestamp", "host.name"))
    assert "columns=%40timestamp" in view.without_column("host.name")
    assert "columns=host.name%2C%40timestamp" in view.moved_column("host.name", -1)
    with desk.logged_in() as client:
        added = client.get("/timeline?q=x&columns=host.name&column=process.pid")
        assert added.headers["location"] == "/timeline?q=x&columns=host.name%2Cprocess.pid"
        text = client.get("/timeline?columns=@timestamp,process.pid").text
        names = client.get("/timeline/fields", headers=_HTMX).text
    assert re.findall(r'<th scope="col"[^>]*title="([^"]*)"', text) == ["@timestamp", "process.pid"]
    assert '<option value="process.pid">' in names
    assert "logs-windows.sysmon_operational-default" in names


def test_hostile_values_are_shown_and_do_nothing(desk):
    document = {
        "id": "hostile", "@timestamp": "2024-02-01T00:00:00Z", "message": _HOSTILE, "host": {"name": _HOSTILE},
        "url": {"full": "javascript:alert(1)"},
    }  # fmt: skip
    send(desk, "timeline-hostile", [document])
    with desk.logged_in() as client:
        text = client.get("/timeline", params={"from": "", "q": _HOSTILE, "index": "timeline-hostile"}).text
        text += client.get("/timeline?from=&index=timeline-hostile&columns=message,host.name,url.full").text
        text += client.get("/timeline?open=timeline-hostile:hostile").text
    assert "<script>alert" not in text
    assert "\u202e" not in re.sub(r'(data-value|value)="[^"]*"', "", text)
    assert 'href="javascript:' not in text


def test_a_moment_that_is_typed_is_of_the_visitors_zone_and_links_say_it_in_utc(desk):
    with desk.logged_in() as client:
        client.cookies.set("tocsin_zone", "Europe/Berlin")
        answer = client.get("/timeline", params={"from": "2026-01-02 10:00:00.500", "to": "now"})
        assert answer.status_code == 303
        assert "from=2026-01-02T09%3A00%3A00.500Z" in answer.headers["location"]
        text = client.get(answer.headers["location"]).text
    assert 'name="from" value="2026-01-02 10:00:00.500"' in text


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)
_NAMES = st.text("abcdefghijklmnopqrstuvwxyz._@-0123456789", min_size=1, max_size=20)
_VIEWS = st.builds(
    TimelineView,
    text=_WORDS,
    language=st.sampled_from(["kql", "eql"]),
    index=st.lists(_NAMES, max_size=4).map(",".join),
    since=st.sampled_from([since for since, _ in RANGES] + ["2026-01-02T03:04:05.678Z"]),
    until=st.sampled_from(["", "now", "2026-02-02T03:04:05.678Z"]),
    columns=st.lists(_NAMES, min_size=1, max_size=10, unique=True).map(tuple),
    sort=st.sampled_from(list(SORTS)),
    open=_WORDS,
    id=_NAMES,
)


@given(view=_VIEWS, zone=st.sampled_from([UTC, ZoneInfo("Asia/Shanghai")]))
def test_an_address_says_all_of_what_is_shown(view, zone):
    address = view.address(open=view.open)
    assert TimelineView.of(QueryParams(address.partition("?")[2]), zone) == view


@pytest.mark.parametrize("path", ["/timeline", "/timeline/event?open=a:b", "/timeline/fields"])
def test_who_has_not_logged_in_is_asked_to(desk, path):
    with desk.browser() as client:
        answer = client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


def alert_of(desk: Desk, host: str) -> str:
    return next(str(alert["kibana.alert.uuid"]) for alert in desk.alerts if host in alert["host"]["name"])


def test_the_timeline_around_an_alert_is_that_of_its_host(desk):
    alert = alert_of(desk, "WS-0142")
    with desk.logged_in() as client:
        assert f'href="/timeline/around/{alert}"' in client.get(f"/alerts/{alert}").text
        answer = client.get(f"/timeline/around/{alert}")
        text = client.get(answer.headers["location"]).text
        hosts = set(re.findall(r'data-field="host.name" data-value="([^"]*)"', text))
    assert total_of(text) > 10
    assert all("WS-0142" in host for host in hosts)
    assert hosts


def test_queries_of_a_guide_find_the_same_in_the_timeline(desk):
    counts = []
    with desk.logged_in() as client:
        for alert in desk.alerts:
            address = f"/alerts/{alert['kibana.alert.uuid']}/guide"
            for number in range(12):
                text = client.get(f"{address}/{number}", headers=_HTMX).text
                links = re.findall(r'href="(/timeline\?[^"]*)"', text)
                if not links:
                    continue
                (shown,) = re.findall(r"<h2>.* · ([\d,]+)</h2>", text)
                timeline = client.get(html.unescape(links[0])).text
                counts.append((shown, re.findall(r'class="total"><b>([\d,]+)', timeline)[0]))
    assert len(counts) >= 3
    assert [shown for shown, _ in counts] == [total for _, total in counts]
    assert any(shown != "0" for shown, _ in counts)


@pytest.mark.parametrize("show", ["process", "network", "files", "registry", "dns", "libraries", "alerts"])
def test_events_of_a_process_open_in_the_timeline(desk, show):
    address = f"/alerts/{alert_of(desk, 'WS-0142')}/events"
    with desk.logged_in() as client:
        text = client.get(address, params={"show": show}, headers=_HTMX).text
        (link_,) = re.findall(r'class="elsewhere" href="([^"]*)"', text)
        total = total_of(client.get(html.unescape(link_)).text)
    counts = {kind: int(count) for kind, count in re.findall(r"show=(\w+)[^>]*>[^<]*<b>(\d+)</b>", text)}
    assert total == counts[show] if show in counts else total >= sum(counts.values())


_GROUPS = [
    ([{"field": "host.name", "value": "{{host.name}}"}], 'host.name: "h"'),
    ([{"field": "user.name", "value": "{{user.name}}"}], ""),
    ([{"field": "user.name", "value": "{{user.name}}", "excluded": True}], ""),
]


@pytest.mark.parametrize(("providers", "text"), _GROUPS)
def test_what_a_guide_asks_without_a_value_is_not_asked_in_the_timeline(providers, text):
    filters = [{"excluded": False, "queryType": "phrase", "valueType": "string", **each} for each in providers]
    block = next(
        block
        for block in read_guide("!{investigate" + orjson.dumps({"providers": [filters]}).decode() + "}", {}).blocks
        if isinstance(block, InvestigateBlock)
    )
    address = guide_timeline(alert_query(block, {"host.name": "h", "@timestamp": "2026-01-01T00:00:00Z"}))
    shown = TimelineView.of(QueryParams(address.partition("?")[2])) if address else TimelineView()
    assert shown.text == text


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ('sequence by host.name [process where process.name : "cmd.exe"] [network where true]', "groups"),
        ("any where true | head 7", "events"),
    ],
)
def test_pages_of_sequences_and_pipes_have_each_once_in_both_orders(desk, query, kind):
    def walked(newest_first: bool) -> list[Any]:
        asked = TimelineQuery(query, "eql", ("logs-*",))
        pages: list[Any] = []
        for number in range(1, 50):
            task = TimelineTask(asked, ("@timestamp",), 2, newest_first=newest_first, page=number)
            page = orjson.loads(task(desk.running.service.store, Clock()))
            pages += page[kind]
            if not page["has_next"]:
                assert page["total"] == len(pages)
                return pages
        raise AssertionError("the pages do not end")

    newest = walked(True)
    assert walked(False) == newest[::-1] != []
    assert len({orjson.dumps(page) for page in newest}) == len(newest)
