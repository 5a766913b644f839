"""Windows events as ten programs write them.

Each function takes a record as it lies in a log (as the `evtx` parser renders it) and returns what one program
writes of it, in the shape that the program's own source, fixtures or documentation show:

- Winlogbeat 8 and 9: elastic/beats winlogbeat/eventlog/eventlog.go and winlogbeat/sys/winevent/event.go; ECS
  fields are left to the pipelines of x-pack/winlogbeat/module. Winlogbeat 7 has modules that set them itself.
- Elastic Agent: the same, with `data_stream`, `event.dataset` and `input.type` from its configuration.
- Logstash: what its beats input makes of a document (`@version`, `tags`, no `@metadata`).
- EvtxECmd: EricZimmerman/evtx, one row a record in CSV or JSON, `Payload` holding the XML's data in JSON.
- Velociraptor: `parse_evtx` (Velocidex/evtx, fixtures/Event4624_linux.golden) and the rows of its artifact
  `Windows.EventLogs.EvtxHunter`.
- `Get-WinEvent | ConvertTo-Json -Depth 4`: tests/sources/test_exported.py.
- nxlog: `im_msvistalog` with `to_json()`.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

from tests.sources.test_exported import exported

Record = dict[str, Any]

_LEVELS = {0: "information", 1: "critical", 2: "error", 3: "warning", 4: "information"}
_DATASETS = {
    "Security": "system.security",
    "Microsoft-Windows-Sysmon/Operational": "windows.sysmon_operational",
    "Microsoft-Windows-PowerShell/Operational": "windows.powershell_operational",
}
_TASKS = {
    1: "Process Create (rule: ProcessCreate)", 3: "Network connection detected (rule: NetworkConnect)",
    11: "File created (rule: FileCreate)", 13: "Registry value set (rule: RegistryEvent)",
    22: "Dns query (rule: DnsQuery)", 4624: "Logon", 4688: "Process Creation", 4698: "Other Object Access Events",
    5145: "Detailed File Share", 4104: "Execute a Remote Command",
}  # fmt: skip
# The types that the provider's template gives values, which Velociraptor keeps.
_NUMBERS = frozenset(("ProcessId", "SourcePort", "DestinationPort", "TerminalSessionId", "ParentProcessId",
                      "LogonType", "MessageNumber", "MessageTotal"))  # fmt: skip
_HEXADECIMAL = frozenset(("SubjectLogonId", "TargetLogonId", "NewProcessId", "AccessMask"))


def _head(record: Record) -> Record:
    system: Record = record["Event"]["System"]
    return system


def _attributes(record: Record, element: str) -> Record:
    found = _head(record).get(element) or {}
    return dict(found.get("#attributes") or {})


def _data(record: Record) -> Record:
    return dict(record["Event"]["EventData"])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _braced(name: str, value: Any) -> str:
    """Return a value as Windows renders it in XML: a GUID in braces and in lower case."""
    text = _text(value)
    return f"{{{text.lower()}}}" if name.lower().endswith("guid") and len(text) == 36 else text


def _outcome(record: Record) -> str | None:
    keywords = int(_head(record)["Keywords"], 16)
    return "success" if keywords & 0x20000000000000 else "failure" if keywords & 0x10000000000000 else None


def _task(record: Record) -> str:
    """The task's name, which the pipelines replace."""
    return _TASKS.get(_head(record)["EventID"], "Log clear")


# ---- Beats and Elastic Agent


def winlogbeat(record: Record, version: str = "8.19.4") -> Record:
    """Return what Winlogbeat 8 or 9 sends to Elasticsearch: the pipelines have yet to see it."""
    head, computer = _head(record), _head(record)["Computer"]
    outcome = _outcome(record)
    user = _attributes(record, "Security").get("UserID")
    return {
        "@timestamp": _attributes(record, "TimeCreated")["SystemTime"][:23] + "Z",
        "agent": {"type": "winlogbeat", "version": version, "name": "WEC", "id": "5a3", "ephemeral_id": "7b1"},
        "ecs": {"version": "8.0.0"},
        "event": {
            "action": _task(record), "code": str(head["EventID"]), "kind": "event",
            "created": "2026-10-06T09:59:59.000Z", "provider": _attributes(record, "Provider")["Name"],
            **({"outcome": outcome} if outcome else {}),
        },
        "host": {"name": computer, "os": {"type": "windows", "family": "windows", "platform": "windows"}},
        "log": {"level": _LEVELS[head["Level"]]},
        "message": "Something happened.",
        "winlog": {
            "api": "wineventlog", "channel": head["Channel"], "computer_name": computer,
            "event_id": str(head["EventID"]), **({"keywords": ["Audit Success"]} if outcome else {}),
            "opcode": "Info", "process": {"pid": 3104, "thread": {"id": 4120}}, "task": _task(record),
            "provider_guid": f"{{{_attributes(record, 'Provider')['Guid']}}}", "version": head["Version"],
            "provider_name": _attributes(record, "Provider")["Name"], "record_id": head["EventRecordID"],
            "event_data": {name: _braced(name, value) for name, value in _data(record).items()},
            **({"user": {"identifier": user, "name": "m.weber", "domain": "CORP"}} if user else {}),
        },
    }  # fmt: skip


