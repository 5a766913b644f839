"""CrowdStrike Falcon Data Replicator: the sensor's events, and the records about hosts and users beside them.

Events name a host by its agent id (`aid`) and a user by a security identifier; `aidmaster` and `userinfo`
records hold their names. All values are text. Names and meanings: the Falcon events data dictionary. Fields
follow Elastic's integration `crowdstrike`, data stream `fdr`.
"""

from __future__ import annotations

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, register, rows
from tocsin.sources.products import falcon_events as e
from tocsin.sources.products.product import Join, Product, Shape, register_product

_OF_PROCESS, _OF_FILE, _OF_REGISTRY = tuple(e.PROCESS_EVENTS), tuple(e.FILE_EVENTS), tuple(e.REGISTRY_EVENTS)
_OF_NETWORK, _OF_DNS = tuple(e.NETWORK_EVENTS), tuple(e.DNS_EVENTS)
_OF_MODULE, _OF_DRIVER = tuple(e.MODULE_EVENTS), tuple(e.DRIVER_EVENTS)
# Their image is the module's or driver's, not the process's.
_WITH_PROCESS_IMAGE = tuple(kind for kind in e.KINDS if kind not in (*_OF_MODULE, *_OF_DRIVER))
_ACTIONS = {"AsepKeyUpdate": "modification", "AsepValueUpdate": "modification"}
_PLATFORMS = {"Win": "windows", "Lin": "linux", "Mac": "macos"}
_LOGON_TYPES = {
    "2": "Interactive", "3": "Network", "4": "Batch", "5": "Service", "7": "Unlock", "8": "NetworkCleartext",
    "9": "NewCredentials", "10": "RemoteInteractive", "11": "CachedInteractive",
}  # fmt: skip
_HIVES = ("\\REGISTRY\\MACHINE\\", "\\REGISTRY\\USER\\")
_INTEGRITY_LEVELS = {
    "0": "untrusted",
    "4096": "low",
    "8192": "medium",
    "8448": "medium",
    "12288": "high",
    "16384": "system",
}


def _names(records: str) -> list[str] | None:
    return [part.strip() for part in records.split(";") if part.strip()] or None


def _strings(data: str) -> list[str] | None:
    """Return the strings of registry data; zeros separate and end those of a list."""
    return [part for part in data.split("\0") if part] or None


def _first_address(addresses: str) -> str | None:
    return next((address for word in addresses.split() if (address := v.address(word))), None)


def _after_at(principal: str) -> str | None:
    return principal.rpartition("@")[2] if "@" in principal else None


def _registry_key(path: str) -> str:
    """Return a key without the kernel's name of its hive."""
    return next((path[len(hive) :] for hive in _HIVES if path.upper().startswith(hive)), path)


