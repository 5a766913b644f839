"""Alerts as rules leave them in records, as many as a test wants."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from tests.api.conftest import run_service
from tests.desk.conftest import Desk
from tocsin.desk.app import create_app_with_desk
from tocsin.moments import iso
from tocsin.store.records.database import Records
from tocsin.store.records.models import StoredAlert


def raise_alerts(records: Records, number: int, step: int = 1_000_000, **values: Any) -> list[str]:
    """Add alerts that were raised up to now, `step` nanoseconds apart; return their ids, the newest first."""
    ids: list[str] = []
    with records.transaction() as session:
        end = time.time_ns()
        for place in range(number):
            now = end - (number - 1 - place) * step
            id_ = uuid.uuid4().hex
            document = {
                "@timestamp": iso(now, 9), "kibana.alert.uuid": id_, "kibana.alert.start": iso(now, 9),
                "kibana.alert.workflow_status": "open", "kibana.alert.workflow_tags": [],
                "kibana.alert.workflow_assignee_ids": [], "kibana.alert.severity": "low",
                "kibana.alert.risk_score": 21, "kibana.alert.rule.name": "Of a test",
                "kibana.alert.reason": "it is so",
                "kibana.alert.rule.uuid": "u", "kibana.alert.original_time": iso(now - 10**9),
                "event": {"kind": "signal", "category": ["process"], "type": ["start"]},
                "host": {"name": f"HOST-{place % 7}"}, "user": {"name": "ann"},
                "process": {"name": "cmd.exe", "command_line": f"cmd.exe /c echo {place}", "pid": place},
                **values,
            }  # fmt: skip
            session.add(
                StoredAlert(
                    id=id_, rule_uuid="u", created=now, time=now, status="open", severity="low",
                    building_block=False, changed=now, document=orjson.dumps(document).decode(),
                )
            )  # fmt: skip
            ids.append(id_)
    return ids[::-1]


def documents_of(records: Records, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the documents of alerts as they are now."""
    with records.transaction() as session:
        return [orjson.loads(session.get_one(StoredAlert, id_).document) for id_ in ids]


@contextmanager
def desk_with_alerts(folder: Any, number: int) -> Iterator[Desk]:
    """Serve a desk with so many alerts and nothing else."""
    with run_service(folder, make_app=create_app_with_desk) as running:
        ids = raise_alerts(running.service.records, number)
        yield Desk(running, [{"kibana.alert.uuid": id_} for id_ in ids], "")
