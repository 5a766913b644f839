"""`tocsin store check` and `store repair`: what is damaged, and what can be mended."""

from __future__ import annotations

from pathlib import Path

import typer

from tocsin.cli.serve import ConfigFile, Data

app = typer.Typer(name="store", help="The event store, while no service runs.", no_args_is_help=True)


@app.command("check")
def check(config: ConfigFile = None, data: Data = None) -> None:
    """Read every file of the store, and list what is damaged. Exits with 1 when something is."""
    from tocsin.config import load_config
    from tocsin.store.events import SetAside
    from tocsin.store.lake import repair as mending
    from tocsin.store.records.salvage import damage_of, file_of

    folder = _folder(config, data)
    damaged = mending.check(folder)
    file = file_of(load_config(config, {"data": data}).records_url)
    wrong = None if file is None else damage_of(file)
    if wrong and file is not None:
        damaged.append(
            SetAside("records", f"{file.name}: {wrong}; the next `tocsin serve` saves what can be read", 0)
        )
    for one in damaged:
        print(f"{one.name}: {one.reason}")
    if damaged:
        print(f"{len(damaged):,} damaged; `tocsin store repair` mends what can be mended, and deletes nothing")
        raise typer.Exit(1)
    print(f"{folder}: nothing is damaged")


@app.command("repair")
def repair(config: ConfigFile = None, data: Data = None) -> None:
    """Mend what can be mended. Nothing is deleted: what is replaced goes to `damaged/` in the data folder."""
    from tocsin.store.lake import repair as mending

    folder = _folder(config, data)
    left = mending.repair(folder, print)
    for one in left:
        print(f"{one.name}: cannot be mended: {one.reason}")
    if left:
        raise typer.Exit(1)
    print(f"{folder}: nothing is damaged any more")


def _folder(config: Path | None, data: Path | None) -> Path:
    from tocsin.config import load_config
    from tocsin.store.events import StoreError

    folder = load_config(config, {"data": data}).data
    if not (folder / "events").is_dir():
        raise StoreError(f"{folder} holds no event store", hint="name the service's folder with --data")
    return folder
