"""Cases: what each change does to the case, to its alerts and to its activity log."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from tests.response.conftest import SHA256, add_alerts
from tocsin.errors import ConflictError, InvalidError, NotFoundError
from tocsin.management import alerts as workflow
from tocsin.response.cases import case_alerts, checklist, comments, evidence, links, listing, observables
from tocsin.response.cases.activity import activity_of, verify
from tocsin.response.cases.cases import NewCase, change_case, create_case, make_case, remove_case
from tocsin.response.cases.locking import find_case
from tocsin.store.records import access
from tocsin.store.records.access import Actor, Scope, local_actor
from tocsin.store.records.cases import CaseActivity, CaseEvidence, StoredCase
from tocsin.store.records.models import AuditEntry, StoredAlert

ANN = local_actor("ann")
BOB = Actor("bob", frozenset({Scope.READ, Scope.RESPOND}), "127.0.0.1", user_id=7)
STATUS, REASON = "kibana.alert.workflow_status", "kibana.alert.workflow_reason"
BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])  # locks, triggers, JSON as text
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def document(session, alert_id):
    return orjson.loads(session.get(StoredAlert, alert_id).document)


def log_of(session, case):
    return [(entry.type, entry.action, entry.actor) for entry in activity_of(session, case.id)]


def test_a_case_of_alerts_takes_up_what_they_hold(session):
    ids = [*add_alerts(session, 2), *add_alerts(session, 1, "high", start=2)]
    case = create_case(session, ANN, NewCase("Download", tags=["net", "net"], alerts=[*ids, "a0"]))
    assert (case.severity, case.status, case.owner, case.tags) == ("high", "open", "ann", ["net"])
    assert case_alerts.alert_ids(session, case.id) == ids
    assert [document(session, id_)["kibana.alert.case_ids"] for id_ in ids] == [[case.id]] * 3
    assert [(task.depth, task.text, task.rule_name) for task in checklist.tasks_of(session, case.id)] == [
        (0, "Isolate the host.", "Remote File Download"),
        (1, "Stop the process.", "Remote File Download"),
        (0, "Reset passwords.", "Remote File Download"),
    ]
    assert [(kept.type, kept.value) for kept in observables.observables_of(session, case.id)] == [
        ("hash", SHA256),
        ("address", "8.8.8.8"),
    ]
    assert log_of(session, case) == [("create_case", "create", "ann"), ("comment", "create", "ann")]
    assert workflow.history(session, "a0")[-1].field == "cases"
    assert verify(session) == []


def test_a_case_without_a_guide_has_the_usual_steps(session):
    add_alerts(session, 1, **{"kibana.alert.rule.parameters": {}})
    for alerts in ([], ["a0"]):
        case = create_case(session, ANN, NewCase("By hand", alerts=alerts))
        steps = [(task.depth, task.text) for task in checklist.tasks_of(session, case.id)]
        assert steps == list(checklist.DEFAULT_STEPS)


def test_unknown_alerts_are_named_and_the_others_attached(session):
    add_alerts(session, 1)
    made = make_case(session, ANN, NewCase("c", alerts=["a0", "nowhere"]))
    assert (made.alerts.added, made.alerts.unknown) == (["a0"], ["nowhere"])
    with pytest.raises(NotFoundError, match="no alert nowhere nor 1 others"):
        case_alerts.add_alerts(session, ANN, made.case.id, ["nowhere", "either"])
    assert case_alerts.add_alerts(session, ANN, made.case.id, ["a0"]).added == []
    assert log_of(session, made.case)[2:] == []


def test_more_alerts_than_a_case_has_are_refused_and_none_is_attached(records):
    with records.transaction() as session:
        ids = add_alerts(session, 10_000)
        case = create_case(session, ANN, NewCase("c", alerts=ids[:3]))
    with (
        pytest.raises(InvalidError, match="at most 1,000 alerts: this one has 3, and 9,997 were to be added"),
        records.transaction() as session,
    ):
        case_alerts.add_alerts(session, ANN, case.id, ids)
    with records.transaction() as session:
        assert case_alerts.count_alerts(session, [case.id]) == {case.id: 3}
        case_alerts.add_alerts(session, ANN, case.id, ids[:1_000])
        assert verify(session) == []


def test_alerts_follow_the_status_of_their_case_where_that_is_wanted(session):
    ids = add_alerts(session, 2)
    case = create_case(session, ANN, NewCase("c", alerts=ids))
    workflow.set_status(session, ANN, ["a1"], "closed", "false_positive")
    change_case(session, BOB, case.id, {"status": "in-progress"})
    assert [document(session, id_)[STATUS] for id_ in ids] == ["acknowledged"] * 2
    change_case(session, BOB, case.id, {"status": "closed", "close_reason": "true_positive"})
    assert [(document(session, id_)[STATUS], document(session, id_)[REASON]) for id_ in ids] == [
        ("closed", "true_positive")
    ] * 2
    assert (case.closed_by, case.close_reason) == ("bob", "true_positive")
    with pytest.raises(InvalidError, match="closed case"):
        case_alerts.add_alerts(session, ANN, case.id, ids)
    change_case(session, BOB, case.id, {"status": "open"})
    assert (case.closed, case.closed_by, case.close_reason) == (None, None, None)
    change_case(session, BOB, case.id, {"sync_alerts": False})
    change_case(session, BOB, case.id, {"status": "closed"})
    assert document(session, "a0")[STATUS] == "open"


def test_an_alert_with_a_verdict_is_not_opened_by_a_case(session):
    add_alerts(session, 2)
    workflow.set_status(session, ANN, ["a1"], "closed", "false_positive")
    case = create_case(session, ANN, NewCase("c"))
    change_case(session, ANN, case.id, {"status": "in-progress"})
    case_alerts.add_alerts(session, ANN, case.id, ["a0", "a1"])
    assert [document(session, id_)[STATUS] for id_ in ("a0", "a1")] == ["acknowledged", "closed"]


def test_alerts_are_taken_off_a_case(session):
    ids = add_alerts(session, 2)
    first, second = (create_case(session, ANN, NewCase(name, alerts=ids)) for name in "ab")
    assert case_alerts.remove_alerts(session, ANN, first.id, ["a0", "nowhere"]) == ["a0"]
    assert document(session, "a0")["kibana.alert.case_ids"] == [second.id]
    assert [case.id for case in case_alerts.cases_of_alert(session, "a1")] == [second.id, first.id]


REFUSED = {
    "no title": ({"title": " "}, "title"),
    "a long title": ({"title": "x" * 161}, "160"),
    "a NUL": ({"title": "a\0b"}, "NUL"),
    "half a character": ({"description": "\ud800"}, "half of a pair"),
    "a status": ({"status": "done"}, "open, in-progress, closed, not `done`"),
    "a severity": ({"severity": "boss"}, "low, medium"),
    "tags as a text": ({"tags": "a"}, "list"),
    "many tags": ({"tags": [str(number) for number in range(201)]}, "200"),
    "many assignees": ({"assignees": [str(number) for number in range(11)]}, "10"),
    "a field that is none": ({"number": 3}, "no field number"),
    "a switch": ({"sync_alerts": "yes"}, "true or false"),
}


@pytest.mark.parametrize(("values", "reason"), REFUSED.values(), ids=REFUSED)
def test_values_that_a_case_cannot_have(session, values, reason):
    case = create_case(session, ANN, NewCase("c"))
    with pytest.raises(InvalidError, match=reason):
        change_case(session, ANN, case.id, values)


def test_a_change_of_what_was_changed_meanwhile_is_refused(session):
    case = create_case(session, ANN, NewCase("c"))
    seen = case.revision
    change_case(session, BOB, case.id, {"severity": "high"}, seen)
    with pytest.raises(ConflictError, match="changed by bob"):
        change_case(session, ANN, case.id, {"severity": "low"}, seen)


def test_tasks_are_ticked_by_whoever_did_them_first(session):
    case = create_case(session, ANN, NewCase("c"))
    task = checklist.add_task(session, ANN, case.id, "Call the user", assignee="bob")
    checklist.set_task_done(session, BOB, case.id, task.id, done=True)
    checklist.set_task_done(session, ANN, case.id, task.id, done=True)
    assert task.done_by == "bob"
    checklist.set_task_done(session, ANN, case.id, task.id, done=False)
    assert not task.done
    checklist.remove_task(session, ANN, case.id, task.id)
    assert log_of(session, case)[1:] == [
        ("task", "add", "ann"), ("task", "update", "bob"), ("task", "update", "ann"), ("task", "delete", "ann"),
    ]  # fmt: skip
    with pytest.raises(NotFoundError):
        checklist.assign_task(session, ANN, case.id, task.id, "bob")


MENTIONS = {
    "hello @bob.": ["bob"],
    "(@bob) and @ann, @bob": ["bob", "ann"],
    "@ann.lee: look": ["ann.lee"],
    "mail a@bob": [],
    "@bobby @nobody @": [],
    "@" * 5000: [],
    "@gone": [],
}


@pytest.mark.parametrize(("words", "names"), MENTIONS.items())
def test_mentions(session, words, names):
    for name in ("ann", "bob", "ann.lee", "gone"):
        access.add_user(session, ANN, name, "analyst")
    access.change_user(session, ANN, "gone", enabled=False)
    case = create_case(session, ANN, NewCase("c"))
    assert comments.add_comment(session, ANN, case.id, words).mentions == names
    for name in names:
        assert listing.find_cases(session, listing.CaseFilter(mentioned=name), size=9) == [case]
    assert listing.find_cases(session, listing.CaseFilter(mentioned="gone"), size=9) == []


def test_a_comment_belongs_to_who_wrote_it(session):
    case = create_case(session, ANN, NewCase("c"))
    comment = comments.add_comment(session, ANN, case.id, "first")
    with pytest.raises(InvalidError, match="of ann"):
        comments.change_comment(session, BOB, case.id, comment.id, "second")
    comments.change_comment(session, ANN, case.id, comment.id, "second", 1)
    with pytest.raises(ConflictError):
        comments.change_comment(session, ANN, case.id, comment.id, "third", 1)
    comments.remove_comment(session, ANN, case.id, comment.id)
    last = orjson.loads(activity_of(session, case.id)[-1].payload)
    assert last["comment"] == "second"  # what is removed stays in the log


def test_evidence_is_kept_with_its_hash(session):
    case = create_case(session, ANN, NewCase("c"))
    rows = evidence.add_evidence(session, ANN, case.id, "query_result", "Services", [{"name": "<script>"}])
    again = evidence.add_evidence(session, ANN, case.id, "query_result", "Services", [{"name": "<script>"}])
    picture = evidence.add_picture(session, ANN, case.id, "The timeline", PNG)
    assert again.id == rows.id
    assert rows.sha256 == hashlib.sha256(b'[{"name":"<script>"}]').hexdigest()
    kept = evidence.find_evidence(session, case.id, picture.id)
    assert (kept.media_type, kept.content) == ("image/png", PNG)
    assert verify(session) == []


NO_EVIDENCE = {
    "a kind": (lambda s, c: evidence.add_evidence(s, ANN, c, "gossip", "t", {}), "gossip"),
    "a large document": (lambda s, c: evidence.add_evidence(s, ANN, c, "note", "t", ["x" * 10**6]), "1,000,000"),
    "half a character": (lambda s, c: evidence.add_evidence(s, ANN, c, "note", "t", ["\ud800"]), "JSON"),
    "a page that says it is a picture": (lambda s, c: evidence.add_picture(s, ANN, c, "t", b"<svg>"), "neither"),
    "a large picture": (lambda s, c: evidence.add_picture(s, ANN, c, "t", PNG + bytes(5 * 10**6)), "5,000,000"),
    "no title": (lambda s, c: evidence.add_picture(s, ANN, c, "", PNG), "title"),
}


@pytest.mark.parametrize(("add", "reason"), NO_EVIDENCE.values(), ids=NO_EVIDENCE)
def test_what_is_no_evidence(session, add, reason):
    case = create_case(session, ANN, NewCase("c"))
    with pytest.raises(InvalidError, match=reason):
        add(session, case.id)


@BOTH
def test_a_merged_case_gives_all_that_it_has(session):
    ids = add_alerts(session, 3)
    first = create_case(session, ANN, NewCase("first", alerts=ids[:2]))
    second = create_case(session, ANN, NewCase("second", alerts=ids[1:]))
    links.link_cases(session, ANN, first.id, second.id)
    comments.add_comment(session, BOB, first.id, "seen")
    piece = evidence.add_picture(session, BOB, first.id, "picture", PNG)
    done = checklist.tasks_of(session, first.id)[0]
    checklist.set_task_done(session, BOB, first.id, done.id, done=True)
    checklist.add_task(session, BOB, first.id, "More")
    links.merge_cases(session, ANN, first.id, f"#{second.number}")
    assert (first.status, first.merged_into) == ("closed", second.id)
    assert set(case_alerts.alert_ids(session, second.id)) == set(ids)
    assert case_alerts.alert_ids(session, first.id) == []
    assert [document(session, id_)["kibana.alert.case_ids"] for id_ in ids] == [[second.id]] * 3
    assert [document(session, id_)[STATUS] for id_ in ids] == ["open"] * 3
    assert [comment.text for comment in comments.comments_of(session, second.id)] == ["seen"]
    assert evidence.find_evidence(session, second.id, piece.id).content == PNG
    tasks = {task.text: task.done_by for task in checklist.tasks_of(session, second.id)}
    assert tasks == {"Isolate the host.": "bob", "Stop the process.": None, "Reset passwords.": None, "More": None}
    assert [case.id for case in links.linked_cases(session, second.id)] == [first.id]
    with pytest.raises(InvalidError, match="was merged into"):
        change_case(session, ANN, first.id, {"status": "open"})
    with pytest.raises(InvalidError, match="same case"):
        links.merge_cases(session, ANN, second.id, second.id)
    assert verify(session) == []


@BOTH
def test_a_removed_case_leaves_its_log_and_its_alerts(session):
    add_alerts(session, 1)
    case = create_case(session, ANN, NewCase("c", alerts=["a0"]))
    evidence.add_picture(session, ANN, case.id, "picture", PNG)
    remove_case(session, ANN, case.id)
    with pytest.raises(NotFoundError):
        find_case(session, case.id)
    assert document(session, "a0")["kibana.alert.case_ids"] == []
    assert session.scalars(select(CaseEvidence)).all() == []
    assert log_of(session, case)[-1] == ("delete_case", "delete", "ann")
    assert verify(session) == []
    assert create_case(session, ANN, NewCase("d")).number > case.number


@BOTH
def test_the_database_refuses_changes_of_the_log(records):
    with records.transaction() as session:
        create_case(session, ANN, NewCase("c"))
    for statement in ("UPDATE case_activity SET actor = 'eve'", "DELETE FROM case_activity"):
        with pytest.raises(DBAPIError, match="neither changed nor removed"), records.engine.begin() as connection:
            connection.execute(text(statement))


def _forge(session, statement):
    """Change the log as somebody does who has the database's file."""
    if session.bind.dialect.name == "sqlite":
        for name in ("update", "delete"):
            session.execute(text(f"DROP TRIGGER IF EXISTS case_activity_{name}"))
    else:
        session.execute(text("ALTER TABLE case_activity DISABLE TRIGGER USER"))
    session.execute(statement)


