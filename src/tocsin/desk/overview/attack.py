"""ATT&CK's matrix: what rules cover and where alerts are, and as a layer for the ATT&CK Navigator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from tocsin.api.answers import bad_request
from tocsin.api.transactions import RequestTransactions, TransactionRunner
from tocsin.desk.page_route import PageRoute
from tocsin.desk.pages import page
from tocsin.desk.searches import search
from tocsin.desk.translations import N_
from tocsin.desk.visitor import Reader
from tocsin.investigation.coverage.attack_layer import ALERTS, COVERAGE, navigator_layer
from tocsin.investigation.coverage.attack_matrix import (
    TacticColumn,
    TechniqueCell,
    attack_matrix,
    on_platforms,
    outside_matrix,
    platforms_of,
)
from tocsin.investigation.coverage.rule_outlines import RuleOutline
from tocsin.management.rules.outlines import rule_outlines
from tocsin.store.alerts.names import ALERTS_INDEX

router = APIRouter(route_class=PageRoute, include_in_schema=False)
RANGES = (("now-24h", N_("24 hours")), ("now-7d", N_("7 days")), ("now-30d", N_("30 days")), ("", N_("all")))
# From how many on a cell has the next step of colour.
STEPS = {"coverage": (1, 2, 5, 10), "alerts": (1, 10, 100, 1_000)}
_COLOURS = {"coverage": COVERAGE, "alerts": ALERTS}
_MOST_PLATFORMS, _LONGEST = 50, 4_000  # of an address; its characters
_MOST_RULES = 10_000


@dataclass(frozen=True)
class AttackView:
    """What the matrix shows: coloured by what, alerts since when, which platforms, rules and technique."""

    by: str = "coverage"
    since: str = "now-30d"
    platforms: tuple[str, ...] = ()
    rules: str = "all"  # or "enabled": techniques without an enabled rule are left out
    open: bool = False  # subtechniques
    tactic: str = ""
    technique: str = ""

    @staticmethod
    def of(parameters: QueryParams) -> AttackView:
        """Return what an address asks for. Raises ApiError for one that is too long."""
        platforms = tuple(dict.fromkeys(parameters.getlist("platform")))
        size = sum(len(name) + len(value) for name, value in parameters.multi_items())
        if len(platforms) > _MOST_PLATFORMS or size > _LONGEST:
            raise bad_request(
                f"a matrix has at most {_MOST_PLATFORMS} platforms, its address {_LONGEST:,} characters"
            )
        by, since = parameters.get("by", ""), parameters.get("since", "now-30d")
        return AttackView(
            by=by if by in _COLOURS else "coverage",
            since=since if since in dict(RANGES) else "now-30d",
            platforms=platforms,
            rules="enabled" if parameters.get("rules") == "enabled" else "all",
            open=parameters.get("subtechniques") == "open",
            tactic=parameters.get("tactic", ""),
            technique=parameters.get("technique", ""),
        )

    def address(self, path: str = "/overview/attack", **changes: Any) -> str:
        """Return the address of the matrix with changes."""
        view = replace(self, **changes)
        parameters = [("by", view.by if view.by != "coverage" else "")]
        parameters += [("platform", platform) for platform in view.platforms]
        parameters += [("rules", view.rules if view.rules != "all" else "")]
        parameters += [("subtechniques", "open" if view.open else "")]
        parameters += [("tactic", view.tactic), ("technique", view.technique)]
        kept = [(name, value) for name, value in parameters if value]
        kept += [("since", view.since)] if view.since != "now-30d" else []
        return f"{path}?{urlencode(kept)}" if kept else path

    def cell(self, tactic: str, technique: str) -> str:
        """Return the address at which a technique's rules are shown."""
        return f"{self.address(tactic=tactic, technique=technique)}#chosen"

    def toggled(self, platform: str) -> str:
        """Return the address with a platform chosen, or chosen no more."""
        without = tuple(name for name in self.platforms if name != platform)
        return self.address(platforms=without if platform in self.platforms else (*self.platforms, platform))

    def number(self, cell: TechniqueCell) -> int:
        """Return the number that a technique is coloured by."""
        return _COLOURS[self.by].score(cell)

    def level(self, cell: TechniqueCell) -> int:
        """Return the step of a technique's colour, 0 to 4."""
        return sum(self.number(cell) >= step for step in STEPS[self.by])

    def alerts(self, rules: list[str]) -> str:
        """Return the address of the alerts of some rules."""
        names = " or ".join(f'"{uuid}"' for uuid in rules)
        kql = f"kibana.alert.rule.uuid: ({names})"
        return f"/alerts?{urlencode({'q': kql, 'from': self.since})}"

    def shown(self, rules: list[RuleOutline]) -> list[RuleOutline]:
        """Return the rules that are shown."""
        chosen = on_platforms(rules, self.platforms)
        return [rule for rule in chosen if rule.enabled] if self.rules == "enabled" else chosen


