"""What models of the interface's requests and answers share, and the two forms of an error."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

# Members whose type the schema names, and what reads the document checks, with words of its own.
AnyText = Annotated[Any, WithJsonSchema({"type": "string"})]
AnyNumber = Annotated[Any, WithJsonSchema({"type": "number"})]
AnyObject = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": True})]
AnyTexts = Annotated[Any, WithJsonSchema({"type": "array", "items": {"type": "string"}})]
AnyObjects = Annotated[Any, WithJsonSchema({"type": "array", "items": {"type": "object"}})]
AnyList = Annotated[Any, WithJsonSchema({"type": "array", "items": {}})]
AnyWhole = Annotated[Any, WithJsonSchema({"type": "integer"})]
AnyFlag = Annotated[Any, WithJsonSchema({"type": "boolean"})]


class RequestModel(BaseModel):
    """A JSON object that a client sends. What it sends beyond the members of the model is taken too."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    def document(self) -> dict[str, Any]:
        """Return the members that were sent, those beyond the model among them, under the names as sent."""
        sent = {
            field.alias or name: getattr(self, name)
            for name, field in type(self).model_fields.items()
            if name in self.model_fields_set
        }
        return sent | (self.model_extra or {})


class UploadForm(RequestModel):
    """A form that brings a file along."""

    file: Annotated[bytes, WithJsonSchema({"type": "string", "contentMediaType": "application/octet-stream"})] = (
        Field(description="The file.")
    )


class ResponseModel(BaseModel):
    """A JSON object that is answered: the members of the model, all of them, and no others."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, json_schema_serialization_defaults_required=True
    )


class OpenResponseModel(BaseModel):
    """A JSON object that is answered with the members of the model, if it has them, and any others.

    It describes documents that are answered as they are kept.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class PartialResponseModel(BaseModel):
    """A JSON object that is answered: members of the model, without some of those that have a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class AcknowledgedChange(ResponseModel):
    """A change that was made."""

    acknowledged: bool = Field(default=True, description="Always true: what cannot be done is an error.")


# ---- errors


class ErrorCause(ResponseModel):
    """Why a request is refused, in Elasticsearch's words."""

    type: str = Field(description="Elasticsearch's name of the error.", examples=["illegal_argument_exception"])
    reason: str = Field(description="What is wrong, and with what.", examples=["[size] is 10,001, at most 10,000"])


class ErrorDetails(ErrorCause):
    """Why a request is refused, with the causes below it."""

    root_cause: list[ErrorCause] = Field(description="The causes: one, the same.")


class ElasticsearchError(ResponseModel):
    """An error in Elasticsearch's form."""

    error: ErrorDetails = Field(description="Why the request is refused.")
    status: int = Field(description="The status of HTTP.", examples=[400])


class KibanaError(ResponseModel):
    """An error in Kibana's form; `status_code` is how its detection engine says `statusCode`."""

    statusCode: int = Field(description="The status of HTTP.", examples=[400])
    error: str = Field(description="The status in words.", examples=["Bad Request"])
    message: str = Field(description="What is wrong, and with what.", examples=["[request body]: name: Required"])
    status_code: int = Field(description="The status of HTTP.", examples=[400])


# What a route says that may answer with these: `responses=NOT_FOUND`.
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is nothing of this id or name."}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "There is one of this id already."}}
