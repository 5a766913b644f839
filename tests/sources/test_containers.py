"""What files of telemetry are packed in: all is read that can be, and nothing that a file holds ends a reading."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.ten_events import TEN
from tests.sources.wrapping import xml
from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.foreign_formats import FOREIGN_FORMATS
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

Record = dict[str, Any]
RANDOM = random.Random(4)
# Values that compress badly, so that a file that is cut holds some of them.
LINES: list[Record] = [
    {"@timestamp": "2026-11-20T10:00:00Z", "process": {"entity_id": RANDOM.randbytes(40).hex()}}
    for _ in range(4000)
]
NDJSON = "".join(json.dumps(line) + "\n" for line in LINES).encode()


def read(path: Path, rejects: Rejects) -> list[Record]:
    return list(whole_events(read_inputs(find_inputs([str(path)]), Wanted(frozenset()), rejects)))


def zipped(content: bytes, name: str = "a.ndjson") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def tarred(content: bytes, *more: bytes, kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for number, one in enumerate((content, *more)):
            info = tarfile.TarInfo(f"logs/{number}.ndjson")
            info.size = len(one)
            archive.addfile(info, io.BytesIO(one))
    return buffer.getvalue()


def in_gnu_tar(content: bytes) -> bytes:
    return tarred(content, kind=tarfile.GNU_FORMAT)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": lambda content: bz2.compress(content, 1),  # blocks of 100 kB, of which only whole ones can be read
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "zip": zipped,
    "tar": tarred,
    "tar of GNU": in_gnu_tar,
    "tar.gz": lambda content: gzip.compress(tarred(content)),
    "tar.bz2": lambda content: bz2.compress(tarred(content)),
    "tar.xz": lambda content: lzma.compress(tarred(content)),
    "tar.zst": lambda content: zstandard.compress(tarred(content)),
    "gzip in gzip": lambda content: gzip.compress(gzip.compress(content)),
    "gzip in a tar": lambda content: tarred(gzip.compress(content)),
    "zip in a zip": lambda content: zipped(zipped(content), "a.zip"),
}
COMPRESSED = ("gzip", "bzip2", "xz", "zstd", "gzip in gzip", "tar", "tar.gz", "tar.xz")


@pytest.mark.parametrize("packing", PACKED)
def test_what_is_packed_is_read(packing: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(PACKED[packing](NDJSON))
    rejects = Rejects()
    assert len(read(tmp_path / "f", rejects)) == len(LINES)
    assert not rejects.anything


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
def test_frames_one_behind_the_other_are_read(packing: str, tmp_path: Path) -> None:
    half = len(NDJSON) // 2
    (tmp_path / "f").write_bytes(PACKED[packing](NDJSON[:half]) + PACKED[packing](NDJSON[half:]))
    rejects = Rejects()
    assert len(read(tmp_path / "f", rejects)) == len(LINES)
    assert not rejects.anything


@pytest.mark.parametrize("packing", COMPRESSED)
def test_of_a_file_that_is_cut_all_that_is_there_is_read(packing: str, tmp_path: Path) -> None:
    whole = PACKED[packing](NDJSON)
    (tmp_path / "f").write_bytes(whole[: len(whole) // 2])
    rejects = Rejects()
    events = read(tmp_path / "f", rejects)
    assert len(LINES) * 0.3 < len(events) < len(LINES)
    assert [event["process.entity_id"] for event in events] == [
        line["process"]["entity_id"] for line in LINES[: len(events)]
    ]
    assert rejects.first["damaged file"].file.startswith(str(tmp_path / "f"))
    assert "Error" not in rejects.first["damaged file"].detail


def test_of_damaged_gzip_data_everything_before_the_damage_is_read(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(NDJSON))
    damaged[-8:-4] = b"\0\0\0\0"  # the checksum
    (tmp_path / "f").write_bytes(damaged)
    rejects = Rejects()
    assert len(read(tmp_path / "f", rejects)) == len(LINES)
    assert "the gzip data is damaged within" in rejects.first["damaged file"].detail
    assert f"the {len(NDJSON):,} bytes that it held before that are read" in rejects.first["damaged file"].detail


def test_the_files_before_a_damaged_header_of_a_tar_archive_are_read_and_the_damage_is_told(
    tmp_path: Path,
) -> None:
    content = json.dumps(LINES[0]).encode() + b"\n"
    archive = bytearray(tarred(content, content))
    archive[1024:1400] = b"x" * 376  # the second header
    (tmp_path / "f.tar").write_bytes(archive)
    rejects = Rejects()
    assert len(read(tmp_path / "f.tar", rejects)) == 1
    assert "the tar archive is cut or damaged" in rejects.first["damaged file"].detail


def test_a_file_that_is_packed_without_end_is_told(tmp_path: Path) -> None:
    content = NDJSON
    for _ in range(12):
        content = gzip.compress(content)
    (tmp_path / "f").write_bytes(content)
    rejects = Rejects()
    assert read(tmp_path / "f", rejects) == []
    assert "packed more than 8 times over" in rejects.first["unreadable file"].detail


def test_an_encrypted_file_of_an_archive_is_told(tmp_path: Path) -> None:
    archive = bytearray(zipped(NDJSON))
    archive[6] |= 1  # in the file's own header
    archive[archive.find(b"PK\x01\x02") + 8] |= 1  # in the list of files
    (tmp_path / "f.zip").write_bytes(archive)
    rejects = Rejects()
    assert read(tmp_path / "f.zip", rejects) == []
    assert "a.ndjson is encrypted" in rejects.first["unreadable file"].detail


FOREIGN = {
    "text of `wevtutil /f:text`": b"Event[0]\n  Log Name: Security\n  Source: x\n",
    "a list that PowerShell prints (Format-List)": b"\r\n\r\nTimeCreated : 1\r\nId : 1\r\n",
    "an object of PowerShell in XML (Export-Clixml, ConvertTo-Xml)": b'<Objs Version="1.1.0.1" xmlns="http://x">',
    "CEF (Common Event Format)": b"CEF:0|Microsoft|Microsoft Windows||4688|x|Low| eventId=1\n",
    "syslog of Snare": b"<13>Nov 20 10:00:00 ws01 MSWinEventLog\t1\tSecurity\t11\tFri Nov 20\n",
    "raw text of Splunk's classic Windows event logs": b"11/20/2026 10:00:00 AM\nLogName=Security\n",
    "events in YAML (as `chainsaw dump` prints them)": b"---\nEvent:\n  EventData:\n    Image: x\n",
    "a 7-Zip archive": b"7z\xbc\xaf\x27\x1c\x00\x04",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_format_that_is_not_read_is_told_by_its_name_with_what_to_do(what: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(FOREIGN[what])
    rejects = Rejects()
    read(tmp_path / "f", rejects)
    known = next(known for known in FOREIGN_FORMATS if known.what == what)
    assert (
        rejects.first["unreadable file"].detail
        == f"{tmp_path / 'f'} is {what}, which is not read. {known.instead}"
    )


# ---- nothing that a file holds ends the reading of the others


def kinds() -> dict[str, bytes]:
    records = [record for record, _ in TEN.values()]
    table = io.BytesIO()
    pq.write_table(pa.table({"@timestamp": ["2026-11-20T10:00:00Z"] * 50, "process.name": ["a.exe"] * 50}), table)
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()
    return {
        "NDJSON": lines,
        "a list": json.dumps(records).encode(),
        "XML": "".join(xml(record) for record in records).encode(),
        "CSV": b"TimeGenerated,Channel,EventID,Computer,Image\r\n"
        + b'2026-11-20,Security,4688,w,"a,""b"""\r\n' * 20,
        "Parquet": table.getvalue(),
        "UTF-16": lines.decode().encode("utf-16"),
        **{packing: pack(lines) for packing, pack in PACKED.items()},
    }


