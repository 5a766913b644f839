"""A demonstration that begins again on the same data: `make run` can be repeated."""

from __future__ import annotations

from tests.api.conftest import run_service
from tests.waiting import eventually
from tocsin.api.demo import Demo
from tocsin.desk.access.once_links import OnceLinks
from tocsin.desk.app import create_app_with_desk


def test_a_demonstration_can_be_repeated(tmp_path):
    links = OnceLinks()
    with run_service(tmp_path, make_app=lambda service: create_app_with_desk(service, links)) as running:
        for _ in range(2):
            assert "failed" not in _said(running, links)


def _said(running, links) -> str:
    """Return what a demonstration says up to its end."""
    said: list[str] = []
    Demo(lambda document: None, links.make).start(running.service, running.url, said.append)
    eventually(lambda: any("/login/once/" in text or "failed" in text for text in said))
    return "\n".join(said)
