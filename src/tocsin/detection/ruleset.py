"""Rule files -> rules ready to run and their plan, kept from run to run by the content of the files.

Reading, checking and compiling 500 rules takes over a second, which a hunt over one small file should not wait
for. What is kept is named by a hash of everything that it was made from: the rule files, tocsin's own sources
and tables, and the libraries whose data it holds, so that nothing can be out of date.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import tocsin
from tocsin.detection.prepare import ReadyRule, prepare
from tocsin.engine.evaluate import Plan, plan
from tocsin.engine.graph import compile_rules
from tocsin.rules.load import RULE_FILES, Skipped, bundled_folder, load_rules

ENVIRONMENT = "TOCSIN_CACHE"  # a folder; empty keeps nothing
_KEPT = 8  # rule sets
_LIBRARIES = ("hyperscan", "numpy", "pyarrow", "pydantic")


@dataclass(frozen=True)
class RuleSet:
    """Rules that can run, what cannot and why, and the plan that the engine runs."""

    ready: list[ReadyRule]
    skipped: list[Skipped]
    plan: Plan


def read_ruleset(paths: Sequence[str] | None, *, any_index: bool = False) -> RuleSet:
    """Return the rules of files and folders (None: the bundled ones). Raises RuleError for a path without rules.

    With `any_index` rules are not held to their index patterns.
    """
    names = list(paths) if paths else [str(bundled_folder())]
    folder = cache_folder()
    file = folder / f"{_name(names, any_index)}.rules" if folder else None
    kept = _read(file) if file else None
    if kept is not None:
        return kept
    loaded = load_rules(names)
    ready, skipped = prepare(loaded.rules, open_fields=True)
    program = compile_rules(rule.event_rule(any_index=any_index) for rule in ready)
    ruleset = RuleSet(ready, [*loaded.skipped, *skipped], plan(program))
    if file:
        _write(file, ruleset)
    return ruleset


def cache_folder() -> Path | None:
    """Return where rule sets are kept, None where they are not."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen is not None:
        return Path(chosen) if chosen else None
    import platformdirs

    return platformdirs.user_cache_path("tocsin")


def _name(paths: Sequence[str], any_index: bool) -> str:
    """Hash what a rule set is made from."""
    digest = hashlib.sha256(f"{sys.version} {[version(library) for library in _LIBRARIES]} {any_index}".encode())
    for file in (*_own_files(), *_rule_files(paths)):
        digest.update(f"\0{file}\0".encode())
        with suppress(OSError):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:40]


def _own_files() -> Iterator[Path]:
    package = Path(tocsin.__file__).parent
    for room in ("eql", "query_dsl", "kql", "engine", "rules", "detection", ""):
        yield from sorted(p for p in (package / room).iterdir() if p.suffix in (".py", ".lark", ".tsv"))


def _rule_files(paths: Sequence[str]) -> Iterator[Path]:
    for name in paths:
        path = Path(name)
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in {*RULE_FILES, ".md"})
        else:
            yield path
            yield from sorted(path.parent.glob(f"{path.stem}.*.md"))


def _read(file: Path) -> RuleSet | None:
    try:
        with file.open("rb") as stream:
            found = pickle.load(stream)
        os.utime(file)  # the ones used last are kept
    except (
        OSError,
        EOFError,
        pickle.UnpicklingError,
        AttributeError,
        ImportError,
        IndexError,
        TypeError,
        ValueError,
    ):
        return None
    return found if isinstance(found, RuleSet) else None


def _write(file: Path, ruleset: RuleSet) -> None:
    """Keep a rule set; where that cannot be done, the next run takes a second longer."""
    part = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as stream:
            pickle.dump(ruleset, stream, pickle.HIGHEST_PROTOCOL)
        part.replace(file)
        by_age = sorted(file.parent.glob("*.rules"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in by_age[_KEPT:]:
            old.unlink(missing_ok=True)
