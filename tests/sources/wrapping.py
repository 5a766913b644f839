"""What programs put round a Windows event, in the shape that each writes.

- evtx's parser (omerbenamran/evtx, README): a record with `event_record_id`, `timestamp` and `data`.
- Chainsaw (WithSecureLabs/chainsaw, src/cli.rs): `hunt --json` and `--jsonl`, `document.data` of each detection.
- OpenTelemetry: pkg/stanza/operator/input/windows/xml.go of its collector, by itself, in OTLP's JSON, and as its
  Elasticsearch exporter stores it (mapping mode `otel`).
- Splunk: `| search … | outputformat json` of its REST interface and HTTP Event Collector.
- Wazuh: alerts.json (wazuh/wazuh#4509).
"""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.sources import shippers

Record = dict[str, Any]
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


def _head(record: Record) -> Record:
    head: Record = record["Event"]["System"]
    return head


def _attributes(record: Record, element: str) -> Record:
    return dict((_head(record).get(element) or {}).get("#attributes") or {})


def xml(record: Record) -> str:
    """Return an event as Windows renders it."""
    system = ""
    for name, value in _head(record).items():
        if isinstance(value, dict):
            attributes = "".join(f" {key}={quoteattr(str(one))}" for key, one in value["#attributes"].items())
            system += f"<{name}{attributes}/>"
        else:
            system += f"<{name}/>" if value is None else f"<{name}>{escape(str(value))}</{name}>"
    data = "".join(
        f"<Data Name='{name}'>{escape(str(value).lower() if isinstance(value, bool) else str(value))}</Data>"
        for name, value in record["Event"]["EventData"].items()
    )
    return f"<Event xmlns='{NAMESPACE}'><System>{system}</System><EventData>{data}</EventData></Event>"


def otel_body(record: Record, *, listed: bool = False) -> Record:
    """Return the body that the receiver makes of an event; its older versions list the data."""
    head, data = _head(record), dict(record["Event"]["EventData"])
    data = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in data.items()}
    audited = int(head["Keywords"], 16) & 0x20000000000000
    return {
        "channel": head["Channel"], "computer": head["Computer"],
        "event_id": {"id": head["EventID"], "qualifiers": 0},
        "event_data": {"data": [{name: value} for name, value in data.items()]} if listed else data,
        "keywords": ["Audit Success"] if audited else ["0x8000000000000000"],
        "level": "Information", "message": "Something happened.", "opcode": "Info", "task": "Process Creation",
        "provider": {"event_source": "", "guid": f"{{{_attributes(record, 'Provider')['Guid']}}}",
                     "name": _attributes(record, "Provider")["Name"]},
        "execution": {"process_id": 3104, "thread_id": 4120},
        "security": {"user_id": _attributes(record, "Security").get("UserID", "")},
        "record_id": head["EventRecordID"], "system_time": _attributes(record, "TimeCreated")["SystemTime"],
        "version": head["Version"],
    }  # fmt: skip


def _any_value(value: Any) -> Record:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": _any_value(v)} for k, v in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    return {"stringValue": str(value)}


def otlp(*bodies: Any) -> Record:
    """Return a request of OTLP with log records of some bodies."""
    records = [{"timeUnixNano": "1790000000000000000", "body": _any_value(body), "severityText": "Information"}
               for body in bodies]  # fmt: skip
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "collector"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": records}]}]}


def wazuh(record: Record) -> Record:
    """Return an alert: names begin small, and values stand as in the agent's JSON."""
    head = _head(record)

    def written(value: Any) -> str:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text.replace("\\", "\\\\").replace('"', '\\"')

    data = {name[0].lower() + name[1:]: written(value) for name, value in record["Event"]["EventData"].items()}
    system = {
        "providerName": _attributes(record, "Provider")["Name"],
        "providerGuid": f"{{{_attributes(record, 'Provider')['Guid']}}}", "eventID": str(head["EventID"]),
        "version": str(head["Version"]), "level": str(head["Level"]), "task": str(head["Task"]),
        "opcode": str(head["Opcode"]), "keywords": head["Keywords"],
        "systemTime": _attributes(record, "TimeCreated")["SystemTime"],
        "eventRecordID": str(head["EventRecordID"]),
        "processID": "3104", "threadID": "4120", "channel": head["Channel"], "computer": head["Computer"],
        "severityValue": "INFORMATION", "message": '"Something happened."',
    }  # fmt: skip
    return {
        "timestamp": "2026-10-06T12:00:00.702+0200", "rule": {"level": 3, "id": "60106", "groups": ["windows"]},
        "agent": {"id": "006", "name": "WS-0142", "ip": "10.0.2.15"}, "manager": {"name": "wazuh"},
        "id": "1580127053.479192", "decoder": {"name": "windows_eventchannel"},
        "data": {"win": {"system": system, "eventdata": data}}, "location": "EventChannel",
    }  # fmt: skip


