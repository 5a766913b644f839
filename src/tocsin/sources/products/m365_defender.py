"""Microsoft 365 Defender (Defender for Endpoint): the device tables of advanced hunting.

Records come from the streaming API, which wraps each row with its table's name in `category`, or as rows of a
query's result (JSON, CSV), where the kind of action shows the table. Names and meanings: the schema reference of
advanced hunting. Fields follow Elastic's integration `m365_defender`.
"""

from __future__ import annotations

import orjson

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, Row, register, rows
from tocsin.sources.products.defender_actions import (
    ACTION,
    API_CALL,
    CERTIFICATE,
    DNS,
    DRIVER,
    FILE,
    IMAGE,
    INBOUND,
    KINDS,
    LOGON,
    NETWORK,
    NO_TABLE,
    OTHER,
    OUTCOMES,
    PROCESS,
    PROTOCOLS,
    REGISTRY,
    TYPES,
    action_of,
    called_api,
    kind_in_result,
    kind_in_stream,
    type_of_call,
)
from tocsin.sources.products.defender_columns import MARKS, completed_by_columns
from tocsin.sources.products.product import Product, Shape, register_product

_SIGNED, _TRUSTED = (
    {"Valid": True, "Invalid": True, "Unsigned": False},
    {"Valid": True, "Invalid": False, "Unsigned": False},
)
_STATUS = {"Valid": "trusted", "Invalid": "invalid", "Unsigned": "unsigned"}

# In these tables a record's own process is the one that was created or acted upon, and the initiating process its
# parent; in the others the initiating process is the one that acts.
_OF_CHILD = (PROCESS, OTHER)
_OF_ACTOR = (FILE, REGISTRY, NETWORK, LOGON, IMAGE, API_CALL, DRIVER, DNS, ACTION, NO_TABLE)
_WITH_FILE = (FILE, IMAGE, DRIVER, CERTIFICATE)
_WITH_LIBRARY = (IMAGE, DRIVER)
_WITH_DNS = (NETWORK, DNS)
_SHORT_HIVES = {"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKEY_USERS", "HKEY_CLASSES_ROOT": "HKCR"}


def _registry_key(key: str) -> str:
    """Return a registry key with its hive as Elastic Defend writes it, which is what rules read."""
    hive, backslash, below = key.partition("\\")
    if hive == "HKEY_CURRENT_USER" and not below.upper().startswith("S-1-"):
        return f"HKCU\\{below}"  # of a user that the record does not name
    return f"{_SHORT_HIVES.get(hive, hive)}{backslash}{below}"


def _registry_path(key: str | None, value: str | None, old_key: str | None, old_value: str | None) -> str | None:
    """Return the path of a value; what was deleted has only its previous key and value."""
    key, value = key or old_key, value or old_value
    if key is None:
        return None
    return f"{_registry_key(key)}\\{value}" if value else _registry_key(key)


def _path(folder: str | None, name: str | None) -> str | None:
    """`FolderPath` usually ends in the file's name, and may be the folder alone."""
    if folder is None or name is None or folder.lower().endswith(name.lower()):
        return folder
    return f"{folder.rstrip(chr(92))}\\{name}" if "\\" in folder else f"{folder.rstrip('/')}/{name}"


def _directory(folder: str | None, name: str | None) -> str | None:
    path = _path(folder, name)
    return path and (path.rpartition("\\" if "\\" in path else "/")[0] or None)


def _system(
    platform: str | None, registry_key: str | None, actor: str | None, name: str | None, *texts: str | None
) -> str | None:
    """Only `DeviceInfo` names the platform; paths, registry keys and security identifiers show it elsewhere.

    Where a query left these out, the name of the program that acts shows it.
    """
    if platform is not None:
        return next((name for name in ("windows", "linux", "macos") if platform.lower().startswith(name)), None)
    if registry_key is not None:
        return "windows"
    if any(text is not None and text.startswith("S-1-") for text in texts):
        return "windows"
    program = (actor or name or "").lower()
    return v.system_of(*texts) or ("windows" if program.endswith(".exe") else None)


_said_direction = v.member("direction")


def _ends(
    action: str | None, additional: str | None, local: str | None, remote: str | None
) -> tuple[str | None, str | None]:
    """Return who began a connection and who it went to."""
    inbound = action in INBOUND or (additional is not None and _said_direction(additional) == "In")
    return (remote, local) if inbound else (local, remote)


def _direction(additional: str) -> str | None:
    return {"In": "inbound", "Out": "outbound"}.get(_said_direction(additional) or "")


