"""Whatever a client sends is answered in the API's form, and never with an error of the service's own."""

from __future__ import annotations

import pytest

from tests.api.conftest import run_service
from tests.conftest import PRINTED
from tests.fuzz import fuzz, routes_of
from tocsin.api.app import create_app


@pytest.mark.slow
def test_hostile_requests_to_every_route_are_answered(tmp_path, record_property):
    with run_service(tmp_path, search_timeout=5) as running:
        report = fuzz(running, 1_000, seed=7)
    record_property(PRINTED, str(report))
    assert not report.faults, "\n\n".join(report.faults[:10])


def test_addresses_that_no_document_names_are_among_those_that_are_tried(tmp_path):
    with run_service(tmp_path) as running:
        app = create_app(running.service)
    found, documented = dict(routes_of(app)), app.openapi()["paths"]
    for path in ("/internal/security/login", "/s/default/internal/security/login", "/s/default/logout"):
        assert path in found
        assert path not in documented
    assert found["/api/detection_engine/rules"] == found["/s/default/api/detection_engine/rules"]
    assert set(documented) <= {path.replace(":path}", "}") for path in found}
