"""`tocsin rules` on the rules that the service keeps: import, export, enable, disable."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.options import ConfigFile, Data, EveryRule, Output, RuleName
from tocsin.cli.records import in_records
from tocsin.cli.shown import one_line
from tocsin.counted import counted
from tocsin.errors import InputError, RuleError
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


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
        rows = []
        for rule in rules:
            run, document = last[rule.id].execution if rule.id in last else None, rule.document
            schedule = f"every {document.get('interval', '5m')}, from {document.get('from', 'now-6m')}"
            rows.append(
                SavedRuleRow(
                    rule.name, rule.rule_id, rule.enabled, str(document.get("severity", "")), schedule,
                    run.last_tick if run else None, run.status if run else "", raised.get(rule.id, 0),
                )
            )  # fmt: skip
    if not rows:
        print("no rules; `tocsin rules import` takes rules in")
        return
    print_saved(rows, wide=wide)


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


def export_rules(
    rules: Annotated[
        list[str] | None, typer.Argument(help="Names of rules, parts of them, or ids.", metavar="RULE...")
    ] = None,
    all_: EveryRule = False,
    output: Output = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Write rules as Kibana exports them (NDJSON), with the exception lists and connectors that they name."""
    import orjson

    from tocsin.management.exports import exported_rules
    from tocsin.management.rules.named import rules_named

    with in_records(config, data) as (session, _):
        export = exported_rules(session, rules_named(session, rules or (), every=all_))
    _write_export(export, output)
    for line in _what_was_exported(orjson.loads(export.splitlines()[-1])):
        print(printable_line(line), file=sys.stderr)


def _write_export(export: bytes, output: Path | None) -> None:
    from tocsin.printable import EscapedJson

    if output is None:
        EscapedJson(sys.stdout.buffer).write(export)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(export)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None


def _what_was_exported(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an export holds, by its own summary, and what its rules name that the service does not keep."""
    lists, connectors = summary["exported_exception_list_count"], summary["exported_action_connector_count"]
    parts = []
    if lists:
        items = counted(summary["exported_exception_list_item_count"], "exception")
        parts.append(f"{counted(lists, 'exception list')} ({items})")
    if connectors:
        parts.append(f"{counted(connectors, 'connector')} without secrets")
    beside = f", with {' and '.join(parts)}" if parts else ""
    yield f"{counted(summary['exported_rules_count'], 'rule')} exported{beside}"
    missing = [f"exception list {lacking['list_id']}" for lacking in summary["missing_exception_lists"]]
    missing += [f"connector {lacking['id']}" for lacking in summary["missing_action_connections"]]
    for what in missing:
        yield f"not exported: the {what}, which a rule names and the service does not keep"


def enable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule from now on."""
    _apply("enable", rule, all_, config, data)


def disable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule no more."""
    _apply("disable", rule, all_, config, data)


def _apply(action: str, name: str | None, every: bool, config: Any, data: Any) -> None:
    from tocsin.ecs import default_schema
    from tocsin.management.rules.bulk_actions import Change, apply_action
    from tocsin.management.rules.named import rules_named

    with in_records(config, data) as (session, actor):
        rules = rules_named(session, [name] if name else [], every=every)
        apply_action(action, rules, Change(session, actor, lambda _: default_schema()))
        named = one_line(rules[0].name) if len(rules) == 1 else counted(len(rules), "rule")
        print(f"{action}d: {named}")


def add_to(app: typer.Typer) -> None:
    """Add the commands to those on rules."""
    app.command("import")(import_rules)
    app.command("export")(export_rules)
    app.command("enable")(enable)
    app.command("disable")(disable)
