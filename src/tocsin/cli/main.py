"""The `tocsin` command. Heavy imports wait until a command runs, so that help is instant."""

from __future__ import annotations

import gc
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tocsin import __version__
from tocsin.cli import (
    access,
    alerts,
    cases,
    explain,
    hosts,
    hunt,
    indicators,
    ingest,
    measures,
    query,
    rule_runs,
    rules,
    saved_rules,
    serve,
    sources,
    store,
)
from tocsin.cli.extras import missing_extra
from tocsin.errors import TocsinError
from tocsin.faults import fault_text
from tocsin.printable import printable_line, protect

# Objects made before cycles among them are looked for (Python: 700). Records are many small objects without any.
COLLECT_AFTER = 100_000


class _Commands(TyperGroup):
    """All commands. A value that an option cannot take is described in tocsin's words; Typer has pydantic's."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            faults = getattr(error.__cause__, "errors", None)
            if faults is not None:
                error.message = fault_text(faults()[0])
            error.message = f"{error.message.rstrip('.')}."
            raise


app = typer.Typer(
    name="tocsin",
    cls=_Commands,
    help="Run detection rules in Elastic's open format over Windows telemetry, without a cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
saved_rules.add_to(rules.app)
rule_runs.add_to(rules.app)
app.command("hunt")(hunt.hunt)
app.command("query")(query.query)
app.command("explain")(explain.explain)
app.command("serve")(serve.serve)
app.command("ingest")(ingest.ingest)
app.command("measures")(measures.measures)
app.add_typer(serve.config_app, name="config")
app.add_typer(access.users_app, name="users")
app.add_typer(access.keys_app, name="keys")
app.add_typer(rules.app, name="rules")
app.add_typer(alerts.app, name="alerts")
app.add_typer(hosts.app, name="hosts")
app.add_typer(cases.app, name="cases")
app.add_typer(sources.app, name="sources")
app.add_typer(indicators.app, name="indicators")
app.add_typer(store.app, name="store")


def _version(show: bool) -> None:
    if show:
        print(f"tocsin {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _asks_for_help(arguments: list[str]) -> bool:
    """Return whether only help is printed, which shows nothing that was read and so keeps its colours."""
    asks = not arguments or not {"-h", "--help"}.isdisjoint(arguments)
    return asks and all(argument == printable_line(argument) for argument in arguments)


def main() -> None:
    """Run the command; an error that a person can act on is printed without a traceback, with exit code 2."""
    gc.set_threshold(COLLECT_AFTER)
    if not _asks_for_help(sys.argv[1:]):
        protect()
    try:
        app()
    except TocsinError as error:
        print(f"error: {error.explain()}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        lacking = missing_extra(error)
        if lacking is None:
            raise
        print(f"error: {lacking.explain()}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
