"""Where rejects are kept: after the output, or where --rejects says; no file of another run or person is lost."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tocsin

GOOD = '{"@timestamp": "2026-11-27T09:00:00Z", "event": {"category": ["process"]}, "process": {"name": "a"}}\n'
OLD = json.dumps({"file": "old", "position": "", "reason": "old", "detail": "", "content": ""}) + "\n"
QUERY = "process where true"


def put(folder: Path, *, broken: bool) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "good.ndjson").write_text(GOOD, "utf-8")
    (folder / "logs" / "LICENSE").write_text("MIT\n", "utf-8")
    if broken:
        (folder / "logs" / "broken.ndjson").write_text('{"half', "utf-8")


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["hunt", "logs"], None),
        (["hunt", "logs", "-o", "r1.csv"], "r1.rejects.ndjson"),
        (["hunt", "logs", "-o", "report.html"], "report.rejects.ndjson"),
        (["hunt", "logs", "-o", "out/r1.json"], "out/r1.rejects.ndjson"),
        (["hunt", "logs", "-o", "/dev/null"], None),
        (["hunt", "logs", "-o", "r1.csv", "--rejects", "mine.ndjson"], "mine.ndjson"),
        (["query", QUERY, "logs"], None),
        (["query", QUERY, "logs", "--rejects", "mine.ndjson"], "mine.ndjson"),
        (["explain", QUERY, "logs"], None),
        (["ingest", "logs", "--data", "data"], None),
        (["sources", "convert", "logs"], None),
        (["sources", "convert", "logs", "-o", "a.parquet"], "a.rejects.ndjson"),
    ],
)
def test_rejects_are_kept_after_the_output_or_where_it_is_said(
    command: list[str], kept: str | None, tmp_path: Path
) -> None:
    put(tmp_path, broken=True)
    (tmp_path / "out").mkdir()
    done = tocsin(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.ndjson")} - {
        "logs/good.ndjson",
        "logs/broken.ndjson",
    }
    assert found == ({kept} if kept else set())
    where = f"kept in {kept}" if kept else "not kept; --rejects FILE keeps them"
    assert f"1 rejected and the name of 1 file passed over: {where}" in done.stderr
    if kept:
        reasons = {json.loads(line)["reason"] for line in (tmp_path / kept).read_text("utf-8").splitlines()}
        assert reasons == {"malformed JSON", "no telemetry"}


@pytest.mark.parametrize("content", [OLD, "a note of mine\n", '{"an": "event"}\n'])
@pytest.mark.parametrize(
    "command",
    [
        ["query", QUERY, "logs/good.ndjson"],
        ["hunt", "logs/good.ndjson"],
        ["hunt", "logs/good.ndjson", "-o", "r1.csv"],
        ["hunt", "logs", "-o", "r2.csv"],
        ["hunt", "logs"],
    ],
)
def test_a_file_that_this_run_does_not_keep_rejects_in_stays(
    command: list[str], content: str, tmp_path: Path
) -> None:
    put(tmp_path, broken=True)
    names = ("r1.rejects.ndjson", "tocsin-rejects.ndjson")
    for name in names:
        (tmp_path / name).write_text(content, "utf-8")
    done = tocsin(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / name).read_text("utf-8") for name in names] == [content] * 2
    earlier = "nothing rejected; r1.rejects.ndjson is of an earlier run" in done.stderr
    assert earlier == (command[-1] == "r1.csv")


@pytest.mark.parametrize(("content", "replaced"), [(OLD, True), ("", True), ("a note of mine\n", False)])
def test_only_old_rejects_are_replaced(content: str, replaced: bool, tmp_path: Path) -> None:
    put(tmp_path, broken=True)
    kept = tmp_path / "r1.rejects.ndjson"
    kept.write_text(content, "utf-8")
    done = tocsin("hunt", "logs", "-o", "r1.csv", cwd=tmp_path)
    assert done.returncode == 0
    assert ("malformed JSON" in kept.read_text("utf-8")) == replaced
    if not replaced:
        assert kept.read_text("utf-8") == content
        assert "not kept: r1.rejects.ndjson is there and holds something else" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rejects", "note.txt"], "note.txt is there and holds something else than rejects"),
        (["--rejects", "logs/good.ndjson"], "logs/good.ndjson is read, so rejects cannot go there"),
        (["--rejects", "a.csv", "-o", "a.csv"], "a.csv is named by both -o and --rejects"),
        (["-o", "logs/good.ndjson"], "logs/good.ndjson is read and written"),
    ],
)
def test_a_file_that_would_be_lost_is_refused_before_the_hunt(
    options: list[str], told: str, tmp_path: Path
) -> None:
    put(tmp_path, broken=True)
    (tmp_path / "note.txt").write_text("mine\n", "utf-8")
    done = tocsin("hunt", "logs", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert (tmp_path / "note.txt").read_text("utf-8") == "mine\n"
    assert (tmp_path / "logs" / "good.ndjson").read_text("utf-8") == GOOD
