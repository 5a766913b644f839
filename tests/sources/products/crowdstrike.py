"""CrowdStrike Falcon Data Replicator: the sensor's events, and what its records say about hosts and users."""

from __future__ import annotations

from typing import Any

from tests.sources.products.case import MD5, SHA256, ZEROS, Case, Process, Record

AGENT, CUSTOMER = "3f0f2b1e6a0c4d5e9b7a8c6d5e4f3a2b", "9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
HOST_RECORD = {
    "AgentLocalTime": "1791270000",
    "AgentVersion": "7.26.19811.0",
    "ComputerName": "WS-0142",
    "ConfigBuild": "1007.3.0019811.1",
    "MachineDomain": "corp.example.com",
    "ProductType": "1.0",
    "Time": "1791277200.144",
    "Version": "Windows 11",
    "aid": AGENT,
    "aip": "198.51.100.20",
    "cid": CUSTOMER,
    "event_platform": "Win",
}
USER_RECORD = {
    "AccountType": "Domain User",
    "LastLoggedOnHost": "WS-0142",
    "LogonTime": "1791270001.197",
    "LogonType": "Interactive",
    "User": "CORP\\m.weber",
    "UserIsAdmin": "0",
    "UserName": "m.weber",
    "UserSid_readable": SID,
    "_time": "1791277200.576",
    "cid": CUSTOMER,
    "event_platform": "Win",
}


def event(name: str, values: Record, milliseconds: int = 1791278000123) -> Record:
    """Return an event of the Windows sensor."""
    return {
        "event_simpleName": name,
        "name": f"{name}V19",
        "aid": AGENT,
        "aip": "198.51.100.20",
        "cid": CUSTOMER,
        "id": "ffffffff-1111-11eb-8dd4-061759968cdf",
        "event_platform": "Win",
        "ConfigBuild": "1007.3.0019811.1",
        "ConfigStateHash": "3345115467",
        "EffectiveTransmissionClass": "3",
        "Entitlements": "15",
        "EventOrigin": "1",
        "timestamp": str(milliseconds),
        **values,
    }


def device(path: str) -> str:
    """Return a path as the kernel names it."""
    return path.replace("C:\\", "\\Device\\HarddiskVolume3\\", 1)


def process_started(process: Process) -> Record:
    """Render the start of a process."""
    return event("ProcessRollup2", {
        "AuthenticationId": "731022",
        "CommandLine": process.command_line,
        "ImageFileName": device(process.image),
        "ImageSubsystem": "3",
        "IntegrityLevel": "8192",
        "MD5HashData": MD5,
        "ParentAuthenticationId": "731022",
        "ParentBaseFileName": process.parent_name,
        "ParentProcessId": "1099511640212",
        "ProcessCreateFlags": "67634196",
        "ProcessEndTime": "",
        "ProcessParameterFlags": "24577",
        "ProcessStartTime": f"{process.milliseconds / 1000:.3f}",
        "RawProcessId": str(process.pid),
        "SHA1HashData": ZEROS,
        "SHA256HashData": SHA256,
        "SessionId": "1",
        "SourceProcessId": "1099511640212",
        "SourceThreadId": "10995116402129",
        "TargetProcessId": "1099511641999",
        "TokenType": "1",
        "UserSid": process.sid,
    }, process.milliseconds)  # fmt: skip


_HOST: dict[str, Any] = {
    "@timestamp": "2026-10-06T09:13:20.123Z",
    "event.id": f"ffffffff-1111-11eb-8dd4-061759968cdf|{AGENT}|{CUSTOMER}",
    "host.id": AGENT,
    "host.os.type": "windows",
}
CONTEXT = {
    "ContextProcessId": "1099511640212",
    "ContextThreadId": "10995116402129",
    "ContextTimeStamp": "1791278000.101",
}

