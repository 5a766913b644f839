"""SentinelOne Cloud Funnel 2.0: the agent's events, one flat object each, names with dots.

`src.process` is the process that acts, `tgt.*` what it acts upon; for the events of processes that is the process
which was created or ended. Names and meanings: SentinelOne's Deep Visibility schema. Fields follow Elastic's
integration `sentinel_one_cloud_funnel`.
"""

from __future__ import annotations

from typing import Any

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Kind, Row, register, rows
from tocsin.sources.products.product import Product, Shape, register_product

PROCESS, FILE, REGISTRY, NETWORK, DNS = "process", "file", "registry", "ip", "dns"
MODULE, LOGIN, URL, TASK, SCRIPT = "module", "logins", "url", "scheduled_task", "command_script"
CROSS, INDICATOR, THREAT = "cross_process", "indicators", "threat_intelligence_indicators"

KINDS = {
    PROCESS: Kind(("process",), ("info",)),
    FILE: Kind(("file",), ("info",)),
    REGISTRY: Kind(("registry",), ("info",)),
    NETWORK: Kind(("network",), ("info",)),
    DNS: Kind(("network",), ("info", "protocol"), "lookup_requested"),
    MODULE: Kind(("library",), ("start",), "load"),
    LOGIN: Kind(("authentication",), ("info",)),
    URL: Kind(("network", "web"), ("info", "access")),
    TASK: Kind(("configuration",), ("info",)),
    SCRIPT: Kind(("process",), ("info",)),
    CROSS: Kind(("process",), ("access",)),
    INDICATOR: Kind(("malware",), ("info",)),
    THREAT: Kind(("threat",), ("indicator",)),
}
# What an event's type means, without the blanks that some consoles write in it.
_TYPES: dict[str, Any] = {
    "ProcessCreation": ["start"],
    "ProcessExit": ["end"],
    "ProcessTermination": ["end"],
    "FileCreation": ["creation"],
    "FileDeletion": ["deletion"],
    "FileModification": ["change"],
    "FileRename": ["change"],
    "RegistryKeyCreate": ["creation"],
    "RegistryKeyDelete": ["deletion"],
    "RegistryKeyRename": ["change"],
    "RegistryKeySecurityChanged": ["change"],
    "RegistryValueCreate": ["creation", "change"],
    "RegistryValueDelete": ["deletion"],
    "RegistryValueModified": ["change"],
    "IPConnect": ["start", "connection"],
    "IPListen": ["start", "connection"],
    "Login": ["start"],
    "Logout": ["end"],
    "TaskRegister": ["creation"],
    "TaskUpdate": ["change"],
    "TaskDelete": ["deletion"],
    "TaskStart": ["start"],
}
_ACTIONS = {
    "ProcessCreation": "start",
    "ProcessExit": "end",
    "ProcessTermination": "end",
    "FileCreation": "creation",
    "FileDeletion": "deletion",
    "FileModification": "change",
    "FileRename": "rename",
    "RegistryKeyCreate": "creation",
    "RegistryKeyDelete": "deletion",
    "RegistryValueCreate": "creation",
    "RegistryValueDelete": "deletion",
    "RegistryValueModified": "modification",
}
_OTHERS = tuple(kind for kind in KINDS if kind != PROCESS)


def _of_type(table: dict[str, Any]) -> v.Converter:
    def read(value: str) -> Any:
        return table.get(value.replace(" ", ""))

    return read