def winlogbeat_to_a_file(record: Record) -> Record:
    """Return what Winlogbeat writes to a file, to Kafka or to Logstash: its pipeline's name goes along."""
    metadata = {"beat": "winlogbeat", "type": "_doc", "version": "9.1.0", "pipeline": "winlogbeat-9.1.0-routing"}
    return {"@metadata": metadata, **winlogbeat(record, "9.1.0")}


def elastic_agent(record: Record, dataset: str | None = None) -> Record:
    """Return what Elastic Agent sends."""
    name = dataset or _DATASETS[_head(record)["Channel"]]
    document = winlogbeat(record, "9.2.0")
    document["agent"]["type"] = "filebeat"
    document["event"]["dataset"] = name
    return {
        **document,
        "data_stream": {"type": "logs", "dataset": name, "namespace": "default"},
        "elastic_agent": {"id": "5a3", "snapshot": False, "version": "9.2.0"},
        "input": {"type": "winlog"},
    }


def logstash(record: Record) -> Record:
    """Return what comes of a document of Winlogbeat's through Logstash."""
    return {**winlogbeat(record), "@version": "1", "tags": ["beats_input_codec_plain_applied"]}


def graylog(record: Record) -> Record:
    """Return what Graylog keeps of a document of Winlogbeat's, and exports."""
    flat: Record = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for inner, below in value.items():
                put(f"{name}_{inner}", below)
        else:
            flat["winlogbeat_" + name.removeprefix("@")] = value

    for name, value in winlogbeat(record).items():
        put(name, value)
    time = flat.pop("winlogbeat_timestamp")
    return {**flat, "timestamp": time, "source": "WEC", "message": "x", "gl2_source_input": "1", "_id": "9"}


# ---- forensic tools


def _xml_data(record: Record) -> list[Record]:
    return [
        {"@Name": name, **({"#text": _text(value)} if value != "" else {})}
        for name, value in _data(record).items()
    ]


def evtxecmd(record: Record) -> Record:
    """Return a row of EvtxECmd, as `--json` writes it."""
    head = _head(record)
    return {
        "PayloadData1": "made by a map", "UserName": "", "MapDescription": "Something happened", "ChunkNumber": 0,
        "Computer": head["Computer"], "Payload": json.dumps({"EventData": {"Data": _xml_data(record)}}),
        "UserId": _attributes(record, "Security").get("UserID", ""), "Channel": head["Channel"],
        "Provider": _attributes(record, "Provider")["Name"], "EventId": head["EventID"],
        "EventRecordId": str(head["EventRecordID"]), "ProcessId": 3104, "ThreadId": 4120,
        "Level": "LogAlways" if head["Level"] == 0 else "Info",
        "Keywords": "Audit success" if _outcome(record) else "Classic", "SourceFile": "C:\\x.evtx",
        "ExtraDataOffset": 0, "HiddenRecord": False, "RecordNumber": head["EventRecordID"],
        "TimeCreated": _attributes(record, "TimeCreated")["SystemTime"].replace("Z", "+00:00"),
    }  # fmt: skip


_COLUMNS = """RecordNumber EventRecordId TimeCreated EventId Level Provider Channel ProcessId ThreadId Computer
ChunkNumber UserId MapDescription UserName RemoteHost PayloadData1 PayloadData2 PayloadData3 PayloadData4
PayloadData5 PayloadData6 ExecutableInfo HiddenRecord SourceFile Keywords ExtraDataOffset Payload"""
EVTXECMD_COLUMNS = tuple(_COLUMNS.split())


def evtxecmd_csv(records: list[Record]) -> bytes:
    """Return a table of EvtxECmd: UTF-8 with its mark, times without a zone."""
    out = io.StringIO()
    writer = csv.DictWriter(out, EVTXECMD_COLUMNS)
    writer.writeheader()
    for record in records:
        time = _attributes(record, "TimeCreated")["SystemTime"].replace("T", " ").rstrip("Z")
        writer.writerow({**evtxecmd(record), "TimeCreated": time})
    return out.getvalue().encode("utf-8-sig")


def full_json(record: Record) -> Record:
    """Return what EvtxECmd's `--fj`, python-evtx and xmltodict make of the XML: attributes as `@Name`."""
    system: Record = {}
    for name, value in _head(record).items():
        if isinstance(value, dict):
            system[name] = {f"@{attribute}": _text(inner) for attribute, inner in value["#attributes"].items()}
        else:
            system[name] = None if value is None else _text(value)
    system["EventID"] = {"@Qualifiers": "", "#text": system["EventID"]}
    xmlns = "http://schemas.microsoft.com/win/2004/08/events/event"
    return {"Event": {"@xmlns": xmlns, "System": system, "EventData": {"Data": _xml_data(record)}}}


