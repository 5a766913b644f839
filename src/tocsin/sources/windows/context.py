"""The values that PowerShell writes as lines into one value of an event.

Event 4103 of the Operational channel has a line `Host Application = …` for each in `ContextInfo`, set in by eight
blanks; events of the classic channel a line `HostApplication=…` after a tabulator, in their third value, and 800
in its second. A value may go on over several lines, whatever stands in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_OPERATIONAL = re.compile(r"^[^\S\r\n]{8,}([A-Za-z][A-Za-z0-9 _.\-]*?)[^\S\r\n]*[:=]", re.MULTILINE)
# Collectors may take the tabulator away; names that are known stand for themselves.
_CLASSIC = re.compile(
    r"^(?:\t(?=\w+=)|[^\S\r\n]*(?=(?:CommandLine|CommandName|CommandPath|CommandType|DetailSequence|DetailTotal"
    r"|EngineVersion|HostApplication|HostI[dD]|HostName|HostVersion|NewEngineState|NewProviderState|PipelineId"
    r"|PreviousEngineState|ProviderName|RunspaceId|ScriptName|SequenceNumber|UserId)=))(\w+)=",
    re.MULTILINE,
)


def context_values(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the values in an event's context, by names without blanks, of the event's `texts` by name."""
    found = _values(texts.get("ContextInfo", ""), _OPERATIONAL)
    for name in ("param2", "param3"):
        # Only one of them is the context: beside it 800 has its details, in which anything may stand.
        found = found or _values(texts.get(name, ""), _CLASSIC)
    return found


def _values(text: str, start_of_value: re.Pattern[str]) -> dict[str, str]:
    if not text:
        return {}
    starts: dict[str, re.Match[str]] = {}
    for match in start_of_value.finditer(text):
        starts.setdefault(match[1].replace(" ", ""), match)  # a second one is part of a value
    ends = [*(match.start() for match in starts.values()), len(text)]
    values = {
        name: text[match.end() : end].strip().replace("\r\n", "\n")
        for (name, match), end in zip(starts.items(), ends[1:], strict=True)
    }
    return {name: value for name, value in values.items() if value}
