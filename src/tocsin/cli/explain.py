"""`tocsin explain`: why a rule does not alert, predicate by predicate."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import options, reading
from tocsin.errors import QueryError, RuleError

if TYPE_CHECKING:
    from tocsin.detection.compiled_rule import CompiledRule


_GIVEN = "query"  # the id of the rule that a query is made


class ExplainFormat(StrEnum):
    """How an explanation is shown."""

    TABLE = "table"
    JSON = "json"


def explain(
    rule: Annotated[
        str, typer.Argument(help="A rule's name (or a part of it), id or file, or an EQL query.", metavar="RULE")
    ],
    events: options.Events,
    rules: options.RuleFolders = None,
    all_indices: Annotated[
        bool, typer.Option("--all-indices", help="Leave the rule's index patterns out of it.")
    ] = False,
    output_format: Annotated[
        ExplainFormat, typer.Option("--format", "-f", help="How to show it.")
    ] = ExplainFormat.TABLE,
    source: options.Source = None,
    date_order: options.DatesOrdered = None,
    rejects: options.RejectsFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Show where a rule goes silent: how many events pass each of its steps and predicates."""
    from tocsin.cli.explanation import as_json, show_explanation
    from tocsin.cli.progress import progress_bar
    from tocsin.detection.explain import explain as run

    ready = _ready(rule, rules)
    inputs = reading.inputs_of(events, source, date_order)
    kept = reading.rejects_kept(rejects, inputs)
    with progress_bar(inputs, quiet=quiet) as progress:
        explanation = run(ready, inputs, kept, progress, any_index=all_indices)
    kept.close()
    unknown = [message for name, message in ready.unknown.items() if name in explanation.absent]
    if unknown and ready.rule.rule_id == _GIVEN:  # of a rule, the explanation names the fields that no event has
        raise RuleError(unknown[0])
    if output_format is ExplainFormat.JSON:
        sys.stdout.write(as_json(ready, explanation, kept.unseen))
    else:
        show_explanation(ready, explanation)
    if not quiet:
        reading.tell_what_was_missed(kept)
    raise typer.Exit(2 if kept.anything and not explanation.events else 0)


def _ready(text: str, folders: list[str] | None) -> CompiledRule:
    """Return the rule that is named, or one made of the query that is given. Raises RuleError, QueryError."""
    from tocsin.detection.compile import prepare
    from tocsin.eql.parser import parse
    from tocsin.rules.finding import find_rule
    from tocsin.rules.model import Rule

    rule = Rule(rule_id=_GIVEN, name="query", type="eql", severity="low", risk_score=0, query=text)
    try:
        parse(text)
    except QueryError:
        if " where " not in text:  # else it is no rule's name, but a query with a fault: preparing it says which
            rule = find_rule(text, folders)
    ready, skipped = prepare([rule], open_fields=True)
    if skipped:
        raise RuleError(skipped[0].message)
    return ready[0]
