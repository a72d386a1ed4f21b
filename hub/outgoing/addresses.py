"""Which hosts and addresses requests may go to."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from hub.outgoing.errors import RefusedAddressError, RefusedUrlError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_LIMIT = 2000
# What `is_global` calls public although it is none: relays, benchmarks, and a cloud's own server.
_ALSO_REFUSED = [
    ipaddress.ip_network(text)
    for text in (
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "168.63.129.16/32"),
        *("2001::/23", "2002::/16", "3fff::/20"),
    )
]
# The only part of IPv6 that is handed out; what embeds IPv4 (64:ff9b::/96, ::ffff:0:0/96) is not.
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")


def is_public(address: Address) -> bool:
    """Whether anybody on the internet has this address, and nobody only here."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _ALSO_REFUSED if _same(address, network))


def _same(address: Address, network: Network) -> bool:
    return address.version == network.version


@dataclass(frozen=True)
class Allowed:
    """What the operator lets through although it is not public: host names and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = field(default=())

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """Read `ci.example.org`, `10.1.0.0/16`, `127.0.0.1`. Raises: ValueError."""
        hosts, networks = set(), []
        for entry in filter(None, (entry.strip().lower() for entry in entries)):
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if not _HOST.fullmatch(entry):
                    raise ValueError(f"“{entry}” is neither a host nor a network.") from None
                hosts.add(entry.rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def check(self, host: str, address: Address) -> None:
        """Raises: RefusedAddressError, which does not say where the name leads."""
        inside = any(address in network for network in self.networks if _same(address, network))
        if not (is_public(address) or inside or host.rstrip(".") in self.hosts):
            raise RefusedAddressError(
                f"“{host}” leads to an address that is not public: use a server that everyone can "
                "reach, or ask the operator of this hub to allow it."
            )


@dataclass(frozen=True)
class Target:
    """A URL taken apart: where to connect, and what to ask for there."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (443 if self.secure else 80) else f"{shown}:{self.port}"


def check_url(url: str, allowed: Allowed) -> Target:
    """Take `url` apart. A host written as an address is checked at once, a name when it is used.

    Raises: RefusedUrlError, RefusedAddressError.
    """
    parts = _split(url)
    host = _host(parts)
    address = _address_in(host)
    if address is not None:
        allowed.check(host, address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme == "https"
    try:
        port = parts.port
    except ValueError:
        raise RefusedUrlError("The URL names a port that does not exist.") from None
    if port == 0:
        raise RefusedUrlError("The URL names a port that does not exist.")
    return Target(secure, host, port or (443 if secure else 80), path)


def _address_in(host: str) -> Address | None:
    """The address that `host` spells, in any of the ways that resolvers read; None for a name."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return ipaddress.ip_address("127.0.0.1")
    with suppress(ValueError):
        return ipaddress.ip_address(host)
    with suppress(OSError):
        return ipaddress.ip_address(socket.inet_aton(host))  # 127.1, 0x7f000001, 0177.0.0.1
    return None


def _split(url: str) -> SplitResult:
    if len(url) > URL_LIMIT:
        raise RefusedUrlError(f"The URL is longer than {URL_LIMIT} characters.")
    # Parsers disagree about these, which is how a check is passed with another host.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise RefusedUrlError("The URL holds characters that must be percent-encoded.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedUrlError("The URL cannot be read.") from None
    if parts.scheme not in {"http", "https"}:
        raise RefusedUrlError("The URL must start with https:// or http://.")
    if "@" in parts.netloc:
        raise RefusedUrlError("The URL must not hold a user name or password.")
    if parts.fragment:
        raise RefusedUrlError("The URL must not have a part after “#”.")
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if not _HOST.fullmatch(host):
        raise RefusedUrlError("The URL names no host.")
    return host
