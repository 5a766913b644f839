"""Every source by its name: those with a mapping, and those whose events are in ECS already."""

from __future__ import annotations

from tocsin.errors import InputError
from tocsin.sources.mapping import DATASETS
from tocsin.sources.products import product as _product  # noqa: F401 (it loads every product's table)
from tocsin.sources.windows import record as _record  # noqa: F401 (it loads the tables of Windows)

# Sources whose events are kept as they are, and the index that each lies in.
IN_ECS = {
    "winlogbeat": "winlogbeat-default",
    "windows.forwarded": "logs-windows.forwarded-default",
    **{
        f"endpoint.events.{name}": f"logs-endpoint.events.{name}-default"
        for name in ("process", "network", "file", "registry", "library", "api", "security")
    },
    "endpoint.alerts": "logs-endpoint.alerts-default",
}


def find_source(name: str) -> str:
    """Return the source that a name or a part of it stands for. Raises InputError for none or several."""
    wanted = name.lower()
    names = sorted({*DATASETS, *IN_ECS})
    matching = [wanted] if wanted in names else [known for known in names if wanted in known]
    if not matching:
        raise InputError(f"no source called `{name}`", hint="`tocsin sources list` names them")
    if len(matching) > 1:
        raise InputError(f"`{name}` could be any of {', '.join(matching)}", hint="give the whole name")
    return matching[0]


def index_of_source(name: str) -> str:
    """Return the index that the events of a source lie in."""
    return DATASETS[name].index if name in DATASETS else IN_ECS.get(name, f"logs-{name}-default")