FORGERIES = {
    "another actor": (update(CaseActivity).where(CaseActivity.sequence == 2).values(actor="eve"), "was changed"),
    "an entry less": (text("DELETE FROM case_activity WHERE sequence = 2"), "1 entries are missing"),
    "the last entry": (text("DELETE FROM case_activity WHERE sequence = 3"), "the audit log alone"),
    "the last entry's hash": (
        update(CaseActivity).where(CaseActivity.sequence == 3).values(hash="0" * 64), "was changed",
    ),
    "other evidence": (update(CaseEvidence).values(content=b"other"), "not what its SHA-256"),
    "no evidence": (text("DELETE FROM case_evidence"), "is gone"),
    "no case": (text("DELETE FROM cases"), "no entry says that it was removed"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "reason"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_log_is_told(session, statement, reason):
    case = create_case(session, ANN, NewCase("c"))
    evidence.add_picture(session, ANN, case.id, "picture", PNG)
    change_case(session, ANN, case.id, {"severity": "high"})
    assert verify(session, case.id) == []
    session.flush()
    _forge(session, statement)
    session.expire_all()
    assert any(reason in fault.reason for fault in verify(session))


def test_the_audit_log_names_the_entries(session):
    case = create_case(session, ANN, NewCase("c"))
    entry = session.scalar(select(AuditEntry).where(AuditEntry.action == "case.create_case"))
    assert (entry.target, entry.detail["entry"], entry.detail["hash"]) == (case.id, 1, case.activity_hash)


@BOTH
def test_cases_are_filtered_ordered_and_counted(session):
    now = datetime.now(UTC)
    quiet = create_case(session, ANN, NewCase("Quiet 100%", severity="low", tags=['a"b'], category="noise"))
    loud = create_case(session, BOB, NewCase("Loud", "words in it", severity="critical", assignees=["bob"]))
    late = create_case(session, ANN, NewCase("Late", follow_up=now - timedelta(days=1), follow_up_note="ask"))
    change_case(session, ANN, loud.id, {"status": "in-progress"})

    def titles(**wanted):
        return {case.title for case in listing.find_cases(session, listing.CaseFilter(**wanted), size=9)}

    assert titles(statuses=["open"]) == {"Quiet 100%", "Late"}
    assert titles(severities=["critical", "high"]) == {"Loud"}
    assert titles(tags=['a"b']) == {"Quiet 100%"}
    assert titles(tags=["a", "b", "%"]) == set()
    assert titles(assignees=["bob"]) == {"Loud"}
    assert titles(assignees=["none"]) == {"Quiet 100%", "Late"}
    assert titles(reporters=["bob"]) == {"Loud"}
    assert titles(categories=["noise"]) == {"Quiet 100%"}
    assert titles(search="100%") == {"Quiet 100%"}
    assert titles(search="WORDS loud") == {"Loud"}
    assert titles(search="words late") == set()
    assert titles(search="words late", any_word=True) == {"Loud", "Late"}
    assert titles(search=f"#{late.number}") == {"Late"}
    assert titles(search=quiet.id) == {"Quiet 100%"}
    assert titles(since=now, until=now) == set()
    assert [case.title for case in listing.due_cases(session, now)] == ["Late"]
    by_severity = listing.find_cases(session, listing.CaseFilter(), size=2, sort="severity")
    assert [case.title for case in by_severity] == ["Loud", "Late"]
    assert listing.count_by_status(session, listing.CaseFilter(statuses=["open"])) == {
        "open": 2, "in-progress": 1, "closed": 0,
    }  # fmt: skip
    assert (listing.all_tags(session), listing.distinct_values(session, "created_by")) == (['a"b'], ["ann", "bob"])


def test_other_open_cases_of_the_same_values_are_known(session):
    add_alerts(session, 2)
    first = create_case(session, ANN, NewCase("first", alerts=["a0"]))
    closed = create_case(session, ANN, NewCase("closed", alerts=["a0"]))
    change_case(session, ANN, closed.id, {"status": "closed"})
    wanted = observables.indicators_of([document(session, "a1")])
    assert {case.title: len(shared) for case, shared in observables.cases_with(session, wanted).items()} == {
        "first": 2
    }
    observables.add_observable(session, ANN, first.id, "domain", "Evil.example", "seen in a mail")
    assert observables.cases_with(session, [("domain", "evil.EXAMPLE")]).keys() == {first}
    with pytest.raises(InvalidError, match="no address"):
        observables.add_observable(session, ANN, first.id, "address", "1.2.3")


@BOTH
def test_changes_at_the_same_time_come_one_after_the_other(records):
    with records.transaction() as session:
        case = create_case(session, ANN, NewCase("c"))

    def comment(number):
        with records.transaction() as session:
            comments.add_comment(session, ANN, case.id, f"comment {number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(comment, range(12)))
    with records.transaction() as session:
        assert len(comments.comments_of(session, case.id)) == 12
        assert session.scalar(select(StoredCase.activity_length)) == 13
        assert verify(session) == []


@BOTH
def test_two_merges_at_the_same_time_do_not_wait_for_each_other_for_ever(records):
    with records.transaction() as session:
        ids = [create_case(session, ANN, NewCase(name)).id for name in "ab"]

    def merge(pair):
        try:
            with records.transaction() as session:
                links.merge_cases(session, ANN, *pair)
        except InvalidError as error:
            return str(error)
        return "merged"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(merge, (ids, ids[::-1])))
    assert outcomes[0] == "merged"
    assert "merged into" in outcomes[1] or "closed" in outcomes[1]
