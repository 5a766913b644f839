"""Converters from a value of a record, as text, to the value of one ECS field; None leaves the field out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson

from tocsin.addresses import canonical
from tocsin.ecs import is_long
from tocsin.moments import EPOCH, written_moment
from tocsin.sources.command_line import split_command_line

Converter = Callable[[str], Any]

# What programs write for no value.
EMPTY = frozenset(("", "-", "{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-000000000000"))
_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?")


def text(value: str) -> str:
    """Return the value as it is."""
    return value


def guid(value: str) -> str:
    """Return a value of type GUID as Windows renders it in XML: lower case, in braces."""
    match = _GUID.fullmatch(value)
    return f"{{{match[1].lower()}}}" if match else value


def number(value: str) -> int | None:
    """Return a whole number, decimal or `0x…`; None for what a `long` cannot hold."""
    try:
        whole = int(value, 0) if value[:2].lower() == "0x" else int(value)
    except ValueError:
        return None
    return whole if is_long(whole) else None


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
    """Return a valid IP address in its one spelling, an IPv4 address in IPv6 notation as IPv4, or None."""
    try:
        return canonical(value)
    except ValueError:
        return None


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


# Names that products have for the types of registry data.
REGISTRY_TYPES = {
    "Binary": "REG_BINARY", "BINARY": "REG_BINARY", "binary": "REG_BINARY", "3": "REG_BINARY",
    "Dword": "REG_DWORD", "DWORD": "REG_DWORD", "dword": "REG_DWORD", "4": "REG_DWORD",
    "Qword": "REG_QWORD", "QWORD": "REG_QWORD", "qword": "REG_QWORD", "11": "REG_QWORD",
    "String": "REG_SZ", "SZ": "REG_SZ", "string": "REG_SZ", "sz": "REG_SZ", "1": "REG_SZ",
    "ExpandString": "REG_EXPAND_SZ", "EXPAND_SZ": "REG_EXPAND_SZ", "expand_string": "REG_EXPAND_SZ",
    "2": "REG_EXPAND_SZ",
    "MultiString": "REG_MULTI_SZ", "MULTI_SZ": "REG_MULTI_SZ", "multi_string": "REG_MULTI_SZ",
    "7": "REG_MULTI_SZ",
    "None": "REG_NONE", "NONE": "REG_NONE", "0": "REG_NONE",
}  # fmt: skip


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
    """Return the addresses in `1.2.3.4;5.6.7.8;`, and in Sysmon's `type:  5 name;::ffff:1.2.3.4;`."""
    return [resolved for part in results.split(";") if (resolved := address(part.strip()))] or None


def resolved_names(results: str) -> list[str] | None:
    """Return the names in Sysmon's query results."""
    parts = (part.split() for part in results.split(";") if part.strip().startswith("type:"))
    return [words[2] for words in parts if len(words) == 3] or None


# ---- moments

_FILETIME_EPOCH = 116_444_736_000_000_000  # 1970 as 100-nanosecond steps since 1601
_DECIMAL = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?")


def _moment(seconds: int, fraction: str) -> str | None:
    try:
        whole = EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return f"{whole:%Y-%m-%dT%H:%M:%S}{'.' + fraction if fraction else ''}Z" if whole.year > 999 else None


def epoch_seconds(value: str) -> str | None:
    """Return the moment of seconds since 1970, with the fraction as it is given."""
    match = _DECIMAL.fullmatch(value)
    return _moment(int(match[1]), match[2] or "") if match else None


