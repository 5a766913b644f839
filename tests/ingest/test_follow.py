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