def _process(source: str, target: str, events: tuple[str, ...]) -> tuple[Row, ...]:
    return (
        *rows(f"{source}.uid", f"{target}.entity_id", events=events),
        *rows(f"{source}.pid", (f"{target}.pid", v.number), events=events),
        *rows(f"{source}.name", f"{target}.name", events=events),
        *rows(f"{source}.displayName", f"{target}.title", events=events),
        *rows(f"{source}.image.path", f"{target}.executable", events=events),
        *rows(f"{source}.cmdline", *t.command_line(target), events=events),
        *rows(f"{source}.startTime", (f"{target}.start", v.epoch_milliseconds), events=events),
        *rows(f"{source}.image.md5", *t.digest(target, "md5"), events=events),
        *rows(f"{source}.image.sha1", *t.digest(target, "sha1"), events=events),
        *rows(f"{source}.image.sha256", *t.digest(target, "sha256"), events=events),
        *rows(f"{source}.user", f"{target}.user.name", ("related.user", v.account), events=events),
        *rows(f"{source}.publisher", f"{target}.code_signature.subject_name", events=events),
        *rows(f"{source}.signedStatus", (f"{target}.code_signature.exists", _is("signed")), events=events),
        *rows(f"{source}.verifiedStatus", (f"{target}.code_signature.trusted", _is("verified")), events=events),
        *rows(f"{source}.integrityLevel", (f"{target}.Ext.token.integrity_level_name", v.lowered), events=events),
    )


def _is(word: str) -> v.Converter:
    def read(value: str) -> bool:
        return value.lower() == word

    return read


def _question(request: str) -> str:
    """Return the name in a request, which is the name alone or `type: 1 name`."""
    words = request.split()
    return words[2] if len(words) == 3 and words[0] == "type:" else request


def _question_type(request: str) -> str | None:
    words = request.split()
    return v.RECORD_TYPES.get(words[1]) if len(words) == 3 and words[0] == "type:" else None


def _system(value: str) -> str | None:
    return value.lower() if value.lower() in ("windows", "linux", "macos") else None


