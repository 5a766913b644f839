"""CrowdStrike Falcon: what the sensor's events mean. Names and meanings: the Falcon events data dictionary."""

from __future__ import annotations

from tocsin.sources.mapping import Kind

HOST_RECORD, USER_RECORD, WRITTEN = "aidmaster", "userinfo", "FileWritten"

_START, _END, _CHANGE = ("start",), ("end",), ("change",)
PROCESS_EVENTS = {
    "ProcessRollup2": Kind(("process",), _START),
    "SyntheticProcessRollup2": Kind(("process",), _START),
    "EndOfProcess": Kind(("process",), _END),
    "TerminateProcess": Kind(("process",), _END),
    "ProcessSelfDeleted": Kind(("process",), _END),
    "ProcessRollup2Stats": Kind(("process",), ("info",)),
    "ProcessBlocked": Kind(("process",), ("access",)),
    "ProcessInjection": Kind(("process",), _CHANGE),
    "CommandHistory": Kind(("process",), ("end", "info")),
    "CreateProcessArgs": Kind(("process",), _START),
    "FlashThreadCreateProcess": Kind(("process",), _START),
    "WmiCreateProcess": Kind(("process",), _START),
    "ServiceStarted": Kind(("process",), _START),
    "HostedServiceStarted": Kind(("process",), _START),
    "HostedServiceStopped": Kind(("process",), _END),
    "InjectedThread": Kind(("process",), _CHANGE),
    "BrowserInjectedThread": Kind(("process",), ("access", "change")),
    "DllInjection": Kind(("process",), _CHANGE),
    "DocumentProgramInjectedThread": Kind(("process",), ("access", "change")),
    "LsassHandleFromUnsignedModule": Kind(("process",), _CHANGE),
    "ClassifiedProcessStart": Kind(("process",), _START),
    "KernelServiceStarted": Kind(("process",), _START),
    "ScriptControlScanTelemetry": Kind(("malware", "file"), ("info",)),
}
FILE_EVENTS = {
    WRITTEN: Kind(("file",), ("creation",)),
    "FileCreateInfo": Kind(("file",), ("creation",)),
    "FileDeleteInfo": Kind(("file",), ("deletion",)),
    "FileOpenInfo": Kind(("file",), ("access",)),
    "FileRenameInfo": Kind(("file",), _CHANGE),
    "FileTimestampsModified": Kind(("file",), _CHANGE),
    "DirectoryCreate": Kind(("file",), ("creation",)),
    "ExecutableDeleted": Kind(("file",), ("deletion",)),
    "NewExecutableRenamed": Kind(("file",), _CHANGE),
    "NewExecutableWritten": Kind(("file",), ("creation",)),
    "NewScriptWritten": Kind(("file",), ("creation",)),
    "SuspiciousCreateSymbolicLink": Kind(("malware", "file"), ("creation", "info")),
    "RansomwareRenameFile": Kind(("file",), _CHANGE),
    "AsepFileChange": Kind(("file",), ("creation", "change")),
    "QuarantinedFile": Kind(("file",), _CHANGE),
    "VolumeSnapshotCreated": Kind(("file",), ("creation",)),
    "VolumeSnapshotDeleted": Kind(("file",), ("deletion",)),
}
REGISTRY_EVENTS = {
    "AsepKeyUpdate": Kind(("registry",), _CHANGE),
    "AsepValueUpdate": Kind(("registry",), _CHANGE),
    "RegGenericKeyUpdate": Kind(("registry",), _CHANGE),
    "RegSystemConfigKeyUpdate": Kind(("registry",), _CHANGE),
    "UnclassifiedRegValueUpdate": Kind(("registry",), _CHANGE),
    "RegGenericValueUpdate": Kind(("registry",), _CHANGE),
    "RegSystemConfigValueUpdate": Kind(("registry", "host", "configuration"), _CHANGE),
    "SuspiciousRegAsepUpdate": Kind(("malware", "registry", "configuration"), ("change", "info")),
    "RegistryOperationDetectInfo": Kind(("registry",), ("info",)),
}
NETWORK_EVENTS = {
    "NetworkConnectIP4": Kind(("network",), ("start", "connection")),
    "NetworkConnectIP6": Kind(("network",), ("start", "connection")),
    "NetworkCloseIP4": Kind(("network",), ("end", "connection")),
    "NetworkCloseIP6": Kind(("network",), ("end", "connection")),
    "NetworkListenIP4": Kind(("network",), _START),
    "NetworkListenIP6": Kind(("network",), _START),
    "NetworkReceiveAcceptIP4": Kind(("network",), ("allowed", "access", "connection")),
    "NetworkReceiveAcceptIP6": Kind(("network",), ("allowed", "access", "connection")),
    "RawBindIP4": Kind(("network",), ("start", "connection")),
    "RawBindIP6": Kind(("network",), ("start", "connection")),
    "SmbClientShareOpenedEtw": Kind(("network",), ("connection", "start")),
    "SmbClientShareClosedEtw": Kind(("network",), ("connection", "end")),
    "SmbServerShareOpenedEtw": Kind(("network",), ("connection", "start")),
}
DNS_EVENTS = {
    "DnsRequest": Kind(("network",), ("protocol",)),
    "DnsRequestBlocked": Kind(("network",), ("protocol",)),
    "DnsRequestResult": Kind(("network",), ("protocol",)),
    "SuspiciousDnsRequest": Kind(("network",), ("start", "protocol")),
}
MODULE_EVENTS = {
    "ClassifiedModuleLoad": Kind(("library",), _START),
    "LoadImage": Kind(("library",), _START),
    "UnsignedModuleLoad": Kind(("library",), _START),
    "ImageHash": Kind(("library",), _START),
}
DRIVER_EVENTS = {
    "DriverLoad": Kind(("driver",), _START),
    "KernelModeLoadImage": Kind(("driver",), _START),
}
KINDS = {
    **PROCESS_EVENTS,
    **FILE_EVENTS,
    **REGISTRY_EVENTS,
    **NETWORK_EVENTS,
    **DNS_EVENTS,
    **MODULE_EVENTS,
    **DRIVER_EVENTS,
    "UserIdentity": Kind(("authentication", "iam"), ("info", "user")),
    "UserLogoff": Kind(("authentication",), _END),
    "UserLogon": Kind(("authentication",), _START),
    "UserLogonFailed": Kind(("authentication",), _START),
    "UserLogonFailed2": Kind(("authentication",), _START),
    "UserAccountAddedToGroup": Kind(("configuration", "iam"), ("change", "group")),
    "UserAccountCreated": Kind(("configuration", "iam"), ("creation",)),
    "UserAccountDeleted": Kind(("configuration", "iam"), ("deletion",)),
    "ScheduledTaskRegistered": Kind(("configuration",), ("creation",)),
    "ScheduledTaskModified": Kind(("configuration",), _CHANGE),
    "ScheduledTaskDeleted": Kind(("configuration",), ("deletion",)),
    "CreateService": Kind(("host",), _CHANGE),
    "ModifyServiceBinary": Kind(("file",), _CHANGE),
    "FirewallDisabled": Kind(("configuration", "host"), _CHANGE),
    "HostInfo": Kind(("host",), ("info",)),
    "AgentOnline": Kind(("configuration", "package", "host"), ("change", "installation", "start")),
    "SensorHeartbeat": Kind(("package",), ("info",)),
    HOST_RECORD: Kind(("host",), ("info",), HOST_RECORD),
    USER_RECORD: Kind(("iam",), ("info", "user"), USER_RECORD),
}
FAILED_LOGONS = ("UserLogonFailed", "UserLogonFailed2")
LOGONS = ("UserLogon", *FAILED_LOGONS)
# What was done to a registry key or value, by number.
REGISTRY_TYPES_OF_CHANGE = {
    "1": ["change"], "2": ["deletion"], "3": ["creation"], "4": ["deletion"], "5": ["change"], "6": ["info"],
    "7": ["change"], "8": ["access"], "9": ["access"],
}  # fmt: skip


def kind_of_event(name: str, _: str) -> str:
    """Files of each format are written under a name of their own (`PdfFileWritten`)."""
    return name if name in KINDS or not name.endswith("Written") else WRITTEN


def kind_of_host_record(agent: str, computer: str) -> str | None:
    """Records about hosts are of no event; they hold an agent's id and its computer's name."""
    return HOST_RECORD if agent and computer else None


def kind_of_user_record(sid: str, name: str) -> str | None:
    """Records about users hold a security identifier and its user's name."""
    return USER_RECORD if sid and name else None
