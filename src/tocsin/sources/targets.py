"""The rules that all sources share: the fields that one value becomes, for `mapping.rows`."""

from __future__ import annotations

from tocsin.sources import values as v

Targets = tuple[tuple[str, v.Converter] | str, ...]


def command_line(process: str) -> Targets:
    """Return what a command line becomes of a process."""
    return (
        f"{process}.command_line",
        (f"{process}.args", v.arguments),
        (f"{process}.args_count", v.count_of_arguments),
    )


def file_path() -> Targets:
    """Return what a file's path becomes."""
    return (
        "file.path",
        ("file.name", v.base_name),
        ("file.directory", v.directory),
        ("file.extension", v.extension),
    )


def digest(of: str, kind: str) -> Targets:
    """Return what a hash becomes of a process, file or library."""
    return (f"{of}.hash.{kind}", v.digest), ("related.hash", v.digest)


def address(end: str) -> Targets:
    """Return what an address becomes at one end of a connection."""
    return (f"{end}.ip", v.address), f"{end}.address", ("related.ip", v.address)
