"""What the events of the Security channel mean.

After `security_standard.yml` of elastic/integrations, and where the version read did not have an event, after the
package's published tests. An event that is not here has its task's name as its action, as shippers send it.
"""

from tocsin.sources.mapping import Kind

TESTS = "elastic/integrations, packages/system, published tests (read November 2026)"

CERTIFICATES = (
    "elastic/integrations, packages/windows, published tests of Certificate Services (read November 2026)"
)

_AUTHENTICATION, _IAM, _CONFIGURATION = ("authentication",), ("iam",), ("configuration",)
_SUBJECT = "winlog.event_data.SubjectUserSid"
_IAM_CONFIGURATION = ("iam", "configuration")


def _members(*numbers: int, scope: str = "") -> dict[int, Kind]:
    """Return the five events of one kind of group: created, changed, member added, member removed, deleted."""
    created, changed, added, removed, deleted = numbers
    account = f"{scope}group-account" if scope else "group-account"
    group = f"{scope}group"
    changing = "changed" if scope else "modified"
    actions = {
        created: ("creation", f"added-{account}"),
        changed: ("change", f"{changing}-{account}"),
        added: ("change", f"added-member-to-{group}"),
        removed: ("change", f"removed-member-from-{group}"),
        deleted: ("deletion", f"deleted-{account}"),
    }
    return {
        number: Kind(_IAM, ("group", type_), action, always=_SUBJECT)
        for number, (type_, action) in actions.items()
    }


