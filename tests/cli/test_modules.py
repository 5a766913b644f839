"""How the modules of commands stand to each other."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tocsin import cli

FOLDER = Path(str(cli.__file__)).parent
MODULES = {f"tocsin.cli.{path.stem}" for path in FOLDER.glob("*.py")}


def imported_by(path: Path) -> set[str]:
    """Return the modules of the room that one imports, also those that wait in functions until a command runs."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            imported |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return imported & MODULES


def test_no_two_modules_of_commands_import_each_other() -> None:
    """Nor do several in a circle: `static_order` raises CycleError, which names them."""
    imports = {f"tocsin.cli.{path.stem}": imported_by(path) for path in FOLDER.glob("*.py")}
    assert imports["tocsin.cli.rules"], "imports within the room are seen"
    assert set(TopologicalSorter(imports).static_order()) == MODULES
