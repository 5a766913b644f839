"""`tocsin rules` on the rules that the service keeps: import, enable, run, backfill, executions."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.records import in_records, open_records
from tocsin.cli.rules import called
from tocsin.cli.serve import ConfigFile, Data
from tocsin.errors import RuleError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tocsin.store.records.database import Records
    from tocsin.store.records.models import Run, StoredRule

_Name = Annotated[str | None, typer.Argument(help="A rule's name, a part of it, or its id.", metavar="RULE")]
_All = Annotated[bool, typer.Option("--all", help="Every rule.")]
_From = Annotated[str | None, typer.Option("--from", help="Where the span begins: a date, or as in now-6h.")]
_To = Annotated[str, typer.Option("--to", help="Where it ends.")]
_THERE = 409  # what an import says of a rule of the same id
_WAIT = 60.0  # seconds without news until a run is left to the service


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
        hint = "`tocsin rules import` takes rules in; `tocsin rules executions` shows those that are kept"
        raise RuleError(f"the service keeps no rule called `{name}`", hint=hint)
    return [found]


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
    with in_records(config, data) as (session, actor):
        taken = Import(session, actor, default_schema(), overwrite, overwrite)
        taken.take(lines)
    told = taken.told()
    there = [error for error in taken.errors if error["error"].get("status_code") == _THERE]
    for error in taken.errors:
        if error not in there:
            refused.append(f"{error['rule_id']}: {error['error']['message']}")
    for message in refused:
        print(f"not taken: {message}")
    for note in taken.notes:
        print(f"changed: {note['error']['message']}")
    print(f"{told['success_count']:,} rules taken in" + (f", {len(refused):,} not" if refused else ""))
    if there:
        print(f"{len(there):,} are there already and stay as they are; --overwrite replaces them")
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


def enable(rule: _Name = None, all_: _All = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule from now on."""
    _set_enabled(rule, all_, True, config, data)


def disable(rule: _Name = None, all_: _All = False, config: ConfigFile = None, data: Data = None) -> None:
    """Have the service run a rule no more."""
    _set_enabled(rule, all_, False, config, data)


def _set_enabled(name: str | None, every: bool, enabled: bool, config: Any, data: Any) -> None:
    from tocsin.store.records.rules import set_enabled

    with in_records(config, data) as (session, actor):
        found = saved(session, name, every)
        for rule in found:
            set_enabled(session, actor, rule, enabled)
        word = "enabled" if enabled else "disabled"
        print(f"{word}: {found[0].name}" if len(found) == 1 else f"{word}: {len(found):,} rules")


def run(
    rule: _Name = None,
    start: _From = None,
    end: _To = "now",
    all_: _All = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Have the service run a rule now: the window that ends now, or every window of a span of the past."""
    with open_records(config, data) as records:
        with records.transaction() as session:
            asked = [_ask(session, one, start, end, "manual") for one in saved(session, rule, all_)]
        _wait(records, asked)


def backfill(
    rule: _Name = None,
    start: _From = None,
    end: _To = "now",
    all_: _All = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Fill gaps: run the windows that were missed, of a span of the past, or of every gap that is not filled."""
    from sqlalchemy import select

    from tocsin.store.records.models import Gap
    from tocsin.store.records.rules import ask_run

    with open_records(config, data) as records:
        asked = []
        with records.transaction() as session:
            for one in saved(session, rule, all_):
                if start is not None:
                    asked.append(_ask(session, one, start, end, "backfill"))
                    continue
                gaps = select(Gap).where(Gap.rule_uuid == one.id, Gap.filled.is_(None)).order_by(Gap.first_tick)
                asked += [
                    ask_run(session, one, "backfill", (gap.first_tick, gap.last_tick), getpass.getuser())
                    for gap in session.scalars(gaps)
                ]
        if not asked:
            print("no gaps")
        _wait(records, asked)


def _ask(session: Session, rule: StoredRule, start: str | None, end: str, kind: str) -> Run:
    from tocsin.date_math import parse_date_math
    from tocsin.moments import to_nanoseconds
    from tocsin.store.records.rules import ask_run

    now = datetime.now(UTC)
    try:
        last = to_nanoseconds(parse_date_math(end, now))
        first = last if start is None else to_nanoseconds(parse_date_math(start, now))
    except ValueError as error:
        raise RuleError(str(error)) from None
    if first > last:
        raise RuleError("--from lies behind --to")
    return ask_run(session, rule, kind, (first, last), getpass.getuser())


def _wait(records: Records, asked: Sequence[Run]) -> None:
    """Print what comes of runs, as the service gets to them."""
    from tocsin.store.records.models import Run

    waiting = [run.id for run in asked]
    matches = written = ticks = 0
    news = time.monotonic()
    while waiting and time.monotonic() - news < _WAIT:
        with records.transaction() as session:
            done = [run for id_ in waiting if (run := session.get(Run, id_)) is not None and run.done is not None]
            for run in done:
                result = run.result or {}
                waiting.remove(run.id)
                news = time.monotonic()
                matches, ticks = matches + result.get("matches", 0), ticks + result.get("ticks", 0)
                written += result.get("written", 0)
                if result.get("failure"):
                    print(f"failed: {result['failure']}")
                for id_ in result.get("alerts", [])[:20]:
                    print(f"alert {id_}")
        if not done:
            time.sleep(0.2)
    if asked:
        print(f"{ticks:,} windows run, {matches:,} matches, {written:,} new alerts")
    if waiting:
        print(f"{len(waiting):,} runs wait: the service does them when it runs (`tocsin serve`)")


def executions(
    rule: _Name = None,
    size: Annotated[int, typer.Option(help="How many at most.")] = 30,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Show the last executions of a rule, or of all, and the gaps."""
    from sqlalchemy import select

    from tocsin.cli.executions_page import print_executions, print_gaps
    from tocsin.store.records.models import Execution, Gap, StoredRule

    with in_records(config, data) as (session, _):
        runs, missed = select(Execution), select(Gap)
        if rule is not None:
            [one] = saved(session, rule, every=False)
            runs, missed = runs.where(Execution.rule_uuid == one.id), missed.where(Gap.rule_uuid == one.id)
        names = {row.id: row.name for row in session.scalars(select(StoredRule))}
        print_executions(list(session.scalars(runs.order_by(Execution.id.desc()).limit(size)))[::-1], names)
        print_gaps(list(session.scalars(missed.order_by(Gap.id.desc()).limit(size)))[::-1], names)


def add_to(app: typer.Typer) -> None:
    """Add the commands to those on rules."""
    app.command("import")(import_rules)
    app.command("enable")(enable)
    app.command("disable")(disable)
    app.command("run")(run)
    app.command("backfill")(backfill)
    app.command("executions")(executions)
