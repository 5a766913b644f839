"""What holds for the tests themselves: they replace nothing private, and wait for events, not for seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
FILES = sorted(path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py"))
# Files that may sleep, and why.
SLEEPS = {
    "waiting.py": "looks again and again for what others wait for",
    "torture/rounds.py": "the pace of those who use the service",
    "torture/senders.py": "the pace of those who send events",
    "torture/service.py": "looks at a process that has no event to wait for",
    "torture/look.py": "looks at a service over HTTP, which has no event to wait for",
}


def _tree(file: str) -> ast.Module:
    return ast.parse((TESTS / file).read_text("utf-8"))


def _sleeps(file: str) -> bool:
    """Whether a file calls a function named sleep."""
    calls = (node.func for node in ast.walk(_tree(file)) if isinstance(node, ast.Call))
    return any(
        (isinstance(function, ast.Attribute) and function.attr == "sleep")
        or (isinstance(function, ast.Name) and function.id == "sleep")
        for function in calls
    )


def _is_private(name: object) -> bool:
    last = name.rpartition(".")[2] if isinstance(name, str) else ""
    return last.startswith("_") and not last.startswith("__")


def _replaced(file: str) -> Iterator[str]:
    """The names with an underscore that a file sets in anything but its own objects."""
    for node in ast.walk(_tree(file)):
        match node:
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr" | "patch" | "object"), args=arguments):
                texts = [argument.value for argument in arguments[:2] if isinstance(argument, ast.Constant)]
                yield from filter(_is_private, texts)
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()) if _is_private(name):
                yield name


def test_no_test_sleeps_to_wait_for_a_result() -> None:
    """`tests.waiting.eventually` waits for a condition. A file that sleeps no more leaves the table."""
    assert {file for file in FILES if _sleeps(file)} == SLEEPS.keys()


def test_no_test_replaces_what_is_private() -> None:
    """What a test has to change of what it tests is a setting that it gives."""
    assert {file for file in FILES if list(_replaced(file))} == set()
