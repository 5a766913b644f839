"""Microsoft 365 Defender: the tables of advanced hunting, and what the kinds of action in them mean."""

from __future__ import annotations

from tocsin.sources.mapping import Kind

PROCESS, FILE, REGISTRY = "DeviceProcessEvents", "DeviceFileEvents", "DeviceRegistryEvents"
NETWORK, LOGON, IMAGE, OTHER = "DeviceNetworkEvents", "DeviceLogonEvents", "DeviceImageLoadEvents", "DeviceEvents"
INFO, NETWORK_INFO, CERTIFICATE = "DeviceInfo", "DeviceNetworkInfo", "DeviceFileCertificateInfo"
# DeviceEvents holds what the other tables do not. In most of it a process is acted upon and the initiating process
# is its parent; in these the initiating process is the one that acts.
API_CALL, DRIVER, ACTION = "DeviceEvents: API calls", "DeviceEvents: drivers", "DeviceEvents: own actions"
DNS = "DeviceEvents: DNS"
NO_TABLE = "a row without its table"

KINDS = {
    PROCESS: Kind(("process",), ("info",)),
    FILE: Kind(("file",), ("info",)),
    REGISTRY: Kind(("registry",), ("info",)),
    NETWORK: Kind(("network",), ("info",)),
    LOGON: Kind(("authentication",), ("info",)),
    IMAGE: Kind(("library",), ("start",), "load"),
    OTHER: Kind(("host",), ("info",)),
    API_CALL: Kind(("api",), ("info",)),
    DRIVER: Kind(("driver",), ("start",), "load"),
    ACTION: Kind(("host",), ("info",)),
    DNS: Kind(("network",), ("protocol",)),
    INFO: Kind(("host",), ("info",)),
    NETWORK_INFO: Kind(("network",), ("info",)),
    CERTIFICATE: Kind(("file",), ("info",)),
    NO_TABLE: Kind((), ("info",)),
}
OWN_ACTIONS = frozenset((
    "AntivirusDefinitionsUpdated", "AntivirusDetection", "AntivirusReport", "AntivirusScanCancelled",
    "AntivirusScanCompleted", "AntivirusScanFailed", "BrowserLaunchedToOpenUrl", "DpapiAccessed",
     "GetClipboardData", "LdapSearch", "NamedPipeEvent", "PowerShellCommand",
    "ProcessPrimaryTokenModified", "ScreenshotTaken", "SmartScreenUrlWarning",
))  # fmt: skip

# Actions whose names rules know from Elastic Defend; any other keeps its own, in lower case.
ACTIONS = {
    "DriverLoad": "load",
    "FileCreated": "creation",
    "FileDeleted": "deletion",
    "FileModified": "modification",
    "FileRenamed": "rename",
    "ImageLoaded": "load",
    "ProcessCreated": "start",
    "RegistryKeyCreated": "creation",
    "RegistryValueSet": "modification",
}
TYPES = {
    "ProcessCreated": ["start"],
    "FileCreated": ["creation"],
    "FileDeleted": ["deletion"],
    "FileModified": ["change"],
    "FileRenamed": ["change"],
    "RegistryKeyCreated": ["creation"],
    "RegistryKeyDeleted": ["deletion"],
    "RegistryKeyRenamed": ["change"],
    "RegistryValueDeleted": ["deletion"],
    "RegistryValueSet": ["change"],
    "ConnectionAcknowledged": ["connection", "allowed"],
    "ConnectionAttempt": ["start", "connection"],
    "ConnectionFailed": ["denied"],
    "ConnectionFound": ["info"],
    "ConnectionRequest": ["start"],
    "ConnectionSuccess": ["start"],
    "InboundConnectionAccepted": ["start"],
    "ListeningConnectionCreated": ["start"],
    "DnsConnectionInspected": ["protocol"],
    "DnsQueryResponse": ["protocol"],
    "NetworkSignatureInspected": ["info"],
    "LogonSuccess": ["start"],
    "LogonFailed": ["start"],
    "LogonAttempted": ["start"],
}
OUTCOMES = {
    "LogonSuccess": "success",
    "LogonFailed": "failure",
    "ConnectionSuccess": "success",
    "ConnectionFailed": "failure",
}
# Actions that another device began.
INBOUND = {"InboundConnectionAccepted": "inbound"}
PROTOCOLS = {"DnsConnectionInspected": "dns", "DnsQueryResponse": "dns"}

_TABLE_OF = (
    ("Process", PROCESS),
    ("File", FILE),
    ("Registry", REGISTRY),
    ("ImageLoaded", IMAGE),
    ("Logon", LOGON),
    ("InboundConnection", NETWORK),
    ("Connection", NETWORK),
    ("ListeningConnection", NETWORK),
    ("NetworkSignature", NETWORK),
)
_KINDS_OF_OTHER = {"DriverLoad": DRIVER, "DnsQueryResponse": DNS}
_OF_OTHER = (
    frozenset((*_KINDS_OF_OTHER, "ProcessCreatedUsingWmiQuery", "FileTimestampModificationEvent")) | OWN_ACTIONS
)


def action_of(action_type: str) -> str:
    """Return an action by the name that rules ask for."""
    return ACTIONS.get(action_type, action_type.lower())


def type_of_call(action_type: str) -> list[str] | None:
    """Return whether a call of an API opens or changes something."""
    if not action_type.endswith("ApiCall"):
        return None
    if action_type.startswith("Open"):
        return ["access"]
    return ["change"] if action_type.startswith("Write") else ["info"]


def called_api(action_type: str) -> str | None:
    """Return the API that was called: `OpenProcess` of `OpenProcessApiCall`."""
    return action_type.removesuffix("ApiCall") or None


def kind_in_stream(category: str, action: str) -> str | None:
    """Return the kind of a row of the streaming API, which names tables as `AdvancedHunting-DeviceEvents`."""
    table = category.removeprefix("AdvancedHunting-")
    return None if table == category else _kind(table, action)


def kind_in_result(action: str, table: str) -> str | None:
    """Return the kind of a row of a query's result; its action shows the table where Log Analytics names none."""
    return _kind(table if table in KINDS else _table_of(action), action)


def _kind(table: str, action: str) -> str:
    if table != OTHER:
        return table
    if action.endswith("ApiCall"):
        return API_CALL
    if action in _KINDS_OF_OTHER:
        return _KINDS_OF_OTHER[action]
    return ACTION if action in OWN_ACTIONS else OTHER


def _table_of(action: str) -> str:
    if action in _OF_OTHER:
        return OTHER
    if action.endswith(("ConnectionInspected", "AuthenticationInspected")):
        return NETWORK
    return next((table for prefix, table in _TABLE_OF if action.startswith(prefix)), OTHER)
