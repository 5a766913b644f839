"""Events kept aside come back as they were, whether memory held them or the disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.detection.spool import Spool
from tocsin.sources.batch import RawEvent
from tocsin.sources.document import Documents

READ = Documents().read


def upper(content: bytes) -> dict[str, str]:
    return {"text": content.decode().upper()}


@given(st.lists(st.binary(max_size=40), max_size=30), st.sampled_from([10, 10_000]))
def test_what_was_kept_comes_back(contents: list[bytes], in_memory: int) -> None:
    spool = Spool(in_memory)
    kept = [RawEvent(content, f"file{n % 3}", (upper, READ)[n % 2]) for n, content in enumerate(contents)]
    for number, raw in enumerate(kept):
        spool.add([number * 7], [raw])
        assert spool.get(number * 7 // 2 // 7 * 7) == kept[number // 2], "reading does not disturb writing"
    assert [spool.get(number * 7) for number in range(len(kept))] == kept
    assert len(spool) == len(kept)
    spool.close()


def test_what_was_not_kept_is_refused() -> None:
    spool = Spool()
    spool.add([3], [RawEvent(b"x", "file", upper)])
    assert spool.get(3).event() == {"text": "X"}
    with pytest.raises(KeyError):
        spool.get(2)
