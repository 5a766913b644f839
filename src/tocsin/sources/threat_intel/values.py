"""One value of an indicator -> the fields below `threat.indicator` that hold it, as Elastic fills them.

Source: the pipelines of Elastic's `ti_custom`, `ti_misp` and `ti_abusech`, and ECS for the type names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from tocsin.addresses import canonical, is_address
from tocsin.sources.batch import Event

_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_SSDEEP = re.compile(r"\d+:[A-Za-z0-9+/]{3,}:[A-Za-z0-9+/]+\Z")
_TLSH = re.compile(r"T1[0-9A-Fa-f]{70}\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_EMAIL = re.compile(r"[^\s@/:]+@[^\s@/:]+\.[^\s@/:]+\Z")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]+)\.?\Z", re.IGNORECASE)
_REGISTRY = re.compile(r"(?:HKEY_[A-Z_]+|HKLM|HKCU|HKCR|HKU|HKCC)\\", re.IGNORECASE)
_PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\|%[A-Za-z]+%\\)")
_PORT = re.compile(r"(?P<host>[^\s:/]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})\Z")
# What is the name of a file rather than of a host.
_EXTENSIONS = re.compile(
    r"[^\\/:*?\"<>|]+\.(?:exe|dll|sys|scr|ps1|psm1|vbs|vbe|bat|cmd|lnk|hta|msi|jar|js|jse|wsf|doc|docx|docm|xls|xlsx"
    r"|xlsm|pdf|rtf|iso|img|ocx|cpl|7z|rar)\Z",
    re.IGNORECASE,
)
_HIVES = {
    "HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU", "HKEY_USERS": "HKU", "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
}  # fmt: skip
# How people write a name so that nobody opens it by mistake.
_DEFANGED = ((re.compile(r"[\[({](\.|:|@|://)[\])}]"), r"\1"), (re.compile(r"[\[({](?:dot)[\])}]", re.I), "."))
_DEFANGED_SCHEME = re.compile(r"h(?:xx|\*\*|__)p(s?)(?:\[:\]|:)//", re.IGNORECASE)

# What sources call the types of their values (with `-` for every other mark) -> our kinds.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("ip", "ip-address", "ip-addr", "ipv4", "ipv6", "ipv4-addr", "ipv6-addr", "ip-src", "ip-dst",
                     "src-ip", "dst-ip", "ipaddress", "ipv4address", "ipv6address", "address"), "ip"),
    **dict.fromkeys(("ip-port", "ip-src-port", "ip-dst-port"), "ip-port"),
    **dict.fromkeys(("cidr", "ip-block", "netblock", "network", "ip-range"), "block"),
    **dict.fromkeys(("domain", "domain-name", "domainname", "hostname", "host", "fqdn"), "domain"),
    **dict.fromkeys(("url", "uri", "link"), "url"),
    **dict.fromkeys(("md5", "md5-hash", "filehash-md5", "hash-md5", "file-hash-md5"), "md5"),
    **dict.fromkeys(("sha1", "sha-1", "sha1-hash", "filehash-sha1", "hash-sha1", "file-hash-sha1"), "sha1"),
    **dict.fromkeys(("sha256", "sha-256", "sha256-hash", "filehash-sha256", "hash-sha256", "file-hash-sha256"),
                    "sha256"),
    **dict.fromkeys(("sha384", "sha-384"), "sha384"),
    **dict.fromkeys(("sha512", "sha-512", "sha512-hash", "filehash-sha512"), "sha512"),
    **dict.fromkeys(("hash", "file-hash", "filehash"), "hash"),
    "ssdeep": "ssdeep", "tlsh": "tlsh", "imphash": "imphash", "filehash-imphash": "imphash", "pehash": "pehash",
    "filehash-pehash": "pehash",
    **dict.fromkeys(("filename", "file-name"), "filename"),
    **dict.fromkeys(("filepath", "file-path"), "path"),
    "directory": "directory",
    **dict.fromkeys(("email", "email-addr", "email-address", "email-src", "email-dst", "sender"), "email"),
    "email-subject": "email-subject",
    **dict.fromkeys(("regkey", "registry", "registry-key", "registry-path", "windows-registry-key"), "registry"),
    **dict.fromkeys(("asn", "as", "autonomous-system"), "asn"),
    **dict.fromkeys(("mac", "mac-addr", "mac-address"), "mac"),
    **dict.fromkeys(("x509-serial", "serial-number"), "x509-serial"),
    "x509-issuer": "x509-issuer", "x509-subject": "x509-subject",
    "port": "port",
}  # fmt: skip


class NotTakenError(ValueError):
    """A value or pattern that makes no indicator; the text is the reason, short enough to count by."""


def kind_named(name: str) -> str | None:
    """Return the kind of values that a source's name of a type stands for."""
    return KINDS.get(normalised(name))