def chainsaw(record: Record) -> Record:
    """Return a detection of `chainsaw hunt`."""
    return {
        "group": "Sigma", "kind": "individual", "name": "Suspicious", "timestamp": "2026-10-06T10:00:00+00:00",
        "authors": ["someone"], "level": "high", "source": "sigma", "status": "test", "sigma": {"id": "7"},
        "document": {"kind": "evtx", "path": "x.evtx", "data": shippers.separate_attributes(record)},
    }  # fmt: skip


def splunk(raw: str) -> Record:
    """Return a line of Splunk's export of a search."""
    result = {"_raw": raw, "_time": "2026-10-06T10:00:00.000+00:00", "host": "FORWARDER", "index": "wineventlog",
              "source": "XmlWinEventLog:Security", "sourcetype": "XmlWinEventLog", "linecount": "1"}  # fmt: skip
    return {"preview": False, "offset": 0, "lastrow": True, "result": result}


def filebeat(message: str, **more: Any) -> Record:
    """Return a document of Filebeat, which read a line."""
    return {
        "@timestamp": "2026-10-06T10:01:00.000Z", "message": message, "input": {"type": "filestream"},
        "agent": {"type": "filebeat", "id": "5a3", "name": "COLLECTOR", "version": "9.1.0"},
        "ecs": {"version": "8.0.0"}, "host": {"name": "COLLECTOR", "ip": ["192.0.2.1"]},
        "log": {"file": {"path": "/var/log/w.json"}, "offset": 7}, **more,
    }  # fmt: skip


def kafka(value: str) -> Record:
    """Return a message as consumers and connectors dump it."""
    return {
        "topic": "winlogbeat",
        "partition": 0,
        "offset": 9,
        "timestamp": 1790000000000,
        "key": None,
        "value": value,
    }


def compact(record: Any) -> str:
    """Return a record as JSON text."""
    return json.dumps(record, separators=(",", ":"))


