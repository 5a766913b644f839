"""A growing file is read as it grows, also when it is cut off or replaced."""

from __future__ import annotations

from tocsin.ingest.files import follow


def test_lines_are_given_when_they_are_finished(tmp_path):
    path = tmp_path / "events.ndjson"
    found: list[bytes] = []
    steps = [
        lambda: path.write_text("one\ntw"),
        lambda: path.open("a").write("o\n\nthree\n"),
        lambda: path.write_text("new\n"),  # cut off
        lambda: (path.unlink(), path.with_suffix(".next").write_text("other\nlast"))[1],
        lambda: path.with_suffix(".next").rename(path),  # replaced
        lambda: path.open("a").write("\n"),
        lambda: None,
        lambda: None,
    ]

    def stopped():
        if not steps:
            return True
        steps.pop(0)()
        return False

    for lines in follow(path, stopped, pause=0):
        found += lines
    assert found == [b"one", b"two", b"three", b"new", b"other", b"last"]


def test_it_is_told_each_time_that_the_file_is_not_there(tmp_path):
    path = tmp_path / "events.ndjson"
    told: list[bool] = []
    steps = [
        lambda: None,
        lambda: path.write_text("one\n"),
        path.unlink,
        lambda: None,
        lambda: path.write_text("two\n"),
        lambda: None,
    ]

    def stopped():
        if not steps:
            return True
        steps.pop(0)()
        return False

    found = [
        line for lines in follow(path, stopped, pause=0, gone=lambda: told.append(path.exists())) for line in lines
    ]
    assert found == [b"one", b"two"]
    assert told == [False, False]
