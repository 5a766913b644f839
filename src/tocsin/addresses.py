"""Internet addresses as Elasticsearch's `ip` fields hold them: 128 bits, of which an IPv4 address is `::ffff:…`.

So `10.1.2.3`, `::ffff:10.1.2.3` and `::ffff:a01:203` are one address, and so are `2001:DB8:0::1` and
`2001:db8::1`. Each has one spelling, the one that Elasticsearch answers: IPv4 in decimals, IPv6 as RFC 5952 asks.
A zone (`fe80::1%11`) is no part of an address. Source: Elasticsearch's InetAddresses and NetworkAddress, and
Lucene's InetAddressPoint.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_MAPPED = 0xFFFF << 32  # where the IPv4 addresses lie
LAST = (1 << 128) - 1
Span = tuple[int, int]  # the first and the last number


def is_address(text: str) -> bool:
    """Return whether a text is an IP address, as Python's `ipaddress` reads it."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(1 << 14)
def number_of(text: str) -> int:
    """Return an address as a number of 128 bits. Raises ValueError for any other text."""
    address, percent, zone = text.partition("%")
    if percent and not zone:
        raise ValueError(f"'{text}' is not an IP string literal.")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"'{text}' is not an IP string literal.") from None
    return int(parsed) + (_MAPPED if parsed.version == 4 else 0)


def spelled(number: int) -> str:
    """Return the one spelling of an address."""
    if number >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(number))


def canonical(text: str) -> str:
    """Return the one spelling of an address. Raises ValueError for any other text."""
    return spelled(number_of(text))


def one_spelling(text: str) -> str:
    """Return an address in its one spelling, and any other text as it is."""
    try:
        return canonical(text)
    except ValueError:
        return text


@lru_cache(1 << 14)
def span_of(text: str) -> Span:
    """Return the first and last number of an address, a block (`10.0.0.0/8`) or a range (`10.0.0.1-10.0.0.9`).

    Raises ValueError for any other text. The prefix of a block in IPv6 notation counts the bits of IPv6, so
    that of `::ffff:10.0.0.0` is 96 at least. (Elasticsearch takes no block of such addresses.)
    """
    first, minus, last = text.partition("-")
    if minus:
        low, high = number_of(first.strip()), number_of(last.strip())
        if low > high:
            raise ValueError(f"'{text}' is no range of addresses: it ends before it begins")
        return low, high
    address, slash, prefix = text.partition("/")
    try:
        number = number_of(address)
    except ValueError:
        raise ValueError(f"'{text}' is not an {'address block' if slash else 'IP string literal'}.") from None
    if not slash:
        return number, number
    bits = 128 if ":" in address else 32
    least = 96 if bits == 128 and number >> 32 == 0xFFFF else 0
    if not (prefix.isascii() and prefix.isdigit() and least <= int(prefix) <= bits):
        raise ValueError(f"'{text}' is not an address block: its prefix is a number from {least} to {bits}")
    free = (1 << (bits - int(prefix))) - 1
    return number & ~free, number | free


def range_text(span: Span) -> str:
    """Return a range of addresses as `span_of` reads it."""
    low, high = span
    return f"{spelled(low)}-{spelled(high)}"
