"""Whatever a client sends that the OpenAPI describes, or nearly: no answer is an error of the service's own.

A status that a route describes is none of these: Kibana answers an action on many rules with 500 where it failed
for some of them.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

pytestmark = pytest.mark.slow


@schemathesis.serializer("application/x-ndjson")
def lines(_context, text):
    """Send a text as it is, or as a line of a bulk request, or within a document."""
    raw = str(text).encode("utf-8", "replace")
    action = b'{"create":{"_index":"logs-any-default"}}\n'
    document = orjson.dumps({"@timestamp": "2026-11-20T12:00:00Z", str(text)[:20] or "x": str(text)})
    return (raw, action + raw + b"\n", action + document + b"\n", b"{}\n" + raw + b"\n")[len(raw) % 4]


def _wrong(operation):
    """Return requests that break the description, where it can be broken."""
    strategy = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return strategy if operation.body or operation.query else operation.as_strategy()


@schemathesis.check
def no_error_of_its_own(context, response, case):
    """Fail for an answer of 5xx that the operation does not describe."""
    if str(response.status_code) not in case.operation.definition.raw["responses"]:
        return not_a_server_error(context, response, case)
    return None


def test_no_errors_of_the_services_own(running):
    headers = {"Authorization": f"ApiKey {running.add_key('admin', 'ingest', 'read')}"}
    schema = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    operations: list[Any] = [found.ok() for found in cast("Any", schema.get_all_operations())]
    assert len(operations) > 60
    for operation in operations:

        @settings(
            max_examples=30,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy() | _wrong(operation))
        def check(case):
            case.call_and_validate(checks=[no_error_of_its_own], headers=headers)

        check()
