"""Sysmon, events 1 to 29 and 255."""

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, Kind, register, rows
from tocsin.sources.windows import dns

_REGISTRY = ("configuration", "registry")
_LIBRARIES = (
    "elastic/integrations, pull request 16442 and its tests (read November 2026), but for the type `start`"
)

KINDS = {
    1: Kind(("process",), ("start",), "Process creation", always="process.executable"),
    2: Kind(("file",), ("change",), "A process changed a file creation time", always="file.path"),
    3: Kind(("network",), ("start", "connection", "protocol"), "Network connection", always="destination.ip"),
    4: Kind(("process",), ("change",), "Sysmon service state changed"),
    5: Kind(("process",), ("end",), "Process terminated", always="process.executable"),
    6: Kind(("driver",), ("start",), "Driver loaded", always="file.path"),
    7: Kind(("process", "library"), ("change",), ("Image loaded", "load"), source=_LIBRARIES, always="file.path"),
    8: Kind(("process",), ("change",), "CreateRemoteThread", always="process.executable"),
    9: Kind(("process",), ("access",), "RawAccessRead", always="process.executable"),
    10: Kind(("process",), ("access",), "ProcessAccess", always="winlog.event_data.GrantedAccess"),
    11: Kind(("file",), ("creation",), "FileCreate", always="file.path"),
    12: Kind(_REGISTRY, ("change",), "RegistryEvent (Object create and delete)", always="registry.path"),
    13: Kind(_REGISTRY, ("change",), "RegistryEvent (Value Set)", always="registry.path"),
    14: Kind(_REGISTRY, ("change",), "RegistryEvent (Key and Value Rename)", always="registry.path"),
    15: Kind(("file",), ("access",), "FileCreateStreamHash", always="file.path"),
    16: Kind(("configuration",), ("change",), "ServiceConfigurationChange"),
    17: Kind(("file",), ("creation",), "PipeEvent (Pipe Created)", always="file.name"),
    18: Kind(("file",), ("access",), "PipeEvent (Pipe Connected)", always="file.name"),
    19: Kind(("process",), ("creation",), "WmiEvent (WmiEventFilter activity detected)"),
    20: Kind(("process",), ("creation",), "WmiEvent (WmiEventConsumer activity detected)"),
    21: Kind(("process",), ("access",), "WmiEvent (WmiEventConsumerToFilter activity detected)"),
    22: Kind(("network",), ("connection", "protocol", "info"), "DNSEvent (DNS query)", always="dns.question.name"),
    23: Kind(("file",), ("deletion",), "FileDelete (File Delete archived)", always="file.path"),
    24: Kind((), ("change",), "ClipboardChange (New content in the clipboard)", always="process.executable"),
    25: Kind(("process",), ("change",), "ProcessTampering (Process image change)", always="process.executable"),
    26: Kind(("file",), ("deletion",), "FileDeleteDetected (File Delete logged)", always="file.path"),
    27: Kind(("file",), ("creation", "denied"), "FileBlockExecutable", always="file.path"),
    28: Kind(("file",), ("deletion", "denied"), "FileBlockShredding", always="file.path"),
    29: Kind(("file",), ("creation",), "FileExecutableDetected", always="file.path"),
    255: Kind(("process",), ("error",), "Error"),
}

_ALL_BUT_IMAGE_LOAD = tuple(number for number in KINDS if number != 7)
_BETWEEN_PROCESSES = (8, 10)  # they name the process that acts as the source
_PROCESS_HASHES = (1, 23, 24, 25)
_FILE_HASHES = (6, 7, 15, 26, 27, 29)
_DIGESTS = ("md5", "sha1", "sha256")


def _hashes(parent: str) -> tuple[tuple[str, v.Converter], ...]:
    digests = tuple((f"{parent}.hash.{kind}", v.hash_of(kind)) for kind in _DIGESTS)
    return (*digests, (f"{parent}.pe.imphash", v.hash_of("imphash")))


