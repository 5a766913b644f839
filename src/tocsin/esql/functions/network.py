"""Functions of ES|QL over addresses. Facts are from its reference and the processor `network_direction`."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from tocsin.eql.functions import cidr_match
from tocsin.esql.functions.function import BOOLEAN, IP, KEYWORD, Function, Many, Value

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _ip_prefix(address: str, of_4: int, of_6: int) -> str | None:
    try:
        parsed = ipaddress.ip_address(address)
        return str(ipaddress.ip_network((parsed, of_4 if parsed.version == 4 else of_6), strict=False)[0])
    except ValueError:
        return None


def _within(*blocks: str) -> Callable[[Address], bool]:
    networks = [ipaddress.ip_network(block) for block in blocks]
    return lambda address: any(address in network for network in networks)


_is_private = _within("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
_is_node_local_multicast = _within("ff01::/16")
_is_link_local_multicast = _within("224.0.0.0/24", "ff02::/16")


def _is_unicast(address: Address) -> bool:
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )


def _is_public(address: Address) -> bool:
    return not (
        _is_private(address)
        or address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or _is_node_local_multicast(address)
        or _is_link_local_multicast(address)
        or str(address) == "255.255.255.255"
    )


# Names of networks that stand beside blocks such as 10.0.0.0/8.
_NETWORKS: Mapping[str, Callable[[Address], bool]] = {
    "loopback": lambda address: address.is_loopback,
    "localhost": lambda address: address.is_loopback,
    "unicast": _is_unicast,
    "global_unicast": _is_unicast,
    "multicast": lambda address: address.is_multicast,
    "global_multicast": lambda address: address.is_multicast,
    "interface_local_multicast": _is_node_local_multicast,
    "link_local_unicast": lambda address: address.is_link_local,
    "link_local_multicast": _is_link_local_multicast,
    "private": _is_private,
    "public": _is_public,
    "unspecified": lambda address: address.is_unspecified,
}
_DIRECTIONS = {
    (True, True): "internal", (True, False): "outbound", (False, True): "inbound", (False, False): "external",
}  # fmt: skip


def _is_internal(text: str, networks: tuple[str, ...]) -> bool:
    address = ipaddress.ip_address(text)
    for name in networks:
        named = _NETWORKS.get(name)
        if named(address) if named is not None else address in ipaddress.ip_network(name, strict=False):
            return True
    return False


def _network_direction(source: Value, destination: Value, networks: tuple[str, ...]) -> str | None:
    if len(source) != 1 or len(destination) != 1 or not networks:
        return None
    try:
        return _DIRECTIONS[_is_internal(source[0], networks), _is_internal(destination[0], networks)]
    except ValueError:
        return None


NETWORK: Mapping[str, Function] = {
    "cidr_match": Function("kk", BOOLEAN, cidr_match, 2, variadic=True),
    "ip_prefix": Function("knn", IP, _ip_prefix),
    "network_direction": Function("kkk", KEYWORD, _network_direction, many=Many.WHOLE),
}
