"""`tocsin rules` on the rules that the service keeps: import, enable, disable."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.options import ConfigFile, Data, EveryRule, RuleName
from tocsin.cli.records import in_records
from tocsin.cli.rules import called
from tocsin.cli.shown import one_line
from tocsin.counted import counted
from tocsin.errors import RuleError
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.models import StoredRule


def saved(session: Session, name: str | None, every: bool) -> list[StoredRule]:
    """Return the kept rules that are named. Raises RuleError."""
    from sqlalchemy import select

    from tocsin.store.records.models import StoredRule

    rules = list(session.scalars(select(StoredRule).order_by(StoredRule.name)))
    if every:
        return rules
    if not name:
        raise RuleError("no rule is named", hint="name one, or give --all")
    found = next((rule for rule in rules if rule.id == name.lower()), None) or called(rules, name)
    if found is None:
        hint = "`tocsin rules list --saved` names those that it keeps; `tocsin rules import` takes rules in"
        raise RuleError(f"the service keeps no rule called `{name}`", hint=hint)
    return [found]


def list_saved(config: Any, data: Any, *, wide: bool) -> None:
    """Print the rules that the service keeps, each with its state, its schedule and its last execution."""
    from sqlalchemy import func, select

    from tocsin.cli.rule_page import SavedRuleRow, print_saved
    from tocsin.management.rules.executions import last_executions
    from tocsin.store.records.models import StoredAlert, StoredRule

    alerts = select(StoredAlert.rule_uuid, func.count()).group_by(StoredAlert.rule_uuid)
    with in_records(config, data) as (session, _):
        rules = list(session.scalars(select(StoredRule)))
        last = last_executions(session, [rule.id for rule in rules])
        raised = {row[0]: row[1] for row in session.execute(alerts)}
        found = []
        for rule in rules:
            run, document = last[rule.id].execution if rule.id in last else None, rule.document
            schedule = f"every {document.get('interval', '5m')}, from {document.get('from', 'now-6m')}"
            found.append(
                SavedRuleRow(
                    rule.name, rule.rule_id, rule.enabled, str(document.get("severity", "")), schedule,
                    run.last_tick if run else None, run.status if run else "", raised.get(rule.id, 0),
                )
            )  # fmt: skip
    if not found:
        print("no rules; `tocsin rules import` takes rules in")
        return
    print_saved(found, wide=wide)


def import_rules(
    paths: Annotated[list[str] | None, typer.Argument(help="Rule files or folders: TOML, NDJSON exports.")] = None,
    bundled: Annotated[bool, typer.Option("--bundled", help="The rules that ship with tocsin.")] = False,
    enable: Annotated[bool, typer.Option("--enable", help="Enable every rule that is taken in.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace rules of the same id.")] = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Take rules in, to be run by the service. One that cannot be taken stops no other."""
    from tocsin.ecs import default_schema
    from tocsin.management.imports import Overwrite, import_objects
    from tocsin.management.rules.files import read_rule_files
    from tocsin.rules.load import bundled_folder

    names = [*(paths or []), *([str(bundled_folder())] if bundled else [])]
    if not names:
        raise RuleError("no rules are named", hint="name files or folders, or give --bundled")
    read = read_rule_files(names, enable=enable)
    with in_records(config, data, new=True) as (session, actor):
        overwritten = Overwrite(rules=overwrite, exceptions=overwrite)
        result = import_objects(session, actor, read.lines, lambda _: default_schema(), overwritten)
        there = result.known_rules
        disabled = _disabled(session, {refusal.id for refusal in there})
    refused = [*read.unreadable]
    refused += [f"{refusal.id}: {refusal.error.message}" for refusal in result.refused if refusal not in there]
    for message in refused:
        print(f"not taken: {printable_line(message)}")
    for _, problem in result.warnings:
        print(f"changed: {printable_line(problem.message)}")
    taken = counted(result.saved_rules, "rule")
    print(f"{taken} taken in" + (f", {len(refused):,} not" if refused else ""))
    if there:
        stays = (
            "is there already and stays as it is" if len(there) == 1 else "are there already and stay as they are"
        )
        print(f"{counted(len(there), 'rule')} {stays}; --overwrite replaces {'it' if len(there) == 1 else 'them'}")
        if disabled and enable:
            are, them = ("1 of them is", "it") if disabled == 1 else (f"{disabled:,} of them are", "them")
            print(f"{are} disabled; `tocsin rules enable` or --overwrite --enable enables {them}")
    if refused or (there and not result.saved_rules):
        raise typer.Exit(2)


def _disabled(session: Session, rule_ids: Collection[str]) -> int:
    """Count the kept rules of some ids that are not enabled."""
    from sqlalchemy import select

    from tocsin.store.records.models import StoredRule

    disabled = session.scalars(select(StoredRule.rule_id).where(StoredRule.enabled.is_(False)))
    return sum(rule_id in rule_ids for rule_id in disabled)


def enable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule from now on."""
    _apply("enable", rule, all_, config, data)


def disable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule no more."""
    _apply("disable", rule, all_, config, data)


def _apply(action: str, name: str | None, every: bool, config: Any, data: Any) -> None:
    from tocsin.ecs import default_schema
    from tocsin.management.rules.bulk_actions import Change, apply_action

    with in_records(config, data) as (session, actor):
        rules = saved(session, name, every)
        apply_action(action, rules, Change(session, actor, lambda _: default_schema()))
        named = one_line(rules[0].name) if len(rules) == 1 else counted(len(rules), "rule")
        print(f"{action}d: {named}")


def add_to(app: typer.Typer) -> None:
    """Add the commands to those on rules."""
    app.command("import")(import_rules)
    app.command("enable")(enable)
    app.command("disable")(disable)
