"""Owners take turns: many searches of one do not make everybody else's wait."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Future

import orjson
import pytest

from tests.search.test_processes import Does
from tests.store.test_lake import SLOW
from tocsin.api.running import Searches
from tocsin.api.turns import Turns
from tocsin.search.errors import TooManySearchesError
from tocsin.search.processes import SearchProcesses
from tocsin.search.tasks import CountTask
from tocsin.store.lake.lake import LakeStore


class Works:
    """Works that end when they are told to, and the order in which they began."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.begun = turns, list[str]()
        self._changed = threading.Condition()
        self._ends: dict[str, threading.Event] = {}

    def ask(self, name: str) -> Future[str]:
        self._ends[name] = threading.Event()

        def work() -> str:
            with self._changed:
                self.begun.append(name)
                self._changed.notify_all()
            assert self._ends[name].wait(60)
            return name

        return self.turns.submit(name[0], work)

    def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()

    def wait_until(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, 60)
            return sorted(self.begun)


@pytest.fixture
def works():
    turns = Turns(4, 2, "test")
    found = Works(turns)
    yield found
    found.end(*found._ends)
    turns.close()


def test_an_owner_has_its_share_and_others_begin_at_once(works):
    asked = [works.ask(f"a{number}") for number in range(6)]
    assert works.wait_until(2) == ["a0", "a1"]
    assert works.turns.waiting("a") == works.turns.waiting() == 4
    other = works.ask("b0")
    assert works.wait_until(3) == ["a0", "a1", "b0"]
    works.end("b0")
    assert other.result(60) == "b0"
    assert works.begun[3:] == []  # the place of another is not for who has its share
    works.end(*(f"a{number}" for number in range(6)))
    assert [one.result(60) for one in asked] == [f"a{number}" for number in range(6)]


def test_owners_take_turns_whoever_asked_first(works):
    for name in ("a0", "a1", "b0", "b1"):
        works.ask(name)
    works.wait_until(4)
    for name in ("a2", "a3", "a4", "c0", "c1"):
        works.ask(name)
    works.end("b0")
    assert works.wait_until(5)[-1] == "c0"
    works.end("a0", "a1")
    assert works.wait_until(7) == ["a0", "a1", "a2", "b0", "b1", "c0", "c1"]


def test_work_that_fails_gives_its_place_to_the_next(works):
    def fails():
        raise ValueError("no")

    failed = [works.turns.submit("a", fails) for _ in range(20)]
    assert all(isinstance(one.exception(60), ValueError) for one in failed)
    works.ask("a0")
    assert works.wait_until(1) == ["a0"]


def test_what_waits_at_the_end_is_cancelled(works):
    asked = [works.ask(f"a{number}") for number in range(3)]
    works.wait_until(2)
    closing = threading.Thread(target=works.turns.close)
    closing.start()
    with pytest.raises(CancelledError):
        asked[2].result(60)
    works.end("a0", "a1")
    closing.join(60)
    assert [one.result(0) for one in asked[:2]] == ["a0", "a1"]


def test_long_searches_of_one_user_leave_places_to_others(tmp_path):
    lake = LakeStore(tmp_path, SLOW)
    searches = Searches(SearchProcesses(lake, lake, 256 << 20), timeout=600)
    try:
        long = [searches.start("one", Does("sleep in C")) for _ in range(8)]
        assert orjson.loads(searches.start("another", CountTask(["*"], None)).future.result(60))["count"] == 0
        with pytest.raises(TooManySearchesError, match="100 searches wait"):
            long += [searches.start("one", Does("sleep in C")) for _ in range(200)]
        assert orjson.loads(searches.start("another", CountTask(["*"], None)).future.result(60))["count"] == 0
        assert not any(one.future.done() for one in long)
    finally:
        for one in long:
            one.cancelled.set()
        searches.close()
        lake.close()
