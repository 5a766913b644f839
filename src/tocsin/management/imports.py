"""Imports of Kibana's exports: rules, exception lists, exceptions and connectors, one object a line."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.detection.rule_checks import Problem
from tocsin.errors import ConflictError, InvalidError, NotFoundError, TocsinError
from tocsin.management.connectors.documents import imported_connector, is_connector
from tocsin.management.exceptions.documents import read_item, read_list
from tocsin.management.rules.references import MissingConnectorsError, missing_connectors_message
from tocsin.management.rules.saving import SchemaOf, add_document, change_document, prepare_document
from tocsin.nesting import TOO_DEEP, is_too_deep
from tocsin.store.records import exceptions as records
from tocsin.store.records.access import Actor, record
from tocsin.store.records.models import Connector, ExceptionItem, ExceptionList, StoredRule

MOST_OBJECTS = 10_000  # of a file, as Kibana has it in `xpack.securitySolution.maxRuleImportExportSize`


@dataclass(frozen=True)
class Overwrite:
    """Which kinds of objects of an import replace those of the same id; others are left as they are."""

    rules: bool = False
    exceptions: bool = False
    connectors: bool = False


@dataclass(frozen=True)
class Refusal:
    """An object of an import that is refused: its id (or `(line 5)`) and why.

    `list_id` is that of an exception; `connectors` are the missing ones that a rule names.
    """

    id: str
    error: TocsinError
    list_id: str | None = None
    connectors: Sequence[str] = ()


@dataclass(frozen=True)
class ImportedRule:
    """A rule of an import that is saved: its document, and the one that it had before, None for a new rule."""

    rule_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]


@dataclass
class ImportResult:
    """The result of an import."""

    rules: int = 0  # that it holds
    saved_rules: int = 0
    documents: list[ImportedRule] = field(default_factory=list)  # of those that are saved
    refused: list[Refusal] = field(default_factory=list)  # rules, and lines that hold nothing of an export
    warnings: list[tuple[str, Problem]] = field(default_factory=list)  # of rules that are not as they were given
    lists: int = 0  # that are saved
    items: int = 0
    refused_exceptions: list[Refusal] = field(default_factory=list)  # lists and items
    connectors: list[Connector] = field(default_factory=list)  # that are saved

    @property
    def known_rules(self) -> list[Refusal]:
        """The rules that are refused because there are rules with their ids."""
        return [refusal for refusal in self.refused if isinstance(refusal.error, ConflictError)]


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of a file. Raises InvalidError for far more lines than objects may be."""
    if data.count(b"\n") > 10 * MOST_OBJECTS:
        raise _too_many()
    return data.splitlines()


def _too_many() -> InvalidError:
    return InvalidError(f"the file has more than {MOST_OBJECTS:,} objects")


def import_objects(
    session: Session,
    actor: Actor,
    lines: Sequence[bytes],
    schemas: SchemaOf,
    overwrite: Overwrite = Overwrite(),
    go_on: Callable[[], None] = lambda: None,
) -> ImportResult:
    """Save the objects of an export. The others are saved even when one is refused.

    Lists and connectors are saved before the rules, which name them. A new rule is enabled if its document says
    so. Raises InvalidError for too many objects. `go_on` is called before each object and may raise.
    """
    if len(lines) > MOST_OBJECTS and sum(map(bool, map(bytes.strip, lines))) > MOST_OBJECTS:
        raise _too_many()
    running = _Import(session, actor, schemas, overwrite, go_on, ImportResult())
    running.run(lines)
    return running.result


