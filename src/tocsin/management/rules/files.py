"""Rule files for an import: TOML and NDJSON become the lines of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tocsin.errors import RuleError
from tocsin.rules.files import read_ndjson, read_toml
from tocsin.rules.load import RULE_FILES, load_rules
from tocsin.rules.model import Rule
from tocsin.text_encoding import as_utf8


@dataclass
class ExportLines:
    """The lines of an export, and messages about parts of files that could not be read."""

    lines: list[bytes] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def read_rule_files(names: Sequence[str], *, enable: bool = False) -> ExportLines:
    """Return the content of files and folders as the lines of an export, with `enable` of enabled rules.

    Raises RuleError for a missing file.
    """
    read = ExportLines()
    for name in names:
        if name.endswith(".ndjson"):
            if not Path(name).is_file():
                raise RuleError(f"{name} does not exist", hint="name a rule file or a folder of rules")
            lines = as_utf8(Path(name).read_bytes()).splitlines()
            read.lines += map(_enabled, lines) if enable else lines
            continue
        loaded = load_rules([name])
        read.unreadable += [skipped.message for skipped in loaded.skipped if skipped.invalid]
        read.lines += [orjson.dumps(_set_enabled(saved_form(rule), enable=enable)) for rule in loaded.rules]
    return read


def read_uploaded_files(files: Sequence[tuple[str, bytes]], *, enable: bool = False) -> ExportLines:
    """Return files that somebody sent, each with its name, as the lines of an export, as `read_rule_files` does.

    What cannot be read is a message of the result; a file that is no rule file is one too.
    """
    read = ExportLines()
    seen: dict[str, str] = {}
    for name, data in files:
        suffix = Path(name).suffix.lower()
        if suffix == ".ndjson":
            lines = data.splitlines()
            read.lines += map(_enabled, lines) if enable else lines
            continue
        if suffix not in RULE_FILES:
            read.unreadable.append(f"{name}: rules are in .toml, .ndjson and .json files")
            continue
        for rule in _rules_of(name, suffix, data):
            if isinstance(rule, RuleError):
                read.unreadable.append(str(rule))
            elif rule.rule_id in seen:
                read.unreadable.append(f"{name}: rule_id {rule.rule_id} is also that of {seen[rule.rule_id]}")
            else:
                seen[rule.rule_id] = name
                read.lines.append(orjson.dumps(_set_enabled(saved_form(rule), enable=enable)))
    return read


def _rules_of(name: str, suffix: str, data: bytes) -> list[Rule | RuleError]:
    try:
        rules: list[Rule | RuleError] = []
        rules += [read_toml(data.decode(), name)] if suffix == ".toml" else read_ndjson(data, name)
    except RuleError as error:
        return [error]
    except (UnicodeDecodeError, RecursionError):
        return [RuleError("the file cannot be read as text", file=name)]
    return rules or [RuleError("the file holds no rule", hint="a rule has a rule_id", file=name)]


def saved_form(rule: Rule) -> dict[str, Any]:
    """Return a rule's document as Kibana's interface takes it."""
    document = rule.document()
    if rule.new_terms:  # a table of its own in rule files
        del document["new_terms"]
        document["new_terms_fields"] = list(rule.terms_fields)
        document["history_window_start"] = rule.history_start
    return document


def _set_enabled(document: dict[str, Any], *, enable: bool) -> dict[str, Any]:
    """Return a rule's document, enabled or without `enabled`: then a rule that it replaces stays as it is."""
    document.pop("enabled", None)
    return {**document, "enabled": True} if enable else document


def _enabled(line: bytes) -> bytes:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    is_rule = isinstance(document, dict) and "rule_id" in document
    return orjson.dumps({**document, "enabled": True}) if is_rule else line
