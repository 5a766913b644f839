"""What rules name, and what of it is not there: exception lists and connectors, in Kibana's words."""

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
    """Return a rule without the exception lists that are not there, and what is told of each.

    The list of Elastic Endpoint, which Elastic's rules name, is made when a rule first names it.
    """
    document = dict(body)
    named = lists_of(document)
    if ENDPOINT_LIST in named:
        endpoint_list(session, actor)
    missing = set(named) - list_ids(session) if named else set()
    if not missing:
        return document, []
    document["exceptions_list"] = [
        one for one in document["exceptions_list"] if str(one.get("list_id")) not in missing
    ]
    told = 'Rule with rule_id: "{}" references a non existent exception list of list_id: "{}". '
    told += "Reference has been removed."
    return document, [
        Problem("exceptions_list", told.format(document.get("rule_id"), name)) for name in named if name in missing
    ]


def connectors_of(document: Mapping[str, Any]) -> list[str]:
    """Return the ids of the connectors that a rule's actions name, each once."""
    found = document.get("actions")
    actions = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return list(dict.fromkeys(str(one["id"]) for one in actions if "id" in one))


def missing_connectors(session: Session, document: Mapping[str, Any]) -> list[str]:
    """Return the ids of the connectors that a rule's actions name and that are not there."""
    named = connectors_of(document)
    known = set(session.scalars(select(Connector.id).where(Connector.id.in_(named)))) if named else set()
    return [name for name in named if name not in known]


def missing_connectors_message(connectors: Sequence[str]) -> str:
    """Return what is said of connectors that are not there, in Kibana's words."""
    one = len(connectors) == 1
    words = (
        "connector is missing. Connector id missing is"
        if one
        else "connectors are missing. Connector ids missing are"
    )
    return f"{len(connectors)} {words}: {', '.join(connectors)}"


class MissingConnectorsError(InvalidError):
    """A rule's actions name `connectors` that are not there."""

    def __init__(self, connectors: Sequence[str]) -> None:
        super().__init__(f"actions: {missing_connectors_message(connectors)}")
        self.connectors = tuple(connectors)


def check_connectors(session: Session, document: Mapping[str, Any], before: Collection[str] = ()) -> list[Problem]:
    """Return a problem for connectors that are not there, if the rule has named them `before`.

    Raises MissingConnectorsError for those that it has not.
    """
    missing = missing_connectors(session, document)
    new = [name for name in missing if name not in before]
    if new:
        raise MissingConnectorsError(new)
    return [Problem("actions", missing_connectors_message(missing))] if missing else []
