"""Indices, their fields and their documents, as requests and answers name them, with Elasticsearch's names."""

from __future__ import annotations

from typing import Any

from pydantic import Field, RootModel

from tocsin.api.models import (
    AnyObject,
    OpenResponseModel,
    PartialResponseModel,
    RequestModel,
    ResponseModel,
)

_PROPERTIES = {"process": {"properties": {"name": {"type": "keyword"}}}}


class NewIndex(RequestModel):
    """What an index has beyond what templates give it."""

    mappings: AnyObject = Field(None, description="Its mapping.", examples=[{"properties": _PROPERTIES}])
    settings: AnyObject = Field(None, description="Settings; they are kept, and few have an effect.")
    aliases: AnyObject = Field(None, description="Aliases, which are left out.")


class NewFields(RequestModel):
    """Fields that mappings get; members that the model does not name are those of mappings."""

    properties: AnyObject = Field(None, description="The fields with their types.", examples=[_PROPERTIES])
    dynamic: Any = Field(None, description="What becomes of fields that the mapping does not name.")


class FieldCapsBody(RequestModel):
    """Which fields are asked for."""

    fields: Any = Field(None, description="Their names or patterns.", examples=[["process.*"]])


# ---- answers


class MadeIndex(ResponseModel):
    """An index that was made."""

    acknowledged: bool = Field(default=True, description="Always true.")
    shards_acknowledged: bool = Field(default=True, description="Always true.")
    index: str = Field(description="Its name.")


class IndexSettings(ResponseModel):
    """The settings of an index."""

    settings: dict[str, Any] = Field(description="The settings, below `index`.")


class MappingOfIndex(ResponseModel):
    """The mapping of an index."""

    mappings: dict[str, Any] = Field(description="The mapping, with the fields that events brought along.")


class IndexDescription(ResponseModel):
    """All about an index."""

    aliases: dict[str, Any] = Field(description="None.")
    mappings: dict[str, Any] = Field(description="The mapping, with the fields that events brought along.")
    settings: dict[str, Any] = Field(description="The settings, below `index`.")


class FieldMapping(ResponseModel):
    """The mapping of a field."""

    full_name: str = Field(description="The whole name.", examples=["process.name"])
    mapping: dict[str, Any] = Field(description="The mapping, by the last part of the name.")


class FieldMappings(ResponseModel):
    """The mappings of some fields of an index."""

    mappings: dict[str, FieldMapping] = Field(description="The mappings by the fields' names.")


class FieldCapability(PartialResponseModel):
    """What can be done with a field, where it has one type."""

    type: str = Field(description="The type.", examples=["keyword"])
    metadata_field: bool = Field(description="False.")
    searchable: bool = Field(description="Whether queries can test it.")
    aggregatable: bool = Field(description="Whether aggregations can count it.")
    indices: list[str] = Field(default=[], description="The indices with this type, where others have another.")


class FieldCaps(ResponseModel):
    """The fields of indices."""

    indices: list[str] = Field(description="The indices.")
    fields: dict[str, dict[str, FieldCapability]] = Field(description="What can be done, by field and type.")


class SettingsByIndex(RootModel[dict[str, IndexSettings]]):
    """The settings of indices by their names."""


class MappingsByIndex(RootModel[dict[str, MappingOfIndex]]):
    """The mappings of indices by their names."""


class FieldMappingsByIndex(RootModel[dict[str, FieldMappings]]):
    """The mappings of fields by the names of their indices."""


class IndicesByName(RootModel[dict[str, IndexDescription]]):
    """Indices by their names."""


class CatIndices(RootModel[list[dict[str, str]]]):
    """A row for each index, of cells by their columns."""


class FoundDocument(PartialResponseModel):
    """A document, if there is one."""

    index: str = Field(alias="_index", description="The index.")
    id: str = Field(alias="_id", description="The id.")
    is_there: bool = Field(alias="found", description="Whether there is one.")
    source: Any = Field(default=None, alias="_source", description="The document.")
    version: int = Field(default=1, alias="_version", description="Documents are not changed: 1.")
    seq_no: int = Field(default=0, alias="_seq_no", description="Not counted.")
    primary_term: int = Field(default=1, alias="_primary_term", description="Not counted.")


class EventSource(RootModel[dict[str, Any]]):
    """An event as it came."""


class DataStream(OpenResponseModel):
    """A data stream: an index by another name."""

    name: str = Field(description="Its name.")
    timestamp_field: dict[str, str] = Field(description="The field that says when an event was.")
    indices: list[dict[str, str]] = Field(description="The index.")
    generation: int = Field(description="1.")
    status: str = Field(description="GREEN.")
    template: str = Field(description="tocsin.")


class DataStreams(ResponseModel):
    """Data streams."""

    data_streams: list[DataStream] = Field(description="The data streams that the pattern takes.")
