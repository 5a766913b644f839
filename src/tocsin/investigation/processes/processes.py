"""Processes as events tell of them: what is known of each, and which events are of the same one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tocsin.detection.alerts.alert import as_text
from tocsin.ecs import TIMESTAMP
from tocsin.moments import to_nanoseconds

Row = Mapping[str, Any]  # an event's fields by name; each has one value or a list
SECOND = 1_000_000_000
_SAME_START = 2 * SECOND  # two sources tell of one start at moments that differ by less
_ROUNDED = SECOND // 1_000  # searches tell moments in milliseconds, alerts as their events have them
PROCESS_FIELDS = (
    TIMESTAMP, "event.category", "event.type", "host.name", "user.name", "user.domain", "process.entity_id",
    "process.pid", "process.name", "process.executable", "process.command_line", "process.start",
    "process.parent.entity_id", "process.parent.pid", "process.parent.name", "process.parent.executable",
    "process.parent.command_line", "process.hash.sha256", "process.hash.sha1", "process.hash.md5",
    "process.code_signature.exists", "process.code_signature.trusted", "process.code_signature.valid",
    "process.code_signature.status", "process.code_signature.subject_name",
)  # fmt: skip
_HASHES = ("process.hash.sha256", "process.hash.sha1", "process.hash.md5")


@dataclass(frozen=True)
class Process:
    """A process. `start` and `end` are in nanoseconds since 1970, None where no event tells.

    `recorded` tells whether an event of its start was found; else it is known from its child or its alert alone.
    `signature` is what the source says of its file's signature: fields below `process.code_signature`.
    """

    host: str
    entity_id: str = ""
    pid: int | None = None
    start: int | None = None
    end: int | None = None
    name: str = ""
    executable: str = ""
    command_line: str = ""
    user: str = ""
    hash: str = ""
    signature: Mapping[str, str] | None = None
    parent_entity_id: str = ""
    parent_pid: int | None = None
    parent_name: str = ""
    parent_executable: str = ""
    parent_command_line: str = ""
    recorded: bool = True

    @property
    def key(self) -> str:
        """What tells it from every other process of its host."""
        return self.entity_id or f"{self.pid}@{self.start}"

    def lived_at(self, moment: int) -> bool:
        """Tell whether it may have lived at a moment."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment <= self.end)


def first(row: Row, name: str) -> Any:
    """Return a field's value, the first of several, None where there is none."""
    value = row.get(name)
    return (value[0] if value else None) if isinstance(value, list | tuple) else value


def moment_of(row: Row, name: str = TIMESTAMP) -> int | None:
    """Return a moment in nanoseconds since 1970, None where the field holds none."""
    value = first(row, name)
    try:
        return None if value is None else to_nanoseconds(value)
    except (ValueError, TypeError, OverflowError):
        return None


def is_start(row: Row) -> bool:
    """Tell whether an event tells of the start of a process; engines of PowerShell start within one."""
    return _is(row, "start") and bool(first(row, "process.executable") or first(row, "process.name"))


def is_end(row: Row) -> bool:
    """Tell whether an event tells of the end of a process."""
    return _is(row, "end")


def _is(row: Row, type_: str) -> bool:
    return "process" in as_text(row.get("event.category")) and type_ in as_text(row.get("event.type")).split(", ")


def process_of(row: Row, *, recorded: bool = True) -> Process:
    """Return the process of an event. Its time is the start where the event is that of its start."""

    def text(name: str) -> str:
        return as_text(first(row, name))

    start = moment_of(row, "process.start") or (moment_of(row) if is_start(row) else None)
    domain, user = text("user.domain"), text("user.name")
    prefix = "process.code_signature."
    signature = {
        name.removeprefix(prefix): as_text(value) for name, value in row.items() if name.startswith(prefix)
    }
    executable = text("process.executable")
    return Process(
        host=text("host.name"),
        entity_id=text("process.entity_id"),
        pid=_number(first(row, "process.pid")),
        start=start,
        name=text("process.name") or base_name(executable),
        executable=executable,
        command_line=text("process.command_line"),
        user=f"{domain}\\{user}" if domain and user else user,
        hash=next(filter(None, map(text, _HASHES)), ""),
        signature=signature or None,
        parent_entity_id=text("process.parent.entity_id"),
        parent_pid=_number(first(row, "process.parent.pid")),
        parent_name=text("process.parent.name") or base_name(text("process.parent.executable")),
        parent_executable=text("process.parent.executable"),
        parent_command_line=text("process.parent.command_line"),
        recorded=recorded and is_start(row),
    )


