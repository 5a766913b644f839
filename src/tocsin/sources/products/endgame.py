"""Elastic Endgame: the sensor's own events, as its EQL reads them, and the same below `endgame` in an index.

Names and meanings: the Endgame schema of the Event Query Language's documentation. Streamed documents that are
in ECS already pass as they are.
"""

from __future__ import annotations

from typing import Any

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, Kind, register, rows
from tocsin.sources.products.product import Product, Shape, register_product

PROCESS, FILE, REGISTRY, NETWORK, DNS = (
    "process_event",
    "file_event",
    "registry_event",
    "network_event",
    "dns_event",
)
IMAGE, SECURITY, DRIVER = "image_load_event", "security_event", "driver_load_event"

KINDS = {
    PROCESS: Kind(("process",), ("info",)),
    FILE: Kind(("file",), ("info",)),
    REGISTRY: Kind(("registry",), ("change",)),
    NETWORK: Kind(("network",), ("info",)),
    DNS: Kind(("network",), ("info", "protocol")),
    IMAGE: Kind(("library",), ("start",)),
    SECURITY: Kind(("authentication",), ("info",)),
    DRIVER: Kind(("driver",), ("start",)),
}
_TYPES: dict[str, Any] = {
    "creation_event": ["start"],
    "fork_event": ["start"],
    "exec_event": ["start"],
    "already_running": ["info"],
    "termination_event": ["end"],
    "file_create_event": ["creation"],
    "file_delete_event": ["deletion"],
    "file_modify_event": ["change"],
    "file_overwrite_event": ["change"],
    "file_rename_event": ["change"],
    "registry_create_event": ["creation"],
    "registry_delete_event": ["deletion"],
    "registry_modify_event": ["change"],
    "ipv4_connection_attempt_event": ["start", "connection"],
    "ipv4_connection_accept_event": ["start", "connection", "allowed"],
    "ipv4_disconnect_received_event": ["end", "connection"],
    "ipv6_connection_attempt_event": ["start", "connection"],
    "ipv6_connection_accept_event": ["start", "connection", "allowed"],
    "ipv6_disconnect_received_event": ["end", "connection"],
    "user_logon": ["start"],
    "user_logoff": ["end"],
    "user_logon_failed": ["start"],
}
_OUTCOMES = {"user_logon": "success", "user_logon_failed": "failure"}
_OF_PROCESS = (PROCESS,)


def _name(query: str) -> str:
    """Return a name without the dot at the end of a fully qualified one, which rules do not write."""
    return query.rstrip(".") or query


