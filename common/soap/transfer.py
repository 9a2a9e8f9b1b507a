"""Content-Transfer-Encodings (RFC 2045 section 6), decoded as a stream and strictly: damage is never passed on."""

import binascii
import re
from typing import Protocol

from common.soap.content_type import MimeError

_SPACE = b" \t\r\n"
_MAX_LINE = 64 * 1024  # RFC 2045 says 76; some senders never break a line
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_QUOTED_PRINTABLE = re.compile(rb"(?:[\t\r\n -<>-~]++|=(?:[0-9A-Fa-f]{2}|\r?\n))*+")


class TransferDecoder(Protocol):
    """Turns a part's bytes into the document's; MimeError when they cannot be what the encoding makes."""

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """The document bytes that are certain so far."""
        ...

    def close(self) -> bytes:
        """The last document bytes."""
        ...


class Plain:
    """binary, 8bit and 7bit: nothing is encoded."""

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """The same bytes."""
        return data

    def close(self) -> bytes:
        """Nothing is ever kept back."""
        return b""


class Base64:
    """base64 with line ends anywhere (RFC 2045 section 6.8); any other foreign byte is an error."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def feed(self, data: bytes | memoryview) -> bytes:
        """Whole groups of four characters, decoded."""
        text = self._rest + bytes(data).translate(None, _SPACE)
        if self._ended and text:
            raise MimeError("base64 goes on after its end")
        whole = len(text) & ~3
        self._rest = text[whole:]
        try:
            decoded = binascii.a2b_base64(text[:whole], strict_mode=True)
        except binascii.Error:
            raise MimeError("base64 has characters that do not belong there") from None
        self._ended = self._ended or text[:whole].endswith(b"=")
        if self._ended and self._rest:
            raise MimeError("base64 goes on after its end")
        return decoded

    def close(self) -> bytes:
        """Nothing, unless a group is incomplete, which is an error."""
        if self._rest:
            raise MimeError("base64 ends in the middle of a group")
        return b""


class QuotedPrintable:
    """quoted-printable (RFC 2045 section 6.7); white space at the end of a line was added on the way and is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes | memoryview) -> bytes:
        """Whole lines, decoded."""
        text = self._rest + bytes(data)
        whole = text.rfind(b"\n") + 1
        self._rest = text[whole:]
        if len(self._rest) > _MAX_LINE:
            raise MimeError(f"quoted-printable has a line of more than {_MAX_LINE} bytes")
        return _decode_lines(text[:whole])

    def close(self) -> bytes:
        """The line without an end, decoded; a soft line break there is the boundary's."""
        rest = _TRAILING.sub(b"", self._rest)
        return _decode_lines(rest.removesuffix(b"="))


def _decode_lines(text: bytes) -> bytes:
    """Lines of quoted-printable, decoded."""
    if any(len(line) > _MAX_LINE for line in text.split(b"\n")):
        raise MimeError(f"quoted-printable has a line of more than {_MAX_LINE} bytes")
    text = _TRAILING.sub(b"", text)
    if not _QUOTED_PRINTABLE.fullmatch(text):
        raise MimeError("quoted-printable has characters that do not belong there")
    return binascii.a2b_qp(text)


_DECODERS: dict[str, type[Plain] | type[Base64] | type[QuotedPrintable]] = {
    "": Plain,
    "7bit": Plain,
    "8bit": Plain,
    "binary": Plain,
    "base64": Base64,
    "quoted-printable": QuotedPrintable,
}


def decoder_for(encoding: str) -> TransferDecoder:
    """A new decoder for the header's value, empty when there was none; MimeError for an encoding nobody defined."""
    kind = _DECODERS.get(encoding.strip().lower())
    if kind is None:
        raise MimeError("a part has an unknown Content-Transfer-Encoding")
    return kind()
