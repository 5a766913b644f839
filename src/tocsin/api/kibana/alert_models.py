"""What requests about alerts ask for, and what they are answered, with Kibana's names."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from tocsin.api.models import OpenResponseModel, RequestModel, ResponseModel
from tocsin.management.alert_changes import REASONS

_ID = "4f0a5cbf4c1f4a4e9d7a7d1f0c1b2a3d4e5f60718293a4b5c6d7e8f901234567"
_Body = TypeVar("_Body", bound=RequestModel)
_IDS = Field(default=None, description="The alerts' ids.", examples=[[_ID]])
_QUERY = Field(
    default=None,
    description="In place of ids: a query in Elasticsearch's query language, which the alerts fit.",
    examples=[{"term": {"kibana.alert.rule.name": "Suspicious Child of an Office Program"}}],
)


class AlertSearch(RequestModel):
    """A search of alerts, as Elasticsearch's search API takes it."""

    query: Any = Field(
        None, description="A query in Elasticsearch's query language.", examples=[{"match_all": {}}]
    )
    size: Any = Field(default=None, description="How many alerts are returned at most.", examples=[20])
    sort: Any = Field(default=None, description="The order.", examples=[[{"@timestamp": "desc"}]])
    aggs: Any = Field(
        default=None, description="Aggregations.", examples=[{"a": {"terms": {"field": "host.name"}}}]
    )


class AlertStatus(RequestModel):
    """Which alerts are opened, acknowledged or closed."""

    status: Literal["open", "acknowledged", "closed", "in-progress"] = Field(
        description="The new status; `in-progress` is how older clients say `acknowledged`.", examples=["closed"]
    )
    signal_ids: list[str] | None = _IDS
    query: dict[str, Any] | None = _QUERY
    reason: str | None = Field(
        None, description=f"Why alerts are closed: {', '.join(REASONS)}, or another text.", examples=[REASONS[0]]
    )

    @model_validator(mode="after")
    def _names_alerts(self) -> Self:
        return _names_alerts(self, "signal_ids")


class TagChanges(RequestModel):
    """Tags that alerts get, and tags that are taken from them."""

    tags_to_add: list[str] = Field(default=[], description="Tags that the alerts get.", examples=[["phishing"]])
    tags_to_remove: list[str] = Field(default=[], description="Tags that are taken from them.", examples=[["new"]])


class AlertTags(RequestModel):
    """Which tags which alerts get and lose."""

    ids: list[str] | None = _IDS
    query: dict[str, Any] | None = _QUERY
    tags: TagChanges = Field(description="The tags.")

    @model_validator(mode="after")
    def _names_alerts(self) -> Self:
        return _names_alerts(self, "ids")


class AssigneeChanges(RequestModel):
    """Users to whom alerts are assigned, and users to whom they are no more."""

    add: list[str] = Field(
        default=[], description="Users to whom the alerts are assigned.", examples=[["analyst"]]
    )
    remove: list[str] = Field(default=[], description="Users to whom they are no more.", examples=[["engineer"]])


class AlertAssignees(RequestModel):
    """To whom which alerts are assigned."""

    ids: list[str] | None = _IDS
    query: dict[str, Any] | None = _QUERY
    assignees: AssigneeChanges = Field(description="The users.")

    @model_validator(mode="after")
    def _names_alerts(self) -> Self:
        return _names_alerts(self, "ids")


def _names_alerts(body: _Body, member: str) -> _Body:
    """Return a body. Raises ValueError for one that does not say which alerts it is about."""
    if getattr(body, member) is None and "query" not in body.model_fields_set:
        raise ValueError(f"either [{member}] or [query] says which alerts")
    return body


class AlertNote(RequestModel):
    """A note about an alert."""

    id: str = Field(description="The alert's id.", examples=[_ID])
    note: str = Field(description="The text.", examples=["The user says that it was a test."])


# ---- answers


class AlertHit(OpenResponseModel):
    """An alert that a search has found."""

    index: str = Field(alias="_index", description="The index of alerts.")
    id: str = Field(alias="_id", description="The alert's id.", examples=[_ID])
    source: dict[str, Any] = Field(default={}, alias="_source", description="The alert's document.")


class AlertHits(OpenResponseModel):
    """The alerts that a search has found."""

    total: Any = Field(default=None, description="How many there are.", examples=[{"value": 1, "relation": "eq"}])
    hits: list[AlertHit] = Field(description="Those that were asked for, in their order.")


class AlertSearchAnswer(OpenResponseModel):
    """What a search of alerts has found, in the form of Elasticsearch's search API."""

    took: int = Field(description="Milliseconds that it took.", examples=[12])
    timed_out: bool = Field(description="Whether the time was over before all was looked at.")
    hits: AlertHits = Field(description="The alerts.")
    aggregations: dict[str, Any] = Field(default={}, description="The aggregations, if there are any.")


class AlertUpdate(ResponseModel):
    """What has become of a change of alerts, in the form of Elasticsearch's update by query."""

    took: int = Field(default=0, description="Milliseconds; not measured.")
    timed_out: bool = Field(default=False, description="Never.")
    total: int = Field(description="How many alerts were changed.", examples=[2])
    updated: int = Field(description="How many alerts were changed.", examples=[2])
    deleted: int = Field(default=0, description="None.")
    batches: int = Field(default=1, description="All are changed at once.")
    version_conflicts: int = Field(default=0, description="None.")
    noops: int = Field(default=0, description="None.")
    failures: list[Any] = Field(default=[], description="None: all are changed, or the request is refused.")


class NotedAlert(ResponseModel):
    """The alert that has got a note."""

    id: str = Field(description="The alert's id.", examples=[_ID])


class AlertChangeEntry(ResponseModel):
    """One change of an alert."""

    time: datetime = Field(description="When it was.")
    actor: str = Field(description="Who made it: a user, a key, or the service.", examples=["analyst"])
    field: str = Field(description="What was changed: status, reason, tags, assignees, note.", examples=["status"])
    old: Any = Field(description="What it was.", examples=["open"])
    new: Any = Field(description="What it is since.", examples=["closed"])


class AlertHistoryAnswer(ResponseModel):
    """The changes of an alert."""

    history: list[AlertChangeEntry] = Field(description="The changes, the oldest first.")
