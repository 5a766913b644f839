"""The values of an event that a collector kept in its rendered message alone.

nxlog writes no values of the classic PowerShell channel, whose events have none by name, and none of a cleared
log, which has user data; both stand in the English message.
"""

from __future__ import annotations

import re
from typing import Any

_DETAILS = re.compile(r"(.*?)\r?\n\r?\n(?:Context Information|Details): ?\r?\n(.*)", re.DOTALL)
_COMMAND = re.compile(r"Pipeline execution details for command line: (.*)\.\s*", re.DOTALL)
_INVOKED = re.compile(r"(.*?)\r?\n\r?\nDetails: ?\r?\n(.*)", re.DOTALL)
_LINE = re.compile(r"\s*([A-Z][A-Za-z ]+):\s+(\S.*?)\s*")
_CLEARED = {
    "Security ID": "SubjectUserSid",
    "Account Name": "SubjectUserName",
    "Domain Name": "SubjectDomainName",
    "Logon ID": "SubjectLogonId",
}


def told(provider: Any, event_id: Any, message: Any) -> tuple[dict[str, Any], bool]:
    """Return the values that a message tells, as the log holds them, and whether they are user data."""
    if not isinstance(message, str):
        return {}, False
    if provider == "PowerShell":
        return _powershell(event_id, message), False
    if event_id == 1102:
        lines = (match for line in message.splitlines() if (match := _LINE.fullmatch(line)))
        values = {_CLEARED[match[1]]: match[2] for match in lines if match[1] in _CLEARED}
        return ({"LogFileCleared": values} if values else {}), bool(values)
    return {}, False


def _powershell(event_id: Any, message: str) -> dict[str, Any]:
    match = _DETAILS.fullmatch(message)
    if match is None:
        return {}
    if event_id != 800:
        return {"param3": match[2]}
    command, invoked = _COMMAND.fullmatch(match[1]), _INVOKED.fullmatch(match[2])
    return {
        "param1": command[1].strip() if command else match[1],
        "param2": invoked[1] if invoked else match[2],
        **({"param3": invoked[2]} if invoked else {}),
    }
