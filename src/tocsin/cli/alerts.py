"""`tocsin alerts`: what the rules of the service have raised."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tocsin.cli.alert_guide import guide
from tocsin.cli.alert_report import report
from tocsin.cli.choices import ClosingReason, Status
from tocsin.cli.options import AlertId, ConfigFile, Data, Wide
from tocsin.cli.records import beginning_with, in_records
from tocsin.errors import TocsinError

app = typer.Typer(name="alerts", help="Alerts that the service's rules have raised.", no_args_is_help=True)
_Ids = Annotated[list[str], typer.Argument(help="Ids of alerts, or their beginnings.", metavar="ID...")]


@app.command("list")
def list_alerts(
    status: Annotated[Status | None, typer.Option(help="Only those that are so.")] = None,
    rule: Annotated[str | None, typer.Option(help="A part of a rule's name.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "--size", min=1, help="How many at most, those raised last.")
    ] = 50,
    building_blocks: Annotated[bool, typer.Option("--building-blocks", help="Show these too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One document a line.")] = False,
    wide: Wide = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """List alerts in the order in which they were raised, the newest last."""
    import orjson

    from tocsin.cli.alerts_page import print_alerts
    from tocsin.management.alerts import newest_alerts

    with in_records(config, data) as (session, _):
        documents = newest_alerts(session, limit + 1, status, rule, building_blocks=building_blocks)
        if rule and not documents:
            _refuse_unknown(session, rule)
    more, documents = len(documents) > limit, documents[:limit]
    if json:
        for document in reversed(documents):
            print(orjson.dumps(document).decode())
        return
    if not documents:
        print("no alerts that are so" if status or rule else "no alerts")
        return
    print_alerts(documents[::-1], wide=wide)
    if more:
        print(f"these are the newest {limit:,}, and there are more: --limit {limit * 10} shows more")


@app.command("show")
def show(
    id_: AlertId,
    json: Annotated[bool, typer.Option("--json", help="The whole document.")] = False,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Show an alert: what happened, its workflow, and its history."""
    import orjson

    from tocsin.cli.alerts_page import print_alert
    from tocsin.management.alerts import history

    with in_records(config, data) as (session, _):
        [alert] = _alerts_beginning_with(session, [id_])
        document = orjson.loads(alert.document)
        if json:
            print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
            return
        print_alert(document, history(session, alert.id))


app.command("guide")(guide)
app.command("report")(report)


@app.command("close")
def close(
    ids: _Ids,
    reason: Annotated[ClosingReason | None, typer.Option(help="Why.")] = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Close alerts."""
    _set(ids, "closed", reason, config, data)


@app.command("acknowledge")
def acknowledge(ids: _Ids, config: ConfigFile = None, data: Data = None) -> None:
    """Say that somebody looks at alerts."""
    _set(ids, "acknowledged", None, config, data)


@app.command("open")
def open_(ids: _Ids, config: ConfigFile = None, data: Data = None) -> None:
    """Open alerts again."""
    _set(ids, "open", None, config, data)


def _refuse_unknown(session: Any, rule: str) -> None:
    """Raise TocsinError for a part of a name that neither a kept rule nor an alert has."""
    from sqlalchemy import select

    from tocsin.store.records.models import StoredRule

    if not any(rule.lower() in name.lower() for name in session.scalars(select(StoredRule.name))):
        hint = "`tocsin rules list --saved` names the rules"
        raise TocsinError(f"no rule and no alert has `{rule}` in its name", hint=hint)


def _set(ids: list[str], status: str, reason: str | None, config: Any, data: Any) -> None:
    from tocsin.management.alerts import set_status

    with in_records(config, data) as (session, actor):
        alert_ids = [alert.id for alert in _alerts_beginning_with(session, ids)]
        changed = set_status(session, actor, alert_ids, status, reason)
    same = len(alert_ids) - changed
    already = f", {same:,} {'was' if same == 1 else 'were'} so already" if same else ""
    print(f"{status}: {changed:,}{already}")


def _alerts_beginning_with(session: Any, ids: list[str]) -> list[Any]:
    """Return the alerts whose ids begin so. Raises TocsinError."""
    from tocsin.store.records.models import StoredAlert

    return beginning_with(session, StoredAlert, ids, "alert", "`tocsin alerts list` shows them")
