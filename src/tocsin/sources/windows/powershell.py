"""PowerShell: the Operational channel (4103 to 4106) and the classic one (400, 403, 600, 800)."""

from collections.abc import Callable

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Derived, Kind, Row, register, rows
from tocsin.sources.windows.invocation import details
from tocsin.sources.windows.script_text import figure

_INFO = Kind(("process",), ("info",))

KINDS = {
    4103: Kind(("process",), ("info",), always="process.entity_id"),
    4104: Kind(("process",), ("info",), always="powershell.file.script_block_id"),
    4105: Kind(("process",), ("start",), always="powershell.file.script_block_id"),
    4106: Kind(("process",), ("end",), always="powershell.file.script_block_id"),
}
CLASSIC_KINDS = {
    400: Kind(("process",), ("start",), always="process.entity_id"),
    403: Kind(("process",), ("end",), always="process.entity_id"),
    600: Kind(("process",), ("info",), always="process.entity_id"),
    800: Kind(("process",), ("info",), always="process.entity_id"),
}

_FILE = t.file_path()
_ACCOUNT = (("user.domain", v.account_domain), ("user.name", v.account_name), ("related.user", v.account_name))


def _invoked(source: str, event: int) -> tuple[Row, ...]:
    parts = ("type", "related_command", "name", "value")
    targets = ((f"powershell.command.invocation_details.{part}", details(part)) for part in parts)
    return rows(source, *targets, events=(event,))


ROWS = (
    *rows("SequenceNumber", ("event.sequence", v.number)),
    # ---- the process
    *rows("HostID", "process.entity_id"),
    *rows("HostId", "process.entity_id"),
    *rows("HostApplication", *t.command_line("process")),
    *rows("HostName", "process.title"),
    *rows("HostVersion", "powershell.process.executable_version"),
    # ---- the account, and the one that a remote session came from, which acts
    *rows("User", *_ACCOUNT, ("related.hosts", v.account_domain)),
    *rows("UserId", *_ACCOUNT),
    *rows(
        "ConnectedUser", *_ACCOUNT, ("source.user.domain", v.account_domain), ("source.user.name", v.account_name)
    ),
    # ---- PowerShell
    *rows("MessageNumber", ("powershell.sequence", v.number)),
    *rows("MessageTotal", ("powershell.total", v.number)),
    *rows("DetailSequence", ("powershell.sequence", v.number)),
    *rows("DetailTotal", ("powershell.total", v.number)),
    *rows("ShellID", "powershell.id"),
    *rows("EngineVersion", "powershell.engine.version"),
    *rows("NewEngineState", "powershell.engine.new_state"),
    *rows("PreviousEngineState", "powershell.engine.previous_state"),
    *rows("ProviderName", "powershell.provider.name"),
    *rows("NewProviderState", "powershell.provider.new_state"),
    *rows("PipelineID", "powershell.pipeline_id"),
    *rows("PipelineId", "powershell.pipeline_id"),
    *rows("RunspaceID", "powershell.runspace_id"),
    *rows("RunspaceId", "powershell.runspace_id"),
    *rows("CommandLine", "powershell.command.value"),
    *rows("CommandPath", "powershell.command.path"),
    *rows("CommandName", "powershell.command.name"),
    *rows("CommandType", "powershell.command.type"),
    *_invoked("Payload", 4103),
    *_invoked("param3", 800),
    # ---- scripts
    *rows("ScriptBlockId", "powershell.file.script_block_id"),
    *rows(
        "ScriptBlockText",
        ("powershell.file.script_block_text", str.strip),
        ("powershell.file.script_block_length", figure("length")),
        ("powershell.file.script_block_unique_symbols", figure("symbols")),
        ("powershell.file.script_block_entropy_bits", figure("entropy")),
        ("powershell.file.script_block_entropy_normalized", figure("normalized")),
        ("powershell.file.script_block_surprisal_stdev", figure("deviation")),
    ),
    *rows("ScriptName", *_FILE),
    *rows("Path", *_FILE),
)


def _of_connected(part: v.Converter) -> Callable[[str | None, str | None], str | None]:
    """Return what reads a part of the account that a remote session runs as."""

    def read(connected: str | None, user: str | None) -> str | None:
        return part(user) if connected and user else None

    return read


DERIVED = tuple(
    Derived(f"destination.user.{name}", ("ConnectedUser", "User"), _of_connected(part))
    for name, part in (("domain", v.account_domain), ("name", v.account_name))
)

OPERATIONAL = register(
    Dataset(
        "windows.powershell_operational",
        "windows",
        "logs-windows.powershell_operational-default",
        KINDS,
        ROWS,
        default=_INFO,
        derived=DERIVED,
        source="elastic/integrations, packages/windows, powershell_operational.yml (read November 2026)",
        provider="Microsoft-Windows-PowerShell",
    )
)
CLASSIC = register(
    Dataset(
        "windows.powershell",
        "windows",
        "logs-windows.powershell-default",
        CLASSIC_KINDS,
        ROWS,
        default=_INFO,
        source="elastic/integrations, packages/windows, powershell.yml (read November 2026)",
        provider="PowerShell",
    )
)
