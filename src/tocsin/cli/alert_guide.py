"""`tocsin alerts guide`: the guide of an alert's rule in a terminal, with how much its queries find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.alert_reader import alert_reader
from tocsin.cli.options import AlertId, ApiKey, ConfigFile, Data, Url
from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from tocsin.investigation.guides.guide import Guide

Search = Callable[[Mapping[str, Any]], dict[str, Any]]
_MORE = ": give --url and --api-key to have them counted"


def guide(
    id_: AlertId,
    run: Annotated[
        list[int] | None,
        typer.Option(
            "--run",
            help="Run this query of osquery on the alert's host: 1 for the guide's first; repeatable.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
    data: Data = None,
) -> None:
    """Show the guide of an alert's rule for that alert: what its queries find, and the steps that are done.

    With --run a query of osquery is sent to the alert's host, which has enrolled, and its rows are printed.
    """
    from tocsin.cli.alert_guide_page import print_guide
    from tocsin.investigation.guides.alert_queries import alert_query
    from tocsin.investigation.guides.guide import note_of, read_guide
    from tocsin.investigation.guides.guide_blocks import InvestigateBlock
    from tocsin.investigation.guides.query_counts import count_searches
    from tocsin.sources.batch import flatten

    with _searches(url, api_key, config, data) as (search, why_not):
        alert = _alert(search, id_)
        event = flatten(alert)
        read = read_guide(note_of(alert), event)
        if run:
            _run_on_host(read, event, run, url, config, data)
            return
        blocks = [block for block in read.blocks if isinstance(block, InvestigateBlock)]
        queries = {block.number: alert_query(block, event) for block in blocks}
        counts: dict[int, int] = {}
        failures: list[str] = []
        for asked in count_searches(queries):
            if why_not and not all(query.signals_only for query in asked.queries.values()):
                failures.append(f"{why_not}{_MORE}")
                continue
            try:
                counts |= asked.counts(search(asked.body))
            except TocsinError as error:
                failures.append(error.message)
    print_guide(alert, event, queries, counts)
    for failure in dict.fromkeys(failures):
        typer.echo(f"not counted: {failure}", err=True)


def _run_on_host(
    guide: Guide, event: Mapping[str, Any], numbers: list[int], url: str | None, config: Any, data: Any
) -> None:
    """Run queries of osquery on an alert's host, one after the other. Raises TocsinError."""
    from tocsin.cli.hosts import run_query
    from tocsin.cli.records import open_records
    from tocsin.investigation.guides.guide_blocks import OsqueryBlock
    from tocsin.investigation.guides.osquery import filled_query
    from tocsin.response.hosts.enrollment import hosts_of_alert

    if url is not None:
        raise TocsinError("--run works on the service's records: give --data, or run it on the service's machine")
    blocks = [block for block in guide.blocks if isinstance(block, OsqueryBlock)]
    for number in numbers:
        if not 1 <= number <= len(blocks):
            raise TocsinError(f"the guide has {len(blocks)} queries of osquery, and none numbered {number}")
    with open_records(config, data) as records:
        with records.transaction() as session:
            hosts = [host for host in hosts_of_alert(session, event) if host.revoked is None]
        if len(hosts) != 1:
            state = "several hosts are called so" if hosts else "it has not enrolled, or is revoked"
            raise TocsinError(f"the alert's host {event.get('host.name')} cannot be asked: {state}")
        for number in numbers:
            block = blocks[number - 1]
            typer.echo(f"{block.label} on {hosts[0].name}:", err=True)
            sql, alert_id = filled_query(block.query, event), str(event.get("kibana.alert.uuid"))
            run_query(records, sql, [hosts[0].id], name=block.label, alert_id=alert_id)


@contextmanager
def _searches(url: str | None, api_key: str | None, config: Any, data: Any) -> Iterator[tuple[Search, str]]:
    """Give what searches: a service that is named, else the data directory; and why it finds no events, if so."""
    if url is not None:
        from tocsin.search.remote_client import remote_search

        with remote_search(url, api_key) as search:
            yield search, ""
        return
    from tocsin.cli.records import open_records

    with open_records(config, data) as records, alert_reader(records, config, data) as (reader, why_not):
        from tocsin.search.selection import Clock
        from tocsin.search.tasks import SearchTask
        from tocsin.store.alerts.names import ALERTS_INDEX

        def search(body: Mapping[str, Any]) -> dict[str, Any]:
            import orjson

            task = SearchTask(["*", ALERTS_INDEX], body, lenient=True)
            answer: dict[str, Any] = orjson.loads(task(reader, Clock()))
            return answer

        yield search, why_not


def _alert(search: Search, id_: str) -> dict[str, Any]:
    """Return the document of the alert whose id begins so. Raises TocsinError."""
    hits = search({"query": {"prefix": {"kibana.alert.uuid": {"value": id_}}}, "size": 2})["hits"]["hits"]
    if not hits or not id_:
        raise TocsinError(f"there is no alert {id_}", hint="`tocsin alerts list` shows them")
    if len(hits) > 1:
        raise TocsinError(f"several alerts begin with {id_}", hint="give more of the id")
    document: dict[str, Any] = hits[0]["_source"]
    return document
