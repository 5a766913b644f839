"""`tocsin serve` and `tocsin config show`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.cli.choices import LogFormat, LogLevel
from tocsin.cli.options import ConfigFile, Data, Wide
from tocsin.printable import printable


def serve(
    config: ConfigFile = None,
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on (9200); 0 for any free one.")
    ] = None,
    watch: Annotated[list[Path] | None, typer.Option(help="A folder whose files are stored as they come.")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="A certificate chain in PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key in PEM.")] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="What is logged.")] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="ECS (JSON) or text; auto is text on a terminal, ECS elsewhere.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Enable the bundled rules and send the bundled telemetry in.")
    ] = False,
) -> None:
    """Take events in over Elasticsearch's interface, run rules over them, answer searches, until it is stopped."""
    from functools import partial

    from tocsin.api.demo import Demo
    from tocsin.api.run import run
    from tocsin.config import load_config
    from tocsin.desk.access.once_links import OnceLinks
    from tocsin.desk.app import create_app_with_desk

    flags = {
        "data": data, "host": host, "port": port, "watch": tuple(watch) if watch else None,
        "tls_certificate": tls_certificate, "tls_key": tls_key,
        "log_level": log_level and log_level.value, "log_format": log_format and log_format.value,
    }  # fmt: skip
    loaded = load_config(config, flags)
    links = OnceLinks()
    run(
        loaded,
        demo=Demo(_show, links.make) if demo else None,
        say=lambda text: print(text, file=sys.stderr, flush=True),
        make_app=partial(create_app_with_desk, links=links),
    )


def _show(document: Mapping[str, Any]) -> None:
    from tocsin.cli.alerts_page import alert_panel
    from tocsin.cli.console import wide_console

    wide_console(110).print(alert_panel(document))
    sys.stdout.flush()


config_app = typer.Typer(name="config", help="The service's configuration.", no_args_is_help=True)


@config_app.command("show")
def show(wide: Wide = False, config: ConfigFile = None, data: Data = None) -> None:
    """Show every setting: its value, where it comes from (flag, environment, file or default), what it means."""
    from tocsin.cli.console import wide_console
    from tocsin.cli.tables import Column, print_table
    from tocsin.config import FILE, Config, load_config, origins

    flags: dict[str, Any] = {"data": data}
    loaded = load_config(config, flags)
    columns = (
        Column("setting", whole=True),
        Column("value", least=24),
        Column("from", whole=True),
        Column("meaning", least=24),
    )
    rows = []
    came = origins(config, flags, os.environ)
    for name, field in Config.model_fields.items():
        value = getattr(loaded, name)
        shown = "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        rows.append((name, printable(shown), came[name], field.description or ""))
    out = wide_console(140)
    print_table(out, columns, rows, wide=wide)
    out.print(f"\nfile: {config or FILE}", style="dim", highlight=False)
