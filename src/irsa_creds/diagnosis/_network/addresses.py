"""Host, port and addresses of a URL, and which addresses an unverified URL may lead to."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

__all__ = ["Address", "address_of", "host_and_port", "is_metadata", "is_public"]

Address = IPv4Address | IPv6Address

# Addresses of credentials of the machine (EC2 User Guide, "Instance metadata"; EKS User Guide, "EKS
# Pod Identity"). The IPv4 ones are link-local.
_METADATA = {ipaddress.ip_address(each) for each in ("fd00:ec2::254", "fd00:ec2::23")}
# IPv6 addresses that end with an IPv4 address: NAT64 (RFC 6052), IPv4-compatible (RFC 4291) and
# IPv4-translated (RFC 2765).
_ENDS_WITH_IPV4 = tuple(
    ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
)
# RFC 8215: each network chooses where in these addresses the IPv4 address stands.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
# RFC 3879; `is_global` counts these as public.
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")
_IPV4 = 0xFFFFFFFF
_HTTP, _HTTPS = 80, 443


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host and the port of a valid URL; all schemes but http have the port of https."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (_HTTP if parts.scheme == "http" else _HTTPS)


def address_of(text: str) -> Address:
    """Return an address; for an IPv6 address that leads to an IPv4 one, the latter.

    Sources: RFC 4291 (IPv4-mapped), RFC 3056 (6to4), RFC 4380 (Teredo), and the ones above.

    Raises:
        ValueError: it is not an address.
    """
    # `%eth0`, the scope of a link-local address, is not part of it.
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, IPv4Address) or found.is_loopback:
        return found
    if found in _LOCAL_NAT64:
        # The unspecified address may not be contacted.
        return IPv4Address(0)
    if any(found in each for each in _ENDS_WITH_IPV4):
        return IPv4Address(int(found) & _IPV4)
    _, client = found.teredo or (None, None)
    return found.ipv4_mapped or found.sixtofour or client or found


def is_public(address: Address) -> bool:
    """Return whether an address is one of the internet."""
    return address.is_global and address not in _SITE_LOCAL


def is_metadata(address: Address) -> bool:
    """Return whether a cloud hands out credentials there, or no server can be there."""
    closed = address.is_link_local or address.is_multicast or address.is_unspecified
    return closed or address in _METADATA
