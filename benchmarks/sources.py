"""How fast raw records of each source become columns of ECS fields."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import evtx
import orjson
from tests.sources.products import CASES, elastic, m365_defender, readable_as_columns
from tests.sources.products.case import Process

from tocsin.sources.ahead import read_ahead
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

PROCESS = Process("C:\\Windows\\System32\\cmd.exe", "cmd.exe /c run", original_file_name="Cmd.Exe")
# What is seldom the same twice: half of the command lines and of the paths of files.
_SELDOM_SAME = ("cmdline", "commandline", "command_line", "targetfilename", "file.path", "file_path")


def records(name: str, count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield records of a product, of all kinds, whose numbers, times, command lines and paths differ."""
    rng = random.Random(seed)
    originals = readable_as_columns(name)
    for number in range(count):
        record = dict(rng.choice(originals))
        if "properties" in record:
            record["properties"] = _varied(record["properties"], rng, number)
            yield record
        else:
            yield _varied(record, rng, number)


def _varied(body: dict[str, Any], rng: random.Random, number: int) -> dict[str, Any]:
    varied = dict(body)
    host = rng.randrange(60)
    for key, value in body.items():
        name = key.lower()
        if name in ("devicename", "endpoint.name", "computername"):
            varied[key] = f"WS-{host:04}"
        elif name in ("timestamp", "event.time") or name.endswith("starttime"):
            varied[key] = _later(value, number)
        elif isinstance(value, int) and not isinstance(value, bool) and value > 1000:
            varied[key] = value + rng.randrange(20_000)
        elif isinstance(value, str) and value.isdecimal() and len(value) > 2 and not name.endswith("port"):
            varied[key] = str(int(value) + rng.randrange(20_000))
        elif isinstance(value, str) and name.endswith(_SELDOM_SAME) and rng.random() < 0.5:
            varied[key] = f"{value} {rng.getrandbits(40):x}"
    return varied


def _later(value: Any, number: int) -> Any:
    if isinstance(value, int):
        return value + number
    if isinstance(value, str) and value.isdecimal():
        return str(int(value) + number)
    if isinstance(value, str) and "T" in value:
        hours, minutes, seconds = number // 3600 % 24, number // 60 % 60, number % 60
        return f"2026-10-06T{hours:02}:{minutes:02}:{seconds:02}.{number % 10_000_000:07}Z"
    return value


def write_records(folder: Path, count: int) -> dict[str, Path]:
    """Write a file of records for each source; return them by the source's name."""
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    ecs: dict[str, Callable[[Process], dict[str, Any]]] = {
        "endpoint.events.process (ECS)": elastic.defend_process_started,
        "winlogbeat (ECS)": elastic.winlogbeat_process_started,
    }
    for name in CASES:
        path = written[name] = folder / f"{name}.ndjson"
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records(name, count)))
    for name, render in ecs.items():
        path = written[name] = folder / f"{name.partition(' ')[0]}.ndjson"
        rng = random.Random(2)
        body = render(PROCESS)
        with path.open("wb") as file:
            for number in range(count):
                process = _varied(body["process"], rng, number)
                event = {**body, "@timestamp": _later("T", number), "process": process}
                file.write(orjson.dumps(event) + b"\n")
    return written


def write_renderings(log: Path, folder: Path, count: int) -> dict[str, Path]:
    """Write the first records of a log in the other formats of Windows events, and as many rows in CSV."""
    xml, nested, table = (folder / name for name in ("windows.xml", "windows.ndjson", "m365_defender.csv"))
    with xml.open("w", encoding="utf-8") as file:
        for record in islice(_parser(log).records(), count):
            file.write(record["data"])
    with nested.open("wb") as binary:
        for record in islice(_parser(log).records_json(), count):
            binary.write(orjson.dumps(orjson.loads(record["data"])) + b"\n")
    row = m365_defender.started(PROCESS)
    rng = random.Random(3)
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(row))
        rows.writeheader()
        rows.writerows(_varied(row, rng, number) for number in range(count))
    return {"Windows, XML": xml, "Windows, JSON": nested, "Microsoft 365 Defender, CSV": table}


def _parser(log: Path) -> Any:
    return evtx.PyEvtxParser(str(log), number_of_threads=1)


def read_all(path: Path, fields: frozenset[str]) -> int:
    """Read a file into columns of some fields as a hunt does; return how many events there were."""
    count = 0
    for batch in read_ahead(read_inputs(find_inputs([str(path)]), Wanted(fields), Rejects())):
        for name in fields:
            batch.table.raw(name)
        count += batch.events
    return count
