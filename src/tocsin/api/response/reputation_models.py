"""Lists of indicators, hunts and reputation in requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from tocsin.api.models import RequestModel, ResponseModel
from tocsin.response.reputation.indicator_lists import CONFIDENCES

_NAME = "Its name, which is the `threat.feed.name` of its indicators."
_SOURCE = "Where its indicators come from."
_CONFIDENCE = f"The confidence of indicators that have none of their own: {', '.join(CONFIDENCES)}."
_DAYS = "For how many days after a load indicators are valid that do not say until when."
_SHA256 = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
_INDICATORS = "Values: hashes, domains, addresses, URLs, paths, registry keys, also as `hxxp://evil[.]example`."


class NewIndicatorList(RequestModel):
    """A list of indicators that is made or changed."""

    name: str = Field(description=_NAME, examples=["ISAC, weekly"])
    source: str = Field(default="", description=_SOURCE, examples=["https://isac.example/feed"])
    confidence: str | None = Field(default=None, description=_CONFIDENCE, examples=["High"])
    valid_days: int | None = Field(default=None, description=_DAYS, examples=[90])


class IndicatorListDocument(ResponseModel):
    """A list of indicators."""

    id: str = Field(description="Its id.")
    name: str = Field(description=_NAME)
    source: str = Field(description=_SOURCE)
    confidence: str | None = Field(description=_CONFIDENCE)
    valid_days: int | None = Field(description=_DAYS)
    indicators: int = Field(description="How many indicators it has, also expired ones.")
    skipped: dict[str, int] = Field(description="What was not taken at the last load, by reason.")
    created: datetime = Field(description="When it was made.")
    created_by: str = Field(description="Who made it.")
    updated: datetime = Field(description="When it was changed last.")
    updated_by: str = Field(description="Who changed it last.")


class IndicatorLists(ResponseModel):
    """All lists of indicators."""

    lists: list[IndicatorListDocument] = Field(description="The lists, by name.")


class LoadedIndicators(ResponseModel):
    """What came of a load."""

    taken: int = Field(description="How many indicators the list got.")
    indicators: int = Field(description="How many it has now.")
    skipped: dict[str, int] = Field(description="What was not taken, by reason.")


class IndicatorValues(RequestModel):
    """Values of indicators."""

    values: list[str] = Field(description=_INDICATORS, examples=[[_SHA256]])


class RemovedIndicators(ResponseModel):
    """What came of a removal."""

    removed: int = Field(description="How many indicators were removed.")


class NewIndicatorHunt(RequestModel):
    """A hunt that is asked for."""

    name: str = Field(description="Its name.", examples=["Case 7: the dropper"])
    indicators: list[str] = Field(default=[], description=_INDICATORS, examples=[[_SHA256]])
    indicator_list: str | None = Field(
        default=None, description="The id or name of a list of indicators, instead of values."
    )
    case_id: str | None = Field(default=None, description="The case for which it is.")


class IndicatorHuntDocument(ResponseModel):
    """A hunt for indicators."""

    id: str = Field(description="Its id.")
    name: str = Field(description="Its name.")
    case_id: str | None = Field(description="The case for which it is.")
    state: str = Field(description="`waiting`, `running`, `done`, `cancelled` or `failed`.")
    asked: datetime = Field(description="When it was asked for.")
    asked_by: str = Field(description="Who asked for it.")
    ended: datetime | None = Field(description="When it ended.")
    progress: dict[str, Any] = Field(description="Spans of time that are done, that there are, and sightings.")
    error: str | None = Field(description="Why it failed.")
    result: dict[str, Any] | None = Field(
        default=None, description="What it found: `hosts`, and `sightings` by host, event's field and value."
    )


class IndicatorHuntDocuments(ResponseModel):
    """Hunts for indicators."""

    hunts: list[IndicatorHuntDocument] = Field(description="The hunts, the newest first, without their results.")


class ReputationQuestion(RequestModel):
    """A question to a service about an observable."""

    service: str = Field(description="The service.", examples=["virustotal"])
    kind: str = Field(description="`hash`, `domain`, `address` or `URL`.", examples=["hash"])
    value: str = Field(description="The value, which is sent to the service.", examples=[_SHA256])
    again: bool = Field(default=False, description="Ask although it was asked within a day.")


class ReputationAnswer(ResponseModel):
    """What a service says of an observable."""

    service: str = Field(description="The service.")
    state: str = Field(description="`asking`, `answered` or `failed`.")
    asked: datetime = Field(description="When it was asked.")
    asked_by: str = Field(description="Who asked.")
    rating: str | None = Field(description="`malicious`, `suspicious`, `harmless` or `unknown`, if it answered.")
    says: str = Field(description="Its own figures, or why there is no answer.")


class ReputationLimit(ResponseModel):
    """How much of a limit of a service is used."""

    questions: int = Field(description="How many questions it takes.")
    seconds: int = Field(description="In how many seconds.")
    used: int = Field(description="How many went to it in that time.")


class ReputationServiceDocument(ResponseModel):
    """What is set about a service. Its key is never given back."""

    id: str = Field(description="The service.")
    name: str = Field(description="Its name.")
    enabled: bool = Field(description="Whether it may be asked.")
    automatic: bool = Field(description="Whether it is asked when an alert's observables are looked at.")
    address: str = Field(description="Where it is asked.")
    has_key: bool = Field(description="Whether there is a key.")
    kinds: list[str] = Field(description="The kinds of observables that it knows.")
    blocked_until: datetime | None = Field(description="Until when it said not to ask.")
    limits: list[ReputationLimit] = Field(description="Its quotas.")


class ReputationServices(ResponseModel):
    """The services that judge observables, and the domains of which nothing is sent to them."""

    services: list[ReputationServiceDocument] = Field(description="The services.")
    own_domains: list[str] = Field(description="Domains that, with all names below them, are never sent.")


class ReputationServiceChange(RequestModel):
    """What is set about a service."""

    enabled: bool = Field(description="Whether it may be asked.", examples=[True])
    automatic: bool = Field(default=False, description="Whether it is asked without a click.")
    key: str = Field(default="", description="Its key; without one, that which it has stays.", examples=["…"])
    address: str = Field(default="", description="Where it is asked, if not where the vendor has it.")
    remove_key: bool = Field(default=False, description="Forget its key.")


class OwnDomains(RequestModel):
    """The domains that are never sent."""

    own_domains: list[str] = Field(description="The domains.", examples=[["contoso.com"]])


class OwnDomainsDocument(ResponseModel):
    """The domains that are never sent."""

    own_domains: list[str] = Field(description="The domains.")
