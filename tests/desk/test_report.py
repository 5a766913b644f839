"""Reports of alerts: one file each, with nothing from elsewhere, whatever the events hold."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.desk.conftest import token_of
from tocsin.report.alerts_report import AlertsReport

HOSTILE = "<script>window.owned=1</script><img src=x onerror=alert(1)>\u202egpj.exe"


def policy_of(page: str) -> str:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    return str(policy).replace("&#39;", "'")


def body_of(page: str) -> str:
    return page.partition("<body>")[2].partition("<script>")[0]


def assert_harmless(page: str) -> None:
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy_of(page)
    tags = re.sub(r'="[^"]*"', '=""', "".join(re.findall(r"<[a-z][^>]*>", body_of(page))))
    assert not re.search(r"\s(?:style|on[a-z]+)=", tags)
    assert not re.search(r"<(?:img|link|iframe|object|embed|base|form)\b", tags)
    assert not re.search(r"""(?:src|href)=["']?(?:data|javascript):""", page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)


def test_the_alerts_that_a_filter_finds_are_handed_on_as_a_file(desk):
    with desk.logged_in("viewer") as client:
        answer = client.get("/alerts/report", params={"host": "SRV-FILE01.corp.example.com", "from": "now-7d"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="tocsin-alerts.html"'
    assert "<h1>1 alert</h1>" in answer.text or answer.text.count('<details class="alert"') == 1
    assert "SRV-FILE01" in body_of(answer.text)
    assert "WS-0142" not in body_of(answer.text)
    assert_harmless(answer.text)


def test_all_alerts_have_figures_time_line_and_tactics(desk):
    with desk.logged_in() as client:
        page = client.get("/alerts/report", params={"from": ""}).text
    assert page.count('<details class="alert"') == len(desk.alerts)
    assert "<h3>Severity</h3>" in page
    assert page.count('href="#a') == len(desk.alerts)
    assert "Command and Control" in page


def test_one_alert_is_handed_on_with_its_processes_guide_and_history(desk):
    alert = next(one for one in desk.alerts if "WS-0142" in one["host"]["name"])
    with desk.logged_in() as client:
        changed = {"csrf": token_of(client), "id": alert["kibana.alert.uuid"], "status": "acknowledged"}
        assert client.post("/alerts/status", data=changed).status_code == 303
        answer = client.get(f"/alerts/{alert['kibana.alert.uuid']}/report")
    assert answer.status_code == 200, answer.text
    page = answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="tocsin-Remote-File-Download')
    assert f"<h1>{alert['kibana.alert.rule.name']}</h1>" in page
    assert '<ul class="processes">' in page
    assert page.count(' this"><b>') == 1
    assert "<h4>Guide</h4>" in page
    assert "analyst status: open → acknowledged" in page
    assert_harmless(page)


def test_a_report_of_no_alert_says_so_and_one_of_an_unknown_alert_is_refused(desk):
    with desk.logged_in() as client:
        assert "No alert fits" in client.get("/alerts/report", params={"q": "host.name: nowhere"}).text
        assert client.get("/alerts/unknown/report").status_code == 404
        assert client.get("/alerts/report", params={"q": "host.name: ("}).status_code == 400
    with desk.browser() as nobody:
        assert nobody.get("/alerts/report").status_code == 303


def document(**fields: Any) -> dict[str, Any]:
    return {
        "@timestamp": "2026-11-20T10:00:00Z", "kibana.alert.uuid": "u", "kibana.alert.severity": "high",
        "kibana.alert.rule.uuid": "r", "kibana.alert.rule.name": HOSTILE, "host.name": HOSTILE,
        "user.name": HOSTILE, "process.command_line": HOSTILE, "process.name": HOSTILE,
        "event.category": ["process"], "event.type": ["start"], "kibana.alert.workflow_tags": [HOSTILE],
        "kibana.alert.rule.parameters.note": f"[go](javascript:alert(1)) {HOSTILE} {{{{process.name}}}}",
        "kibana.alert.rule.parameters.description": HOSTILE,
        "kibana.alert.rule.parameters.threat": [
            {"tactic": {"id": "TA0002", "name": HOSTILE, "reference": "javascript:alert(1)"}, "technique": []}
        ],
        **fields,
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 3])
def test_hostile_values_are_shown_and_do_nothing(count):
    node = {
        "depth": 0, "name": HOSTILE, "pid": 4, "command_line": HOSTILE, "executable": "", "start": None,
        "recorded": False, "relation": "alert", "remarks": [],
    }  # fmt: skip
    documents = [document(**{"kibana.alert.uuid": str(number)}) for number in range(count)]
    page = AlertsReport(
        documents, 1_000, f"query {HOSTILE}", "2026-11-20T11:00:00Z", processes=[node], history=[("x", HOSTILE)]
    ).html()
    assert_harmless(page)
    assert "&lt;script&gt;" in page
    assert f"These are the first {count} of 1,000." in page


@pytest.mark.parametrize(
    "fields",
    [
        {"@timestamp": "never"},
        {"host.name": ["a", "b"], "user.name": None},
        {"kibana.alert.rule.parameters.threat": "x", "kibana.alert.ancestors": "x"},
        {"kibana.alert.rule.parameters": {"description": "nested", "threat": [1]}},
    ],
)
def test_documents_that_others_wrote_are_reported_as_far_as_they_can_be_read(fields):
    page = AlertsReport([document(**fields)], 1, "", "2026-11-20T11:00:00Z").html()
    assert page.count('<details class="alert"') == 1
