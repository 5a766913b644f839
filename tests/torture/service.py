"""A `tocsin serve` that is killed, or dies where it is told, and is started again."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

INDICES = 5
INTERVAL = 5 * 10**9  # nanoseconds, of every rule
_ANSWERS = 20  # seconds


class Service:
    """A service on a data folder, with `rules` enabled; `url` is that of its records."""

    def __init__(self, data: Path, rules: Sequence[Mapping[str, Any]], database: str = "", *, tls: bool) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data, self.offset, self.death = data, data.with_name("offset"), data.with_name("death")
        self.url = database or f"sqlite:///{data}/records.db"
        self.context = _certificate(data.parent) if tls else None
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.set_clock(0)
        drop = data.with_name("drop")  # where `look` watches too
        drop.mkdir()
        (drop / "dropped.ndjson").write_text('{"@timestamp":"2026-01-01T00:00:00Z","message":"dropped"}\n')
        self.environment = {
            **os.environ,
            "TOCSIN_DATA": str(data),
            **({"TOCSIN_DATABASE_URL": database} if database else {}),
            "TOCSIN_FLUSH_AFTER": "0.3",  # so that commits are under way at most moments
            "TOCSIN_LOG_LEVEL": "warning",
            "TOCSIN_WATCH": str(drop),
        }
        made = self._run("keys", "add", "torture", "--scope", "admin")
        self.key = made.split("encoded: ")[1].strip()
        file = data.with_name("rules.ndjson")
        file.write_bytes(b"".join(orjson.dumps(rule) + b"\n" for rule in rules))
        self._run("rules", "import", str(file))

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tocsin", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def set_clock(self, seconds: int) -> None:
        """Let the system clock be off by so much."""
        _replace(self.offset, str(seconds))

    def ask(self, method: str, path: str, body: object, content_type: str = "application/json") -> tuple[int, Any]:
        """Return the status and the JSON of an answer. Raises OSError or HTTPException when there is none."""
        if self.context is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWERS)
        else:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=_ANSWERS, context=self.context
            )
        headers = {"Authorization": f"ApiKey {self.key}", "Content-Type": content_type, "kbn-xsrf": "torture"}
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            content = answer.read()
        try:
            return answer.status, orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise http.client.HTTPException(f"an answer that was cut off: {error}") from None

    def begin(self) -> None:
        """Have it keep a file of each kind: mappings, a connector with secrets, a rejected document."""
        properties = {"user": {"properties": {"name": {"type": "keyword"}}}, "n": {"type": "long"}}
        for number in range(INDICES):
            self._have("PUT", f"/logs-{number}-default", {"mappings": {"properties": properties}})
        secret = {"user": "torture", "password": "a secret that is kept"}
        connector = {"name": "torture", "connector_type_id": ".webhook", "secrets": secret}
        config = {"url": "https://example.com/", "method": "post", "hasAuth": True}
        self._have("POST", "/api/actions/connector", {**connector, "config": config})
        rejected = b'{"create":{"_index":"logs-0-default"}}\n{"@timestamp":"no time","n":"no number"}\n'
        self._have("POST", "/_bulk", rejected)

    def _have(self, method: str, path: str, body: object) -> None:
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        status, answer = self.ask(method, path, body, kind)
        assert status == 200, f"{method} {path}: {answer}"

    def start(self) -> None:
        """Start it; it has to get ready by itself."""
        self.death.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.torture.process", str(self.data.parent), "serve", "--port", "0"]
        if self.context is not None:
            folder = self.data.parent
            command += ["--tls-certificate", f"{folder}/certificate.pem", "--tls-key", f"{folder}/key.pem"]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        told = []
        for line in self.process.stderr:
            told.append(line)
            found = re.search(r"on https?://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise AssertionError(f"the service did not start: {''.join(told)}")

    def die_at(self, moment: str, patience: float) -> bool:
        """Have it die where `DEATHS` says; tell whether it has come there. It is killed when it has not."""
        assert self.process is not None
        _replace(self.death, moment)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self.port = 0
        assert self.process.returncode == -signal.SIGKILL, f"the service ended with {self.process.returncode}"
        return True

    def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.port = 0
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it, as a system does that shuts down."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        ended = self.process.wait(60)
        self.port = 0
        assert ended == 0, f"the service ended with {ended}"

    def is_ordering(self) -> bool:
        """Tell whether a slice of a table is being put together."""
        try:
            with (self.data / "ordering.lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def until_ordering(self, seconds: float) -> bool:
        """Wait until a slice is being put together; tell whether it has come to that."""
        end = time.monotonic() + seconds
        while not self.is_ordering():
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def until_ordered(self, seconds: float = 60.0) -> None:
        """Wait until the process that puts slices together has ended behind its service, with all it was told."""
        end = time.monotonic() + seconds
        while list(self._ordering()):
            assert time.monotonic() < end, "the process that puts slices together does not end"
            time.sleep(0.02)

    def kill_ordering(self) -> bool:
        """Kill the process that puts slices together; tell whether there was one."""
        found = list(self._ordering())
        for process in found:
            os.kill(process, signal.SIGKILL)
        return bool(found)

    def _ordering(self) -> Iterator[int]:
        wanted = [b"tocsin.store.lake.tables.ordering", str(self.data / "ordering.lock").encode()]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended
                if path.read_bytes().split(b"\0")[2:4] == wanted:
                    yield int(path.parent.name)


def _replace(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)


def _certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate of this machine, and return what trusts it."""
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", private, "-out", certificate,
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return ssl.create_default_context(cafile=str(certificate))
