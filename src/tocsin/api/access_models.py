"""What requests about users, API keys and sessions ask for, and what they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from tocsin.api.models import RequestModel, ResponseModel
from tocsin.store.records.access import ROLES, SHORTEST_PASSWORD, Scope

_SCOPES = f"Scopes: {', '.join(Scope)}."
_ROLE = f"The role: {', '.join(ROLES)}."
_EXACT = ConfigDict(frozen=True, strict=True, extra="forbid")  # a member that nobody reads would change nothing


class NewPassword(RequestModel):
    """A password."""

    password: str = Field(description=f"The password, of {SHORTEST_PASSWORD} characters at least.")


class NewUser(RequestModel):
    """A user that is added."""

    model_config = _EXACT

    name: str = Field(description="The name.", examples=["maria"])
    role: str = Field(description=_ROLE, examples=["analyst"])


class UserChange(RequestModel):
    """What changes of a user."""

    model_config = _EXACT

    role: str = Field(default="", description=_ROLE, examples=["engineer"])
    enabled: bool | None = Field(default=None, description="Whether the user may sign in.", examples=[False])

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("[role] or [enabled] says what changes")
        return self


class NewKey(RequestModel):
    """An API key that is made."""

    name: str = Field(description="A name by which people know it.", examples=["winlogbeat"])
    scopes: list[str] | None = Field(
        default=None, description=f"{_SCOPES} Without any, all of the owner's.", examples=[["ingest"]]
    )
    metadata: Any = Field(default=None, description="The scopes may be here too, as `metadata.scopes`.")
    expiration: str | None = Field(default=None, description="How long it is good.", examples=["90d"])

    @model_validator(mode="after")
    def _scopes_are_names(self) -> Self:
        scopes = self.wanted_scopes()
        if scopes is not None and not (isinstance(scopes, list) and all(isinstance(x, str) for x in scopes)):
            raise ValueError("[metadata.scopes] is a list of names")
        return self

    def wanted_scopes(self) -> list[str] | None:
        """Return the scopes that the key gets, None for all of its owner's."""
        if "scopes" in self.model_fields_set or not isinstance(self.metadata, dict):
            return self.scopes
        return self.metadata.get("scopes")


class KeyIds(RequestModel):
    """Which keys are revoked."""

    ids: list[str] = Field(description="The keys' ids.")


class SignIn(RequestModel):
    """Who signs in."""

    name: str = Field(description="The user.", examples=["maria"])
    password: str = Field(description="The password.")


# ---- answers


class Nothing(ResponseModel):
    """Nothing is left to be said: it is done."""


class Authentication(ResponseModel):
    """Who asks."""

    username: str = Field(description="The user's or the key's name.")
    roles: list[str] = Field(description="The role; none of a key.")
    enabled: bool = Field(description="True.")
    metadata: dict[str, list[str]] = Field(description="`scopes`: what may be done.")
    full_name: str | None = Field(description="Not kept.")
    email: str | None = Field(description="Not kept.")
    authentication_type: str = Field(description="`realm` for a user, `api_key` for a key.")


class UserEntry(ResponseModel):
    """A user."""

    name: str = Field(description="The name.")
    role: str = Field(description=_ROLE)
    enabled: bool = Field(description="Whether the user may sign in.")
    last_login: datetime | None = Field(description="When the user signed in last.")


class Users(ResponseModel):
    """The users."""

    users: list[UserEntry] = Field(description="The users by their names.")


class AddedUser(ResponseModel):
    """A user that was added."""

    name: str = Field(description="The name.")
    role: str = Field(description=_ROLE)
    one_time_password: str = Field(description="Good once: another has to be set with it.")


class ChangedUser(ResponseModel):
    """A user that was changed."""

    name: str = Field(description="The name.")


class KeyEntry(ResponseModel):
    """An API key without its secret."""

    id: str = Field(description="The id.")
    name: str = Field(description="The name.")
    username: str = Field(description="Its owner.")
    metadata: dict[str, list[str]] = Field(description="`scopes`: what may be done with it.")
    creation: int = Field(description="When it was made, in milliseconds since 1970.")
    expiration: int | None = Field(description="Until when it is good; without end if null.")
    invalidated: bool = Field(description="Whether it was revoked.")


class Keys(ResponseModel):
    """API keys."""

    api_keys: list[KeyEntry] = Field(description="The keys, the oldest first.")


class CreatedKey(ResponseModel):
    """An API key that was made; its secret is not shown again."""

    id: str = Field(description="The id.")
    name: str = Field(description="The name.")
    api_key: str = Field(description="The secret.")
    encoded: str = Field(description="What stands behind `ApiKey` in the header `Authorization`.")


class RevokedKeys(ResponseModel):
    """API keys that were revoked."""

    invalidated_api_keys: list[str] = Field(description="The ids of those that were revoked now.")
    previously_invalidated_api_keys: list[str] = Field(default=[], description="None: they are not looked up.")
    error_count: int = Field(default=0, description="None.")


class BrowserSession(ResponseModel):
    """A session that has begun; its cookie comes with the answer."""

    name: str = Field(description="The user.")
    role: str = Field(description=_ROLE)
    csrf: str = Field(description="What requests that change something carry in `X-CSRF-Token`.")
    one_time: bool = Field(description="Whether the password has to be set before anything else.")
