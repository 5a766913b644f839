"""What a product's records look like, and which product wrote a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from tocsin.sources.mapping import Dataset
from tocsin.sources.markers import is_categorised, lies_elsewhere
from tocsin.sources.values import as_text

Path = tuple[str, ...]  # the names of members, from the outermost inwards


@dataclass(frozen=True)
class Shape:
    """One way in which a product writes its records.

    The value at `telltale` is there in every such record and in no other source's; `kind` takes it and the value
    at `key`, both as text, and returns the kind of event, or None for a record that is not of this shape. Values
    are read from the object at `body`. One of the values `beside` is there in every such record, too: a name alone
    may be anybody's.
    """

    telltale: Path
    key: Path
    kind: Callable[[str, str], str | None]
    body: Path = ()
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Join:
    """Values that other records of a product hold: of the one whose `learned_by` equals an event's `source`.

    They are read as `prefix` and their name. Records of the kind `taught_by` teach them.
    """

    source: str
    prefix: str
    taught_by: str
    learned_by: str


@dataclass(frozen=True)
class Product:
    """A product: its mapping, the shapes of its records, and what these learn from one another.

    `completed` fills in the kind of a record that lost the value for it, from its other values; it returns None
    for any other record, and its `named` says that the user named the product. Such records have some of the
    `marks`. Without the value `essential` a record of an event does not say what happened.
    """

    dataset: Dataset
    shapes: tuple[Shape, ...]
    joins: tuple[Join, ...] = ()
    completed: Completing | None = None
    marks: tuple[str, ...] = ()
    essential: str = ""

    @property
    def packages(self) -> frozenset[str]:
        """The package of Elastic's whose indices records lie in."""
        return frozenset((self.dataset.name.partition(".")[0],))

    def join_of(self, source: str) -> Join | None:
        """Return the join that a value comes by, None for one of a record's own."""
        return next((join for join in self.joins if source.startswith(join.prefix)), None)


class Completing(Protocol):
    """A function that completes records that lost the value for their kind."""

    def __call__(self, record: Mapping[str, Any], /, *, named: bool) -> Mapping[str, Any] | None:
        """Return the record completed, None for one that is whole or of another source."""


PRODUCTS: dict[str, Product] = {}


def register_product(product: Product) -> Product:
    """Make a product known by its dataset's name."""
    PRODUCTS[product.dataset.name] = product
    return product


@dataclass
class Metadata:
    """What was learned about hosts and users: by dataset and join, the values by what they are about."""

    known: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = field(default_factory=dict)

    def learn(self, product: Product, key: str, body: Mapping[str, Any]) -> None:
        """Take what a record teaches, if it does."""
        for join in product.joins:
            if join.taught_by == key and (about := as_text(body.get(join.learned_by))):
                self.known.setdefault((product.dataset.name, join.prefix), {})[about] = body

    def about(self, product: Product, join: Join, value: str | None) -> Mapping[str, Any]:
        """Return what is known about a value of the join's source."""
        return self.known.get((product.dataset.name, join.prefix), {}).get(value or "", {})


def dig(record: Any, path: Path) -> Any:
    """Return the value at a path, None where it leads nowhere."""
    for name in path:
        if not isinstance(record, dict):
            return None
        record = record.get(name)
    return record


def kind_of(record: Mapping[str, Any], shape: Shape) -> str | None:
    """Return what kind of event a record of this shape is, None for any other record.

    Raises ValueError for a record of this shape without values.
    """
    telltale = dig(record, shape.telltale)
    if not isinstance(telltale, str):
        return None
    kind = shape.kind(telltale, as_text(dig(record, shape.key)) or "")
    if kind is not None and shape.body and not isinstance(dig(record, shape.body), dict):
        raise ValueError(f"`{'.'.join(shape.telltale)}` is {telltale}, and `{'.'.join(shape.body)}` is no object")
    return kind


@cache
def _outermost_telltales() -> frozenset[str]:
    return frozenset(shape.telltale[0] for product in PRODUCTS.values() for shape in product.shapes)


def telltales() -> list[Path]:
    """Return the paths at which records of products show what they are."""
    paths = [shape.telltale for product in PRODUCTS.values() for shape in product.shapes]
    return list(dict.fromkeys([*paths, *((mark,) for product in PRODUCTS.values() for mark in product.marks)]))


def completed(record: Mapping[str, Any], source: str | None) -> Mapping[str, Any]:
    """Return a record that lost the value for its kind with what its other values show; any other as it is."""
    for name, product in PRODUCTS.items():
        if product.completed is not None and source in (None, name):
            whole = product.completed(record, named=source == name)
            if whole is not None:
                return whole
    return record


def recognised(record: Mapping[str, Any]) -> tuple[Product, Shape, str] | None:
    """Return the product that wrote a record, the record's shape and kind; None for one of no product.

    A document in ECS, or one that says it is of another product, is of none, whatever its fields are called.
    Raises ValueError for a record of a product without values.
    """
    if record.keys().isdisjoint(_outermost_telltales()):
        return None
    for product in PRODUCTS.values():
        for shape in product.shapes:
            kind = kind_of(record, shape)
            if kind is None or not _has_some(record, shape):
                continue
            if is_categorised(record) or lies_elsewhere(record, product.packages):
                return None
            return product, shape, kind
    return None


def _has_some(record: Mapping[str, Any], shape: Shape) -> bool:
    body = dig(record, shape.body)
    return not shape.beside or (isinstance(body, dict) and not body.keys().isdisjoint(shape.beside))
