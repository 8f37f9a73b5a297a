"""Where an address leads."""

import ipaddress
import re

UNIX = "unix:"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - where to look for what listens everywhere
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


def listens_everywhere(address: str) -> bool:
    """Return whether who listens at `host:port` is reached by every interface of the machine."""
    return host_of(address) in EVERYWHERE


def callable_address(address: str) -> str:
    """Return where to call who listens at `host:port`: on this machine, if they listen everywhere."""
    host = EVERYWHERE.get(host_of(address))
    return address if host is None else f"{host}:{address.rpartition(':')[2]}"