ROWS = (
    *rows("Time", ("@timestamp", v.epoch_seconds), ("event.created", v.epoch_seconds)),
    *rows("_time", ("@timestamp", v.epoch_seconds), ("event.created", v.epoch_seconds)),
    *rows("UTCTimestamp", ("@timestamp", v.epoch_milliseconds), ("event.created", v.epoch_milliseconds)),
    *rows("timestamp", ("@timestamp", v.epoch_milliseconds), ("event.created", v.epoch_milliseconds)),
    *rows("event_simpleName", "event.action"),
    *rows("event_simpleName", ("event.action", v.lookup(_ACTIONS)), events=_OF_REGISTRY),
    *rows("RegOperationType", ("event.type", v.lookup(e.REGISTRY_TYPES_OF_CHANGE)), events=_OF_REGISTRY),
    *rows("id", "event.id"),
    # ---- the host
    *rows("aid", "host.id", "device.id", "observer.serial_number"),
    *rows("aidmaster.ComputerName", "host.name", ("host.hostname", v.before_dot), "related.hosts"),
    *rows("ComputerName", "host.name", ("host.hostname", v.before_dot), "related.hosts"),
    *rows("aidmaster.MachineDomain", "host.domain"),
    *rows("MachineDomain", "host.domain"),
    *rows("aidmaster.Version", "host.os.version"),
    *rows("aidmaster.aip", ("host.ip", v.listed(v.address)), ("related.ip", v.address)),
    *rows("aip", ("observer.ip", v.listed(_first_address)), ("related.ip", _first_address)),
    *rows("ConfigBuild", "observer.version"),
    *rows("event_platform", ("host.os.type", v.lookup(_PLATFORMS))),
    # ---- processes
    *rows("ContextProcessId", "process.entity_id"),
    *rows("TargetProcessId", "process.entity_id", events=(*_OF_PROCESS, *_OF_MODULE)),
    *rows("RawProcessId", ("process.pid", v.number)),
    *rows("ContextThreadId", ("process.thread.id", v.number)),
    *rows("ContextBaseFileName", "process.name"),
    *rows("ContextImageFileName", "process.executable", ("process.name", v.base_name)),
    *rows("TargetImageFileName", "process.executable", ("process.name", v.base_name), events=_OF_MODULE),
    *rows("ImageFileName", "process.executable", ("process.name", v.base_name), events=_WITH_PROCESS_IMAGE),
    *rows("CommandLine", *t.command_line("process")),
    *rows("OriginalFilename", "process.pe.original_file_name", events=_OF_PROCESS),
    *rows("CompanyName", "process.pe.company", events=_OF_PROCESS),
    *rows("FileVersion", "process.pe.file_version", events=_OF_PROCESS),
    *rows("MD5HashData", ("process.hash.md5", v.digest), events=_OF_PROCESS),
    *rows("SHA1HashData", ("process.hash.sha1", v.digest), events=_OF_PROCESS),
    *rows("SHA256HashData", ("process.hash.sha256", v.digest), events=_OF_PROCESS),
    *rows("MD5HashData", ("related.hash", v.digest)),
    *rows("SHA1HashData", ("related.hash", v.digest)),
    *rows("SHA256HashData", ("related.hash", v.digest)),
    *rows("ExitCode", ("process.exit_code", v.number)),
    *rows("ProcessStartTime", ("process.start", v.epoch_seconds)),
    *rows("ProcessEndTime", ("process.end", v.epoch_seconds)),
    *rows("IntegrityLevel", ("process.Ext.token.integrity_level_name", v.lookup(_INTEGRITY_LEVELS))),
    *rows("ParentProcessId", "process.parent.entity_id"),
    *rows("ParentBaseFileName", "process.parent.name"),
    *rows("ParentImageFileName", "process.parent.executable", ("process.parent.name", v.base_name)),
    *rows("ParentCommandLine", *t.command_line("process.parent")),
    # ---- users
    *rows("UserSid_readable", "user.id", events=(e.USER_RECORD,)),
    *rows("User", ("user.domain", v.account_domain), events=(e.USER_RECORD,)),
    *rows("FileOperatorSid", "user.id", events=_OF_FILE),
    *rows("UserSid", "user.id"),
    *rows("UserPrincipal", ("user.domain", _after_at)),
    *rows("userinfo.User", ("user.domain", v.account_domain), ("user.name", v.account)),
    *rows("userinfo.UserName", "user.name", "related.user"),
    *rows("LogonDomain", "user.domain"),
    *rows("UserName", "user.name", "related.user"),
    *rows("UserPrincipal", "user.email"),
    *rows("LogonType", ("winlog.logon.type", v.lookup(_LOGON_TYPES))),
    # ---- files, modules, drivers
    *rows("TargetFileName", *t.file_path()),
    *rows("SourceFileName", "file.Ext.original.path", ("file.Ext.original.name", v.base_name), events=_OF_FILE),
    *rows("Size", ("file.size", v.number), events=_OF_FILE),
    *rows("FileIdentifier", "file.inode", events=_OF_FILE),
    *rows("MD5HashData", ("file.hash.md5", v.digest), events=(*_OF_FILE, *_OF_DRIVER)),
    *rows("SHA256HashData", ("file.hash.sha256", v.digest), events=(*_OF_FILE, *_OF_DRIVER)),
    *rows("ImageFileName", "file.path", ("file.name", v.base_name), events=_OF_DRIVER),
    *rows("ImageFileName", "dll.path", ("dll.name", v.base_name), events=(*_OF_MODULE, *_OF_DRIVER)),
    *rows("SHA256HashData", ("dll.hash.sha256", v.digest), events=(*_OF_MODULE, *_OF_DRIVER)),
    *rows("MD5HashData", ("dll.hash.md5", v.digest), events=(*_OF_MODULE, *_OF_DRIVER)),
    # ---- the registry
    *rows("RegObjectName", ("registry.key", _registry_key), events=_OF_REGISTRY),
    *rows("RegValueName", "registry.value", events=_OF_REGISTRY),
    *rows("RegNumericValue", ("registry.data.strings", v.listed(v.text)), events=_OF_REGISTRY),
    *rows("RegStringValue", ("registry.data.strings", _strings), events=_OF_REGISTRY),
    *rows("RegType", ("registry.data.type", v.lookup(v.REGISTRY_TYPES)), events=_OF_REGISTRY),
    # ---- the network
    *rows("Protocol", ("network.transport", v.transport), "network.iana_number", events=_OF_NETWORK),
    *rows(
        "ConnectionDirection",
        ("network.direction", v.lookup({"0": "outbound", "1": "inbound", "2": "unknown", "3": "unknown"})),
        events=_OF_NETWORK,
    ),
    *rows("LocalAddressIP4", ("related.ip", _first_address)),
    *rows("LocalAddressIP6", ("related.ip", _first_address)),
    *rows("RemoteAddressIP4", ("related.ip", v.address)),
    *rows("RemoteAddressIP6", ("related.ip", v.address)),
    *rows("RemoteAddressIP6", ("source.ip", v.address), events=tuple(e.LOGONS)),
    *rows("RemoteAddressIP4", ("source.ip", v.address), events=tuple(e.LOGONS)),
    *rows(
        "event_simpleName",
        ("network.protocol", v.constant("dns")),
        ("dns.type", v.constant("query")),
        events=_OF_DNS,
    ),
    *rows("DomainName", "dns.question.name", events=_OF_DNS),
    *rows("RequestType", ("dns.question.type", v.lookup(v.RECORD_TYPES)), events=_OF_DNS),
    *rows("IP6Records", ("dns.resolved_ip", v.resolved_addresses), events=_OF_DNS),
    *rows("IP4Records", ("dns.resolved_ip", v.resolved_addresses), events=_OF_DNS),
    *rows("CNAMERecords", ("dns.answers.data", _names), events=_OF_DNS),
)


