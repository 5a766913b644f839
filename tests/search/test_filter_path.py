"""`filter_path`: which parts of an answer a client wants."""

from __future__ import annotations

import pytest

from tocsin.search.filter_path import filtered

ANSWER = {
    "took": 3,
    "errors": True,
    "items": [
        {"create": {"_id": "1", "status": 201}},
        {"index": {"error": {"type": "t", "reason": "r"}}},
    ],
    "hits": {"total": {"value": 1}, "hits": [{"_id": "1", "_source": {"a": 1, "b": {"c": 2}}}]},
}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("took", {"took": 3}),
        ("errors,items.*.status", {"errors": True, "items": [{"create": {"status": 201}}]}),
        ("items.*.error", {"items": [{"index": {"error": {"type": "t", "reason": "r"}}}]}),
        ("hits.hits._source.b", {"hits": {"hits": [{"_source": {"b": {"c": 2}}}]}}),
        ("**._id", {"items": [{"create": {"_id": "1"}}], "hits": {"hits": [{"_id": "1"}]}}),
        ("hits.t*", {"hits": {"total": {"value": 1}}}),
        ("-items,-hits", {"took": 3, "errors": True}),
        ("hits,-hits.hits", {"hits": {"total": {"value": 1}}}),
        ("nothing", {}),
    ],
)
def test_filter_path(patterns, expected):
    assert filtered(ANSWER, patterns.split(",")) == expected
