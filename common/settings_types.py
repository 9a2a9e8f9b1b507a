"""The kinds of value a setting can hold: how each is read, what it accepts, how it is shown.

The table itself is in `common/settings.py`.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import urlsplit

from common.hl7.types import is_oid
from common.soap.destination import entries_of

T = TypeVar("T")

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

_SIZE_UNITS: Final = {"": 1, "B": 1, "KIB": KIB, "MIB": MIB, "GIB": GIB}
_TIME_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TRUTH: Final = {"true": True, "yes": True, "on": True, "1": True}
_FALSEHOOD: Final = {"false": False, "no": False, "off": False, "0": False}

_FRACTION = re.compile(r"[01](?:\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_SIZE = re.compile(r"([0-9]{1,18}) ?([A-Za-z]{0,3})")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([a-z]{0,2})")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_HOST6 = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How one kind of value is read from text (ValueError when it is not one) and shown."""

    accepts: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str


@dataclass(frozen=True)
class Row:
    """What the table says of one setting besides its name and type."""

    kind: Kind[Any]
    default: Any
    meaning: str
    secret: bool = False


def setting(kind: Kind[T], default: T, meaning: str, *, secret: bool = False) -> T:
    """One row of the table: a dataclass field that carries its own description; secrets stay out of repr."""
    return field(default=default, repr=not secret, metadata={"row": Row(kind, default, meaning, secret)})


def row_of(entry: "Field[Any]") -> Row:
    """The row behind a field made by `setting`."""
    return cast(Row, entry.metadata["row"])


