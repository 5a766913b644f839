"""One record of a product, read field by field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tocsin.sources.batch import Event, flatten
from tocsin.sources.products.product import PRODUCTS, Metadata, Product, Shape, dig
from tocsin.sources.readers import ConstantReader, Reader, Readers, constants_of
from tocsin.sources.values import as_text


class ProductRecord:
    """A record that gives ECS fields one at a time, each worked out when it is asked for."""

    __slots__ = ("_body", "_metadata", "_product", "_record", "_shape", "kind")

    def __init__(
        self, record: Mapping[str, Any], product: Product, shape: Shape, key: str, metadata: Metadata
    ) -> None:
        self._record, self._product, self._shape, self._metadata = record, product, shape, metadata
        self._body: Mapping[str, Any] = dig(record, shape.body)
        self.kind = readers_of(product.dataset.name, key)
        metadata.learn(product, key, self._body)

    def get(self, field: str, /) -> Any:
        """Return a field's value, a list of values, or None."""
        reader = self.kind[field]
        return None if reader is None else reader(self)

    def text(self, name: str, /) -> str | None:
        """Return a value as text, None where there is none."""
        value = self._body.get(name)
        if value is None and (join := self._product.join_of(name)) is not None:
            about = self._metadata.about(self._product, join, self.text(join.source))
            value = about.get(name.removeprefix(join.prefix))
        return as_text(value)

    @property
    def lacks_action(self) -> bool:
        """Whether a record of an event does not say what happened."""
        essential = self._product.essential
        if not essential or self.kind.dataset.kind(self.kind.key).action or self.text(essential) is not None:
            return False
        return any(row.source == essential for row in self.kind.dataset.rows_of(self.kind.key))

    def fields(self) -> Event:
        """Return the whole event, flat."""
        names = dict.fromkeys(self.kind.targets)
        event = {name: value for name in names if (value := self.get(name)) is not None}
        outer = {name: value for name, value in self._record.items() if name not in self._shape.body}
        kept = flatten({**(outer if self._shape.body else {}), **self._body})
        event.update({f"{self._product.dataset.kept}.{k}": v for k, v in kept.items() if as_text(v) is not None})
        return event


@cache
def readers_of(dataset: str, key: str) -> Readers:
    """Return the readers of one kind of a product's records."""
    known = PRODUCTS[dataset].dataset
    prefix = known.kept + "."

    def kept(field: str) -> Reader | None:
        name = field.removeprefix(prefix)
        return (lambda record: record.text(name)) if field.startswith(prefix) else None

    head = {name: ConstantReader(value) for name, value in constants_of(known, key).items()}
    return Readers(known, key, head, kept)
