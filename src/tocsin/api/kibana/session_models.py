"""Who is signed in, and the spaces there are, with Kibana's names."""

from __future__ import annotations

from pydantic import Field

from tocsin.api.models import ResponseModel


class Realm(ResponseModel):
    """Where a user is known."""

    name: str = Field(default="tocsin", description="`tocsin`.")
    type: str = Field(default="native", description="`native`.")


class AuthenticationProvider(ResponseModel):
    """How somebody has shown who they are."""

    type: str = Field(description="`basic`: by a session; `http`: by a header.", examples=["http"])
    name: str = Field(description="Its name.", examples=["__http__"])


class UserMetadata(ResponseModel):
    """What else is known of a user."""

    scopes: list[str] = Field(description="What they may do.", examples=[["read", "respond"]])


class AuthenticatedUser(ResponseModel):
    """Who asks."""

    username: str = Field(description="The name of the user or the key.", examples=["analyst"])
    roles: list[str] = Field(description="The user's role; none of a key.", examples=[["analyst"]])
    full_name: str | None = Field(default=None, description="Null.")
    email: str | None = Field(default=None, description="Null.")
    metadata: UserMetadata = Field(description="What else is known of them.")
    enabled: bool = Field(default=True, description="True.")
    authentication_realm: Realm = Field(default=Realm(), description="Where they are known.")
    lookup_realm: Realm = Field(default=Realm(), description="The same.")
    authentication_type: str = Field(description="`realm`, or `api_key`.", examples=["realm"])
    authentication_provider: AuthenticationProvider = Field(description="How they have shown who they are.")
    elastic_cloud_user: bool = Field(default=False, description="False.")


class Space(ResponseModel):
    """A space."""

    id: str = Field(description="Its id.", examples=["default"])
    name: str = Field(description="Its title.", examples=["Default"])
    description: str = Field(description="What it is for.", examples=["This is your default space!"])
    color: str = Field(description="Its colour.", examples=["#00bfb3"])
    initials: str = Field(description="Its initials.", examples=["D"])
    disabledFeatures: list[str] = Field(default=[], description="None.")
    reserved: bool = Field(default=True, alias="_reserved", description="True: it cannot be removed.")