CASES = (
    Case(
        "process created, host and user named by other records",
        process_started(Process("C:\\Windows\\System32\\certutil.exe", 'certutil.exe -f "http://a b"')),
        {
            "@timestamp": "2026-10-06T09:12:44.123Z",
            "host.os.type": "windows",
            "host.name": "WS-0142",
            "host.ip": ["198.51.100.20"],
            "event.category": ["process"],
            "event.type": ["start"],
            "event.action": "ProcessRollup2",
            "event.outcome": "success",
            "process.name": "certutil.exe",
            "process.executable": "\\Device\\HarddiskVolume3\\Windows\\System32\\certutil.exe",
            "process.pid": 7316,
            "process.entity_id": "1099511641999",
            "process.command_line": 'certutil.exe -f "http://a b"',
            "process.args": ["certutil.exe", "-f", "http://a b"],
            "process.args_count": 3,
            "process.hash.md5": MD5,
            "process.hash.sha256": SHA256,
            "process.start": "2026-10-06T09:12:44.123Z",
            "process.parent.name": "cmd.exe",
            "process.parent.entity_id": "1099511640212",
            "process.Ext.token.integrity_level_name": "MEDIUM",
            "host.id": AGENT,
            "user.id": SID,
            "user.name": "m.weber",
            "user.domain": "CORP",
        },
        {
            "host.hostname": ("WS-0142", "the integration sets `host.name` alone here"),
            "process.Ext.token.integrity_level_name": (
                "medium", "as Elastic Defend spells it, and rules compare it letter by letter",
            ),
        },
    ),
    Case(
        "process ended",
        event("EndOfProcess", {
            **CONTEXT, "RawProcessId": "7316", "TargetProcessId": "1099511641999", "ExitCode": "0",
            "SHA256HashData": SHA256, "ProcessStartTime": "1791277964.123", "UserSid": SID,
        }),
        {
            **_HOST,
            "event.category": ["process"],
            "event.type": ["end"],
            "process.pid": 7316,
            "process.entity_id": "1099511641999",
            "process.exit_code": 0,
            "process.hash.sha256": SHA256,
            "process.start": "2026-10-06T09:12:44.123Z",
            "user.id": SID,
        },
    ),
    Case(
        "connection out",
        event("NetworkConnectIP4", {
            **CONTEXT, "ConnectionDirection": "0", "ConnectionFlags": "0", "InContext": "0",
            "LocalAddressIP4": "10.1.2.3", "LocalPort": "50112", "Protocol": "6",
            "RemoteAddressIP4": "203.0.113.9", "RemotePort": "443",
        }),
        {
            **_HOST,
            "event.category": ["network"],
            "event.type": ["start", "connection"],
            "event.action": "NetworkConnectIP4",
            "event.outcome": "unknown",
            "process.thread.id": 10995116402129,
            "process.entity_id": "1099511640212",
            "network.direction": "outbound",
            "network.transport": "tcp",
            "source.ip": "10.1.2.3",
            "source.port": 50112,
            "destination.ip": "203.0.113.9",
            "destination.address": "203.0.113.9",
            "destination.port": 443,
        },
    ),
    Case(
        "connection in",
        event("NetworkReceiveAcceptIP6", {
            **CONTEXT, "ConnectionDirection": "1", "LocalAddressIP6": "2001:db8:0:0:0:0:0:5", "LocalPort": "445",
            "Protocol": "6", "RemoteAddressIP6": "2001:db8:0:0:0:0:0:9", "RemotePort": "50990",
        }),
        {
            **_HOST,
            "event.category": ["network"],
            "event.type": ["allowed", "access", "connection"],
            "network.direction": "inbound",
            "source.port": 50990,
            "destination.port": 445,
            "source.ip": "2001:db8:0:0:0:0:0:9",
            "destination.ip": "2001:db8:0:0:0:0:0:5",
        },
        {
            "source.ip": ("2001:db8::9", "the canonical spelling"),
            "destination.ip": ("2001:db8::5", "the canonical spelling"),
        },
    ),
    Case(
        "name asked for",
        event("DnsRequest", {
            **CONTEXT, "ContextBaseFileName": "powershell.exe", "DomainName": "cdn.example.com",
            "RequestType": "28", "IP4Records": "203.0.113.9;203.0.113.10;",
            "CNAMERecords": "edge.example.net;", "QueryStatus": "0",
        }),
        {
            **_HOST,
            "event.category": ["network"],
            "event.type": ["protocol"],
            "process.entity_id": "1099511640212",
            "process.name": "powershell.exe",
            "network.protocol": "dns",
            "dns.type": "query",
            "event.outcome": "success",
            "dns.question.name": "cdn.example.com",
            "dns.question.type": "AAAA",
        },
        {
            "dns.resolved_ip": (["203.0.113.9", "203.0.113.10"], "the integration leaves it unparsed"),
        },
    ),
    Case(
        "file of a format written",
        event("PeFileWritten", {
            **CONTEXT, "TargetFileName": "\\Device\\HarddiskVolume3\\Users\\Public\\u.v1.exe", "Size": "20480",
            "ContextImageFileName": "\\Device\\HarddiskVolume3\\Windows\\System32\\curl.exe",
            "FileOperatorSid": SID,
            "SHA256HashData": SHA256, "FileIdentifier": "28000000000000007f510100", "IsOnNetwork": "0",
        }),
        {
            **_HOST,
            "event.category": ["file"],
            "event.type": ["creation"],
            "event.action": "PeFileWritten",
            "event.outcome": "success",
            "process.name": "curl.exe",
            "process.executable": "\\Device\\HarddiskVolume3\\Windows\\System32\\curl.exe",
            "user.id": SID,
            "file.path": "\\Device\\HarddiskVolume3\\Users\\Public\\u.v1.exe",
            "file.name": "u.v1.exe",
            "file.directory": "\\Device\\HarddiskVolume3\\Users\\Public",
            "file.extension": "exe",
            "file.size": 20480,
            "file.hash.sha256": SHA256,
            "file.inode": "28000000000000007f510100",
        },
    ),
    Case(
        "file renamed",
        event("FileRenameInfo", {
            **CONTEXT, "SourceFileName": "\\Device\\HarddiskVolume3\\a.txt",
            "TargetFileName": "\\Device\\HarddiskVolume3\\b.locked",
        }),
        {
            **_HOST,
            "event.category": ["file"],
            "event.type": ["change"],
            "file.path": "\\Device\\HarddiskVolume3\\b.locked",
            "file.name": "b.locked",
            "file.extension": "locked",
            "file.Ext.original.path": "\\Device\\HarddiskVolume3\\a.txt",
        },
    ),
    Case(
        "download by BITS begun",
        event("BITSJobCreated", {
            **CONTEXT, "UserName": "m.weber", "RpcClientProcessId": "1099511640990",
            "TargetFileName": "\\Device\\HarddiskVolume3\\Users\\Public\\a.crx3",
        }),
        {
            **_HOST,
            "event.category": ["network", "file"],
            "event.type": ["connection", "creation"],
            "event.action": "BITSJobCreated",
            "event.outcome": "success",
            "process.entity_id": "1099511640212",
            "process.thread.id": 10995116402129,
            "file.path": "\\Device\\HarddiskVolume3\\Users\\Public\\a.crx3",
            "file.directory": "\\Device\\HarddiskVolume3\\Users\\Public",
            "file.name": "a.crx3",
            "file.extension": "crx3",
            "user.name": "m.weber",
        },
    ),
    Case(
        "registry value set",
        event("AsepValueUpdate", {
            **CONTEXT, "RegObjectName": "\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run",
            "RegValueName": "Updater", "RegStringValue": "C:\\Users\\Public\\u.exe", "RegType": "1",
            "RegOperationType": "1", "AsepClass": "1",
        }),
        {
            **_HOST,
            "event.category": ["registry"],
            "event.type": ["change"],
            "event.action": "modification",
            "event.outcome": "success",
            "process.entity_id": "1099511640212",
            "registry.path": "\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater",
            "registry.key": "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run",
            "registry.value": "Updater",
            "registry.data.strings": ["C:\\Users\\Public\\u.exe"],
            "registry.data.type": "REG_SZ",
        },
    ),
    Case(
        "logon failed",
        event("UserLogonFailed2", {
            "UserName": "administrator", "LogonDomain": "CORP", "LogonType": "3", "UserSid": "S-1-0-0",
            "RemoteAddressIP4": "10.1.2.77",
        }),
        {
            **_HOST,
            "event.category": ["authentication"],
            "event.type": ["start"],
            "event.outcome": "failure",
            "user.name": "administrator",
            "user.id": "S-1-0-0",
            "destination.ip": "10.1.2.77",
        },
        {
            "user.domain": ("CORP", "the integration leaves it unparsed"),
            "destination.ip": (None, "the address is where the logon came from"),
            "source.ip": ("10.1.2.77", "the address is where the logon came from"),
        },
    ),
    Case(
        "module loaded",
        event("ClassifiedModuleLoad", {
            **CONTEXT, "TargetProcessId": "1099511641999", "SHA256HashData": SHA256,
            "ImageFileName": "\\Device\\HarddiskVolume3\\Windows\\System32\\amsi.dll",
            "TargetImageFileName": "\\Device\\HarddiskVolume3\\Windows\\System32\\wscript.exe",
        }),
        {
            **_HOST,
            "event.action": "ClassifiedModuleLoad",
            "event.category": ["library"],
            "process.entity_id": "1099511641999",
            "process.name": "wscript.exe",
            "dll.path": "\\Device\\HarddiskVolume3\\Windows\\System32\\amsi.dll",
            "dll.name": "amsi.dll",
            "dll.hash.sha256": SHA256,
        },
    ),
    Case(
        "registry value deleted",
        event("RegGenericValueUpdate", {
            **CONTEXT, "RegObjectName": f"\\REGISTRY\\USER\\{SID}\\Environment",
            "RegValueName": "windir", "RegOperationType": "2",
        }),
        {
            **_HOST,
            "event.category": ["registry"],
            "event.type": ["deletion"],
            "registry.path": f"\\REGISTRY\\USER\\{SID}\\Environment\\windir",
            "registry.key": f"{SID}\\Environment",
            "registry.value": "windir",
        },
    ),
)  # fmt: skip
