"""Names say what a thing is, once: no two classes share one, and some words name nothing at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src" / "tocsin"

# Names that several classes have, because they are the same idea.
SAME_IDEA = {
    "Call": "a call of a function in EQL and in ES|QL: `FunctionCall` with what each language adds",
    "Function": "a function of a language: EQL's and ES|QL's are declared differently",
    "Place": "where something lies: a word in a text, an event in an index",
}
# Words that leave open what a thing is.
VAGUE = frozenset(
    ("past", "kept", "raised", "told", "asking", "done", "need", "needed", "patience", "notes", "fresh", "lifted")
)
# Words that say of a result only that there is one.
NAMELESS = frozenset(("found", "one", "some", "told"))
# The rooms (and modules of the root) in which no result is called so.
ROOMS = sorted(path.name for path in SOURCES.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())


def _classes() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, path.relative_to(SOURCES)


def test_no_two_public_classes_share_a_name_but_for_one_idea() -> None:
    places: dict[str, list[Path]] = {}
    for name, path in _classes():
        if not name.startswith("_"):
            places.setdefault(name, []).append(path)
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SAME_IDEA} == {}
    assert SAME_IDEA.keys() - shared.keys() == set(), "no longer shared: take them off the list"


def test_no_module_or_class_has_a_vague_name() -> None:
    modules = [path for path in SOURCES.rglob("*.py") if VAGUE & set(path.stem.split("_"))]
    folders = [path for path in SOURCES.rglob("*/") if VAGUE & set(path.name.split("_"))]
    assert modules + folders == []
    assert [(name, path) for name, path in _classes() if name.lower().strip("_") in VAGUE] == []


def _own_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a module gives (variables, parameters, captures of a match, functions, attributes), each
    with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.MatchMapping(rest=str(name)):
                yield name, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


@pytest.mark.parametrize("room", ROOMS)
def test_results_are_named_for_what_they_are(room: str) -> None:
    """A result is called by what it is (`rule`, `row`, `matches`), not by having been found."""
    place = SOURCES / room
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert paths, f"no room or module: {room}"
    nameless = [
        f"{path.relative_to(SOURCES)}:{line}: {name}"
        for path in paths
        for name, line in _own_names(ast.parse(path.read_text("utf-8")))
        if name.strip("_") in NAMELESS
    ]
    assert nameless == []
