"""The Content-Type header (RFC 2045 section 5.1), read as tolerantly as its senders need and no more."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from common.soap import faults
from common.soap.faults import SoapFault

MAX_LENGTH = 4096
SIMPLE = "application/soap+xml"
SOAP_11_SIMPLE = "text/xml"
MTOM = "multipart/related"

_MEDIA_TYPE = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?=;|\Z)")
# An unquoted value may hold what RFC 2045 wants quoted (`:` `=` `/` `?` `<` `>` `@`), as in boundary=uuid:1.
_PARAMETER = re.compile(
    r";[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"
    r"""(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))[ \t]*)?(?=;|\Z)"""
)
_ESCAPED = re.compile(r"\\(.)")
_FOREIGN = re.compile(r"[^\t -~\u0080-\U0010ffff]")


class MimeError(ValueError):
    """The message's MIME form cannot be read; `reason` is a sentence for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type in lower case, and its parameters by lower-case name."""

    media_type: str
    params: Mapping[str, str]

    @property
    def charset(self) -> str | None:
        """The charset parameter, if there is one."""
        return self.params.get("charset") or None


@lru_cache(maxsize=512)
def parse_content_type(value: str) -> ContentType:
    """The header's value in its parts, or MimeError."""
    if len(value) > MAX_LENGTH:
        raise MimeError(f"the Content-Type is longer than {MAX_LENGTH} characters")
    found = None if _FOREIGN.search(value) else _MEDIA_TYPE.match(value)
    if found is None:
        raise MimeError("the Content-Type is not a media type with parameters")
    return ContentType(found[1].lower(), MappingProxyType(_parameters(value, found.end())))


def _parameters(value: str, at: int) -> dict[str, str]:
    """The parameters from position `at` on; each name once, since two values have two readings."""
    params: dict[str, str] = {}
    while at < len(value):
        found = _PARAMETER.match(value, at)
        if found is None:
            raise MimeError("the Content-Type has a malformed parameter")
        at = found.end()
        if found[1] is None:
            continue
        name = found[1].lower()
        if name in params:
            raise MimeError(f"the Content-Type names {name[:40]} twice")
        params[name] = _ESCAPED.sub(r"\1", found[2]) if found[2] is not None else found[3]
    return params


def read_simple(content_type: ContentType) -> str | None:
    """The charset of a SOAP 1.2 message without attachments; SoapFault for SOAP 1.1's type, MimeError for others."""
    if content_type.media_type == SOAP_11_SIMPLE:
        raise SoapFault(faults.VERSION_MISMATCH, f"{SOAP_11_SIMPLE} is SOAP 1.1; this address speaks SOAP 1.2.")
    if content_type.media_type != SIMPLE:
        raise MimeError(f"the Content-Type must be {SIMPLE}")
    return content_type.charset


def is_mtom(content_type: ContentType) -> bool:
    """Whether the message is a multipart, to be read with MtomReader."""
    return content_type.media_type == MTOM
