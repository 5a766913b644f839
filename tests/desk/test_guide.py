"""The guide beside an alert: counts and rows of its queries, osquery's queries, steps, and hostile guides."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson
import pytest

from tests.desk.conftest import token_of
from tocsin.investigation.guides.guide import guide_text, read_guide
from tocsin.investigation.guides.translated_guides import guide_in
from tocsin.rules.load import bundled_rules
from tocsin.store.records.alerts import keep_document
from tocsin.store.records.models import StoredAlert

HOSTILE = """## Steps
- <script>alert(1)</script> [x](javascript:alert(1)) ![p](https://evil.example/p.png) {{user.name}}
- [t](https://example.com "!{osquery{"label":"in a title","query":"select 1"}}") \x020\x03 \x041\x05
- !{investigate{"label":"<img src=x onerror=alert(2)>","description":"<b>d</b>","providers":[[{"field":"a","value":"\\"><script>"}]]}}
- !{osquery{"label":"</summary><script>","query":"SELECT '</pre><script>' FROM hash","ecs_mapping":{"<i>":{"field":"<u>"}}}}
- !{osquery{"<script>alert(3)</script>}}
- !{investigate{"label":"bad","providers":[[{"field":"@timestamp","queryType":"range","value":"{\\"gte\\":\\"<script>\\"}"}]]}}
- !{investigate{"label":"missing","providers":[[{"field":"a","value":"{{not.there}}","excluded":true}]]}}
"""  # noqa: E501


def reference(desk) -> str:
    """Return the id of an alert of the reference rule whose process has an entity id."""
    of_rule = [one for one in desk.alerts if one["kibana.alert.rule.name"] == "Remote File Download via MpCmdRun"]
    alert = next(one for one in of_rule if one["process"].get("entity_id"))
    return str(alert["kibana.alert.uuid"])


@pytest.fixture
def hostile_alert(desk) -> Iterator[str]:
    """An alert whose rule has a hostile guide, for as long as a test takes."""
    id_ = str(desk.alerts[-1]["kibana.alert.uuid"])

    def set_note(note: str) -> str:
        with desk.running.service.records.transaction() as session:
            alert = session.get(StoredAlert, id_)
            document = orjson.loads(alert.document)
            before = document["kibana.alert.rule.parameters"]["note"]
            document["kibana.alert.rule.parameters"]["note"] = note
            keep_document(session, alert, document)
            return str(before)

    before = set_note(HOSTILE)
    yield id_
    set_note(before)


def counts(text: str) -> dict[int, str]:
    return {
        int(n): " ".join(said.split()) for n, said in re.findall(r'id="count-(\d+)"[^>]*>(.*?)</b>', text, re.S)
    }


def test_each_query_tells_how_much_it_finds_and_shows_it(desk):
    id_ = reference(desk)
    with desk.logged_in() as client:
        page = client.get(f"/alerts/{id_}").text
        found = counts(client.get(f"/alerts/{id_}/guide/counts", headers={"HX-Request": "true"}).text)
        rows = client.get(f"/alerts/{id_}/guide/0").text
        part = client.get(f"/alerts/{id_}/guide/0", headers={"HX-Request": "true"}).text
        missing = client.get(f"/alerts/{id_}/guide/3")
    assert page.count('class="asked"') == 3
    assert page.count('class="osquery"') == 4
    assert page.count('class="checked right"') == 4
    assert found.keys() == {0, 1, 2}
    count, word = found[0].split()
    assert int(count) >= 1
    assert word == ("alert" if count == "1" else "alerts")
    assert part.count("<tr") == int(count) + 1
    assert "this alert" in part
    assert "<html" not in part
    assert "<html" in rows
    assert rows.count("<tr") == part.count("<tr")
    assert missing.status_code == 404


def test_a_step_is_ticked_with_who_and_when_and_taken_back(desk):
    id_ = reference(desk)
    with desk.logged_in() as client:
        token, address = token_of(client), f"/alerts/{id_}/guide/steps/2"
        assert client.post(address, data={"csrf": token, "done": "true"}).status_code == 303
        text = client.get(f"/alerts/{id_}").text
        assert text.count('aria-checked="true"') == 1
        assert re.search(r'id="step-2".*?aria-checked="true".*?class="by">analyst <time', text, re.S)
        assert "Step:" in text
        part = client.post(address, data={"csrf": token, "done": "false"}, headers={"HX-Request": "true"}).text
        assert 'aria-checked="false"' in part
        assert 'aria-checked="true"' not in client.get(f"/alerts/{id_}").text
        assert client.post(f"/alerts/{id_}/guide/steps/99", data={"csrf": token}).status_code == 404
        assert client.post(address, data={"done": "true"}).status_code == 403


def test_a_hostile_guide_is_harmless_and_says_what_is_wrong(desk, hostile_alert):
    with desk.logged_in() as client:
        page = client.get(f"/alerts/{hostile_alert}").text
        found = client.get(f"/alerts/{hostile_alert}/guide/counts", headers={"HX-Request": "true"}).text
        rows = client.get(f"/alerts/{hostile_alert}/guide/4", headers={"HX-Request": "true"}).text
        none = client.get(f"/alerts/{hostile_alert}/guide/5", headers={"HX-Request": "true"}).text
    guide = page.partition('<aside class="guide"')[2].partition("</aside>")[0]
    for banned in ("<script", "<img", 'href="javascript', "<b>d", "<u>", "<i>", 'title="<'):
        assert banned not in guide
    assert guide.count('class="ask broken"') == 1
    assert guide.count('class="osquery"') == 1
    assert guide.count('class="step"') == 2
    assert "this alert has no not.there" in guide
    assert "not counted:" in found
    assert "<script" not in found
    assert 'class="problem"' in rows
    assert "finds nothing" in none


def test_the_guide_is_worked_through_in_a_browser(desk, page):
    id_ = reference(desk)
    page.goto(f"/alerts/{id_}?list=%2Falerts%3Fstatus%3Dopen")
    page.locator(".count", has_text="alert").first.wait_for()
    page.get_by_role("link", name="Alerts for this host in the last 48 hours").click()
    page.locator(".asked-table").wait_for()
    assert page.url.endswith(f"/alerts/{id_}?query=1&list=/alerts%3Fstatus%3Dopen")
    page.reload()
    page.locator(".asked-table").wait_for()
    assert page.locator("[data-next]").count() == 1
    box = page.get_by_role("checkbox", name="Step 1")
    box.click()
    page.locator("#step-1 .by").wait_for()
    page.get_by_role("checkbox", name="Step 1", checked=True).click()
    page.get_by_role("checkbox", name="Step 1", checked=False).wait_for()
    page.locator(".osquery summary").first.press("Enter")
    page.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("String(getSelection())").strip() == "SELECT * FROM dns_cache"


def test_counts_that_do_not_come_are_said_and_asked_for_again(desk, chromium):
    context = chromium.new_context(base_url=desk.url)
    with desk.logged_in() as client:
        context.add_cookies([{"name": c.name, "value": c.value, "url": desk.url} for c in client.cookies.jar])
        page = context.new_page()
        page.route("**/guide/counts", lambda route: route.abort())
        page.goto(f"/alerts/{reference(desk)}")
        again = page.locator("#guide-again").get_by_role("button", name="Again")
        again.wait_for()
        page.unroute("**/guide/counts")
        again.click()
        page.locator(".count", has_text="alert").first.wait_for()
        again.wait_for(state="detached")
    context.close()


def test_the_bundled_guide_is_read_in_the_visitors_language(desk):
    """The alert keeps the guide of its rule, in English; that rule's guide is there in Simplified Chinese."""
    address = f"/alerts/{desk.alerts[0]['kibana.alert.uuid']}"
    with desk.logged_in() as client:
        client.cookies.set("tocsin_language", "zh-CN")
        text = client.get(address).text
        counts = client.get(f"{address}/guide/counts").text
    assert "分类与分析" in text
    assert "此用户最近 48 小时的告警" in text
    assert re.findall(r">(\d+) 个告警</b>", counts)


@pytest.mark.parametrize("language", ["zh-CN"])
def test_a_guide_in_another_language_has_the_same_queries_and_steps(language):
    """Which step was done is kept by its number."""
    for rule in bundled_rules().rules:
        there, here = read_guide(guide_text(rule), {}), read_guide(guide_in(language, guide_text(rule)), {})
        assert there.blocks == here.blocks
        assert len(there.steps) == len(here.steps) > 3


def test_a_query_by_the_account_of_services_says_so(desk):
    """Sysmon writes as SYSTEM: Elastic's pipelines take `user.id` from who wrote the record, so does tocsin."""
    alert = next(alert for alert in desk.alerts if alert["user"].get("id") == "S-1-5-18")
    with desk.logged_in() as client:
        address = f"/alerts/{alert['kibana.alert.uuid']}"
        assert "user.id is S-1-5-18, an account that all services share" in client.get(address).text
        rows = client.get(f"{address}/guide/0").text
    assert alert["user"]["name"] in rows
    assert "svc-backup" not in rows  # who is another person
