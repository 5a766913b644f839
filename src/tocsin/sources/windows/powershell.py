"""PowerShell: the Operational channel (4103 to 4106) and the classic one (400, 403, 600, 800)."""

from tocsin.sources import targets as t
from tocsin.sources import values as v
from tocsin.sources.mapping import Dataset, Kind, register, rows
from tocsin.sources.windows.script_text import figure

_INFO = Kind(("process",), ("info",))

KINDS = {
    4103: _INFO,
    4104: _INFO,
    4105: Kind(("process",), ("start",)),
    4106: Kind(("process",), ("end",)),
}
CLASSIC_KINDS = {
    400: Kind(("process",), ("start",)),
    403: Kind(("process",), ("end",)),
    600: _INFO,
    800: _INFO,
}

ROWS = (
    *rows("SequenceNumber", ("event.sequence", v.number)),
    *rows("HostID", "process.entity_id"),
    *rows("HostId", "process.entity_id"),
    *rows("HostApplication", *t.command_line("process")),
    *rows("HostName", "process.title"),
    *rows(
        "User",
        ("user.domain", v.account_domain),
        ("user.name", v.account_name),
        ("related.user", v.account_name),
    ),
    *rows(
        "UserId",
        ("user.domain", v.account_domain),
        ("user.name", v.account_name),
        ("related.user", v.account_name),
    ),
    *rows("MessageNumber", ("powershell.sequence", v.number)),
    *rows("MessageTotal", ("powershell.total", v.number)),
    *rows("ShellID", "powershell.id"),
    *rows("EngineVersion", "powershell.engine.version"),
    *rows("PipelineID", "powershell.pipeline_id"),
    *rows("PipelineId", "powershell.pipeline_id"),
    *rows("RunspaceID", "powershell.runspace_id"),
    *rows("RunspaceId", "powershell.runspace_id"),
    *rows("HostVersion", "powershell.process.executable_version"),
    *rows("CommandLine", "powershell.command.value"),
    *rows("CommandPath", "powershell.command.path"),
    *rows("CommandName", "powershell.command.name"),
    *rows("CommandType", "powershell.command.type"),
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
    *rows("Path", "file.path", ("file.name", v.base_name), ("file.directory", v.directory), events=(4104,)),
    *rows("Path", ("file.extension", v.extension), events=(4104,)),
)

OPERATIONAL = register(
    Dataset(
        "windows.powershell_operational",
        "windows",
        "logs-windows.powershell_operational-default",
        KINDS,
        ROWS,
        default=_INFO,
    )
)
CLASSIC = register(
    Dataset("windows.powershell", "windows", "logs-windows.powershell-default", CLASSIC_KINDS, ROWS, default=_INFO)
)
