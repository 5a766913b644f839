"""Who uses the service while it is tortured: senders of events, and somebody who changes records."""

from __future__ import annotations

import http.client
import re
import threading
import time
from typing import Any

import orjson
from benchmarks.fleet import Fleet

from tests.torture.service import INDICES, Service

_EVENTS = 40  # a request, beside those that are planted
_RULE = {
    "description": "d", "severity": "low", "risk_score": 1, "index": ["logs-*"], "interval": "5s",
    "from": "now-9s",
    "timestamp_override": "event.ingested", "max_signals": 1_000_000, "enabled": True,
}  # fmt: skip
_PAIR = '[process where process.name == "torture-a"] [process where process.name == "torture-b"]'
_KINDS: list[dict[str, Any]] = [
    {"type": "eql", "language": "eql", "query": 'process where process.name == "torture-a"'},
    {"type": "eql", "language": "eql", "query": f"sequence by process.entity_id with maxspan=1m {_PAIR}"},
    {
        "type": "threshold", "language": "kuery", "query": "process.name: torture*",
        "threshold": {"field": ["user.name"], "value": 2},
    },
    {
        "type": "new_terms", "language": "kuery", "query": "process.name: torture-b",
        "new_terms_fields": ["user.name"], "history_window_start": "now-1h",
    },
]  # fmt: skip
# A rule of each kind. Each request plants a pair of events that has an entity id and a user of its own.
RULES = [{"rule_id": f"r{number}", "name": f"r{number}", **_RULE, **kind} for number, kind in enumerate(_KINDS)]


def planted(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a pair of events for the rules to find."""
    return [
        (
            f"{name}-{letter}",
            {
                "@timestamp": f"2026-01-01T00:00:0{second}Z",
                "event": {"category": ["process"]},
                "process": {"name": f"torture-{letter}", "entity_id": name},
                "user": {"name": name},
            },
        )
        for second, letter in enumerate("ab")
    ]


def pairs_in(ids: set[str]) -> set[str]:
    """Return the names of the pairs of which both events are among some ids.

    Ids that the store made may end as these do.
    """
    found = (re.fullmatch(r"(\d+-\d+)-a", id_) for id_ in ids)
    return {match[1] for match in found if match and f"{match[1]}-b" in ids}


class User(threading.Thread):
    """Does something with the service until stopped. `acknowledged` is what it was told is done."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.acknowledged: set[str] = set()
        self.stopped = False

    def ask(self, method: str, path: str, body: object, kind: str = "application/json") -> Any | None:
        """Return an answer, None when there was none or the service could not do it now."""
        try:
            status, answer = self.service.ask(method, path, body, kind)
        except (OSError, http.client.HTTPException):
            return None
        return answer if status == 200 else None


class Sender(User):
    """Sends events under ids of its own, each until it is acknowledged."""

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(service)
        self.number = number

    def run(self) -> None:
        """Send until stopped."""
        fleet = Fleet(self.number)
        turn = 0
        while not self.stopped:
            turn += 1
            events = [(f"{self.number}-{turn}-{n}", event) for n, event in enumerate(fleet.events(_EVENTS))]
            events += planted(f"{self.number}-{turn}")
            body = b"".join(
                orjson.dumps({"create": {"_index": f"logs-{len(id_) % INDICES}-default", "_id": id_}})
                + b"\n"
                + orjson.dumps({name: value for name, value in event.items() if name != "_index"})
                + b"\n"
                for id_, event in events
            )
            while not self.stopped and not self._sent(body):
                time.sleep(0.05)

    def _sent(self, body: bytes) -> bool:
        answer = self.ask("POST", "/_bulk", body, "application/x-ndjson")
        if answer is None:
            return False
        for item in answer["items"]:
            told = item["create"]
            assert told["status"] in (201, 409), told  # 409: stored before an answer that was cut off
            self.acknowledged.add(told["_id"])
        return True


class Changer(User):
    """Makes keys, which the audit log notes by their ids."""

    def run(self) -> None:
        """Make one after the other until stopped."""
        turn = 0
        while not self.stopped:
            turn += 1
            answer = self.ask("POST", "/_security/api_key", {"name": f"torture {turn}", "scopes": ["read"]})
            if answer is not None:
                self.acknowledged.add(str(answer["id"]))
            time.sleep(0.3)
