"""Rules in requests and answers, with Kibana's names.

A rule is an open document: what models do not name is kept as it is, and what they leave to it is checked when the
rule is read (`tocsin.rules.model`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from tocsin.api.models import (
    AnyNumber,
    AnyObject,
    AnyObjects,
    AnyText,
    AnyTexts,
    OpenResponseModel,
    RequestModel,
    ResponseModel,
)
from tocsin.rules.model import SEVERITIES

_UUID = "0b3e8bd2-8f0f-4c9e-9d5a-6f1a1c2b3d4e"
_QUERY = 'process where process.parent.name : "winword.exe" and process.name : "powershell.exe"'
_RiskScore = Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 100})]
_Severity = Annotated[Any, WithJsonSchema({"type": "string", "enum": list(SEVERITIES)})]

# Members of rules, as requests and answers describe them.
_RuleId = Annotated[
    str | None, Field(description="The name that moves along in exports.", examples=["office-shell"])
]
_Name = Annotated[str, Field(description="The title.", examples=["PowerShell of an Office Program"])]
_Description = Annotated[AnyText, Field(description="What it finds.", examples=["Word starts PowerShell."])]
_Type = Annotated[
    AnyText,
    Field(description="eql, query, saved_query, threshold, new_terms, threat_match, esql.", examples=["eql"]),
]
_Language = Annotated[AnyText, Field(description="eql, kuery, lucene, esql.", examples=["eql"])]
_Query = Annotated[AnyText, Field(description="What an event must be like.", examples=[_QUERY])]
_Risk = Annotated[_RiskScore, Field(description="How bad it is, from 0 to 100.", examples=[73])]
_SeverityMember = Annotated[_Severity, Field(description="How bad it is, in a word.", examples=["high"])]
_Interval = Annotated[AnyText, Field(description="How often it runs.", examples=["5m"])]
_From = Annotated[AnyText, Field(description="Where its window begins, in date math.", examples=["now-9m"])]
_To = Annotated[AnyText, Field(description="Where its window ends.", examples=["now"])]


class RuleMembers(RequestModel):
    """What a rule is made of."""

    id: str | None = Field(default=None, description="The id that the service has given.", examples=[_UUID])
    rule_id: _RuleId = None
    name: str | None = Field(default=None, description="The title.", examples=["PowerShell of an Office Program"])
    description: _Description = None
    type: _Type = None
    language: _Language = None
    query: _Query = None
    risk_score: _Risk = None
    severity: _SeverityMember = None
    enabled: bool | None = Field(default=None, description="Whether the service runs it; true where it is new.")
    interval: _Interval = None
    from_: _From = Field(default=None, alias="from")
    to: _To = None
    index: list[str] | None = Field(
        default=None, description="The indices whose events it looks at.", examples=[["logs-*", "winlogbeat-*"]]
    )
    max_signals: AnyNumber = Field(
        default=None, description="How many alerts a run raises at most.", examples=[100]
    )
    tags: list[str] | None = Field(default=None, description="Tags.", examples=[["Windows"]])
    threat: list[dict[str, Any]] | None = Field(default=None, description="Tactics and techniques of ATT&CK.")
    exceptions_list: list[dict[str, Any]] | None = Field(
        default=None,
        description="Exception lists whose exceptions hide events from it.",
        examples=[[{"list_id": "allowed-tools", "type": "detection", "namespace_type": "single"}]],
    )
    actions: list[dict[str, Any]] | None = Field(
        default=None, description="Which connectors report its alerts, with which parameters."
    )
    throttle: str | None = Field(default=None, description="How often actions report, of older clients.")
    alert_suppression: AnyObject = Field(default=None, description="Which alerts one stands for.")
    threshold: AnyObject = Field(default=None, description="Of a threshold rule: how many events of which values.")
    new_terms_fields: AnyTexts = Field(default=None, description="Of a new terms rule: the fields.")
    history_window_start: AnyText = Field(default=None, description="Of a new terms rule: where history begins.")
    threat_index: AnyTexts = Field(default=None, description="Of an indicator match rule: indices of indicators.")
    threat_query: AnyText = Field(default=None, description="Of an indicator match rule: which indicators.")
    threat_mapping: AnyObjects = Field(default=None, description="Of an indicator match rule: which fields meet.")


class RulePatch(RuleMembers):
    """The members of a rule that are changed, and the rule: its `id` or its `rule_id`."""


class RuleBody(RuleMembers):
    """A whole rule."""

    name: _Name
    description: _Description
    type: _Type
    risk_score: _Risk
    severity: _SeverityMember


class RulePreview(RuleBody):
    """A rule that is tried, and over which windows."""

    invocationCount: AnyNumber = Field(default=1, description="The number of windows.", examples=[12])
    timeframeEnd: AnyText = Field(
        default=None, description="The moment of the last window; now where none is given.",
        examples=["2026-01-01T12:00:00Z"],
    )  # fmt: skip


class ExportedRule(RequestModel):
    """A rule that is exported."""

    rule_id: AnyText = Field(default=None, description="The rule's `rule_id`.", examples=["office-shell"])


class RuleExport(RequestModel):
    """Which rules are exported."""

    objects: list[ExportedRule] | None = Field(default=None, description="The rules; all where there are none.")


# ---- answers


class RuleWarning(ResponseModel):
    """What is doubtful about a rule."""

    field: str = Field(description="The member.", examples=["query"])
    message: str = Field(description="What is doubtful.")


class LastExecutionDocument(ResponseModel):
    """The last execution of a rule."""

    date: str = Field(description="When it began.", examples=["2026-01-01T12:00:00.000Z"])
    status: str = Field(description="succeeded, partial failure or failed.", examples=["succeeded"])
    status_order: int = Field(description="The status as a number.", examples=[0])
    message: str = Field(description="What went wrong, or is doubtful.")
    metrics: dict[str, float] = Field(description="What took how long.")


class ExecutionSummary(ResponseModel):
    """What is known of the executions of a rule."""

    last_execution: LastExecutionDocument = Field(description="The last one.")


class RuleDocument(OpenResponseModel):
    """A rule, with all that it was given."""

    id: str = Field(description="The id that the service has given.", examples=[_UUID])
    rule_id: _RuleId
    name: _Name
    enabled: bool = Field(description="Whether the service runs it.")
    revision: int = Field(description="How often it was changed.", examples=[0])
    version: AnyNumber = Field(description="The version of its author.", examples=[1])
    created_at: str = Field(description="When it was made.", examples=["2026-01-01T12:00:00.000Z"])
    created_by: str = Field(description="Who made it.", examples=["engineer"])
    updated_at: str = Field(description="When it was changed last.", examples=["2026-01-01T12:00:00.000Z"])
    updated_by: str = Field(description="Who changed it last.", examples=["engineer"])
    description: _Description
    type: _Type
    language: _Language = None
    query: _Query = None
    risk_score: _Risk
    severity: _SeverityMember
    interval: _Interval
    from_: _From = Field(alias="from")
    to: _To
    max_signals: AnyNumber = Field(description="How many alerts a run raises at most.", examples=[100])
    tags: list[str] = Field(description="Tags.", examples=[["Windows"]])
    threat: list[dict[str, Any]] = Field(description="Tactics and techniques of ATT&CK.")
    exceptions_list: list[dict[str, Any]] = Field(
        description="Exception lists whose exceptions it does not alert on."
    )
    actions: list[dict[str, Any]] = Field(description="Which connectors report its alerts.")
    warnings: list[RuleWarning] = Field(default=[], description="What is doubtful, where it was just saved.")
    execution_summary: ExecutionSummary | None = Field(default=None, description="Its executions, if it has any.")


class RulePage(ResponseModel):
    """Rules, a page of them."""

    page: int = Field(description="Which page.", examples=[1])
    perPage: int = Field(description="How many a page has at most.", examples=[20])
    total: int = Field(description="How many rules there are on all pages.", examples=[487])
    data: list[RuleDocument] = Field(description="The rules.")


class ExecutionDocument(ResponseModel):
    """Executions of a rule in a row that had the same outcome; moments of ticks and windows in nanoseconds."""

    id: int = Field(description="The number of the entry.", examples=[1])
    uuid: str | None = Field(description="By which alerts name it.", examples=[_UUID])
    rule_uuid: str = Field(description="The rule's id.", examples=[_UUID])
    kind: str = Field(description="scheduled, manual or backfill.", examples=["scheduled"])
    status: str = Field(description="succeeded, warning or failed.", examples=["succeeded"])
    first_tick: int = Field(description="The first tick, in nanoseconds since 1970.")
    last_tick: int = Field(description="The last tick.")
    ticks: int = Field(description="How many ticks.", examples=[1])
    started: datetime = Field(description="When the last one began.")
    late: int = Field(description="Nanoseconds behind the last tick at which it began.")
    window_start: int = Field(description="Where the window of the last tick begins.")
    window_end: int = Field(description="Where it ends.")
    events: int = Field(description="How many events were looked at.")
    matches: int = Field(description="How many findings there were.")
    written: int = Field(description="How many alerts were written.")
    duplicates: int = Field(description="How many findings had been alerted on before.")
    suppressed: int = Field(description="How many findings an alert stands for that is not their own.")
    durations: dict[str, float] = Field(description="Seconds, by stage.", examples=[{"evaluating": 0.01}])
    messages: list[str] = Field(description="What went wrong, or is doubtful.")


class GapDocument(ResponseModel):
    """Ticks in a row for which a rule was not run when it was due; in nanoseconds since 1970."""

    id: int = Field(description="The number of the entry.", examples=[1])
    rule_uuid: str = Field(description="The rule's id.", examples=[_UUID])
    first_tick: int = Field(description="The first tick.")
    last_tick: int = Field(description="The last tick.")
    cause: str = Field(description="Why.", examples=["service down"])
    noticed: datetime = Field(alias="found", description="When it was noticed.")
    filled: datetime | None = Field(description="When it was filled; null: it is open.")
    filled_by: str | None = Field(description="Who had it filled.")


class ExecutionPage(ResponseModel):
    """The newest executions and open gaps."""

    executions: list[ExecutionDocument] = Field(description="Executions, the newest first.")
    gaps: list[GapDocument] = Field(description="Gaps that are not filled, the newest first.")


class AlertIndexName(ResponseModel):
    """The index that alerts are searched in."""

    name: str = Field(default=".alerts-security.alerts-default", description="Its name.")
    index_mapping_outdated: bool = Field(default=False, description="False.")


class RulePrivileges(ResponseModel):
    """What the one who asks may do with rules and alerts."""

    username: str = Field(description="Who asks.", examples=["engineer"])
    has_all_requested: bool = Field(description="Whether all is allowed.")
    is_authenticated: bool = Field(default=True, description="True: nobody else is answered.")
    has_encryption_key: bool = Field(default=True, description="True.")
    cluster: dict[str, bool] = Field(default_factory=dict, description="Empty.")
    application: dict[str, bool] = Field(default_factory=dict, description="Empty.")
    index: dict[str, dict[str, bool]] = Field(
        description="By the index of alerts, what may be done.",
        examples=[{".alerts-security.alerts-default": {"read": True, "write": True, "maintenance": False}}],
    )


class PreviewLog(ResponseModel):
    """How the run of one window went."""

    errors: list[str] = Field(description="Why it failed.")
    warnings: list[str] = Field(description="What is doubtful.")
    startedAt: datetime = Field(description="When it began.")
    duration: int = Field(description="Milliseconds that it took.", examples=[12])


class PreviewedAlerts(ResponseModel):
    """The alerts that a rule would raise."""

    previewId: str = Field(description="An id of this preview.", examples=[_UUID])
    isAborted: bool = Field(description="False: what takes too long is answered as an error.")
    logs: list[PreviewLog] = Field(description="How the run of each window went.")
    matches: int = Field(description="How many findings there were.", examples=[1])
    alerts: list[dict[str, Any]] = Field(description="The documents of the alerts.")
