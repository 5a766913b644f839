"""What several commands or addresses share is declared once."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src" / "tocsin"
METHODS = ("get", "post", "put", "delete", "head")


def calls_in(room: str, *names: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of methods in a room (`typer.Option(…)`, `router.get(…)`), each with where it stands."""
    for path in sorted((SOURCES / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", node


def test_an_option_of_several_commands_is_declared_once() -> None:
    """Declarations with the same help are one option; what means something else is described otherwise."""
    places: dict[str, list[str]] = defaultdict(list)
    for place, call in calls_in("cli", "Option", "Argument"):
        for keyword in call.keywords:
            if keyword.arg == "help":
                places[ast.unparse(keyword.value)].append(place)
    assert len(places) > 50
    assert {text: declared for text, declared in places.items() if len(declared) > 1} == {}


def test_an_address_with_and_without_indices_is_registered_once() -> None:
    """Elasticsearch has `/_search` and `/{index}/_search`: `on_indices` registers both for one handler."""
    addresses: dict[tuple[str, str], str] = {}
    for place, call in calls_in("api", *METHODS):
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        match call.args:
            case [ast.Constant(str(address)), *_]:
                addresses[method, address] = place
    with_indices = {key for key in addresses if key[1].startswith("/{index}/")}
    assert with_indices
    pairs = [
        (addresses[method, address], addresses[other])
        for method, address in sorted(with_indices)
        if (other := (method, address.removeprefix("/{index}"))) in addresses
    ]
    assert pairs == []
