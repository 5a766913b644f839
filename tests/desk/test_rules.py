"""The list of rules, and the page of one, as the roles see them."""

from __future__ import annotations

import html
import re
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from markupsafe import Markup

from tests.desk.conftest import token_of
from tests.waiting import eventually
from tocsin.desk.rules.highlighting import highlighted
from tocsin.store.records.models import Gap

RULE = "Remote File Download via MpCmdRun"
QUERY = 'process where process.name : "no-such-program.exe"'
SCRIPT = "<script>alert(1)</script>"


def document(name="A rule of a test", **members):
    return {
        "rule_id": str(uuid.uuid4()), "name": name, "description": "What it finds", "risk_score": 21,
        "severity": "low", "type": "eql", "language": "eql", "query": QUERY, "index": ["winlogbeat-*"],
        "enabled": False, **members,
    }  # fmt: skip


@contextmanager
def saved(client, **members):
    """Yield the id of a rule, saved by the interface of Kibana, and remove it."""
    headers = {"Accept": "application/json", "x-csrf-token": token_of(client)}
    answer = client.post("/api/detection_engine/rules", json=document(**members), headers=headers)
    assert answer.status_code == 200, answer.text
    id_ = answer.json()["id"]
    yield id_
    client.delete("/api/detection_engine/rules", params={"id": id_}, headers=headers)


def posted(client, path, **fields):
    return client.post(path, data={"csrf": token_of(client), **fields})


def rule_in(client, id_):
    answer = client.get("/api/detection_engine/rules", params={"id": id_}, headers={"Accept": "application/json"})
    return answer.json() if answer.status_code == 200 else None


def id_of(client, name):
    query = f'alert.attributes.name: "{name}"'
    answer = client.get(
        "/api/detection_engine/rules/_find", params={"filter": query}, headers={"Accept": "application/json"}
    )
    return answer.json()["data"][0]["id"]


def test_rules_are_listed_with_how_they_fare(desk):
    with desk.logged_in() as client:
        eventually(lambda: "succeeded" in client.get("/rules", params={"q": RULE}).text)
        text = client.get("/rules", params={"q": RULE}).text
        id_ = id_of(client, RULE)
    assert text.count("data-row") == 1
    assert f'href="/rules/{id_}"' in text
    for facet in ("Enabled", "Last execution", "Severity", "Tactic", "Type", "Tag"):
        assert f"<h2>{facet}</h2>" in text


def test_the_number_of_alerts_leads_to_these_alerts(desk):
    with desk.logged_in() as client:
        id_ = id_of(client, RULE)
        link = client.get("/rules", params={"q": RULE}).text.split('<td class="number"><a href="')[1]
        address, _, rest = link.replace("&amp;", "&").partition('">')
        rows = client.get(address).text.count("data-row")
    assert id_ in parse_qs(urlsplit(address).query)["q"][0]
    assert rows == int(rest.partition("<")[0]) > 0


@pytest.mark.parametrize(
    ("parameters", "rows"),
    [
        ({"q": "zzqq rare"}, 1),
        ({"q": "RARE zzqq"}, 1),
        ({"q": "T9999"}, 1),
        ({"q": "logs-zzqq"}, 1),
        ({"q": "zzqq common"}, 0),
        ({"tag": "Zzqq: tag"}, 1),
        ({"tag": "Zzqq: tag", "severity": "high"}, 0),
        ({"tag": "Zzqq: tag", "enabled": "no"}, 1),
        ({"tag": "Zzqq: tag", "enabled": "yes"}, 0),
        ({"tag": "Zzqq: tag", "tactic": "Zzqq tactic"}, 1),
        ({"tag": "Zzqq: tag", "state": "never run"}, 1),
        ({"tag": "Zzqq: tag", "look": "blind"}, 1),
        ({"tag": "Zzqq: tag", "look": "gaps"}, 0),
        ({"tag": "no such tag"}, 0),
    ],
)
def test_words_and_facets_filter(desk, parameters, rows):
    threat = [{
        "framework": "MITRE ATT&CK", "tactic": {"id": "TA9999", "name": "Zzqq tactic", "reference": "https://x/"},
        "technique": [{"id": "T9999", "name": "Technique", "reference": "https://x/"}],
    }]  # fmt: skip
    about = {"name": "Zzqq rare rule", "tags": ["Zzqq: tag"], "threat": threat, "index": ["logs-zzqq-*"]}
    with desk.logged_in("engineer") as client, saved(client, **about):
        text = client.get("/rules", params=parameters).text
    assert text.count("data-row") == rows


