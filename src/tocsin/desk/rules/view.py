"""What a list of rules shows, as its address says it: a link shows a colleague the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tocsin.api.answers import bad_request
from tocsin.desk.translations import N_
from tocsin.management.rules.summaries import SUMMARY_ORDERS, RuleSummary

PAGE_SIZE = 100
_MOST_PARAMETERS, _LONGEST = 200, 16_000  # of an address; its characters
_MOST_VALUES = 14  # of a facet that are listed


@dataclass(frozen=True)
class RuleFacet:
    """What rules are filtered by: a rule's values of it, and what these are called."""

    name: str
    label: str
    values: Callable[[RuleSummary], Iterable[str]]
    labels: Mapping[str, str] = field(default_factory=dict)


def _needs_a_look(rule: RuleSummary) -> Iterable[str]:
    if rule.gaps:
        yield "gaps"
    if rule.sees_nothing:
        yield "blind"
    if rule.muted_until is not None:
        yield "snoozed"


RULE_FACETS = (
    RuleFacet(
        "enabled", N_("Enabled"), lambda rule: ["yes" if rule.enabled else "no"],
        {"yes": N_("enabled"), "no": N_("disabled")},
    ),
    RuleFacet(
        "state", N_("Last execution"), lambda rule: [rule.status],
        {
            "succeeded": N_("succeeded"), "warning": N_("warning"), "failed": N_("failed"),
            "never run": N_("never run"),
        },
    ),
    RuleFacet(
        "look", N_("Needs a look"), _needs_a_look,
        {"gaps": N_("has gaps"), "blind": N_("no index fits"), "snoozed": N_("snoozed")},
    ),
    RuleFacet(
        "severity", N_("Severity"), lambda rule: [rule.severity],
        {"low": N_("low"), "medium": N_("medium"), "high": N_("high"), "critical": N_("critical")},
    ),
    RuleFacet("tactic", N_("Tactic"), lambda rule: rule.tactics),
    RuleFacet("type", N_("Type"), lambda rule: [rule.type]),
    RuleFacet("tag", N_("Tag"), lambda rule: rule.tags),
)  # fmt: skip


@dataclass(frozen=True)
class FacetCount:
    """A value of a facet: how many rules have it, and whether it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class RulesView:
    """A list of rules: which, in which order, which page. A `sort` with `-` before it is the other way round."""

    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = "state"
    page: int = 1

    @staticmethod
    def of(parameters: QueryParams) -> RulesView:
        """Return what an address asks for. Raises ApiError for one that is too long."""
        texts = [text for pair in parameters.multi_items() for text in pair]
        if len(texts) > 2 * _MOST_PARAMETERS or sum(map(len, texts)) > _LONGEST:
            reason = f"a list of rules has at most {_MOST_PARAMETERS} filters, of {_LONGEST:,} characters together"
            raise bad_request(reason)
        page, sort = parameters.get("page", "1"), parameters.get("sort", "state")
        return RulesView(
            text=parameters.get("q", ""),
            chosen={
                facet.name: tuple(dict.fromkeys(parameters.getlist(facet.name)))
                for facet in RULE_FACETS
                if facet.name in parameters
            },
            sort=sort if sort.removeprefix("-") in SUMMARY_ORDERS else "state",
            page=max(1, int(page[:6])) if page.isdecimal() else 1,
        )

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """What the address holds of this list, but for its page."""
        parameters = [("q", self.text)]
        parameters += [(name, value) for name, values in self.chosen.items() for value in values]
        parameters += [("sort", self.sort if self.sort != "state" else "")]
        return [(name, value) for name, value in parameters if value]

    def address(self, **changes: Any) -> str:
        """Return the address of this list with changes; a change of what is shown begins at the first page."""
        view = replace(self, **{"page": 1, **changes})
        parameters = view.parameters + ([("page", str(view.page))] if view.page > 1 else [])
        return f"/rules?{urlencode(parameters)}" if parameters else "/rules"

    def toggled(self, facet: str, value: str) -> str:
        """Return the address of the list with a facet's value chosen, or chosen no more."""
        values = self.chosen.get(facet, ())
        after = tuple(held for held in values if held != value) if value in values else (*values, value)
        return self.address(chosen={**self.chosen, facet: after})

    def sorted_by(self, name: str) -> str:
        """Return the address of the list in another order, or in this one the other way round."""
        return self.address(sort=f"-{name}" if self.sort == name else name)

    def order_of(self, name: str) -> str:
        """Return how the list is sorted by a column, in the words of `aria-sort`."""
        if self.sort.removeprefix("-") != name:
            return "none"
        falls = SUMMARY_ORDERS[name][1] != self.sort.startswith("-")
        return "descending" if falls else "ascending"

    def rows(self, rules: Sequence[RuleSummary]) -> list[RuleSummary]:
        """Return the rules that fit, in order; of rules that are alike, those that are given first."""
        key, falls = SUMMARY_ORDERS[self.sort.removeprefix("-")]
        if self.sort.startswith("-"):
            falls = not falls
        return sorted((rule for rule in rules if self._fits(rule, "")), key=key, reverse=falls)

    def counts(self, rules: Sequence[RuleSummary]) -> list[tuple[RuleFacet, list[FacetCount]]]:
        """Return each facet with its values, the most frequent first.

        Its counts leave out its own choice, so that a second value can be chosen.
        """
        return [(facet, self._counted(facet, rules)) for facet in RULE_FACETS]

    def _counted(self, facet: RuleFacet, rules: Sequence[RuleSummary]) -> list[FacetCount]:
        counter = Counter(
            value for rule in rules if self._fits(rule, facet.name) for value in dict.fromkeys(facet.values(rule))
        )
        chosen = self.chosen.get(facet.name, ())
        if facet.labels:
            values = [value for value in facet.labels if counter[value] or value in chosen]
        else:
            values = [value for value, _ in counter.most_common(_MOST_VALUES)]
        values += [value for value in chosen if value not in values]
        return [
            FacetCount(value, facet.labels.get(value, value), counter[value], value in chosen) for value in values
        ]

    def _fits(self, rule: RuleSummary, without: str) -> bool:
        if not all(word in rule.words for word in self.text.lower().split()):
            return False
        return all(
            not set(self.chosen[facet.name]).isdisjoint(facet.values(rule))
            for facet in RULE_FACETS
            if facet.name != without and self.chosen.get(facet.name)
        )
