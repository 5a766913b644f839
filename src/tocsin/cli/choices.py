"""Values of options of which there is a closed set; a command refuses any other, and names the set.

They are those of the service (`tocsin.store.records`, `tocsin.config`), written here so that help needs none of
it; a test holds them against these.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What an alert may be."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class ClosingReason(StrEnum):
    """Why an alert is closed."""

    FALSE_POSITIVE = "false_positive"
    DUPLICATE = "duplicate"
    TRUE_POSITIVE = "true_positive"
    BENIGN_POSITIVE = "benign_positive"
    AUTOMATED_CLOSURE = "automated_closure"
    OTHER = "other"


class Role(StrEnum):
    """What a person may do."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ENGINEER = "engineer"
    ADMIN = "admin"


class KeyScope(StrEnum):
    """What a program may do."""

    INGEST = "ingest"
    READ = "read"
    WRITE_RULES = "write_rules"
    RESPOND = "respond"
    ADMIN = "admin"


class LogLevel(StrEnum):
    """What is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines are written; auto is text on a terminal and ECS JSON elsewhere."""

    AUTO = "auto"
    ECS = "ecs"
    TEXT = "text"


class MeasuredBy(StrEnum):
    """What alerts are measured by."""

    RULE = "rule"
    SEVERITY = "severity"
    HOST_GROUP = "host_group"


class MeasuredClosings(StrEnum):
    """Whose closings count."""

    PEOPLE = "people"
    AUTOMATIC = "automatic"
    ALL = "all"


class MeasuresTable(StrEnum):
    """What of measures is written as CSV."""

    GROUPS = "groups"
    TIME = "time"
    RULES = "rules"
    SILENT = "silent"
    EXCEPTIONS = "exceptions"
