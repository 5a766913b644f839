"""The fields of an alert that tell most of it, as Kibana highlights them and proposes them for an exception.

Which they are is in Kibana's `get_alert_summary_rows.tsx`; what an exception leaves out of them, in `helpers.tsx`
of its rule exceptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_ALWAYS = (
    "host.name", "user.name", "cloud.provider", "cloud.region", "orchestrator.cluster.id",
    "orchestrator.cluster.name", "container.image.name", "container.image.tag", "orchestrator.namespace",
    "orchestrator.resource.parent.type", "orchestrator.resource.type", "process.executable", "file.path",
)  # fmt: skip
_FILE = ("file.name", "file.hash.sha256", "file.directory", "process.name")
_PROCESS = ("process.name", "process.parent.name", "process.args")
_CONNECTION = ("destination.address", "destination.port", "source.address", "source.port")
_OF_CATEGORY: Mapping[str, Sequence[str]] = {
    "process": _PROCESS,
    "file": _FILE,
    "malware": _FILE,
    "network": (*_CONNECTION, "dns.question.name", "process.name"),
    "registry": ("registry.key", "registry.value", "process.name"),
}
# What an exception is often made of beside them, offered and not chosen.
_OFFERED = (
    "process.command_line", "process.hash.sha256", "process.code_signature.subject_name",
    "process.pe.original_file_name", "process.parent.executable", "process.parent.command_line",
    "process.parent.code_signature.subject_name", "file.path", "file.hash.sha256", "registry.path", "dll.path",
    "dll.hash.sha256", "dns.question.name", "destination.ip", "destination.domain", "source.ip", "url.original",
    "user.id", "user.domain", "host.id",
)  # fmt: skip


def highlighted_fields(event: Mapping[str, Any], of_rule: Iterable[str] = ()) -> list[str]:
    """Return the names of the highlighted fields that an event has a value of.

    `of_rule` are those that its rule names.
    """
    categories = event.get("event.category")
    categories = [categories] if isinstance(categories, str) else list(categories or ())
    names = [*of_rule, *_ALWAYS]
    if categories and categories[0] in _OF_CATEGORY:
        names += _OF_CATEGORY[categories[0]]
    else:
        names += [name for kind in ("file", "process") if kind in categories for name in _OF_CATEGORY[kind]]
    return _with_value(event, names)


def offered_fields(event: Mapping[str, Any]) -> list[str]:
    """Return the names of further fields that exceptions are often made of and that an event has a value of."""
    return _with_value(event, _OFFERED)


def _with_value(event: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if event.get(name) not in (None, "", [])]