KINDS = {
    1100: Kind(("process",), ("end",), "logging-service-shutdown"),
    1102: Kind(_IAM, ("admin", "change"), "audit-log-cleared", always="user.name"),
    1104: Kind(_IAM, ("admin",), "logging-full"),
    1105: Kind(_IAM, ("admin",), "auditlog-archieved"),  # spelled so in the integration
    1108: Kind(_IAM, ("admin",), "logging-processing-error"),
    4610: Kind(_CONFIGURATION, ("access",), "authentication-package-loaded"),
    4611: Kind(_CONFIGURATION, ("change",), "trusted-logon-process-registered"),
    4614: Kind(_CONFIGURATION, ("access",), "notification-package-loaded"),
    4616: Kind(_CONFIGURATION, ("change",), "system-time-changed"),
    4622: Kind(_CONFIGURATION, ("access",), "security-package-loaded"),
    4624: Kind(_AUTHENTICATION, ("start",), "logged-in", always="winlog.event_data.LogonType"),
    4625: Kind(_AUTHENTICATION, ("start",), "logon-failed", always="winlog.event_data.LogonType"),
    4627: Kind(_IAM, ("info",), "group-membership-info", source=TESTS, always="winlog.event_data.LogonType"),
    4634: Kind(_AUTHENTICATION, ("end",), "logged-out", always="winlog.event_data.LogonType"),
    4647: Kind(_AUTHENTICATION, ("end",), "logged-out", always="winlog.event_data.TargetUserSid"),
    4648: Kind(_AUTHENTICATION, ("start",), "logged-in-explicit", always=_SUBJECT),
    4657: Kind(
        ("registry", "configuration"),
        ("change",),
        "registry-value-modified",
        always="winlog.event_data.ObjectName",
    ),
    4658: Kind(_IAM_CONFIGURATION, ("change",), "handle-closed-object", source=TESTS, always=_SUBJECT),
    4659: Kind(_IAM_CONFIGURATION, ("change",), "object-was-requested-with-intent-to-delete", source=TESTS),
    4660: Kind(("file", "registry"), ("deletion",), "object-deleted", source=TESTS),
    4662: Kind(_IAM_CONFIGURATION, ("admin", "change"), "object-operation-performed", always=_SUBJECT),
    4664: Kind(("file",), ("creation",), "create-hard-link", source=TESTS),
    4670: Kind(_IAM_CONFIGURATION, ("admin", "change"), "permissions-changed", always=_SUBJECT),
    4672: Kind(_IAM, ("admin",), "logged-in-special", always=_SUBJECT),
    4673: Kind(_IAM, ("admin",), "privileged-service-called", always=_SUBJECT),
    4674: Kind(_IAM, ("admin",), "privileged-operation", always=_SUBJECT),
    4675: Kind(_AUTHENTICATION, ("info",), "sids-filtered", source=TESTS),
    4688: Kind(("process",), ("start",), "created-process", always="process.executable"),
    4689: Kind(("process",), ("end",), "exited-process", always="process.executable"),
    4690: Kind(("process",), ("access",), "duplicate-handle-attempt", source=TESTS, always=_SUBJECT),
    4691: Kind(("process",), ("access",), "indirect-object-access-requested", source=TESTS),
    4692: Kind(_CONFIGURATION, ("access",), "dpapi-master-key-backup-attempted", source=TESTS),
    4695: Kind(_CONFIGURATION, ("access",), "auditable-data-unprotection-attempted", source=TESTS),
    4697: Kind(_IAM_CONFIGURATION, ("admin", "change"), "service-installed", always="service.name"),
    4698: Kind(
        _IAM_CONFIGURATION, ("creation", "admin"), "scheduled-task-created", always="winlog.event_data.TaskName"
    ),
    4699: Kind(
        _IAM_CONFIGURATION, ("deletion", "admin"), "scheduled-task-deleted", always="winlog.event_data.TaskName"
    ),
    4700: Kind(
        _IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-enabled", always="winlog.event_data.TaskName"
    ),
    4701: Kind(
        _IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-disabled", always="winlog.event_data.TaskName"
    ),
    4702: Kind(
        _IAM_CONFIGURATION, ("change", "admin"), "scheduled-task-updated", always="winlog.event_data.TaskName"
    ),
    4704: Kind(_IAM, ("change", "user"), "user-right-assigned", source=TESTS),
    4705: Kind(_IAM, ("change", "user"), "user-right-removed", source=TESTS),
    4706: Kind(_CONFIGURATION, ("creation",), "domain-trust-added"),
    4707: Kind(_CONFIGURATION, ("deletion",), "domain-trust-removed"),
    4713: Kind(_CONFIGURATION, ("change",), "kerberos-policy-changed"),
    4714: Kind(_CONFIGURATION, ("change",), "encrypted-data-recovery-policy-changed"),
    4715: Kind(_CONFIGURATION, ("change",), "object-audit-policy-changed"),
    4716: Kind(_CONFIGURATION, ("change",), "trusted-domain-information-changed"),
    4717: Kind(_IAM_CONFIGURATION, ("admin", "change"), "system-security-access-granted"),
    4718: Kind(_IAM_CONFIGURATION, ("admin", "deletion"), "system-security-access-removed"),
    4719: Kind(_IAM_CONFIGURATION, ("admin", "change"), "changed-audit-config", always=_SUBJECT),
    4720: Kind(_IAM, ("user", "creation"), "added-user-account", always=_SUBJECT),
    4722: Kind(_IAM, ("user", "change"), "enabled-user-account", always=_SUBJECT),
    4723: Kind(_IAM, ("user", "change"), "changed-password", always=_SUBJECT),
    4724: Kind(_IAM, ("user", "change"), "reset-password", always=_SUBJECT),
    4725: Kind(_IAM, ("user", "deletion"), "disabled-user-account", always=_SUBJECT),
    4726: Kind(_IAM, ("user", "deletion"), "deleted-user-account", always=_SUBJECT),
    **_members(4727, 4737, 4728, 4729, 4730),
    **_members(4731, 4735, 4732, 4733, 4734),
    **_members(4754, 4755, 4756, 4757, 4758),
    **_members(4744, 4745, 4746, 4747, 4748, scope="distribution-"),
    **_members(4749, 4750, 4751, 4752, 4753, scope="distribution-"),
    **_members(4759, 4760, 4761, 4762, 4763, scope="distribution-"),
    4738: Kind(_IAM, ("user", "change"), "modified-user-account", always=_SUBJECT),
    4739: Kind(_CONFIGURATION, ("change",), "domain-policy-changed"),
    4740: Kind(_IAM, ("user", "change"), "locked-out-user-account", always=_SUBJECT),
    4741: Kind(_IAM, ("creation", "admin"), "added-computer-account", always=_SUBJECT),
    4742: Kind(_IAM, ("change", "admin"), "changed-computer-account", always=_SUBJECT),
    4743: Kind(_IAM, ("deletion", "admin"), "deleted-computer-account", always=_SUBJECT),
    4764: Kind(_IAM, ("group", "change"), "type-changed-group-account"),
    4767: Kind(_IAM, ("user", "change"), "unlocked-user-account", always=_SUBJECT),
    4768: Kind(
        _AUTHENTICATION,
        ("start",),
        "kerberos-authentication-ticket-requested",
        always="winlog.event_data.TicketOptions",
    ),
    4769: Kind(
        _AUTHENTICATION, ("start",), "kerberos-service-ticket-requested", always="winlog.event_data.TicketOptions"
    ),
    4770: Kind(_AUTHENTICATION, ("start",), "kerberos-service-ticket-renewed"),
    4771: Kind(_AUTHENTICATION, ("start",), "kerberos-preauth-failed", always="winlog.event_data.Status"),
    4776: Kind(_AUTHENTICATION, ("start",), "credential-validated", always="winlog.event_data.Status"),
    4778: Kind(("authentication", "session"), ("start",), "session-reconnected"),
    4779: Kind(("authentication", "session"), ("end",), "session-disconnected"),
    4781: Kind(_IAM, ("user", "change"), "renamed-user-account"),
    4797: Kind(_IAM, ("user", "info"), "query-existence-of-blank-password"),
    4798: Kind(_IAM, ("user", "info"), "group-membership-enumerated", always=_SUBJECT),
    4799: Kind(_IAM, ("group", "info"), "user-member-enumerated", always=_SUBJECT),
    4817: Kind(_IAM_CONFIGURATION, ("admin", "change"), "object-audit-changed"),
    4868: Kind(
        _CONFIGURATION, ("change",), "certificate-manager-denied-pending-certificate-request", source=CERTIFICATES
    ),
    4869: Kind(
        _CONFIGURATION,
        ("info",),
        "certificate-services-received-resubmitted-certificate-request",
        source=CERTIFICATES,
    ),
    4870: Kind(_IAM, ("change",), "certificate-revoked", source=CERTIFICATES),
    4871: Kind(_IAM, ("info",), "certificate-revocation-list-publication-requested", source=CERTIFICATES),
    4873: Kind(_IAM, ("change",), "certificate-request-extension-changed", source=CERTIFICATES),
    4874: Kind(_IAM, ("change",), "certificate-request-attributes-changed", source=CERTIFICATES),
    4875: Kind(_CONFIGURATION, ("info",), "certificate-services-shutdown-requested", source=CERTIFICATES),
    4876: Kind(("session",), ("start",), "certificate-services-backup-started", source=CERTIFICATES),
    4887: Kind(_IAM, ("creation",), "certificate-issued", source=CERTIFICATES),
    4888: Kind(_IAM, ("info",), "certificate-request-denied", source=CERTIFICATES),
    4889: Kind(_IAM, ("info",), "certificate-request-pending", source=CERTIFICATES),
    4891: Kind(
        _CONFIGURATION, ("change",), "certificate-services-configuration-entry-changed", source=CERTIFICATES
    ),
    4892: Kind(_CONFIGURATION, ("change",), "certificate-services-property-changed", source=CERTIFICATES),
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
    5136: Kind(_IAM_CONFIGURATION, ("admin", "change"), "directory-service-object-modified", always=_SUBJECT),
    5137: Kind(_IAM_CONFIGURATION, ("admin", "creation"), "directory-service-object-created", always=_SUBJECT),
    5140: Kind(
        ("network", "file"),
        ("info", "access"),
        "network-share-object-accessed",
        always="winlog.event_data.ShareName",
    ),
    5141: Kind(_IAM_CONFIGURATION, ("admin", "deletion"), "directory-service-object-deleted", always=_SUBJECT),
    5145: Kind(
        ("network", "file"),
        ("info", "access"),
        "network-share-object-access-checked",
        always="winlog.event_data.ShareName",
    ),
    5152: Kind(("network",), ("connection", "info", "denied"), "windows-firewall-packet-drop"),
    5156: Kind(
        ("network",), ("connection", "info", "allowed"), "windows-firewall-connection", always="source.port"
    ),
    5157: Kind(
        ("network",), ("connection", "info", "denied"), "windows-firewall-packet-block", always="source.port"
    ),
    5158: Kind(("network",), ("info",), "windows-firewall-bind-local-port", always="source.port"),
    5379: Kind(_IAM, ("user", "info"), "credential-manager-credentials-were-read"),
    5380: Kind(_IAM, ("user", "info"), "vault-credential-find"),
    5381: Kind(_IAM, ("user", "info"), "vault-credentials-were-read"),
    5382: Kind(_IAM, ("user", "info"), "vault-credentials-were-read"),
}