ROWS = (
    *rows("event.time", ("@timestamp", v.epoch_milliseconds)),
    *rows("event.id", "event.id"),
    *rows("event.type", ("event.type", _of_type(_TYPES)), ("event.action", _of_type(_ACTIONS))),
    *rows("event.type", ("event.action", v.constant("connection_attempted")), events=(NETWORK,)),
    *rows(
        "event.network.direction",
        ("event.action", v.lookup({"OUTGOING": "connection_attempted", "INCOMING": "connection_accepted"})),
        ("network.direction", v.lookup({"OUTGOING": "egress", "INCOMING": "ingress"})),
        events=(NETWORK,),
    ),
    # ---- the endpoint
    *rows("agent.uuid", "host.id"),
    *rows("endpoint.name", "host.name", ("host.hostname", v.before_dot), "related.hosts"),
    *rows("endpoint.os", ("host.os.type", _system), "host.os.platform"),
    *rows("os.name", "host.os.name"),
    *rows("endpoint.type", "host.type"),
    *rows("group.id", "group.id"),
    # ---- processes
    *_process("src.process", "process.parent", (PROCESS,)),
    *_process("tgt.process", "process", (PROCESS,)),
    *_process("src.process", "process", _OTHERS),
    *_process("src.process.parent", "process.parent", _OTHERS),
    *rows("src.process.tid", ("process.thread.id", v.number), events=_OTHERS),
    # ---- the user: who acts, and before that whom the record is about
    *rows("src.process.user", ("user.domain", v.account_domain), ("user.name", v.account)),
    *rows("tgt.process.user", ("user.domain", v.account_domain), ("user.name", v.account), events=(PROCESS,)),
    *rows("event.login.userName", "user.name", "related.user", events=(LOGIN,)),
    *rows("event.login.accountDomain", "user.domain", events=(LOGIN,)),
    *rows("event.login.accountSid", "user.id", events=(LOGIN,)),
    *rows(
        "event.login.loginIsSuccessful",
        ("event.outcome", v.lookup({"true": "success", "false": "failure"})),
        events=(LOGIN,),
    ),
    *rows("event.login.type", "winlog.logon.type", events=(LOGIN,)),
    *rows(
        "src.endpoint.ip.address",
        ("source.ip", v.address),
        ("host.ip", v.listed(v.address)),
        ("related.ip", v.address),
        events=(LOGIN,),
    ),
    # ---- files and modules
    *rows("tgt.file.path", *t.file_path(), events=(FILE,)),
    *rows("tgt.file.size", ("file.size", v.number), events=(FILE,)),
    *rows("tgt.file.type", "file.type", events=(FILE,)),
    *rows("tgt.file.creationTime", ("file.created", v.epoch_milliseconds), events=(FILE,)),
    *rows("tgt.file.modificationTime", ("file.mtime", v.epoch_milliseconds), events=(FILE,)),
    *rows("tgt.file.md5", *t.digest("file", "md5"), events=(FILE,)),
    *rows("tgt.file.sha1", *t.digest("file", "sha1"), events=(FILE,)),
    *rows("tgt.file.sha256", *t.digest("file", "sha256"), events=(FILE,)),
    *rows("tgt.file.isSigned", ("file.code_signature.exists", _is("signed")), events=(FILE,)),
    *rows("tgt.file.oldPath", "file.Ext.original.path", ("file.Ext.original.name", v.base_name), events=(FILE,)),
    *rows("module.path", "dll.path", ("dll.name", v.base_name), events=(MODULE,)),
    *rows("module.md5", *t.digest("dll", "md5"), events=(MODULE,)),
    *rows("module.sha1", *t.digest("dll", "sha1"), events=(MODULE,)),
    # ---- the registry: a path ends in the value's name
    *rows(
        "registry.keyPath",
        "registry.path",
        ("registry.key", v.directory),
        ("registry.value", v.base_name),
        events=(REGISTRY,),
    ),
    *rows("registry.value", ("registry.data.strings", v.listed(v.text)), events=(REGISTRY,)),
    *rows("registry.valueType", ("registry.data.type", v.lookup(v.REGISTRY_TYPES)), events=(REGISTRY,)),
    # ---- the network
    *rows("src.ip.address", *t.address("source"), events=(NETWORK,)),
    *rows("src.port.number", ("source.port", v.number), events=(NETWORK,)),
    *rows("dst.ip.address", *t.address("destination"), events=(NETWORK,)),
    *rows("dst.port.number", ("destination.port", v.number), events=(NETWORK,)),
    *rows("event.network.protocolName", ("network.protocol", v.lowered), events=(NETWORK,)),
    *rows("meta.event.name", ("network.transport", v.transport), events=(NETWORK,)),
    *rows(
        "event.network.connectionStatus",
        ("event.outcome", v.lookup({"SUCCESS": "success", "FAILURE": "failure", "BLOCKED": "unknown"})),
        events=(NETWORK,),
    ),
    *rows(
        "event.dns.request", ("dns.question.name", _question), ("dns.question.type", _question_type), events=(DNS,)
    ),
    *rows(
        "event.dns.response",
        ("dns.resolved_ip", v.resolved_addresses),
        ("dns.answers.data", v.resolved_names),
        ("related.ip", v.resolved_addresses),
        events=(DNS,),
    ),
    *rows("event.url.action", ("http.request.method", v.text), events=(URL,)),
    *rows("url.address", "url.original", events=(URL,)),
)


def _kind(name: str, category: str) -> str | None:
    return category.lower() if name == "SentinelOne" else None


# Cloud Funnel's own names, of which each event has some.
_BESIDE = ("event.category", "event.type", "event.id", "meta.event.name", "agent.uuid", "endpoint.name")

SENTINEL_ONE = register_product(
    Product(
        register(
            Dataset(
                "sentinel_one_cloud_funnel.event",
                "sentinel_one_cloud_funnel",
                "logs-sentinel_one_cloud_funnel.event-default",
                KINDS,
                ROWS,
                kept="sentinel_one_cloud_funnel.event",
            )
        ),
        (Shape(("dataSource.name",), ("event.category",), _kind, beside=_BESIDE),),
    )
)
