"""SentinelOne Cloud Funnel: flat records, names with dots."""

from __future__ import annotations

from typing import Any

from tests.sources.products.case import MD5, SHA1, SHA256, Case, Process, Record

AGENT = {
    "account.id": "1122334455667788990",
    "agent.uuid": "7c1fd0f2b6de4b0a8a4a5a2f1f7f6e11",
    "agent.version": "25.1.4.434",
    "dataSource.category": "security",
    "dataSource.name": "SentinelOne",
    "dataSource.vendor": "SentinelOne",
    "endpoint.name": "WS-0142",
    "endpoint.os": "windows",
    "endpoint.type": "laptop",
    "i.scheme": "edr",
    "mgmt.id": "1337",
    "os.name": "Windows 11 Pro",
    "site.name": "Head office",
}


def of(prefix: str, process: Process, uid: str, parent: Record | None = None) -> Record:
    """Return the values of a process under a prefix."""
    found = {
        f"{prefix}.uid": uid,
        f"{prefix}.pid": process.pid,
        f"{prefix}.name": process.name,
        f"{prefix}.displayName": "A program",
        f"{prefix}.image.path": process.image,
        f"{prefix}.image.md5": MD5,
        f"{prefix}.image.sha1": SHA1,
        f"{prefix}.image.sha256": SHA256,
        f"{prefix}.cmdline": process.command_line,
        f"{prefix}.user": f"{process.domain}\\{process.user}",
        f"{prefix}.startTime": process.milliseconds,
        f"{prefix}.publisher": "MICROSOFT WINDOWS",
        f"{prefix}.signedStatus": "signed",
        f"{prefix}.verifiedStatus": "verified",
        f"{prefix}.integrityLevel": "HIGH",
        f"{prefix}.isStorylineRoot": False,
        f"{prefix}.storyline.id": "F8C44B7A0C80D2E7",
    }
    return {**found, **(parent or {})}


SHELL = Process("C:\\Windows\\System32\\cmd.exe", '"C:\\Windows\\System32\\cmd.exe" /c run', pid=5120)
POWERSHELL = Process(
    "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    'powershell.exe -File "C:\\a b.ps1"',
    pid=4120,
)
ACTOR = of("src.process", POWERSHELL, "F59445BAF5BC03DA", of("src.process.parent", SHELL, "C19445BAF5BC03DA"))
_TIME = {"event.time": 1791278000123, "timestamp": "09:13:20.123"}
_HOST = {
    "@timestamp": "2026-10-06T09:13:20.123Z",
    "host.hostname": "WS-0142",
    "host.id": "7c1fd0f2b6de4b0a8a4a5a2f1f7f6e11",
    "host.os.type": "windows",
}
_ACTOR = {
    "process.name": "powershell.exe",
    "process.executable": POWERSHELL.image,
    "process.pid": 4120,
    "process.command_line": POWERSHELL.command_line,
    "process.args": ["powershell.exe", "-File", "C:\\a b.ps1"],
    "process.args_count": 3,
    "process.hash.md5": MD5,
    "process.hash.sha1": SHA1,
    "process.hash.sha256": SHA256,
    "process.parent.name": "cmd.exe",
    "process.parent.pid": 5120,
    "process.parent.command_line": SHELL.command_line,
    "process.parent.args": ["C:\\Windows\\System32\\cmd.exe", "/c", "run"],
    "process.entity_id": "F59445BAF5BC03DA",
    "process.parent.entity_id": "C19445BAF5BC03DA",
    "process.parent.executable": SHELL.image,
    "process.code_signature.exists": True,
    "process.code_signature.trusted": True,
    "process.code_signature.subject_name": "MICROSOFT WINDOWS",
    "user.name": "m.weber",
    "user.domain": "CORP",
}
_MORE = "the integration sets none, and the record holds it"
_ADDED: dict[str, tuple[Any, str]] = {
    "host.name": ("WS-0142", "the integration sets `host.hostname` alone, and rules and guides read this one"),
}


def event(category: str, kind: str, name: str, values: Record) -> Record:
    """Return a record of a category."""
    return {**AGENT, **_TIME, "event.category": category, "event.type": kind, "meta.event.name": name,
            "event.id": "01JG7N0Q_41", "trace.id": "01JG7N0Q", **values}  # fmt: skip


