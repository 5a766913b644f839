"""Exception lists, exceptions and lists of values in requests and answers, with Kibana's names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from tocsin.api.models import (
    AnyText,
    AnyTexts,
    OpenResponseModel,
    RequestModel,
    ResponseModel,
)
from tocsin.management.exceptions.values import TYPES

_ENTRY = {"field": "process.executable", "operator": "included", "type": "match", "value": "C:\\Tools\\scan.exe"}
_LIST_ID, _ITEM_ID, _VALUES_ID = "allowed-tools", "allowed-scanner", "known-scanners"
_ListType = Annotated[Any, WithJsonSchema({"type": "string"})]
_ListId = Annotated[
    str | None, Field(description="The list's name, of the one who makes it.", examples=[_LIST_ID])
]
_Entries = Annotated[
    list[dict[str, Any]] | None,
    Field(description="What an event must be like to be left out: all entries are met.", examples=[[_ENTRY]]),
]
_Uuid = Annotated[str | None, Field(description="The id that the service has given.")]
_Comments = Annotated[list[Any] | None, Field(description="Comments: texts, or objects with one.")]
_Expires = Annotated[
    str | None, Field(description="From when it has no effect.", examples=["2027-01-01T00:00:00Z"])
]
_Systems = Annotated[AnyTexts, Field(description="For which systems it is.", examples=[["windows"]])]
_Tags = Annotated[AnyTexts, Field(description="Tags.", examples=[["scanner"]])]
_Namespace = Annotated[AnyText, Field(description="`single` or `agnostic`.", examples=["single"])]


# ---- requests


class ExceptionListBody(RequestModel):
    """An exception list."""

    id: _Uuid = None
    list_id: _ListId = None
    name: str = Field(description="Its title.", examples=["Tools that may do this"])
    description: AnyText = Field(default=None, description="What it is for.", examples=["Scanners of our own."])
    type: _ListType = Field(
        default=None, description="`detection`, `rule_default` or `endpoint`.", examples=["detection"]
    )
    namespace_type: _Namespace = None
    os_types: _Systems = None
    tags: _Tags = None


class ExceptionItemMembers(RequestModel):
    """What an exception is made of."""

    id: _Uuid = None
    item_id: str | None = Field(default=None, description="The exception's name.", examples=[_ITEM_ID])
    name: str | None = Field(default=None, description="Its title.", examples=["The scanner of the network"])
    description: AnyText = Field(default=None, description="Why.", examples=["It scans every night."])
    type: AnyText = Field(default=None, description="`simple`.", examples=["simple"])
    entries: _Entries = None
    comments: _Comments = None
    expire_time: _Expires = None
    namespace_type: _Namespace = None
    os_types: _Systems = None
    tags: _Tags = None


class ExceptionItemBody(ExceptionItemMembers):
    """An exception, and the list that it is of."""

    list_id: _ListId = None


class RuleExceptions(RequestModel):
    """Exceptions of one rule."""

    items: list[dict[str, Any]] | None = Field(
        default=None,
        description="The exceptions, which need no list: they come into a list of the rule's own.",
        examples=[[{"name": "The scanner", "type": "simple", "entries": [_ENTRY]}]],
    )


_TypeOfValues = Annotated[str, Field(description=f"One of {', '.join(TYPES)}.", examples=["ip_range"])]


class ValueListBody(RequestModel):
    """A list of values."""

    id: str | None = Field(default=None, description="The list's name.", examples=[_VALUES_ID])
    list_id: str | None = Field(default=None, description="Not used.")
    name: str = Field(description="Its title.", min_length=1, examples=["Known scanners"])
    type: _TypeOfValues
    description: str | None = Field(default=None, description="What it is for.", examples=["Scanners of our own."])


class ValueListChange(RequestModel):
    """What is changed of a list of values."""

    id: str = Field(description="The list's name.", min_length=1, examples=[_VALUES_ID])
    name: str | None = Field(default=None, description="Its new title.", examples=["Scanners"])
    description: str | None = Field(default=None, description="What it is for.", examples=["Scanners of our own."])
    meta: dict[str, Any] | None = Field(default=None, description="What else is kept with it.")


class ValueBody(RequestModel):
    """A value for a list."""

    id: str | None = Field(default=None, description="Not used: the service gives a value its id.")
    list_id: str = Field(description="The list's name.", min_length=1, examples=[_VALUES_ID])
    value: str = Field(description="The value.", min_length=1, examples=["10.0.0.0/24"])


class ValueChange(RequestModel):
    """Another value in the place of one."""

    id: str = Field(description="The id of the value.", min_length=1)
    value: str = Field(description="The new value.", min_length=1, examples=["10.0.1.0/24"])


# ---- answers


class _Managed(OpenResponseModel):
    """What the service itself says of an exception or a list."""

    id: str = Field(description="The id that the service has given.")
    tie_breaker_id: str = Field(description="The same.")
    version: str = Field(alias="_version", description="Empty: changes are not held against a version.")
    created_at: str = Field(description="When it was made.", examples=["2026-01-01T12:00:00+00:00"])
    created_by: str = Field(description="Who made it.", examples=["engineer"])
    updated_at: str = Field(description="When it was changed last.", examples=["2026-01-01T12:00:00+00:00"])
    updated_by: str = Field(description="Who changed it last.", examples=["engineer"])


class ExceptionListDocument(_Managed):
    """An exception list, with all that it was given."""

    list_id: str = Field(description="The list's name, of the one who made it.", examples=[_LIST_ID])
    name: str = Field(description="Its title.", examples=["Tools that may do this"])
    description: AnyText = Field(description="What it is for.", examples=["Scanners of our own."])
    type: _ListType = Field(description="`detection`, `rule_default` or `endpoint`.", examples=["detection"])
    namespace_type: _Namespace
    os_types: _Systems
    tags: _Tags


class ExceptionItemDocument(_Managed):
    """An exception, with all that it was given."""

    item_id: str = Field(description="The exception's name.", examples=[_ITEM_ID])
    list_id: str = Field(description="The name of its list.", examples=[_LIST_ID])
    description: AnyText = Field(description="Why.", examples=["It scans every night."])
    type: AnyText = Field(description="`simple`.", examples=["simple"])
    entries: list[dict[str, Any]] = Field(description="What an event must be like.", examples=[[_ENTRY]])
    comments: list[Any] = Field(description="Comments, with who made them and when.")
    namespace_type: _Namespace
    os_types: _Systems
    tags: _Tags


class NoDocument(ResponseModel):
    """Nothing: what should be made is there."""


class _Page(ResponseModel):
    """A page of what there is."""

    page: int = Field(description="Which page.", examples=[1])
    per_page: int = Field(description="How many a page has at most.", examples=[20])
    total: int = Field(description="How many there are on all pages.", examples=[1])


class ExceptionListPage(_Page):
    """Exception lists, a page of them."""

    data: list[ExceptionListDocument] = Field(description="The lists.")


class ExceptionItemPage(_Page):
    """Exceptions, a page of them."""

    data: list[ExceptionItemDocument] = Field(description="The exceptions.")


class ExceptionSummary(ResponseModel):
    """How many exceptions of a list are for which systems."""

    windows: int = Field(description="For Windows.", examples=[3])
    linux: int = Field(description="For Linux.", examples=[0])
    macos: int = Field(description="For macOS.", examples=[0])
    total: int = Field(description="All, those that name no system too.", examples=[5])


class HiddenAlerts(ResponseModel):
    """Which alerts an exception would have hidden."""

    total: int = Field(description="How many alerts.", examples=[1])
    ids: list[str] = Field(description="The ids of the first 1,000.")


class ValueListDocument(_Managed):
    """A list of values."""

    name: str = Field(description="Its title.", examples=["Known scanners"])
    type: _TypeOfValues
    description: AnyText = Field(description="What it is for.", examples=["Scanners of our own."])
    immutable: bool = Field(description="False: it may be changed.")


class ValueDocument(ResponseModel):
    """A value of a list."""

    id: str = Field(description="The id that the service has given.")
    list_id: str = Field(description="The list's name.", examples=[_VALUES_ID])
    value: str = Field(description="The value.", examples=["10.0.0.0/24"])
    type: _TypeOfValues
    version: str = Field(alias="_version", description="Empty: changes are not held against a version.")
    tie_breaker_id: str = Field(description="The id.")
    created_at: str = Field(description="When it was added.", examples=["2026-01-01T12:00:00+00:00"])
    created_by: str = Field(description="Who added it.", examples=["engineer"])
    updated_at: str = Field(description="The same as when it was added.", examples=["2026-01-01T12:00:00+00:00"])
    updated_by: str = Field(description="The same as who added it.", examples=["engineer"])


class ValueListPage(_Page):
    """Lists of values, a page of them."""

    data: list[ValueListDocument] = Field(description="The lists.")
    cursor: str = Field(description="Empty: pages are named by their numbers.")


class ValuePage(_Page):
    """Values of a list, a page of them."""

    data: list[ValueDocument] = Field(description="The values.")
    cursor: str = Field(description="Empty: pages are named by their numbers.")


class ListIndexCreation(ResponseModel):
    """Lists of values can be kept from now on."""

    acknowledged: bool = Field(default=True, description="True.")


class ListIndices(ResponseModel):
    """That lists of values can be kept."""

    list_index: bool = Field(default=True, description="True.")
    list_item_index: bool = Field(default=True, description="True.")


class ListRights(ResponseModel):
    """What the one who asks may do with lists of values."""

    username: str = Field(description="Who asks.", examples=["engineer"])
    has_all_requested: bool = Field(description="Whether all is allowed.")
    cluster: dict[str, bool] = Field(default_factory=dict, description="Empty.")
    application: dict[str, bool] = Field(default_factory=dict, description="Empty.")
    index: dict[str, dict[str, bool]] = Field(
        description="By the index of lists, what may be done.", examples=[{".lists-default": {"read": True}}]
    )


class ListPrivileges(ResponseModel):
    """What the one who asks may do with lists of values, and with the values."""

    lists: ListRights = Field(description="With lists.")
    listItems: ListRights = Field(description="With values: the same.")
    is_authenticated: bool = Field(default=True, description="True: nobody else is answered.")
