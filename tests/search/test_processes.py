"""Searches in processes of their own: they end when they have to, whatever they are at, and nobody else does."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import orjson
import pytest

from tests.store.test_lake import SLOW, document
from tests.waiting import eventually
from tocsin.errors import Place, QueryError
from tocsin.search.errors import SearchStoppedError, SearchTooLargeError
from tocsin.search.processes import SearchProcesses
from tocsin.search.selection import Clock
from tocsin.search.tasks import CountTask, KnownTask, SearchTask, ShownTask
from tocsin.search.worker import FORK, NUMBER, Job
from tocsin.store.lake.lake import LakeStore

MEMORY = 256 << 20


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    store = LakeStore(tmp_path_factory.mktemp("processes"), SLOW)
    store.add([document(id_=str(number), n=number) for number in range(10)])
    store.flush()
    store.add([document(id_=str(number), n=number) for number in range(10, 15)])
    yield store
    store.close()


@pytest.fixture(scope="module")
def processes(lake):
    found = SearchProcesses(lake, lake, MEMORY)
    yield found
    found.close()


def soon(seconds: float = 60) -> Clock:
    return Clock(time.monotonic() + seconds)


@dataclass(frozen=True)
class Does:
    """A search that does something that no search should."""

    what: str
    value: Any = None

    def __call__(self, reader, clock):
        match self.what:
            case "wait in C":  # one call without end, with the interpreter held all the while
                if self.value is not None:
                    self.value.touch()
                ctypes.PyDLL(None).pause()
            case "take memory":
                return bytes(self.value)
            case "take memory in Arrow":
                import pyarrow as pa

                return pa.allocate_buffer(self.value).size
            case "take memory beside Arrow":
                import pyarrow as pa

                return b"%d" % (pa.allocate_buffer(1 << 20).size + len(bytes(self.value)))
            case "take memory in C++":
                ctypes.CDLL("libstdc++.so.6")["_Znwm"](ctypes.c_size_t(self.value))
            case "end":
                os.kill(os.getpid(), self.value)
            case "raise":
                raise self.value
        return b"{}"


def test_events_in_files_and_in_the_journal_are_found(processes):
    answer = orjson.loads(processes.run(SearchTask(["*"], {"size": 20, "sort": ["n"]}), soon()))
    assert [hit["_source"]["n"] for hit in answer["hits"]["hits"]] == list(range(15))


def test_the_process_of_a_search_takes_the_parts_of_its_answer_that_are_wanted(processes):
    task = SearchTask(["*"], {"size": 20, "sort": ["n"]})
    shown = processes.run(ShownTask(task, ["hits.hits._id", "-took"], indented=True), soon())
    assert orjson.loads(shown) == {"hits": {"hits": [{"_id": str(number)} for number in range(15)]}}
    assert shown.startswith(b'{\n  "hits"')


def test_an_answer_is_parsed_within_the_memory_that_a_search_may_take(processes):
    large = b'{"a":[' + b",".join([b'{"b":{}}'] * 2_000_000) + b"]}"
    with pytest.raises(SearchTooLargeError, match="more than the 268,435,456 bytes"):
        processes.run(ShownTask(KnownTask(large), ["a"], indented=False), soon())


def test_a_search_ends_at_its_deadline_within_one_operation(processes):
    with pytest.raises(SearchStoppedError, match="took too long"):
        processes.run(Does("wait in C"), soon(0.3))


def test_a_search_ends_within_one_operation_when_nobody_waits_for_it(processes, tmp_path):
    begun = tmp_path / "begun"
    with pytest.raises(SearchStoppedError, match="cancelled"):
        processes.run(Does("wait in C", begun), Clock(cancelled=begun.exists))


@pytest.mark.parametrize("what", ["take memory", "take memory in Arrow"])
def test_a_search_takes_no_more_memory_than_it_may(processes, what):
    with pytest.raises(SearchTooLargeError, match="more than the 268,435,456 bytes"):
        processes.run(Does(what, 2 * MEMORY), soon())


def test_arrow_takes_no_more_than_it_uses_of_what_a_search_may_take(lake):
    """Its allocator takes addresses by the gigabyte, unless it is told otherwise."""
    own = SearchProcesses(lake, lake, 1536 << 20)
    try:
        assert own.run(Does("take memory beside Arrow", 700 << 20), soon()) == b"%d" % (701 << 20)
    finally:
        own.close()


@pytest.mark.parametrize(
    ("what", "number", "error", "told"),
    [
        ("end", signal.SIGKILL, SearchTooLargeError, "SIGKILL"),  # as the system does that has no memory left
        ("take memory in C++", 1 << 60, SearchTooLargeError, "SIGABRT"),
        ("end", signal.SIGALRM, SearchStoppedError, "took too long"),
        ("end", signal.SIGABRT, RuntimeError, "SIGABRT"),
        ("end", signal.SIGSEGV, RuntimeError, "SIGSEGV"),
        ("end", signal.SIGILL, RuntimeError, "SIGILL"),
    ],
)
def test_a_search_whose_process_dies_is_told_of_by_what_it_died_of(processes, what, number, error, told):
    with pytest.raises(error, match=told):
        processes.run(Does(what, number), soon())


@pytest.mark.parametrize("killed", ["the service", "the service and the process that forks"])
def test_a_search_ends_by_itself_when_the_service_was_killed(killed):
    control, theirs = socket.socketpair()
    with theirs:
        program = [sys.executable, "-m", "tocsin.search.worker", str(theirs.fileno())]
        forking = subprocess.Popen(program, pass_fds=[theirs.fileno()], start_new_session=True)
    ours, childs = socket.socketpair()
    with childs:
        socket.send_fds(control, [FORK], [childs.fileno()])
    (pid,) = NUMBER.unpack(control.recv(NUMBER.size, socket.MSG_WAITALL))
    connection = Connection(ours.detach())
    try:
        connection.send(Job(Does("wait in C"), 0.5, MEMORY))
        if killed != "the service":
            forking.kill()  # nobody is left who could end the search
        control.close()
        forking.wait(60)
        if not connection.poll(60):
            os.kill(pid, signal.SIGKILL)
            pytest.fail("the search goes on")
        with pytest.raises((EOFError, ConnectionError)):
            connection.recv()
    finally:
        connection.close()


def test_an_error_is_raised_with_its_place(processes):
    with pytest.raises(QueryError) as found:
        processes.run(Does("raise", QueryError("no", hint="yes", place=Place(3, 4), text="q")), soon())
    assert (found.value.message, found.value.hint, found.value.place) == ("no", "yes", Place(3, 4))


def test_another_error_tells_where_it_came_from(processes):
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*ZeroDivisionError: x"):
        processes.run(Does("raise", ZeroDivisionError("x")), soon())


def test_many_searches_run_at_once_beside_those_that_end(processes):
    found: list[int] = []

    def search():
        for _ in range(5):
            found.append(orjson.loads(processes.run(CountTask(["*"], None), soon()))["count"])
            with pytest.raises(SearchTooLargeError):
                processes.run(Does("end", 9), soon())

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [15] * 20


def test_closing_ends_the_searches_under_way(lake, tmp_path):
    processes = SearchProcesses(lake, lake, MEMORY)
    processes.run(CountTask(["*"], None), soon())
    begun = tmp_path / "begun"
    errors: list[BaseException] = []

    def search():
        try:
            processes.run(Does("wait in C", begun), soon(600))
        except SearchStoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=search)
    thread.start()
    eventually(begun.exists)
    processes.close()
    thread.join()
    assert "stops" in str(errors[0])
