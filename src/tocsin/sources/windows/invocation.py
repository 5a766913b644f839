"""What a PowerShell pipeline did, as events 4103 (`Payload`) and 800 say it line by line.

`ParameterBinding(Start-Sleep): name="Seconds"; value="5"` has the type of the detail, the command, and the name
and value of a parameter, quotes included; a line of another form is a value alone, as in Elastic's integration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_DETAIL = re.compile(r"([^:(]+)\(([^)]+)\):\s*(.+)?")
_PARAMETER = re.compile(r"name=(.+);\s*value=(.+)")


class Detail(NamedTuple):
    """One line."""

    type: str | None = None
    related_command: str | None = None
    name: str | None = None
    value: str | None = None


@lru_cache(maxsize=16)
def _details(text: str) -> tuple[Detail, ...]:
    return tuple(_detail(line.strip("\r")) for line in text.split("\n") if line.strip())


def _detail(line: str) -> Detail:
    match = _DETAIL.fullmatch(line)
    if match is None:
        return Detail(value=line)
    if match[1] == "ParameterBinding":
        parameter = _PARAMETER.fullmatch(match[3] or "")
        return Detail(match[1], match[2], *parameter.groups()) if parameter else Detail(value=match[3])
    return Detail(match[1], match[2], None, match[3])


def details(part: str) -> Callable[[str], list[str] | None]:
    """Return a converter of the lines to one part of each, without those that lack it."""
    position = Detail._fields.index(part)
    return lambda text: [text_of_part for detail in _details(text) if (text_of_part := detail[position])] or None
