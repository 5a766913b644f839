"""Cut and damaged EVTX files: every whole record comes out, once, in order; what is lost is told, never silent.

Real files have templates that records share and remnants of earlier use behind their last record; those that are
tried lie in the shared folder. Files of our own writing have neither, and are there without it.
"""

import io
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evtx_writer import write_evtx
from tests.scenario import Machine
from tests.shared import needs_shared, shared
from tocsin.sources.batch import Rejects, RowBatch, Wanted
from tocsin.sources.document import Documents
from tocsin.sources.formats.evtx import read_evtx
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

HEADER, CHUNK, FIRST = 4096, 65536, 512
REAL = "events/evtx"
# With templates and three chunks; with remnants of 54 records behind its 33.
ZEROLOGON = f"{REAL}/Credential_Access__etw_rpc_zerologon.evtx"
BABYSHARK = f"{REAL}/Credential_Access__babyshark_mimikatz_powershell.evtx"


def read(content: bytes) -> tuple[list[bytes], Rejects]:
    """Return the records of a file, each whole."""
    rejects = Rejects()
    found: list[bytes] = []
    for batch in read_evtx(io.BytesIO(content), "a.evtx", Wanted(frozenset()), rejects, Documents(None)):
        assert isinstance(batch, RowBatch)
        found += [batch.raw(row).content for row in range(len(batch.rows))]
    return found, rejects


def chunks_of(content: bytes | bytearray) -> Iterator[int]:
    return (at for at in range(HEADER, len(content), CHUNK) if content.startswith(b"ElfChnk\0", at))


def ends_of(content: bytes | bytearray) -> list[int]:
    """Return where each record of a sound file ends."""
    ends = []
    for chunk in chunks_of(content):
        at, (free,) = FIRST, struct.unpack_from("<I", content, chunk + 48)
        while at < free:
            at += struct.unpack_from("<I", content, chunk + at + 4)[0]
            ends.append(chunk + at)
    return ends


def written() -> bytes:
    machine = Machine("H", "D\\u", 1)
    return write_evtx([machine.ordinary() for _ in range(150)])


def real(name: str) -> bytes:
    return shared(name).read_bytes()


FILES = [
    pytest.param(written, id="written"),
    pytest.param(lambda: real(ZEROLOGON), id="zerologon", marks=needs_shared(ZEROLOGON)),
    pytest.param(lambda: real(BABYSHARK), id="babyshark", marks=needs_shared(BABYSHARK)),
]


@needs_shared("cases/10_cut.evtx")
def test_whole_records_of_a_chunk_that_is_cut_short_are_read_and_counted(tmp_path: Path) -> None:
    found, rejects = read(shared("cases/10_cut.evtx").read_bytes())
    assert len(found) == 53 + 23
    assert rejects.recovered == {"a.evtx": 23}
    assert rejects.first["truncated EVTX"].detail == (
        "the file ends within chunk 2 of 6: 23 whole records recovered, not whole: record 77 to 106"
    )


@pytest.mark.parametrize("made", FILES)
def test_wherever_a_file_is_cut_the_records_before_the_cut_are_read(made: Callable[[], bytes]) -> None:
    content = made()
    whole, _ = read(content)
    ends = ends_of(content)
    assert len(whole) == len(ends)
    noise = random.Random(20)
    near = [end + step for end in noise.sample(ends, 25) for step in (-1, 0, 1)]
    for cut in [HEADER + 1, *near, *(noise.randrange(HEADER + 1, ends[-1]) for _ in range(40))]:
        found, rejects = read(content[:cut])
        assert found == whole[: sum(end <= cut for end in ends)], cut
        assert "truncated EVTX" in rejects.counts, cut


def zeroed(content: bytearray, start: int, length: int) -> bytearray:
    content[start : start + length] = bytes(length)
    return content


def dropped(content: bytearray, start: int, length: int) -> bytearray:
    del content[start : start + length]
    return content


# What is done to a file whose every record comes out all the same.
HARMLESS: dict[str, Callable[[bytearray], bytearray]] = {
    "the file's header is zeros": lambda c: zeroed(c, 0, HEADER),
    "the file's signature is another": lambda c: zeroed(c, 3, 1),
    "the file's header is missing": lambda c: dropped(c, 0, HEADER),
    "a part of the file's header is missing": lambda c: dropped(c, 0, 1000),
    "the number of chunks is wrong": lambda c: zeroed(c, 42, 2),
    "a chunk's header is zeros": lambda c: zeroed(c, HEADER, FIRST),
    "a chunk's signature is another": lambda c: zeroed(c, HEADER + 2, 1),
    "the end of a chunk's records is wrong": lambda c: zeroed(c, HEADER + 48, 4),
    "a chunk's tables of names and templates are garbage": lambda c: (
        c[: HEADER + 128] + b"\xab" * 384 + c[HEADER + FIRST :]
    ),
    "a record's signature is another": lambda c: zeroed(c, ends_of(c)[4], 1),
    "a record's first size is wrong": lambda c: zeroed(c, ends_of(c)[4] + 4, 2),
    "a record's second size is wrong": lambda c: zeroed(c, ends_of(c)[5] - 4, 2),
    "a record's number is wrong": lambda c: zeroed(c, ends_of(c)[4] + 8, 8),
}


