"""What may be sent to services outside: nothing of private networks, of own domains, or that holds a password."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from tocsin.addresses import is_address
from tocsin.investigation.observables import ADDRESS, DOMAIN, HASH
from tocsin.translatable import N_

_DIGEST = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\Z", re.IGNORECASE)
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}\Z", re.IGNORECASE)
# Names that only mean something within a network: RFC 2606, 6761, 6762, 8375, 9476, and what firms use.
_INTERNAL = frozenset(
    ("local", "localhost", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "test",
     "example", "invalid", "onion", "alt")
)  # fmt: skip
NO_HASH = N_("is no MD5, SHA-1 or SHA-256 hash")
PRIVATE_ADDRESS = N_("is no address of a public network")
INTERNAL_DOMAIN = N_("is a name of an internal network, or one of your own domains")
NO_DOMAIN = N_("is no domain")
NO_URL = N_("is no URL of the web")
PASSWORD = N_("holds a user's name or password")


def never_sent(kind: str, value: str, own_domains: Collection[str]) -> str | None:
    """Return why a value is never sent to anybody, None where it may be."""
    if kind == HASH:
        return None if _DIGEST.match(value) else NO_HASH
    if kind == ADDRESS:
        return None if _is_public(value) else PRIVATE_ADDRESS
    if kind == DOMAIN:
        return _of_name(value, own_domains)
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return NO_URL
    if parts.scheme.lower() not in ("http", "https", "ftp") or not host or not value.isprintable():
        return NO_URL
    if "@" in parts.netloc:
        return PASSWORD
    return _of_name(host, own_domains)


def _of_name(name: str, own_domains: Collection[str]) -> str | None:
    bare = name.rstrip(".").lower()
    if is_address(bare):
        return None if _is_public(bare) else PRIVATE_ADDRESS
    last = bare.rpartition(".")[2]
    if "." not in bare or last in _INTERNAL:
        return INTERNAL_DOMAIN
    if any(bare == own or bare.endswith(f".{own}") for own in own_domains):
        return INTERNAL_DOMAIN
    # What a resolver takes for an address, 127.1 or 0x7f000001 say, is none of a public network here.
    return None if _NAME.match(bare) and not last.isdigit() else NO_DOMAIN


def _is_public(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        address = address.ipv4_mapped or address
    return address.is_global and not (address.is_multicast or address.is_reserved)
