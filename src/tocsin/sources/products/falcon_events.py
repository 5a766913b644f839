"""CrowdStrike Falcon: what the events of its Windows sensor mean.

Names: the Falcon events data dictionary. Categories, types and outcomes follow Elastic's integration. Events about
the sensor itself, about clouds, and of other systems have no category here.
"""

from __future__ import annotations

from tocsin.sources.mapping import Kind

HOST_RECORD, USER_RECORD, WRITTEN = "aidmaster", "userinfo", "FileWritten"


def _of(category: str, type_: str, outcome: str | None, names: str) -> dict[str, Kind]:
    kind = Kind(tuple(category.split()), tuple(type_.split()), outcome=outcome)
    return dict.fromkeys(names.split(), kind)


PROCESS_EVENTS = {
    **_of("process", "start", "success", """
        ClassifiedProcessStart CreateProcessArgs CreateThreadKernelNoStartImage CreateThreadNoStartImage
        FlashThreadCreateProcess HostedServiceStarted ProcessRollup ProcessRollup2 RemoteThreadCreate
        ServiceStarted SyntheticProcessRollup2 WSLDistributionStarted WSLVMStarted WmiCreateProcess
    """),
    **_of("process", "start", None, "KernelServiceStarted"),
    **_of("process file", "start", "success", "ProcessExecOnRDPFile ProcessExecOnWinRMFile"),
    **_of("session process", "start", "success", "ProcessSessionCreated"),
    **_of("process malware", "start", "unknown", "SuspectCreateThreadStack"),
    **_of("process", "end", "success", """
        AbnormalTerminationNotification EndOfProcess HostedServiceStopped ProcessSelfDeleted ServiceStopped
        TerminateProcess TerminateRemoteProcessEtw WSLDistributionStopping WSLVMStopping
    """),
    **_of("process", "end", "failure", "CsUmProcessCrashSummaryEvent KillProcessError SuspendProcessError"),
    **_of("process", "end info", "success", "CommandHistory"),
    **_of("process", "end info", "unknown", "ProcessActivitySummary"),
    **_of("process", "change", "success", """
        CreateThreadReflectiveDll DllInjection InjectedThread InjectedThreadFromUnsignedModule JavaInjectedThread
        ProcessInjection ThreadBlocked
    """),
    **_of("process", "change", "unknown", """
        KernelCallbackTableUpdate LsassHandleFromUnsignedModule ProcessHandleOpDowngraded ProtectVmEtw
        RemoteProcessMemoryWrite SetThreadCtxEtw UserSetProcessBreakOnTermination
    """),
    **_of("process configuration", "change", "success", "MemoryProtectionChanged MemoryProtectionUpdated"),
    **_of("process authentication", "change", "success", """
        ProcessTokenPrivilegesEdited ProcessTokenStolen SystemTokenStolen UACAxisElevation
        UACCredentialCaptureElevation
    """),
    **_of("process authentication", "info change", "success", """
        TokenImpersonated UACCOMElevation UACExeElevation UACMSIElevation
    """),
    **_of("process authentication", "info", "unknown", "ImpersonationTokenInfo"),
    **_of("process", "access change", "success", "BrowserInjectedThread DocumentProgramInjectedThread"),
    **_of("process", "access", "success", """
        PrivilegedProcessHandleFromUnsignedModule ReflectiveDllOpenProcess ScreenshotTakenEtw
        WroteExeAndGeneratedServiceEvent
    """),
    **_of("process", "access", "failure", "ProcessBlocked"),
    **_of("process", "access", "unknown", """
        PrivilegedProcessHandle RemoteProcessMemoryRead UserEatAccessMonitoring
    """),
    **_of("process file", "access", "success", "ProcessExecOnPackedExecutable"),
    **_of("process file network", "access", "success", "ProcessExecOnSMBFile"),
    **_of("process", "info", "success", "SensitiveWmiQuery"),
    **_of("process", "info", None, "SuspiciousPrivilegedProcessHandle"),
    **_of("process", "info", "failure", "BlockThreadFailed"),
    **_of("process", "info", "unknown", """
        AllocVmEtw GetAsyncKeyStateEtwBatch IPCDetectInfo ProcessAncestryInformation ProcessPatternTelemetry
        ProcessRollup2Stats ProcessTreeCompositionPatternTelemetry ScriptControlDotNetMetadata SetWindowsHook
        SetWindowsHookExEtw ShellCommandLineInfo SyntheticPR2Stats UmppcDetectInfo XumdHookEvent
    """),
    **_of("process malware", "info", "success", "ProcessHandleOpDetectInfo UserExceptionDEP"),
    **_of("malware process", "info", "success", "SuspiciousUserRemoteAPCAttempt"),
    **_of("malware process", "info access", None, "FalconProcessHandleOpDetectInfo"),
    **_of("malware file", "info", "success", """
        ScriptControlBlocked ScriptControlDetectInfo ScriptControlScanInfo ScriptControlScanTelemetry
    """),
}  # fmt: skip
FILE_EVENTS = {
    # Files of each format are written under a name of their own.
    **_of("file", "creation", "success", f"""
        {WRITTEN} DirectoryCreate FileCreateInfo FileWrittenWithEntropyHigh NewExecutableWritten NewScriptWritten
        QueueApcEtw RansomwareCreateFile ScriptFileWrittenInfo VolumeSnapshotCreated
    """),
    **_of("file", "creation", "unknown", "FileDetectInfo FsPostCreate NtfsLinkCreatedDetectInfo"),
    **_of("file", "creation info", "success", "SuspiciousCreateSymbolicLink"),
    **_of("malware file", "creation info", "success", "SuspiciousEseFileWritten SuspiciousPeFileWritten"),
    **_of("network file", "connection creation", "success", "BITSJobCreated"),
    **_of("file", "creation change", "success", "AsepFileChange"),
    **_of("file", "change", "success", """
        CriticalFileModified FileContentsChanged FileRenameInfo FileTimestampsModified NewExecutableRenamed
        RansomwareRenameFile
    """),
    **_of("file", "change", "unknown", "AsepFileChangeDetectInfo ModifyServiceBinary QuarantinedFile"),
    **_of("file", "deletion", "success", "ExecutableDeleted FileDeleteInfo FileDeleted VolumeSnapshotDeleted"),
    **_of("file", "change deletion", "failure", "FileSystemOperationBlocked"),
    **_of("file", "change deletion", "unknown", "FileSystemOperationDetectInfo"),
    **_of("file", "access", "success", """
        CriticalFileAccessed FileOpenInfo FsPostOpenSnapshotFile RansomwareFileAccessPattern RansomwareOpenFile
        SuspiciousRawDiskRead SuspiciousRawDiskReadFromUnsignedModule
    """),
    **_of("file", "access", "unknown", "ClassifiedSensitiveFileAccess ExcelDocumentOpened FsPostOpen"),
    **_of("file network", "access", "unknown", "DirectoryTraversalOverSMB FileAccessOperationOverSMB"),
    **_of("file", "info", "success", "MountedVolume PeVersionInfo"),
    **_of("file", "info", "unknown", "FileInfo MacroContentInfo SignInfoWithCertAndContext SignInfoWithContext"),
}  # fmt: skip
REGISTRY_EVENTS = {
    **_of("registry", "change", "success", """
        AsepKeyUpdate AsepValueUpdate RegCrowdstrikeKeyUpdate RegCrowdstrikeValueUpdate RegGenericKeyUpdate
        RegGenericValueUpdate RegSystemConfigKeyUpdate UnclassifiedRegValueUpdate
    """),
    **_of("registry", "change", "unknown", "FalconHostRegTamperingInfo RegistryOperationBlocked"),
    **_of("registry host configuration", "change", "success", "RegSystemConfigValueUpdate"),
    **_of("registry malware", "change", "unknown", """
        RegKeySecurityDecreasedFromUnsignedModule ScheduledTaskTamperingRegistryOperation
    """),
    **_of("malware registry configuration", "change info", "success", "SuspiciousRegAsepUpdate"),
    **_of("registry", "access", "unknown", "RegNtPostOpenKeyEx RegValueQueryDetectInfo"),
    **_of("registry malware", "access", "unknown", "RegCredAccessDetectInfo"),
    **_of("registry file", "access creation", "success", "SAMHashDumpFromUnsignedModule"),
    **_of("registry file", "creation", "success", "RegistryHiveFileWritten"),
    **_of("registry", "info", "success", "RegistryOperationDetectInfo"),
}  # fmt: skip
NETWORK_EVENTS = {
    **_of("network", "start connection", "unknown", "NetworkConnectIP4 NetworkConnectIP6"),
    **_of("network", "start connection", "success", "CreateSocket RawBindIP4 RawBindIP6"),
    **_of("network", "end connection", "unknown", "NetworkCloseIP4 NetworkCloseIP6"),
    **_of("network", "start", "success", "NetworkListenIP4 NetworkListenIP6"),
    **_of("network", "allowed access connection", "unknown", "NetworkReceiveAcceptIP4 NetworkReceiveAcceptIP6"),
    **_of("network", "connection denied", "unknown", "NetworkConnectIP4Blocked NetworkConnectIP6Blocked"),
    **_of("network", "connection info", "unknown", "NetworkConnectIP4DetectInfo NetworkConnectIP6DetectInfo"),
    **_of("network", "connection start", "success", """
        SmbClientShareOpenedEtw SmbServerLocalNamedPipeOpenedEtw SmbServerShareOpenedEtw WiFiConnect
    """),
    **_of("network", "connection end", "success", "SmbClientShareClosedEtw WiFiDisconnect"),
    **_of("network", "connection", "success", "SmbClientNamedPipeConnectEtw"),
    **_of("network", "connection protocol", "unknown", "AppProtocolDetected TlsClientHello"),
    **_of("network", "protocol info", "unknown", "FtpCommand NetworkIcmpDataIP4 NetworkIcmpDataIP6"),
    **_of("network web", "access connection", "unknown", "HttpRequest HttpRequestV2Detect HttpResponse"),
    **_of("network session", "connection start", "success", "HttpRequestDetect"),
    **_of("network", "info", "success", "FirewallRuleIP4Matched FirewallRuleIP6Matched"),
    **_of("network", "info", "unknown", "NamedPipeDetectInfo NetworkOutboundPortScanDetectInfo NetworkSummary"),
}  # fmt: skip
DNS_EVENTS = {
    **_of("network", "protocol", "success", "DnsRequest"),
    **_of("network", "protocol denied", "unknown", "DnsRequestBlocked"),
    **_of("network", "protocol info", "unknown", "DnsRequestResult"),
    **_of("network", "start protocol", "success", "SuspiciousDnsRequest"),
    **_of("network", "info", "unknown", "DNSRequestDetectInfo"),
}
MODULE_EVENTS = {
    **_of("library", "start", "success", "ImageHash LoadImage UnsignedModuleLoad"),
    **_of("library", "start", None, "ClassifiedModuleLoad ReflectiveDotnetModuleLoad"),
    **_of("library", "start", "unknown", """
        DotnetModuleLoadDetectInfo LowILModuleLoadAttempt ModuleLoadV3DetectInfo
    """),
    **_of("library network", "start", "unknown", "NetworkModuleLoadAttempt"),
    **_of("library malware", "start", "success", "ReflectiveDllLoaded SuspiciousCredentialModuleLoad"),
}  # fmt: skip
DRIVER_EVENTS = {
    **_of("driver", "start", "success", "DriverLoad KernelModeLoadImage"),
    **_of("driver", "start", "unknown", "DriverLoadedV2DetectInfo KernelModeExecImage"),
    **_of("driver", "info", "unknown", "DriverLoadBlocked"),
    **_of("driver malware", "change", "unknown", "HookedDriverObject"),
    **_of("driver malware", "info", "unknown", "VulnerableDriverDetectInfo"),
}
LOGONS = {
    **_of("authentication", "start", "success", "UserLogon"),
    **_of("authentication", "start", "failure", "UserLogonFailed UserLogonFailed2"),
}
KINDS = {
    **PROCESS_EVENTS,
    **FILE_EVENTS,
    **REGISTRY_EVENTS,
    **NETWORK_EVENTS,
    **DNS_EVENTS,
    **MODULE_EVENTS,
    **DRIVER_EVENTS,
    **LOGONS,
    **_of("authentication", "end", "success", "UserLogoff"),
    **_of("authentication iam", "info user", "success", "UserIdentity"),
    **_of("authentication network", "info", "unknown", "SmbClientShareLogonBruteForceSuspected"),
    **_of("malware authentication", "info", "success", "RemoteBruteForceDetectInfo"),
    **_of("authentication malware", "info", "unknown", "ZerologonExploitAttempt"),
    **_of("configuration iam", "access", "unknown", "DCSyncAttempted"),
    **_of("configuration iam", "change group", "success", "UserAccountAddedToGroup"),
    **_of("configuration iam", "change", "success", "UserAccountRemovedFromGroup"),
    **_of("configuration iam", "creation", "success", "UserAccountCreated"),
    **_of("configuration iam", "deletion", "success", "UserAccountDeleted"),
    **_of("configuration iam", "creation group", "success", "UserGroupCreated"),
    **_of("configuration iam", "deletion group", "success", "UserGroupDeleted"),
    **_of("iam", "change user", "unknown", "LocalWindowsUserUpdate"),
    **_of("configuration", "creation", "success", "ScheduledTaskRegistered WSLDistributionRegistered"),
    **_of("configuration", "deletion", "success", """
        EventLogCleared ScheduledTaskDeleted WSLDistributionUnregistered
    """),
    **_of("configuration", "change", "success", """
        FirewallDeleteRule FirewallDeleteRuleIP4 FirewallDeleteRuleIP6 FirewallSetRule FirewallSetRuleIP4
        FirewallSetRuleIP6 NetShareSecurityModify ScheduledTaskModified WfpFilterTamperingFilterAdded
        WfpFilterTamperingFilterDeleted WmiFilterConsumerBindingEtw WmiProviderRegistrationEtw
    """),
    **_of("configuration host", "change", "success", """
        CriticalEnvironmentVariableChanged FirewallChangeOption FirewallDisabled FirewallEnabled
        RemovableMediaVolumeMounted
    """),
    **_of("host configuration", "change", "success", "RegisterRawInputDevicesEtw SetWinEventHookEtw"),
    **_of("host", "change", "success", """
        CreateService FsVolumeMounted FsVolumeUnmounted HostTimeModified HostnameChanged NetShareAdd NetShareDelete
    """),
    **_of("host", "info", "success", "HostInfo OsVersionInfo"),
    **_of("configuration package host", "change installation start", "success", "AgentOnline"),
    **_of("package", "installation", "success", "InstalledApplication"),
    **_of("package", "info", "success", "SensorHeartbeat"),
    HOST_RECORD: Kind(("host",), ("info",), HOST_RECORD),
    USER_RECORD: Kind(("iam",), ("info", "user"), USER_RECORD),
}  # fmt: skip
# What was done to a registry key or value, by number.
REGISTRY_TYPES_OF_CHANGE = {
    "1": ["change"], "2": ["deletion"], "3": ["creation"], "4": ["deletion"], "5": ["change"], "6": ["info"],
    "7": ["change"], "8": ["access"], "9": ["access"],
}  # fmt: skip


def kind_of_event(name: str, _: str) -> str:
    """Return the kind of an event; each format of files has its own event for writing one (`PdfFileWritten`)."""
    return name if name in KINDS or not name.endswith("Written") else WRITTEN


def kind_of_host_record(agent: str, computer: str) -> str | None:
    """Return the kind of a record about a host, which holds an agent's id and its computer's name."""
    return HOST_RECORD if agent and computer else None


def kind_of_user_record(sid: str, name: str) -> str | None:
    """Return the kind of a record about a user, which holds a security identifier and its user's name."""
    return USER_RECORD if sid and name else None
