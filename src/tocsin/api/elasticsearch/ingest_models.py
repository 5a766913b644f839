"""What becomes of documents that are sent, with Elasticsearch's names."""

from __future__ import annotations

from pydantic import Field

from tocsin.api.models import ErrorCause, PartialResponseModel, ResponseModel


class WriteShards(ResponseModel):
    """Elasticsearch's copies of a document; here one, on disk."""

    total: int = Field(description="One.")
    successful: int = Field(description="One.")
    failed: int = Field(description="None.")


class StoredDocument(PartialResponseModel):
    """A document that is on disk."""

    index: str = Field(alias="_index", description="The index that it is in.")
    id: str = Field(alias="_id", description="Its id: the one that was given, or a new one.")
    result: str = Field(description="`created`, or `noop` where it was there already.", examples=["created"])
    version: int = Field(default=1, alias="_version", description="Documents are not changed: 1.")
    shards: WriteShards | None = Field(default=None, alias="_shards", description="One copy, on disk.")
    seq_no: int = Field(default=0, alias="_seq_no", description="Not counted.")
    primary_term: int = Field(default=1, alias="_primary_term", description="Not counted.")


class BulkItem(PartialResponseModel):
    """What has become of one action: it is stored, or there is an `error`."""

    index: str | None = Field(alias="_index", description="The index.")
    id: str | None = Field(alias="_id", description="The document's id.")
    status: int = Field(description="The status that it would have by itself.", examples=[201])
    result: str | None = Field(default=None, description="`created`, or `noop` where it was there already.")
    error: ErrorCause | None = Field(default=None, description="Why it is not stored.")
    version: int = Field(default=1, alias="_version", description="Documents are not changed: 1.")
    shards: WriteShards | None = Field(default=None, alias="_shards", description="One copy, on disk.")
    seq_no: int = Field(default=0, alias="_seq_no", description="Not counted.")
    primary_term: int = Field(default=1, alias="_primary_term", description="Not counted.")


class BulkAnswer(ResponseModel):
    """What has become of the actions of a bulk request."""

    errors: bool = Field(description="Whether there is an action that failed.")
    took: int = Field(description="Milliseconds.")
    items: list[dict[str, BulkItem]] = Field(
        description="An item for each action in their order, under its name: `create` or `index`."
    )
