"""Exception lists in files, as Kibana exports them: which rules they apply to, and the rules without their events.

An export holds one object a line: lists (`list_id` and no `entries`), their items (`list_id` and `entries`), and
a summary with counts. An export of rules also holds rules; their `exceptions_list` names their lists. Each list of
values is exported into a file of its own, with the name of the list and one value a line.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import orjson

from tocsin.counted import counted
from tocsin.detection.alerts.exceptions import exception_condition, leaving_out
from tocsin.detection.compiled_rule import CompiledRule
from tocsin.ecs import Schema, default_schema
from tocsin.eql import syntax as s
from tocsin.errors import InputError, QueryError, RuleError
from tocsin.moments import to_nanoseconds
from tocsin.query_dsl.build import any_of
from tocsin.query_dsl.context import Context
from tocsin.rules.model import Rule
from tocsin.sources.text_files import TextFile, read_text_files

# The types of lists for rules. Elastic's other types are for its agent: trusted programs, event filters, and a
# blocklist, which is the opposite of an exception.
_OF_RULES = frozenset(("detection", "rule_default", "endpoint"))
_OF_ONE_RULE = "rule_default"
_SUMMARY = frozenset(("exported_count", "exported_exception_list_count", "exported_rules_count"))


@dataclass(frozen=True, eq=False)
class FileException:
    """An exception of a file: Kibana's item, when it expires (nanoseconds), and its `fault` if it has one."""

    list_id: str
    document: Mapping[str, Any]
    place: str
    expires: int | None = None
    fault: str = ""
    missing_values: tuple[str, ...] = ()  # the value lists that it names and no file holds

    @property
    def name(self) -> str:
        """The name of the item, with its place."""
        return f"`{self.document.get('name') or self.document.get('item_id') or 'exception'}` ({self.place})"

    def holds(self, now: int) -> bool:
        """Return whether it can be used and has not expired."""
        return not self.fault and not self.missing_values and not self.has_expired(now)

    def has_expired(self, now: int) -> bool:
        """Return whether it has expired by a moment (nanoseconds)."""
        return self.expires is not None and self.expires <= now


@dataclass(frozen=True)
class FileList:
    """An exception list of a file: its name and its type."""

    list_id: str
    name: str
    type: str = "detection"