def parent_in(child: Process) -> Process | None:
    """Return what a process's own event says of its parent, None if it says nothing."""
    if not child.parent_entity_id and child.parent_pid is None:
        return None
    return Process(
        host=child.host,
        entity_id=child.parent_entity_id,
        pid=child.parent_pid,
        name=child.parent_name,
        executable=child.parent_executable,
        command_line=child.parent_command_line,
        recorded=False,
    )


def base_name(path: str) -> str:
    """Return the last part of a path of Windows or of Unix."""
    return path.replace("/", "\\").rpartition("\\")[2]


def _number(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (ValueError, TypeError):
        return None


def same_name(name: str, other: str) -> bool:
    """Tell whether two names of programs may be of the same: a name that is not known may be any."""
    return not name or not other or name.lower() == other.lower()


def processes_of(rows: Iterable[Row]) -> list[Process]:
    """Return the processes that events of starts and ends tell of, the earliest first.

    Starts of one entity id are one process. A start without one, of the same pid within two seconds and of the
    same program, is that of another source. An end is that of its entity id, else of the process that had its pid
    then. A process without an end has ended, at the latest, when the next one got its pid.
    """
    starts, ends = [], []
    for row in rows:
        if is_start(row):
            starts.append(process_of(row))
        elif is_end(row):
            ends.append(row)
    processes = _merged(starts)
    by_pid: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for place, process in enumerate(processes):
        by_pid[process.host.lower(), process.pid].append(place)
    for row in ends:
        ended = _place_of_end(row, processes, by_pid)
        if ended is not None and processes[ended].end is None:
            processes[ended] = replace(processes[ended], end=moment_of(row))
    for places in by_pid.values():
        for place, following in pairwise(places):
            if processes[place].end is None and processes[place].pid is not None:
                processes[place] = replace(processes[place], end=processes[following].start)
    return processes


def _merged(starts: Sequence[Process]) -> list[Process]:
    processes: list[Process] = []
    by_entity: dict[str, int] = {}
    ordered = sorted(starts, key=lambda process: (not process.entity_id, process.start or 0))
    for process in ordered:
        if process.entity_id:
            if process.entity_id not in by_entity:
                by_entity[process.entity_id] = len(processes)
                processes.append(process)
            continue
        if not any(is_same_start(process, other) for other in processes):
            processes.append(process)
    return sorted(processes, key=lambda process: process.start or 0)


def is_same_start(start: Process, other: Process) -> bool:
    """Tell whether two starts are of the same process, of which maybe two sources tell."""
    if start.entity_id and other.entity_id:
        return start.entity_id == other.entity_id
    return (
        start.pid == other.pid
        and start.host.lower() == other.host.lower()
        and start.start is not None
        and other.start is not None
        and abs(start.start - other.start) <= (_SAME_START if start.entity_id or other.entity_id else _ROUNDED)
        and same_name(start.name, other.name)
    )


def _place_of_end(
    row: Row, processes: Sequence[Process], by_pid: Mapping[tuple[str, int | None], Sequence[int]]
) -> int | None:
    end = process_of(row)
    time = moment_of(row) or 0
    earlier = [
        place
        for place in by_pid.get((end.host.lower(), end.pid), ())
        if (processes[place].start or 0) <= time and same_name(processes[place].name, end.name)
    ]
    if end.entity_id:
        own = [place for place in earlier if processes[place].entity_id == end.entity_id]
        return own[-1] if own else next((p for p in reversed(earlier) if not processes[p].entity_id), None)
    return earlier[-1] if earlier else None