def _answers(additional: str) -> list[str] | None:
    answers = v.member("answers")(additional)
    try:
        addresses = orjson.loads(answers or "null")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(addresses, list):
        return None
    return [address for item in addresses if (address := v.address(str(item)))] or None


def _initiating(target: str, events: tuple[str, ...]) -> tuple[Row, ...]:
    name = "InitiatingProcess"
    return (
        *rows(f"{name}FolderPath", f"{target}.executable", events=events),
        *rows(f"{name}FileName", f"{target}.name", events=events),
        *rows(f"{name}Id", (f"{target}.pid", v.number), events=events),
        *rows(f"{name}CreationTime", (f"{target}.start", v.moment), events=events),
        *rows(f"{name}CommandLine", *t.command_line(target), events=events),
        *rows(f"{name}MD5", *t.digest(target, "md5"), events=events),
        *rows(f"{name}SHA1", *t.digest(target, "sha1"), events=events),
        *rows(f"{name}SHA256", *t.digest(target, "sha256"), events=events),
        *rows(f"{name}VersionInfoCompanyName", f"{target}.pe.company", events=events),
        *rows(f"{name}VersionInfoFileDescription", f"{target}.pe.description", events=events),
        *rows(f"{name}VersionInfoOriginalFileName", f"{target}.pe.original_file_name", events=events),
        *rows(f"{name}VersionInfoProductName", f"{target}.pe.product", events=events),
        *rows(f"{name}VersionInfoProductVersion", f"{target}.pe.file_version", events=events),
        *rows(
            f"{name}SignatureStatus",
            (f"{target}.code_signature.exists", v.lookup(_SIGNED)),
            (f"{target}.code_signature.trusted", v.lookup(_TRUSTED)),
            (f"{target}.code_signature.status", v.lookup(_STATUS)),
            events=events,
        ),
        *rows(f"{name}IntegrityLevel", (f"{target}.Ext.token.integrity_level_name", v.lowered), events=events),
    )


def _user(source: str, events: tuple[str, ...]) -> tuple[Row, ...]:
    return (
        *rows(f"{source}Name", "user.name", "related.user", events=events),
        *rows(f"{source}Domain", "user.domain", events=events),
        *rows(f"{source}Sid", "user.id", events=events),
    )


