"""A desk whose events, rule and guide attack whoever looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tests.api.conftest import run_service
from tests.desk.conftest import Desk
from tests.waiting import eventually
from tocsin.desk.app import create_app_with_desk

BIDI = "\u202egpj.exe\u2066"
OWNED = "document.title='owned'"
SCRIPT = f"<script>{OWNED}</script><img src=x onerror={OWNED}>"
EVENT: dict[str, Any] = {
    "event": {
        "category": ["process"], "type": ["start"], "action": SCRIPT, "kind": "event", "code": "1", "dataset": "a",
    },
    "host": {"name": f"host {SCRIPT}", "id": "h1", "os": {"type": "windows", "family": "windows"}},
    "user": {"name": f'"><b>{SCRIPT}{BIDI}', "domain": "javascript:alert(1)", "id": "S-1-5-21-1"},
    "process": {
        "name": "bad.exe", "pid": 7, "entity_id": "{e1}", "args": ["bad.exe", SCRIPT],
        "executable": f"C:\\{BIDI}\\{SCRIPT}\\{'p' * 300}",
        "command_line": f"bad.exe {SCRIPT} {BIDI}\x07\x1b[31m javascript:{OWNED} "
        f"https://evil.example/a.txt?<b>' {'A' * 8192}",
        "hash": {"sha256": "a" * 64, "md5": SCRIPT},
        "parent": {
            "name": f"{SCRIPT}.exe", "pid": 5, "entity_id": "{e0}", "command_line": f"{BIDI}{SCRIPT}",
            "executable": SCRIPT,
        },
        "code_signature": {"subject_name": SCRIPT, "status": BIDI, "trusted": False, "exists": True},
    },
    "file": {"name": f"{SCRIPT}{BIDI}", "path": f"C:\\{SCRIPT}", "extension": f"javascript:{OWNED}"},
    "url": {"full": f"javascript:{OWNED}", "original": f"data:text/html,{SCRIPT}", "domain": "evil.example"},
    "registry": {"path": f"HKLM\\{SCRIPT}{BIDI}", "value": SCRIPT},
    "dns": {"question": {"name": f"{SCRIPT}.example.com"}},
    "source": {"ip": "203.0.113.7"},
    "destination": {"ip": "198.51.100.9", "domain": f"{BIDI}.example.com", "port": 443},
    "message": f"{SCRIPT}{BIDI}",
    "tags": [SCRIPT],
}  # fmt: skip
NOTE = f"""## Triage {SCRIPT}

- [click](javascript:{OWNED}) <a href="javascript:{OWNED}" onclick="{OWNED}">me</a> ![x](javascript:{OWNED})
- <svg onload={OWNED}><iframe src="https://evil.example"></iframe><style>*{{display:none}}</style>
- <form action="https://evil.example"><button>Log in</button></form> {BIDI}

!{{investigate{{"label":"{SCRIPT}","providers":[[{{"excluded":false,"field":"process.name","queryType":"phrase",\
"value":"bad.exe","valueType":"string"}}]]}}}}
!{{osquery{{"label":"<img src=x onerror={OWNED}>","query":"SELECT '<script>' FROM processes"}}}}
""".replace("\\\n", "")
RULE = {
    "rule_id": "hostile", "name": f"Bad {SCRIPT}{BIDI}", "description": f"{SCRIPT}{BIDI}", "note": NOTE,
    "setup": NOTE, "type": "eql", "language": "eql", "query": 'process where process.name == "bad.exe"',
    "index": ["logs-*"], "interval": "5m", "from": "now-9m", "risk_score": 99, "severity": "critical",
    "enabled": True, "tags": [SCRIPT, f"Tactic: {BIDI}"], "author": [SCRIPT], "license": SCRIPT,
    "false_positives": [SCRIPT, BIDI],
    "references": [
        f"javascript:{OWNED}", f"https://evil.example/{SCRIPT}", f"data:text/html,{SCRIPT}",
    ],
    "threat": [{
        "framework": "MITRE ATT&CK",
        "tactic": {"id": "TA0011", "name": SCRIPT, "reference": f"javascript:{OWNED}"},
        "technique": [
            {"id": "T1105", "name": f"{SCRIPT}{BIDI}", "reference": f"javascript:{OWNED}", "subtechnique": []},
        ],
    }],
    "meta": {"from": SCRIPT},
}  # fmt: skip


@contextmanager
def run_hostile_desk(folder: Path) -> Iterator[Desk]:
    """Serve a desk whose one rule was imported, and has raised an alert."""
    with run_service(folder, make_app=create_app_with_desk) as running:
        with running.http(running.add_key("admin")) as http:
            upload = {"file": ("rules.ndjson", orjson.dumps(RULE), "application/x-ndjson")}
            imported = http.post("/api/detection_engine/rules/_import", files=upload).json()
            assert imported["success"], imported
            sent = http.post("/_bulk", content=_lines(), headers={"Content-Type": "application/x-ndjson"}).json()
            assert not sent["errors"], sent
            http.post("/api/detection_engine/rules/_bulk_action", json={"action": "run"}).raise_for_status()
            search = "/api/detection_engine/signals/search"
            hits = eventually(lambda: http.post(search, json={"size": 10}).json()["hits"]["hits"])
        yield Desk(running, [hit["_source"] for hit in hits], "")


def _lines() -> bytes:
    """Return the event, and further ones of its process, as a bulk request."""
    now = datetime.now(UTC)
    events = [EVENT]
    for category, kind in (("network", "start"), ("file", "creation"), ("registry", "change"), ("dns", "start")):
        events.append({**EVENT, "event": {**EVENT["event"], "category": [category], "type": [kind]}})
    lines: list[dict[str, Any]] = []
    for number, event in enumerate(events):
        moment = (now - timedelta(seconds=30 - number)).isoformat()
        lines += [{"create": {"_index": "logs-hostile-default"}}, {"@timestamp": moment, **event}]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)
