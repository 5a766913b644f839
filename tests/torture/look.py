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

from tests.torture.recorded import Recorded, recorded
from tocsin.api.service import Service, open_service
from tocsin.config import load_config
from tocsin.store.events import EventStore, Scan
from tocsin.store.lake.lake import LakeSettings, LakeStore
from tocsin.store.records.models import Connector, StoredRule


@dataclass(frozen=True)
class Found:
    """What is there: ids of events by index, each as often as it was found, records, what is told to be wrong.

    `locked` are connectors whose settings nobody can read; `caught_up` says that rules were run for everything.
    """

    events: dict[str, list[str]]
    records: Recorded
    told: list[str]
    locked: list[str]
    caught_up: bool = False


def look(folder: Path, database: str = "", *, caught_up: bool = False) -> Found:
    """Start a service on a folder, in a process, and return what it finds, when rules have `caught_up` or at once.

    It watches the folder `drop` that lies beside.     Raises AssertionError when it dies.
    """
    command = [sys.executable, "-m", "tests.torture.look", str(folder), database, "wait" if caught_up else ""]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    told = done.stderr.decode(errors="replace")[-3000:]
    assert done.returncode == 0, f"the service ended with {done.returncode}: {told}"
    found = orjson.loads(done.stdout.splitlines()[-1])
    return Found(**found | {"records": Recorded(**found["records"])})


def look_before(folder: Path, database: str) -> Found:
    """Return what a folder holds, and its records, before any service is started on it."""
    with closing(LakeStore(folder, LakeSettings(flush_after=1e9, maintain_every=1e9))) as store:
        events = _events(store)
        told = [f"{one.name}: {one.reason}" for one in store.set_aside()]
    return Found(events, recorded(database), told, [])


def _events(store: EventStore) -> dict[str, list[str]]:
    events: dict[str, list[str]] = {}
    for batch in store.scan(Scan(["logs-*"])):
        events.setdefault(batch.index, []).extend(batch.ids(range(batch.rows)))
    return events


def _until_caught_up(service: Service, seconds: float = 200.0) -> bool:
    start, end = service.clock.now(), time.monotonic() + seconds
    while time.monotonic() < end:
        with service.records.transaction() as session:
            done = session.scalar(select(func.min(StoredRule.done_to)).where(StoredRule.enabled))
        if done is None or done > start:
            return True
        time.sleep(0.2)
    return False


def main() -> None:
    """Print what a service finds."""
    folder, database, waits = sys.argv[1:]
    values = {"data": folder, "watch": (Path(folder).with_name("drop"),)} | (
        {"database_url": database} if database else {}
    )
    config = load_config(None, values)
    with closing(open_service(config)) as service:
        caught_up = _until_caught_up(service) if waits else False
        events = _events(service.store)
        with service.records.transaction() as session:
            locked = [one.id for one in session.scalars(select(Connector)) if one.is_undecryptable]
        checks = (service.store.check(), service.records.check(), service.scheduler.check())
        told = [f"{one.name}: {one.reason}" for one in service.store.set_aside()]
        told += [problem for problem in checks if problem]
        records = recorded(config.records_url)
    print(orjson.dumps(Found(events, records, told, locked, caught_up)).decode())


if __name__ == "__main__":
    main()
