"""Index templates: which of them apply to a new index, and the mapping that they make together.

As in Elasticsearch the index template of the highest priority counts, with its component templates before it;
where none fits, all legacy templates that do, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tocsin.store.mappings.dynamic_templates import check_dynamic_templates
from tocsin.store.mappings.index_mapping import NO_MAPPING, IndexMapping
from tocsin.store.mappings.merging import merged
from tocsin.store.mappings.reading import check_paths, read_mapping
from tocsin.store.mappings.types import MappingError
from tocsin.store.patterns import have_common_name, takes

INDEX_TEMPLATE, COMPONENT_TEMPLATE, LEGACY_TEMPLATE = "_index_template", "_component_template", "_template"
Templates = Mapping[str, Mapping[str, Mapping[str, Any]]]  # kind -> name -> as it was given

_LENIENT = {"settings": {"index": {"mapping": {"ignore_malformed": True}}}}
# Component templates that Elasticsearch brings along, as far as they matter here: those of events leave values
# that do not fit out of fields, and store the documents.
_BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    **{f"{kind}{mark}{what}": {}
       for kind in ("logs", "metrics", "synthetics", "traces", "data-streams", "ecs", "otel")
       for mark in ("@", "-") for what in ("mappings", "settings")},
    "logs@settings": _LENIENT,
    "logs-settings": _LENIENT,
    "ecs@dynamic_templates": {},
    "data-streams@lifecycle": {},
    ".fleet_globals-1": {},
    ".fleet_agent_id_verification-1": {},
}  # fmt: skip


class TemplateError(MappingError):
    """An index template that cannot be."""


def check_template(kind: str, name: str, body: Mapping[str, Any], known: Templates) -> None:
    """Raise MappingError for a template that could not be taken by an index."""
    if kind == COMPONENT_TEMPLATE:
        _part(name, body.get("template"))
        return
    patterns = body.get("index_patterns")
    listed = [patterns] if isinstance(patterns, str) else patterns
    if (
        not isinstance(listed, list)
        or not listed
        or not all(isinstance(pattern, str) and pattern for pattern in listed)
    ):
        raise TemplateError(f"index_template [{name}] needs [index_patterns]", "x_content_parse_exception")
    if kind == LEGACY_TEMPLATE:
        _part(name, body)
        return
    missing = [
        component
        for component in _names(body.get("composed_of"))
        if component not in known.get(COMPONENT_TEMPLATE, {})
        and component not in _BUILT_IN
        and "@custom" not in component
        and component not in _names(body.get("ignore_missing_component_templates"))
    ]
    if missing:
        raise TemplateError(
            f"index_template [{name}] invalid, cause [index template [{name}] specifies component templates "
            f"[{', '.join(missing)}] that do not exist]",
            "invalid_index_template_exception",
        )
    _check_priority(name, body, known.get(INDEX_TEMPLATE, {}))
    _composed(name, body, known)


def _check_priority(name: str, body: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise MappingError where an index could take this template or another one, and neither comes first."""
    priority = _number(body.get("priority"))
    equal = {
        other: about
        for other, about in others.items()
        if other != name
        and _number(about.get("priority")) == priority
        and any(have_common_name(mine, theirs) for mine in _patterns(body) for theirs in _patterns(about))
    }
    if equal:
        conflicts = ",".join(
            f"{other} => [{', '.join(_patterns(about))}]" for other, about in sorted(equal.items())
        )
        raise TemplateError(
            f"index template [{name}] has index patterns [{', '.join(_patterns(body))}] matching patterns from "
            f"existing templates [{','.join(sorted(equal))}] with patterns ({conflicts}) that have the same "
            f"priority [{priority}], multiple index templates may not match during index creation, please use a "
            "different priority",
            "illegal_argument_exception",
        )


# What names of data streams begin with, whatever sends them (Elastic's data stream naming scheme).
_SHARED = ("logs", "metrics", "synthetics", "traces", "profiling")
_SHORTEST = 4  # characters that say whose indices a pattern takes


def broad_patterns(kind: str, name: str, known: Templates, body: Mapping[str, Any] | None = None) -> list[str]:
    """Return the patterns of a template, and of those composed of it, that take indices of any source.

    Such a pattern says too little before its first `*`: nothing, or no more than the type of data streams.
    """
    bodies = [known.get(kind, {}).get(name, {}), body or {}]
    if kind == COMPONENT_TEMPLATE:
        bodies += [
            template
            for template in known.get(INDEX_TEMPLATE, {}).values()
            if name in _names(template.get("composed_of"))
        ]
    return sorted({pattern for template in bodies for pattern in _patterns(template) if _is_broad(pattern)})


def _is_broad(pattern: str) -> bool:
    said, star, _ = pattern.partition("*")
    kind, _, rest = said.partition("-")
    beginning = rest if kind in _SHARED else said
    name = beginning.strip("-_.")
    is_whole = bool(name) and beginning.endswith("-")  # a part of a name that is short, and ends
    return bool(star) and not is_whole and len(name) < _SHORTEST


def mapping_of_new(index: str, known: Templates) -> IndexMapping:
    """Return the mapping of a new index, an empty one where no template fits it."""
    fitting = [
        (-_number(body.get("priority")), name)
        for name, body in known.get(INDEX_TEMPLATE, {}).items()
        if takes(_patterns(body), index)
    ]
    if fitting:
        _, name = min(fitting)
        return _composed(name, known[INDEX_TEMPLATE][name], known)
    legacy = sorted(
        (_number(body.get("order")), name)
        for name, body in known.get(LEGACY_TEMPLATE, {}).items()
        if takes(_patterns(body), index)
    )
    return _overlaid(_part(name, known[LEGACY_TEMPLATE][name]) for _, name in legacy)


def _composed(name: str, body: Mapping[str, Any], known: Templates) -> IndexMapping:
    components = known.get(COMPONENT_TEMPLATE, {})
    parts = [
        _part(
            component,
            components[component].get("template") if component in components else _BUILT_IN.get(component, {}),
        )
        for component in _names(body.get("composed_of"))
    ]
    mapping = _overlaid([*parts, _part(name, body.get("template"))])
    check_paths(mapping)
    return mapping


def _overlaid(parts: Iterable[IndexMapping]) -> IndexMapping:
    mapping = NO_MAPPING
    for part in parts:
        mapping = merged(mapping, part, overlaid=True)
    return mapping


def _part(name: str, template: Any) -> IndexMapping:
    about = template if isinstance(template, Mapping) else {}
    mapping = read_mapping(about.get("mappings"), about.get("settings"), complete=False)
    check_dynamic_templates(mapping)
    return mapping


def _names(given: Any) -> Sequence[str]:
    return [str(name) for name in given] if isinstance(given, list) else []


def _patterns(body: Mapping[str, Any]) -> Sequence[str]:
    given = body.get("index_patterns")
    return [given] if isinstance(given, str) else _names(given)


def _number(given: Any) -> int:
    return given if isinstance(given, int) else 0
