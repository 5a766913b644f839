"""The one rule that is meant by an id, a name, a part of a name, or a file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Protocol, TypeVar

from tocsin.errors import RuleError
from tocsin.rules.load import RULE_FILES, bundled_rules, load_rules
from tocsin.rules.model import Rule

_SHOWN = 20  # names of rules that a name could stand for


class _Named(Protocol):
    @property
    def rule_id(self) -> str: ...
    @property
    def name(self) -> str: ...


_AnyRule = TypeVar("_AnyRule", bound=_Named)


def find_rule(rule: str, folders: Sequence[str] | None) -> Rule:
    """Return the one rule that a file, an id, a name or a part of a name stands for. Raises RuleError.

    A name is looked up in `folders`, and in the rules that ship with tocsin where none are given.
    """
    if rule.endswith(tuple(RULE_FILES)):
        loaded = load_rules([rule])
        if not loaded.rules:
            raise RuleError(loaded.skipped[0].message if loaded.skipped else f"{rule} holds no rule")
        match = _only(loaded.rules, rule)
    else:
        loaded = load_rules(folders) if folders else bundled_rules()
        match = rule_called(loaded.rules, rule)
    if match is None:
        raise RuleError(f"no rule called `{rule}`", hint=_where_to_look(folders))
    return match


def _where_to_look(folders: Sequence[str] | None) -> str:
    if not folders:
        return "`tocsin rules list` names those that ship with tocsin; --rules looks in other files and folders"
    options = "".join(f" --rules {shlex.quote(folder)}" for folder in folders)
    return f"`tocsin rules list{options}` names those that were looked at"


def rule_called(rules: Sequence[_AnyRule], name: str) -> _AnyRule | None:
    """Return the one rule that an id, a name or a part of a name stands for, None where there is none.

    Raises RuleError where it could be any of several.
    """
    wanted = name.lower()
    exact = [rule for rule in rules if wanted in (rule.rule_id, rule.name.lower())]
    return _only(exact or [rule for rule in rules if wanted in rule.name.lower()], name)


def _only(matches: Sequence[_AnyRule], name: str) -> _AnyRule | None:
    if len(matches) > 1:
        names = "\n  ".join(sorted(rule.name for rule in matches)[:_SHOWN])
        raise RuleError(f"`{name}` could be any of {len(matches)} rules:\n  {names}", hint="give the whole name")
    return matches[0] if matches else None
