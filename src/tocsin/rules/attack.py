"""MITRE ATT&CK's enterprise tactics, in the order of its matrix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tactic:
    """A tactic's id and name, and a short name for narrow columns."""

    id: str
    name: str
    short: str


TACTICS = (
    Tactic("TA0043", "Reconnaissance", "Recon"),
    Tactic("TA0042", "Resource Development", "Resource"),
    Tactic("TA0001", "Initial Access", "Initial"),
    Tactic("TA0002", "Execution", "Execution"),
    Tactic("TA0003", "Persistence", "Persist"),
    Tactic("TA0004", "Privilege Escalation", "PrivEsc"),
    Tactic("TA0005", "Defense Evasion", "Evasion"),
    Tactic("TA0006", "Credential Access", "CredAccess"),
    Tactic("TA0007", "Discovery", "Discovery"),
    Tactic("TA0008", "Lateral Movement", "Lateral"),
    Tactic("TA0009", "Collection", "Collect"),
    Tactic("TA0011", "Command and Control", "C2"),
    Tactic("TA0010", "Exfiltration", "Exfil"),
    Tactic("TA0040", "Impact", "Impact"),
)
ORDER = {tactic.id: position for position, tactic in enumerate(TACTICS)}