ROWS = (
    *rows("TimeGenerated", ("@timestamp", v.moment)),
    *rows("Timestamp", ("@timestamp", v.moment)),
    *rows(
        "ActionType",
        ("event.action", action_of),
        ("event.type", v.lookup(TYPES)),
        ("event.outcome", v.lookup(OUTCOMES)),
    ),
    *rows("ActionType", ("event.type", type_of_call), ("process.Ext.api.name", called_api), events=(API_CALL,)),
    *rows("ReportId", "event.id"),
    # ---- the device
    *rows("DeviceId", "host.id"),
    *rows("DeviceName", ("host.name", v.lowered), ("host.hostname", v.before_dot), ("related.hosts", v.lowered)),
    *rows("OSVersion", "host.os.version"),
    *rows("OSArchitecture", "host.architecture"),
    *rows("PublicIP", ("host.ip", v.listed(v.address)), ("related.ip", v.address)),
    # ---- the process that was created or acted upon
    *rows("FileName", "process.name", events=_OF_CHILD),
    *rows("MD5", ("process.hash.md5", v.digest), events=_OF_CHILD),
    *rows("SHA1", ("process.hash.sha1", v.digest), events=_OF_CHILD),
    *rows("SHA256", ("process.hash.sha256", v.digest), events=_OF_CHILD),
    *rows("ProcessId", ("process.pid", v.number), events=_OF_CHILD),
    *rows("ProcessCreationTime", ("process.start", v.moment), events=_OF_CHILD),
    *rows("ProcessCommandLine", *t.command_line("process"), events=_OF_CHILD),
    *rows("ProcessIntegrityLevel", ("process.Ext.token.integrity_level_name", v.lowered), events=_OF_CHILD),
    *rows("ProcessVersionInfoCompanyName", "process.pe.company", events=_OF_CHILD),
    *rows("ProcessVersionInfoFileDescription", "process.pe.description", events=_OF_CHILD),
    *rows("ProcessVersionInfoOriginalFileName", "process.pe.original_file_name", events=_OF_CHILD),
    *rows("ProcessVersionInfoProductName", "process.pe.product", events=_OF_CHILD),
    *rows("ProcessVersionInfoProductVersion", "process.pe.file_version", events=_OF_CHILD),
    # ---- the initiating process, as its parent and as the one that acts
    *_initiating("process.parent", _OF_CHILD),
    *_initiating("process", _OF_ACTOR),
    *rows("InitiatingProcessParentFileName", "process.parent.name", events=_OF_ACTOR),
    *rows("InitiatingProcessParentId", ("process.parent.pid", v.number), events=_OF_ACTOR),
    *rows("InitiatingProcessParentCreationTime", ("process.parent.start", v.moment), events=_OF_ACTOR),
    # ---- the process that a call of an API reaches into
    *rows("FileName", "Target.process.name", events=(API_CALL,)),
    *rows("ProcessCommandLine", "Target.process.command_line", events=(API_CALL,)),
    # ---- files, libraries and drivers
    *rows("FileName", "file.name", ("file.extension", v.extension), events=_WITH_FILE),
    *rows("FileSize", ("file.size", v.number), events=_WITH_FILE),
    *rows("MD5", ("file.hash.md5", v.digest), events=_WITH_FILE),
    *rows("SHA1", ("file.hash.sha1", v.digest), events=_WITH_FILE),
    *rows("SHA256", ("file.hash.sha256", v.digest), events=_WITH_FILE),
    *rows("FileOriginUrl", "file.origin_url", events=(FILE,)),
    *rows("PreviousFileName", "file.Ext.original.name", events=(FILE,)),
    *rows("FileName", "dll.name", events=_WITH_LIBRARY),
    *rows("MD5", ("dll.hash.md5", v.digest), events=_WITH_LIBRARY),
    *rows("SHA1", ("dll.hash.sha1", v.digest), events=_WITH_LIBRARY),
    *rows("SHA256", ("dll.hash.sha256", v.digest), events=_WITH_LIBRARY),
    *rows("FileSize", ("dll.Ext.size", v.number), events=_WITH_LIBRARY),
    *rows("Signer", "file.code_signature.subject_name", events=(CERTIFICATE,)),
    *rows("IsSigned", ("file.code_signature.exists", v.boolean), events=(CERTIFICATE,)),
    *rows("IsTrusted", ("file.code_signature.trusted", v.boolean), events=(CERTIFICATE,)),
    # ---- the registry
    *rows("PreviousRegistryKey", ("registry.key", v.registry_key), ("registry.hive", v.registry_hive)),
    *rows("PreviousRegistryValueName", "registry.value"),
    *rows("PreviousRegistryValueData", ("registry.data.strings", v.listed(v.text))),
    *rows("RegistryKey", ("registry.key", v.registry_key), ("registry.hive", v.registry_hive)),
    *rows("RegistryValueName", "registry.value"),
    *rows("RegistryValueData", ("registry.data.strings", v.listed(v.text))),
    *rows("RegistryValueType", ("registry.data.type", v.lookup(v.REGISTRY_TYPES))),
    # ---- the network
    *rows(
        "Protocol", ("network.transport", v.transport), ("network.protocol", v.lowered), events=(NETWORK, LOGON)
    ),
    *rows("ActionType", ("network.direction", v.lookup(INBOUND)), events=(NETWORK,)),
    *rows("AdditionalFields", ("network.direction", _direction), events=(NETWORK,)),
    *rows("ActionType", ("network.protocol", v.lookup(PROTOCOLS)), events=_WITH_DNS),
    *rows("AdditionalFields", ("dns.question.name", v.member("DnsQueryString")), events=(DNS,)),
    *rows("AdditionalFields", ("dns.question.name", v.member("query")), events=(NETWORK,)),
    *rows("AdditionalFields", ("dns.question.type", v.member("qtype_name")), events=(NETWORK,)),
    *rows("AdditionalFields", ("dns.response_code", v.member("rcode_name")), events=(NETWORK,)),
    *rows("AdditionalFields", ("dns.resolved_ip", _answers), events=(NETWORK,)),
    *rows("RemoteUrl", "destination.domain", events=(NETWORK,)),
    *rows("RemoteUrl", "url.original"),
    *rows("RemoteDeviceName", "source.domain", events=(LOGON,)),
    *rows("RemoteIP", ("source.ip", v.address), ("related.ip", v.address), events=(LOGON,)),
    *rows("RemotePort", ("source.port", v.number), events=(LOGON,)),
    *rows("RequestSourceIP", ("source.ip", v.address), ("related.ip", v.address), events=(FILE,)),
    *rows("RequestSourcePort", ("source.port", v.number), events=(FILE,)),
    *rows("LocalIP", ("related.ip", v.address)),
    *rows("RemoteIP", ("related.ip", v.address)),
    # ---- the user: who acts, and before that whom the record is about
    *_user("InitiatingProcessAccount", _OF_ACTOR),
    *_user("RequestAccount", (FILE,)),
    *_user("Account", (PROCESS, OTHER, LOGON)),
    *rows("InitiatingProcessAccountName", "related.user"),
    *rows("LogonType", ("winlog.logon.type", v.text), events=(LOGON,)),
)

