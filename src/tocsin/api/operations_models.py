"""What those are answered who run the service."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tocsin.api.models import ResponseModel

Status = Literal["ready", "degraded", "not ready"]


class Alive(ResponseModel):
    """The process answers."""

    status: Literal["alive"] = Field(default="alive", description="Always.")


class DamagedPart(ResponseModel):
    """Something that is damaged, and that the service goes on without."""

    name: str = Field(description="What it is.")
    reason: str = Field(description="What is wrong with it.")
    since: str = Field(description="Since when it is set aside.")


class Readiness(ResponseModel):
    """Whether events can be stored, records be read, and rules be run."""

    status: Status = Field(
        description="`degraded`: with something set aside, or behind; `not ready` comes with the status 503."
    )
    problems: dict[str, str] = Field(description="What is wrong, by the part of the service.")
    set_aside: list[DamagedPart] = Field(description="What is damaged.")


class AuditRow(ResponseModel):
    """A change, or a try to sign in that failed."""

    timestamp: str = Field(alias="@timestamp", description="When it was.")
    actor: str = Field(description="Who did it.")
    actor_id: str | None = Field(description="Its id, which stays when the name changes.")
    address: str = Field(description="From where.")
    action: str = Field(description="What was done.", examples=["rule.create"])
    target: str = Field(description="To what.")
    detail: dict[str, Any] = Field(description="More about it.")


class AuditLog(ResponseModel):
    """The newest changes."""

    entries: list[AuditRow] = Field(description="The changes, the newest first.")
