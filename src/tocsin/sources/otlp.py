"""Log records in OTLP's JSON, as OpenTelemetry's collector writes them to files, Kafka and HTTP.

A request holds resources, these scopes, these log records, whose bodies and attributes are values with their types
(opentelemetry-proto, opentelemetry/proto/common/v1/common.proto: `AnyValue`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_PLAIN = ("stringValue", "boolValue", "doubleValue", "bytesValue")


def log_records(requests: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the log records of resources with `body`, `attributes`, the resource's, and `@timestamp`."""
    for of_resource in _objects(requests):
        resource = _attributes(_object(of_resource.get("resource")).get("attributes"))
        for of_scope in _objects(of_resource.get("scopeLogs") or of_resource.get("instrumentationLibraryLogs")):
            for record in _objects(of_scope.get("logRecords")):
                time = record.get("timeUnixNano")
                if str(time or 0) == "0":  # the event's own time is unknown
                    time = record.get("observedTimeUnixNano")
                yield {
                    "@timestamp": time,
                    "resource": resource,
                    "attributes": _attributes(record.get("attributes")),
                    "body": _value(record.get("body")),
                }


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for name in _PLAIN:
        if name in value:
            return value[name]
    if "intValue" in value:
        return _whole(value["intValue"])
    if "kvlistValue" in value:
        return _attributes(_object(value["kvlistValue"]).get("values"))
    if "arrayValue" in value:
        values = _object(value["arrayValue"]).get("values")
        return [_value(item) for item in values] if isinstance(values, list) else []
    return None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {str(pair.get("key", "")): _value(pair.get("value")) for pair in _objects(pairs)}


def _whole(value: Any) -> Any:
    try:
        return int(value)  # 64 bits are written as text
    except (TypeError, ValueError):
        return value


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
