"""What has become of imports, in Kibana's names."""

from __future__ import annotations

from pydantic import Field

from tocsin.api.models import ResponseModel


class RefusalReason(ResponseModel):
    """Why something is refused."""

    status_code: int = Field(description="The status that a request for it alone would have.", examples=[409])
    message: str = Field(description="What is wrong.", examples=['rule_id: "a" already exists'])


class RefusedRule(ResponseModel):
    """A rule that is refused, or saved with a change."""

    rule_id: str = Field(description="The rule.", examples=["a"])
    error: RefusalReason = Field(description="Why.")


class RuleWithoutConnectors(RefusedRule):
    """A rule that is refused because connectors that it names are not there."""

    id: str = Field(description="The connectors' ids, separated by commas.")


class RefusedException(ResponseModel):
    """An exception list or an exception that is refused."""

    id: str | None = Field(description="The exception's `item_id`, or the id of the list.")
    list_id: str | None = Field(description="The list.")
    error: RefusalReason = Field(description="Why.")


class ConnectorWarning(ResponseModel):
    """What is to be done about connectors that are imported."""

    type: str = Field(default="action_required", description="`action_required`.")
    message: str = Field(
        description="What.", examples=["1 connector has sensitive information that require updates."]
    )
    actionPath: str = Field(default="", description="Empty.")
    buttonLabel: str = Field(default="", description="Empty.")


class ImportedRules(ResponseModel):
    """What has become of an import of rules."""

    success: bool = Field(description="Whether every rule is saved, and nothing of one is changed.")
    success_count: int = Field(description="How many rules are saved.", examples=[487])
    rules_count: int = Field(description="How many rules the file has.", examples=[487])
    errors: list[RefusedRule] = Field(description="Rules that are refused, or saved with a change.")
    exceptions_success: bool = Field(description="Whether every list and exception is saved.")
    exceptions_success_count: int = Field(description="How many lists and exceptions are saved.", examples=[2])
    exceptions_errors: list[RefusedException] = Field(description="Lists and exceptions that are refused.")
    action_connectors_success: bool = Field(description="Whether every connector that rules name is there.")
    action_connectors_success_count: int = Field(description="How many connectors are saved.", examples=[1])
    action_connectors_errors: list[RuleWithoutConnectors] = Field(
        description="Rules whose connectors are not there."
    )
    action_connectors_warnings: list[ConnectorWarning] = Field(description="What is to be done about connectors.")


class ImportedLists(ResponseModel):
    """What has become of an import of exception lists."""

    success: bool = Field(description="Whether everything is saved.")
    success_count: int = Field(description="How many lists and exceptions are saved.", examples=[2])
    errors: list[RefusedException | RefusedRule] = Field(description="What is refused.")
    success_exception_lists: bool = Field(description="Whether every list is saved.")
    success_count_exception_lists: int = Field(description="How many lists are saved.", examples=[1])
    success_exception_list_items: bool = Field(description="Whether every exception is saved.")
    success_count_exception_list_items: int = Field(description="How many exceptions are saved.", examples=[1])
