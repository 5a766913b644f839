"""Threads of the service end when they are closed, and say why where they end by themselves."""

from __future__ import annotations

import logging
import queue
import threading
from datetime import timedelta

import pytest

from tocsin.backoff import pause_after
from tocsin.worker_thread import WorkerThread


def test_work_goes_on_until_the_thread_is_closed_and_close_waits_for_it() -> None:
    begun, done = threading.Event(), threading.Event()

    def work(closing: threading.Event) -> None:
        begun.set()
        closing.wait()
        done.set()

    worker = WorkerThread("test", work)
    worker.start()
    assert begun.wait(10)
    assert not done.is_set()
    worker.close()
    assert done.is_set()
    assert worker.failure is None


def test_work_that_waits_for_something_else_is_woken() -> None:
    waiting: queue.Queue[None] = queue.Queue()
    worker = WorkerThread("test", lambda closing: waiting.get(), wake=lambda: waiting.put(None))
    worker.start()
    worker.close()
    assert waiting.empty()


def test_an_exception_is_logged_and_said(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def work(closing: threading.Event) -> None:
        ended.set()
        raise ValueError("no such thing")

    worker = WorkerThread("test", work)
    with caplog.at_level(logging.ERROR):
        worker.start()
        assert ended.wait(10)
        worker.close()
    assert worker.failure == "ValueError: no such thing"
    assert "the thread test has ended" in caplog.text


def test_a_thread_that_never_began_can_be_closed() -> None:
    WorkerThread("test", lambda closing: None).close()


@pytest.mark.parametrize(("failures", "pause"), [(1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (10_000, 10.0)])
def test_pauses_double_up_to_the_longest(failures: int, pause: float) -> None:
    assert pause_after(failures, 2.0, 10.0) == pause
    first, longest = timedelta(seconds=2), timedelta(seconds=10)
    assert pause_after(failures, first, longest) == timedelta(seconds=pause)
