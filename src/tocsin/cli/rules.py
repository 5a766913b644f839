"""`tocsin rules`: look at rules."""

from __future__ import annotations

from typing import Annotated

import typer

from tocsin.cli.options import ConfigFile, Data, RuleFolders, Wide
from tocsin.errors import RuleError

app = typer.Typer(help="Look at detection rules.", no_args_is_help=True)


@app.command("show")
def show(
    rule: Annotated[
        str, typer.Argument(help="A rule's name (or a part of it), its id, or its file.", metavar="RULE")
    ],
    rules: RuleFolders = None,
    locale: Annotated[str, typer.Option("--locale", help="Language of the guide, as in zh-CN.")] = "",
) -> None:
    """Show a rule whole: what it finds, its schedule, query, ATT&CK mapping and guide."""
    from tocsin.cli.rule_page import print_rule
    from tocsin.rules.finding import find_rule

    match = find_rule(rule, rules)
    written = ["en", *match.notes]
    if locale and locale not in written:
        raise RuleError(
            f"the guide of `{match.name}` is not written in `{locale}`", hint=f"in {', '.join(written)}"
        )
    print_rule(match, locale)


@app.command("list")
def list_rules(
    rules: RuleFolders = None,
    saved: Annotated[
        bool,
        typer.Option("--saved", help="The rules that the service keeps: state, schedule, last execution."),
    ] = False,
    wide: Wide = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """List rules: severity, risk score, name, whether they run; or those that the service keeps.

    --data and --config mean --saved.
    """
    if saved or data is not None or config is not None:
        if rules:
            raise RuleError("--rules and --saved name different rules", hint="leave one of them out")
        from tocsin.cli.saved_rules import list_saved

        list_saved(config, data, wide=wide)
        return
    from tocsin.cli.rule_page import print_rules
    from tocsin.detection import listing

    print_rules(*listing.list_rules(rules), wide=wide)
    if not rules:
        print("these ship with tocsin; --rules lists those of a folder, --saved those that the service keeps")