ROWS = (
    # ---- the process that acts
    *rows("ProcessGuid", ("process.entity_id", v.guid)),
    *rows("SourceProcessGuid", ("process.entity_id", v.guid), events=_BETWEEN_PROCESSES),
    *rows("SourceProcessGUID", ("process.entity_id", v.guid), events=_BETWEEN_PROCESSES),
    *rows("ProcessId", ("process.pid", v.number)),
    *rows("SourceProcessId", ("process.pid", v.number), events=_BETWEEN_PROCESSES),
    *rows("SourceThreadId", ("process.thread.id", v.number), events=_BETWEEN_PROCESSES),
    *rows("Image", "process.executable", ("process.name", v.base_name)),
    *rows("SourceImage", "process.executable", ("process.name", v.base_name), events=_BETWEEN_PROCESSES),
    *rows("Destination", "process.executable", ("process.name", v.base_name), events=(20,)),
    *rows("CommandLine", *t.command_line("process")),
    *rows("CurrentDirectory", "process.working_directory"),
    *rows("OriginalFileName", "process.pe.original_file_name", events=_ALL_BUT_IMAGE_LOAD),
    *rows("Company", "process.pe.company", events=_ALL_BUT_IMAGE_LOAD),
    *rows("Description", "process.pe.description", events=_ALL_BUT_IMAGE_LOAD),
    *rows("FileVersion", "process.pe.file_version", events=_ALL_BUT_IMAGE_LOAD),
    *rows("Product", "process.pe.product", events=_ALL_BUT_IMAGE_LOAD),
    *rows("Hashes", *_hashes("process"), events=_PROCESS_HASHES),
    # ---- its parent
    *rows("ParentProcessGuid", ("process.parent.entity_id", v.guid)),
    *rows("ParentProcessId", ("process.parent.pid", v.number)),
    *rows("ParentImage", "process.parent.executable", ("process.parent.name", v.base_name)),
    *rows("ParentCommandLine", *t.command_line("process.parent")),
    # ---- files, pipes and modules
    *(
        row
        for source in ("TargetFilename", "Device", "ImageLoaded")
        for row in rows(
            source,
            *t.file_path(),
        )
    ),
    *rows("PipeName", "file.name"),
    *(row for source in ("Hash", "Hashes") for row in rows(source, *_hashes("file"), events=_FILE_HASHES)),
    *rows("Signature", "file.code_signature.subject_name"),
    *rows("SignatureStatus", "file.code_signature.status"),
    *rows("SignatureStatus", ("file.code_signature.valid", v.lookup({"Valid": True}))),
    *rows("Signed", ("file.code_signature.signed", v.lookup({"true": True}))),
    *rows("OriginalFileName", "file.pe.original_file_name", "dll.pe.original_file_name", events=(7,)),
    *rows("Company", "file.pe.company", events=(7,)),
    *rows("Description", "file.pe.description", events=(7,)),
    *rows("FileVersion", "file.pe.file_version", events=(7,)),
    *rows("Product", "file.pe.product", events=(7,)),
    *rows("ImageLoaded", "dll.path", ("dll.name", v.base_name), events=(7,)),
    *rows("Hashes", *_hashes("dll"), events=(7,)),
    *rows("Signature", "dll.code_signature.subject_name", events=(7,)),
    *rows("Signed", ("dll.code_signature.exists", v.lookup({"true": True, "false": False})), events=(7,)),
    *rows("Archived", ("sysmon.file.archived", v.lookup({"true": True, "false": False}))),
    *rows("IsExecutable", ("sysmon.file.is_executable", v.lookup({"true": True, "false": False}))),
    # ---- network and DNS
    *rows("Protocol", "network.transport", events=(3,)),
    *rows("DestinationPortName", "network.protocol", events=(3,)),
    *rows("SourcePortName", "network.protocol", events=(3,)),
    *rows("SourceIp", ("source.ip", v.address), ("related.ip", v.address)),
    *rows("SourceHostname", "source.domain"),
    *rows("SourcePort", ("source.port", v.number)),
    *rows("DestinationIp", ("destination.ip", v.address), ("related.ip", v.address)),
    *rows("DestinationHostname", "destination.domain"),
    *rows("DestinationPort", ("destination.port", v.number)),
    *rows("Initiated", ("network.direction", v.lookup({"true": "egress", "false": "ingress"}))),
    *rows("SourceIsIpv6", ("network.type", v.lookup({"true": "ipv6", "false": "ipv4"}))),
    *rows(
        "QueryName",
        "dns.question.name",
        "related.hosts",
        ("network.protocol", v.constant("dns")),
        events=(22,),
    ),
    *rows(
        "QueryResults",
        ("dns.resolved_ip", v.resolved_addresses),
        ("related.ip", v.resolved_addresses),
        ("dns.answers.type", dns.answer_types),
        ("dns.answers.data", dns.answer_data),
        ("related.hosts", v.resolved_names),
    ),
    *rows("QueryStatus", ("sysmon.dns.status", dns.status)),
    # ---- registry
    *rows(
        "TargetObject",
        "registry.path",
        ("registry.hive", v.registry_hive),
        ("registry.key", v.registry_key),
        ("registry.value", v.base_name),
        events=(12, 13, 14),
    ),
    *rows(
        "Details",
        ("registry.data.strings", v.registry_strings),
        ("registry.data.type", v.registry_type),
        events=(12, 13, 14),
    ),
    # ---- the user, and what relates
    *rows(
        "User",
        ("user.domain", v.account_domain),
        ("user.name", v.account_name),
        ("related.user", v.account_name),
    ),
    # Since Sysmon 13.30 an event on two processes names the accounts of both.
    *rows(
        "SourceUser",
        ("user.domain", v.account_domain),
        ("user.name", v.account_name),
        ("related.user", v.account_name),
        events=_BETWEEN_PROCESSES,
    ),
    *rows("TargetUser", ("related.user", v.account_name)),
    *rows("ParentUser", ("related.user", v.account_name)),
    *rows("Hashes", ("related.hash", v.all_hashes)),
    *rows("Hash", ("related.hash", v.all_hashes)),
    *rows("RuleName", "rule.name"),
    *rows("ID", "error.code", events=(255,)),
    *rows("Type", "message", events=(25,)),
)


def _is_trusted(signed: str | None, status: str | None) -> bool | None:
    """Return whether Windows trusts a signature: an expired or revoked one exists, but is not trusted."""
    return signed == "true" and status in (None, "Valid") if signed else None


def _signature_status(signed: str | None, status: str | None) -> str | None:
    """Return what Sysmon says of a signature, which it writes in place of `Signed` where it could not check it."""
    return status or (signed if signed not in ("true", "false") else None)


_SIGNATURE = ("Signed", "SignatureStatus")

DERIVED = (
    Derived("file.code_signature.trusted", _SIGNATURE, _is_trusted, frozenset((6, 7))),
    Derived("dll.code_signature.trusted", _SIGNATURE, _is_trusted, frozenset((7,))),
    Derived("dll.code_signature.status", _SIGNATURE, _signature_status, frozenset((7,))),
)

SYSMON = register(
    Dataset(
        "windows.sysmon_operational",
        "windows",
        "logs-windows.sysmon_operational-default",
        KINDS,
        ROWS,
        derived=DERIVED,
        source="elastic/integrations, packages/windows, sysmon_operational.yml (read November 2026)",
        provider="Microsoft-Windows-Sysmon",
    )
)
