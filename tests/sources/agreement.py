"""How far tocsin's mappings agree with Elastic's integrations: `python -m tests.sources.agreement` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tests.sources import test_windows
from tests.sources.products import CASES
from tests.sources.test_products import documents

# What detection rules read.
READ = ("@timestamp", "process.", "user.", "host.", "file.", "registry.", "dns.", "source.", "destination.",
        "dll.", "network.", "event.category", "event.type", "event.action", "event.code", "event.outcome",
        "event.dataset")  # fmt: skip


def compared() -> Iterator[tuple[str, str, Any, Any, str]]:
    """Yield for each field of each record: source, field, the integration's value, tocsin's, why they differ."""
    for _title, event, expected in test_windows.CASES:
        for field, value in expected.items():
            if field.startswith(READ):
                yield event["event.dataset"], field, value, event.get(field), ""
    for name, cases in CASES.items():
        for case in cases:
            event = documents().normalise(case.record)
            for field in {**case.integration, **case.differs}:
                if field.startswith(READ):
                    reason = case.differs[field][1] if field in case.differs else ""
                    yield name, field, case.integration.get(field), event.get(field), reason


def tables() -> tuple[str, str]:
    """Return the table of agreement and that of differences, in Markdown."""
    total: dict[str, int] = {}
    agree: dict[str, int] = {}
    differences: dict[tuple[str, str], set[str]] = {}
    for source, field, theirs, ours, reason in compared():
        total[source] = total.get(source, 0) + 1
        agree[source] = agree.get(source, 0) + (theirs == ours)
        if theirs != ours:
            differences.setdefault((source, reason), set()).add(f"`{field}`")
    agreement = _table(
        ("source", "values compared", "agree", "differ, listed below", "differ otherwise"),
        (
            (source, total[source], agree[source], total[source] - agree[source] - unlisted, unlisted)
            for source in sorted(total)
            for unlisted in [_unlisted(source, differences)]
        ),
    )
    listed = _table(
        ("source", "fields", "reason"),
        (
            (source, ", ".join(sorted(fields)), reason)
            for (source, reason), fields in sorted(differences.items(), key=lambda item: item[0])
        ),
    )
    return agreement, listed


def _unlisted(source: str, differences: dict[tuple[str, str], set[str]]) -> int:
    return len(differences.get((source, ""), ()))


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print("\n\n".join(tables()))
