"""The form of a rule, and how it becomes the rule's document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.desk.forms import Fields, field
from tocsin.desk.rule_editor import values as v
from tocsin.desk.rule_editor.fields import FIELDS, LANGUAGES, MORE, FormField
from tocsin.detection.rule_checks import Problem
from tocsin.errors import RuleError
from tocsin.rules.files import read_rule

# Members that the editor itself has in its head and its query.
_OWN = frozenset({"type", "language", "query", "threat_query", "threat_language", "rule_id"})


@dataclass(frozen=True)
class RuleForm:
    """A rule as the form shows it: texts by the fields' names; `query` and `more` among them."""

    type: str
    texts: Mapping[str, str]

    @property
    def fields(self) -> Sequence[FormField]:
        """The fields that rules of its type have."""
        return fields_of(self.type)

    def text(self, name: str) -> str:
        """Return what a field has."""
        return self.texts.get(name, "")


def fields_of(type_: str) -> tuple[FormField, ...]:
    """Return the fields that rules of a type have."""
    return tuple(known for known in FIELDS if type_ in known.types)


def empty_form(type_: str) -> RuleForm:
    """Return the form of a new rule."""
    texts = {known.name: known.default for known in fields_of(type_) if known.default}
    return RuleForm(type_, texts | {"language": LANGUAGES.get(type_, ("",))[0]})


def form_of(document: Mapping[str, Any]) -> RuleForm:
    """Return the form of a rule's document. What the form has no field for, or holds in part, is in `more`."""
    type_ = str(document.get("type"))
    document = _with_plain_terms(document)
    texts: dict[str, str] = {}
    shown = set(_OWN)
    for known in fields_of(type_):
        value = _at(document, known.path)
        if value is not None and not v.can_write(known.form, value):
            continue
        texts[known.name] = known.form.write(value)
        shown.add(known.path[0])
    for name in ("query", "language", "threat_query", "threat_language"):
        texts[name] = str(document.get(name) or "")
    texts["language"] = texts["language"] or LANGUAGES.get(type_, ("",))[0]
    rest = {name: value for name, value in document.items() if name not in shown}
    texts[MORE] = v.write_json(rest) if rest else ""
    return RuleForm(type_, texts)


def read_form(form: Fields, type_: str) -> RuleForm:
    """Return the form that a browser sends."""
    names = [known.name for known in fields_of(type_)]
    names += ["query", "language", "threat_query", "threat_language", MORE]
    return RuleForm(type_, {name: field(form, name).replace("\r\n", "\n") for name in names if name in form})


def document_of(form: RuleForm, before: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the document that a form makes, and what of it cannot be read.

    `before` is the document that it replaces: an object that the form has in part keeps its other members.
    """
    problems: list[Problem] = []
    document: dict[str, Any] = {}
    try:
        more = v.JSON.read(form.text(MORE)) or {}
        if not isinstance(more, dict):
            raise ValueError("is a JSON object: the members of the rule that the form has no field for")
        document |= more
    except ValueError as error:
        problems.append(Problem(MORE, str(error), fatal=True))
    given = set(document)
    for known in form.fields:
        if known.path[0] in given:  # the form holds it in part: it is written out in `more`
            continue
        try:
            text, held = form.text(known.name), _at(before, known.path)
            # What nobody has changed stays as it was, however it was written.
            unchanged = held is not None and v.can_write(known.form, held) and known.form.write(held) == text
            value = held if unchanged else known.form.read(text)
        except ValueError as error:
            problems.append(Problem(known.name, str(error), fatal=True))
            continue
        if value is not None:
            _put(document, known.path, value, before)
    suppression = document.get("alert_suppression")
    if isinstance(suppression, dict) and not suppression.get("group_by") and "duration" not in suppression:
        del document["alert_suppression"]
    document["type"] = form.type
    for name in ("query", "threat_query"):
        if form.text(name).strip():
            document[name] = form.text(name)
    for name in ("language", "threat_language"):
        if form.text(name):
            document[name] = form.text(name)
    return document, problems


def _at(document: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any, before: Mapping[str, Any]) -> None:
    if len(path) == 1:
        document[path[0]] = value
        return
    outer, inner = path
    if outer not in document:
        shown = {known.path[1] for known in FIELDS if known.path[0] == outer and len(known.path) == 2}
        kept = before.get(outer)
        document[outer] = {k: held for k, held in kept.items() if k not in shown} if isinstance(kept, dict) else {}
    document[outer][inner] = value


def _with_plain_terms(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document of new terms with its fields where Kibana has them; those of TOML have them one deeper."""
    if not isinstance(document.get("new_terms"), dict) or document.get("type") != "new_terms":
        return document
    try:
        rule = read_rule({"rule_id": "-", **document})
    except RuleError:
        return document
    outer = {name: value for name, value in document.items() if name != "new_terms"}
    return {**outer, "new_terms_fields": list(rule.terms_fields), "history_window_start": rule.history_start}
