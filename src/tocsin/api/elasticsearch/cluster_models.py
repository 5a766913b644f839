"""What clients are told of the cluster, which is this service, with Elasticsearch's names."""

from __future__ import annotations

from typing import Any

from pydantic import Field, RootModel

from tocsin.api.models import OpenResponseModel, RequestModel, ResponseModel


class ElasticsearchVersion(OpenResponseModel):
    """A release of Elasticsearch."""

    number: str = Field(description="The release.", examples=["9.4.0"])
    build_flavor: str = Field(description="`default`: clients refuse others.")


class ClusterInfo(ResponseModel):
    """What clients check first."""

    name: str = Field(description="The node's name.")
    cluster_name: str = Field(description="The cluster's name.")
    cluster_uuid: str = Field(description="The id of this installation.")
    version: ElasticsearchVersion = Field(description="The release whose interface this is.")
    tagline: str = Field(description="Elasticsearch's, by which clients know it.")


class KibanaStatus(OpenResponseModel):
    """What clients of Kibana check first."""

    name: str = Field(description="The name.")
    uuid: str = Field(description="The id of this installation.")
    version: dict[str, Any] = Field(description="The release whose interface this is.")
    status: dict[str, Any] = Field(description="`available`.")


class ClusterHealth(OpenResponseModel):
    """Whether events can be stored."""

    cluster_name: str = Field(description="The cluster's name.")
    status: str = Field(description="`green`, `yellow` where an index is set aside, `red` if none is stored.")
    timed_out: bool = Field(description="False.")
    number_of_nodes: int = Field(description="One.")
    active_shards: int = Field(description="How many indices there are.")


class License(ResponseModel):
    """The licence that shippers ask for."""

    license: dict[str, Any] = Field(description="A basic one, without end.")


class Features(ResponseModel):
    """Which features there are."""

    build: dict[str, str] = Field(description="Not known.")
    license: dict[str, str] = Field(description="A basic one.")
    features: dict[str, dict[str, bool]] = Field(description="Whether each is available and enabled.")


class Nodes(ResponseModel):
    """The only node."""

    cluster_name: str = Field(description="The cluster's name.")
    nodes: dict[str, dict[str, Any]] = Field(description="The node, by its id.")


class SetUpBody(RequestModel):
    """A template, pipeline or policy, as Elasticsearch takes it."""


class SetUp(RootModel[dict[str, Any]]):
    """What clients have put here, by name; of index and component templates as a list."""
