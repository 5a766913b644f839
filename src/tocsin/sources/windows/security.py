"""The Security channel: logons, accounts, groups, processes, services, tasks, shares, audit policy."""

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, Kind, register, rows

_AUTHENTICATION, _IAM, _CONFIGURATION = ("authentication",), ("iam",), ("configuration",)
_IAM_CONFIGURATION = ("iam", "configuration")


def _members(*numbers: int, scope: str = "") -> dict[int, Kind]:
    """The six events of one kind of group: created, changed, member added, member removed, deleted."""
    created, changed, added, removed, deleted = numbers
    account = f"{scope}group-account" if scope else "group-account"
    group = f"{scope}group"
    changing = "changed" if scope else "modified"
    return {
        created: Kind(_IAM, ("group", "creation"), f"added-{account}"),
        changed: Kind(_IAM, ("group", "change"), f"{changing}-{account}"),
        added: Kind(_IAM, ("group", "change"), f"added-member-to-{group}"),
        removed: Kind(_IAM, ("group", "change"), f"removed-member-from-{group}"),
        deleted: Kind(_IAM, ("group", "deletion"), f"deleted-{account}"),
    }


KINDS = {
    1100: Kind(("process",), ("end",), "logging-service-shutdown"),
    1102: Kind(_IAM, ("admin", "change"), "audit-log-cleared"),
    1104: Kind(_IAM, ("admin",), "logging-full"),
    1105: Kind(_IAM, ("admin",), "auditlog-archieved"),  # spelled so in the integration
    1108: Kind(_IAM, ("admin",), "logging-processing-error"),
    4610: Kind(_CONFIGURATION, ("access",), "authentication-package-loaded"),
    4611: Kind(_CONFIGURATION, ("change",), "trusted-logon-process-registered"),
    4614: Kind(_CONFIGURATION, ("access",), "notification-package-loaded"),
    4616: Kind(_CONFIGURATION, ("change",), "system-time-changed"),
    4622: Kind(_CONFIGURATION, ("access",), "security-package-loaded"),
    4624: Kind(_AUTHENTICATION, ("start",), "logged-in"),
    4625: Kind(_AUTHENTICATION, ("start",), "logon-failed"),
    4634: Kind(_AUTHENTICATION, ("end",), "logged-out"),
    4647: Kind(_AUTHENTICATION, ("end",), "logged-out"),
    4648: Kind(_AUTHENTICATION, ("start",), "logged-in-explicit"),
    4657: Kind(("registry", "configuration"), ("change",), "registry-value-modified"),
    4670: Kind(_IAM_CONFIGURATION, ("admin", "change"), "permissions-changed"),
    4672: Kind(_IAM, ("admin",), "logged-in-special"),
    4673: Kind(_IAM, ("admin",), "privileged-service-called"),
    4674: Kind(_IAM, ("admin",), "privileged-operation"),
    4688: Kind(("process",), ("start",), "created-process"),
    4689: Kind(("process",), ("end",), "exited-process"),
    4697: Kind(_IAM_CONFIGURATION, ("admin", "change"), "service-installed"),
    4698: Kind(_IAM_CONFIGURATION, ("creation", "admin"), "scheduled-task-created"),
    4699: Kind(_IAM_CONFIGURATION, ("deletion", "admin"), "scheduled-task-deleted"),
    4700: Kind(_IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-enabled"),
    4701: Kind(_IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-disabled"),
    4702: Kind(_IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-updated"),
    4706: Kind(_CONFIGURATION, ("creation",), "domain-trust-added"),
    4707: Kind(_CONFIGURATION, ("deletion",), "domain-trust-removed"),
    4713: Kind(_CONFIGURATION, ("change",), "kerberos-policy-changed"),
    4714: Kind(_CONFIGURATION, ("change",), "encrypted-data-recovery-policy-changed"),
    4715: Kind(_CONFIGURATION, ("change",), "object-audit-policy-changed"),
    4716: Kind(_CONFIGURATION, ("change",), "trusted-domain-information-changed"),
    4717: Kind(_IAM_CONFIGURATION, ("admin", "change"), "system-security-access-granted"),
    4718: Kind(_IAM_CONFIGURATION, ("admin", "deletion"), "system-security-access-removed"),
    4719: Kind(_IAM_CONFIGURATION, ("admin", "change"), "changed-audit-config"),
    4720: Kind(_IAM, ("user", "creation"), "added-user-account"),
    4722: Kind(_IAM, ("user", "change"), "enabled-user-account"),
    4723: Kind(_IAM, ("user", "change"), "changed-password"),
    4724: Kind(_IAM, ("user", "change"), "reset-password"),
    4725: Kind(_IAM, ("user", "deletion"), "disabled-user-account"),
    4726: Kind(_IAM, ("user", "deletion"), "deleted-user-account"),
    **_members(4727, 4737, 4728, 4729, 4730),
    **_members(4731, 4735, 4732, 4733, 4734),
    **_members(4754, 4755, 4756, 4757, 4758),
    **_members(4744, 4745, 4746, 4747, 4748, scope="distribution-"),
    **_members(4749, 4750, 4751, 4752, 4753, scope="distribution-"),
    **_members(4759, 4760, 4761, 4762, 4763, scope="distribution-"),
    4738: Kind(_IAM, ("user", "change"), "modified-user-account"),
    4739: Kind(_CONFIGURATION, ("change",), "domain-policy-changed"),
    4740: Kind(_IAM, ("user", "change"), "locked-out-user-account"),
    4741: Kind(_IAM, ("creation", "admin"), "added-computer-account"),
    4742: Kind(_IAM, ("change", "admin"), "changed-computer-account"),
    4743: Kind(_IAM, ("deletion", "admin"), "deleted-computer-account"),
    4764: Kind(_IAM, ("group", "change"), "type-changed-group-account"),
    4767: Kind(_IAM, ("user", "change"), "unlocked-user-account"),
    4768: Kind(_AUTHENTICATION, ("start",), "kerberos-authentication-ticket-requested"),
    4769: Kind(_AUTHENTICATION, ("start",), "kerberos-service-ticket-requested"),
    4770: Kind(_AUTHENTICATION, ("start",), "kerberos-service-ticket-renewed"),
    4771: Kind(_AUTHENTICATION, ("start",), "kerberos-preauth-failed"),
    4776: Kind(_AUTHENTICATION, ("start",), "credential-validated"),
    4778: Kind(("authentication", "session"), ("start",), "session-reconnected"),
    4779: Kind(("authentication", "session"), ("end",), "session-disconnected"),
    4781: Kind(_IAM, ("user", "change"), "renamed-user-account"),
    4798: Kind(_IAM, ("user", "info"), "group-membership-enumerated"),
    4799: Kind(_IAM, ("group", "info"), "user-member-enumerated"),
    4817: Kind(_IAM_CONFIGURATION, ("admin", "change"), "object-audit-changed"),
    4902: Kind(_IAM_CONFIGURATION, ("admin", "creation"), "user-audit-policy-created"),
    4904: Kind(_IAM_CONFIGURATION, ("admin", "change"), "security-event-source-added"),
    4905: Kind(_IAM_CONFIGURATION, ("admin", "deletion"), "security-event-source-removed"),
    4906: Kind(_IAM_CONFIGURATION, ("admin", "change"), "crash-on-audit-changed"),
    4907: Kind(_IAM_CONFIGURATION, ("admin", "change"), "audit-setting-changed"),
    4908: Kind(_IAM_CONFIGURATION, ("admin", "change"), "special-group-table-changed"),
    4912: Kind(_IAM_CONFIGURATION, ("admin", "change"), "per-user-audit-policy-changed"),
    4950: Kind(_CONFIGURATION, ("change",), "windows-firewall-setting-changed"),
    4954: Kind(_CONFIGURATION, ("change",), "windows-firewall-group-policy-changed"),
    4964: Kind(_IAM, ("admin", "group"), "logged-in-special"),
    5024: Kind(("process",), ("start",), "windows-firewall-service-started"),
    5025: Kind(("process",), ("end",), "windows-firewall-service-stopped"),
    5033: Kind(("driver",), ("start",), "windows-firewall-driver-started"),
    5034: Kind(("driver",), ("end",), "windows-firewall-driver-stopped"),
    5037: Kind(("driver",), ("end",), "windows-firewall-driver-error"),
    5140: Kind(("network", "file"), ("info", "access"), "network-share-object-accessed"),
    5145: Kind(("network", "file"), ("info", "access"), "network-share-object-access-checked"),
    5152: Kind(("network",), ("connection", "denied"), "windows-firewall-packet-drop"),
    5157: Kind(("network",), ("connection", "denied"), "windows-firewall-packet-block"),
}

LOGON_TYPES = {
    "2": "Interactive",
    "3": "Network",
    "4": "Batch",
    "5": "Service",
    "7": "Unlock",
    "8": "NetworkCleartext",
    "9": "NewCredentials",
    "10": "RemoteInteractive",
    "11": "CachedInteractive",
}
_SERVICE_TYPES = {
    "0x1": "Kernel Driver",
    "0x2": "File System Driver",
    "0x8": "Recognizer Driver",
    "0x10": "Win32 Own Process",
    "0x20": "Win32 Share Process",
    "0x110": "Interactive Own Process",
    "0x120": "Interactive Share Process",
}
# [MS-SAMR] 2.2.1.12, USER_ACCOUNT codes: the Security log has these, not Active Directory's userAccountControl.
_ACCOUNT_CONTROL = {
    0x1: "USER_ACCOUNT_DISABLED",
    0x2: "USER_HOME_DIRECTORY_REQUIRED",
    0x4: "USER_PASSWORD_NOT_REQUIRED",
    0x8: "USER_TEMP_DUPLICATE_ACCOUNT",
    0x10: "USER_NORMAL_ACCOUNT",
    0x20: "USER_MNS_LOGON_ACCOUNT",
    0x40: "USER_INTERDOMAIN_TRUST_ACCOUNT",
    0x80: "USER_WORKSTATION_TRUST_ACCOUNT",
    0x100: "USER_SERVER_TRUST_ACCOUNT",
    0x200: "USER_DONT_EXPIRE_PASSWORD",
    0x400: "USER_ACCOUNT_AUTO_LOCKED",
    0x800: "USER_ENCRYPTED_TEXT_PASSWORD_ALLOWED",
    0x1000: "USER_SMARTCARD_REQUIRED",
    0x2000: "USER_TRUSTED_FOR_DELEGATION",
    0x4000: "USER_NOT_DELEGATED",
    0x8000: "USER_USE_DES_KEY_ONLY",
    0x10000: "USER_DONT_REQUIRE_PREAUTH",
    0x20000: "USER_PASSWORD_EXPIRED",
    0x40000: "USER_TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION",
    0x80000: "USER_NO_AUTH_DATA_REQUIRED",
    0x100000: "USER_PARTIAL_SECRETS_ACCOUNT",
    0x200000: "USER_USE_AES_KEYS",
}
_ACCESS_MASKS = {
    "0x1": "Create Child",
    "0x2": "Delete Child",
    "0x4": "List Contents",
    "0x8": "SELF",
    "0x10": "Read Property",
    "0x20": "Write Property",
    "0x40": "Delete Tree",
    "0x80": "List Object",
    "0x100": "Control Access",
    "0x10000": "DELETE",
    "0x20000": "READ_CONTROL",
    "0x40000": "WRITE_DAC",
    "0x80000": "WRITE_OWNER",
    "0x100000": "SYNCHRONIZE",
    "0x1000000": "ADS_RIGHT_ACCESS_SYSTEM_SECURITY",
    "0x10000000": "ADS_RIGHT_GENERIC_ALL",
    "0x20000000": "ADS_RIGHT_GENERIC_EXECUTE",
    "0x40000000": "ADS_RIGHT_GENERIC_WRITE",
    "0x80000000": "ADS_RIGHT_GENERIC_READ",
}


def _account_control(value: str) -> list[str] | None:
    flags = v.number(value)
    return [name for bit, name in _ACCOUNT_CONTROL.items() if flags & bit] or None if flags else None


def _access_mask(value: str) -> list[str] | None:
    flags = v.number(value)
    if not flags:
        return None
    return [name for bit, name in _ACCESS_MASKS.items() if flags & int(bit, 16)] or None


def _privileges(value: str) -> list[str] | None:
    return value.split() or None


def _member_name(value: str) -> str | None:
    return value.split(",")[0].removeprefix("CN=").removeprefix("cn=") or None


# The account that these events are about acts itself: it is `user`.
_LOGONS = (4624, 4625, 4634, 4647, 4768, 4769, 4770, 4771, 4776, 4964)
_SUBJECT = tuple(number for number in KINDS if number not in (*_LOGONS, 4778, 4779))
_ON_USER = (4670, 4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4767, 4798, 4817, 4907)
_ON_GROUP = tuple(number for number, kind in KINDS.items() if "group" in kind.type and number != 4964)
_ON_COMPUTER = (4741, 4742, 4743)
_AS_ANOTHER = (4648, 4688)
_SESSION = (4778, 4779)
_SHARE = (5140, 5145)
_FIREWALL = (5152, 5156, 5157, 5158)
_NOT_4688 = (*(number for number in KINDS if number != 4688), 4656, 4661, 4663, 5136)

ROWS = (
    # ---- who
    *rows("SubjectUserSid", "user.id", events=_SUBJECT),
    *rows("SubjectUserName", "user.name", "related.user", events=_SUBJECT),
    *rows("SubjectDomainName", "user.domain", events=_SUBJECT),
    *rows("SubjectUserName", "related.user", events=(4624, 4648)),
    *rows("SubjectLogonId", "winlog.logon.id"),
    *rows("TargetSid", "user.id", events=_LOGONS),
    *rows("TargetUserSid", "user.id", events=_LOGONS),
    *rows("TargetUserName", ("user.name", v.before_at), ("related.user", v.before_at), events=_LOGONS),
    *rows("TargetDomainName", "user.domain", events=_LOGONS),
    *rows("TargetLogonId", "winlog.logon.id", events=(4634, 4647, 4964)),
    *rows("TargetUserSid", "user.effective.id", events=_AS_ANOTHER),
    *rows(
        "TargetUserName",
        ("user.effective.name", v.before_at),
        ("related.user", v.before_at),
        events=_AS_ANOTHER,
    ),
    *rows("TargetDomainName", "user.effective.domain", events=_AS_ANOTHER),
    *rows("TargetSid", "user.target.id", events=_ON_USER),
    *rows("TargetUserName", ("user.target.name", v.before_at), ("related.user", v.before_at), events=_ON_USER),
    *rows("TargetDomainName", "user.target.domain", events=_ON_USER),
    *rows("OldTargetUserName", "user.target.name", "related.user"),
    *rows("NewTargetUserName", "user.changes.name", "related.user"),
    *rows("AccountName", "user.name", "related.user", events=_SESSION),
    *rows("AccountDomain", "user.domain", events=_SESSION),
    *rows("LogonID", "winlog.logon.id", events=_SESSION),
    *rows("LogonType", ("winlog.logon.type", v.lookup(LOGON_TYPES))),
    # ---- groups and computers
    *rows("MemberName", ("user.target.name", _member_name), ("related.user", _member_name), events=_ON_GROUP),
    *rows("TargetUserSid", "group.id", events=_ON_GROUP),
    *rows("TargetSid", "group.id", events=_ON_GROUP),
    *rows("TargetUserName", "group.name", events=_ON_GROUP),
    *rows("TargetDomainName", "group.domain", events=_ON_GROUP),
    *rows("TargetSid", "winlog.computerObject.id", events=_ON_COMPUTER),
    *rows("TargetUserName", "winlog.computerObject.name", events=_ON_COMPUTER),
    *rows("TargetDomainName", "winlog.computerObject.domain", events=_ON_COMPUTER),
    *rows("NewUacValue", ("winlog.event_data.NewUACList", _account_control)),
    *rows("AccessMask", ("winlog.event_data.AccessMaskDescription", _access_mask), events=(4662,)),
    *rows("PrivilegeList", ("winlog.event_data.PrivilegeList", _privileges)),
    *rows("EnabledPrivilegeList", ("winlog.event_data.EnabledPrivilegeList", _privileges)),
    # ---- processes
    *rows("ProcessId", ("process.pid", v.number), events=_NOT_4688),
    *rows("ProcessName", "process.executable", ("process.name", v.base_name), events=_NOT_4688),
    *rows("NewProcessId", ("process.pid", v.number), events=(4688,)),
    *rows("NewProcessName", "process.executable", ("process.name", v.base_name), events=(4688,)),
    *rows("ProcessId", ("process.parent.pid", v.number), events=(4688,)),
    *rows("ParentProcessName", "process.parent.executable", ("process.parent.name", v.base_name), events=(4688,)),
    *rows("CommandLine", *t.command_line("process"), events=(4688,)),
    # ---- where from, where to
    *rows("IpAddress", ("source.ip", v.address), ("related.ip", v.address)),
    *rows("IpPort", ("source.port", v.number)),
    *rows("WorkstationName", "source.domain"),
    *rows("ClientAddress", ("source.ip", v.address), ("related.ip", v.address), events=_SESSION),
    *rows("ClientName", "source.domain", events=_SESSION),
    *rows("SourceAddress", ("source.ip", v.address), ("related.ip", v.address), events=_FIREWALL),
    *rows("SourcePort", ("source.port", v.number), events=_FIREWALL),
    *rows("DestAddress", ("destination.ip", v.address), ("related.ip", v.address), events=_FIREWALL),
    *rows("DestPort", ("destination.port", v.number), events=_FIREWALL),
    *rows("Application", "process.executable", ("process.name", v.base_name), events=_FIREWALL),
    *rows("ProcessID", ("process.pid", v.number), events=_FIREWALL),
    # ---- services, shares, registry
    *rows("ServiceName", "service.name"),
    *rows("ServiceType", ("service.type", v.lookup(_SERVICE_TYPES))),
    *rows("RelativeTargetName", "file.name", ("file.extension", v.extension), events=_SHARE),
    *rows("ShareLocalPath", "file.directory", events=_SHARE),
    *rows("ObjectName", "registry.path", events=(4657,)),
    *rows("ObjectValueName", "registry.value", events=(4657,)),
    *rows("NewValue", ("registry.data.strings", v.registry_strings), events=(4657,)),
)


def _share_path(folder: str | None, name: str | None) -> str | None:
    return f"{folder}\\{name}" if folder and name else None


DERIVED = (Derived("file.path", ("ShareLocalPath", "RelativeTargetName"), _share_path, frozenset(_SHARE)),)

SECURITY = register(
    Dataset("system.security", "system", "logs-system.security-default", KINDS, ROWS, derived=DERIVED)
)
