"""The bundled telemetry, for a first look at the service: the day of an office, moved so that it ends now."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.ecs import TIMESTAMP
from tocsin.ingest.bulk import Action
from tocsin.ingest.files import action_of
from tocsin.moments import SECOND, iso, to_nanoseconds
from tocsin.sources.batch import Event, Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

# How records write moments: `2026-10-06T08:26:00.000Z`, and Sysmon's `2026-10-06 08:26:00.000`.
_MOMENT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(?P<between>[ T])(?P<time>\d\d:\d\d:\d\d)(?P<fraction>\.\d{1,9})?")
_PACKAGED = Path(__file__).parents[1] / "demo"
_CHECKOUT = Path(__file__).parents[3] / "examples" / "telemetry"


def demo_folder() -> Path:
    """Return where the bundled telemetry lies: in the package, or in the checkout that it is installed from."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def _moved(value: Any, shift: int) -> Any:
    """Return a value of an event whose moments are all later by as many nanoseconds, each as it is written."""
    if isinstance(value, dict):
        return {name: _moved(held, shift) for name, held in value.items()}
    if isinstance(value, list):
        return [_moved(held, shift) for held in value]
    return _MOMENT.sub(lambda match: _moved_moment(match, shift), value) if isinstance(value, str) else value


def _moved_moment(match: re.Match[str], shift: int) -> str:
    fraction = match["fraction"] or ""
    at = to_nanoseconds(f"{match['day']}T{match['time']}{fraction}Z") + shift
    day, _, time = iso(at, 9).partition("T")
    return f"{day}{match['between']}{time[: 8 + len(fraction)]}"


def demo_actions(now: datetime | None = None) -> list[Action]:
    """Return what stores the bundled telemetry, the last event now."""
    events: list[tuple[bytes, Event]] = []
    wanted = Wanted(frozenset({TIMESTAMP}))
    for batch in read_inputs(find_inputs([str(demo_folder())]), wanted, Rejects()):
        for row in range(batch.table.rows):
            raw = batch.raw(row)
            events.append((raw.content, raw.event()))
    times = [to_nanoseconds(event[TIMESTAMP]) for _, event in events]
    shift = int((now or datetime.now(UTC)).timestamp()) * SECOND - max(times)
    actions = []
    for time, (content, event) in zip(times, events, strict=True):
        event = _moved(event, shift)
        event[TIMESTAMP] = iso(time + shift, 6)
        # Without an id of its own, for the same events happen anew at each start.
        actions.append(action_of(content, event)._replace(id=None))
    return actions
