"""The addresses that the host of an unverified URL has, and which of them may be contacted."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

__all__ = ["Address", "address_of", "is_metadata"]

Address = IPv4Address | IPv6Address

# Addresses of credentials of the machine (EC2 User Guide, "Instance metadata"; EKS User Guide, "EKS
# Pod Identity"). The IPv4 ones are link-local.
_METADATA = {ipaddress.ip_address(each) for each in ("fd00:ec2::254", "fd00:ec2::23")}
# RFC 6052 and RFC 8215: a NAT64 gateway sends what goes there to the IPv4 address at the end.
_NAT64 = tuple(ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48"))
_IPV4 = 0xFFFFFFFF
# With a prefix of 64 bits or less the IPv4 address stands before zeros.
_NOT_AT_THE_END = 0x00FFFFFF


def address_of(text: str) -> Address:
    """Return an address; for an IPv6 address that leads to an IPv4 one, the latter.

    Sources: RFC 4291 (IPv4-mapped), RFC 3056 (6to4), RFC 4380 (Teredo), and NAT64 above.

    Raises:
        ValueError: it is not an address.
    """
    # `%eth0`, the scope of a link-local address, is not part of it.
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, IPv4Address):
        return found
    if any(found in each for each in _NAT64):
        end = int(found) & _IPV4
        # The unspecified address may not be contacted.
        return IPv4Address(end if end & _NOT_AT_THE_END else 0)
    _, client = found.teredo or (None, None)
    return found.ipv4_mapped or found.sixtofour or client or found


def is_metadata(address: Address) -> bool:
    """Return whether a cloud hands out credentials there, or no server can be there."""
    closed = address.is_link_local or address.is_multicast or address.is_unspecified
    return closed or address in _METADATA