ROWS = (
    *rows("timestamp_utc", ("@timestamp", v.moment)),
    *rows("timestamp", ("@timestamp", v.file_time)),
    *rows(
        "event_subtype_full",
        "event.action",
        ("event.type", v.lookup(_TYPES)),
        ("event.outcome", v.lookup(_OUTCOMES)),
    ),
    *rows("serial_event_id", ("event.sequence", v.number)),
    *rows("id", "event.id"),
    # ---- the machine
    *rows("hostname", "host.name", ("host.hostname", v.before_dot), "related.hosts"),
    *rows("machine_id", "host.id"),
    *rows("endpoint_id", "host.id"),
    # ---- the process
    *rows("unique_pid", "process.entity_id"),
    *rows("pid", ("process.pid", v.number)),
    *rows("process_name", "process.name"),
    *rows("process_path", "process.executable"),
    *rows("command_line", *t.command_line("process"), events=_OF_PROCESS),
    *rows("original_file_name", "process.pe.original_file_name", events=_OF_PROCESS),
    *rows("md5", *t.digest("process", "md5"), events=_OF_PROCESS),
    *rows("sha1", *t.digest("process", "sha1"), events=_OF_PROCESS),
    *rows("sha256", *t.digest("process", "sha256"), events=_OF_PROCESS),
    *rows("signature_signer", "process.code_signature.subject_name", events=_OF_PROCESS),
    *rows(
        "signature_status",
        ("process.code_signature.trusted", v.lookup({"trusted": True, "untrusted": False, "noSignature": False})),
        ("process.code_signature.exists", v.lookup({"trusted": True, "untrusted": True, "noSignature": False})),
        events=_OF_PROCESS,
    ),
    *rows("exit_code", ("process.exit_code", v.number), events=_OF_PROCESS),
    *rows("unique_ppid", "process.parent.entity_id"),
    *rows("ppid", ("process.parent.pid", v.number)),
    *rows("parent_process_name", "process.parent.name"),
    *rows("parent_process_path", "process.parent.executable"),
    *rows("parent_command_line", *t.command_line("process.parent")),
    # ---- the user
    *rows("user_name", "user.name", "related.user"),
    *rows("user_domain", "user.domain"),
    *rows("user_sid", "user.id"),
    # ---- files, libraries, drivers
    *rows("file_path", *t.file_path(), events=(FILE,)),
    *rows("file_name", "file.name", ("file.extension", v.extension), events=(FILE,)),
    *rows("old_file_path", "file.Ext.original.path", ("file.Ext.original.name", v.base_name), events=(FILE,)),
    *rows("image_path", "dll.path", ("dll.name", v.base_name), events=(IMAGE,)),
    *rows("image_name", "dll.name", events=(IMAGE,)),
    *rows("image_path", "file.path", ("file.name", v.base_name), events=(DRIVER,)),
    *rows("sha256", *t.digest("dll", "sha256"), events=(IMAGE,)),
    # ---- the registry
    *rows("registry_path", "registry.path", events=(REGISTRY,)),
    *rows("key_path", "registry.path", events=(REGISTRY,)),
    *rows("registry_key", "registry.key", events=(REGISTRY,)),
    *rows("registry_value", "registry.value", events=(REGISTRY,)),
    *rows("registry_data", ("registry.data.strings", v.listed(v.text)), events=(REGISTRY,)),
    *rows("bytes_written_string", ("registry.data.strings", v.listed(v.text)), events=(REGISTRY,)),
    *rows("bytes_written_string_list", ("registry.data.strings", v.texts), events=(REGISTRY,)),
    *rows("registry_type", ("registry.data.type", v.lookup(v.REGISTRY_TYPES)), events=(REGISTRY,)),
    # ---- the network
    *rows("source_address", *t.address("source"), events=(NETWORK,)),
    *rows("source_port", ("source.port", v.number), events=(NETWORK,)),
    *rows("destination_address", *t.address("destination"), events=(NETWORK,)),
    *rows("destination_port", ("destination.port", v.number), events=(NETWORK,)),
    *rows("protocol", ("network.transport", v.transport), events=(NETWORK,)),
    *rows(
        "event_subtype_full",
        (
            "network.direction",
            v.lookup(
                {
                    "ipv4_connection_attempt_event": "egress",
                    "ipv6_connection_attempt_event": "egress",
                    "ipv4_connection_accept_event": "ingress",
                    "ipv6_connection_accept_event": "ingress",
                }
            ),
        ),
        events=(NETWORK,),
    ),
    *rows("query_name", ("dns.question.name", _name), events=(DNS,)),
)


# The sensor runs on other systems as well, and only paths and registry keys show which.
DERIVED = (
    Derived(
        "host.os.type",
        ("process_path", "parent_process_path", "file_path", "registry_path", "command_line", "user_domain"),
        v.system_of,
    ),
)


def _kind(event_type: str, _: str) -> str | None:
    return event_type if event_type.endswith("_event") else None


# The sensor's own names, of which each event has some (the Endgame schema of the Event Query Language).
_BESIDE = ("event_subtype_full", "serial_event_id", "unique_pid")


def _unless_in_ecs(event_type: str, category: str) -> str | None:
    return _kind(event_type, "") if not category else None


ENDGAME = register_product(
    Product(
        register(Dataset("endgame", "endgame", "endgame-default", KINDS, ROWS, derived=DERIVED, kept="endgame")),
        (
            Shape(("event_type_full",), ("event_type_full",), _kind, beside=_BESIDE),
            Shape(
                ("endgame", "event_type_full"), ("event", "category"), _unless_in_ecs, ("endgame",), beside=_BESIDE
            ),
        ),
    )
)
