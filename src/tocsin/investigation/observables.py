"""Observables of an event (hashes, domains, addresses, URLs) and where they can be looked up.

Nothing is asked anywhere: a look-up is an address that an analyst may follow.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from tocsin.addresses import is_address
from tocsin.detection.alerts.alert import as_text
from tocsin.translatable import N_

HASH, DOMAIN, ADDRESS, URL = N_("hash"), N_("domain"), N_("address"), "URL"
# Fields, or what their names end with, by the kind of what they hold.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    HASH: (".hash.sha256", ".hash.sha1", ".hash.md5"),
    DOMAIN: ("dns.question.name", "destination.domain", "url.domain", "server.domain"),
    ADDRESS: ("source.ip", "destination.ip", "dns.resolved_ip", "server.ip", "client.ip"),
    URL: ("url.full", "url.original"),
}
_TEXTS = (
    "process.command_line", "process.parent.command_line", "powershell.file.script_block_text",
    "winlog.event_data.ServiceFileName", "registry.data.strings",
)  # fmt: skip
_URL = re.compile(r"\b(?:https?|ftp)://[^\s\"'<>|^`;,)\]}]{3,2000}", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_DIGEST = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\b", re.IGNORECASE)
# What follows `-EncodedCommand` of PowerShell, whose shortest forms are `-e` and `-ec`: UTF-16 in Base64.
_ENCODED = re.compile(
    r"(?<!\S)[-/\u2013\u2014\u2015]e[a-z]{0,13}\s+[\"']?([A-Za-z0-9+/]{16,}={0,2})", re.IGNORECASE
)
# A domain that stands alone: its last label is one that no file and no class of .NET ends with as it is written.
_DOMAIN = re.compile(
    r"(?<![\w.\\/@%-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,6}"
    r"(?:com|net|org|info|biz|io|co|me|tv|cc|ru|su|cn|de|uk|fr|nl|eu|us|ir|kr|jp|in|br|pl|ua|to|ws|xyz|top|site|online|"
    r"club|shop|live|icu|dev|app|cloud|onion)(?![\w.\\-])"
)
_MOST = 60
_LONGEST_WHOLE = 2_100  # characters of a value that may be an observable as a whole
_VIRUSTOTAL, _HYBRID, _TALOS = "VirusTotal", "Hybrid-Analysis", "Cisco Talos"
_ANY_RUN, _ABUSEIPDB = "Any.run", "AbuseIPDB"
# Where each kind is looked up; `{}` is the value, percent-encoded.
LOOK_UPS: Mapping[str, Mapping[str, str]] = {
    HASH: {
        _VIRUSTOTAL: "https://www.virustotal.com/gui/file/{}",
        _HYBRID: "https://www.hybrid-analysis.com/search?query={}",
        _TALOS: "https://talosintelligence.com/talos_file_reputation?s={}",
        _ANY_RUN: "https://app.any.run/submissions/#filehash:{}",
    },
    DOMAIN: {
        _VIRUSTOTAL: "https://www.virustotal.com/gui/domain/{}",
        _HYBRID: "https://www.hybrid-analysis.com/search?query={}",
        _TALOS: "https://talosintelligence.com/reputation_center/lookup?search={}",
        _ANY_RUN: "https://app.any.run/submissions/#domain:{}",
    },
    ADDRESS: {
        _VIRUSTOTAL: "https://www.virustotal.com/gui/ip-address/{}",
        _TALOS: "https://talosintelligence.com/reputation_center/lookup?search={}",
        _ANY_RUN: "https://app.any.run/submissions/#ip:{}",
        _ABUSEIPDB: "https://www.abuseipdb.com/check/{}",
    },
    URL: {
        _VIRUSTOTAL: "https://www.virustotal.com/gui/search/{}",
        _HYBRID: "https://www.hybrid-analysis.com/search?query={}",
    },
}


@dataclass(frozen=True)
class Observable:
    """A value that can be looked up, where it stands, and under which addresses by the services' names.

    One that belongs to a private network has no look-ups: nobody outside knows it.
    """

    kind: str
    value: str
    field: str
    look_ups: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The value so that no program takes it for something to open."""
        return self.value if self.kind == HASH else defanged(self.value)


def defanged(text: str) -> str:
    """Return a URL, a domain or an address that cannot be followed by accident: `hxxps://cdn[.]example[.]com`."""
    scheme, separator, rest = text.rpartition("://")
    host, slash, path = rest.partition("/")
    head = re.sub("^http", "hxxp", scheme, flags=re.IGNORECASE) + separator.replace(":", "[:]")
    if ":" in host and not separator:
        return host.replace(":", "[:]")
    return head + host.replace(".", "[.]") + slash + path


def observables(event: Mapping[str, Any]) -> tuple[Observable, ...]:
    """Return what an event's fields and command lines hold, each once, at most sixty."""
    by_value: dict[tuple[str, str], Observable] = {}
    for kind, value, field in _candidates(event):
        if len(by_value) < _MOST and (kind, value.lower()) not in by_value:
            by_value[kind, value.lower()] = Observable(kind, value, field, _look_ups(kind, value))
    return tuple(
        sorted(by_value.values(), key=lambda observable: (list(LOOK_UPS).index(observable.kind), observable.field))
    )


def observables_in(field: str, value: Any) -> tuple[Observable, ...]:
    """Return what a value of a field is or holds that can be looked up, whatever its field is called."""
    known = observables({field: value})
    text = as_text(value).strip()
    if known or len(text) > _LONGEST_WHOLE:
        return known
    if _DIGEST.fullmatch(text):
        kinds: tuple[str, ...] = (HASH,)
    elif is_address(text):
        kinds = (ADDRESS,)
    else:
        kinds = (URL,) if _URL.fullmatch(text) else ()
    return tuple(Observable(kind, text, field, _look_ups(kind, text)) for kind in kinds)


def _candidates(event: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in event.items():
        for kind, ends in _FIELDS.items():
            if any(name == end or (end.startswith(".") and name.endswith(end)) for end in ends):
                for text in value if isinstance(value, list | tuple) else [value]:
                    if text not in (None, "") and (kind != ADDRESS or is_address(as_text(text))):
                        yield kind, as_text(text), name
    for name in _TEXTS:
        text = _with_decoded(as_text(event.get(name))[:100_000])
        for match in _DOMAIN.finditer(text):
            yield DOMAIN, match[0], name
        for match in _URL.finditer(text):
            yield URL, match[0], name
            host = _host(match[0])
            if host:
                yield (ADDRESS if is_address(host) else DOMAIN), host, name
        for match in _IPV4.finditer(text):
            if is_address(match[0]):
                yield ADDRESS, match[0], name
        for match in _DIGEST.finditer(text):
            yield HASH, match[0], name


def _with_decoded(text: str) -> str:
    """Return a text with what it holds of PowerShell in Base64, decoded, behind it."""
    decoded = [text]
    for match in _ENCODED.finditer(text):
        try:
            decoded.append(b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode("utf-16-le"))
        except ValueError:
            continue
    return "\n".join(decoded)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _look_ups(kind: str, value: str) -> Mapping[str, str]:
    host = _host(value) if kind == URL else value
    if kind != HASH and (not host or ("." not in host and ":" not in host)):
        return {}
    if kind in (ADDRESS, URL) and is_address(host) and not ip_address(host).is_global:
        return {}
    return {name: address.format(quote(value, safe="")) for name, address in LOOK_UPS[kind].items()}
