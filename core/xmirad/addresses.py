"""Where an address leads."""

import ipaddress

UNIX = "unix:"


def host_of(address: str) -> str:
    """Return the host of `host:port`, of an IPv6 address without its brackets."""
    return address.rpartition(":")[0].strip("[]")


def is_loopback(address: str) -> bool:
    """Return whether `host:port` or `unix:path` stays on this machine; of names, only localhost is known to."""
    if address.startswith(UNIX):
        return True
    host = host_of(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
