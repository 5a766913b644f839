"""The page of measures: its numbers, the alerts behind each, its tables, and who may define groups of hosts."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest

from tests.api.conftest import run_service
from tests.desk.conftest import Desk, token_of
from tests.desk.many_alerts import raise_alerts
from tocsin.desk.app import create_app_with_desk
from tocsin.management.alert_changes import WorkflowChange, change_alerts
from tocsin.store.records import access

SCRIPT = "<script>alert(1)</script>"
RULE = "Of a test " + SCRIPT
LINK = re.compile(r'href="(/measures/alerts\?[^"]*)"[^>]*>(?:<b>|<span[^>]*>)?([^<]*)<')


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A desk with alerts of a rule and hosts with hostile names; some are taken up, some closed."""
    with run_service(tmp_path_factory.mktemp("measures"), make_app=create_app_with_desk) as running:
        records = running.service.records
        ids = raise_alerts(records, 20, 1_000_000, **{"kibana.alert.rule.name": RULE})
        raise_alerts(records, 1, host={"name": SCRIPT})
        with records.transaction() as session:
            actor = access.as_actor(access.find_user(session, "analyst"), "")
            change_alerts(session, actor, ids[:10], WorkflowChange("acknowledged"))
            change_alerts(session, actor, ids[:6], WorkflowChange("closed", "false_positive"))
            change_alerts(session, actor, ids[6:8], WorkflowChange("closed", "automated_closure"))
        yield Desk(running, [], "")


@pytest.fixture
def viewer(measured):
    with measured.logged_in("viewer") as client:
        yield client


def shown(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert SCRIPT not in answer.text
    return answer.text


@pytest.mark.parametrize("address", ["/measures", "/measures?by=severity", "/measures?by=host_group&group=HOST-1"])
def test_every_number_of_alerts_leads_to_as_many(viewer, address):
    links = LINK.findall(shown(viewer, address))
    counted = {(unescape(link), text) for link, text in links if text.replace(",", "").isdecimal()}
    assert len(counted) > 8
    for link, text in counted:
        page = shown(viewer, link)
        assert re.findall(r"<h1>.* <b>([\d,]+)</b></h1>", page) == [text], link
        assert page.count("<tr data-row") == int(text)


def test_the_measures_are_of_people_alone_unless_others_are_asked_for(viewer):
    counts = {}
    for closings in ("people", "automatic", "all"):
        page = shown(viewer, f"/measures?closings={closings}")
        counts[closings] = re.findall(r'of=mttr">(\d+)</a></dd></div>\s*</dl>', page)[0]
    assert counts == {"people": "6", "automatic": "2", "all": "8"}


def test_each_chart_has_its_definition_and_its_table(viewer):
    page = shown(viewer, "/measures?from=now-24h")
    for measure in ("mttd", "mtta", "mttr"):
        card = page.split(f'aria-labelledby="{measure}"')[1].split("</section>")[0]
        for part in ('<path class="line median"', '<p class="dim definition">', "As a table", "<tbody><tr>"):
            assert part in card, (measure, part)


def test_where_nothing_was_measured_it_is_said(viewer):
    page = shown(viewer, "/measures?from=2020-01-01&to=2020-02-01")
    for text in ("No alert was raised in this time.", "Nobody took up an alert", "No alert was closed so"):
        assert text in page


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("/measures?from=yesterdayish", "cannot be read"),
        ("/measures?from=now-9999999d", "cannot be read"),
        ("/measures?from=now&to=now-1d", "ends before it begins"),
        ("/measures/alerts?of=nothing", "[of] is one of"),
        ("/measures/export?table=nothing", "[table] is one of"),
        ("/measures?group=" + "x" * 9_000, "at most"),
    ],
)
def test_what_cannot_be_shown_is_said(viewer, address, text):
    answer = viewer.get(address)
    assert (answer.status_code, text in answer.text) == (400, True)


@pytest.mark.parametrize(
    "address", ["/measures?from=0001-01-01", "/measures?to=9999-12-31", "/measures?by=x&page=x"]
)
def test_times_beyond_all_others_are_shown(viewer, address):
    shown(viewer, address)


def test_a_table_is_exported(viewer):
    answer = viewer.get("/measures/export?table=rules")
    assert answer.headers["content-type"].startswith("text/csv")
    assert re.search(r'filename="tocsin-measures-rules-\w+\.csv"', answer.headers["content-disposition"])
    (rule,) = csv.DictReader(io.StringIO(answer.text))
    assert (rule["raised"], rule["closed_by_people"], rule["false_positives"]) == ("21", "6", "6")
    assert len(list(csv.reader(io.StringIO(viewer.get("/measures/export?table=time").text)))) > 20


def test_groups_of_hosts_are_defined_by_those_who_respond(measured, viewer):
    assert "Define groups of hosts" not in shown(viewer, "/measures?by=host_group")
    form = {"csrf": token_of(viewer), "groups": "First: host-1"}
    assert viewer.post("/measures/host-groups", data=form).status_code == 403
    with measured.logged_in("analyst") as analyst:
        token = token_of(analyst)
        assert analyst.post("/measures/host-groups", data={"groups": "First: host-1"}).status_code == 403
        wrong = analyst.post("/measures/host-groups", data={"csrf": token, "groups": "First"})
        assert (wrong.status_code, "line 1" in wrong.text) == (400, True)
        form = {"csrf": token, "groups": f"First {SCRIPT}: host-1, HOST-2"}
        assert analyst.post("/measures/host-groups", data=form).status_code == 303
        page = shown(analyst, "/measures?by=host_group")
        assert "other hosts" in page
        assert "First" in page
        analyst.post("/measures/host-groups", data={"csrf": token, "groups": ""})
        assert "No groups are defined" in shown(analyst, "/measures?by=host_group")
