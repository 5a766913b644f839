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


def _value(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    for name in _PLAIN:
        if name in found:
            return found[name]
    if "intValue" in found:
        return _whole(found["intValue"])
    if "kvlistValue" in found:
        return _attributes(_object(found["kvlistValue"]).get("values"))
    if "arrayValue" in found:
        values = _object(found["arrayValue"]).get("values")
        return [_value(one) for one in values] if isinstance(values, list) else []
    return None


def _attributes(pairs: Any) -> dict[str, Any]:
    return {str(pair.get("key", "")): _value(pair.get("value")) for pair in _objects(pairs)}


def _whole(value: Any) -> Any:
    try:
        return int(value)  # 64 bits are written as text
    except (TypeError, ValueError):
        return value


def _objects(found: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in found if isinstance(one, dict)) if isinstance(found, list) else iter(())


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
