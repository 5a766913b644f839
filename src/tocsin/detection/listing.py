"""Rules for a list: what each is, and whether it runs. Large folders are read by several processes."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tocsin.detection.compile import prepare
from tocsin.rules.load import RuleFile, Skipped, bundled_folder, load_files, rule_files, without_repeated

_MANY = 200  # files for each process: with fewer, starting one takes longer than it saves
_MOST = 8  # processes


@dataclass(frozen=True)
class ListedRule:
    """A rule, and the reason why it does not run; None when it runs."""

    rule_id: str
    name: str
    severity: str
    risk_score: int
    type: str
    file: str
    reason: str | None


def list_rules(paths: Iterable[str] | None) -> tuple[list[ListedRule], list[Skipped]]:
    """Return the rules of files and folders (None: the bundled ones), and the skipped ones.

    Raises RuleError for a path that does not exist or holds no rule file.
    """
    files = rule_files(paths or [str(bundled_folder())])
    processes = min(_MOST, os.cpu_count() or 1, len(files) // _MANY)
    if processes > 1:
        size = -(-len(files) // processes)
        shares = [files[start : start + size] for start in range(0, len(files), size)]
        with ProcessPoolExecutor(processes) as pool:
            parts = list(pool.map(_listed, shares))
    else:
        parts = [_listed(files)]
    rules, repeated = without_repeated(rule for part, _ in parts for rule in part)
    return rules, [*(rule for _, skipped in parts for rule in skipped), *repeated]


def _listed(files: list[RuleFile]) -> tuple[list[ListedRule], list[Skipped]]:
    gc.disable()  # hundreds of rules make millions of objects, which all live until the end
    try:
        loaded = load_files(files)
        rules = []
        for rule in loaded.rules:
            _, skipped = prepare([rule], open_fields=True)
            reason = skipped[0].reason if skipped else None
            rules.append(
                ListedRule(rule.rule_id, rule.name, rule.severity, rule.risk_score, rule.type, rule.file, reason)
            )
        return rules, loaded.skipped
    finally:
        gc.enable()
