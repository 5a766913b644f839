"""A fleet's ordinary day as nine products ship it, in ECS: processes and what they do, with a few true positives.

Names follow Zipf's law, command lines are long and mostly unique, events of one process share its entity id, and
one process in `POSITIVES` fetches a file with Defender's tool. A seed gives the same bytes again.
"""

# ruff: noqa: E501 (a table reads better than it wraps)

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from tests.scenario import DEFENDER

Event = dict[str, Any]

POSITIVES = 20_000
HOSTS, USERS, ALIVE = 120, 400, 2_000  # computers, accounts, processes alive at once
START = 1_790_000_000  # seconds since 1970
RATE = 200  # events a second

SYSTEM = "C:\\Windows\\System32\\"
FILES = "C:\\Program Files\\"
# Path, arguments ({n} a number, {h} a hash, {u} a user), parent, signer.
PROGRAMS = (
    (SYSTEM + "svchost.exe", "-k netsvcs -p -s Service{n}", SYSTEM + "services.exe", "Microsoft Windows Publisher"),
    (SYSTEM + "conhost.exe", "0xffffffff -ForceV1", SYSTEM + "taskhostw.exe", "Microsoft Windows"),
    (SYSTEM + "backgroundTaskHost.exe", "-ServerName:App.AppX{h}.mca", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "RuntimeBroker.exe", "-Embedding", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "taskhostw.exe", "Install $(Arg{n})", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "dllhost.exe", "/Processid:{{{h}}}", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "SearchProtocolHost.exe", "Global\\UsGthrFltPipeMssGthrPipe{n}_ Global\\UsGthrCtrlFltPipeMssGthrPipe{n}", SYSTEM + "SearchIndexer.exe", "Microsoft Windows"),
    (SYSTEM + "WmiPrvSE.exe", "-secured -Embedding", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "CompatTelRunner.exe", "-m:appraiser.dll -f:DoScheduledTelemetryRun -cv:{h}.{n}", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "notepad.exe", "C:\\Users\\{u}\\Documents\\notes-{n}.txt", "C:\\Windows\\explorer.exe", "Microsoft Windows"),
    (FILES + "Google\\Chrome\\Application\\chrome.exe", "--type=renderer --field-trial-handle={n},{h} --lang=en-US --device-scale-factor=1 --num-raster-threads=4 --renderer-client-id={n} --mojo-platform-channel-handle={n} /prefetch:1", FILES + "Google\\Chrome\\Application\\chrome.exe", "Google LLC"),
    (FILES + "Mozilla Firefox\\firefox.exe", "-contentproc -childID {n} -isForBrowser -prefsHandle {n} -prefsLen {n} -parentBuildID {h} -greomni \"C:\\Program Files\\Mozilla Firefox\\omni.ja\" tab", FILES + "Mozilla Firefox\\firefox.exe", "Mozilla Corporation"),
    (FILES + "Microsoft Office\\root\\Office16\\OUTLOOK.EXE", "/recycle", "C:\\Windows\\explorer.exe", "Microsoft Corporation"),
    (FILES + "Microsoft Office\\root\\Office16\\EXCEL.EXE", "C:\\Users\\{u}\\Documents\\figures-{n}.xlsx", "C:\\Windows\\explorer.exe", "Microsoft Corporation"),
    (FILES + "WindowsApps\\MSTeams_24\\ms-teams.exe", "msteams:system-initiated {h}", "C:\\Windows\\explorer.exe", "Microsoft Corporation"),
    (FILES + "Git\\cmd\\git.exe", "-c core.quotepath=false -c log.showSignature=false log --max-count={n} --format=%H{h}", FILES + "JetBrains\\IDE\\bin\\idea64.exe", "Johannes Schindelin"),
    (DEFENDER, "SignatureUpdate -ScheduleJob -RestrictPrivileges -Reinvoke {n}", SYSTEM + "svchost.exe", "Microsoft Windows Publisher"),
    (SYSTEM + "WindowsPowerShell\\v1.0\\powershell.exe", "-NoProfile -NonInteractive -File C:\\Scripts\\inventory-{n}.ps1 -Site {h}", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "cmd.exe", "/c C:\\Scripts\\logon\\{u}-{n}.cmd", "C:\\Windows\\explorer.exe", "Microsoft Windows"),
    (SYSTEM + "rundll32.exe", "C:\\Windows\\System32\\Windows.StateRepositoryClient.dll,DllMain{n}", SYSTEM + "svchost.exe", "Microsoft Windows"),
    (SYSTEM + "msiexec.exe", "/V", SYSTEM + "services.exe", "Microsoft Windows"),
    (SYSTEM + "ipconfig.exe", "/registerdns {n}", SYSTEM + "cmd.exe", "Microsoft Windows"),
    (FILES + "Backup\\agent.exe", "--job {h} --volume \\\\?\\Volume{{{h}}} --incremental --since {n} --exclude *.tmp", FILES + "Backup\\service.exe", "Backup GmbH"),
)  # fmt: skip
# Index, dataset, agent, weight. What has no dataset names its index itself.
SOURCES = (
    ("", "endpoint.events", "endpoint", 30),
    ("", "windows.sysmon_operational", "filebeat", 25),
    ("", "", "winlogbeat", 15),
    ("", "system.security", "filebeat", 8),
    ("", "m365_defender.event", "filebeat", 7),
    ("", "sentinel_one_cloud_funnel.event", "filebeat", 5),
    ("", "crowdstrike.fdr", "filebeat", 5),
    ("", "windows.forwarded", "filebeat", 3),
    ("endgame-4.28.0", "", "endgame", 2),
)
KINDS = (
    ("process", 30),
    ("network", 22),
    ("file", 18),
    ("registry", 12),
    ("dns", 8),
    ("library", 7),
    ("logon", 3),
)


