"""`tocsin ingest`: files into the event store, of a service that runs or of none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.reading import (
    DatesOrdered,
    Events,
    RejectsFile,
    Source,
    inputs_of,
    is_day_first,
    rejects_kept,
    tell_of_rejected,
    tell_of_unseen,
)
from tocsin.cli.serve import ConfigFile, Data

if TYPE_CHECKING:
    from tocsin.config import Config
    from tocsin.ingest.files import Send
    from tocsin.store.templates import Templates


def ingest(
    events: Events,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what one growing NDJSON file gets, until interrupted.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(envvar="TOCSIN_URL", help="A running service; its data directory otherwise.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="TOCSIN_API_KEY", help="The key for it, as `tocsin keys add` shows it.")
    ] = None,
    source: Source = None,
    date_order: DatesOrdered = None,
    config: ConfigFile = None,
    data: Data = None,
    rejects: RejectsFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")] = False,
) -> None:
    """Store the events of files, each once, however often its file is given."""
    from tocsin.cli.progress import progress_bar
    from tocsin.ingest.files import Sent, send_files

    kept = rejects_kept(rejects)
    with _sender(url, api_key, config, data) as send:
        if follow:
            sent = _follow(events, send, kept, is_day_first(date_order))
        else:
            inputs = inputs_of(events, source, date_order)
            with progress_bar(inputs, quiet=quiet) as progress:
                sent = send_files(inputs, send, kept, progress)
    kept.close()
    assert isinstance(sent, Sent)
    if not quiet:
        known = f", {sent.known:,} were there already" if sent.known else ""
        print(f"{sent.created:,} events stored{known}", file=sys.stderr)
        tell_of_unseen(kept)
        tell_of_rejected(kept)
    raise typer.Exit(2 if kept.anything and not sent.total else 0)


@contextmanager
def _sender(url: str | None, api_key: str | None, config: Any, data: Any) -> Iterator[Send]:
    """Give what sends actions: over HTTP where a service is named, into the data directory otherwise."""
    if url is not None:
        from tocsin.ingest.remote import remote_sender

        with remote_sender(url, api_key) as send:
            yield send
        return
    from tocsin.api.service import lake_settings
    from tocsin.config import load_config
    from tocsin.errors import TocsinError
    from tocsin.ingest.bulk import Ingest
    from tocsin.ingest.rejected import Rejected
    from tocsin.store.events import StoreError
    from tocsin.store.lake.lake import LakeStore

    loaded = load_config(config, {"data": data})
    try:
        store = LakeStore(loaded.data, lake_settings(loaded))
    except StoreError as error:
        raise TocsinError(
            error.message, hint="a service runs there: send to it with --url and --api-key"
        ) from None
    try:
        yield Ingest(store, Rejected(loaded.data / "rejected"), lambda: _templates(loaded)).store_all
        store.flush()
    finally:
        store.close()


def _templates(loaded: Config) -> Templates:
    """Return the index templates that a service has kept."""
    from tocsin.store.records.database import Records
    from tocsin.store.records.templates import templates_in

    records = Records(loaded.records_url)
    try:
        if records.is_empty():
            return {}
        with records.transaction() as session:
            return templates_in(session)
    finally:
        records.close()


def _follow(events: list[str], send: Send, kept: Any, day_first: bool | None) -> Any:
    from tocsin.errors import InputError
    from tocsin.ingest.files import Sent, follow, send_lines
    from tocsin.sources.date_order import DateOrder

    if len(events) != 1 or events[0] == "-":
        raise InputError("--follow takes one file", hint="start one for each")
    sent = Sent()
    kept.unseen.orders[events[0]] = DateOrder(given=day_first)  # what is to come, no file shows
    try:
        for lines in follow(Path(events[0]), lambda: False):
            send_lines(lines, send, kept, sent, events[0])
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return sent