WRAPPERS = {
    "evtx's parser": lambda r: {"event_record_id": 7, "timestamp": "2026-10-06 10:00:00 UTC", "data": r},
    "evtx for Python": lambda r: {"event_record_id": 7, "data": json.dumps(r, indent=2)},
    "evtx for Python, XML": lambda r: {
        "event_record_id": 7, "data": f'<?xml version="1.0" encoding="utf-8"?>\n{xml(r)}\n'},
    "Chainsaw": chainsaw,
    "OpenTelemetry, the body alone": otel_body,
    "OpenTelemetry, data listed": lambda r: {"body": otel_body(r, listed=True), "resource": {}},
    "OpenTelemetry, raw": lambda r: {"body": xml(r), "attributes": {}},
    "OpenTelemetry in Elasticsearch": lambda r: {
        "@timestamp": "2026-10-06T10:00:00Z", "resource": {"attributes": {"host.name": "x"}},
        "data_stream": {"type": "logs", "dataset": "generic.otel", "namespace": "default"},
        "body": {"structured": otel_body(r)}},
    "OpenTelemetry in Elasticsearch, flat": lambda r: {
        **{f"Body.{name}": value for name, value in otel_body(r).items()}, "@timestamp": "2026-10-06T10:00:00Z"},
    "Splunk": lambda r: splunk(xml(r)),
    "Splunk, JSON": lambda r: splunk(compact(shippers.nxlog(r))),
    "Splunk's collector": lambda r: {"time": 1790000000.5, "host": "f", "sourcetype": "x", "event": xml(r)},
    "Splunk's collector, an object": lambda r: {"time": 1790000000.5, "host": "f", "event": r},
    "Cribl": lambda r: {"_raw": xml(r), "_time": 1790000000.5, "host": "f", "cribl_pipe": "main"},
    "Wazuh": wazuh,
    "Wazuh in a search": lambda r: {"_index": "wazuh-alerts-4.x-2026.10.06", "_id": "x", "_source": wazuh(r)},
    "Wazuh with dots": lambda r: {
        "timestamp": "2026-10-06T12:00:00.702+0200", "agent.name": "WS-0142",
        **{f"data.win.{part}.{name}": value for part, inside in wazuh(r)["data"]["win"].items()
           for name, value in inside.items()}},
    "Elastic Agent, XML in event.original": lambda r: filebeat(
        "An event.", event={"original": xml(r), "kind": "event", "code": "1"}),
    "XML in event.original, with dots": lambda r: {"@timestamp": "2026-10-06T10:01:00Z", "event.original": xml(r)},
    "Filebeat, a line of nxlog": lambda r: filebeat(compact(shippers.nxlog(r))),
    "Filebeat, XML": lambda r: filebeat(xml(r)),
    "Filebeat, a document": lambda r: filebeat(compact(shippers.winlogbeat(r))),
    "Filebeat, behind syslog's header": lambda r: filebeat(
        "<14>Oct  6 10:00:00 ws nxlog: " + compact(shippers.nxlog(r))),
    "Kafka": lambda r: kafka(compact(shippers.winlogbeat(r))),
    "Kafka, twice encoded": lambda r: kafka(json.dumps(json.dumps(shippers.winlogbeat(r)))),
    "Kafka, then Filebeat": lambda r: kafka(compact(filebeat(compact(r)))),
    "Vector": lambda r: {
        "message": compact(r), "host": "v", "source_type": "file", "timestamp": "2026-10-06T10:01:00Z"},
    "Fluent Bit": lambda r: {"date": 1790000000.5, "log": compact(shippers.nxlog(r)) + "\n"},
    "parts as JSON text": lambda r: {
        "System": compact(r["Event"]["System"]), "EventData": compact(r["Event"]["EventData"])},
}  # fmt: skip

# Lists of records in an object.
ENVELOPES = {
    "Elasticsearch": lambda rs: {"took": 1, "hits": {"total": {"value": len(rs)}, "hits": [
        {"_index": "winlogbeat-9", "_id": str(n), "_source": shippers.winlogbeat(r)} for n, r in enumerate(rs)]}},
    "Elasticsearch, several searches": lambda rs: {"responses": [{"hits": {"hits": [
        {"_index": "x", "_id": "7", "_source": wazuh(r)}]}} for r in rs]},
    "Azure": lambda rs: {"records": [shippers.velociraptor(r) for r in rs]},
    "OData": lambda rs: {"@odata.context": "x", "value": [shippers.nxlog(r) for r in rs]},
    "CloudWatch": lambda rs: {"messageType": "DATA_MESSAGE", "logGroup": "w", "logEvents": [
        {"id": str(n), "timestamp": 1790000000000, "message": xml(r)} for n, r in enumerate(rs)]},
    "CloudWatch, filter-log-events": lambda rs: {"events": [
        {"logStreamName": "s", "timestamp": 1790000000000, "message": xml(r)} for r in rs], "nextToken": "x"},
    "Splunk": lambda rs: {"preview": False, "results": [splunk(xml(r))["result"] for r in rs]},
    "OpenTelemetry": lambda rs: otlp(*map(otel_body, rs)),
    "OpenTelemetry, raw": lambda rs: otlp(*map(xml, rs)),
    "Chainsaw's aggregates": lambda rs: {"group": "x", "kind": "aggregate", "documents": [
        {"kind": "evtx", "path": "x", "data": shippers.separate_attributes(r)} for r in rs]},
    "JSON text of a list": lambda rs: {"offset": 7, "value": compact([shippers.nxlog(r) for r in rs])},
}  # fmt: skip
