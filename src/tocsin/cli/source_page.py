"""A source on the terminal: what its events mean, and the field that each of their values becomes."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.errors import InputError
from tocsin.sources.mapping import DATASETS, Dataset, Key
from tocsin.sources.values import Converter
from tocsin.sources.windows import record as _record  # noqa: F401 (it loads every table)


def print_sources() -> None:
    """Print one line a source."""
    table = _table("dataset", "index")
    table.add_column("event ids", justify="right")
    table.add_column("fields", justify="right")
    for name in sorted(DATASETS):
        dataset = DATASETS[name]
        fields = {row.target for row in dataset.rows} | {derived.target for derived in dataset.derived}
        table.add_row(name, dataset.index, str(len(dataset.kinds) or "any"), str(len(fields)))
    console = wide_console(140)
    console.print(table)
    console.print("Events that are in ECS already (Winlogbeat, Elastic Defend) keep their fields and index.")


def print_source(name: str) -> None:
    """Print a source's tables. Raises InputError for a name that stands for none or for several."""
    dataset = _find(name)
    console = wide_console(140)
    console.print(Text(f"{dataset.name} → {dataset.index}", style="bold"))
    kinds = _table("event id", "category", "type", "action")
    for event_id, kind in sorted(dataset.kinds.items()):
        kinds.add_row(str(event_id), ", ".join(kind.category), ", ".join(kind.type), Text(kind.action or ""))
    if dataset.kinds:
        console.print(kinds)
    fields = _table("value", "field", "how", "event ids")
    for row in dataset.rows:
        fields.add_row(row.source, row.target, _how(row.convert), _ids(row.events))
    for derived in dataset.derived:
        fields.add_row(", ".join(derived.sources), derived.target, _how(derived.read), _ids(derived.events))
    if fields.row_count:
        console.print(fields)
    console.print("Every value is also kept as it is, in winlog.event_data.")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _find(name: str) -> Dataset:
    wanted = name.lower()
    found = [wanted] if wanted in DATASETS else sorted(known for known in DATASETS if wanted in known)
    if not found:
        raise InputError(f"no source called `{name}`", hint="`tocsin sources list` names them")
    if len(found) > 1:
        raise InputError(f"`{name}` could be any of {', '.join(found)}", hint="give the whole name")
    return DATASETS[found[0]]


def _how(convert: Converter) -> str:
    """Name a conversion after the function that does it or that made it."""
    made_by = getattr(convert, "__qualname__", "").partition(".<")[0].rpartition(".")[2]
    return "" if made_by in ("text", "") else made_by.replace("_", " ")


def _ids(events: frozenset[Key]) -> str:
    ordered = sorted(events, key=lambda event: (len(str(event)), str(event)))
    return ", ".join(map(str, ordered)) if events else "all"