def split_bind(value: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`; ValueError when it is neither or the port is not 1 to 65535."""
    host, _, port = value.rpartition(":")
    bracketed = _HOST6.fullmatch(host)
    if not (bracketed or _HOST.fullmatch(host)) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError(value)
    if not 1 <= int(port) <= 65535:
        raise ValueError(value)
    return (bracketed[1] if bracketed else host), int(port)


def _within(number: float, low: float, high: float) -> None:
    if not low <= number <= high:
        raise ValueError(number)


def _require(found: bool, value: str) -> str:
    if not found:
        raise ValueError(value)
    return value


def text(accepts: str = "text without control characters") -> Kind[str]:
    """Any text on one line."""
    return Kind(accepts, lambda value: _require(not _CONTROL.search(value), value))


def choice(*choices: str) -> Kind[str]:
    """One of a few words."""
    return Kind(" or ".join(f"`{word}`" for word in choices), lambda value: _require(value in choices, value))


def boolean() -> Kind[bool]:
    """Yes or no, as TOML and shells write it."""

    def parse(value: str) -> bool:
        known = _TRUTH | _FALSEHOOD
        return known[_require(value.lower() in known, value.lower())]

    return Kind("`true` or `false`", parse, lambda value: "true" if value else "false")


def whole(low: int, high: int) -> Kind[int]:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        number = int(_require(bool(_WHOLE.fullmatch(value)), value))
        _within(number, low, high)
        return number

    return Kind(f"a whole number from {low} to {high}", parse)


def fraction() -> Kind[float]:
    """A share."""

    def parse(value: str) -> float:
        number = float(_require(bool(_FRACTION.fullmatch(value)), value))
        _within(number, 0, 1)
        return number

    return Kind("a number from 0 to 1", parse, lambda value: f"{value:.9f}".rstrip("0").rstrip("."))


def show_size(value: int) -> str:
    """Bytes in the largest unit that leaves a whole number."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def size(low: int, high: int) -> Kind[int]:
    """A number of bytes, plain or in KiB, MiB, GiB."""

    def parse(value: str) -> int:
        found = _SIZE.fullmatch(value)
        if found is None or found[2].upper() not in _SIZE_UNITS:
            raise ValueError(value)
        number = int(found[1]) * _SIZE_UNITS[found[2].upper()]
        _within(number, low, high)
        return number

    return Kind(f"a size from {show_size(low)} to {show_size(high)}, such as `8MiB`, or plain bytes", parse, show_size)


def show_duration(value: float) -> str:
    """Seconds in the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m"):
        if value and value % _TIME_UNITS[unit] == 0:
            return f"{int(value // _TIME_UNITS[unit])}{unit}"
    return f"{value:.6f}".rstrip("0").rstrip(".") + "s"


def duration(low: float, high: float) -> Kind[float]:
    """A length of time in seconds, plain or with ms, s, m, h, d."""

    def parse(value: str) -> float:
        found = _DURATION.fullmatch(value)
        if found is None or found[2] not in _TIME_UNITS:
            raise ValueError(value)
        number = float(found[1]) * _TIME_UNITS[found[2]]
        _within(number, low, high)
        return number

    bounds = f"{show_duration(low)} to {show_duration(high)}"
    return Kind(f"a length of time from {bounds}, such as `10s` or `15m`, or plain seconds", parse, show_duration)


def _show_path(value: Path) -> str:
    return str(value) if value.is_absolute() else f"./{value}"


def folder() -> Kind[Path]:
    """A folder, which need not be there yet."""
    return Kind("a folder", lambda value: Path(_require(not _CONTROL.search(value), value)), _show_path)


def database() -> Kind[str]:
    """The SQLAlchemy URL of a database that the product is tested on."""

    def parse(value: str) -> str:
        known = value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://"))
        return _require(known and not _CONTROL.search(value), value)

    return Kind("an SQLAlchemy URL such as `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME`", parse)


def storage() -> Kind[str]:
    """A folder, or a bucket as `s3://BUCKET`."""

    def parse(value: str) -> str:
        scheme, found, bucket = value.partition("://")
        good = not found or (scheme == "s3" and _BUCKET.fullmatch(bucket) is not None)
        return _require(good and not _CONTROL.search(value), value)

    return Kind("a folder, or `s3://BUCKET`", parse)


def _is_web(value: str) -> bool:
    """An http or https address with a host, and without user, query and fragment."""
    if not value.isascii() or re.search(r"[\s\x00-\x1f\x7f]", value):
        return False
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return False
    return parts.port != 0 and not parts.query and not parts.fragment


def web() -> Kind[str]:
    """An http or https address."""
    return Kind("an http or https address, without user, query or fragment", lambda v: _require(_is_web(v), v))


def bind() -> Kind[str]:
    """An address to listen on."""

    def parse(value: str) -> str:
        split_bind(value)
        return value

    return Kind("`host:port` or `[IPv6]:port`, with a port from 1 to 65535", parse)


def bind_or_off() -> Kind[str]:
    """An address to listen on, or none."""

    def parse(value: str) -> str:
        if value in ("", "off"):
            return "off"
        split_bind(value)
        return value

    return Kind("`host:port` or `[IPv6]:port`, with a port from 1 to 65535; or `off`", parse)


def oid() -> Kind[str]:
    """An OID (TF-3 Table 4.2.3.1.7-2)."""
    return Kind("an OID: numbers and dots, no leading zeros, at most 64 characters", lambda v: _require(is_oid(v), v))


def split_addresses(value: str) -> dict[str, str]:
    """`uid=url,uid=url` as a mapping; ValueError when a pair is malformed or a uid comes twice."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        uid, _, address = pair.partition("=")
        if not is_oid(uid) or not _is_web(address) or uid in found:
            raise ValueError(pair)
        found[uid] = address
    return found


def split_ips(value: str) -> list[str]:
    """IP addresses with commas between, each as it is usually written; ValueError for what is none."""
    return [str(ipaddress.ip_address(part.strip())) for part in value.split(",") if part.strip()]


def ips() -> Kind[str]:
    """IP addresses."""

    def parse(value: str) -> str:
        return ",".join(split_ips(value))

    return Kind("a list of IP addresses, with commas between", parse)


def header() -> Kind[str]:
    """The name of a field of HTTP."""

    def parse(value: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", value):
            raise ValueError(value)
        return value

    return Kind("a name of letters, digits and dashes", parse)


def addresses() -> Kind[str]:
    """Addresses of repositories by their unique id."""

    def parse(value: str) -> str:
        split_addresses(value)
        return value

    return Kind("a list `UID=URL,UID=URL` of OIDs and http or https addresses, each OID once", parse)


def destinations() -> Kind[str]:
    """Addresses that something may be sent to."""

    def parse(value: str) -> str:
        entries_of(value)
        return value

    accepts = "a list of `http://HOST:PORT/PATH`, `https://HOST:PORT/PATH` or `HOST:PORT`, with commas between; a port "
    return Kind(f"{accepts}of `*` is any, none is the scheme's own, and a path is where paths begin", parse)


def bind_or_nothing() -> Kind[str]:
    """The address of a listener, or none."""

    def parse(value: str) -> str:
        if value:
            split_bind(value)
        return value

    return Kind("`host:port` or `[IPv6]:port`, with a port from 1 to 65535; or nothing", parse)


def binds() -> Kind[str]:
    """Addresses of listeners."""

    def parse(value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            split_bind(each)
        return value

    return Kind("a list of `host:port` or `[IPv6]:port`, with commas between", parse)


def split_namespaces(value: str) -> dict[str, str]:
    """`name=oid,name=oid` as a mapping; ValueError when a pair is malformed or a name comes twice."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        name, _, authority = pair.partition("=")
        if not name or _CONTROL.search(name) or not is_oid(authority) or name in found:
            raise ValueError(pair)
        found[name] = authority
    return found


def namespaces() -> Kind[str]:
    """OIDs of assigning authorities by name."""

    def parse(value: str) -> str:
        split_namespaces(value)
        return value

    return Kind("a list `NAME=OID,NAME=OID`, each name once", parse)


def tracing() -> Kind[str]:
    """Where NHS Numbers are looked up."""

    def parse(value: str) -> str:
        known = value in ("none", "recorded") or (value.startswith("recorded:") and len(value) > len("recorded:"))
        return _require((known or _is_web(value)) and not _CONTROL.search(value), value)

    return Kind("`none`, `recorded`, `recorded:FOLDER`, or an http or https address", parse)
