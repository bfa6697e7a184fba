"""Decides to which network addresses this machine may be sent by a user's address."""

from __future__ import annotations

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

from coordinator.errors import BadSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

#: Public by their numbers, but not out there: the agents of Azure's and Oracle's clouds.
CLOUDS_OWN = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
#: IPv6 addresses that carry an IPv4 address in their last 32 bits (RFC 6052, RFC 8215).
TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


def resolve_checked(
    host: str,
    port: int,
    allowed: Iterable[Network] = (),
    resolve: Callable[..., list[tuple[Any, ...]]] | None = None,
) -> list[str]:
    """Return the addresses of `host` that may be connected to; connect to these, not to the name.

    Args:
        host: a name, or an address in any form that the system reads, such as `0x7f000001`.
        port: the port to connect to.
        allowed: networks that may be reached although they are not public.
        resolve: asks for a name's addresses; None: `socket.getaddrinfo`.

    Raises:
        BadSourceError: the name is not known, or one of its addresses is not public.
    """
    try:
        found = (resolve or socket.getaddrinfo)(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name"
        message = f"the host {host[:100]} cannot be found: {why}"
        raise BadSourceError(message) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not may_reach(address, allowed):
            message = (
                f"the host {host[:100]} is {address}, which is no public address "
                "(security.sources.allowed_networks)"
            )
            raise BadSourceError(message)
    return addresses


def may_reach(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether an address is public, or lies in one of the allowed networks."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if any(found in network for network in allowed):
        return True
    inner = _carried(found)
    if inner is not None:
        return may_reach(str(inner), allowed)
    if found.is_multicast or any(found in network for network in CLOUDS_OWN):
        return False
    return found.is_global


def _carried(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    for carried in (address.ipv4_mapped, address.sixtofour):
        if carried is not None:
            return carried
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
