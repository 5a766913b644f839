"""What the tables of records share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tocsin.sources.command_line import split_command_line

Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A raw record and the ECS fields that Elastic's integration makes of its values.

    `differs` names the fields in which tocsin's result is another, on purpose: the value, and why.
    """

    title: str
    record: Record
    integration: dict[str, Any]
    differs: dict[str, tuple[Any, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A process that starts, as any product may see it."""

    image: str
    command_line: str
    parent: str = "C:\\Windows\\System32\\cmd.exe"
    original_file_name: str = ""
    host: str = "WS-0142.corp.example.com"
    user: str = "m.weber"
    domain: str = "CORP"
    sid: str = "S-1-5-21-1004336348-1177238915-682003330-1104"
    pid: int = 7316
    parent_pid: int = 5120
    started: str = "2026-10-06T09:12:44.1234567Z"
    parent_started: str = "2026-10-06T08:01:10.5Z"

    @property
    def name(self) -> str:
        """The image's file name."""
        return self.image.rpartition("\\")[2]

    @property
    def parent_name(self) -> str:
        """The parent image's file name."""
        return self.parent.rpartition("\\")[2]

    @property
    def arguments(self) -> list[str]:
        """The command line's arguments, for products that write them."""
        return split_command_line(self.command_line)

    @property
    def milliseconds(self) -> int:
        """When it started, in milliseconds since 1970."""
        return int(datetime.fromisoformat(self.started).timestamp() * 1000)


MD5, SHA1, SHA256 = (
    "0cc175b9c0f1b6a831c399e269772661",
    "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
)
ZEROS = "0" * 40