@pytest.mark.parametrize("made", FILES)
@pytest.mark.parametrize("name", HARMLESS)
def test_what_damages_no_record_costs_none_and_is_told(name: str, made: Callable[[], bytes]) -> None:
    content = made()
    whole, _ = read(content)
    found, rejects = read(bytes(HARMLESS[name](bytearray(content))))
    assert found == whole
    assert rejects.total


@pytest.mark.parametrize("made", FILES)
def test_a_chunk_of_zeros_costs_its_own_records(made: Callable[[], bytes]) -> None:
    content = made()
    whole, _ = read(content)
    first = sum(end <= HEADER + CHUNK for end in ends_of(content))
    found, rejects = read(bytes(zeroed(bytearray(content), HEADER, CHUNK)))
    assert found == whole[first:]
    assert "is empty" in rejects.first["damaged EVTX chunk"].detail


def test_bytes_that_are_missing_between_chunks_shift_the_rest() -> None:
    content = written()
    whole, _ = read(content)
    last = ends_of(content[: HEADER + CHUNK])[-1]
    found, rejects = read(bytes(dropped(bytearray(content), last, HEADER + CHUNK - last)))
    assert found == whole
    assert rejects.total


def test_records_that_a_header_does_not_know_yet_are_read() -> None:
    """A log that is copied while Windows writes it has a header that is older than its last records."""
    content = bytearray(written())
    whole, _ = read(bytes(content))
    machine = Machine("H", "D\\u", 1)
    early = write_evtx([machine.ordinary() for _ in range(3)])
    content[HEADER : HEADER + FIRST] = early[HEADER : HEADER + FIRST]
    found, rejects = read(bytes(content))
    assert found == whole
    assert rejects.recovered["a.evtx"] > 3
    assert not rejects.total


@needs_shared(BABYSHARK)
def test_records_of_an_earlier_use_behind_the_last_are_no_events() -> None:
    content = real(BABYSHARK)
    assert content.count(b"**\0\0") > 33
    assert len(read(content)[0]) == 33
    assert len(read(bytes(zeroed(bytearray(content), HEADER, FIRST)))[0]) == 33


@needs_shared(ZEROLOGON)
def test_a_record_whose_template_is_gone_is_rejected_for_that() -> None:
    content = bytearray(real(ZEROLOGON))
    first = ends_of(bytes(content))[0]
    found, rejects = read(bytes(zeroed(content, HEADER + FIRST, first - HEADER - FIRST)))
    assert found
    assert rejects.counts["EVTX record without its template"]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_whatever_is_damaged_nothing_comes_twice_and_nothing_goes_in_silence(data: st.DataObject) -> None:
    content = bytearray(_FILE)
    at = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.sampled_from(["flip", "zeros", "noise", "cut", "missing"]))
    length = data.draw(st.integers(1, 3000))
    if damage == "flip":
        content[at] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "zeros":
        content = zeroed(content, at, length)[: len(_FILE)]
    elif damage == "noise":
        content[at : at + length] = random.Random(at).randbytes(length)
    elif damage == "cut":
        del content[max(at, HEADER) :]
    else:
        content = dropped(content, at, length)
    found, rejects = read(bytes(content))
    known = [_PLACES[record] for record in found if record in _PLACES]
    assert known == sorted(set(known))
    assert len(found) <= len(_WHOLE)
    if found != _WHOLE:
        assert rejects.total


_FILE = written()
_WHOLE = read(_FILE)[0]
_PLACES = {record: place for place, record in enumerate(_WHOLE)}


def test_chunks_are_found_in_an_image_of_a_disk(tmp_path: Path) -> None:
    image = b"\xe9" * 70_001 + _FILE[HEADER:] + b"\xe9" * 999
    for path in (tmp_path / "disk.img", tmp_path / "folder" / "Security.evtx"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image)
        rejects = Rejects()
        named = [str(path if path.suffix == ".img" else path.parent)]
        assert sum(b.events for b in read_inputs(find_inputs(named), Wanted(frozenset()), rejects)) == len(_WHOLE)
        assert rejects.counts["damaged EVTX header"] == 1
