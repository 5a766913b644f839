"""A running service: the real application, served over real HTTP, with users and keys."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from elasticsearch import Elasticsearch
from fastapi import FastAPI

from tests.api.described import AnswerCheck
from tests.waiting import eventually
from tocsin.api.app import create_app
from tocsin.api.run import server_settings
from tocsin.api.service import Service, open_service
from tocsin.config import Config
from tocsin.store.records import access
from tocsin.store.records.access import local_actor

_NUMBERS = itertools.count()
PASSWORD = "correct horse battery"


@dataclass
class Running:
    """A service that runs, and ways to talk to it."""

    service: Service
    url: str
    key: str

    def client(self, **options) -> Elasticsearch:
        return Elasticsearch(self.url, **{"api_key": self.key, "request_timeout": 60, **options})

    def http(self, key: str | None = None, **options) -> httpx.Client:
        headers = {"Authorization": f"ApiKey {key or self.key}"} if key != "" else {}
        headers |= options.pop("headers", {})
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60, **options)

    def add_key(self, *scopes: str) -> str:
        with self.service.records.transaction() as session:
            name = f"{'-'.join(scopes)} {next(_NUMBERS)}"
            return access.add_key(session, local_actor("tests"), name, scopes).encoded


@contextmanager
def run_service(
    folder: Path, *, make_app: Callable[[Service], FastAPI] = create_app, **settings
) -> Iterator[Running]:
    """Serve a data folder. Fails at the end when an answer was not as `/openapi.json` says of its route."""
    service = open_service(Config(data=folder, **{"port": 0, "connector_networks": ("127.0.0.0/8",), **settings}))
    settings_of_server = server_settings(service)
    check = AnswerCheck(make_app(service))
    settings_of_server.app = check
    server = uvicorn.Server(settings_of_server)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with service.records.transaction() as session:
            access.set_password(session, local_actor("tests"), "admin", PASSWORD)
            for role in ("viewer", "analyst", "engineer"):
                with suppress(access.AccessError):  # it is there when a service runs on the same folder again
                    access.add_user(session, local_actor("tests"), role, role, PASSWORD)
        running = Running(service, f"{'https' if service.config.tls else 'http'}://127.0.0.1:{port}", "")
        running.key = running.add_key("ingest", "read")
        yield running
    finally:
        server.should_exit = True
        thread.join()
        service.close()
    assert not check.misfits, "\n\n".join(check.misfits[:10])


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_service(tmp_path_factory.mktemp("service")) as started:
        yield started
