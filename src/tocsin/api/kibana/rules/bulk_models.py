"""What is done with many rules at once, and what has become of it, with Kibana's names."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, RootModel, WithJsonSchema, model_validator

from tocsin.api.kibana.import_models import RefusalReason
from tocsin.api.kibana.rules.models import RuleDocument
from tocsin.api.models import AnyText, RequestModel, ResponseModel
from tocsin.management.rules.bulk_actions import ACTIONS

_MOST_NAMED = 10_000  # rules, as many as Kibana changes at once
_ACTIONS = (*ACTIONS, "export")
_UUID = "0b3e8bd2-8f0f-4c9e-9d5a-6f1a1c2b3d4e"


class RuleBodies(
    RootModel[list[Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/RuleBody"})]]]
):
    """Rules, each of which is held against the model for itself."""


class BulkAction(RequestModel):
    """What is done with which rules."""

    action: str = Field(
        description=f"One of {', '.join(_ACTIONS)}.", examples=["enable"],
        json_schema_extra={"enum": list(_ACTIONS)},
    )  # fmt: skip
    ids: list[str] | None = Field(default=None, description="The rules' ids.", examples=[[_UUID]])
    rule_ids: list[str] | None = Field(default=None, description="The rules' ids or `rule_id`s.")
    query: str | None = Field(
        default=None,
        description="In place of ids: a filter in KQL.",
        examples=['alert.attributes.tags: "Windows"'],
    )
    edit: list[dict[str, Any]] | None = Field(
        default=None,
        description="Of `edit`: what is changed.",
        examples=[[{"type": "add_tags", "value": ["new"]}]],
    )
    duplicate: dict[str, Any] | None = Field(
        default=None, description="Of `duplicate`: which exceptions are copied.",
        examples=[{"include_exceptions": True, "include_expired_exceptions": False}],
    )  # fmt: skip
    run: dict[str, Any] | None = Field(
        default=None, description="Of `run`: the span.", examples=[{"start_date": "now-1d", "end_date": "now"}]
    )
    fill_gaps: dict[str, Any] | None = Field(
        default=None,
        description="Of `fill_gaps`: the span.",
        examples=[{"start_date": "now-1d", "end_date": "now"}],
    )

    @model_validator(mode="after")
    def _names_rules(self) -> Self:
        if self.action not in _ACTIONS:
            raise ValueError(f"[action] is one of {', '.join(_ACTIONS)}")
        if self.ids == [] or self.rule_ids == []:
            raise ValueError("[ids] names no rule")
        named = len(self.ids or ()) + len(self.rule_ids or ())
        if named > _MOST_NAMED:
            raise ValueError(f"[ids] names {named:,} rules, and a request at most {_MOST_NAMED:,}")
        return self


# ---- answers


class UnsavedRule(ResponseModel):
    """A rule that is refused."""

    rule_id: AnyText = Field(description="The rule.", examples=["a"])
    error: RefusalReason = Field(description="Why.")


class BulkRuleName(ResponseModel):
    """A rule for which an action could not be done."""

    id: str = Field(description="Its id, as it is kept or was given.", examples=[_UUID])
    name: str | None = Field(description="Its title; null where no rule has the id.")


class BulkActionError(ResponseModel):
    """Why an action could not be done, and for which rule."""

    message: str = Field(description="What is wrong.")
    status_code: int = Field(description="The status that a request for it alone would have.", examples=[404])
    rules: list[BulkRuleName] = Field(description="The rule.")


class BulkActionResults(ResponseModel):
    """The rules with which an action was done."""

    created: list[RuleDocument] = Field(description="Copies that were made.")
    deleted: list[RuleDocument] = Field(description="Rules that were removed.")
    skipped: list[RuleDocument] = Field(default=[], description="None.")
    updated: list[RuleDocument] = Field(description="Rules that were changed.")


class BulkActionSummary(ResponseModel):
    """With how many rules an action was done."""

    failed: int = Field(description="With how many it could not be done.", examples=[0])
    skipped: int = Field(default=0, description="None.")
    succeeded: int = Field(description="With how many it was done.", examples=[2])
    total: int = Field(description="With how many it should be done.", examples=[2])


class BulkActionAttributes(ResponseModel):
    """What has become of an action."""

    results: BulkActionResults = Field(description="The rules.")
    summary: BulkActionSummary = Field(description="Their numbers.")


class BulkActionSuccess(ResponseModel):
    """An action was done with all rules."""

    success: Literal[True] = Field(default=True, description="True.")
    rules_count: int = Field(description="How many rules.", examples=[2])
    attributes: BulkActionAttributes = Field(description="What has become of them.")


class FailedActionAttributes(BulkActionAttributes):
    """What has become of an action, and why it could not be done with some rules."""

    errors: list[BulkActionError] = Field(description="Why.")


class BulkActionFailure(ResponseModel):
    """An action could not be done with some rules."""

    success: Literal[False] = Field(default=False, description="False.")
    rules_count: int = Field(description="How many rules.", examples=[2])
    attributes: FailedActionAttributes = Field(description="What has become of them.")
    message: str = Field(description="What is wrong with the first.", examples=["Bulk enable failed: …"])
    status_code: int = Field(default=500, description="The status of HTTP.")
