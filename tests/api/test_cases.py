"""Kibana's interface of cases, asked by a client that was made for Kibana, over real HTTP.

What it answers is held against the description, see `tests.api.described`. Source of the forms:
x-pack/plugins/cases/docs/openapi of elastic/kibana.
"""

from __future__ import annotations

import pytest
from kibana import Kibana
from kibana.exceptions import ApiError, BadRequestError, ConflictError, NotFoundError

from tests.api.conftest import run_service
from tests.desk.many_alerts import documents_of, raise_alerts

NEW = {"title": "Download", "description": "It fetched a file.", "tags": ["lolbas"], "owner": "securitySolution"}
SYNC = {"settings": {"syncAlerts": True}}
NONE = {"id": "none", "name": "none", "type": ".none", "fields": None}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="module")
def cases(running):
    client = Kibana(running.url, api_key=running.add_key("admin"))
    yield client.cases
    client.close()


def create(cases, **more):
    return cases.create(**{**NEW, **SYNC, "connector": NONE, **more}).body


def test_a_case_comes_changes_and_goes(cases):
    made = create(cases, severity="high", assignees=[{"uid": "analyst"}])
    assert (made["status"], made["severity"], made["assignees"]) == ("open", "high", [{"uid": "analyst"}])
    assert made["created_by"]["username"].startswith("key:")
    assert cases.get(case_id=made["id"]).body == made
    change = {"id": made["id"], "version": made["version"], "title": "Other", "status": "closed", "tags": []}
    (changed,) = cases.update(cases=[change]).body
    assert (changed["title"], changed["status"], changed["tags"]) == ("Other", "closed", [])
    assert changed["closed_by"] == made["created_by"]
    assert isinstance(changed["duration"], int)
    with pytest.raises(ConflictError, match="meanwhile"):
        cases.update(cases=[change])
    with pytest.raises(ApiError) as same:
        cases.update(cases=[{**change, "version": changed["version"]}])
    assert same.value.meta.status == 406
    cases.delete(ids=[made["id"]])
    with pytest.raises(NotFoundError, match="no case"):
        cases.get(case_id=made["id"])


def test_of_several_changes_all_are_made_or_none(cases):
    first, second = create(cases, title="first"), create(cases, title="second")
    changes = [{"id": case["id"], "version": case["version"], "severity": "critical"} for case in (first, second)]
    with pytest.raises(ConflictError):
        cases.update(cases=[changes[0], {**changes[1], "version": "nonsense"}])
    assert cases.get(case_id=first["id"]).body["severity"] == "low"
    answer = cases.update(cases=changes[::-1]).body
    assert [case["title"] for case in answer] == ["second", "first"]


def test_cases_are_found(cases):
    create(cases, title="Needle in hay", tags=["needle"], severity="critical", category="malware")
    create(cases, title="Needle closed", tags=["needle", "other"])
    page = cases.find(
        tags="needle", sort_field="title", sort_order="asc", per_page=1, owner="securitySolution"
    ).body
    assert (page["total"], page["per_page"], page["page"]) == (2, 1, 1)
    assert (page["count_open_cases"], page["count_closed_cases"]) == (2, 0)
    assert [case["title"] for case in page["cases"]] == ["Needle closed"]
    for query, count in (
        ({"search": "hay"}, 1), ({"severity": "critical", "tags": ["needle"]}, 1), ({"category": "malware"}, 1),
        ({"search": "needle", "status": "closed"}, 0), ({"tags": "needle", "from_": "now-1h"}, 2),
        ({"tags": "needle", "to": "now-1h"}, 0), ({"tags": "needle", "owner": "cases"}, 0),
    ):  # fmt: skip
        assert cases.find(**query).body["total"] == count, query
    assert "needle" in cases.get_tags().body
    assert [user["username"][:4] for user in cases.get_reporters().body] == ["key:"]
    assert cases.get_configuration().body == []
    with pytest.raises(BadRequestError):
        cases.find(sort_field="password")