def process_started(process: Process) -> Record:
    """Render the start of a process."""
    parent = Process(process.parent, f'"{process.parent}"', pid=process.parent_pid)
    values = {
        "endpoint.name": process.host.partition(".")[0],
        "event.time": process.milliseconds,
        **of("tgt.process", process, "D0046CBAF5BC03DA"),
        **of("src.process", parent, "F59445BAF5BC03DA"),
        "process.unique.key": "D0046CBAF5BC03DA",
    }
    return event("process", "Process Creation", "PROCESSCREATION", values)


CASES = (
    Case(
        "process created",
        process_started(Process("C:\\Windows\\System32\\certutil.exe", 'certutil.exe -f "http://a b"')),
        {
            **{k: v for k, v in _HOST.items() if k != "@timestamp"},
            "@timestamp": "2026-10-06T09:12:44.123Z",
            "event.category": ["process"],
            "event.type": ["start"],
            "event.action": "start",  # a list of one, which Elasticsearch does not tell from its value
            "event.id": "01JG7N0Q_41",
            "process.entity_id": "D0046CBAF5BC03DA",
            "process.parent.entity_id": "F59445BAF5BC03DA",
            "process.pid": 7316,
            "process.name": "certutil.exe",
            "process.executable": "C:\\Windows\\System32\\certutil.exe",
            "process.command_line": 'certutil.exe -f "http://a b"',
            "process.args": ["certutil.exe", "-f", "http://a b"],
            "process.args_count": 3,
            "process.hash.md5": MD5,
            "process.hash.sha1": SHA1,
            "process.hash.sha256": SHA256,
            "process.start": "2026-10-06T09:12:44.123Z",
            "process.title": "A program",
            "process.user.name": "CORP\\m.weber",
            "process.parent.name": "cmd.exe",
            "process.parent.executable": "C:\\Windows\\System32\\cmd.exe",
            "process.parent.pid": 5120,
            "process.parent.command_line": '"C:\\Windows\\System32\\cmd.exe"',
            "process.parent.hash.sha256": SHA256,
            "user.name": "m.weber",
            "user.domain": "CORP",
            "process.parent.code_signature.exists": True,
            "process.parent.code_signature.trusted": True,
            "process.parent.code_signature.subject_name": "MICROSOFT WINDOWS",
        },
        {
            **_ADDED,
            "process.code_signature.exists": (True, "the integration puts the child's signature on its parent"),
            "process.code_signature.trusted": (True, "the integration puts the child's signature on its parent"),
            "process.code_signature.subject_name": (
                "MICROSOFT WINDOWS",
                "the integration puts the child's signature on its parent",
            ),
        },
    ),
    Case(
        "file created",
        event("file", "File Creation", "FILECREATION", {
            **ACTOR,
            "tgt.file.path": "C:\\Users\\m.weber\\payload.v1.dll",
            "tgt.file.size": 20480,
            "tgt.file.type": "PE",
            "tgt.file.extension": "dll",
            "tgt.file.sha1": SHA1,
            "tgt.file.md5": MD5,
            "tgt.file.sha256": SHA256,
            "tgt.file.creationTime": 1791278000120,
            "tgt.file.isSigned": "unsigned",
        }),
        {
            **_HOST,
            **_ACTOR,
            "event.category": ["file"],
            "event.type": ["creation"],
            "event.action": "creation",
            "file.path": "C:\\Users\\m.weber\\payload.v1.dll",
            "file.name": "payload.v1.dll",
            "file.directory": "C:\\Users\\m.weber",
            "file.extension": "dll",
            "file.size": 20480,
            "file.created": "2026-10-06T09:13:20.120Z",
            "file.hash.md5": MD5,
            "file.hash.sha1": SHA1,
            "file.hash.sha256": SHA256,
        },
        _ADDED,
    ),
    Case(
        "registry value created",
        event("registry", "Registry Value Create", "REGVALUECREATE", {
            **ACTOR,
            "registry.keyPath": "MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater",
            "registry.value": "C:\\Users\\Public\\u.exe",
            "registry.valueType": "SZ",
        }),
        {
            **_HOST,
            **_ACTOR,
            "event.category": ["registry"],
            "event.type": ["creation"],
            "event.action": "creation",
            "registry.path": "MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater",
            "registry.key": "MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run",
            "registry.value": "Updater",
            "registry.data.strings": ["C:\\Users\\Public\\u.exe"],
            "registry.data.type": "SZ",
        },
        {
            **_ADDED,
            "event.type": (
                ["creation", "change"],
                "rules on the registry ask for changes, which a new value is where other sensors record it",
            ),
            "registry.data.type": ("REG_SZ", "Windows' own name, as from every source"),
        },
    ),
    Case(
        "connection out",
        event("ip", "IP Connect", "TCPV4", {
            **ACTOR,
            "src.ip.address": "10.1.2.3",
            "src.port.number": 50112,
            "dst.ip.address": "203.0.113.9",
            "dst.port.number": 443,
            "event.network.direction": "OUTGOING",
            "event.network.protocolName": "https",
            "event.network.connectionStatus": "SUCCESS",
        }),
        {
            **_HOST,
            **_ACTOR,
            "event.category": ["network"],
            "event.type": ["start", "connection"],
            "event.action": "connection_attempted",
            "event.outcome": "success",
            "source.ip": "10.1.2.3",
            "source.port": 50112,
            "destination.ip": "203.0.113.9",
            "destination.address": "203.0.113.9",
            "destination.port": 443,
            "network.direction": "egress",
            "network.protocol": "https",
        },
        {
            **_ADDED,
            "network.transport": ("tcp", "the integration sets none, and rules read it"),
        },
    ),
    Case(
        "name resolved",
        event("dns", "DNS Resolved", "DNS", {
            **ACTOR,
            "event.dns.request": "type: 1 cdn.example.com",
            "event.dns.response": "type:  5 edge.example.net;::ffff:203.0.113.9;203.0.113.10;",
        }),
        {
            **_HOST,
            **_ACTOR,
            "event.category": ["network"],
            "event.type": ["info", "protocol"],
            "event.action": "lookup_requested",
            "dns.question.name": "cdn.example.com",
            "dns.question.type": "A",
            "dns.resolved_ip": ["203.0.113.9", "203.0.113.10"],
            "dns.answers.data": ["edge.example.net"],
        },
        _ADDED,
    ),
    Case(
        "module loaded",
        event("module", "Module Load", "MODULELOAD", {
            **ACTOR, "module.path": "C:\\Windows\\System32\\amsi.dll", "module.sha1": SHA1, "module.md5": MD5,
        }),
        {**_HOST, **_ACTOR},
        {
            **_ADDED,
            "event.category": (["library"], "the integration sets none, and rules on libraries need it"),
            "event.type": (["start"], "the integration sets none"),
            "dll.path": ("C:\\Windows\\System32\\amsi.dll", "the integration sets none, and rules read it"),
            "dll.name": ("amsi.dll", "the integration sets none, and rules read it"),
            "dll.hash.sha1": (SHA1, "the integration sets none"),
        },
    ),
    Case(
        "logged in",
        event("logins", "Login", "WINLOGONATTEMPT", {
            "event.login.loginIsSuccessful": True,
            "event.login.type": "NETWORK",
            "event.login.userName": "a.ruiz",
            "event.login.accountDomain": "CORP",
            "event.login.accountSid": "S-1-5-21-1004336348-1177238915-682003330-1107",
            "src.endpoint.ip.address": "10.1.2.77",
            "src.process.user": "NT AUTHORITY\\SYSTEM",
        }),
        {
            **_HOST,
            "event.category": ["authentication"],
            "event.type": ["start"],
            "user.name": "a.ruiz",
            "user.domain": "NT AUTHORITY",
            "host.ip": ["10.1.2.77"],
        },
        {
            **_ADDED,
            "user.domain": ("CORP", "the integration leaves out the domain of the account that acts"),
            "user.id": ("S-1-5-21-1004336348-1177238915-682003330-1107", _MORE),
            "event.outcome": ("success", _MORE),
            "source.ip": ("10.1.2.77", "the integration sets none, and rules on logons read it"),
        },
    ),
)  # fmt: skip
