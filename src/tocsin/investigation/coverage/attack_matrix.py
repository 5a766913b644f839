"""Rules and their alerts in MITRE ATT&CK's matrix: tactics as columns, techniques in them.

Ids and names are those of the rules' own `threat`, as no list of MITRE's is kept here: a technique that no rule
names is not in the matrix.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.investigation.coverage.rule_outlines import RuleOutline
from tocsin.rules.attack import ORDER, TACTICS

FRAMEWORK = "MITRE ATT&CK"
_NAMES = {tactic.id: tactic.name for tactic in TACTICS}


@dataclass(frozen=True)
class TechniqueCell:
    """A technique, or a subtechnique, under one tactic, with the rules that name it there.

    A technique's rules are those of its subtechniques, too. `alerts` are those of its rules, of disabled ones too.
    """

    id: str
    name: str
    rules: Sequence[RuleOutline]
    alerts: int
    subtechniques: Sequence[TechniqueCell] = ()

    @property
    def enabled(self) -> int:
        """How many of its rules are enabled."""
        return sum(rule.enabled for rule in self.rules)


@dataclass(frozen=True)
class TacticColumn:
    """A tactic with its techniques, by name. `bare` are the rules that name the tactic and no technique."""

    id: str
    name: str
    techniques: Sequence[TechniqueCell]
    bare: Sequence[RuleOutline] = ()

    @property
    def short_name(self) -> str:
        """The name as ATT&CK writes it in addresses and layers, as in `command-and-control`."""
        return "-".join(self.name.lower().split())

    def find(self, technique: str) -> TechniqueCell | None:
        """Return a technique or subtechnique by its id."""
        cells = (cell for each in self.techniques for cell in (each, *each.subtechniques))
        return next((cell for cell in cells if cell.id == technique), None)


@dataclass
class _Member:
    """The rules of a technique while the matrix is made, and those of its subtechniques."""

    name: str
    rules: dict[str, RuleOutline] = field(default_factory=dict)
    inner: dict[str, _Member] = field(default_factory=dict)

    def add(self, id_: str, name: str, rule: RuleOutline) -> _Member:
        """Add a rule to a member, which is made if need be, and return the member."""
        member = self.inner.setdefault(id_, _Member(name))
        member.rules[rule.id] = rule
        return member


def attack_matrix(rules: Iterable[RuleOutline], alerts: Mapping[str, int]) -> list[TacticColumn]:
    """Return the tactics that rules name, in ATT&CK's order, others of theirs behind.

    `alerts` says by the ids of rules how many alerts each has raised.
    """
    root = _Member("")
    bare: dict[str, list[RuleOutline]] = {}
    for rule in rules:
        for threat in rule.threats:
            if threat.framework != FRAMEWORK:
                continue
            tactic = root.add(threat.tactic.id, threat.tactic.name, rule)
            if not threat.technique:
                bare.setdefault(threat.tactic.id, []).append(rule)
            for technique in threat.technique:
                cell = tactic.add(technique.id, technique.name, rule)
                for subtechnique in technique.subtechnique:
                    cell.add(subtechnique.id, subtechnique.name, rule)
    columns = [
        TacticColumn(id_, _NAMES.get(id_, tactic.name), _cells(tactic, alerts), bare.get(id_, ()))
        for id_, tactic in root.inner.items()
    ]
    return sorted(columns, key=lambda column: (ORDER.get(column.id, len(ORDER)), column.name, column.id))


def _cells(of: _Member, alerts: Mapping[str, int]) -> list[TechniqueCell]:
    cells = [
        TechniqueCell(
            id=id_,
            name=cell.name,
            rules=tuple(cell.rules.values()),
            alerts=sum(alerts.get(uuid, 0) for uuid in cell.rules),
            subtechniques=_cells(cell, alerts),
        )
        for id_, cell in of.inner.items()
    ]
    return sorted(cells, key=lambda cell: (cell.name.lower(), cell.id))


def outside_matrix(rules: Iterable[RuleOutline]) -> list[RuleOutline]:
    """Return the rules that name no tactic of ATT&CK."""
    return [rule for rule in rules if all(threat.framework != FRAMEWORK for threat in rule.threats)]


def platforms_of(rules: Iterable[RuleOutline]) -> list[str]:
    """Return the platforms that rules' tags name, by name."""
    return sorted({platform for rule in rules for platform in rule.platforms})


def on_platforms(rules: Iterable[RuleOutline], platforms: Collection[str]) -> list[RuleOutline]:
    """Return the rules for some platforms, all where none is named."""
    return [rule for rule in rules if not platforms or not set(platforms).isdisjoint(rule.platforms)]