def normalised(name: str) -> str:
    """Return a name in lower case, with `-` for blanks and other marks."""
    return re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-")


def refanged(value: str) -> str:
    """Return a value as it is meant: `hxxps://a[.]b` is `https://a.b`."""
    value = value.strip()
    for pattern, meant in _DEFANGED:
        value = pattern.sub(meant, value)
    return _DEFANGED_SCHEME.sub(r"http\1://", value)


def kind_of(value: str) -> str | None:
    """Return the kind that a value shows itself to be; None for what could be anything."""
    if _SCHEME.match(value):
        return "url"
    if is_address(value):
        return "ip"
    if _is_block(value):
        return "block"
    if len(value) in _HASHES and _HEX.match(value):
        return _HASHES[len(value)]
    match = _PORT.match(value)
    if match and is_address(match["host"].strip("[]")):
        return "ip-port"
    return next((kind for pattern, kind in _SHAPES if pattern.match(value)), None)


_SHAPES = (
    (_TLSH, "tlsh"),
    (_SSDEEP, "ssdeep"),
    (_EMAIL, "email"),
    (_REGISTRY, "registry"),
    (_PATH, "path"),
    (_EXTENSIONS, "filename"),
    (_DOMAIN, "domain"),
    (re.compile(rf"(?:{_LABEL}\.)+[A-Za-z]{{2,63}}(?::\d{{1,5}})?/\S*\Z"), "url"),
)


def fields_of(kind: str, value: str) -> Event:
    """Return the fields of an indicator with a value of a kind, `threat.indicator.type` among them.

    Raises NotTakenError.
    """
    value = refanged(value)
    if not value:
        raise NotTakenError("no value")
    return {f"threat.indicator.{name}": content for name, content in _FIELDS[kind](value).items()}


