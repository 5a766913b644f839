"""Which addresses connectors may reach: those of public networks, and what the administrator has allowed.

Otherwise somebody who may write a connector could make the service send requests to what only the service reaches:
itself, the machine's other services, the metadata of a cloud (169.254.169.254). What counts is the address that is
connected to, whatever its name or spelling.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# IPv6 addresses whose last 32 bits are the IPv4 address that is reached (RFC 4291, 6052).
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "::ffff:0:0:0/96", "::/96")))
_NONE_OF_IPV4 = (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1"))


class EgressError(Exception):
    """An address that connectors may not reach."""


@dataclass(frozen=True)
class EgressPolicy:
    """What connectors may reach beyond public networks."""

    networks: tuple[Network, ...] = ()

    def allows(self, text: str) -> bool:
        """Return whether connectors may reach an address; a text that is no address is refused."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        reached = _reached(address)
        return _is_public(reached) or any(
            candidate in network
            for candidate in (address, reached)
            for network in self.networks
            if candidate.version == network.version
        )

    def resolve(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses that a name, or an address in any spelling, stands for and that may be reached.

        Raises EgressError when there is none of these, OSError when there is none at all, TimeoutError.
        """
        allowed = [address for address in _resolved(host, port, seconds) if self.allows(address)]
        if not allowed:
            raise EgressError(
                "it leads to a loopback, link-local or private network; `connector_networks` says which of these "
                "connectors may reach"
            )
        return allowed


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from their texts, as in 10.0.0.0/8. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def _reached(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, any other as it is."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _NONE_OF_IPV4:
        if any(address in network for network in _TRANSLATED):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.sixtofour or address
    return address


def _is_public(address: Address) -> bool:
    return address.is_global and not (
        address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    )


def _resolved(host: str, port: int, seconds: float) -> list[str]:
    """Resolve a name in a thread, because the system's resolver has no timeout."""
    addresses: list[str] = []
    failed: list[OSError] = []

    def resolve() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                addresses.append(str(address[0]))
        except UnicodeError:
            failed.append(OSError("no name of a host"))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=resolve, name="resolve", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError("its name is not resolved in time")
    if failed:
        raise failed[0]
    return list(dict.fromkeys(addresses))
