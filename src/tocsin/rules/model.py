"""The rule: every field of Elastic's rule format under its own name; unknown fields are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tocsin.rules.guides import with_plugins

SEVERITIES = ("low", "medium", "high", "critical")
Severity = Literal["low", "medium", "high", "critical"]


class _Part(BaseModel):
    """Common to every part of a rule: immutable, and open to fields that a later version adds."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class Subtechnique(_Part):
    """An ATT&CK sub-technique."""

    id: str
    name: str
    reference: str = ""


class Technique(Subtechnique):
    """An ATT&CK technique with the sub-techniques that apply."""

    subtechnique: tuple[Subtechnique, ...] = ()


class ThreatTactic(_Part):
    """An ATT&CK tactic."""

    id: str
    name: str
    reference: str = ""


class Threat(_Part):
    """One tactic and the techniques under it."""

    framework: str = "MITRE ATT&CK"
    tactic: ThreatTactic
    technique: tuple[Technique, ...] = ()


class Rule(_Part):
    """A detection rule. Defaults are Kibana's.

    `metadata` and `transform` are the tables beside `[rule]` in a TOML file; `notes` holds the investigation
    guide in other languages, by locale; `file` says where the rule was read, and is not written.
    """

    rule_id: str
    name: str = Field(min_length=1)
    description: str = ""
    type: str
    severity: Severity
    risk_score: int = Field(ge=0, le=100)
    language: str | None = None
    query: str | None = None
    index: tuple[str, ...] = ()
    data_view_id: str | None = None
    interval: str = "5m"
    from_: str = Field(default="now-6m", alias="from")
    to: str = "now"
    max_signals: int = Field(default=100, ge=1)
    enabled: bool = True
    version: int = 1
    revision: int | None = None
    author: tuple[str, ...] = ()
    license: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    note: str = ""
    setup: str = ""
    threat: tuple[Threat, ...] = ()
    timestamp_override: str | None = None
    timestamp_override_fallback_disabled: bool | None = None
    timestamp_field: str | None = None
    event_category_override: str | None = None
    tiebreaker_field: str | None = None
    building_block_type: str | None = None
    severity_mapping: tuple[dict[str, Any], ...] = ()
    risk_score_mapping: tuple[dict[str, Any], ...] = ()
    rule_name_override: str | None = None
    exceptions_list: tuple[dict[str, Any], ...] = ()
    actions: tuple[dict[str, Any], ...] = ()
    alert_suppression: dict[str, Any] | None = None
    investigation_fields: dict[str, Any] | None = None
    related_integrations: tuple[dict[str, Any], ...] = ()
    required_fields: tuple[dict[str, Any], ...] = ()
    timeline_id: str | None = None
    timeline_title: str | None = None
    filters: tuple[dict[str, Any], ...] = ()
    threshold: dict[str, Any] | None = None
    new_terms: dict[str, Any] | None = None
    new_terms_fields: tuple[str, ...] = ()
    history_window_start: str | None = None
    threat_index: tuple[str, ...] = ()
    threat_query: str | None = None
    threat_language: str | None = None
    threat_filters: tuple[dict[str, Any], ...] = ()
    threat_mapping: tuple[dict[str, Any], ...] = ()
    threat_indicator_path: str | None = None

    metadata: dict[str, Any] = Field(default_factory=dict, exclude=True)
    transform: dict[str, Any] = Field(default_factory=dict, exclude=True)
    notes: dict[str, str] = Field(default_factory=dict, exclude=True)
    file: str = Field(default="", exclude=True)

    @field_validator("from_", "to", "interval")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value

    @property
    def terms_fields(self) -> tuple[str, ...]:
        """The fields of a new-terms rule, wherever it has them: Elastic's TOML files put them one deeper."""
        return self.new_terms_fields or tuple(map(str, (self.new_terms or {}).get("value") or ()))

    @property
    def history_start(self) -> str | None:
        """Where the history of a new-terms rule begins, in date math."""
        inner = (self.new_terms or {}).get("history_window_start") or ()
        return self.history_window_start or next(
            (str(entry["value"]) for entry in inner if "value" in entry), None
        )

    @property
    def tactics(self) -> tuple[str, ...]:
        """The ids of the rule's tactics."""
        return tuple(dict.fromkeys(threat.tactic.id for threat in self.threat))

    def techniques(self) -> Iterator[Subtechnique]:
        """Yield every technique and sub-technique."""
        for threat in self.threat:
            for technique in threat.technique:
                yield technique
                yield from technique.subtechnique

    def fields(self) -> dict[str, Any]:
        """Return the fields that were given, defaults left out, as its file has them beside `transform`."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return dumped

    def document(self) -> dict[str, Any]:
        """Return the rule as Kibana writes it: its fields, with the plugins of `transform` in its guide."""
        fields = self.fields()
        return {**fields, "note": with_plugins(self.note, self.transform)} if "note" in fields else fields