@pytest.mark.parametrize(
    "sort", ["name", "-name", "severity", "state", "run", "late", "gaps", "day", "month", "type", "updated"]
)
def test_a_list_can_be_sorted(desk, sort):
    with desk.logged_in("engineer") as client, saved(client):
        assert client.get("/rules", params={"sort": sort}).text.count("data-row") > 1


def test_a_list_is_sorted_as_its_address_says(desk):
    with (
        desk.logged_in("engineer") as client,
        saved(client, name="Aaa", tags=["Zzqq"]),
        saved(client, name="Bbb", tags=["Zzqq"]),
    ):
        rising = client.get("/rules", params={"tag": "Zzqq", "sort": "name"}).text
        falling = client.get("/rules", params={"tag": "Zzqq", "sort": "-name"}).text
    assert rising.index(">Aaa<") < rising.index(">Bbb<")
    assert falling.index(">Aaa<") > falling.index(">Bbb<")
    assert 'aria-sort="ascending"' in rising
    assert 'aria-sort="descending"' in falling


def test_a_filter_that_nothing_fits_says_so(desk):
    with desk.logged_in() as client:
        assert "No rule fits" in client.get("/rules", params={"q": "no such rule anywhere"}).text


def test_an_address_that_is_too_long_is_refused(desk):
    with desk.logged_in() as client:
        assert client.get("/rules", params={"tag": "x" * 20_000}).status_code == 400


@pytest.mark.parametrize("name", ["viewer", "analyst"])
def test_who_may_not_change_rules_sees_no_button_that_would_be_refused(desk, name):
    with desk.logged_in(name) as client:
        id_ = id_of(client, RULE)
        pages = [client.get(path).text for path in ("/rules", f"/rules/{id_}", f"/rules/{id_}/executions")]
        refused = [
            posted(client, "/rules/action", action="disable", id=id_),
            posted(client, f"/rules/{id_}/action", action="disable"),
        ]
        assert rule_in(client, id_)["enabled"]
    for text in pages:
        assert 'name="action"' not in text
        assert "/edit" not in text
        assert "/rules/new" not in text
    assert [answer.status_code for answer in refused] == [403, 403]


@pytest.mark.parametrize("path", ["/rules/action", "/rules/export", "/rules/{}/action"])
def test_a_form_without_its_token_is_refused(desk, path):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        answer = client.post(path.format(id_), data={"action": "enable", "id": id_})
        assert answer.status_code == 403
        assert not rule_in(client, id_)["enabled"]


def test_many_rules_are_enabled_disabled_and_tagged(desk):
    with desk.logged_in("engineer") as client, saved(client) as first, saved(client) as second:
        posted(client, "/rules/action", action="enable", id=[first, second])
        assert [rule_in(client, id_)["enabled"] for id_ in (first, second)] == [True, True]
        posted(client, "/rules/action", action="disable", id=[first])
        assert [rule_in(client, id_)["enabled"] for id_ in (first, second)] == [False, True]
        posted(client, "/rules/action", action="add_tags", tag="Team: blue", id=[first, second])
        assert rule_in(client, second)["tags"] == ["Team: blue"]
        posted(client, "/rules/action", action="delete_tags", tag="Team: blue", id=[first, second])
        assert rule_in(client, second)["tags"] == []


def test_an_action_reaches_all_that_the_filter_finds_and_no_other(desk):
    with desk.logged_in("engineer") as client, saved(client, tags=["Zzqq"]) as first, saved(client) as other:
        posted(client, "/rules/action", action="enable", every="1", view="tag=Zzqq")
        assert rule_in(client, first)["enabled"]
        assert not rule_in(client, other)["enabled"]


