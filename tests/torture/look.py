"""What a service finds in a folder: `python -m tests.torture.look FOLDER` starts one, and prints it as JSON.

A process of its own, so that one which dies of what it finds is seen to die.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import func, select

from tocsin.api.service import Service, open_service
from tocsin.config import load_config
from tocsin.store.events import Scan
from tocsin.store.records.models import StoredAlert, StoredRule


@dataclass(frozen=True)
class Found:
    """What is there: ids of events by index, each as often as it was found, ids of alerts, what is set aside."""

    events: dict[str, list[str]]
    alerts: list[str]
    set_aside: list[str]
    problems: list[str]


def look(folder: Path, database: str = "", *, caught_up: bool = False) -> Found:
    """Start a service on a folder, in a process, and return what it finds, when rules have `caught_up` or at once.

    Raises AssertionError when it dies.
    """
    command = [sys.executable, "-m", "tests.torture.look", str(folder), database, "wait" if caught_up else ""]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    told = done.stderr.decode(errors="replace")[-3000:]
    assert done.returncode == 0, f"the service ended with {done.returncode}: {told}"
    return Found(**orjson.loads(done.stdout.splitlines()[-1]))


def _until_caught_up(service: Service) -> None:
    start, end = service.clock.now(), time.monotonic() + 60
    while time.monotonic() < end:
        with service.records.transaction() as session:
            done = session.scalar(select(func.min(StoredRule.done_to)).where(StoredRule.enabled))
        if done is None or done > start:
            return
        time.sleep(0.2)


def main() -> None:
    """Print what a service finds."""
    folder, database, waits = sys.argv[1:]
    values = {"data": folder, "watch": (Path(folder) / "drop",)} | ({"database_url": database} if database else {})
    with closing(open_service(load_config(None, values))) as service:
        if waits:
            _until_caught_up(service)
        events: dict[str, list[str]] = {}
        for batch in service.store.scan(Scan(["logs-*"])):
            events.setdefault(batch.index, []).extend(batch.ids(range(batch.rows)))
        alerts: list[str] = []
        try:
            with service.records.transaction() as session:
                alerts = list(session.scalars(select(StoredAlert.id)))
        except Exception as error:
            problems = [f"records: {error}"]
        else:
            problems = []
        checks = (service.store.check(), service.records.check(), service.watch.check())
        problems += [problem for problem in checks if problem]
        aside = [f"{one.name}: {one.reason}" for one in service.store.set_aside()]
        print(orjson.dumps(Found(events, alerts, aside, problems)).decode())


if __name__ == "__main__":
    main()