@router.get("/overview/attack")
async def show_matrix(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Show the matrix, and the rules of one technique where the address names it."""
    view = AttackView.of(request.query_params)
    rules, alerts = await records.run(rule_outlines), await _alerts_by_rule(request, view)
    shown = view.shown(rules)
    columns = attack_matrix(shown, alerts)
    column = next((column for column in columns if column.id == view.tactic), None)
    ids = {rule.id for rule in shown}
    outside = outside_matrix(shown)
    chosen = column.find(view.technique) if column else None
    context: dict[str, Any] = {
        "view": view, "columns": columns, "alerts": alerts, "ranges": RANGES, "number": len(rules),
        "platforms": platforms_of(rules), "legend": _legend(view.by), "column": column,
        "chosen": chosen, "total": len(shown),
        # Those with alerts first, then those that could have some.
        "chosen_rules": sorted(
            chosen.rules if chosen else (), key=lambda rule: (-alerts.get(rule.id, 0), not rule.enabled)
        ),
        "enabled": sum(rule.enabled for rule in shown), "outside": len(outside),
        "techniques": _count(columns), "covered": _count(columns, enabled=True),
        "elsewhere": sum(count for uuid, count in alerts.items() if uuid not in ids)
        + sum(alerts.get(rule.id, 0) for rule in outside),
    }  # fmt: skip
    return page(request, "overview/attack.html", visitor, **context)


@router.get("/overview/attack/layer")
async def export_layer(request: Request, visitor: Reader, records: RequestTransactions) -> Response:
    """Answer with the matrix as a layer file, coloured as the address says."""
    view = AttackView.of(request.query_params)
    columns = await _columns(request, records, view)
    layer = navigator_layer(columns, _COLOURS[view.by], view.platforms)
    headers = {"Content-Disposition": f'attachment; filename="tocsin-{view.by}.json"'}
    return Response(orjson.dumps(layer, option=orjson.OPT_INDENT_2), 200, headers, "application/json")


async def _columns(request: Request, records: TransactionRunner, view: AttackView) -> list[TacticColumn]:
    rules = await records.run(rule_outlines)
    return attack_matrix(view.shown(rules), await _alerts_by_rule(request, view))


async def _alerts_by_rule(request: Request, view: AttackView) -> dict[str, int]:
    """Return how many alerts each rule has raised in the time that is shown, by the rules' ids."""
    tests: list[dict[str, Any]] = [{"range": {"@timestamp": {"gte": view.since}}}] if view.since else []
    without_blocks = {"bool": {"must_not": {"exists": {"field": "kibana.alert.building_block_type"}}}}
    body = {
        "size": 0,
        "query": {"bool": {"filter": [*tests, without_blocks]}},
        "aggs": {"rules": {"terms": {"field": "kibana.alert.rule.uuid", "size": _MOST_RULES}}},
    }
    answer = await search(request, [ALERTS_INDEX], body)
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["rules"]["buckets"]}


def _legend(by: str) -> list[tuple[int, str]]:
    """Return the steps of colour, each with the numbers that it stands for."""
    steps = STEPS[by]
    ends = [*(str(after - 1) for after in steps[1:]), ""]
    spans = [
        f"{step:,}" if end == str(step) else f"{step:,}–{int(end):,}" if end else f"{step:,}+"
        for step, end in zip(steps, ends, strict=True)
    ]
    return [(0, "0"), *enumerate(spans, 1)]


def _count(columns: list[TacticColumn], *, enabled: bool = False) -> int:
    """Return how many techniques there are, each once, with an enabled rule if that is asked for."""
    return len({cell.id for column in columns for cell in column.techniques if cell.enabled or not enabled})