def separate_attributes(record: Record) -> Record:
    """Return what `evtx_dump --separate-json-attributes` and Chainsaw's `dump` write."""
    system: Record = {}
    for name, value in _head(record).items():
        if isinstance(value, dict):
            system[f"{name}_attributes"] = value["#attributes"]
        else:
            system[name] = value
    return {"Event_attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
            "Event": {"System": system, "EventData": _data(record)}}  # fmt: skip


def velociraptor(record: Record) -> Record:
    """Return a row of `SELECT * FROM parse_evtx(...)`."""
    head = _head(record)
    time = datetime.fromisoformat(_attributes(record, "TimeCreated")["SystemTime"]).timestamp()
    data: Record = {}
    for name, value in _data(record).items():
        if name in _HEXADECIMAL or (name == "ProcessId" and isinstance(value, str) and value.startswith("0x")):
            data[name] = int(value, 16) if value != "-" else "-"
        else:
            data[name] = int(value) if name in _NUMBERS and value != "-" else value
    return {
        "System": {
            "Provider": _attributes(record, "Provider"),
            "EventID": {"Value": head["EventID"]}, "Version": head["Version"], "Level": head["Level"],
            "Task": head["Task"], "Opcode": head["Opcode"], "Keywords": int(head["Keywords"], 16),
            "TimeCreated": {"SystemTime": time}, "EventRecordID": head["EventRecordID"], "Correlation": {},
            "Execution": _attributes(record, "Execution"), "Channel": head["Channel"],
            "Computer": head["Computer"], "Security": _attributes(record, "Security"),
        },
        "EventData": data,
        "Message": "Something happened.\n",
        "OSPath": "C:\\Windows\\System32\\winevt\\Logs\\x.evtx",
    }  # fmt: skip


def evtx_hunter(record: Record) -> Record:
    """Return a row of Velociraptor's artifact."""
    head, row = _head(record), velociraptor(record)
    return {
        "EventTime": _attributes(record, "TimeCreated")["SystemTime"], "Computer": head["Computer"],
        "Channel": head["Channel"], "Provider": _attributes(record, "Provider")["Name"],
        "EventID": head["EventID"], "EventRecordID": head["EventRecordID"],
        "UserSID": _attributes(record, "Security").get("UserID"), "Username": None,
        "EventData": row["EventData"], "UserData": None, "Message": "Something happened.\n",
        "OSPath": "C:\\x.evtx",
    }  # fmt: skip


# ---- other shippers


def get_winevent(record: Record) -> Record:
    """Return what PowerShell 7 writes: values of the types that the provider's template gives them."""
    found = exported(record)
    for one in found["Properties"]:
        value = one["Value"]
        if isinstance(value, str) and value.startswith("0x"):
            one["Value"] = int(value, 16)
        elif isinstance(value, str) and value.startswith("S-1-"):
            one["Value"] = {"BinaryLength": 28, "AccountDomainSid": None, "Value": value}
    return found


def nxlog(record: Record) -> Record:
    """Return what nxlog's `im_msvistalog` and `to_json()` write, Logstash having received it."""
    head = _head(record)
    time = _attributes(record, "TimeCreated")["SystemTime"]
    keywords = int(head["Keywords"], 16)
    audited = _outcome(record)
    user = _attributes(record, "Security").get("UserID")
    account = {"UserID": user, "AccountName": "m.weber", "Domain": "CORP", "AccountType": "User"} if user else {}
    return {
        "EventTime": time[:19].replace("T", " "), "@timestamp": time[:23] + "Z", "Hostname": head["Computer"],
        "Keywords": keywords - (1 << 64) if keywords >= 1 << 63 else keywords,
        "EventType": "AUDIT_SUCCESS" if audited else "INFO", "SeverityValue": 2, "Severity": "INFO",
        "EventID": head["EventID"], "SourceName": _attributes(record, "Provider")["Name"],
        "ProviderGuid": f"{{{_attributes(record, 'Provider')['Guid']}}}", "Version": head["Version"],
        "Task": head["Task"], "OpcodeValue": head["Opcode"], "RecordNumber": head["EventRecordID"],
        "ExecutionProcessID": 3104, "ExecutionThreadID": 4120, "Channel": head["Channel"], **account,
        "Message": "Something happened.", "Category": _task(record), "Opcode": "Info",
        **{name: _braced(name, value) for name, value in _data(record).items()},
        "EventReceivedTime": time[:19].replace("T", " "), "SourceModuleName": "in",
        "SourceModuleType": "im_msvistalog", "@version": "1", "host": "192.0.2.9", "port": 51422, "tags": [],
    }  # fmt: skip
