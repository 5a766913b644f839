"""The evidence of an alert: the outline of its processes, and the events of the one that is selected."""

from __future__ import annotations

import re

import pytest

_ITEM = re.compile(r'<div class="node (\w+) depth-(\d+)".*?data-select>([^<]*)</a>(.*?)</div>', re.DOTALL)
_HTMX = {"hx-request": "true"}


def alert_of(desk, host: str) -> str:
    return next(str(one["kibana.alert.uuid"]) for one in desk.alerts if host in one["host"]["name"])


def items(text: str) -> list[tuple[str, int, str, bool]]:
    return [
        (relation, int(depth), name, "not recorded<" in rest)
        for relation, depth, name, rest in _ITEM.findall(text)
    ]


@pytest.mark.parametrize("host", ["WS-0142", "SRV-FILE01"], ids=["Sysmon", "Security"])
def test_the_outline_has_the_alert_below_its_parent(desk, host):
    alert = next(one for one in desk.alerts if host in one["host"]["name"])
    with desk.logged_in() as client:
        found = items(client.get(f"/alerts/{alert['kibana.alert.uuid']}/tree", headers=_HTMX).text)
    (depth,) = [depth for relation, depth, *_ in found if relation == "alert"]
    parents = [name for relation, at, name, _ in found if relation == "ancestor" and at == depth - 1]
    assert parents == [alert["process"]["parent"]["name"]]


def test_a_parent_that_was_not_recorded_is_said_so(desk):
    with desk.logged_in() as client:
        found = items(client.get(f"/alerts/{alert_of(desk, 'SRV-FILE01')}/tree", headers=_HTMX).text)
    assert found[0][0] == "ancestor"
    assert found[0][3]


def test_the_outline_is_a_page_of_its_own_without_scripts(desk):
    with desk.logged_in() as client:
        text = client.get(f"/alerts/{alert_of(desk, 'WS-0142')}/tree").text
    assert "<title>" in text
    assert 'role="tree"' in text


@pytest.mark.parametrize("show", ["network", "files", "registry", "dns", "libraries", "alerts"])
def test_the_count_of_a_kind_is_the_number_of_its_rows(desk, show):
    address = f"/alerts/{alert_of(desk, 'WS-0142')}/events"
    with desk.logged_in() as client:
        text = client.get(address, params={"show": show}, headers=_HTMX).text
    (count,) = re.findall(r'aria-current="true"[^>]*>[^<]*<b>(\d+)</b>', text)
    assert text.count("<tr data-time=") == int(count)
    if show == "alerts":
        assert int(count) > 0


def test_a_process_of_the_outline_is_selected_by_its_address(desk):
    address = f"/alerts/{alert_of(desk, 'WS-0142')}"
    with desk.logged_in() as client:
        tree = client.get(f"{address}/tree", headers=_HTMX).text
        others = re.findall(r'href="(/alerts/[^"]*process=[^"]*)" hx-get="([^"]*)"', tree)
        assert others
        for page, part in others:
            assert client.get(page).status_code == 200
            text = client.get(part.replace("&amp;", "&"), headers=_HTMX).text
            assert 'class="fields"' in text or 'class="events"' in text


@pytest.mark.parametrize("process", ["x", "1.2.3", "-1...", "1.99999999999999999999..", "<script>"])
def test_an_address_that_names_no_process_is_refused(desk, process):
    with desk.logged_in() as client:
        answer = client.get(f"/alerts/{alert_of(desk, 'WS-0142')}/events", params={"process": process})
    assert answer.status_code == 400
    assert "the address names no process" in answer.text
    assert "<script>" not in answer.text.partition("<main")[2]


def test_evidence_of_an_alert_that_is_not_there_is_refused(desk):
    with desk.logged_in() as client:
        assert client.get("/alerts/unknown/tree").status_code == 404
        assert client.get("/alerts/unknown/events").status_code == 404


@pytest.mark.parametrize(
    ("show", "words"),
    [
        ("host", "First seen"),
        ("user", "Logons (event 4624)"),
        ("prevalence", "Command line"),
        ("observables", "hxxps[:]//cdn[.]example[.]com/a.txt"),
        ("sequence", "it has no steps"),
        ("event", "process.command_line"),
        ("json", "&#34;kibana.alert.uuid&#34;"),
    ],
)
def test_panels_say_what_is_known_of_host_user_and_values(desk, show, words):
    address = f"/alerts/{alert_of(desk, 'WS-0142')}/events"
    with desk.logged_in() as client:
        answer = client.get(address, params={"show": show}, headers=_HTMX)
    assert answer.status_code == 200
    assert words in answer.text


def test_logons_of_a_host_are_shown_with_type_and_source(desk):
    with desk.logged_in() as client:
        address = f"/alerts/{alert_of(desk, 'SRV-FILE01')}/events"
        text = client.get(address, params={"show": "host"}, headers=_HTMX).text
    (count,) = re.findall(r"Logons \(event 4624\) <b>(\d+)</b>", text)
    assert int(count) > 0
    assert re.search(r"<td>(over the network|service|at the keyboard) \(\d+\)</td><td class=\"mono\">", text)


def test_links_of_observables_tell_their_target_nothing_of_this_page(desk):
    address = f"/alerts/{alert_of(desk, 'WS-0142')}/events"
    with desk.logged_in() as client:
        text = client.get(address, params={"show": "observables"}, headers=_HTMX).text
    links = re.findall(r'<a href="https://[^"]*"[^>]*>', text)
    assert links
    assert all('rel="noopener noreferrer"' in link for link in links)


def test_the_outline_is_walked_by_keyboard(desk, page):
    page.goto(f"/alerts/{alert_of(desk, 'WS-0142')}")
    selected = page.locator("[role=treeitem][aria-selected=true]")
    selected.focus()
    assert page.locator("[role=treeitem].alert").get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    if page.locator("[role=treeitem].alert[aria-expanded=false]").count():
        page.keyboard.press("ArrowLeft")
    parent = page.locator("[role=treeitem]:focus")
    assert "ancestor" in (parent.get_attribute("class") or "")
    page.keyboard.press("Enter")
    page.wait_for_url("**process=*")
    assert parent.get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    page.locator("[role=treeitem].alert").wait_for(state="hidden")
    page.keyboard.press("ArrowRight")
    page.locator("[role=treeitem].alert").wait_for(state="visible")
    page.reload()
    page.locator("[role=treeitem].ancestor[aria-selected=true]").wait_for()


def test_a_part_that_cannot_be_loaded_offers_to_try_again(desk, page):
    tab = page.context.new_page()  # what its console says is not held against it
    tab.route("**/tree*", lambda route: route.abort())
    tab.goto(f"/alerts/{alert_of(desk, 'WS-0142')}")
    again = tab.get_by_role("button", name="Again")
    again.wait_for()
    tab.unroute("**/tree*")
    again.click()
    tab.locator("[role=tree]").wait_for()
