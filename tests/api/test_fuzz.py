"""Whatever a client sends is answered in the API's form, and never with an error of the service's own."""

from __future__ import annotations

import pytest

from tests.api.conftest import run_service
from tests.conftest import PRINTED
from tests.fuzz import fuzz


@pytest.mark.slow
def test_hostile_requests_to_every_route_are_answered(tmp_path, record_property):
    with run_service(tmp_path, search_timeout=5) as running:
        report = fuzz(running, 1_000, seed=7)
    record_property(PRINTED, str(report))
    assert not report.faults, "\n\n".join(report.faults[:10])
