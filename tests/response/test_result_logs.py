"""What hosts log, counted whole: osquery's logger sends lines as docs/wiki/deployment/logging.md shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from tocsin.response.hosts.host_registry import EnrolledNode
from tocsin.response.hosts.result_logs import log_actions

NODE = EnrolledNode("id", "ws1", "ws1", "uuid", "windows", "Windows", "10", "5.20.0")
NOW = datetime(2026, 11, 27, tzinfo=UTC)
ADDED = {"name": "pack/p/q", "unixTime": 1_790_000_000, "action": "added", "columns": {"pid": "1"}}
SNAPSHOT = {"name": "pack/p/s", "unixTime": 1_790_000_000, "snapshot": [{"pid": "1"}, {"pid": "2"}, {"pid": "3"}]}


@pytest.mark.parametrize(
    ("log_type", "lines", "most", "counts"),
    [
        ("result", [ADDED, SNAPSHOT], 9, (4, 0, 0)),
        ("result", [ADDED, SNAPSHOT], 4, (4, 0, 0)),
        ("result", [SNAPSHOT, ADDED], 2, (2, 0, 2)),
        ("result", [ADDED, "no line", {"name": "pack/p/q"}], 9, (1, 2, 0)),
        ("status", [{"severity": "0", "message": "m"}, {"severity": "2", "message": "m"}], 9, (1, 1, 0)),
        ("result", "no list", 9, (0, 0, 0)),
    ],
)
def test_each_row_is_stored_left_out_or_cut(log_type, lines, most, counts):
    actions, left_out, cut = log_actions(NODE, log_type, lines, {}, NOW, most)
    assert (len(actions), left_out, cut) == counts


def test_a_column_that_is_value_and_object_is_not_lost():
    line = {**ADDED, "columns": {"a": "1", "a.b": "2"}}
    [action] = log_actions(NODE, "result", [line], {}, NOW).actions
    document = orjson.loads(action.source or b"")
    assert document["osquery"] == {"a": "1"}
    assert document["osquery.a.b"] == "2"
