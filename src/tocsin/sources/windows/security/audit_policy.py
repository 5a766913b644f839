"""The subcategories of Windows' audit policy by their GUID, and the category of each.

The GUIDs are `0CCE92xx-69AE-11D9-BED3-505054503030`; the categories are the integration's, which counts the four
on directory services to account management.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_GUID = re.compile(r"\{?0CCE92([0-9A-F]{2})-69AE-11D9-BED3-505054503030\}?", re.IGNORECASE)
_BY_CATEGORY = {
    "System": {
        0x10: "Security State Change", 0x11: "Security System Extension", 0x12: "System Integrity",
        0x13: "IPsec Driver", 0x14: "Other System Events",
    },
    "Logon/Logoff": {
        0x15: "Logon", 0x16: "Logoff", 0x17: "Account Lockout", 0x18: "IPsec Main Mode", 0x19: "IPsec Quick Mode",
        0x1A: "IPsec Extended Mode", 0x1B: "Special Logon", 0x1C: "Other Logon/Logoff Events",
        0x43: "Network Policy Server", 0x47: "User / Device Claims", 0x49: "Group Membership",
    },
    "Object Access": {
        0x1D: "File System", 0x1E: "Registry", 0x1F: "Kernel Object", 0x20: "SAM", 0x21: "Certification Services",
        0x22: "Application Generated", 0x23: "Handle Manipulation", 0x24: "File Share",
        0x25: "Filtering Platform Packet Drop", 0x26: "Filtering Platform Connection",
        0x27: "Other Object Access Events", 0x44: "Detailed File Share", 0x45: "Removable Storage",
        0x46: "Central Policy Staging",
    },
    "Privilege Use": {
        0x28: "Sensitive Privilege Use", 0x29: "Non Sensitive Privilege Use", 0x2A: "Other Privilege Use Events",
    },
    "Detailed Tracking": {
        0x2B: "Process Creation", 0x2C: "Process Termination", 0x2D: "DPAPI Activity", 0x2E: "RPC Events",
        0x48: "Plug and Play Events", 0x4A: "Token Right Adjusted Events",
    },
    "Policy Change": {
        0x2F: "Audit Policy Change", 0x30: "Authentication Policy Change", 0x31: "Authorization Policy Change",
        0x32: "MPSSVC Rule-Level Policy Change", 0x33: "Filtering Platform Policy Change",
        0x34: "Other Policy Change Events",
    },
    "Account Management": {
        0x35: "User Account Management", 0x36: "Computer Account Management", 0x37: "Security Group Management",
        0x38: "Distribution Group Management", 0x39: "Application Group Management",
        0x3A: "Other Account Management Events", 0x3B: "Directory Service Access",
        0x3C: "Directory Service Changes", 0x3D: "Directory Service Replication",
        0x3E: "Detailed Directory Service Replication",
    },
    "Account Logon": {
        0x3F: "Credential Validation", 0x40: "Kerberos Service Ticket Operations",
        0x41: "Other Account Logon Events", 0x42: "Kerberos Authentication Service",
    },
}  # fmt: skip


def _subcategories() -> Iterator[tuple[int, str, str]]:
    for category, names in _BY_CATEGORY.items():
        for number, name in names.items():
            yield number, name, category


_SUBCATEGORY = {number: name for number, name, _category in _subcategories()}
_CATEGORY = {number: category for number, _name, category in _subcategories()}


def subcategory(guid: str) -> str | None:
    """Return the name of a subcategory of the audit policy."""
    match = _GUID.fullmatch(guid)
    return _SUBCATEGORY.get(int(match[1], 16)) if match else None


def category(guid: str) -> str | None:
    """Return the category that a subcategory of the audit policy is in."""
    match = _GUID.fullmatch(guid)
    return _CATEGORY.get(int(match[1], 16)) if match else None