@dataclass(frozen=True, eq=False)
class ExceptionLists:
    """The exception lists of files, by their `list_id`, with their items and the value lists.

    `named` are the lists that a rule of the hunt names, None before `for_rules`. `lists_of_rules` are the lists
    that the rules of an export name, by `rule_id`. `conditions` caches the conditions of items, for one schema.
    """

    lists: Mapping[str, FileList] = field(default_factory=dict)
    items: tuple[FileException, ...] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lists_of_rules: Mapping[str, frozenset[str]] = field(default_factory=dict)
    named: frozenset[str] | None = None
    conditions: dict[FileException, tuple[Schema, s.Expression]] = field(default_factory=dict, repr=False)

    def for_rules(self, rules: Iterable[CompiledRule]) -> ExceptionLists:
        """Return the same lists for the rules of a hunt; a list that none of them names applies to all of them."""
        return replace(self, named=frozenset(id_ for rule in rules for id_ in self._named_by(rule.rule)))

    def lists_of(self, rule: Rule) -> frozenset[str]:
        """Return the `list_id` of each list that applies to a rule.

        These are the lists that the rule names, or its copy in an export, and after `for_rules` also those that no
        rule of the hunt names. Lists of Elastic's agent apply to no rule; a list of one single rule applies to no
        other rule.
        """
        theirs = self._named_by(rule) & self.lists.keys()
        free = () if self.named is None else (id_ for id_ in self.lists if self._is_for_all(id_))
        return frozenset((*(id_ for id_ in theirs if self.lists[id_].type in _OF_RULES), *free))

    def items_of(self, rule: Rule, now: int) -> list[FileException]:
        """Return the items that apply to a rule at a moment (nanoseconds)."""
        lists = self.lists_of(rule)
        return [item for item in self.items if item.list_id in lists and item.holds(now)]

    def lines(self, rules: Sequence[CompiledRule], now: int | None = None) -> list[str]:
        """Return the lines of the summary: to how many rules of a hunt each list applies, and what cannot be used.

        Exceptions that have expired by `now` (nanoseconds; by default the clock's time) are left out.
        """
        now = time.time_ns() if now is None else now
        hunt = self.for_rules(rules)
        applied = Counter(id_ for rule in rules for id_ in hunt.lists_of(rule.rule))
        lines = [hunt._line(about, applied[about.list_id], now) for about in self.lists.values()]
        expired = [item for item in self.items if item.has_expired(now)]
        if expired:
            names = ", ".join(item.name for item in expired[:3]) + (", …" if len(expired) > 3 else "")
            lines.append(f"{counted(len(expired), 'exception')} expired and left out: {names}")
        lines += [f"the exception {item.name} cannot be used: {item.fault}" for item in self.items if item.fault]
        for item in self.items:
            for id_ in item.missing_values:
                lines.append(
                    f"the exception {item.name} is not used: no file holds the value list `{id_}` (name its "
                    f"exported file, `{id_}`, too)"
                )
        missing = Counter(id_ for rule in rules for id_ in self._named_by(rule.rule) - self.lists.keys())
        lines += [
            f"the exception list `{id_}`, which {counted(number, 'rule names', 'rules name')}, is in no file"
            for id_, number in sorted(missing.items())
        ]
        return lines

    def _named_by(self, rule: Rule) -> frozenset[str]:
        own = frozenset(str(reference.get("list_id")) for reference in rule.exceptions_list)
        return own | self.lists_of_rules.get(rule.rule_id, frozenset())

    def _is_for_all(self, id_: str) -> bool:
        kind = self.lists[id_].type
        return id_ not in (self.named or ()) and kind in _OF_RULES and kind != _OF_ONE_RULE

    def _line(self, about: FileList, rules: int, now: int) -> str:
        usable = sum(item.list_id == about.list_id and item.holds(now) for item in self.items)
        head = f"{counted(usable, 'exception')} of the list `{about.name}`"
        if about.type not in _OF_RULES:
            return f"{head} not used: lists of type {about.type} are for Elastic's agent, not for rules"
        if about.list_id in (self.named or ()):
            return f"{head} applied to the {counted(rules, 'rule that names', 'rules that name')} it"
        if about.type == _OF_ONE_RULE:
            return (
                f"{head} not used: it belongs to one rule, and no rule of the hunt names it in `exceptions_list`"
            )
        return f"{head} applied to all {counted(rules, 'rule')}, because no rule names it"


def without_exceptions(rule: CompiledRule, lists: ExceptionLists, schema: Schema, now: int) -> CompiledRule:
    """Return a rule without the events of its exceptions that are valid at a moment (nanoseconds).

    Raises RuleError, which names the item and its file.
    """
    items = lists.items_of(rule.rule, now)
    if not items:
        return rule
    return leaving_out(rule, any_of(_condition(item, lists, schema) for item in items))


def _condition(item: FileException, lists: ExceptionLists, schema: Schema) -> s.Expression:
    """Return the condition of an item; that of a list for many rules is made once."""
    known = lists.conditions.get(item)
    if known is not None and known[0] is schema:
        return known[1]
    try:
        condition = exception_condition([item.document], Context(schema), lambda id_: lists.values[id_])
    except QueryError as error:
        raise RuleError(f"the exception {item.name} cannot be used: {error.message}") from None
    lists.conditions[item] = (schema, condition)
    return condition


# ---- reading


