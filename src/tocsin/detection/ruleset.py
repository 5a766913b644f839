"""Rule files -> compiled rules and their plan, cached from run to run by the content of the files.

Reading, checking and compiling 500 rules takes over a second: too long for a hunt over one small file. The name of
a cached rule set is a hash of everything that it was made from (the rule files, tocsin's own sources and tables,
and the libraries whose data it holds), so that it cannot be out of date. Its file holds values as JSON and no code
(docs/decisions/036-cached-rules-as-json.md).
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tocsin
from tocsin.dataclass_json import DataclassJson, EncodingError, Form
from tocsin.detection.compile import prepare
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.engine.evaluate import Plan, plan
from tocsin.engine.graph import Node, Target, compile_queries, program_of
from tocsin.eql import syntax as s
from tocsin.errors import Place
from tocsin.rules.load import RULE_FILES, Skipped, bundled_folder, load_rules
from tocsin.rules.model import Rule

ENVIRONMENT = "TOCSIN_CACHE"  # a folder; empty keeps nothing
CACHED = 8  # rule sets
_LIBRARIES = ("orjson", "pydantic")
_SOURCES = (".py", ".lark", ".tsv")
_LARGEST = 1 << 28  # bytes of a file that is read
_DIGEST = 32  # bytes of a hash before the content: it shows whether the file is damaged


@dataclass(frozen=True)
class RuleSet:
    """Rules that can run, the others with their reasons, and the plan for the engine."""

    ready: list[CompiledRule]
    skipped: list[Skipped]
    plan: Plan


def read_ruleset(paths: Sequence[str] | None, *, any_index: bool = False) -> RuleSet:
    """Return the rules of files and folders (None: the bundled ones). Raises RuleError for a path without rules.

    With `any_index` rules are not held to their index patterns.
    """
    names = list(paths) if paths else [str(bundled_folder())]
    folder = cache_folder()
    file = folder / f"{_name(names, any_index)}.rules" if folder else None
    cached = _read(file) if file else None
    if cached is not None:
        return cached
    loaded = load_rules(names)
    ready, skipped = prepare(loaded.rules, open_fields=True)
    program = compile_queries(rule.keyed_query(any_index=any_index) for rule in ready)
    ruleset = RuleSet(ready, [*loaded.skipped, *skipped], plan(program))
    if file:
        _write(file, ruleset)
    return ruleset


def cache_folder() -> Path | None:
    """Return the folder of cached rule sets, None without a cache."""
    chosen = os.environ.get(ENVIRONMENT)
    if chosen is not None:
        return Path(chosen) if chosen else None
    import platformdirs

    return platformdirs.user_cache_path("tocsin")


def _name(paths: Sequence[str], any_index: bool) -> str:
    """Return the name of a rule set: a hash of what it is made from."""
    digest = hashlib.sha256(f"{sys.version} {[version(library) for library in _LIBRARIES]} {any_index}".encode())
    for file in (*_own_files(), *_rule_files(paths)):
        digest.update(f"\0{file}\0".encode())
        with suppress(OSError):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:40]


def _own_files() -> Iterator[Path]:
    package = Path(tocsin.__file__).parent
    for room in ("eql", "query_dsl", "kql", "esql", "engine", "rules", "detection"):
        yield from sorted(p for p in (package / room).rglob("*") if p.suffix in _SOURCES)
    yield from sorted(p for p in package.iterdir() if p.suffix in _SOURCES)


def _rule_files(paths: Sequence[str]) -> Iterator[Path]:
    for name in paths:
        path = Path(name)
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in {*RULE_FILES, ".md"})
        else:
            yield path
            yield from sorted(path.parent.glob(f"{path.stem}.*.md"))


@dataclass(frozen=True)
class _CachedRule:
    """A rule with its query in normal form, and the fields that no schema knows.

    Without a statement the query is read again: a piped one is compiled into functions, which are not written.
    """

    rule: Rule
    statement: s.Statement | None
    unknown: Mapping[str, str]


@dataclass(frozen=True)
class _CachedRules:
    """The content of a cache file: the rest of a plan follows from its nodes."""

    rules: list[_CachedRule]
    skipped: list[Skipped]
    nodes: tuple[Node, ...]
    roots: tuple[tuple[Target, int], ...]


def _write_rule(rule: Rule) -> dict[str, Any]:
    beside = {name: getattr(rule, name) for name in _NOT_IN_DOCUMENTS if name in rule.model_fields_set}
    return rule.fields() | beside


# Fields that a rule's document leaves out.
_NOT_IN_DOCUMENTS = tuple(name for name, field in Rule.model_fields.items() if field.exclude)
_FORMAT = DataclassJson(
    _CachedRules,
    {
        Rule: Form(_write_rule, Rule.model_validate),
        # The place of a test in its text is not needed once the query is compiled.
        Place: Form(lambda place: None, lambda _: s.NOWHERE),
    },
    {"Expression": s.Expression},
)


def _read(file: Path) -> RuleSet | None:
    try:
        if file.stat().st_size > _LARGEST:
            return None
        content = file.read_bytes()
        os.utime(file)  # those used last are kept
    except OSError:
        return None
    digest, encoded = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(encoded).digest() != digest:
        return None
    try:
        cached = _FORMAT.decode(encoded)
        ready = [_ready(rule) for rule in cached.rules]
        return RuleSet(ready, cached.skipped, plan(program_of(cached.nodes, cached.roots)))
    except (ValueError, RecursionError):
        return None


def _ready(cached: _CachedRule) -> CompiledRule:
    if cached.statement is not None:
        return CompiledRule(cached.rule, cached.statement, None, cached.unknown, cached.rule.rule_id)
    ready, skipped = prepare([cached.rule], open_fields=True)
    if skipped:
        raise EncodingError(skipped[0].message)
    return ready[0]


def _write(file: Path, ruleset: RuleSet) -> None:
    """Cache a rule set; if that fails, the next run takes a second longer."""
    rules = [
        _CachedRule(ready.rule, None if ready.pipeline else ready.statement, ready.unknown)
        for ready in ruleset.ready
    ]
    program = ruleset.plan.program
    part = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError, EncodingError):
        encoded = _FORMAT.encode(_CachedRules(rules, ruleset.skipped, program.nodes, program.roots))
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_bytes(hashlib.sha256(encoded).digest() + encoded)
        part.replace(file)
        by_age = sorted(file.parent.glob("*.rules"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in by_age[CACHED:]:
            old.unlink(missing_ok=True)
