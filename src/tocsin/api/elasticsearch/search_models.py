"""What searches ask for, and what they are answered, with Elasticsearch's names.

The JSON of answers is made in a process of its own. It is described here, and not read again on its way.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from tocsin.api.models import (
    AnyFlag,
    AnyList,
    AnyObject,
    AnyText,
    AnyWhole,
    ErrorDetails,
    OpenResponseModel,
    PartialResponseModel,
    RequestModel,
    ResponseModel,
)

_QUERY = "A query in Elasticsearch's query language, which the events fit; all of them without one."
_TERM = {"term": {"process.name": "powershell.exe"}}


class SearchBody(RequestModel):
    """A search; members that the model does not name are taken or refused as the reference says."""

    query: AnyObject = Field(None, description=_QUERY, examples=[_TERM])
    size: AnyWhole = Field(None, description="How many events are returned at most: 10 by itself.", examples=[20])
    offset: AnyWhole = Field(None, alias="from", description="How many of the first events are left out.")
    sort: AnyList = Field(None, description="The order.", examples=[[{"@timestamp": "desc"}]])
    search_after: AnyList = Field(None, description="The `sort` of a hit, behind which the search goes on.")
    source: Any = Field(
        None, alias="_source", description="Which parts of the documents are shown.", examples=[["process.*"]]
    )
    fields: AnyList = Field(None, description="Fields that are shown beside the document.", examples=[["host.*"]])
    aggs: AnyObject = Field(
        None, description="Aggregations.", examples=[{"hosts": {"terms": {"field": "host.name"}}}]
    )
    track_total_hits: Any = Field(None, description="Whether the events that fit are counted.", examples=[True])
    timeout: AnyText = Field(None, description="After how long the search ends.", examples=["30s"])


class CountBody(RequestModel):
    """Which events are counted."""

    query: AnyObject = Field(None, description=_QUERY, examples=[_TERM])


class EqlBody(RequestModel):
    """A search in EQL; members that the model does not name are taken or refused as the reference says."""

    model_config = ConfigDict(json_schema_extra={"required": ["query"]})

    query: AnyText = Field(
        None, description="The query.", examples=['process where process.name == "powershell.exe"']
    )
    size: AnyWhole = Field(None, description="How many events or sequences are returned at most: 10 by itself.")
    filter: AnyObject = Field(None, description=_QUERY, examples=[{"range": {"@timestamp": {"gte": "now-1d"}}}])
    fields: AnyList = Field(None, description="Fields that are shown beside the document.", examples=[["host.*"]])
    result_position: AnyText = Field(None, description="`head` or `tail`: which of more than `size` are returned.")
    timestamp_field: AnyText = Field(None, description="The field that says when an event was: `@timestamp`.")
    tiebreaker_field: AnyText = Field(None, description="The field that orders events of one moment.")
    event_category_field: AnyText = Field(None, description="The field of the category: `event.category`.")
    wait_for_completion_timeout: AnyText = Field(
        None, description="After how long the answer comes without events, with an id.", examples=["2s"]
    )
    keep_on_completion: AnyFlag = Field(None, description="Whether the answer is kept under an id in any case.")
    keep_alive: AnyText = Field(None, description="How long the answer is kept.", examples=["1h"])


# ---- answers


class Shards(OpenResponseModel):
    """How many indices were asked: each counts as a shard."""

    total: int = Field(description="How many there are.")
    successful: int = Field(description="How many answered.")
    failed: int = Field(description="How many are damaged and set aside.")
    skipped: int = Field(default=0, description="None.")


class HitsTotal(ResponseModel):
    """How many events fit."""

    value: int = Field(description="The number.", examples=[1])
    relation: str = Field(description="`eq`: it is exact.", examples=["eq"])


class SearchHit(OpenResponseModel):
    """An event that fits."""

    index: str = Field(alias="_index", description="The index that it is in.")
    id: str = Field(alias="_id", description="Its id.")
    score: float | None = Field(default=None, alias="_score", description="Of a search that is sorted, null.")
    source: Any = Field(default=None, alias="_source", description="The document.")
    fields: dict[str, Any] = Field(default={}, description="Fields that were asked for, each with its values.")
    sort: list[Any] = Field(default=[], description="What it is sorted by, for `search_after`.")


class SearchHits(PartialResponseModel):
    """The events that fit."""

    total: HitsTotal | int = Field(default=0, description="How many there are, unless they are not counted.")
    max_score: float | None = Field(description="The highest score; all events have the same.")
    hits: list[SearchHit] = Field(description="The events.")


class SearchResponse(OpenResponseModel):
    """What a search has found."""

    took: int = Field(description="Milliseconds.")
    timed_out: bool = Field(description="False: a search that takes too long is an error.")
    shards: Shards = Field(alias="_shards", description="The indices that were asked.")
    hits: SearchHits = Field(description="The events.")
    aggregations: dict[str, Any] = Field(default={}, description="What the aggregations have counted, by name.")


class OneOfSearches(OpenResponseModel):
    """What one of several searches has found, or why it failed."""

    status: int = Field(description="The status that it would have by itself.", examples=[200])
    error: ErrorDetails | None = Field(default=None, description="Why it failed.")
    hits: SearchHits | None = Field(default=None, description="The events.")


class SearchesAnswer(ResponseModel):
    """What several searches have found."""

    took: int = Field(description="Milliseconds; not measured.")
    responses: list[OneOfSearches] = Field(description="An answer for each search, in their order.")


class CountAnswer(ResponseModel):
    """How many events a query finds."""

    count: int = Field(description="The number.", examples=[17])
    shards: Shards = Field(alias="_shards", description="The indices that were asked.")


class EqlEvent(PartialResponseModel):
    """An event that fits."""

    index: str = Field(alias="_index", description="The index that it is in.")
    id: str = Field(alias="_id", description="Its id.")
    source: Any = Field(default=None, alias="_source", description="The document.")
    fields: dict[str, Any] = Field(default={}, description="Fields that were asked for, each with its values.")
    missing: bool = Field(default=False, description="True in place of an event that must be missing (`![…]`).")


class EqlSequence(ResponseModel):
    """Events that fit a sequence or sample together."""

    join_keys: list[Any] = Field(description="The values that they have in common, those after `by`.")
    events: list[EqlEvent] = Field(description="The events, one a step.")


class EqlHits(PartialResponseModel):
    """What fits: events, or sequences of events."""

    total: HitsTotal = Field(description="How many are returned.")
    events: list[EqlEvent] = Field(default=[], description="Of a query for events.")
    sequences: list[EqlSequence] = Field(default=[], description="Of a sequence or sample.")


class EqlAnswer(OpenResponseModel):
    """What a search in EQL has found, so far."""

    id: str = Field(default="", description="By which it is asked for again, if it is kept.")
    is_partial: bool = Field(description="True while it runs, or where an index is set aside.")
    is_running: bool = Field(description="Whether it goes on.")
    took: int = Field(description="Milliseconds.")
    timed_out: bool = Field(description="False.")
    hits: EqlHits = Field(description="What fits.")


class EqlStatus(PartialResponseModel):
    """How far a search in EQL is that is kept."""

    id: str = Field(description="Its id.")
    is_partial: bool = Field(description="Whether it is not complete.")
    is_running: bool = Field(description="Whether it goes on.")
    start_time_in_millis: int = Field(description="When it began, in milliseconds since 1970.")
    expiration_time_in_millis: int = Field(description="Until when it is kept.")
    completion_status: int = Field(default=0, description="200 when it has ended with an answer.")
