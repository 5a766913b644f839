"""From files and folders to rules: whatever lies in a checkout, nothing crashes, everything is accounted for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Protocol, TypeVar

import orjson

from tocsin.ecs import TIMESTAMP
from tocsin.errors import RuleError
from tocsin.rules.files import check_toml, read_ndjson, read_toml
from tocsin.rules.model import Rule
from tocsin.text_encoding import as_utf8, decode_text

RULE_FILES = frozenset((".toml", ".ndjson", ".json"))
INVALID = "invalid rule"
NO_RULE_FILE = "not a rule file"
REPEATED = "repeated rule_id"
_BEGINNING = 1 << 16  # bytes that show what a file holds
_OF_RULES = frozenset(("rule_id", "risk_score", "severity", "name"))  # members of an exported rule
_RULE_TABLE = re.compile(r"^\s*\[+\s*\"?rule\b", re.MULTILINE)


@dataclass(frozen=True)
class Skipped:
    """A rule or rule file that is not run: a reason to count by, and the whole message."""

    name: str
    reason: str
    message: str
    invalid: bool = False


@dataclass
class LoadedRules:
    """Rules as they were read, and what could not be."""

    rules: list[Rule] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def load_rules(paths: Iterable[str]) -> LoadedRules:
    """Read rules from files and folders. Raises RuleError for a path that does not exist or holds no rule file."""
    loaded = load_files(rule_files(paths))
    loaded.rules, repeated = without_repeated(loaded.rules)
    loaded.skipped += repeated
    return loaded


RuleFile = tuple[Path, bool]  # and whether it was named by itself


def rule_files(paths: Iterable[str]) -> list[RuleFile]:
    """Return the rule files that paths name, each once. Raises RuleError for one that holds none."""
    by_path: dict[Path, RuleFile] = {}
    for path in paths:
        for file, named in _files(Path(path)):
            known = by_path.get(file.absolute())
            by_path[file.absolute()] = (file, named or (known is not None and known[1]))
    return list(by_path.values())


def load_files(files: Iterable[RuleFile]) -> LoadedRules:
    """Read rules from files, those with one `rule_id` all."""
    loaded = LoadedRules()
    guides = cache(_guides_in)
    for file, named in files:
        _load_file(file, loaded, guides, named=named)
    return loaded


def bundled_rules() -> LoadedRules:
    """Return the rules that ship with tocsin."""
    return load_rules([str(bundled_folder())])


def bundled_folder() -> Path:
    """Return the folder of the rules that ship with tocsin."""
    return Path(str(resources.files("tocsin.rules") / "windows"))


def shows_rule(file: Path) -> bool:
    """Return whether a file looks like a rule in TOML, or an export of rules, by how it begins."""
    if file.suffix not in RULE_FILES:
        return False
    try:
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING)
    except OSError:
        return False
    if file.suffix == ".toml":
        return _RULE_TABLE.search(beginning.decode("utf-8", "replace")) is not None
    line = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and document.keys() >= _OF_RULES and TIMESTAMP not in document


def _files(path: Path) -> Iterator[RuleFile]:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in RULE_FILES and p.is_file())
        if not files:
            raise RuleError(f"the folder {path} holds no rule files", hint="rules are .toml or .ndjson files")
        yield from ((file, False) for file in files)
    elif path.exists():
        yield path, True
    else:
        raise RuleError(f"{path} does not exist", hint="name a rule file or a folder of rules")


def _load_file(file: Path, loaded: LoadedRules, guides: _Guides, *, named: bool) -> None:
    name = str(file)
    try:
        rules = list(_rules_of(file, named=named))
        for rule in rules:
            if isinstance(rule, RuleError):
                loaded.skipped.append(Skipped(name, INVALID, rule.explain(), invalid=True))
            else:
                _keep(rule, file, loaded, guides)
        if not rules:
            loaded.skipped.append(Skipped(name, NO_RULE_FILE, f"{name} holds no rule"))
    except RuleError as error:
        loaded.skipped.append(Skipped(name, INVALID, error.explain(), invalid=True))
    except UnicodeDecodeError as error:
        message = f"{name}: byte {error.start + 1} is not {error.encoding.upper()}; save the file as UTF-8"
        loaded.skipped.append(Skipped(name, INVALID, message, invalid=True))
    except OSError as error:
        loaded.skipped.append(Skipped(name, INVALID, f"{name}: {error.strerror}", invalid=True))


def _rules_of(file: Path, *, named: bool) -> Iterable[Rule | RuleError]:
    """Return the rules of a file; none where a file in a folder of rules does not look like one."""
    data = file.read_bytes()
    if file.suffix == ".toml":
        text = decode_text(data)
        # Elastic's repository keeps hunting queries, configurations and version locks beside its rules.
        if named or _RULE_TABLE.search(text):
            return [read_toml(text, str(file))]
        check_toml(text, str(file))
        return []
    if file.suffix == ".json" and not named and b"rule_id" not in as_utf8(data):
        return []
    return read_ndjson(data, str(file))


_Guides = Callable[[Path], list[str]]


def _guides_in(folder: Path) -> list[str]:
    """Return the names of a folder's investigation guides, which stand beside rules."""
    return sorted(path.name for path in folder.glob("*.md"))


def _keep(rule: Rule, file: Path, loaded: LoadedRules, guides: _Guides) -> None:
    if rule.metadata.get("maturity") == "deprecated" or "_deprecated" in file.parts:
        loaded.skipped.append(Skipped(rule.name, "deprecated", f"{file}: the rule is deprecated"))
        return
    notes = {
        note.removeprefix(file.stem + ".").removesuffix(".md"): decode_text((file.parent / note).read_bytes())
        for note in guides(file.parent)
        if note.startswith(f"{file.stem}.")
    }
    loaded.rules.append(rule.model_copy(update={"notes": notes}) if notes else rule)


class _Named(Protocol):
    @property
    def rule_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str: ...


_AnyRule = TypeVar("_AnyRule", bound=_Named)


def without_repeated(rules: Iterable[_AnyRule]) -> tuple[list[_AnyRule], list[Skipped]]:
    """Return the first of several rules with one id, and the others as skipped."""
    seen: dict[str, _AnyRule] = {}
    skipped: list[Skipped] = []
    for rule in rules:
        first = seen.setdefault(rule.rule_id, rule)
        if first is not rule:
            message = f"{rule.file}: rule_id {rule.rule_id} is also that of {first.file or first.name}"
            skipped.append(Skipped(rule.name, REPEATED, message))
    return list(seen.values()), skipped
