"""The bundled telemetry, moved so that it ends now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import orjson

from tocsin.ingest.demo import demo_actions

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def test_every_moment_of_the_telemetry_moves_with_its_time():
    """Sysmon's `UtcTime` and `CreationUtcTime` are moments too, and so is `event.created`."""
    documents = [orjson.loads(action.source or b"") for action in demo_actions(NOW)]
    written = [moment for document in documents for moment in MOMENT.findall(orjson.dumps(document).decode())]
    moments = [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in written]
    assert len(moments) > 2 * len(documents)
    assert max(moments) == NOW
    assert min(moments) > NOW - timedelta(days=1)
    times = {document["winlog"]["event_data"]["UtcTime"] for document in documents if "UtcTime" in str(document)}
    assert all(re.fullmatch(r"2031-03-01 \d\d:\d\d:\d\d\.\d{3}", time) for time in times)
