"""Which addresses answers may be sent to: a list of entries, and addresses that are read strictly.

Nothing is resolved here. An address that different readers could read differently is no address: user names,
backslashes, hosts that are numbers in disguise, dot segments.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from common.soap import faults
from common.soap.faults import SoapFault

_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}|\*))?(/[!-~]*)?", re.I
)
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_NOT_IN_PATHS: Final = re.compile(r"[\\#\"<>^`{|}]|%(?![0-9A-Fa-f]{2})")
SETTING: Final = "async_reply_to"
LOOPBACK_NAMES: Final = frozenset({"localhost"})

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """An address that something is sent to; ``host`` in its one canonical form, ``path`` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def ip(self) -> Ip | None:
        """The host where it is an IP address."""
        return ip_of(self.host)


def ip_of(host: str) -> Ip | None:
    """The IP address that a canonical host is; ``None`` for a name."""
    try:
        return unmapped(ipaddress.ip_address(host))
    except ValueError:
        return None


def unmapped(ip: Ip) -> Ip:
    """An IPv4 address that is written as one of IPv6 is that IPv4 address."""
    return (isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped) or ip


def _host(written: str) -> str:
    """The canonical form: lower case, no last dot, IP addresses in their shortest form; ValueError for none."""
    if written.startswith("["):
        return str(unmapped(ipaddress.IPv6Address(written[1:-1])))
    name = written.lower().removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return str(ipaddress.IPv4Address(name))  # strict: four decimal numbers without leading zeros
    if not _NAME.fullmatch(name):
        raise ValueError(written)
    return name


def is_loopback(host: str) -> bool:
    """Whether a host means this machine alone, as far as its text tells."""
    found = ip_of(host)
    return host in LOOPBACK_NAMES or (found is not None and found.is_loopback)


def _split(url: str) -> tuple[str, str, str, str]:
    """Scheme, host, port as written, and path; ValueError."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(url)
    path = found[4] or "/"
    steps = unquote(path.partition("?")[0]).split("/")
    if _NOT_IN_PATHS.search(path) or ".." in steps or "." in steps or "\\" in "".join(steps):
        raise ValueError(url)
    return found[1].lower(), _host(found[2]), found[3] or "", path


def _port(scheme: str, written: str) -> int:
    port = int(written or _PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(written)
    return port


def target_of(url: str) -> Target:
    """An address read strictly; ValueError for what is none."""
    scheme, host, port, path = _split(url)
    return Target(scheme, host, _port(scheme, port), path)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: ``port`` 0 is any and ``None`` the scheme's own, ``scheme`` empty is both.

    ``path`` is where paths begin.
    """

    scheme: str
    host: str
    port: int | None
    path: str

    def takes(self, target: Target) -> bool:
        """Whether an address is meant by this entry; paths are compared in whole steps."""
        port = _PORTS[target.scheme] if self.port is None else self.port or target.port
        below = target.path.partition("?")[0]
        return (
            self.host == target.host
            and self.scheme in ("", target.scheme)
            and port == target.port
            and (below == self.path or below.startswith(self.path.rstrip("/") + "/"))
        )


def entry_of(written: str) -> Entry:
    """``https://host:port/path`` or ``host:port``; a port of ``*`` is any, none is the scheme's; ValueError."""
    bare = "://" not in written
    scheme, host, port, path = _split(f"http://{written}" if bare else written)
    if bare and path != "/":
        raise ValueError(written)
    number = 0 if port == "*" else _port(scheme, port) if port else None
    return Entry("" if bare else scheme, host, number, path)


def entries_of(written: str) -> tuple[Entry, ...]:
    """Entries with commas between; ValueError."""
    return tuple(entry_of(each.strip()) for each in written.split(",") if each.strip())


@dataclass(frozen=True, slots=True)
class Allowed:
    """Where answers may go: the entries of the list, or with ``loopback`` any port of this machine."""

    entries: tuple[Entry, ...] = ()
    loopback: bool = False

    @classmethod
    def from_list(cls, written: str, *, loopback: bool) -> Allowed:
        """``loopback`` counts only where nothing is listed."""
        entries = entries_of(written)
        return cls(entries, loopback and not entries)

    @property
    def is_empty(self) -> bool:
        """Whether nothing may be sent anywhere."""
        return not self.entries and not self.loopback

    def takes(self, target: Target) -> bool:
        """Whether an address may be sent to, as far as its text tells."""
        if self.loopback and is_loopback(target.host):
            return True
        return any(entry.takes(target) for entry in self.entries)

    def reaches(self, target: Target, ip: Ip) -> bool:
        """Whether a host may be reached at an IP address that it resolves to.

        Addresses of this machine, of the link, and those where clouds keep credentials are only reached where they
        are listed themselves, whatever a name server says.
        """
        plain = unmapped(ip)
        if not is_special(plain):
            return True
        if plain.is_loopback and (self.loopback or target.host in LOOPBACK_NAMES):
            return True
        return target.ip == plain

    def check(self, addresses: Iterable[str]) -> None:
        """SoapFault for the first address that nothing may be sent to (WS-Addressing SOAP Binding section 6.4.1)."""
        for address in addresses:
            if self.is_empty:
                told = f"Answers are sent only in the HTTP response; the setting {SETTING} would allow other addresses."
                raise SoapFault(faults.ONLY_ANONYMOUS, told)
            try:
                target = target_of(address)
            except ValueError:
                told = "The address for the answer is not a plain http or https address."
                raise SoapFault(faults.INVALID_ADDRESS, told) from None
            if not self.takes(target):
                told = f"Answers are not sent to that address; the setting {SETTING} lists those that are allowed."
                raise SoapFault(faults.INVALID_ADDRESS, told)


_METADATA: Final = frozenset(
    ipaddress.ip_address(each) for each in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)


def is_special(ip: Ip) -> bool:
    """Whether an address is this machine's, the link's, a group's, reserved, or one where a cloud keeps credentials."""
    tunnelled = ip.sixtofour if isinstance(ip, ipaddress.IPv6Address) else None
    if tunnelled is None and isinstance(ip, ipaddress.IPv6Address) and ip in _NAT64:
        tunnelled = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if tunnelled is not None and is_special(tunnelled):
        return True
    if ip in _METADATA or ip.is_unspecified or ip.is_multicast or ip.is_loopback or ip.is_link_local:
        return True
    return isinstance(ip, ipaddress.IPv4Address) and ip.is_reserved


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
