"""Converters from a value of Windows event data to the value of one ECS field; None leaves the field out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from tocsin.ecs import is_long
from tocsin.sources.command_line import split_command_line

Converter = Callable[[str], Any]

# Event data that Windows writes where it has nothing to say.
EMPTY = frozenset(("", "-", "{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-000000000000"))
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")


def text(value: str) -> str:
    """Keep the value."""
    return value


def guid(value: str) -> str:
    """Return a GUID as Windows renders it in XML: lower case, in braces."""
    match = _GUID.fullmatch(value)
    return f"{{{match[1].lower()}}}" if match else value


def number(value: str) -> int | None:
    """Return a whole number, decimal or `0x…`; None for what a `long` cannot hold."""
    try:
        found = int(value, 0) if value[:2].lower() == "0x" else int(value)
    except ValueError:
        return None
    return found if is_long(found) else None


def base_name(path: str) -> str | None:
    """Return what follows the last backslash (or slash, in a path without backslashes)."""
    return path.rpartition("\\" if "\\" in path else "/")[2] or None


def directory(path: str) -> str | None:
    """Return what stands before the last backslash."""
    return path.rpartition("\\")[0] or None


def extension(path: str) -> str | None:
    """Return what follows the last dot of a file's name."""
    name = base_name(path) or ""
    return name.rpartition(".")[2] or None if "." in name else None


def arguments(command_line: str) -> list[str] | None:
    """Return the arguments of a command line."""
    return split_command_line(command_line) or None


def count_of_arguments(command_line: str) -> int | None:
    """Return how many arguments a command line has, the program included."""
    return len(split_command_line(command_line)) or None


def address(value: str) -> str | None:
    """Return a valid IP address, an IPv4 address in IPv6 notation as IPv4, or None."""
    try:
        parsed = ipaddress.ip_address(value)
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def account_domain(account: str) -> str | None:
    r"""Return DOMAIN of `DOMAIN\name`."""
    domain, backslash, _name = account.partition("\\")
    return domain if backslash else None


def account_name(account: str) -> str | None:
    r"""Return name of `DOMAIN\name`."""
    _domain, backslash, name = account.partition("\\")
    return name if backslash else None


def before_at(account: str) -> str:
    """Return name of `name@domain`."""
    return account.partition("@")[0]


def _hashes(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(","))
    return {kind.strip().lower(): digest.strip().lower() for kind, _, digest in pairs if digest.strip("0 ")}


def hash_of(kind: str) -> Converter:
    """Return a converter that picks one digest out of Sysmon's `SHA1=…,MD5=…`."""
    return lambda value: _hashes(value).get(kind)


def all_hashes(value: str) -> list[str] | None:
    """Return every digest."""
    return list(_hashes(value).values()) or None


def constant(value: Any) -> Converter:
    """Return a converter that ignores its input."""
    return lambda _: value


def lookup(table: dict[str, Any]) -> Converter:
    """Return a converter that reads a table; a value that is not in it gives None."""
    return table.get


# ---- registry

_HIVES = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_DYN_DATA": "HKDD",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_PERFORMANCE_DATA": "HKPD",
    "HKEY_USERS": "HKU",
}
_HIVES |= {short: short for short in _HIVES.values()}
_DWORD = re.compile(r"DWORD \((0x[0-9A-F]{8})\)", re.IGNORECASE)
_QWORD = re.compile(r"QWORD \((0x[0-9A-F]{8})-(0x[0-9A-F]{8})\)", re.IGNORECASE)


def registry_hive(path: str) -> str | None:
    """Return the hive of a registry path, in short form."""
    return _HIVES.get(path.partition("\\")[0])


def registry_key(path: str) -> str | None:
    """Return a registry path without its hive."""
    hive, _, key = path.partition("\\")
    return key or None if hive in _HIVES else None


def registry_strings(details: str) -> list[str]:
    """Return the data of a registry value as text, DWORD and QWORD in decimal."""
    if match := _DWORD.fullmatch(details):
        return [str(int(match[1], 16))]
    if match := _QWORD.fullmatch(details):
        return [str((int(match[1], 16) << 32) + int(match[2], 16))]
    return [details]


def registry_type(details: str) -> str:
    """Return the type that a registry value's data shows."""
    if _DWORD.fullmatch(details):
        return "SZ_DWORD"
    if _QWORD.fullmatch(details):
        return "SZ_QWORD"
    return "REG_BINARY" if details == "Binary Data" else "REG_SZ"


# ---- DNS


def resolved_addresses(results: str) -> list[str] | None:
    """Return the addresses in Sysmon's `type:  5 name;::ffff:1.2.3.4;`."""
    parts = (address(part.strip()) for part in results.split(";") if not part.strip().startswith("type:"))
    return [part for part in parts if part] or None


def resolved_names(results: str) -> list[str] | None:
    """Return the names in Sysmon's query results."""
    parts = (part.split() for part in results.split(";") if part.strip().startswith("type:"))
    return [words[2] for words in parts if len(words) == 3] or None