def test_comments_and_alerts_of_a_case(running, cases):
    records = running.service.records
    ids = raise_alerts(records, 2)
    case = create(cases, title="With alerts")
    with_alerts = cases.add_comment(
        case_id=case["id"], type="alert", alert_id=ids, index=[".alerts-security.alerts-default"] * 2,
        rule={"id": "u", "name": "Of a test"},
    ).body  # fmt: skip
    assert with_alerts["totalAlerts"] == 2
    assert [document["kibana.alert.case_ids"] for document in documents_of(records, ids)] == [[case["id"]]] * 2
    assert {alert["id"] for alert in cases.get_alerts(case_id=case["id"]).body} == set(ids)
    (related,) = cases.get_cases_by_alert(alert_id=ids[0]).body
    assert (related["title"], related["totals"]) == ("With alerts", {"alerts": 2, "userComments": 0})
    commented = cases.add_comment(case_id=case["id"], type="user", comment="Looks real.").body
    (comment,) = [kept for kept in commented["comments"] if kept["type"] == "user"]
    said = {"id": comment["id"], "version": comment["version"], "comment": "It is."}
    assert cases.get_comment(case_id=case["id"], comment_id=comment["id"]).body == comment
    changed = cases.update_comment(case_id=case["id"], **said).body
    assert [kept["comment"] for kept in changed["comments"] if kept["type"] == "user"] == ["It is."]
    with pytest.raises(ConflictError):
        cases.update_comment(case_id=case["id"], **said)
    version = cases.get(case_id=case["id"]).body["version"]
    cases.update(cases=[{"id": case["id"], "version": version, "status": "in-progress"}])
    statuses = [document["kibana.alert.workflow_status"] for document in documents_of(records, ids)]
    assert statuses == ["acknowledged"] * 2
    activity = cases.find_user_actions(case_id=case["id"]).body
    assert [(action["type"], action["action"]) for action in activity["userActions"]] == [
        ("create_case", "create"), ("comment", "create"), ("comment", "create"), ("comment", "update"),
        ("status", "update"),
    ]  # fmt: skip
    assert activity["userActions"][-1]["payload"] == {"status": "in-progress"}
    assert cases.find_user_actions(case_id=case["id"], types=["status"]).body["total"] == 1
    cases.delete_comment(case_id=case["id"], comment_id=comment["id"])
    assert cases.get_comments(case_id=case["id"]).body["total"] == 2
    cases.delete_all_comments(case_id=case["id"])
    assert cases.get(case_id=case["id"]).body["totalAlerts"] == 0


def test_10_000_alerts_in_a_case_are_refused(running, cases):
    case = create(cases)
    with pytest.raises(BadRequestError, match="at most 1,000 alerts"):
        cases.add_comment(case_id=case["id"], type="alert", alert_id=[f"a{number}" for number in range(10_000)])


REFUSED = {
    "another owner": ({"owner": "observability"}, "owner"),
    "no title": ({"title": " "}, "title"),
    "no description": ({"description": ""}, "description"),
    "a connector": ({"connector": {**NONE, "id": "jira"}}, "connector"),
    "a severity": ({"severity": "boss"}, "severity"),
    "many assignees": ({"assignees": [{"uid": str(number)} for number in range(11)]}, "assignees"),
}


@pytest.mark.parametrize(("more", "reason"), REFUSED.values(), ids=REFUSED)
def test_cases_that_cannot_be(cases, more, reason):
    with pytest.raises(BadRequestError, match=reason):
        create(cases, **more)


def test_who_only_reads_changes_nothing(running, cases):
    case = create(cases)
    client = Kibana(running.url, api_key=running.add_key("read"))
    assert client.cases.get(case_id=case["id"]).body["title"] == "Download"
    for change in (
        lambda: create(client.cases),
        lambda: client.cases.update(cases=[{"id": case["id"], "version": case["version"], "title": "x"}]),
        lambda: client.cases.add_comment(case_id=case["id"], type="user", comment="x"),
        lambda: client.cases.delete(ids=[case["id"]]),
    ):
        with pytest.raises(ApiError) as refused:
            change()
        assert refused.value.meta.status == 403
    client.close()
