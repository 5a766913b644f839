"""`tocsin alerts report`: alerts as a page to hand on, as the desk makes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.cli.options import ConfigFile, Data, Output


def report(
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Ids of alerts, or their beginnings; of none, those raised last.", metavar="[ID]..."),
    ] = None,
    output: Output = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Write alerts as a page in one file: of one alert with its processes, its steps and its history."""
    from datetime import UTC, datetime

    import orjson

    from tocsin.cli.alert_reader import alert_reader
    from tocsin.cli.records import beginning_with, open_records
    from tocsin.management.alerts import history, newest_alerts
    from tocsin.moments import iso
    from tocsin.report.alerts_report import MOST_ALERTS, AlertsReport, about_one, history_line
    from tocsin.sources.batch import flatten
    from tocsin.store.records.models import StoredAlert

    with open_records(config, data) as records:
        with records.transaction() as session:
            if ids:
                named = beginning_with(session, StoredAlert, ids, "alert", "`tocsin alerts list` shows them")
                documents = [orjson.loads(alert.document) for alert in named]
            else:
                documents = newest_alerts(session, MOST_ALERTS, None, None)
            flat = [flatten(document) for document in documents]
            changes = history(session, str(flat[0]["kibana.alert.uuid"])) if len(flat) == 1 else []
        steps: list[Mapping[str, Any]] = []
        processes: list[Mapping[str, Any]] = []
        if len(flat) == 1:
            with alert_reader(records, config, data) as (reader, why_not):
                steps = _steps(reader, flat[0])
                processes = [] if why_not else _processes(reader, flat[0])
            if why_not:
                typer.echo(f"without its processes: {why_not}", err=True)
    about = (
        about_one(flat[0]) if len(flat) == 1 else "The alerts that were named." if ids else "The newest alerts."
    )
    html = AlertsReport(
        documents=flat, total=len(flat), about=about, made=iso(datetime.now(UTC)), steps=steps,
        processes=processes, history=[history_line(c.time, c.actor, c.field, c.old, c.new) for c in changes],
    ).html()  # fmt: skip
    _write(html, output)


def _steps(reader: Any, alert: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the building blocks of a sequence, in the order of its steps."""
    import orjson

    from tocsin.investigation.surroundings import steps_search
    from tocsin.search.selection import Clock
    from tocsin.search.tasks import SearchTask
    from tocsin.sources.batch import flatten
    from tocsin.store.alerts.names import ALERTS_INDEX

    task = SearchTask([ALERTS_INDEX], steps_search(alert))
    steps = [flatten(hit["_source"]) for hit in orjson.loads(task(reader, Clock()))["hits"]["hits"]]
    return sorted(steps, key=lambda step: int(step.get("kibana.alert.group.index") or 0))


def _processes(reader: Any, alert: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    import orjson

    from tocsin.investigation.processes.process_events import TreeTask
    from tocsin.investigation.processes.processes import PROCESS_FIELDS
    from tocsin.search.selection import Clock

    event = {name: value for name, value in alert.items() if name in PROCESS_FIELDS}
    event["@timestamp"] = alert.get("kibana.alert.original_time") or alert.get("@timestamp")
    nodes: list[Mapping[str, Any]] = orjson.loads(TreeTask(event)(reader, Clock()))["nodes"]
    return nodes


def _write(html: str, output: Path | None) -> None:
    from tocsin.errors import InputError

    if output is None:
        sys.stdout.buffer.write(html.encode())
        return
    try:
        output.write_text(html, "utf-8")
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None
