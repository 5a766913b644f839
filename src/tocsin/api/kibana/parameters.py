"""Parameters of addresses that several of Kibana's routes have, with what `/docs` says of them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query

_UUID = "0b3e8bd2-8f0f-4c9e-9d5a-6f1a1c2b3d4e"

# ---- rules and alerts

_RULE_ID = "The id that the service has given the rule."
RuleUuid = Annotated[str | None, Query(description=f"{_RULE_ID} Either this or `rule_id`.", examples=[_UUID])]
RuleId = Annotated[
    str | None,
    Query(
        description="The rule's `rule_id`, which moves along in exports.", examples=["office-starts-powershell"]
    ),
]
RuleUuidInPath = Annotated[str, Path(description=_RULE_ID, examples=[_UUID])]
RuleUuidFilter = Annotated[
    str | None, Query(description="Only those of the rule with this `id`; without it, of all.", examples=[_UUID])
]
AlertIdInPath = Annotated[str, Path(description="The alert's id, `_id` of a search's hit.")]

# ---- exceptions

ListUuid = Annotated[
    str | None, Query(description="The id that the service has given the list. Either this or `list_id`.")
]
ListId = Annotated[
    str | None, Query(description="The name that whoever made the list gave it.", examples=["allowed-tools"])
]
ItemUuid = Annotated[
    str | None, Query(description="The id that the service has given the exception. Either this or `item_id`.")
]
ItemId = Annotated[
    str | None,
    Query(description="The name that whoever made the exception gave it.", examples=["allowed-scanner"]),
]
ValueListId = Annotated[str, Query(description="The list's name.", examples=["known-scanners"])]
ValueListOfValue = Annotated[
    str | None,
    Query(description="The list's name, where the value has no `id` here.", examples=["known-scanners"]),
]
ValueUuid = Annotated[str | None, Query(description="The id that the service has given the value.")]
ValueOfList = Annotated[
    str | None, Query(description="Of the list `list_id`, this value.", examples=["10.0.0.0/24"])
]

# ---- connectors

ConnectorIdInPath = Annotated[
    str, Path(description="The connector's id, which actions of rules name.", examples=["soc-channel"])
]

# ---- what is there, page by page

PageNumber = Annotated[int, Query(ge=1, le=10_000, description="Which page; the first is 1.")]
PageSize = Annotated[int, Query(ge=1, le=10_000, description="How many a page has at most.")]
SortOrder = Annotated[
    Literal["asc", "desc"], Query(description="Whether the lowest come first (`asc`) or the highest (`desc`).")
]
RowCount = Annotated[int, Query(ge=1, le=1000, description="How many at most; the newest come first.")]

# ---- files

Overwrites = Annotated[
    bool,
    Query(description="Whether what is imported replaces what has the same id. Otherwise this is left as it is."),
]
