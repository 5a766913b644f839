"""Handlers get the parts of the service that they use as dependencies, and reach for nothing else."""

from __future__ import annotations

from pathlib import Path

import tocsin.api

API = Path(tocsin.api.__file__).parent
# Where the service is put into the application, and where it is taken out again.
SERVICE_IN_STATE = {"app.py", "dependencies.py"}


def test_the_service_is_read_from_the_application_in_one_place() -> None:
    readers = {
        path.relative_to(API).as_posix()
        for path in API.rglob("*.py")
        if "state.service" in path.read_text("utf-8")
    }
    assert readers == SERVICE_IN_STATE