def epoch_milliseconds(value: str) -> str | None:
    """Return the moment of milliseconds since 1970, or of a text with a date in it."""
    if value.isdecimal() and len(value) <= 15:
        return _moment(int(value) // 1000, f"{int(value) % 1000:03}")
    return moment(value)


def file_time(value: str) -> str | None:
    """Return the moment of 100-nanosecond steps since 1601, to that precision."""
    if not value.isdecimal() or len(value) > 19 or int(value) < _FILETIME_EPOCH:
        return None
    steps = int(value) - _FILETIME_EPOCH
    return _moment(steps // 10_000_000, f"{steps % 10_000_000:07}")


def moment(value: str) -> str | None:
    """Return a moment as a product writes it, in ISO 8601; None for any other text."""
    try:
        return written_moment(value)
    except ValueError:
        return None


# ---- what products write


def system_of(*texts: str | None) -> str | None:
    """Return the system that paths and the like show: backslashes are Windows', a slash that begins one Linux'."""
    known = [text_ for text_ in texts if text_]
    if any("\\" in text_ for text_ in known):
        return "windows"
    return "linux" if any(text_.startswith("/") for text_ in known) else None


def lowered(value: str) -> str:
    """Return the value in lower case."""
    return value.lower()


def boolean(value: str) -> bool | None:
    """Return the truth that a product writes as `true`, `1` and the like."""
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def digest(value: str) -> str | None:
    """Return a hash in lower case; None for one of zeros only."""
    return value.lower() if value.strip("0 ") else None


def before_dot(value: str) -> str:
    """Return a host's name without its domain."""
    return value.partition(".")[0]


def account(value: str) -> str:
    r"""Return name of `DOMAIN\name`, or the whole where there is no domain."""
    return value.rpartition("\\")[2]


def listed(convert: Callable[[str], Any]) -> Converter:
    """Return a converter that gives its value as a list of one."""

    def convert_to_list(value: str) -> list[Any] | None:
        converted = convert(value)
        return None if converted is None else [converted]

    return convert_to_list


def texts(value: str) -> list[str] | None:
    """Return the texts of a list in JSON; any other text as a list of one."""
    try:
        items = orjson.loads(value)
    except orjson.JSONDecodeError:
        return [value]
    if not isinstance(items, list):
        return [value]
    return [text_ for item in items if (text_ := as_text(item)) is not None] or None


def member(name: str) -> Converter:
    """Return a converter that takes one member of an object in JSON, as text."""

    def read_member(value: str) -> str | None:
        try:
            content = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
        return as_text(content.get(name)) if isinstance(content, dict) else None

    return read_member


def as_text(value: Any) -> str | None:
    """Return a value of a JSON record as text; None for null and for what programs write for no value."""
    if isinstance(value, str):
        return None if value in EMPTY else value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    # Not orjson, which knows no numbers beyond 64 bits.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def entity_id(*parts: str | None) -> str | None:
    """Return an id for what these parts together name, None if one is missing.

    Every record that names the same gives the same id. Zeros that end a fraction of a second do not count, as
    products write one moment at several precisions.
    """
    if None in parts:
        return None
    joined = "|".join(parts)  # type: ignore[arg-type]  # None was ruled out
    return _TRAILING_ZEROS.sub(r".\1Z", joined).replace(".Z", "Z") if "0Z" in joined else joined


_TRAILING_ZEROS = re.compile(r"\.(\d*?)0+Z")

# The numbers of IANA's registries.
TRANSPORTS = {
    "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "58": "ipv6-icmp", "132": "sctp",
}  # fmt: skip
RECORD_TYPES = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "13": "HINFO", "15": "MX", "16": "TXT",
    "28": "AAAA", "33": "SRV", "35": "NAPTR", "39": "DNAME", "43": "DS", "46": "RRSIG", "48": "DNSKEY",
    "52": "TLSA", "64": "SVCB", "65": "HTTPS", "251": "IXFR", "252": "AXFR", "255": "ANY", "257": "CAA",
}  # fmt: skip


def transport(value: str) -> str | None:
    """Return a transport protocol by its number or name, in lower case."""
    name = value.lower()
    if name.isdecimal():
        return TRANSPORTS.get(name)
    protocol = next((known for known in ("tcp", "udp", "icmp") if name.startswith(known)), None)
    return protocol or name
