"""What numbers in Security events stand for: flags, types and states.

Names are those of Elastic's integration, which took them from Microsoft's pages on the events and, for accounts,
from [MS-SAMR].
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.sources import values as v

LOGON_TYPES = {
    "2": "Interactive", "3": "Network", "4": "Batch", "5": "Service", "7": "Unlock", "8": "NetworkCleartext",
    "9": "NewCredentials", "10": "RemoteInteractive", "11": "CachedInteractive",
}  # fmt: skip
SERVICE_TYPES = {
    "0x1": "Kernel Driver", "0x2": "File System Driver", "0x8": "Recognizer Driver", "0x10": "Win32 Own Process",
    "0x20": "Win32 Share Process", "0x110": "Interactive Own Process", "0x120": "Interactive Share Process",
}  # fmt: skip

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
_TICKET_OPTIONS = {
    0x40000000: "Forwardable",
    0x20000000: "Forwarded",
    0x10000000: "Proxiable",
    0x08000000: "Proxy",
    0x04000000: "Allow-postdate",
    0x02000000: "Postdated",
    0x01000000: "Invalid",
    0x00800000: "Renewable",
    0x00400000: "Initial",
    0x00200000: "Pre-authent",
    0x00100000: "Opt-hardware-auth",
    0x00080000: "Transited-policy-checked",
    0x00040000: "Ok-as-delegate",
    0x00020000: "Request-anonymous",
    0x00010000: "Name-canonicalize",
    0x00000020: "Disable-transited-check",
    0x00000010: "Renewable-ok",
    0x00000008: "Enc-tkt-in-skey",
    0x00000002: "Renew",
    0x00000001: "Validate",
}
ACCESS_RIGHTS = {
    0x1: "Create Child",
    0x2: "Delete Child",
    0x4: "List Contents",
    0x8: "SELF",
    0x10: "Read Property",
    0x20: "Write Property",
    0x40: "Delete Treee",  # spelled so in the integration
    0x80: "List Object",
    0x100: "Control Access",
    0x10000: "DELETE",
    0x20000: "READ_CONTROL",
    0x40000: "WRITE_DAC",
    0x80000: "WRITE_OWNER",
    0x100000: "SYNCHRONIZE",
    0x1000000: "ADS_RIGHT_ACCESS_SYSTEM_SECURITY",
    0x10000000: "ADS_RIGHT_GENERIC_ALL",
    0x20000000: "ADS_RIGHT_GENERIC_EXECUTE",
    0x40000000: "ADS_RIGHT_GENERIC_WRITE",
    0x80000000: "ADS_RIGHT_GENERIC_READ",
}

ENCRYPTION_TYPES = {
    "0x1": "DES-CBC-CRC", "0x3": "DES-CBC-MD5", "0x11": "AES128-CTS-HMAC-SHA1-96",
    "0x12": "AES256-CTS-HMAC-SHA1-96", "0x17": "RC4-HMAC", "0x18": "RC4-HMAC-EXP", "0xffffffff": "FAIL",
}  # fmt: skip
# RFC 4120, 7.5.9, in order of their numbers.
KERBEROS_STATES = {
    "0x0": "KDC_ERR_NONE", "0x1": "KDC_ERR_NAME_EXP", "0x2": "KDC_ERR_SERVICE_EXP", "0x3": "KDC_ERR_BAD_PVNO",
    "0x4": "KDC_ERR_C_OLD_MAST_KVNO", "0x5": "KDC_ERR_S_OLD_MAST_KVNO", "0x6": "KDC_ERR_C_PRINCIPAL_UNKNOWN",
    "0x7": "KDC_ERR_S_PRINCIPAL_UNKNOWN", "0x8": "KDC_ERR_PRINCIPAL_NOT_UNIQUE", "0x9": "KDC_ERR_NULL_KEY",
    "0xa": "KDC_ERR_CANNOT_POSTDATE", "0xb": "KDC_ERR_NEVER_VALID", "0xc": "KDC_ERR_POLICY",
    "0xd": "KDC_ERR_BADOPTION", "0xe": "KDC_ERR_ETYPE_NOTSUPP", "0xf": "KDC_ERR_SUMTYPE_NOSUPP",
    "0x10": "KDC_ERR_PADATA_TYPE_NOSUPP", "0x11": "KDC_ERR_TRTYPE_NO_SUPP", "0x12": "KDC_ERR_CLIENT_REVOKED",
    "0x13": "KDC_ERR_SERVICE_REVOKED", "0x14": "KDC_ERR_TGT_REVOKED", "0x15": "KDC_ERR_CLIENT_NOTYET",
    "0x16": "KDC_ERR_SERVICE_NOTYET", "0x17": "KDC_ERR_KEY_EXPIRED", "0x18": "KDC_ERR_PREAUTH_FAILED",
    "0x19": "KDC_ERR_PREAUTH_REQUIRED", "0x1a": "KDC_ERR_SERVER_NOMATCH", "0x1b": "KDC_ERR_MUST_USE_USER2USER",
    "0x1f": "KRB_AP_ERR_BAD_INTEGRITY", "0x20": "KRB_AP_ERR_TKT_EXPIRED", "0x21": "KRB_AP_ERR_TKT_NYV",
    "0x22": "KRB_AP_ERR_REPEAT", "0x23": "KRB_AP_ERR_NOT_US", "0x24": "KRB_AP_ERR_BADMATCH",
    "0x25": "KRB_AP_ERR_SKEW", "0x26": "KRB_AP_ERR_BADADDR", "0x27": "KRB_AP_ERR_BADVERSION",
    "0x28": "KRB_AP_ERR_MSG_TYPE", "0x29": "KRB_AP_ERR_MODIFIED", "0x2a": "KRB_AP_ERR_BADORDER",
    "0x2c": "KRB_AP_ERR_BADKEYVER", "0x2d": "KRB_AP_ERR_NOKEY", "0x2e": "KRB_AP_ERR_MUT_FAIL",
    "0x2f": "KRB_AP_ERR_BADDIRECTION", "0x30": "KRB_AP_ERR_METHOD", "0x31": "KRB_AP_ERR_BADSEQ",
    "0x32": "KRB_AP_ERR_INAPP_CKSUM", "0x33": "KRB_AP_PATH_NOT_ACCEPTED", "0x34": "KRB_ERR_RESPONSE_TOO_BIG",
    "0x3c": "KRB_ERR_GENERIC", "0x3d": "KRB_ERR_FIELD_TOOLONG", "0x3e": "KDC_ERR_CLIENT_NOT_TRUSTED",
    "0x3f": "KDC_ERR_KDC_NOT_TRUSTED", "0x40": "KDC_ERR_INVALID_SIG", "0x41": "KDC_ERR_KEY_TOO_WEAK",
    "0x42": "KRB_AP_ERR_USER_TO_USER_REQUIRED", "0x43": "KRB_AP_ERR_NO_TGT", "0x44": "KDC_ERR_WRONG_REALM",
}  # fmt: skip
LOGON_FAILURES = {
    "0x0": "Status OK.",
    "0xc000005e": "There are currently no logon servers available to service the logon request.",
    "0xc0000064": "User logon with misspelled or bad user account",
    "0xc000006a": "User logon with misspelled or bad password",
    "0xc000006d": "This is either due to a bad username or authentication information",
    "0xc000006e": "Unknown user name or bad password.",
    "0xc000006f": "User logon outside authorized hours",
    "0xc0000070": "User logon from unauthorized workstation",
    "0xc0000071": "User logon with expired password",
    "0xc0000072": "User logon to account disabled by administrator",
    "0xc00000dc": "Indicates the Sam Server was in the wrong state to perform the desired operation.",
    "0xc0000133": "Clocks between DC and other computer too far out of sync",
    "0xc000015b": "The user has not been granted the requested logon type (aka logon right) at this machine",
    "0xc000018c": "The logon request failed because the trust relationship between the primary domain and the"
    " trusted domain failed.",
    "0xc0000192": "An attempt was made to logon, but the Netlogon service was not started.",
    "0xc0000193": "User logon with expired account",
    "0xc0000224": "User is required to change password at next logon",
    "0xc0000225": "Evidently a bug in Windows and not a risk",
    "0xc0000234": "User logon with account locked",
    "0xc00002ee": "Failure Reason: An Error occurred during Logon",
    "0xc0000371": "The local account store does not contain secret material for the specified account",
    "0xc0000413": "Logon Failure: The machine you are logging onto is protected by an authentication firewall."
    " The specified account is not allowed to authenticate to the machine.",
}
TRUST_TYPES = {
    "1": "TRUST_TYPE_DOWNLEVEL", "2": "TRUST_TYPE_UPLEVEL", "3": "TRUST_TYPE_MIT", "4": "TRUST_TYPE_DCE",
}  # fmt: skip
TRUST_DIRECTIONS = {
    "0": "TRUST_DIRECTION_DISABLED", "1": "TRUST_DIRECTION_INBOUND", "2": "TRUST_DIRECTION_OUTBOUND",
    "3": "TRUST_DIRECTION_BIDIRECTIONAL",
}  # fmt: skip
TRUST_ATTRIBUTES = {
    "0": "UNDEFINED",
    "1": "TRUST_ATTRIBUTE_NON_TRANSITIVE",
    "2": "TRUST_ATTRIBUTE_UPLEVEL_ONLY",
    "4": "TRUST_ATTRIBUTE_QUARANTINED_DOMAIN",
    "8": "TRUST_ATTRIBUTE_FOREST_TRANSITIVE",
    "16": "TRUST_ATTRIBUTE_CROSS_ORGANIZATION",
    "32": "TRUST_ATTRIBUTE_WITHIN_FOREST",
    "64": "TRUST_ATTRIBUTE_TREAT_AS_EXTERNAL",
    "128": "TRUST_ATTRIBUTE_USES_RC4_ENCRYPTION",
    "512": "TRUST_ATTRIBUTE_CROSS_ORGANIZATION_NO_TGT_DELEGATION",
    "1024": "TRUST_ATTRIBUTE_PIM_TRUST",
}
# IANA's protocol numbers, as far as the integration names them.
PROTOCOLS = {
    "1": "icmp", "2": "igmp", "4": "ipv4", "6": "tcp", "8": "egp", "9": "igp", "12": "pup", "17": "udp",
    "27": "rdp", "28": "irtp", "33": "dccp", "35": "idpr", "41": "ipv6", "43": "ipv6-route", "44": "ipv6-frag",
    "46": "rsvp", "47": "gre", "50": "esp", "58": "ipv6-icmp", "59": "ipv6-nonxt", "60": "ipv6-opts",
}  # fmt: skip


def flags(names: Mapping[int, str], bits: int | None) -> list[str] | None:
    """Return the names of the bits that are set; None without any."""
    return [name for bit, name in names.items() if bits & bit] or None if bits else None


def account_control(value: str) -> list[str] | None:
    """Return the flags of an account that are set."""
    return flags(_ACCOUNT_CONTROL, v.number(value))


def ticket_options(value: str) -> list[str] | None:
    """Return the options of a Kerberos ticket that are set."""
    return flags(_TICKET_OPTIONS, v.number(value))


def in_any_case(table: Mapping[str, str]) -> v.Converter:
    """Return a converter that reads a table by hexadecimal numbers, which Windows writes in either case."""
    return lambda value: table.get(value.lower())
