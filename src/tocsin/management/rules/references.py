"""The exception lists and connectors that rules name, and messages about missing ones, in Kibana's words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tocsin.detection.rule_checks import Problem
from tocsin.errors import InvalidError
from tocsin.store.records.access import Actor
from tocsin.store.records.exceptions import ENDPOINT_LIST, endpoint_list, list_ids, lists_of
from tocsin.store.records.models import Connector


def without_missing_lists(
    session: Session, actor: Actor, body: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return a rule without references to missing exception lists, and a problem for each of these.

    The list of Elastic Endpoint, which Elastic's rules name, is created when a rule first names it.
    """
    document = dict(body)
    named = lists_of(document)
    if ENDPOINT_LIST in named:
        endpoint_list(session, actor)
    missing = set(named) - list_ids(session) if named else set()
    if not missing:
        return document, []
    document["exceptions_list"] = [
        reference for reference in document["exceptions_list"] if str(reference.get("list_id")) not in missing
    ]
    message = 'Rule with rule_id: "{}" references a non existent exception list of list_id: "{}". '
    message += "Reference has been removed."
    return document, [
        Problem("exceptions_list", message.format(document.get("rule_id"), name))
        for name in named
        if name in missing
    ]


def connectors_of(document: Mapping[str, Any]) -> list[str]:
    """Return the ids of the connectors that a rule's actions name, each once."""
    given = document.get("actions")
    actions = [action for action in given if isinstance(action, dict)] if isinstance(given, list) else []
    return list(dict.fromkeys(str(action["id"]) for action in actions if "id" in action))


def missing_connectors(session: Session, document: Mapping[str, Any]) -> list[str]:
    """Return the ids of the missing connectors that a rule's actions name."""
    named = connectors_of(document)
    known = set(session.scalars(select(Connector.id).where(Connector.id.in_(named)))) if named else set()
    return [name for name in named if name not in known]


def missing_connectors_message(connectors: Sequence[str]) -> str:
    """Return the message about missing connectors, in Kibana's words."""
    words = (
        "connector is missing. Connector id missing is"
        if len(connectors) == 1
        else "connectors are missing. Connector ids missing are"
    )
    return f"{len(connectors)} {words}: {', '.join(connectors)}"


class MissingConnectorsError(InvalidError):
    """A rule's actions name `connectors` that are missing."""

    def __init__(self, connectors: Sequence[str]) -> None:
        super().__init__(f"actions: {missing_connectors_message(connectors)}")
        self.connectors = tuple(connectors)


def check_connectors(session: Session, document: Mapping[str, Any], before: Collection[str] = ()) -> list[Problem]:
    """Return a problem for missing connectors that the rule has named `before`.

    Raises MissingConnectorsError for other missing ones.
    """
    missing = missing_connectors(session, document)
    new = [name for name in missing if name not in before]
    if new:
        raise MissingConnectorsError(new)
    return [Problem("actions", missing_connectors_message(missing))] if missing else []
