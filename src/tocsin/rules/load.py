"""From files and folders to rules: whatever lies in a checkout, nothing crashes, everything is accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from tocsin.errors import RuleError
from tocsin.rules.files import read_ndjson, read_toml
from tocsin.rules.model import Rule

RULE_FILES = frozenset((".toml", ".ndjson", ".json"))


@dataclass(frozen=True)
class Skipped:
    """A rule or rule file that is not run: a reason to count by, and the whole message."""

    name: str
    reason: str
    message: str
    invalid: bool = False


@dataclass
class RuleSet:
    """Rules as they were read, and what could not be."""

    rules: list[Rule] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def load_rules(paths: Iterable[str]) -> RuleSet:
    """Read rules from files and folders. Raises RuleError for a path that does not exist or holds no rule file."""
    found = RuleSet()
    for path in paths:
        for file in _files(Path(path)):
            _load_file(file, found)
    _drop_repeated(found)
    return found


def bundled_rules() -> RuleSet:
    """Return the rules that ship with tocsin."""
    return load_rules([str(bundled_folder())])


def bundled_folder() -> Path:
    """Return the folder of the rules that ship with tocsin."""
    return Path(str(resources.files("tocsin.rules") / "windows"))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix in RULE_FILES and p.is_file())
        if not files:
            raise RuleError(f"the folder {path} holds no rule files", hint="rules are .toml or .ndjson files")
        yield from files
    elif path.exists():
        yield path
    else:
        raise RuleError(f"{path} does not exist", hint="name a rule file or a folder of rules")


def _load_file(file: Path, found: RuleSet) -> None:
    name = str(file)
    try:
        data = file.read_bytes()
        if file.suffix == ".toml":
            text = data.decode("utf-8")
            if "[rule]" not in text and file.name.startswith(("_", "deprecated", "version", "pyproject")):
                found.skipped.append(Skipped(name, "not a rule file", f"{name} holds no [rule]"))
                return
            _keep(read_toml(text, name), file, found)
            return
        any_rule = False
        for rule in read_ndjson(data, name):
            any_rule = True
            if isinstance(rule, RuleError):
                found.skipped.append(Skipped(name, "invalid rule", rule.explain(), invalid=True))
            else:
                _keep(rule, file, found)
        if not any_rule:
            found.skipped.append(Skipped(name, "not a rule file", f"{name} holds no rule"))
    except RuleError as error:
        found.skipped.append(Skipped(name, "invalid rule", error.explain(), invalid=True))
    except (OSError, UnicodeDecodeError) as error:
        found.skipped.append(Skipped(name, "invalid rule", f"{name}: {error}", invalid=True))


def _keep(rule: Rule, file: Path, found: RuleSet) -> None:
    if rule.metadata.get("maturity") == "deprecated" or "_deprecated" in file.parts:
        found.skipped.append(Skipped(rule.name, "deprecated", f"{file}: the rule is deprecated"))
        return
    notes = {
        note.name.removeprefix(file.stem + ".").removesuffix(".md"): note.read_text("utf-8")
        for note in sorted(file.parent.glob(f"{file.stem}.*.md"))
    }
    found.rules.append(rule.model_copy(update={"notes": notes}) if notes else rule)


def _drop_repeated(found: RuleSet) -> None:
    """Keep the first of several rules with one id."""
    seen: dict[str, Rule] = {}
    for rule in found.rules:
        first = seen.setdefault(rule.rule_id, rule)
        if first is not rule:
            message = f"{rule.file}: rule_id {rule.rule_id} is also that of {first.file or first.name}"
            found.skipped.append(Skipped(rule.name, "repeated rule_id", message))
    found.rules = list(seen.values())
