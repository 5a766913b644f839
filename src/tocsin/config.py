"""The configuration of the service: one TOML file, the environment above it, flags above both."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tocsin.errors import TocsinError
from tocsin.faults import fault_text, field_of

PREFIX = "TOCSIN_"
FILE = Path(platformdirs.user_config_dir("tocsin")) / "tocsin.toml"


class ConfigError(TocsinError):
    """A setting that cannot be."""


class Config(BaseSettings):
    """Every setting with its default. In the environment a name stands in capitals behind `TOCSIN_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data: Path = Field(
        Path(platformdirs.user_data_dir("tocsin")), description="The folder that holds everything that is kept."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(9200, ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    database_url: SecretStr | None = Field(
        None,
        description="Where records are, as in postgresql://user:password@host/tocsin; SQLite in `data` otherwise.",
    )
    tls_certificate: Path | None = Field(None, description="A certificate chain in PEM; TLS when it is given.")
    tls_key: Path | None = Field(None, description="The certificate's private key in PEM.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )
    encryption_key: SecretStr | None = Field(
        None,
        description="What connectors are encrypted with, 32 characters at least; a key in `data` otherwise.",
    )
    decryption_only_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Former keys, with which secrets of connectors may still be encrypted."
    )
    watch: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders whose files are stored as they come."
    )
    request_size: int = Field(100 << 20, ge=1 << 10, description="Bytes of a request, unpacked, at most.")
    bulk_actions: int = Field(100_000, ge=1, description="Actions of a bulk request, at most.")
    body_timeout: float = Field(
        30, gt=0, description="Seconds without a byte of a request's body until it is given up."
    )
    search_timeout: float = Field(120, gt=0, description="Seconds that a search may take.")
    search_memory: int = Field(1 << 30, ge=64 << 20, description="Bytes of memory that a search may take.")
    keep_days: int | None = Field(None, ge=1, description="Days for which events are kept; for ever otherwise.")
    keep_size: int | None = Field(None, ge=1, description="Bytes of events that are kept, the newest ones.")
    disk_reserve: int = Field(512 << 20, ge=0, description="Bytes of disk space that are left free.")
    flush_after: float = Field(10, gt=0, description="Seconds until events in the journal get into tables.")
    catch_up_hours: int = Field(
        24, ge=0, description="Hours back for which windows of rules that were missed are run by themselves."
    )
    history_days: int | None = Field(
        90, ge=1, description="Days for which executions of rules and messages about alerts are kept."
    )
    connector_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Loopback, link-local and private networks that connectors may reach, as in 10.0.0.0/8."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["auto", "ecs", "text"] = Field(
        "auto", description="Log lines as ECS JSON or as text; auto is text on a terminal and ECS JSON elsewhere."
    )

    @field_validator("decryption_only_keys", "watch", "trusted_proxies", "connector_networks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Let the environment name several, separated by commas."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies", "connector_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                raise ValueError(f"`{part}` is no address and no network such as 10.0.0.0/8: {error}") from None
        return value

    @model_validator(mode="after")
    def _tls(self) -> Config:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key come together")
        return self

    @property
    def records_url(self) -> str:
        """The URL of the database of records."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data / 'records.db').absolute()}"

    @property
    def tls(self) -> bool:
        """Whether the service speaks TLS."""
        return self.tls_certificate is not None


def load_config(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration: flags before the environment before the file. Raises ConfigError."""
    path = file or FILE
    if file is not None and not file.is_file():
        raise ConfigError(f"no configuration file {file}")

    class Layered(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return Layered(**{name: value for name, value in (flags or {}).items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    except ValidationError as error:
        raise _fault(error, file, flags or {}) from None


def _fault(error: ValidationError, file: Path | None, flags: Mapping[str, Any]) -> ConfigError:
    """Return the first fault in plain words, with the place where the setting was given."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if not name:
        return ConfigError(fault_text(first), hint="`tocsin config show` lists the settings")
    places = {
        "flag": f"--{name.replace('_', '-')}",
        "environment": f"{PREFIX}{name.upper()} in the environment",
        "file": str(file or FILE),
    }
    where = places.get(origin(name, file, flags, os.environ), str(file or FILE))
    hint = "`tocsin config show` lists the settings"
    if first["type"] == "extra_forbidden" and (near := get_close_matches(name, Config.model_fields, 1)):
        hint = f"did you mean `{near[0]}`?"
    return ConfigError(f"{where}: `{field_of(first)}` {fault_text(first)}", hint=hint)


def origin(name: str, file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return where a setting comes from: flag, environment, file or default."""
    path = file or FILE
    if flags.get(name) is not None:
        return "flag"
    if f"{PREFIX}{name.upper()}" in {known.upper() for known in environment}:
        return "environment"
    in_file = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    return "file" if name in in_file else "default"


def origins(file: Path | None, flags: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Return where each setting comes from, by name."""
    return {name: origin(name, file, flags, environment) for name in Config.model_fields}
