"""JSON however its values are parted: each value is read, and each that is lost is one reject with its line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.sources.batch import Rejects, Wanted
from tocsin.sources.convert import whole_events
from tocsin.sources.document import Documents
from tocsin.sources.formats import json_events
from tocsin.sources.formats.json_events import read_json
from tocsin.sources.formats.json_text import Damage, JsonText
from tocsin.sources.inputs import find_inputs
from tocsin.sources.read import read_inputs

Record = dict[str, Any]
BOM = b"\xef\xbb\xbf"


def event(number: int) -> Record:
    return {
        "event": {"category": ["process"], "nested": [{"a": 1}, {"a": 2}]},
        "process": {"pid": number, "name": "é"},
    }


def line(number: int, **options: Any) -> bytes:
    return json.dumps(event(number), ensure_ascii=False, **options).encode()


def flat_lines(number: int) -> bytes:
    """Return an object over several lines, none of them indented."""
    return b'{\n"event": {\n"category": "process"\n},\n"process": {\n"pid": %d\n}\n}' % number


LINES = [line(number) for number in range(1, 5)]
PRETTY = [line(number, indent=2) for number in range(1, 5)]
TABS = [line(number, indent="\t") for number in range(1, 5)]
TWO_ARRAYS = [json.dumps([event(1), event(2)]).encode(), json.dumps([event(3), event(4)]).encode()]

WHOLE = {
    "two arrays on two lines": b"\n".join(TWO_ARRAYS),
    "two arrays, one behind the other": b"".join(TWO_ARRAYS),
    "two arrays over several lines": b"\n".join(
        json.dumps([event(n), event(n + 1)], indent=2).encode() for n in (1, 3)),
    "an array amid lines": b"\n".join((LINES[0], json.dumps([event(2), event(3)]).encode(), LINES[3])),
    "an array first": b"\n".join((json.dumps([event(1), event(2)]).encode(), *LINES[2:])),
    "an array of lines that does not end": b"[\n" + b",\n".join(LINES) + b"\n",
    "lines that end in commas": b",\n".join(LINES) + b",\n",
    "lines that begin with commas": b"\n,".join(LINES),
    "lines that end in CR": b"\r".join(LINES) + b"\r",
    "lines that end in CR, pretty": b"\n".join(PRETTY).replace(b"\n", b"\r"),
    "lines that end in CR CR LF": b"\r\r\n".join(LINES),
    "pretty, one behind the other": b"".join(PRETTY),
    "pretty, a line each between": b"\n".join(PRETTY),
    "pretty, commas between": b",\n".join(PRETTY),
    "pretty, with tabs": b"\n".join(TABS),
    "over several lines without indentation": b"\n".join(map(flat_lines, range(1, 5))),
    "pretty amid lines": b"\n".join((LINES[0], PRETTY[1], LINES[2], TABS[3])),
    "lines amid pretty": b"\n".join((PRETTY[0], LINES[1], LINES[2], PRETTY[3])),
    "several on a line": b"".join(LINES),
    "several on a line, blanks between": b" ".join(LINES),
    "two on each line": LINES[0] + LINES[1] + b"\n" + LINES[2] + LINES[3],
    "UTF-16 LE without a mark": b"\n".join(LINES).decode().encode("utf-16-le"),
    "UTF-16 BE without a mark": b"\n".join(LINES).decode().encode("utf-16-be"),
    "UTF-16 with a mark": b"\n".join(LINES).decode().encode("utf-16"),
    "UTF-32 with a mark": b"\n".join(LINES).decode().encode("utf-32"),
    "files with marks, joined": BOM + LINES[0] + b"\n" + LINES[1] + b"\n" + BOM + LINES[2] + b"\n" + LINES[3],
    "files with marks, joined without a line's end": BOM + LINES[0] + BOM + b"\n".join(LINES[1:]),
    "UTF-16 files with marks, joined": b"".join((one + b"\n").decode().encode("utf-16") for one in LINES),
    "zero bytes behind the last line": b"\n".join(LINES) + b"\n" + b"\0" * 4096,
    "zero bytes before the first line": b"\0" * 9000 + b"\n".join(LINES),
    "zero bytes between lines": LINES[0] + b"\n" + b"\0" * 100 + b"\n" + b"\0" * 9 + b"\n".join(LINES[1:]),
    "blank lines first": b"\n\r\n  \n" + b"\n".join(LINES),
}  # fmt: skip


def read(path: Path, rejects: Rejects | None = None) -> list[Record]:
    wanted = Wanted(frozenset(("process.pid", "event.category")))
    return list(whole_events(read_inputs(find_inputs([str(path)]), wanted, rejects or Rejects())))


@pytest.mark.parametrize("spelling", WHOLE)
def test_every_value_is_read(spelling: str, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(WHOLE[spelling])
    rejects = Rejects()
    assert [found["process.pid"] for found in read(tmp_path / "e", rejects)] == [1, 2, 3, 4]
    assert not rejects.total


HALF = b'{"event": {"category": ["process"'
CUT_PRETTY = PRETTY[1][:40] + b"\n}"
DAMAGED: dict[str, tuple[bytes, list[int], list[str]]] = {
    "a line that is cut": (b"\n".join((LINES[0], HALF, LINES[2])), [1, 3], ["line 2"]),
    "two lines that are cut": (b"\n".join((HALF, LINES[1], HALF, LINES[3])), [2, 4], ["line 1", "line 3"]),
    "a cut line with a comma": (b",\n".join((LINES[0], HALF, LINES[2])), [1, 3], ["line 2"]),
    "the last line": (b"\n".join((LINES[0], HALF)), [1], ["line 2"]),
    "a pretty object": (b"\n".join((PRETTY[0], CUT_PRETTY, PRETTY[2])), [1, 3],
                        [f"line {PRETTY[0].count(10) + 2}"]),
    "a pretty object, nothing between": (b"".join((PRETTY[0], CUT_PRETTY, PRETTY[2], PRETTY[3])), [1, 3, 4],
                                         [f"line {PRETTY[0].count(10) + 1}"]),
    "the last of pretty objects": (b"\n".join((PRETTY[0], PRETTY[1][:50])), [1],
                                   [f"line {PRETTY[0].count(10) + 2}"]),
    "one of an array on a line": (b"[" + b", ".join((LINES[0], HALF + b"}", LINES[2], HALF + b"}")) + b"]", [1, 3],
                                  ["line 1", "line 1"]),
    "an array on a line that is cut": (b"[" + b", ".join((LINES[0], LINES[1], HALF)), [1, 2], ["line 1"]),
    "one of a pretty array": (b"[\n" + b",\n".join((PRETTY[0], CUT_PRETTY, PRETTY[2])) + b"\n]", [1, 3],
                              [f"line {PRETTY[0].count(10) + 3}"]),
    "one of several on a line": (LINES[0] + HALF + b"}" + LINES[2], [1, 3], ["line 1"]),
    "zero bytes in a line": (b"\n".join((LINES[0], LINES[1][:20] + b"\0\0" + LINES[1][20:], LINES[2])), [1, 3],
                             ["line 2"]),
    "words between lines": (b"\n".join((LINES[0], b"-- log rotated --", LINES[2])), [1, 3], ["line 2"]),
    "a list of no events": (b"\n".join((LINES[0], b"[1, 2]", LINES[2])), [1, 3], ["line 2"]),
    "no events in a list of events": (b"[" + LINES[0] + b', 7, "x"]\n' + LINES[1], [1, 2],
                                      ["line 1, record 2", "line 1, record 3"]),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_each_value_that_is_lost_is_one_reject_with_its_line(damage: str, tmp_path: Path) -> None:
    content, pids, places = DAMAGED[damage]
    (tmp_path / "e.json").write_bytes(content)
    rejects = Rejects(tmp_path / "rejects")
    assert [found["process.pid"] for found in read(tmp_path / "e.json", rejects)] == pids
    rejects.close()
    kept = [json.loads(one) for one in (tmp_path / "rejects").read_text().splitlines()]
    assert [one["position"] for one in kept] == places


@pytest.mark.parametrize("size", [64, 200, 1000])
def test_values_over_the_ends_of_blocks_are_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks end at a line's end, wherever in a value that is."""
    monkeypatch.setattr(json_events, "BLOCK", size)

    class Slow(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read(50)

    numbers = range(1, 40)
    content = b"\n".join(line(n, indent=2 if n % 3 == 0 else None) for n in numbers)
    rejects = Rejects()
    batches = read_json(Slow(content), "x", Wanted(frozenset(("process.pid",))), rejects, Documents())
    found = [
        batch.raw(row).event()["process.pid"] for batch in batches for row in range(sum(batch.counts.values()))
    ]
    assert (found, rejects.total) == (list(numbers), 0)


GAP = bytes.maketrans(b"", b""), b" \t\r\n\0,[]"


@given(
    parts=st.lists(
        st.sampled_from([*LINES, *PRETTY, HALF, b"}", b"]", b'"', b"\n", b",", b"7", b"x", b"{", b"\0", BOM])
    ),
    cuts=st.lists(st.integers(0, 2000), max_size=5),
)
@settings(deadline=None, max_examples=300)
def test_no_byte_is_lost_in_silence(parts: list[bytes], cuts: list[int]) -> None:
    content = b"".join(parts)
    lines = content.split(b"\n")
    text, blocks = JsonText(), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(lines)], strict=True):
        blocks.append(b"".join(one + b"\n" for one in lines[begin:end]))
    found = [value for block in blocks for value in text.read(block, last=False)]
    found += text.read(b"", last=True)
    read = b"".join(value.text for value in found)
    assert read.replace(BOM, b"").translate(None, GAP[1]) == content.replace(BOM, b"").translate(None, GAP[1])
    for value in found:
        if not isinstance(value, Damage):
            assert json.loads(value.text) == value.value
        first = value.text.lstrip(BOM + b" \t\r\n\0,").split(b"\n")[0]
        assert first in lines[value.line - 1]
