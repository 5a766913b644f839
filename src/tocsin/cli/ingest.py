"""`tocsin ingest`: files into the event store, of a service that runs or of none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import options, reading
from tocsin.counted import counted
from tocsin.printable import printable_line

if TYPE_CHECKING:
    from tocsin.config import Config
    from tocsin.ingest.files import Send
    from tocsin.store.mappings.templates import Templates


_PAUSE = 0.5  # seconds between two looks for a file
_HEAD = 8192  # bytes that show a format


def ingest(
    events: options.Events,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Go on with what one growing NDJSON file gets, until Ctrl-C. A pattern is waited for."
        ),
    ] = False,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    source: options.Source = None,
    date_order: options.DatesOrdered = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
    rejects: options.RejectsFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Store the events of files, each once, however often its file is given."""
    from tocsin.cli.progress import progress_bar
    from tocsin.ingest.files import Sent, send_files

    inputs = [] if follow else reading.inputs_of(events, source, date_order)
    kept = reading.rejects_kept(rejects, inputs)
    with _sender(url, api_key, config, data) as send:
        if follow:
            sent = _follow(events, source, send, kept, reading.is_day_first(date_order), quiet=quiet)
        else:
            with progress_bar(inputs, quiet=quiet) as progress:
                sent = send_files(inputs, send, kept, progress)
    kept.close()
    assert isinstance(sent, Sent)
    if not quiet:
        known = f", {sent.known:,} {'was' if sent.known == 1 else 'were'} there already" if sent.known else ""
        print(f"{counted(sent.created, 'event')} stored{known}", file=sys.stderr)
        reading.tell_what_was_missed(kept)
    raise typer.Exit(2 if kept.anything and not sent.total else 0)


@contextmanager
def _sender(url: str | None, api_key: str | None, config: Any, data: Any) -> Iterator[Send]:
    """Give what sends actions: over HTTP where a service is named, into the data directory otherwise."""
    if url is not None:
        from tocsin.ingest.remote import remote_sender

        with remote_sender(url, api_key) as send:
            yield send
        return
    from tocsin.config import load_config
    from tocsin.errors import TocsinError
    from tocsin.ingest.bulk import Ingest
    from tocsin.ingest.rejected import Rejected
    from tocsin.management.settings import lake_settings
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


def _follow(
    events: list[str], source: str | None, send: Send, kept: Any, day_first: bool | None, *, quiet: bool
) -> Any:
    """Send what one file gets, until interrupted. A pattern is waited for, a name has to be there."""
    from tocsin.ingest.files import Sent, follow, send_lines
    from tocsin.sources.catalogue import find_source
    from tocsin.sources.date_order import DateOrder

    taken_for = source and find_source(source)

    def report_waiting(path: object) -> None:
        if not quiet:
            print(f"waiting for {printable_line(str(path))}; Ctrl-C ends it", file=sys.stderr, flush=True)

    sent = Sent()
    try:
        path = _followed(events, report_waiting)
        kept.unseen.orders[str(path)] = DateOrder(given=day_first)  # what is to come, no file shows
        if not quiet:
            print(f"following {printable_line(str(path))}; Ctrl-C ends it", file=sys.stderr, flush=True)
        for lines in follow(path, lambda: False, gone=lambda: report_waiting(path)):
            send_lines(lines, send, kept, sent, taken_for, str(path))
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return sent


def _followed(events: list[str], waiting: Callable[[str], None]) -> Path:
    """Return the one file that is followed. Raises InputError."""
    import glob
    import time

    from tocsin.errors import InputError
    from tocsin.sources.inputs import recognise

    if len(events) != 1 or events[0] == "-":
        raise InputError("--follow takes one file", hint="start one for each")
    name = events[0]
    path = Path(name)
    if not path.exists() and glob.has_magic(name):
        matches = glob.glob(name, recursive=True)
        if not matches:
            waiting(name)
        while not matches:
            time.sleep(_PAUSE)
            matches = glob.glob(name, recursive=True)
        if len(matches) > 1:
            raise InputError(
                f"{name} matches {len(matches):,} files, and --follow takes one", hint="start one for each"
            )
        path = Path(matches[0])
    if not path.exists():
        hint = "a pattern, as in 'logs/*.ndjson', is waited for; a file that was there may go and come again"
        raise InputError(f"{name} does not exist", hint=hint)
    if path.is_dir():
        raise InputError(
            f"{name} is a folder, and --follow takes one file", hint="`tocsin serve --watch` takes folders"
        )
    with path.open("rb") as file:
        form = recognise(file.read(_HEAD))
    if form not in (None, "json"):
        raise InputError(
            f"{name} is {form}, and --follow takes NDJSON", hint="leave out --follow to store it once"
        )
    return path