def _registry_path(key: str | None, value: str | None) -> str | None:
    return f"{key}\\{value}" if key and value else key


_ENDS = ("ConnectionDirection", "LocalAddressIP4", "LocalAddressIP6", "RemoteAddressIP4", "RemoteAddressIP6")
_PORTS = ("ConnectionDirection", "LocalPort", "RemotePort")


def _ends(direction: str | None, *addresses: str | None) -> tuple[str | None, str | None]:
    """Return who began a connection and who it went to; without a direction it went out."""
    local4, local6, remote4, remote6 = (_first_address(text or "") for text in addresses)
    local, remote = local4 or local6, remote4 or remote6
    return (remote, local) if direction == "1" else (local, remote)


def _source_ip(direction: str | None, *addresses: str | None) -> str | None:
    return _ends(direction, *addresses)[0]


def _destination_ip(direction: str | None, *addresses: str | None) -> str | None:
    return _ends(direction, *addresses)[1]


def _source_port(direction: str | None, local: str | None, remote: str | None) -> int | None:
    return v.number((remote if direction == "1" else local) or "")


def _destination_port(direction: str | None, local: str | None, remote: str | None) -> int | None:
    return v.number((local if direction == "1" else remote) or "")


_NETWORK, _REGISTRY = frozenset(_OF_NETWORK), frozenset(_OF_REGISTRY)
DERIVED = (
    Derived("event.id", ("id", "aid", "cid"), v.entity_id),
    Derived("registry.path", ("RegObjectName", "RegValueName"), _registry_path, _REGISTRY),
    Derived("source.ip", _ENDS, _source_ip, _NETWORK),
    Derived("source.address", _ENDS, _source_ip, _NETWORK),
    Derived("source.port", _PORTS, _source_port, _NETWORK),
    Derived("destination.ip", _ENDS, _destination_ip, _NETWORK),
    Derived("destination.address", _ENDS, _destination_ip, _NETWORK),
    Derived("destination.port", _PORTS, _destination_port, _NETWORK),
)


# Falcon's own names, of which each record of a kind has some.
_BESIDE_EVENTS = ("aid", "cid", "aip", "event_platform", "ConfigBuild", "ContextTimeStamp", "ContextProcessId",
                  "TargetProcessId")  # fmt: skip
_BESIDE_HOSTS = ("cid", "aip", "event_platform", "AgentVersion", "AgentLocalTime", "MachineDomain", "ProductType")
_BESIDE_USERS = ("cid", "event_platform", "LastLoggedOnHost", "LogonTime", "UserIsAdmin", "AccountType")

CROWDSTRIKE = register_product(
    Product(
        register(
            Dataset(
                "crowdstrike.fdr",
                "crowdstrike",
                "logs-crowdstrike.fdr-default",
                e.KINDS,
                ROWS,
                derived=DERIVED,
                kept="crowdstrike",
            )
        ),
        (
            Shape(("event_simpleName",), ("event_simpleName",), e.kind_of_event, beside=_BESIDE_EVENTS),
            Shape(("aid",), ("ComputerName",), e.kind_of_host_record, beside=_BESIDE_HOSTS),
            Shape(("UserSid_readable",), ("UserName",), e.kind_of_user_record, beside=_BESIDE_USERS),
        ),
        (
            Join("aid", "aidmaster.", e.HOST_RECORD, "aid"),
            Join("UserSid", "userinfo.", e.USER_RECORD, "UserSid_readable"),
        ),
    )
)