@dataclass(frozen=True)
class _Process:
    fields: Event
    host: Event
    user: Event


def take_index(event: Event) -> str:
    """Return the index that an event is sent to, and take it out of the event where it stands there."""
    stream = event.get("data_stream")
    index: str | None = event.pop("_index", None)
    return index or (f"logs-{stream['dataset']}-default" if stream else f"{event['agent']['type']}-default")


class Fleet:
    """Machines and people, and the processes that are alive."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        vendors = [
            (f"{FILES}Vendor{n % 61}\\Product {n}\\tool{n}.exe", "--session {h} --id {n} --config C:\\ProgramData\\Vendor\\{h}.json --user {u}", SYSTEM + "svchost.exe", f"Vendor {n % 61} Inc.")
            for n in range(400)
        ]  # fmt: skip
        self.programs = [*PROGRAMS, *vendors]
        self.weights = [1 / (rank + 1) for rank in range(len(self.programs))]
        self.alive: list[_Process] = []
        self.number = 0

    def events(self, count: int) -> Iterator[Event]:
        """Yield events in order of time."""
        kinds, kind_weights = zip(*KINDS, strict=True)
        weights = [weight for *_, weight in SOURCES]
        makers = {kind: getattr(self, f"_{kind}") for kind in kinds}
        chosen = zip(
            self.random.choices(kinds, kind_weights, k=count),
            self.random.choices(SOURCES, weights, k=count),
            strict=True,
        )
        for kind, (index, dataset, agent, _) in chosen:
            self.number += 1
            if len(self.alive) < 50:
                kind = "process"
            event = makers[kind]()
            seconds, rest = divmod(self.number, RATE)
            moment = START + seconds
            event["@timestamp"] = f"{_date(moment)}.{rest * 1000 // RATE:03}Z"
            event["agent"] = {"type": agent, "version": "8.19.4", "id": f"agent-{event['host']['id']}"}
            event["ecs"] = {"version": "8.17.0"}
            if dataset:
                name = f"{dataset}.{event['event']['category'][0]}" if dataset == "endpoint.events" else dataset
                event["data_stream"] = {"type": "logs", "dataset": name, "namespace": "default"}
                event["event"]["dataset"] = name
            elif index:
                event["_index"] = index
            yield event

    def _bits(self, count: int) -> str:
        return f"{self.random.getrandbits(count):0{count // 4}x}"

    def _process(self) -> Event:
        rng = self.random
        image, template, parent, signer = rng.choices(self.programs, self.weights)[0]
        account = f"user{rng.randrange(USERS)}"
        host = f"WS-{rng.randrange(HOSTS):04}"
        arguments = template.format(n=rng.randrange(1_000_000), h=self._bits(64), u=account)
        if self.number % POSITIVES == 0:
            image, arguments = (
                DEFENDER,
                f"-DownloadFile -url https://cdn.example.com/{self._bits(32)} -path C:\\Users\\Public\\a",
            )
        name = image.rpartition("\\")[2]
        fields = {
            "entity_id": self._bits(128),
            "pid": rng.randrange(1000, 30_000),
            "name": name,
            "executable": image,
        }
        process = _Process(
            fields,
            {"id": f"host-{host}", "name": host, "hostname": host, "os": {"type": "windows", "family": "windows"}},
            {"id": f"S-1-5-21-3623811015-{account[4:]}", "name": account, "domain": "CORP"},
        )
        if len(self.alive) >= ALIVE:
            self.alive[rng.randrange(ALIVE)] = process
        else:
            self.alive.append(process)
        whole = {
            **fields,
            "command_line": f'"{image}" {arguments}',
            "args": [image, *arguments.split(" ")],
            "args_count": arguments.count(" ") + 2,
            "working_directory": "C:\\Windows\\system32\\",
            "hash": {"sha256": self._bits(256), "md5": self._bits(128)},
            "pe": {"original_file_name": name},
            "code_signature": {"exists": True, "trusted": True, "status": "trusted", "subject_name": signer},
            "parent": {
                "entity_id": self._bits(128),
                "pid": rng.randrange(400, 9000),
                "name": parent.rpartition("\\")[2],
                "executable": parent,
                "command_line": f'"{parent}"',
                "args": [parent],
            },
        }
        return self._event(process, "process", ["start"], "1", "Process creation", process=whole)

    def _event(
        self, by: _Process, category: str, types: list[str], code: str, action: str, **fields: Event
    ) -> Event:
        return {
            "event": {
                "kind": "event",
                "category": [category],
                "type": types,
                "code": code,
                "action": action,
                "id": self._bits(64),
                "outcome": "success",
            },
            "host": by.host,
            "user": by.user,
            "process": by.fields,
            "message": f"{action}: {by.fields['executable']}",
            **fields,
        }

    def _one(self) -> _Process:
        return self.alive[self.random.randrange(len(self.alive))]

    def _network(self) -> Event:
        rng = self.random
        source = {"ip": f"10.0.{rng.randrange(8)}.{rng.randrange(2, 250)}", "port": rng.randrange(49152, 65535)}
        target = {
            "ip": f"10.1.{rng.randrange(200)}.{rng.randrange(2, 250)}",
            "port": rng.choice((443, 443, 443, 80, 8530)),
        }
        network = {"transport": "tcp", "type": "ipv4", "direction": "egress", "protocol": "https"}
        return self._event(
            self._one(), "network", ["start", "connection"], "3", "Network connection",
            source=source, destination=target, network=network,
        )  # fmt: skip

    def _file(self) -> Event:
        rng, by = self.random, self._one()
        name = f"{self._bits(48)}.{rng.choice(('log', 'tmp', 'json', 'dat', 'etl', 'cache', 'txt'))}"
        folder = f"C:\\Users\\{by.user['name']}\\AppData\\Local\\Vendor\\Cache\\{self._bits(16)}"
        file = {
            "path": f"{folder}\\{name}",
            "name": name,
            "directory": folder,
            "extension": name.rpartition(".")[2],
        }
        return self._event(
            by, "file", ["creation"], "11", "FileCreate", file={**file, "size": rng.randrange(1 << 20)}
        )

    def _registry(self) -> Event:
        rng = self.random
        value = f"LastUsed{rng.randrange(900)}"
        key = f"SOFTWARE\\Vendor{rng.randrange(61)}\\Product\\State\\{self._bits(32)}"
        registry = {
            "path": f"HKLM\\{key}\\{value}",
            "hive": "HKLM",
            "key": key,
            "value": value,
            "data": {"strings": [str(rng.randrange(1 << 30))], "type": "SZ_DWORD"},
        }
        return self._event(
            self._one(), "registry", ["change"], "13", "RegistryEvent (Value Set)", registry=registry
        )

    def _dns(self) -> Event:
        name = f"{self._bits(24)}.service{self.random.randrange(80)}.example.net"
        dns = {"question": {"name": name, "type": "A"}, "resolved_ip": [f"203.0.113.{self.random.randrange(250)}"]}
        return self._event(
            self._one(), "network", ["connection", "protocol", "info"], "22", "DNSEvent (DNS query)", dns=dns
        )

    def _library(self) -> Event:
        rng = self.random
        name = f"library{int(rng.paretovariate(0.8)) % 900}.dll"
        path = f"{FILES}Vendor{rng.randrange(61)}\\{name}"
        signature = {
            "exists": True,
            "trusted": True,
            "status": "trusted",
            "subject_name": f"Vendor {rng.randrange(61)} Inc.",
        }
        dll = {"name": name, "path": path, "hash": {"sha256": self._bits(256)}, "code_signature": signature}
        return self._event(self._one(), "library", ["start"], "7", "load", dll=dll)

    def _logon(self) -> Event:
        winlog = {"logon": {"type": "Network", "id": f"0x{self._bits(32)}"}, "channel": "Security"}
        source = {"ip": f"10.0.{self.random.randrange(8)}.{self.random.randrange(2, 250)}"}
        return self._event(
            self._one(), "authentication", ["start"], "4624", "logged-in", winlog=winlog, source=source
        )


def _date(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    day = days - 20_717  # since 2026-09-21
    return f"2026-{9 + (day + 20) // 30:02}-{(day + 20) % 30 + 1:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"


def write_fleet(path: Path, count: int, seed: int = 1) -> Path:
    """Write events as NDJSON, unless the file is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            for event in Fleet(seed).events(count):
                file.write(orjson.dumps(event) + b"\n")
        part.rename(path)
    return path


def main() -> None:
    """Write so many gigabytes of events to standard output, 20 unless the first argument says otherwise."""
    left = int(float(sys.argv[1] if len(sys.argv) > 1 else 20) * 1e9)
    fleet = Fleet()
    while left > 0:
        lines = b"".join(orjson.dumps(event) + b"\n" for event in fleet.events(10_000))
        sys.stdout.buffer.write(lines)
        left -= len(lines)


if __name__ == "__main__":
    main()
