"""A host that runs osquery, as far as its server sees it: written from the protocol's documentation.

Sources: osquery/osquery docs/wiki/deployment/remote.md, osquery/distributed/distributed.cpp,
osquery/carver/carver.cpp and docs/wiki/deployment/logging.md. It answers out of SQLite tables shaped like
osquery's (specs/windows of osquery/osquery); all their values are texts, as osquery serialises them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import sqlite3
import ssl
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

API = "/api/v1/osquery"
SYSTEM32 = "C:\\Windows\\System32\\"
BEACON = "C:\\ProgramData\\updater\\svchosts.exe"
TABLES: Mapping[str, tuple[str, tuple[tuple[Any, ...], ...]]] = {
    "services": (
        "name, service_type, display_name, status, pid, start_type, win32_exit_code, service_exit_code, path, "
        "module_path, description, user_account",
        (
            ("Dnscache", "SHARE_PROCESS", "DNS Client", "RUNNING", "1520", "AUTO_START", "0", "0",
             f"{SYSTEM32}svchost.exe", f"{SYSTEM32}dnsrslvr.dll", "Caches names", "NT AUTHORITY\\NetworkService"),
            ("Spooler", "OWN_PROCESS", "Print Spooler", "RUNNING", "2210", "AUTO_START", "0", "0",
             f"{SYSTEM32}spoolsv.exe", "", "Prints", "LocalSystem"),
            ("UpdaterSvc", "OWN_PROCESS", "Updater", "RUNNING", "4711", "AUTO_START", "0", "0",
             BEACON, "", "Updates", "CORP\\svc-deploy"),
            ("KernelDriver", "KERNEL_DRIVER", "Driver", "RUNNING", "0", "BOOT_START", "0", "0",
             f"{SYSTEM32}drivers\\x.sys", "", "", None),
        ),
    ),
    "authenticode": (
        "path, original_program_name, serial_number, issuer_name, subject_name, result",
        (
            (f"{SYSTEM32}svchost.exe", "svchost.exe", "33", "Microsoft", "Microsoft Windows", "trusted"),
            (f"{SYSTEM32}spoolsv.exe", "spoolsv.exe", "33", "Microsoft", "Microsoft Windows", "trusted"),
            (BEACON, "", "", "", "", "missing"),
        ),
    ),
    "hash": (
        "path, directory, md5, sha1, sha256",
        tuple(
            (path, path.rpartition("\\")[0], *(hashlib.new(kind, path.encode()).hexdigest()
             for kind in ("md5", "sha1", "sha256")))
            for path in (f"{SYSTEM32}svchost.exe", f"{SYSTEM32}spoolsv.exe", BEACON)
        ),
    ),
    "dns_cache": (
        "name, type, flags",
        (("example.com", "A", "0"), ("files.bad.example", "A", "0"), ("wpad", "A", "8192")),
    ),
    "users": (
        "uid, gid, uid_signed, gid_signed, username, description, directory, shell, uuid, type",
        (
            ("500", "544", "500", "544", "Administrator", "", "C:\\Users\\Administrator", "", "S-1-5-21-1-500",
             "local"),
        ),
    ),
}  # fmt: skip


class OsqueryHost:
    """A host: enrols, polls, answers. `version` is that of its osquery, which decides how it writes statuses."""

    def __init__(
        self, address: str, secret: str, *, authority: Path | None = None, name: str = "WS-7.corp.example",
        hardware: str | None = None, version: str = "5.12.1", platform: str = "windows", compress: bool = False,
    ) -> None:  # fmt: skip
        verify = ssl.create_default_context(cafile=str(authority)) if authority else True
        self.http = httpx.Client(
            base_url=address, verify=verify, trust_env=False, timeout=60,
            headers={"User-Agent": f"osquery/{version}", "Content-Type": "application/json"},
        )  # fmt: skip
        self.secret, self.name, self.version, self.platform = secret, name, version, platform
        self.hardware = hardware or str(uuid.uuid4())
        self.node_key = ""
        self.compress = compress
        self.tables = sqlite3.connect(":memory:", check_same_thread=False)
        self.tables.row_factory = sqlite3.Row
        self.tables.create_function("concat", -1, lambda *values: "".join(str(v) for v in values if v is not None))
        for table, (columns, rows) in TABLES.items():
            self.tables.execute(f"CREATE TABLE {table} ({columns})")
            marks = ", ".join("?" * len(columns.split(",")))
            self.tables.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def close(self) -> None:
        self.http.close()
        self.tables.close()

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request of osquery's; what it gets back, with status 200 alone."""
        body = json.dumps(document).encode()
        headers = {"Content-Encoding": "gzip"} if self.compress else {}
        answer = self.http.post(
            f"{API}/{path}", content=gzip.compress(body) if self.compress else body, headers=headers
        )
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    def enroll(self) -> dict[str, Any]:
        """Enrol, and keep the key."""
        answer = self.post(
            "enroll",
            {
                "enroll_secret": self.secret, "host_identifier": self.hardware, "platform_type": "2",
                "host_details": {
                    "os_version": {
                        "name": "Microsoft Windows 11", "version": "10.0.22631", "platform": self.platform,
                    },
                    "osquery_info": {"version": self.version, "uuid": self.hardware},
                    "system_info": {"hostname": self.name, "uuid": self.hardware, "computer_name": self.name},
                    "platform_info": {"vendor": "Example"},
                },
            },
        )  # fmt: skip
        self.node_key = answer.get("node_key", "")
        return answer

    def config(self) -> dict[str, Any]:
        return self.post("config", {"node_key": self.node_key})

    def log(self, log_type: str, data: list[Any]) -> dict[str, Any]:
        return self.post("log", {"node_key": self.node_key, "log_type": log_type, "data": data})

    def read(self) -> dict[str, Any]:
        return self.post("distributed/read", {"node_key": self.node_key})

    def write(self, queries: Mapping[str, Any], statuses: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        document = {"queries": queries, "statuses": statuses, **more, "node_key": self.node_key}
        return self.post("distributed/write", document)

    def answers(self, queries: Mapping[str, str]) -> dict[str, Any]:
        """What osquery would answer to queries: rows whose values are texts, and SQLite's status."""
        rows: dict[str, Any] = {}
        statuses: dict[str, Any] = {}
        messages: dict[str, str] = {}
        for id_, sql in queries.items():
            try:
                rows[id_] = [
                    {name: "" if row[name] is None else str(row[name]) for name in row.keys()}  # noqa: SIM118
                    for row in self.tables.execute(sql)
                ]
                status = 0
            except sqlite3.Error as error:
                rows[id_], status, messages[id_] = [], 1, str(error)
            statuses[id_] = str(status) if self.version.startswith(("2.", "3.")) else status
        return {"queries": rows, "statuses": statuses, "messages": messages}

    def poll(self) -> list[str]:
        """Ask for queries once, and answer them; their ids."""
        queries = self.read().get("queries", {})
        if queries:
            self.write(**self.answers(queries))
        return list(queries)

    def carve(self, request_id: str, data: bytes, *, block: int = 1000, order: Any = None) -> None:
        """Send an archive in blocks."""
        count = -(-len(data) // block)
        begun = self.post(
            "carve/begin",
            {
                "block_count": str(count), "block_size": str(block), "carve_size": str(len(data)),
                "carve_id": str(uuid.uuid4()), "request_id": request_id, "node_key": self.node_key,
            },
        )  # fmt: skip
        for number in order or range(count):
            part = base64.b64encode(data[number * block : (number + 1) * block]).decode()
            self.post(
                "carve/block",
                {"block_id": number, "session_id": begun["session_id"], "request_id": request_id, "data": part},
            )