@dataclass(frozen=True)
class _Import:
    session: Session
    actor: Actor
    schemas: SchemaOf
    overwrite: Overwrite
    go_on: Callable[[], None]
    result: ImportResult

    def run(self, lines: Iterable[bytes]) -> None:
        rules: list[dict[str, Any]] = []
        items: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            self.go_on()
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._refuse(f"(line {number})", InvalidError(f"line {number} is no JSON: {error}"))
                continue
            if is_too_deep(document, line):
                self._refuse(f"(line {number})", InvalidError(f"line {number} is {TOO_DEEP}"))
            elif not isinstance(document, dict):
                self._refuse(f"(line {number})", InvalidError(f"line {number} is no object"))
            elif is_connector(document):
                self._save_connector(document)
            elif "entries" in document and "list_id" in document:
                items.append(document)
            elif "list_id" in document:
                self._save_list(document)
            elif "exported_count" in document or "exported_exception_list_count" in document:
                continue
            elif "rule_id" in document or "risk_score" in document:
                rules.append(document)
            else:
                reason = f"line {number} is no rule, exception list, exception or connector"
                self._refuse(f"(line {number})", InvalidError(reason))
        for item in items:
            self.go_on()
            self._save_item(item)
        for rule in rules:
            self.go_on()
            self._save_rule(rule)

    def _refuse(self, id_: str, error: TocsinError) -> None:
        self.result.refused.append(Refusal(id_, error))

    def _save_connector(self, document: Mapping[str, Any]) -> None:
        given = imported_connector(document, self.actor)
        known = self.session.get(Connector, given.id)
        if known is None:
            self.session.add(given)
        elif self.overwrite.connectors:
            known.name, known.type = given.name, given.type
            known.config, known.secrets = given.config, given.secrets
        else:
            return
        self.session.flush()
        record(self.session, self.actor, "connector.imported", given.id, type=given.type)
        self.result.connectors.append(known or given)

    def _save_list(self, given: Mapping[str, Any]) -> None:
        list_id = str(given["list_id"])
        known = self.session.scalar(select(ExceptionList).where(ExceptionList.list_id == list_id))
        if known is not None and not self.overwrite.exceptions:
            return
        try:
            document = read_list({"name": list_id, **given, "list_id": list_id})
        except InvalidError as error:
            self.result.refused_exceptions.append(Refusal(list_id, error, list_id))
            return
        if known is None:
            records.add_list(self.session, self.actor, document)
        else:
            records.change_list(self.session, self.actor, known, document)
        self.result.lists += 1

    def _save_item(self, given: Mapping[str, Any]) -> None:
        item_id = str(given.get("item_id") or uuid.uuid4())
        known = self.session.scalar(select(ExceptionItem).where(ExceptionItem.item_id == item_id))
        try:
            document, expires = read_item({**given, "item_id": item_id}, self.actor, self.schemas({}))
            if known is None:
                records.add_item(self.session, self.actor, document, expires)
            elif self.overwrite.exceptions:
                records.change_item(self.session, self.actor, known, document, expires)
            else:
                return
        except TocsinError as error:
            list_id = given.get("list_id")
            of_list = None if list_id is None else str(list_id)
            self.result.refused_exceptions.append(Refusal(item_id, error, of_list))
            return
        self.result.items += 1

    def _save_rule(self, given: Mapping[str, Any]) -> None:
        self.result.rules += 1
        rule_id = str(given.get("rule_id") or uuid.uuid4())
        known = self.session.scalar(select(StoredRule).where(StoredRule.rule_id == rule_id))
        if known is not None and not self.overwrite.rules:
            self._refuse(rule_id, ConflictError(f'rule_id: "{rule_id}" already exists'))
            return
        try:
            document, warnings = prepare_document(
                self.session, self.actor, {**given, "rule_id": rule_id}, self.schemas
            )
        except MissingConnectorsError as error:
            missing = NotFoundError(missing_connectors_message(error.connectors))
            self.result.refused.append(Refusal(rule_id, missing, connectors=error.connectors))
            return
        except InvalidError as error:
            self._refuse(rule_id, error)
            return
        self.result.warnings += [(rule_id, problem) for problem in warnings if problem.field == "exceptions_list"]
        before = None if known is None else known.document
        if known is None:
            known = add_document(self.session, self.actor, {"enabled": False, **document})
        else:
            change_document(self.session, self.actor, known, document)
        self.result.documents.append(ImportedRule(rule_id, before, known.document))
        self.result.saved_rules += 1
