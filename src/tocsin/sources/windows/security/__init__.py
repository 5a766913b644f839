"""The Security channel: logons, accounts, groups, processes, objects, services, tasks, shares, audit policy."""

from tocsin.sources.mapping import Dataset, register
from tocsin.sources.windows.security.kinds import KINDS
from tocsin.sources.windows.security.rows import DERIVED, ROWS

SECURITY = register(
    Dataset(
        "system.security",
        "system",
        "logs-system.security-default",
        KINDS,
        ROWS,
        derived=DERIVED,
        source="elastic/integrations, packages/windows, security_standard.yml (read November 2026)",
        provider="Microsoft-Windows-Security-Auditing",
    )
)
