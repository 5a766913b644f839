"""The values that PowerShell writes as lines into one value of an event.

Event 4103 of the Operational channel has a line `Host Application = …` for each in `ContextInfo`, indented by
eight blanks; events of the classic channel a line `HostApplication=…` after a tab, in their third value, and 800
in its second. A value may go on over several lines, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_BLANKS = 8  # before a name in `ContextInfo`
_SPACED = re.compile(r"([A-Za-z][A-Za-z0-9 _.\-]*?)[^\S\r\n]*[:=]")
_WORD = re.compile(r"\w+")
# Collectors may remove the tab; known names count without it.
_CLASSIC = frozenset(
    (
        "CommandLine", "CommandName", "CommandPath", "CommandType", "DetailSequence", "DetailTotal",
        "EngineVersion", "HostApplication", "HostID", "HostId", "HostName", "HostVersion",
        "NewEngineState", "NewProviderState", "PipelineId", "PreviousEngineState", "ProviderName",
        "RunspaceId", "ScriptName", "SequenceNumber", "UserId",
    )
)  # fmt: skip


def context_values(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the values in an event's context, by names without blanks, of the event's `texts` by name."""
    values = _values(texts.get("ContextInfo", ""), _operational)
    for name in ("param2", "param3"):
        # Only one of them is the context; the other holds the details of 800, which may be anything.
        values = values or _values(texts.get(name, ""), _classic)
    return values


def _operational(line: str) -> tuple[str, str] | None:
    """Return the name and the beginning of the value that a line of `ContextInfo` starts."""
    stripped = line.lstrip()
    if len(line) - len(stripped) < _BLANKS:
        return None
    match = _SPACED.match(stripped)
    return (match[1], stripped[match.end() :]) if match else None


def _classic(line: str) -> tuple[str, str] | None:
    """Return the name and the beginning of the value that a line of a classic event starts."""
    name, equals, value = line.partition("=")
    if not equals:
        return None
    stripped = name.lstrip()
    if stripped in _CLASSIC or (name == "\t" + stripped and _WORD.fullmatch(stripped)):
        return stripped, value
    return None


def _values(text: str, start_of_value: Callable[[str], tuple[str, str] | None]) -> dict[str, str]:
    lines_by_name: dict[str, list[str]] = {}
    value: list[str] = []
    for line in text.split("\n") if text else ():
        start = start_of_value(line) if "=" in line or ":" in line else None
        name = start[0].replace(" ", "") if start else ""
        if start and name not in lines_by_name:  # a second one is part of a value
            value = lines_by_name[name] = [start[1]]
        else:
            value.append(line)
    values = {name: "\n".join(lines).strip().replace("\r\n", "\n") for name, lines in lines_by_name.items()}
    return {name: value for name, value in values.items() if value}