KINDS = kinds()


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    cut=st.floats(0, 1),
    damage=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=8)), max_size=4),
)
def test_a_damaged_file_is_told_and_does_not_end_the_reading_of_the_next(
    kind: str, cut: float, damage: list[tuple[float, bytes]]
) -> None:
    content = bytearray(KINDS[kind])
    for place, put in damage:
        begin = int(place * len(content))
        content[begin : begin + len(put)] = put
    check_that_the_next_file_is_read(bytes(content[: int(cut * len(content)) or None]))


MAGIC = (
    b"", b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1", b"ElfFile\0",
    b"ElfChnk\0", b"{", b"[{", b"<Event ", b"a,b,c\n", b"\xff\xfe", b"\0\0",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    magic=st.sampled_from(MAGIC),
    content=st.binary(max_size=6000),
)  # fmt: skip
def test_random_bytes_do_not_end_the_reading_of_the_next_file(magic: bytes, content: bytes) -> None:
    check_that_the_next_file_is_read(magic + content)


def check_that_the_next_file_is_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.json").write_bytes(content)
        (Path(folder) / "b.json").write_text(json.dumps(LINES[7]))
        rejects = Rejects()
        events = read(Path(folder), rejects)
        assert events
        assert events[-1]["process.entity_id"] == LINES[7]["process"]["entity_id"]
        assert not [one for one in rejects.first.values() if "did not expect" in one.detail]
        assert len(events) > 1 or rejects.anything
