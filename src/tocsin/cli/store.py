"""`tocsin store check` and `store repair`: what is damaged, and what can be mended."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tocsin.cli.options import ConfigFile, Data
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from tocsin.config import Config

app = typer.Typer(name="store", help="The event store, while no service runs.", no_args_is_help=True)


@app.command("check")
def check(config: ConfigFile = None, data: Data = None) -> None:
    """Read every file of the store, and list what is damaged. Exits with 1 when something is."""
    from tocsin.config import load_config
    from tocsin.store.events import SetAside
    from tocsin.store.lake import repair as mending

    folder = _folder(config, data)
    damaged = mending.check(folder)
    wrong = _wrong_with_records(load_config(config, {"data": data}), accept=False)
    if wrong:
        damaged.append(SetAside("records", wrong, 0))
    for part in damaged:
        print(printable_line(f"{part.name}: {part.reason}"))
    if damaged:
        again = f"tocsin store repair{_options(config, data)}"
        print(f"{len(damaged):,} damaged; `{again}` mends what can be mended, and deletes nothing")
        raise typer.Exit(1)
    print(f"{folder}: nothing is damaged")


@app.command("repair")
def repair(config: ConfigFile = None, data: Data = None) -> None:
    """Mend what can be mended. Nothing is deleted: what is replaced goes to `damaged/` in the data folder."""
    from tocsin.config import load_config
    from tocsin.store.lake import repair as mending
    from tocsin.store.records.salvage import salvage

    folder = _folder(config, data)
    mended: list[str] = []

    def report(line: str) -> None:
        mended.append(line)
        print(printable_line(line))

    left = mending.repair(folder, report)
    loaded = load_config(config, {"data": data})
    saved = salvage(loaded.records_url, loaded.data / "damaged")
    if saved:
        report(f"records: {saved}")
    wrong = _wrong_with_records(loaded, accept=True)
    if wrong:
        report(f"records: noted, and not reported again: {wrong}")
    for part in left:
        print(printable_line(f"{part.name}: cannot be mended: {part.reason}"))
    if left:
        raise typer.Exit(1)
    print(f"{folder}: nothing is damaged{' any more' if mended else ''}")


def _wrong_with_records(loaded: Config, *, accept: bool) -> str | None:
    """Return what is wrong with the records beside a store.

    That they have gone back is noted if `accept`, and not reported again.
    """
    from tocsin.errors import TocsinError
    from tocsin.store.records.database import Records, file_of
    from tocsin.store.records.high_water import HIGH_WATER
    from tocsin.store.records.salvage import damage_of

    file = file_of(loaded.records_url)
    gone = (
        "the records that were kept beside these events are gone" if (loaded.data / HIGH_WATER).exists() else None
    )
    if file is not None and not file.exists():
        return gone
    damage = None if file is None else damage_of(file, thorough=True)
    if file is not None and damage:
        return f"{file.name}: {damage}; `tocsin store repair` and the next `tocsin serve` save what can be read"
    records = Records(loaded.records_url, high_water=loaded.data / HIGH_WATER)
    try:
        if records.is_empty():
            return gone
        behind = records.behind()
        if behind and accept:
            records.accept()
        return behind
    except TocsinError as error:
        return str(error)
    finally:
        records.close()


def _folder(config: Path | None, data: Path | None) -> Path:
    from tocsin.config import load_config
    from tocsin.store.events import StoreError

    folder = load_config(config, {"data": data}).data
    if not (folder / "events").is_dir() and not (folder / "stopped.json").exists():
        what = "holds no event store" if folder.is_dir() else "is no folder"
        hint = "name the service's folder with --data; `tocsin serve` makes the store when it starts"
        raise StoreError(f"{folder} {what}", hint=hint)
    return folder


def _options(config: Path | None, data: Path | None) -> str:
    """Return the options that name the same folder, each with a blank before it."""
    given = (("--config", config), ("--data", data))
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given if value is not None)