def _is_block(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


def _ip(value: str) -> Event:
    address, slash, prefix = value.partition("/")
    if not is_address(address):
        raise NotTakenError("no address")
    bits = 128 if ":" in address else 32
    if slash and prefix != str(bits):
        return _block(value)
    return {"type": "ipv6-addr" if ":" in address else "ipv4-addr", "ip": canonical(address)}


def _ip_port(value: str) -> Event:
    host, _, port = value.replace("|", ":").rpartition(":")
    if not port.isdigit():
        return _domain(value)
    fields = _domain(host.strip("[]"))
    return {**fields, "port": int(port)}


def _block(value: str) -> Event:
    address, _, prefix = value.partition("/")
    if prefix == ("128" if ":" in address else "32"):
        return _ip(value)
    raise NotTakenError("block of addresses: rules compare single addresses")


def _domain(value: str) -> Event:
    if is_address(value.partition("/")[0]):
        return _ip(value)
    name = value.removeprefix("*.").rstrip(".").lower()
    if not name or re.search(r"[\s/]", name):
        raise NotTakenError("no domain name")
    return {"type": "domain-name", "url.domain": name}


def _url(value: str) -> Event:
    fields: Event = {"type": "url", "url.original": value, "url.full": value}
    try:
        parts = urlsplit(value)
        named = {
            "scheme": parts.scheme, "domain": parts.hostname, "port": parts.port, "path": parts.path,
            "query": parts.query, "fragment": parts.fragment,
        }  # fmt: skip
    except ValueError:  # it cannot be split; the whole can still be compared
        return fields
    if parts.hostname:
        fields.update({f"url.{name}": part for name, part in named.items() if part})
    return fields


def _hash_of(name: str, lower: bool = True) -> Callable[[str], Event]:
    length = next((length for length, known in _HASHES.items() if known == name), None)
    field = f"file.{name}" if "." in name else f"file.hash.{name}"

    def fields(value: str) -> Event:
        if length is not None and (len(value) != length or not _HEX.match(value)):
            raise NotTakenError(f"no {name} hash")
        return {"type": "file", field: value.lower() if lower else value}

    return fields


def _hash(value: str) -> Event:
    name = _HASHES.get(len(value))
    if name is None or not _HEX.match(value):
        raise NotTakenError("hash of no known length")
    return _FIELDS[name](value)


def _registry(value: str) -> Event:
    head, _, key = value.partition("\\")
    hive = _HIVES.get(head.upper(), head.upper())
    if hive not in _HIVES.values():
        return {"type": "windows-registry-key", "registry.key": value, "registry.path": value}
    # Events have the short name of the hive, indicators mostly the long one.
    paths = list(dict.fromkeys((value, f"{hive}\\{key}")))
    fields = {"type": "windows-registry-key", "registry.hive": hive, "registry.key": key}
    return {**fields, "registry.path": paths if len(paths) > 1 else paths[0]}


def _asn(value: str) -> Event:
    number = value.upper().removeprefix("AS").strip()
    if not number.isdigit():
        raise NotTakenError("no number of an autonomous system")
    return {"type": "autonomous-system", "as.number": int(number)}


def _port(value: str) -> Event:
    if not value.isdigit():
        raise NotTakenError("no port")
    return {"type": "port", "port": int(value)}


def _path(value: str) -> Event:
    name = re.split(r"[\\/]", value)[-1]
    return {"type": "file", "file.path": value, **({"file.name": name} if name else {})}


def _as_it_is(type_: str, name: str) -> Callable[[str], Event]:
    return lambda value: {"type": type_, name: value}


_FIELDS: Mapping[str, Callable[[str], Event]] = {
    "ip": _ip,
    "ip-port": _ip_port,
    "block": _block,
    "domain": _domain,
    "url": _url,
    **{name: _hash_of(name) for name in _HASHES.values()},
    "hash": _hash,
    "ssdeep": _hash_of("ssdeep", lower=False),
    "tlsh": _hash_of("tlsh", lower=False),
    "imphash": _hash_of("pe.imphash"),
    "pehash": _hash_of("pe.pehash"),
    "filename": _as_it_is("file", "file.name"),
    "path": _path,
    "directory": _as_it_is("directory", "file.directory"),
    "email": _as_it_is("email-addr", "email.address"),
    "email-subject": _as_it_is("email-addr", "email.subject"),
    "registry": _registry,
    "asn": _asn,
    "mac": _as_it_is("mac-addr", "mac"),
    "x509-serial": _as_it_is("x509-certificate", "x509.serial_number"),
    "x509-issuer": _as_it_is("x509-certificate", "x509.issuer.distinguished_name"),
    "x509-subject": _as_it_is("x509-certificate", "x509.subject.distinguished_name"),
    "port": _port,
}


def typed_fields(name: str, value: str) -> Event:
    """Return the fields of a value of a source's type; of MISP's joined ones (`filename|md5`), of both parts.

    Where the type says nothing of the kind (`file`, `indicator`, no type), the value does. Raises NotTakenError.
    """
    names, values = name.split("|"), value.split("|")
    if len(names) > 1 and len(names) == len(values):
        fields: Event = {}
        for type_name, part in zip(names, values, strict=True):
            if normalised(type_name) == "value":  # of a registry key
                of_part: Event = {"threat.indicator.registry.value": part.strip()}
            else:
                of_part = typed_fields(type_name, part)
            fields = {**of_part, **fields}
        return fields
    kind = kind_named(name)
    if kind is None:
        if normalised(name) not in _SAYS_NOTHING:
            raise NotTakenError(f"type `{name.strip()[:40]}` has no field of indicators")
        kind = kind_of(refanged(value))
    if kind is None:
        raise NotTakenError("value of no known kind")
    return fields_of(kind, value)


_SAYS_NOTHING = frozenset(("", "file", "indicator", "ioc", "observable", "unknown", "other", "value", "artifact"))
