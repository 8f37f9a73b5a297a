"""Where an address leads."""

import ipaddress
import re

UNIX = "unix:"
RESOLVER = re.compile(r"(ipv4|ipv6|dns):/*")


def host_of(address: str) -> str:
    """Return the host of `host:port`, an IPv6 address without brackets; `dns:` and the like of gRPC may precede."""
    return RESOLVER.sub("", address, count=1).rpartition(":")[0].strip("[]")


def is_loopback(address: str) -> bool:
    """Return whether `host:port` or `unix:path` stays on this machine; of names, only localhost is known to."""
    if address.startswith(UNIX):
        return True
    host = host_of(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
