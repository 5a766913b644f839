"""`tocsin rules`: look at rules."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tocsin.cli.options import ConfigFile, Data, RuleFolders, Wide
from tocsin.errors import RuleError

if TYPE_CHECKING:
    from tocsin.rules.model import Rule
    from tocsin.store.records.models import StoredRule

_Named = TypeVar("_Named", "Rule", "StoredRule")

app = typer.Typer(help="Look at detection rules.", no_args_is_help=True)


def find_rule(rule: str, folders: list[str] | None) -> Rule:
    """Return the one rule that a file, an id, a name or a part of a name stands for. Raises RuleError."""
    from tocsin.rules.load import bundled_rules, load_rules

    if rule.endswith((".toml", ".ndjson", ".json")):
        loaded = load_rules([rule])
        if not loaded.rules:
            raise RuleError(loaded.skipped[0].message if loaded.skipped else f"{rule} holds no rule")
        found = _the_one(loaded.rules, rule)
    else:
        loaded = load_rules(folders) if folders else bundled_rules()
        found = called(loaded.rules, rule)
    if found is None:
        raise RuleError(f"no rule called `{rule}`", hint=_where_named(folders))
    return found


def _where_named(folders: Sequence[str] | None) -> str:
    if not folders:
        return "`tocsin rules list` names those that ship with tocsin; --rules looks in other files and folders"
    named = "".join(f" --rules {shlex.quote(folder)}" for folder in folders)
    return f"`tocsin rules list{named}` names those that were looked at"


def called(rules: Sequence[_Named], name: str) -> _Named | None:
    """Return the one rule that an id, a name or a part of a name stands for, None where there is none.

    Raises RuleError where it could be any of several.
    """
    wanted = name.lower()
    found = [rule for rule in rules if wanted in (rule.rule_id, rule.name.lower())]
    return _the_one(found or [rule for rule in rules if wanted in rule.name.lower()], name)


def _the_one(found: Sequence[_Named], name: str) -> _Named | None:
    if len(found) > 1:
        names = "\n  ".join(sorted(rule.name for rule in found)[:20])
        raise RuleError(f"`{name}` could be any of {len(found)} rules:\n  {names}", hint="give the whole name")
    return found[0] if found else None


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

    found = find_rule(rule, rules)
    written = ["en", *found.notes]
    if locale and locale not in written:
        raise RuleError(
            f"the guide of `{found.name}` is not written in `{locale}`", hint=f"in {', '.join(written)}"
        )
    print_rule(found, locale)


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
