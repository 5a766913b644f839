"""What a document says of itself: that it is in ECS, and which product's index it lies in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

# Members of an `event` object that a document in ECS has, and no raw record. What shippers put beside them says
# when and how a record was read, not what it means.
CATEGORISED = frozenset(("action", "category", "code", "id", "kind", "outcome", "provider", "type"))
# The paths of what a document says of its kind and its product.
DECLARED = (
    *(("event", name) for name in sorted(CATEGORISED)),
    *(("event", "dataset"), ("event", "module"), ("data_stream", "dataset")),
)
_DATA_STREAM = re.compile(r"(?:logs|metrics|traces|synthetics)-([^-]+)-.+")
# Beats that watch something of their own; Filebeat and Logstash ship whatever they are given.
_BEATS = ("auditbeat", "heartbeat", "metricbeat", "packetbeat", "winlogbeat", "apm", "endgame")
_NO_PRODUCT = frozenset(("generic", "raw", "custom", "filestream", "log", "tcp", "udp", "winlog"))


def is_categorised(record: Mapping[str, Any]) -> bool:
    """Return whether a document has ECS fields below `event`."""
    event = record.get("event")
    return isinstance(event, dict) and any(event.get(name) not in (None, "", []) for name in CATEGORISED)


def package_of(dataset: str) -> str | None:
    """Return the package that a dataset such as `nginx.access` is of; None for one that could hold anything."""
    package, dot, _ = dataset.partition(".")
    return package if package not in _NO_PRODUCT and (dot or package in _BEATS) else None


@lru_cache(maxsize=4096)  # indices
def package_of_index(index: str) -> str | None:
    """Return the package or Beat whose index this is, None for an index that could hold anything."""
    match = _DATA_STREAM.fullmatch(index.removeprefix(".ds-"))
    if match:
        return package_of(match[1])
    return next((beat for beat in _BEATS if index.startswith(beat)), None)


def lies_elsewhere(record: Mapping[str, Any], packages: Collection[str]) -> bool:
    """Return whether a document says that it is of a package other than these."""
    event, stream = record.get("event"), record.get("data_stream")
    for members, name in ((stream, "dataset"), (event, "dataset"), (event, "module")):
        declared = members.get(name) if isinstance(members, dict) else None
        if isinstance(declared, str):
            package = package_of(declared if name == "dataset" else declared + ".")
            return package is not None and package not in packages
    return False
