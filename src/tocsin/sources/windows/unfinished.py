"""Documents of Windows' logs that no pipeline has turned into ECS, or only in part.

A pipeline of somebody's own, or a line in a shipper's configuration, may set `event.category` and leave the rest.
So no single field shows that a document is finished: it lacks something as long as the tables would give it one of
the main fields of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from tocsin.ecs import CATEGORIES, CATEGORY
from tocsin.sources.mapping import DATASETS
from tocsin.sources.windows.forms.elements import whole
from tocsin.sources.windows.forms.shipped import EVENT_DATA, flat_document, record_of, winlog_of
from tocsin.sources.windows.record import MalformedRecord, WindowsRecord, dataset_of

Document = Mapping[str, Any]

# The fields in which rules look for what happened. Elastic's pipelines set each of them from the event data.
MAIN_FIELDS = frozenset(
    (
        "destination.ip", "dns.question.name", "file.name", "file.path", "powershell.file.script_block_text",
        "process.args", "process.command_line", "process.executable", "process.name", "process.parent.executable",
        "process.parent.name", "registry.path", "service.name", "source.ip", "user.name",
    )
)  # fmt: skip
# The fields that identify the kind of an event; the first that is present counts.
PROVIDER = ("winlog.provider_name", "event.provider")
CHANNEL = ("winlog.channel",)
CODE = ("winlog.event_id", "event.code")


@dataclass(frozen=True)
class MainFields:
    """The main fields of one kind of event.

    `sources` has the values of event data that each is made of, `constants` what is the same for the kind,
    `always` the field that each event of the kind has, if there is one; `categorised` says that the kind has a
    category.
    """

    sources: Mapping[str, frozenset[str]]
    constants: tuple[str, ...]
    always: str
    categorised: bool


def main_fields_of(provider: Any, channel: Any, code: Any) -> MainFields | None:
    """Return the main fields of an event, None where its code is no number."""
    event_id = whole(code)
    if not isinstance(event_id, int):
        return None
    return _main_fields(provider if isinstance(provider, str) else "", str(channel or ""), event_id)


@lru_cache(maxsize=4096)  # kinds of events
def _main_fields(provider: str, channel: str, event_id: int) -> MainFields:
    dataset = dataset_of(provider, channel)
    sources: dict[str, set[str]] = {}
    for row in dataset.rows_of(event_id):
        if row.target in MAIN_FIELDS:
            sources.setdefault(row.target, set()).add(row.source)
    for derived in dataset.derived_of(event_id):
        if derived.target in MAIN_FIELDS:
            sources.setdefault(derived.target, set()).update(derived.sources)
    kind = dataset.kind(event_id)
    constants = [name for name, value in (("event.type", kind.type), ("event.action", kind.action)) if value]
    return MainFields(
        {field: frozenset(names) for field, names in sources.items()},
        tuple(constants),
        kind.always,
        bool(kind.category),
    )


@cache
def fields_of_a_log() -> frozenset[str]:
    """Return the fields that show which documents of Windows' logs are finished."""
    logs = [dataset for dataset in DATASETS.values() if dataset.kept == EVENT_DATA[:-1]]
    sources = [row.source for dataset in logs for row in dataset.rows if row.target in MAIN_FIELDS]
    sources += [
        name
        for dataset in logs
        for derived in dataset.derived
        if derived.target in MAIN_FIELDS
        for name in derived.sources
    ]
    always = [kind.always for dataset in logs for kind in dataset.kinds.values() if kind.always]
    identifying = identifying_fields()
    return frozenset(
        (
            *identifying,
            "event.type",
            "event.action",
            *MAIN_FIELDS,
            *always,
            *(EVENT_DATA + name for name in sources),
        )
    )


def identifying_fields() -> frozenset[str]:
    """Return the fields that show of which kind a document of Windows' logs is."""
    return frozenset((CATEGORY, *PROVIDER, *CHANNEL, *CODE))


def fields_like(documents: Iterable[Document]) -> frozenset[str]:
    """Return those of `fields_of_a_log` that show which documents are finished, if all are like these.

    Where all documents of a kind have a field, nothing is read of what it would be made of, and where none has
    event data, only what shows the kind.
    """
    fields = set(identifying_fields())
    for document in documents:
        main = main_fields_of(*(_first(document, names) for names in (PROVIDER, CHANNEL, CODE)))
        if main is None:
            continue
        fields.update((*main.constants, *((main.always,) if main.always else ())))
        if _at(document, EVENT_DATA[:-1]) is not None:
            fields.update(main.sources)
            missing = (names for field, names in main.sources.items() if _at(document, field) is None)
            fields.update(EVENT_DATA + name for names in missing for name in names)
    return frozenset(fields)


def is_unfinished(document: Document) -> bool:
    """Return whether a document of a Windows log is not ECS yet, or lacks fields of its kind."""
    if winlog_of(document) is None:
        return False
    given = listed(_at(document, CATEGORY))
    if not given:  # an empty list is no field, as Elasticsearch has it
        return True
    main = main_fields_of(*(_first(document, names) for names in (PROVIDER, CHANNEL, CODE)))
    if main is None:
        return winlog_of(document) is False and _lacks(flat_document(document), given)
    return _may_lack(document, main, given) and _lacks(flat_document(document), given)


def _may_lack(document: Document, main: MainFields, given: Iterable[Any]) -> bool:
    """Return whether a document may lack a field of its kind, from the names of what it has."""
    data = _at(document, EVENT_DATA[:-1])
    names = data.keys() if isinstance(data, dict) else None
    missing = [field for field in main.sources if _at(document, field) is None]
    return (
        any(names is None or not main.sources[field].isdisjoint(names) for field in missing)
        or (bool(missing) and len(missing) == len(main.sources))  # values may have other names, or none
        or any(_at(document, field) is None for field in main.constants)
        or bool(main.always and _at(document, main.always) is None)
        or (main.categorised and not names_category(given))
    )


def _lacks(flat: Document, given: Iterable[Any]) -> bool:
    """Return whether the tables would add a field of its kind to a flat document.

    A pipeline removes event data once it has used them: a document without any is not held to lack the fields that
    are the same for all events of its kind.
    """
    try:
        record = WindowsRecord(record_of(flat))
    except (MalformedRecord, TypeError, ValueError, KeyError, AttributeError):
        return False
    main = main_fields_of(record.provider, record.channel, record.event_id)
    if main is None:
        return False
    constants = main.constants if any(name.startswith(EVENT_DATA) for name in flat) else ()
    fields = (*main.sources, *constants, *([main.always] if main.always else ()))
    return any(flat.get(field) in (None, "", []) and record.get(field) is not None for field in fields) or (
        main.categorised and not names_category(given)
    )


def names_category(given: Iterable[Any]) -> bool:
    """Return whether one of some values is a category of ECS."""
    return any(isinstance(value, str) and value in CATEGORIES for value in given)


def listed(value: Any) -> list[Any]:
    """Return the values of a field as a list, without empty ones."""
    values = value if isinstance(value, list) else [value]
    return [item for item in values if item not in (None, "")]


def _first(document: Document, names: Iterable[str]) -> Any:
    content = next((value for name in names if (value := _at(document, name)) is not None), None)
    return content[0] if isinstance(content, list) and len(content) == 1 else content


def _at(document: Document, name: str) -> Any:
    """Return a field of a document, nested or with dots."""
    content: Any = document.get(name)
    if content is None:
        content = document
        for part in _path(name):
            if not isinstance(content, dict):
                return None
            content = content.get(part)
    return content


@cache
def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))
