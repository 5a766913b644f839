"""A source on the terminal: what its events mean, and the field that each of their values becomes."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.cli.console import wide_console
from tocsin.cli.source_markdown import events_in_markdown
from tocsin.cli.tables import Column, print_table
from tocsin.errors import InputError
from tocsin.sources.catalogue import IN_ECS, find_source
from tocsin.sources.mapping import DATASETS, Key
from tocsin.sources.products.product import PRODUCTS, Product
from tocsin.sources.values import Converter

_SOURCES = (
    Column("dataset", whole=True), Column("index", least=48), Column("events", whole=True, right=True),
    Column("fields", whole=True, right=True),
)  # fmt: skip


def print_sources(*, wide: bool = False) -> None:
    """Print one line a source."""
    rows = []
    for name in sorted(DATASETS):
        dataset = DATASETS[name]
        fields = {row.target for row in dataset.rows} | {derived.target for derived in dataset.derived}
        rows.append((name, dataset.index, str(len(dataset.kinds) or "any"), str(len(fields))))
    rows += [(name, index, "any", "in ECS") for name, index in sorted(IN_ECS.items())]
    console = wide_console(140)
    print_table(console, _SOURCES, rows, wide=wide)
    console.print("Each record's source is recognised from what it holds; --source overrides that.")
    console.print("Events that are in ECS keep their fields, and their index where they name one.")


def print_source(name: str) -> None:
    """Print a source's tables. Raises InputError for a name that stands for none or for several."""
    source = find_source(name)
    console = wide_console(140)
    if source in IN_ECS:
        console.print(Text(f"{source} → {IN_ECS[source]}", style="bold"))
        console.print("Its events are in ECS, and every field is kept.")
        return
    dataset = DATASETS[source]
    console.print(Text(f"{dataset.name} → {dataset.index}", style="bold"))
    if source in PRODUCTS:
        _print_shapes(console, PRODUCTS[source])
    kinds = _table("event", "category", "type", "action", "outcome")
    for key, kind in sorted(dataset.kinds.items()):
        meaning = (", ".join(words) for words in (kind.category, kind.type, kind.actions))
        kinds.add_row(str(key), *map(Text, meaning), kind.outcome or "")
    if dataset.kinds:
        console.print(kinds)
    fields, groups = _table("value", "field", "how", "events"), _Groups()
    for row in dataset.rows:
        but_for = f" but {groups.name(row.but_for)}" if row.but_for else ""
        fields.add_row(row.source, row.target, _how(row.convert), groups.name(row.events) + but_for)
    for derived in dataset.derived:
        sources = ", ".join(derived.sources)
        fields.add_row(sources, derived.target, _how(derived.read), groups.name(derived.events))
    if fields.row_count:
        console.print(fields)
        groups.print(console)
    console.print(f"Every value is also kept as it is, in {dataset.kept}.")


def print_source_in_markdown(name: str) -> None:
    """Print what a source's events mean, in Markdown. Raises InputError for a name that stands for no mapping."""
    source = find_source(name)
    if source in IN_ECS:
        raise InputError(f"{source} has no mapping", hint="its events are in ECS, and every field is kept")
    print(events_in_markdown(DATASETS[source]))


def _print_shapes(console: Console, product: Product) -> None:
    for shape in product.shapes:
        telltale, body = ".".join(shape.telltale), ".".join(shape.body)
        console.print(f"Known by `{telltale}`" + (f", its values in `{body}`." if body else "."))
    for join in product.joins:
        console.print(f"`{join.prefix}*` are values of the {join.taught_by} record of the same {join.source}.")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _how(convert: Converter) -> str:
    """Name a conversion after the function that does it or that made it."""
    made_by = getattr(convert, "__qualname__", "").partition(".<")[0].rpartition(".")[2].lstrip("_")
    return {"text": "", "get": "lookup"}.get(made_by, made_by.replace("_", " "))


class _Groups:
    """The kinds of event that rows are limited to; long lists stand once, below the table, under a number."""

    def __init__(self) -> None:
        self._known: dict[frozenset[Key], int] = {}

    def name(self, events: frozenset[Key]) -> str:
        if len(events) <= _SHORT:
            return _listed(events) or "all"
        return f"({self._known.setdefault(events, len(self._known) + 1)})"

    def print(self, console: Console) -> None:
        for events, number in self._known.items():
            console.print(Text(f"({number}) {_listed(events)}"))


_SHORT = 6  # kinds of event that still fit in a column


def _listed(events: frozenset[Key]) -> str:
    return ", ".join(map(str, sorted(events, key=lambda event: (len(str(event)), str(event)))))
