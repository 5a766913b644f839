"""What is kept of documents that were rejected: all counts, and the last few of each reason, cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.ingest.rejected import Rejected

MISFIT = {"type": "document_parsing_exception", "reason": "failed to parse field [n]"}
CONFLICT = {"type": "version_conflict_engine_exception", "reason": "[1]: version conflict"}


def test_the_last_documents_of_each_reason_are_kept_cut(tmp_path) -> None:
    rejected = Rejected(tmp_path)
    for number in range(5):
        rejected.add(f"logs-{number}", b"x" * 5_000, MISFIT)
    rejected.add(None, b"\xff\x00", CONFLICT)
    misfits, conflicts = rejected.by_reason()
    assert (misfits.reason, misfits.count, conflicts.count) == (MISFIT["type"], 5, 1)
    assert [sample.index for sample in misfits.samples] == ["logs-4", "logs-3", "logs-2"]
    assert {(sample.size, len(sample.beginning)) for sample in misfits.samples} == {(5_000, 2_000)}
    assert misfits.samples[0].detail == MISFIT["reason"]
    assert conflicts.samples[0].beginning == "\ufffd\x00"


def test_samples_are_bounded_whatever_reasons_there_are(tmp_path) -> None:
    rejected = Rejected(tmp_path)
    for number in range(300):
        rejected.add("logs", b"{}", {"type": f"kind {number}", "reason": "r" * 10_000})
    assert sum(of.count for of in rejected.by_reason()) == 300
    kept = [sample for of in rejected.by_reason() for sample in of.samples]
    assert len(kept) == 100
    assert max(len(sample.detail) for sample in kept) == 2_000


def test_documents_are_counted_since_a_moment(tmp_path) -> None:
    rejected = Rejected(tmp_path)
    rejected.add("logs", b"{}", MISFIT)
    now = datetime.now(UTC)
    assert [of.count for of in rejected.by_reason(now - timedelta(minutes=5))] == [1]
    assert rejected.by_reason(now + timedelta(minutes=5)) == []