def read_exception_lists(paths: Sequence[str]) -> ExceptionLists:
    """Return the exception lists of exports, with the value lists of other files.

    An item that cannot be used is returned with the reason. Raises InputError, which names the file and line, for
    a file that is neither an export nor a value list that an item names.
    """
    lists: dict[str, FileList] = {}
    documents: list[tuple[str, dict[str, Any]]] = []
    of_rules: dict[str, frozenset[str]] = {}
    texts: dict[str, TextFile] = {}
    for file in read_text_files(paths):
        if not file.text.lstrip().startswith(("{", "[")):
            texts[PurePath(file.name).name] = file
            continue
        for place, document in _documents(file):
            if "entries" in document and "list_id" in document:
                documents.append((place, document))
            elif "rule_id" in document or "risk_score" in document:
                of_rules[str(document.get("rule_id"))] = _lists_named(document)
            elif "list_id" in document:
                id_ = str(document["list_id"])
                name, kind = str(document.get("name") or id_), str(document.get("type") or "detection")
                lists[id_] = FileList(id_, name, kind)
            elif not _SUMMARY & document.keys() and "attributes" not in document:
                raise InputError(
                    f"{place} is no exception list, and no item of one",
                    hint="export the list in Kibana (Security, Rules, Shared exception lists), or by "
                    "`POST /api/exception_lists/_export`",
                )
    wanted = {id_ for _, document in documents for id_ in _value_lists(document.get("entries"))}
    for name, file in texts.items():
        if name not in wanted:
            raise InputError(
                f"{file.name} is no export of exception lists, and no exception names a value list `{name}`",
                hint="an export holds one JSON object a line; the file of a value list is called as the list is",
            )
    values = {
        name: [line.strip() for line in file.text.splitlines() if line.strip()] for name, file in texts.items()
    }
    items = {}
    for place, document in documents:
        item = _item(place, document, values)
        lists.setdefault(item.list_id, FileList(item.list_id, item.list_id))
        items[str(document.get("item_id") or place)] = item  # the same item of two exports is one
    if not lists and not of_rules:
        raise InputError(f"{', '.join(paths)}: no exception list", hint="export one in Kibana")
    return ExceptionLists(lists, tuple(items.values()), values, of_rules)


def _documents(file: TextFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a file with their places: one a line, or one JSON document. Raises InputError."""
    try:
        whole = orjson.loads(file.text)
        documents = [(f"{file.name}, document {n}", document) for n, document in enumerate(_many(whole), 1)]
    except orjson.JSONDecodeError:
        documents = []
        for number, line in enumerate(file.text.split("\n"), 1):
            try:
                if line.strip():
                    documents.append((f"{file.name}, line {number}", orjson.loads(line)))
            except orjson.JSONDecodeError as error:
                raise InputError(
                    f"{file.name}, line {number} is no JSON: {error}", hint="was the export cut? export it again"
                ) from None
    for place, document in documents:
        if not isinstance(document, dict):
            raise InputError(f"{place} is no JSON object", hint="an export holds one object a line")
        yield place, document


def _many(whole: Any) -> list[Any]:
    """Return the objects of one JSON document: an array, a page of Kibana's `_find`, or the object alone."""
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):
        return list(whole["data"])
    return whole if isinstance(whole, list) else [whole]


def _lists_named(rule: Mapping[str, Any]) -> frozenset[str]:
    named = rule.get("exceptions_list")
    references = named if isinstance(named, list) else []
    return frozenset(str(reference.get("list_id")) for reference in references if isinstance(reference, dict))


def _item(place: str, document: Mapping[str, Any], values: Mapping[str, Sequence[str]]) -> FileException:
    fault, expires = "", None
    try:
        exception_condition([document], Context(default_schema()), lambda id_: values.get(id_, ()))
    except QueryError as error:
        fault = error.message
    if (written := document.get("expire_time")) is not None:
        try:
            expires = to_nanoseconds(written)
        except ValueError:
            fault = fault or f"[expire_time] is a moment as in 2027-01-01T00:00:00Z, not `{written}`"
    missing = tuple(id_ for id_ in _value_lists(document.get("entries")) if id_ not in values)
    return FileException(str(document["list_id"]), document, place, expires, fault, missing)


def _value_lists(entries: Any) -> list[str]:
    """Return the ids of the value lists that entries name, also in nested entries."""
    ids: list[str] = []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            about = entry.get("list")
            if entry.get("type") == "list" and isinstance(about, dict) and about.get("id"):
                ids.append(str(about["id"]))
            ids += _value_lists(entry.get("entries"))
    return list(dict.fromkeys(ids))
