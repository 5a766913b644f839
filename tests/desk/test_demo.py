"""A demonstration that begins again on the same data: `make run` can be repeated."""

from __future__ import annotations

from tests.waiting import eventually
from tocsin.api.demo import Demo
from tocsin.desk.once_links import OnceLinks


def test_a_demonstration_can_be_repeated(desk):
    said: list[str] = []
    Demo(lambda document: None, OnceLinks().make).start(desk.running.service, desk.url, said.append)
    eventually(lambda: any("/login/once/" in text or "failed" in text for text in said))
    assert not [text for text in said if "failed" in text]
