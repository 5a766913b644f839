"""Build with the package what of the desk is made of other files.

npm, held to its lock file, bundles its scripts and styles; Babel compiles the catalogues of its languages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FRONTEND = "src/tocsin/desk/frontend"
STATIC = "src/tocsin/desk/static"
LOCALES = "src/tocsin/desk/locales"


class DeskBuildHook(BuildHookInterface[Any]):
    """Bundle `frontend/` into `static/`, and compile the catalogues in `locales/`.

    Without npm a package has the desk's pages without scripts and styles, which is said; with TOCSIN_DESK=required
    in the environment that is an error.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what was not built of these sources."""
        root = Path(self.root)
        if self.target_name != "wheel":
            return
        for catalogue in sorted((root / LOCALES).glob("*/LC_MESSAGES/*.po")):
            _compile(catalogue)
        frontend, static = root / FRONTEND, root / STATIC
        if _is_built(frontend, static):
            return
        npm = shutil.which("npm")
        if npm is None:
            if os.environ.get("TOCSIN_DESK") == "required":
                raise RuntimeError("the desk needs npm to be built: install Node.js 20 or newer with npm")
            print("warning: without npm the desk has no scripts and styles", file=sys.stderr)
            return
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--silent"], cwd=frontend, check=True)
        subprocess.run([npm, "run", "build", "--silent"], cwd=frontend, check=True)


def _compile(catalogue: Path) -> None:
    """Write what gettext reads beside a catalogue, without the texts that nobody has looked through."""
    with catalogue.open("rb") as source, catalogue.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, read_po(source))


def _is_built(frontend: Path, static: Path) -> bool:
    """Tell whether scripts are there that are newer than everything they are made of."""
    built = static / "desk.js"
    folders = (frontend, frontend / "styles")
    sources = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    return built.is_file() and all(path.stat().st_mtime <= built.stat().st_mtime for path in sources)
