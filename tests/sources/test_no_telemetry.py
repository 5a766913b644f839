"""What is no telemetry: passed over and counted where it lies in a folder or an archive, rejected where named."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

EVENT = b'{"event": {"category": ["process"]}, "process": {"name": "a.exe"}}\n'


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


WORD = archive(
    {
        "[Content_Types].xml": b'<?xml version="1.0"?>\n<Types xmlns="http://x"/>',
        "word/document.xml": b'<?xml version="1.0"?>\n<w:document/>',
        "word/media/image1.png": b"\x89PNG\r\n\x1a\n\x00",
    }
)
STRANGERS = {
    "LICENSE": b"Licensed under the Apache License, Version 2.0, see below, you may not\nuse this file\n",
    "picture.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "README.md": b"# Recordings\n\nof an attack, of a network, of a host\n",
    "badges.md": b"[![Build](https://x/b.svg)](https://x)\n",
    "links.md": b"[events](events/), [rules](rules/), [more](more/)\n",
    "notes.docx": WORD,
    "settings.toml": b"[section]\nname = 1\n",
    "page.html": b"<!doctype html><title>x</title>",
    "page.j2": b"{% for event in events %}{{ event }}{% endfor %}",
    "empty.log": b"",
    "tool.exe": b"MZ\x90\x00",
    ".DS_Store": b"\x00\x00\x00\x01Bud1",
    ".cache/events.json": EVENT,
}
DAMAGED = {
    "half.evtx": b"\x00" * 9000,
    "half.json": b"\x00\x01\x02",
    "half.ndjson": b'{"event": {"cat',
    "python.txt": b"{'event': 1}",
    "table.csv": b"Computer,When,What\nA,B,C\n",
    "half.parquet": b"PAR1 and then nothing",
}


def read(*names: Path) -> tuple[int, Rejects]:
    rejects = Rejects()
    inputs = find_inputs([str(name) for name in names])
    return sum(b.events for b in read_inputs(inputs, Wanted(frozenset()), rejects)), rejects


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", STRANGERS)
def test_in_a_folder_it_is_passed_over_and_counted_once(name: str, tmp_path: Path) -> None:
    put(tmp_path, "events.json", EVENT)
    path = put(tmp_path, name, STRANGERS[name])
    events, rejects = read(tmp_path)
    assert (events, rejects.total, rejects.passed_over) == (1, 0, 1)
    assert [reject.file for reject in rejects.passed] == [str(path)]


@pytest.mark.parametrize("name", [name for name in STRANGERS if not name.startswith(".cache")])
def test_a_file_that_is_named_is_rejected(name: str, tmp_path: Path) -> None:
    events, rejects = read(put(tmp_path, name, STRANGERS[name]))
    assert (events, rejects.passed_over) == (0, 0)
    assert rejects.total == 1


@pytest.mark.parametrize("name", DAMAGED)
def test_in_a_folder_what_looks_like_telemetry_and_is_damaged_is_rejected(name: str, tmp_path: Path) -> None:
    put(tmp_path, "events.json", EVENT)
    put(tmp_path, name, DAMAGED[name])
    events, rejects = read(tmp_path)
    assert (events, rejects.passed_over) == (1, 0)
    assert rejects.total == 1


def test_in_an_archive_each_is_counted_and_events_are_read(tmp_path: Path) -> None:
    members = {"a/events.json": EVENT, "a/LICENSE": b"MIT\n", "__MACOSX/a/._events.json": b"\x00\x05\x16\x07"}
    events, rejects = read(put(tmp_path, "case.zip", archive(members)))
    assert (events, rejects.total, rejects.passed_over) == (1, 0, 2)


def test_what_was_passed_over_stands_in_the_rejects_file(tmp_path: Path) -> None:
    put(tmp_path, "logs/LICENSE", b"MIT\n")
    kept = Rejects(tmp_path / "rejects.ndjson")
    assert not list(read_inputs(find_inputs([str(tmp_path / "logs")]), Wanted(frozenset()), kept))
    kept.close()
    (line,) = (tmp_path / "rejects.ndjson").read_text().splitlines()
    assert json.loads(line)["reason"] == "no telemetry"
    assert json.loads(line)["file"].endswith("LICENSE")


def test_an_old_rejects_file_stays_when_there_is_nothing_to_keep(tmp_path: Path) -> None:
    ours, foreign = put(tmp_path, "logs/LICENSE", b"MIT\n"), put(tmp_path, "notes.ndjson", b'{"my": "notes"}\n')
    path = tmp_path / "rejects.ndjson"
    kept = Rejects(path)
    kept.pass_over(str(ours), "no telemetry")
    kept.close()
    assert path.exists()
    Rejects(path).close()
    assert path.exists()
    Rejects(foreign).close()
    assert foreign.exists()


def test_a_rejects_file_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    put(tmp_path, "logs/events.json", b"{\n" + EVENT)
    kept = Rejects(tmp_path / "missing" / "rejects.ndjson")
    batches = list(read_inputs(find_inputs([str(tmp_path / "logs")]), Wanted(frozenset()), kept))
    assert sum(batch.events for batch in batches) == 1
    assert "cannot be written" in kept.unkept
