"""`tocsin rules` on the rules that the service keeps: import, enable, disable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.records import in_records
from tocsin.cli.rules import called
from tocsin.cli.serve import ConfigFile, Data
from tocsin.cli.shown import one_line
from tocsin.counted import counted
from tocsin.errors import RuleError
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.models import StoredRule

RuleName = Annotated[str | None, typer.Argument(help="A rule's name, a part of it, or its id.", metavar="RULE")]
EveryRule = Annotated[bool, typer.Option("--all", help="Every rule.")]
_THERE = 409  # what an import says of a rule of the same id


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

    from tocsin.cli.rule_page import SavedRule, print_saved
    from tocsin.store.records.models import Execution, StoredAlert, StoredRule

    latest = select(func.max(Execution.id)).group_by(Execution.rule_uuid)
    alerts = select(StoredAlert.rule_uuid, func.count()).group_by(StoredAlert.rule_uuid)
    with in_records(config, data) as (session, _):
        last = {run.rule_uuid: run for run in session.scalars(select(Execution).where(Execution.id.in_(latest)))}
        raised = {row[0]: row[1] for row in session.execute(alerts)}
        found = []
        for rule in session.scalars(select(StoredRule)):
            run, document = last.get(rule.id), rule.document
            schedule = f"every {document.get('interval', '5m')}, from {document.get('from', 'now-6m')}"
            found.append(
                SavedRule(
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
    from tocsin.api.kibana.rule_transfer import Import
    from tocsin.ecs import default_schema
    from tocsin.rules.load import bundled_folder

    names = [*(paths or []), *([str(bundled_folder())] if bundled else [])]
    if not names:
        raise RuleError("no rules are named", hint="name files or folders, or give --bundled")
    lines, refused = _lines(names, enable)
    with in_records(config, data, new=True) as (session, actor):
        taken = Import(session, actor, default_schema(), overwrite, overwrite)
        taken.take(lines)
    told = taken.told()
    there = [error for error in taken.errors if error["error"].get("status_code") == _THERE]
    for error in taken.errors:
        if error not in there:
            refused.append(f"{error['rule_id']}: {error['error']['message']}")
    for message in refused:
        print(f"not taken: {printable_line(message)}")
    for note in taken.notes:
        print(f"changed: {printable_line(note['error']['message'])}")
    print(f"{counted(told['success_count'], 'rule')} taken in" + (f", {len(refused):,} not" if refused else ""))
    if there:
        stays = (
            "is there already and stays as it is" if len(there) == 1 else "are there already and stay as they are"
        )
        print(f"{counted(len(there), 'rule')} {stays}; --overwrite replaces {'it' if len(there) == 1 else 'them'}")
    if refused or (there and not told["success_count"]):
        raise typer.Exit(2)


def _lines(names: Sequence[str], enable: bool) -> tuple[list[bytes], list[str]]:
    """Return what files and folders hold as the lines of an export, and what could not be read."""
    from pathlib import Path

    import orjson

    from tocsin.rules.load import load_rules
    from tocsin.text_encoding import as_utf8

    lines: list[bytes] = []
    refused: list[str] = []
    for name in names:
        if name.endswith(".ndjson"):
            if not Path(name).is_file():
                raise RuleError(f"{name} does not exist", hint="name a rule file or a folder of rules")
            given = as_utf8(Path(name).read_bytes()).splitlines()
            lines += map(_enabled, given) if enable else given
            continue
        loaded = load_rules([name])
        refused += [one.message for one in loaded.skipped if one.invalid]
        for rule in loaded.rules:
            document = {**rule.document(), "enabled": enable}
            if rule.new_terms:  # as Kibana's documents have it
                del document["new_terms"]
                document["new_terms_fields"] = list(rule.terms_fields)
                document["history_window_start"] = rule.history_start
            lines.append(orjson.dumps(document))
    return lines, refused


def _enabled(line: bytes) -> bytes:
    import orjson

    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    return orjson.dumps({**document, "enabled": True}) if "rule_id" in document else line


def enable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule from now on."""
    _set_enabled(rule, all_, True, config, data)


def disable(rule: RuleName = None, all_: EveryRule = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule no more."""
    _set_enabled(rule, all_, False, config, data)


def _set_enabled(name: str | None, every: bool, enabled: bool, config: Any, data: Any) -> None:
    from tocsin.store.records.rules import set_enabled

    with in_records(config, data) as (session, actor):
        found = saved(session, name, every)
        for rule in found:
            set_enabled(session, actor, rule, enabled)
        word = "enabled" if enabled else "disabled"
        print(
            f"{word}: {one_line(found[0].name)}" if len(found) == 1 else f"{word}: {counted(len(found), 'rule')}"
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands to those on rules."""
    app.command("import")(import_rules)
    app.command("enable")(enable)
    app.command("disable")(disable)
