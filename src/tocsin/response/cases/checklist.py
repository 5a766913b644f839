"""What is to be done in a case: steps out of the response section of its rules' guides, and tasks of people."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tocsin.errors import InvalidError, NotFoundError
from tocsin.investigation.guides.guide import note_of, response_steps
from tocsin.response.cases.activity import note
from tocsin.response.cases.fields import checked_text
from tocsin.response.cases.locking import locked_case
from tocsin.store.records.access import Actor
from tocsin.store.records.cases import CaseTask, StoredCase
from tocsin.store.records.database import chunks
from tocsin.translatable import N_

STEP, TASK = "step", "task"
MOST_TASKS = 500
LONGEST_TASK = 2_000  # characters
# What is done where no guide says it: each step with its depth in the list.
DEFAULT_STEPS: Sequence[tuple[int, str]] = (
    (0, N_("Confirm by the triage that this is an incident, and say so in the case.")),
    (0, N_("Isolate the hosts that are involved, so that nothing else happens on them.")),
    (0, N_("Look for the same on other hosts: files, addresses, domains, command lines.")),
    (1, N_("Set temporary network rules, and segment the network where it must be.")),
    (1, N_("Stop the suspicious processes.")),
    (1, N_("Block the indicators that were identified, at once.")),
    (1, N_("Look for further backdoors: reverse shells, proxies, droppers that stay.")),
    (0, N_("Remove and block the artefacts that the triage found.")),
    (0, N_("Find out which credentials were exposed, and reset the passwords of these accounts.")),
    (0, N_("Run a full anti-malware scan, which may show what is left.")),
    (0, N_("Find out how the intruder came in, and close that way.")),
    (0, N_("Improve logging and audit policies, so that detecting and responding take less time (MTTD, MTTR).")),
)


def tasks_of(session: Session, case_id: str) -> Sequence[CaseTask]:
    """Return the steps and tasks of a case, in their order."""
    query = select(CaseTask).where(CaseTask.case_id == case_id)
    return session.scalars(query.order_by(CaseTask.position, CaseTask.id)).all()


def progress(session: Session, case_ids: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return how many steps and tasks of cases are done, and how many there are, for those that have any."""
    query = select(CaseTask.case_id, func.count(CaseTask.done), func.count()).group_by(CaseTask.case_id)
    return {
        case_id: (done, count)
        for chunk in chunks(case_ids)
        for case_id, done, count in session.execute(query.where(CaseTask.case_id.in_(chunk)))
    }


def add_task(
    session: Session, actor: Actor, case_id: str, text: str, *, assignee: str = "", due: datetime | None = None
) -> CaseTask:
    """Add a task to a case. Raises NotFoundError and InvalidError."""
    case = locked_case(session, case_id)
    text = checked_text("text", text, LONGEST_TASK)
    name = checked_text("assignee", assignee, 160, 0) or None
    tasks = _add(session, actor, case, TASK, [(0, text)], assignee=name, due=due)
    if not tasks:
        raise InvalidError(f"a case has at most {MOST_TASKS} tasks")
    note(session, actor, case, "task", "add", {"text": text, "assignee": name, "due": due})
    return tasks[0]


def set_task_done(session: Session, actor: Actor, case_id: str, task_id: str, *, done: bool) -> CaseTask:
    """Tick a step or task of a case, or say that it is not done. Whoever ticked it first stays.

    Raises NotFoundError and InvalidError.
    """
    case, task = _locked_task(session, case_id, task_id)
    if (task.done is not None) != done:
        task.done, task.done_by = (datetime.now(UTC), actor.name[:160]) if done else (None, None)
        note(session, actor, case, task.kind, "update", {"text": task.text, "done": done})
    return task


def assign_task(session: Session, actor: Actor, case_id: str, task_id: str, assignee: str) -> CaseTask:
    """Give a step or task to somebody, with an empty name to nobody. Raises NotFoundError and InvalidError."""
    case, task = _locked_task(session, case_id, task_id)
    name = checked_text("assignee", assignee, 160, 0) or None
    if task.assignee != name:
        task.assignee = name
        note(session, actor, case, task.kind, "update", {"text": task.text, "assignee": name})
    return task


def remove_task(session: Session, actor: Actor, case_id: str, task_id: str) -> None:
    """Remove a step or task; the log keeps what it was. Raises NotFoundError and InvalidError."""
    case, task = _locked_task(session, case_id, task_id)
    session.delete(task)
    note(session, actor, case, task.kind, "delete", {"text": task.text, "was_done": task.done is not None})


def add_steps_of_rules(
    session: Session, actor: Actor, case: StoredCase, documents: Iterable[Mapping[str, Any]]
) -> None:
    """Add to a locked case the steps of its alerts' guides that it does not have yet."""
    notes = {note_of(document): str(document.get("kibana.alert.rule.name", "")) for document in documents}
    for text, rule_name in notes.items():
        _add(session, actor, case, STEP, response_steps(text), rule_name=rule_name or None)


def add_default_steps(session: Session, actor: Actor, case: StoredCase) -> None:
    """Add to a locked case the steps that hold for every incident, where it has none."""
    has_steps = session.scalar(
        select(CaseTask.id).where(CaseTask.case_id == case.id, CaseTask.kind == STEP).limit(1)
    )
    if has_steps is None:
        _add(session, actor, case, STEP, DEFAULT_STEPS)


def _locked_task(session: Session, case_id: str, task_id: str) -> tuple[StoredCase, CaseTask]:
    case = locked_case(session, case_id)
    task = session.get(CaseTask, task_id)
    if task is None or task.case_id != case.id:
        raise NotFoundError(f"the case has no task {task_id}")
    return case, task


def _add(
    session: Session,
    actor: Actor,
    case: StoredCase,
    kind: str,
    texts: Sequence[tuple[int, str]],
    *,
    rule_name: str | None = None,
    assignee: str | None = None,
    due: datetime | None = None,
) -> list[CaseTask]:
    """Add what a case does not have yet, up to MOST_TASKS."""
    kept = session.execute(select(CaseTask.kind, CaseTask.text).where(CaseTask.case_id == case.id)).all()
    known = {text for kept_kind, text in kept if kept_kind == STEP} if kind == STEP else set()
    last = session.scalar(select(func.max(CaseTask.position)).where(CaseTask.case_id == case.id)) or 0
    now = datetime.now(UTC)
    new = [(depth, text[:LONGEST_TASK]) for depth, text in texts if text[:LONGEST_TASK] not in known]
    tasks = [
        CaseTask(
            id=str(uuid.uuid4()), case_id=case.id, position=last + number, kind=kind, text=text, depth=depth,
            rule_name=rule_name, assignee=assignee, due=due, created=now, created_by=actor.name[:160],
        )
        for number, (depth, text) in enumerate(new[: max(0, MOST_TASKS - len(kept))], 1)
    ]  # fmt: skip
    session.add_all(tasks)
    session.flush()
    return tasks
