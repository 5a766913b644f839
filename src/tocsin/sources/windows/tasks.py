"""What Windows calls the task, the opcode and the keywords of an event, which a record holds as numbers.

Task names are in the providers' manifests, of which `tasks.tsv` has those that security logs hold. Opcodes and
keywords are those of winmeta.xml. Winlogbeat names all three so, and makes `event.action` of the task's name.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

_OPCODES = ("Info", "Start", "Stop", "DCStart", "DCStop", "Extension", "Reply", "Resume", "Suspend", "Send")
AUDIT_FAILURE, AUDIT_SUCCESS = 0x10000000000000, 0x20000000000000
_KEYWORDS = {
    0x1000000000000: "Response Time",
    0x4000000000000: "WDI Diag",
    0x8000000000000: "SQM",
    AUDIT_FAILURE: "Audit Failure",
    AUDIT_SUCCESS: "Audit Success",
    0x40000000000000: "Correlation Hint",
    0x80000000000000: "Classic",
}


def task_name(provider: str, number: int) -> str | None:
    """Return the name of a provider's task, None where it is not known."""
    return _tasks().get((provider, number))


def is_task_name(text: str) -> bool:
    """Return whether a text is the name of any provider's task."""
    return text in _names()


def opcode_name(number: int) -> str | None:
    """Return the name of an opcode that all providers share, None for one of a provider's own."""
    return _OPCODES[number] if 0 <= number < len(_OPCODES) else None


def keyword_names(bits: int) -> list[str] | None:
    """Return the names of the keywords that all providers share."""
    return [name for bit, name in _KEYWORDS.items() if bits & bit] or None


@cache
def _names() -> frozenset[str]:
    return frozenset(_tasks().values())


@cache
def _tasks() -> dict[tuple[str, int], str]:
    text = (resources.files("tocsin.sources.windows") / "tasks.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {(provider, int(number)): name for provider, number, name in lines}
