"""What roles and scopes are, in words."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.desk.translations import N_
from tocsin.store.records.access import Scope

ROLE_LABELS: Mapping[str, str] = {
    "viewer": N_("Viewer"),
    "analyst": N_("Analyst"),
    "engineer": N_("Engineer"),
    "admin": N_("Administrator"),
}
ROLE_DESCRIPTIONS: Mapping[str, str] = {
    "viewer": N_("sees events, alerts and rules"),
    "analyst": N_("also acknowledges and closes alerts"),
    "engineer": N_("also writes rules and exceptions, and sends events"),
    "admin": N_("does everything, also users and keys"),
}
SCOPE_DESCRIPTIONS: Mapping[str, str] = {
    Scope.INGEST: N_("send events"),
    Scope.READ: N_("read events, alerts and rules"),
    Scope.WRITE_RULES: N_("change rules and exceptions"),
    Scope.RESPOND: N_("change alerts"),
    Scope.ADMIN: N_("everything, also users and keys"),
}
