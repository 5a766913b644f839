"""A desk over a service whose rules and events the tests themselves bring along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from sqlalchemy import func, select

from tests.api.conftest import run_service
from tests.desk.conftest import Desk
from tests.waiting import eventually
from tocsin.desk.app import create_app_with_desk
from tocsin.store.records.models import Run

RULE = {
    "name": "Bad process", "description": "It is bad.", "type": "eql", "language": "eql", "risk_score": 47,
    "severity": "medium", "index": ["logs-watch-*"], "interval": "5m", "from": "now-9m", "rule_id": "bad",
    "query": 'process where process.name == "bad.exe"', "tags": ["Domain: Endpoint"],
}  # fmt: skip


@dataclass
class Watched:
    """A desk, and a client of the interface that may do everything."""

    desk: Desk
    http: httpx.Client

    def rule(self, **members: Any) -> dict[str, Any]:
        """Make a rule, and return its document."""
        answer = self.http.post("/api/detection_engine/rules", json={**RULE, **members})
        answer.raise_for_status()
        return dict(answer.json())

    def event(self, **fields: Any) -> None:
        """Send an event of now."""
        category = fields.pop("category", "process")
        event = {"@timestamp": datetime.now(UTC).isoformat(), "event": {"category": category}, **fields}
        lines = [{"create": {"_index": "logs-watch-default"}}, event]
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        answer = self.http.post("/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
        assert not answer.json()["errors"]

    def run(self, rule: dict[str, Any]) -> None:
        """Run a rule now, and wait for that."""
        before = self._executions(rule)
        body = {"action": "run", "ids": [rule["id"]]}
        self.http.post("/api/detection_engine/rules/_bulk_action", json=body).raise_for_status()
        eventually(lambda: self._executions(rule) > before)

    def _executions(self, rule: dict[str, Any]) -> int:
        with self.desk.running.service.records.transaction() as session:
            asked = select(func.count()).select_from(Run)
            return session.scalar(asked.where(Run.rule_uuid == rule["id"], Run.done.is_not(None))) or 0

    def alerts(self, rule: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the alerts of a rule, without building blocks."""
        tests = [{"term": {"kibana.alert.rule.uuid": rule["id"]}}]
        blocks = [{"exists": {"field": "kibana.alert.building_block_type"}}]
        body = {"query": {"bool": {"filter": tests, "must_not": blocks}}, "size": 100}
        hits = self.http.post("/api/detection_engine/signals/search", json=body).json()["hits"]["hits"]
        return [hit["_source"] | {"_id": hit["_id"]} for hit in hits]


@contextmanager
def watched_desk(folder) -> Iterator[Watched]:
    """Yield a desk without any rule and event."""
    with (
        run_service(folder, make_app=create_app_with_desk) as running,
        running.http(running.add_key("admin")) as http,
    ):
        yield Watched(Desk(running, [], ""), http)
