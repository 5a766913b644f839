"""Which fields of events are compared with which of indicators: for prevalence, hunts, and rules made of them.

The pairs are those of Elastic's own indicator-match rules (hash, address, URL, registry), with domains and
paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH, URL

_HASHED = ("process", "process.parent", "file", "dll")
_DIGESTS = ("sha256", "sha1", "md5")
# By a field of indicators, the fields of events that may have its value.
COMPARED: Mapping[str, tuple[str, ...]] = {
    **{
        f"threat.indicator.file.hash.{digest}": tuple(f"{part}.hash.{digest}" for part in _HASHED)
        for digest in _DIGESTS
    },
    "threat.indicator.file.pe.imphash": ("process.pe.imphash", "file.pe.imphash", "dll.pe.imphash"),
    "threat.indicator.ip": (
        "source.ip", "destination.ip", "dns.resolved_ip", "server.ip", "client.ip", "source.nat.ip",
        "destination.nat.ip",
    ),
    "threat.indicator.url.domain": (
        "dns.question.name", "destination.domain", "url.domain", "server.domain", "source.domain",
        "tls.client.server_name",
    ),
    "threat.indicator.url.full": ("url.full", "url.original"),
    "threat.indicator.registry.path": ("registry.path",),
    "threat.indicator.file.path": ("file.path", "process.executable", "dll.path"),
}  # fmt: skip
_LENGTHS = {64: "sha256", 40: "sha1", 32: "md5"}
_FIELD_OF_KIND = {
    ADDRESS: "threat.indicator.ip", DOMAIN: "threat.indicator.url.domain", URL: "threat.indicator.url.full",
}  # fmt: skip


def indicator_field(kind: str, value: str) -> str | None:
    """Return the field of indicators that has an observable's value; None for a hash of no known length."""
    if kind != HASH:
        return _FIELD_OF_KIND.get(kind)
    digest = _LENGTHS.get(len(value))
    return None if digest is None else f"threat.indicator.file.hash.{digest}"


def mapping_for(documents: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return the mapping of an indicator-match rule for the fields that some indicators have."""
    there = {name for document in documents for name in document if name in COMPARED}
    return tuple(
        {"entries": [{"field": field, "type": "mapping", "value": name}]}
        for name, fields in COMPARED.items()
        if name in there
        for field in fields
    )