def test_what_failed_is_named_with_its_reason(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq") as id_:
        fields = {"action": "run", "from": "yesterdayish", "id": id_}
        text = posted(client, "/rules/action", **fields).text
    assert "Not done with 1:" in text
    assert "yesterdayish" in text


def test_removing_asks_first(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq to go") as id_:
        asked = posted(client, "/rules/action", action="delete", id=id_)
        assert "Zzqq to go" in asked.text
        assert rule_in(client, id_) is not None
        assert "Zzqq to go" in posted(client, f"/rules/{id_}/action", action="delete").text
        assert rule_in(client, id_) is not None
        posted(client, "/rules/action", action="delete", sure="1", id=id_)
        assert rule_in(client, id_) is None


def test_a_copy_is_disabled_and_another_rule(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq", enabled=True) as id_:
        address = posted(client, f"/rules/{id_}/action", action="duplicate").headers["location"]
        copy = address.removeprefix("/rules/")
        assert copy != id_
        assert not rule_in(client, copy)["enabled"]
        assert "Zzqq [Duplicate]" in client.get(address).text
        assert posted(client, f"/rules/{copy}/action", action="delete", sure="1").headers["location"] == "/rules"


def test_selected_rules_are_exported_as_kibana_does_it(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq") as id_:
        answer = posted(client, "/rules/export", id=id_)
        alone = client.get(f"/rules/{id_}/export")
    for export in (answer, alone):
        rule, summary = map(orjson.loads, export.content.splitlines())
        assert rule["name"] == "Zzqq"
        assert summary["exported_rules_count"] == 1
        assert "attachment" in export.headers["content-disposition"]


def test_a_rule_is_laid_out_as_its_reference_page(desk):
    with desk.logged_in() as client:
        text = client.get(f"/rules/{id_of(client, RULE)}").text
    places = [text.index(f">{heading}<") for heading in ("Definition", "Schedule", "Investigation guide", "About")]
    assert places == sorted(places)
    for words in (
        "winlogbeat-*", "q-keyword", "now-9m", "T1105", "Tactic: Command and Control", "Elastic License v2",
        'event.kind: &#34;signal&#34; and user.id: &#34;{{user.id}}&#34;',
    ):  # fmt: skip
        assert words in text, words


def test_a_rule_is_there_by_its_rule_id_too(desk):
    with desk.logged_in("engineer") as client, saved(client, name="Zzqq") as id_:
        assert "Zzqq" in client.get(f"/rules/{rule_in(client, id_)['rule_id']}").text


@pytest.mark.parametrize("tab", ["", "/executions", "/export"])
def test_a_rule_that_is_not_there_is_said_so(desk, tab):
    with desk.logged_in() as client:
        answer = client.get(f"/rules/no-such-rule{tab}")
    assert answer.status_code == 404
    assert "not found" in answer.text


def test_doubtful_parts_of_a_rule_are_said(desk):
    about = {"query": 'process where no.such.field == "x"', "index": ["logs-zzqq-*"]}
    with desk.logged_in("engineer") as client, saved(client, **about) as id_:
        text = client.get(f"/rules/{id_}").text
    assert "no.such.field" in text.partition('class="health"')[2].partition("</section>")[0]
    assert '<code class="pattern unmatched">logs-zzqq-*</code>' in text


def test_executions_are_listed_with_their_figures(desk):
    with desk.logged_in() as client:
        id_ = id_of(client, RULE)
        eventually(lambda: "succeeded" in client.get(f"/rules/{id_}/executions").text)
        text = client.get(f"/rules/{id_}/executions").text
        behind = client.get(f"/rules/{id_}/executions", params={"page": "900"}).text
    assert "kibana.alert.rule.execution.uuid" in text
    assert "evaluating: " in text
    assert "There are no more." in behind


def test_a_run_is_asked_for_and_its_result_is_there(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        fields = {"action": "run", "from": "now-1h", "to": "now"}
        assert posted(client, f"/rules/{id_}/action", **fields).headers["location"] == f"/rules/{id_}/executions"
        eventually(lambda: "new alerts: 0" in client.get(f"/rules/{id_}/executions").text)


def test_a_run_over_a_span_that_cannot_be_read_says_why(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        answer = posted(client, f"/rules/{id_}/action", **{"action": "run", "from": "<b>never</b>"})
    assert answer.status_code == 400
    assert "&lt;b&gt;never" in answer.text


def test_a_gap_can_be_filled(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        tick = 1_795_000_000_000_000_000 // 300_000_000_000 * 300_000_000_000
        with desk.running.service.records.transaction() as session:
            session.add(
                Gap(
                    rule_uuid=id_,
                    first_tick=tick,
                    last_tick=tick,
                    cause="service down",
                    detected=datetime.now(UTC),
                )
            )
        assert ">1</a>" in client.get("/rules", params={"look": "gaps"}).text
        text = client.get(f"/rules/{id_}/executions").text
        assert "service down" in text
        assert 'value="fill_gaps"' in text
        posted(client, f"/rules/{id_}/action", action="fill_gaps", first=str(tick), last=str(tick))
        eventually(lambda: 'value="fill_gaps"' not in client.get(f"/rules/{id_}/executions").text)


def test_actions_are_held_back_for_a_time_and_no_longer(desk):
    with desk.logged_in("engineer") as client, saved(client) as id_:
        posted(client, f"/rules/{id_}/action", action="snooze", span="8h")
        assert "snoozed until" in client.get(f"/rules/{id_}").text
        assert ">snoozed<" in client.get("/rules", params={"look": "snoozed"}).text
        posted(client, f"/rules/{id_}/action", action="end_snooze")
        assert "snoozed until" not in client.get(f"/rules/{id_}").text
        assert posted(client, f"/rules/{id_}/action", action="snooze", span="soon").status_code == 400


@pytest.mark.parametrize("member", ["name", "description", "note", "setup", "license"])
def test_a_script_in_a_rule_is_text(desk, member):
    with desk.logged_in("engineer") as client, saved(client, **{member: f"Zzqq {SCRIPT}"}) as id_:
        pages = [client.get(path).text for path in (f"/rules/{id_}", f"/rules/{id_}/executions", "/rules")]
    assert not any(SCRIPT in text for text in pages)


def test_an_address_that_runs_something_is_no_link(desk):
    threat = [{
        "framework": "MITRE ATT&CK", "tactic": {"id": "TA1", "name": "T", "reference": "javascript:alert(1)"},
    }]  # fmt: skip
    about = {
        "references": ["javascript:alert(1)", "https://example.com/x"], "threat": threat,
        "note": "[x](javascript:alert(1))", "tags": ['"><script>', "javascript:alert(1)"],
    }  # fmt: skip
    with desk.logged_in("engineer") as client, saved(client, **about) as id_:
        text = client.get(f"/rules/{id_}").text
        listed = client.get("/rules").text
    assert 'href="javascript' not in text + listed
    assert '<a href="https://example.com/x" rel="noopener noreferrer"' in text
    assert '"><script>' not in text + listed


def test_characters_that_hide_are_shown(desk):
    with (
        desk.logged_in("engineer") as client,
        saved(client, name="Zz\u202eqq", query='any where file.name == "a\u202eb"') as id_,
    ):
        text = client.get(f"/rules/{id_}").text + client.get("/rules").text
    assert "\u202e" not in text


@pytest.mark.parametrize("query", ['"""' * 4_000, "/*" * 8_000, "a" * 200_000, '"' * 9_999, "'\\" * 9_000])
def test_a_query_that_nobody_would_write_holds_up_nobody(query):
    assert highlighted(query).striptags() == Markup.escape(query).striptags()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('process where name : "a and b"', {"keyword": ["where"], "text": ['"a and b"']}),
        (
            "sequence by host.id with maxspan=5m",
            {"keyword": ["sequence", "by", "with", "maxspan"], "field": ["host.id"], "number": ["5m"]},
        ),
        (
            "/* where */ any where true // not",
            {"comment": ["/* where */", "// not"], "keyword": ["any", "where", "true"]},
        ),
        ("FROM logs-* | WHERE x > 1", {"keyword": ["FROM", "WHERE"], "number": ["1"]}),
        ("length(process.name) > 3", {"function": ["length"], "field": ["process.name"], "number": ["3"]}),
        ("process.and.or: *", {"field": ["process.and.or"]}),
    ],
)
def test_words_of_a_query_are_coloured_by_kind(query, words):
    spans: dict[str, list[str]] = {}
    for kind, text in re.findall(r'<span class="q-(\w+)">(.*?)</span>', highlighted(query)):
        spans.setdefault(kind, []).append(html.unescape(text))
    assert spans == words
