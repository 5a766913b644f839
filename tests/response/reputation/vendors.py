"""Servers that speak the interfaces of services that judge observables, as their documentation describes these.

VirusTotal: docs.virustotal.com/reference (`files`, `domains`, `ip_addresses`, `urls`, `errors`). Hybrid Analysis:
hybrid-analysis.com/docs/api/v2 (`GET /search/hash`, `POST /search/terms`). AbuseIPDB: docs.abuseipdb.com.
"""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "k" * 64
BAD_HASH, GOOD_HASH, DOUBTFUL_HASH = "ab" * 32, "cd" * 32, "ef" * 32
BAD_DOMAIN, BAD_ADDRESS, BAD_URL = "bad.evil-domain.com", "185.220.101.7", "http://bad.evil-domain.com/a?b=1"


@dataclass
class Reply:
    """What a server answers."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    wait: threading.Event | None = None  # it answers when this is set


@dataclass
class Vendor:
    """A running server; `reply` replaces what it answers, `asked` are the requests that came."""

    url: str
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    reply: Reply | None = None


@contextmanager
def vendor(answer: Callable[[str, str, dict[str, str], str], Reply]) -> Iterator[Vendor]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            running.asked.append((self.command, self.path, headers, body))
            reply = running.reply or answer(self.command, self.path, headers, body)
            if reply.wait is not None:
                reply.wait.wait(30)
            sent = json.dumps(reply.document).encode() if reply.body is None else reply.body
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Vendor(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()


def virustotal(method: str, path: str, headers: dict[str, str], body: str) -> Reply:
    """Answer as VirusTotal's API v3."""
    if headers.get("x-apikey") != KEY:
        return Reply(401, {"error": {"code": "WrongCredentialsError", "message": "Wrong API key"}})
    _, collection, id_ = urlsplit(path).path.split("/", 2)
    value = urlsafe_b64decode(id_ + "==").decode() if collection == "urls" else unquote(id_)
    malicious = {BAD_HASH: 41, BAD_DOMAIN: 9, BAD_ADDRESS: 4, BAD_URL: 7, DOUBTFUL_HASH: 1, GOOD_HASH: 0}
    if collection not in ("files", "domains", "ip_addresses", "urls") or value not in malicious:
        return Reply(404, {"error": {"code": "NotFoundError", "message": f'"{value}" not found'}})
    count = malicious[value]
    stats = {
        "malicious": count, "suspicious": 0, "undetected": 60 - count, "harmless": 10, "timeout": 0,
        "confirmed-timeout": 0, "failure": 0, "type-unsupported": 3,
    }  # fmt: skip
    kind = {"files": "file", "domains": "domain", "ip_addresses": "ip_address", "urls": "url"}[collection]
    attributes = {"last_analysis_stats": stats, "last_analysis_date": 1790000000, "reputation": -3}
    return Reply(200, {"data": {"id": id_, "type": kind, "attributes": attributes}})


def hybrid_analysis(method: str, path: str, headers: dict[str, str], body: str) -> Reply:
    """Answer as Hybrid Analysis' API v2."""
    if headers.get("api-key") != KEY or headers.get("user-agent") != "Falcon Sandbox":
        return Reply(403, {"message": "Failed to authenticate"})
    address = urlsplit(path)
    reports = [
        {"verdict": "malicious", "threat_score": 100, "threat_level": 2, "sha256": BAD_HASH},
        {"verdict": "no specific threat", "threat_score": None, "threat_level": 0, "sha256": BAD_HASH},
    ]
    if (method, address.path) == ("GET", "/search/hash"):
        [value] = parse_qs(address.query)["hash"]
        there = value == BAD_HASH
        return Reply(200, {"sha256s": [value] if there else [], "reports": reports if there else []})
    if (method, address.path) == ("POST", "/search/terms"):
        [(term, [value])] = parse_qs(body).items()
        there = (term, value) in (("domain", BAD_DOMAIN), ("host", BAD_ADDRESS), ("url", BAD_URL))
        result = reports if there else []
        terms = [{"id": term, "value": value}]
        return Reply(200, {"search_terms": terms, "count": len(result), "result": result})
    return Reply(404, {"message": "Not found"})


def abuseipdb(method: str, path: str, headers: dict[str, str], body: str) -> Reply:
    """Answer as AbuseIPDB's API v2."""
    if headers.get("key") != KEY:
        return Reply(401, {"errors": [{"detail": "Authentication failed.", "status": 401}]})
    address = urlsplit(path)
    [value] = parse_qs(address.query)["ipAddress"]
    score = {BAD_ADDRESS: 100, "8.8.4.4": 40}.get(value, 0)
    data = {
        "ipAddress": value, "isPublic": True, "ipVersion": 4, "isWhitelisted": value == "8.8.8.8" or None,
        "abuseConfidenceScore": score, "countryCode": "DE", "usageType": "Data Center/Web Hosting/Transit",
        "isp": "x", "domain": "x.org", "hostnames": [], "isTor": False, "totalReports": score * 3,
        "numDistinctUsers": 1, "lastReportedAt": "2026-11-20T20:11:19+00:00",
    }  # fmt: skip
    return Reply(200, {"data": data}) if address.path == "/check" else Reply(404, {"errors": []})
