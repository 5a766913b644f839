"""What requests about cases ask for, and what they are answered, with Kibana's names.

Source: x-pack/plugins/cases/common/types and docs/openapi of elastic/kibana.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tocsin.api.models import RequestModel, ResponseModel

_ID = "66b9aa00-94fa-11ea-9f74-e7e108796192"
Status = Literal["open", "in-progress", "closed"]
Severity = Literal["low", "medium", "high", "critical"]


# ---- requests


class CaseConnector(RequestModel):
    """The system that a case is pushed to: none, which is the only one here."""

    id: str = Field(default="none", description="The connector's id: `none`.", examples=["none"])


class CaseSettingsChange(RequestModel):
    """Settings of a case."""

    syncAlerts: bool = Field(description="Whether its alerts take the status of the case.", examples=[True])


class CaseAssignee(RequestModel):
    """A user who is assigned."""

    uid: str = Field(description="The user's name.", examples=["ann"])


class NewCaseBody(RequestModel):
    """A case that is to be made."""

    title: str = Field(description="Its title.", examples=["Download by Defender"])
    description: str = Field(description="What it is about.", examples=["MpCmdRun fetched a file."])
    tags: list[str] = Field(description="Its tags.", examples=[["lolbas"]])
    owner: str = Field(description="The application: `securitySolution`.", examples=["securitySolution"])
    settings: CaseSettingsChange = Field(description="Its settings.")
    connector: CaseConnector | None = Field(None, description="The system that it is pushed to: none.")
    severity: Severity | None = Field(None, description="How bad it is; `low` without one.")
    assignees: list[CaseAssignee] | None = Field(None, description="Who is assigned.")
    category: str | None = Field(None, description="A word for its kind.", examples=["malware"])
    customFields: list[Any] | None = Field(None, description="There are no custom fields: an empty list.")


class CaseChangeBody(RequestModel):
    """A change of a case: the members that are given take other values."""

    id: str = Field(description="The case's id.", examples=[_ID])
    version: str = Field(description="The version that was seen; of another one nothing is changed.")
    title: str | None = Field(None, description="Its title.")
    description: str | None = Field(None, description="What it is about.")
    status: Status | None = Field(None, description="Its status.")
    severity: Severity | None = Field(None, description="How bad it is.")
    tags: list[str] | None = Field(None, description="Its tags, all of them.")
    assignees: list[CaseAssignee] | None = Field(None, description="Who is assigned, all of them.")
    category: str | None = Field(None, description="A word for its kind; null takes it away.")
    settings: CaseSettingsChange | None = Field(None, description="Its settings.")
    connector: CaseConnector | None = Field(None, description="The system that it is pushed to: none.")
    customFields: list[Any] | None = Field(None, description="There are no custom fields: an empty list.")


class CaseChangesBody(RequestModel):
    """Changes of cases: all of them are made, or none."""

    cases: list[CaseChangeBody] = Field(description="A change a case.", min_length=1, max_length=100)


class AlertRule(RequestModel):
    """The rule of an alert."""

    id: str | None = Field(None, description="The rule's id; tocsin takes that of the alert.")
    name: str | None = Field(None, description="The rule's name.")


class AttachmentBody(RequestModel):
    """A comment of a user, or alerts, that are to be added to a case."""

    type: Literal["user", "alert"] = Field(description="`user` for a comment, `alert` for alerts.")
    owner: str = Field(
        "securitySolution", description="The application; it is that of the case, whatever it says."
    )
    comment: str | None = Field(None, description="The comment's text.", examples=["Looks real."])
    alertId: str | list[str] | None = Field(None, description="The id of the alert, or those of several.")
    index: str | list[str] | None = Field(None, description="The index of the alerts, as searches name it.")
    rule: AlertRule | None = Field(None, description="The rule of the alerts.")


class CommentChangeBody(AttachmentBody):
    """Another text for a comment."""

    id: str = Field(description="The comment's id.", examples=[_ID])
    version: str = Field(description="The version that was seen; of another one nothing is changed.")


# ---- answers


class CaseUser(ResponseModel):
    """Somebody who did something."""

    username: str | None = Field(description="The name.", examples=["ann"])
    full_name: str | None = Field(default=None, description="Always null: tocsin keeps one name.")
    email: str | None = Field(default=None, description="Always null: tocsin keeps no addresses.")


class ShownConnector(ResponseModel):
    """The system that a case is pushed to: none."""

    id: str = Field(default="none", description="Always `none`.")
    name: str = Field(default="none", description="Always `none`.")
    type: str = Field(default=".none", description="Always `.none`.")
    fields: None = Field(default=None, description="Always null.")


class CaseSettings(ResponseModel):
    """Settings of a case."""

    syncAlerts: bool = Field(description="Whether its alerts take the status of the case.")


class ShownAssignee(ResponseModel):
    """A user who is assigned."""

    uid: str = Field(description="The user's name.")


class ShownObservable(ResponseModel):
    """A value that a case is about."""

    id: str = Field(description="Its id.")
    typeKey: str = Field(description="Kibana's name of its type.", examples=["observable-type-domain"])
    value: str = Field(description="The value.", examples=["evil.example"])
    description: str | None = Field(description="What somebody says of it.")
    createdAt: str = Field(description="When it was added.")
    updatedAt: str | None = Field(default=None, description="Always null: it is added or removed.")


class Attachment(ResponseModel):
    """A comment of a user, or an alert, in a case. Members of the other kind are null."""

    id: str = Field(description="Its id.", examples=[_ID])
    version: str = Field(description="Its version.")
    type: Literal["user", "alert"] = Field(description="`user` for a comment, `alert` for an alert.")
    owner: str = Field(description="The application.")
    comment: str | None = Field(description="The comment's text.")
    alertId: list[str] | None = Field(description="The id of the alert.")
    index: list[str] | None = Field(description="The alert's index.")
    rule: dict[str, str] | None = Field(description="The rule of the alert: its id and name.")
    created_at: str = Field(description="When it was added.")
    created_by: CaseUser = Field(description="Who added it.")
    updated_at: str | None = Field(description="When it was changed.")
    updated_by: CaseUser | None = Field(description="Who changed it.")
    pushed_at: None = Field(default=None, description="Always null.")
    pushed_by: None = Field(default=None, description="Always null.")


class CaseAnswer(ResponseModel):
    """A case."""

    id: str = Field(description="Its id.", examples=[_ID])
    incremental_id: int = Field(description="Its number.")
    version: str = Field(description="Its version, which a change names.")
    title: str = Field(description="Its title.")
    description: str = Field(description="What it is about.")
    status: Status = Field(description="Its status.")
    severity: Severity = Field(description="How bad it is.")
    owner: str = Field(description="The application.")
    tags: list[str] = Field(description="Its tags.")
    category: str | None = Field(description="A word for its kind.")
    assignees: list[ShownAssignee] = Field(description="Who is assigned.")
    settings: CaseSettings = Field(description="Its settings.")
    connector: ShownConnector = Field(default=ShownConnector(), description="The system that it is pushed to.")
    external_service: None = Field(default=None, description="Always null.")
    customFields: list[Any] = Field(default=[], description="Always empty.")
    observables: list[ShownObservable] = Field(description="What it is about.")
    duration: int | None = Field(description="Seconds from its making to its closing.")
    created_at: str = Field(description="When it was made.")
    created_by: CaseUser = Field(description="Who made it.")
    updated_at: str | None = Field(description="When it was changed.")
    updated_by: CaseUser | None = Field(description="Who changed it.")
    closed_at: str | None = Field(description="When it was closed.")
    closed_by: CaseUser | None = Field(description="Who closed it.")
    totalComment: int = Field(description="How many comments of users it has.")
    totalAlerts: int = Field(description="How many alerts it has.")
    comments: list[Attachment] = Field(
        default=[], description="Its comments and alerts, where they are asked for."
    )


class CasesPage(ResponseModel):
    """A page of cases, and how many there are of each status."""

    cases: list[CaseAnswer] = Field(description="The cases.")
    page: int = Field(description="Which page it is.")
    per_page: int = Field(description="How many a page has at most.")
    total: int = Field(description="How many cases there are.")
    count_open_cases: int = Field(description="How many of them are open.")
    count_in_progress_cases: int = Field(description="How many are in progress.")
    count_closed_cases: int = Field(description="How many are closed.")


class AttachmentsPage(ResponseModel):
    """A page of the comments and alerts of a case."""

    comments: list[Attachment] = Field(description="The comments and alerts.")
    page: int = Field(description="Which page it is.")
    per_page: int = Field(description="How many a page has at most.")
    total: int = Field(description="How many there are.")


class CaseTotals(ResponseModel):
    """How much a case has."""

    alerts: int = Field(description="How many alerts.")
    userComments: int = Field(description="How many comments of users.")


class RelatedCase(ResponseModel):
    """A case that an alert belongs to."""

    id: str = Field(description="Its id.", examples=[_ID])
    title: str = Field(description="Its title.")
    description: str = Field(description="What it is about.")
    status: Status = Field(description="Its status.")
    createdAt: str = Field(description="When it was made.")
    totals: CaseTotals = Field(description="How much it has.")


class CaseAlertAnswer(ResponseModel):
    """An alert of a case."""

    id: str = Field(description="The alert's id.")
    index: str = Field(description="Its index.")
    attached_at: str = Field(description="When it was added to the case.")


class UserAction(ResponseModel):
    """An entry of the activity log of a case."""

    id: str = Field(description="Its id.")
    version: str = Field(description="Its version.")
    type: str = Field(description="What was changed.", examples=["status"])
    action: str = Field(description="How: create, update, add or delete.", examples=["update"])
    owner: str = Field(description="The application.")
    payload: dict[str, Any] = Field(description="What it is now.")
    comment_id: str | None = Field(description="The comment that it is about.")
    created_at: str = Field(description="When it was.")
    created_by: CaseUser = Field(description="Who did it.")


class UserActionsPage(ResponseModel):
    """A page of the activity log of a case."""

    userActions: list[UserAction] = Field(description="The entries.")
    page: int = Field(description="Which page it is.")
    perPage: int = Field(description="How many a page has at most.")
    total: int = Field(description="How many there are.")