_REGISTRY_PATH = ("RegistryKey", "RegistryValueName", "PreviousRegistryKey", "PreviousRegistryValueName")
_ENDS = ("ActionType", "AdditionalFields", "LocalIP", "RemoteIP")
_PORTS = ("ActionType", "AdditionalFields", "LocalPort", "RemotePort")
_OWN = ("DeviceId", "ProcessId", "ProcessCreationTime")
_INITIATING = ("DeviceId", "InitiatingProcessId", "InitiatingProcessCreationTime")
_ITS_PARENT = ("DeviceId", "InitiatingProcessParentId", "InitiatingProcessParentCreationTime")
_SHOWING = ("InitiatingProcessFolderPath", "FolderPath", "InitiatingProcessAccountSid", "AccountSid")


def _source_ip(*ends: str | None) -> str | None:
    return v.address(_ends(*ends)[0] or "")


def _destination_ip(*ends: str | None) -> str | None:
    return v.address(_ends(*ends)[1] or "")


def _source_port(*ends: str | None) -> int | None:
    return v.number(_ends(*ends)[0] or "")


def _destination_port(*ends: str | None) -> int | None:
    return v.number(_ends(*ends)[1] or "")


DERIVED = (
    Derived("process.executable", ("FolderPath", "FileName"), _path, frozenset(_OF_CHILD)),
    Derived("Target.process.executable", ("FolderPath", "FileName"), _path, frozenset((API_CALL,))),
    Derived("file.path", ("FolderPath", "FileName"), _path, frozenset(_WITH_FILE)),
    Derived("file.directory", ("FolderPath", "FileName"), _directory, frozenset(_WITH_FILE)),
    Derived("dll.path", ("FolderPath", "FileName"), _path, frozenset(_WITH_LIBRARY)),
    Derived("file.Ext.original.path", ("PreviousFolderPath", "PreviousFileName"), _path, frozenset((FILE,))),
    Derived("process.entity_id", _OWN, v.entity_id, frozenset(_OF_CHILD)),
    Derived("process.parent.entity_id", _INITIATING, v.entity_id, frozenset(_OF_CHILD)),
    Derived("process.entity_id", _INITIATING, v.entity_id, frozenset(_OF_ACTOR)),
    Derived("process.parent.entity_id", _ITS_PARENT, v.entity_id, frozenset(_OF_ACTOR)),
    Derived("registry.path", _REGISTRY_PATH, _registry_path),
    Derived("source.ip", _ENDS, _source_ip, frozenset((NETWORK,))),
    Derived("source.port", _PORTS, _source_port, frozenset((NETWORK,))),
    Derived("destination.ip", _ENDS, _destination_ip, frozenset((NETWORK,))),
    Derived("destination.address", _ENDS, _destination_ip, frozenset((NETWORK,))),
    Derived("destination.port", _PORTS, _destination_port, frozenset((NETWORK,))),
    Derived(
        "host.os.type", ("OSPlatform", "RegistryKey", "InitiatingProcessFileName", "FileName", *_SHOWING), _system
    ),
)


# Columns of the device tables, of which each row has some.
_BESIDE = (
    "DeviceId", "DeviceName", "ReportId", "InitiatingProcessId", "InitiatingProcessFileName",
    "InitiatingProcessCommandLine", "ProcessId", "ProcessCommandLine", "FileName", "FolderPath", "SHA1", "SHA256",
    "RemoteIP", "RemoteUrl", "RegistryKey", "AccountName", "AdditionalFields",
)  # fmt: skip

M365_DEFENDER = register_product(
    Product(
        register(
            Dataset(
                "m365_defender.event",
                "m365_defender",
                "logs-m365_defender.event-default",
                KINDS,
                ROWS,
                derived=DERIVED,
                kept="m365_defender.event",
            )
        ),
        (
            Shape(("category",), ("properties", "ActionType"), kind_in_stream, body=("properties",)),
            Shape(("ActionType",), ("Type",), kind_in_result, beside=_BESIDE),
        ),
        completed=completed_by_columns,
        marks=MARKS,
        essential="ActionType",
    )
)
