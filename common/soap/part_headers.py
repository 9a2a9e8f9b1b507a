"""The header block of a MIME part (RFC 822 section 3.1 as used by RFC 2046), lines ending in CRLF or LF."""

import re

from common.soap.content_type import MimeError

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def find_end(buffer: bytes, at: int, most: int) -> int:
    """Where the block that starts at `at` ends, blank line included; -1 if not yet; MimeError beyond `most` bytes."""
    for blank in (b"\n", b"\r\n"):
        if buffer.startswith(blank, at):
            return at + len(blank)
    stop = at + most
    ends = [found + len(blank) for blank in (b"\n\n", b"\n\r\n") if (found := buffer.find(blank, at, stop)) >= 0]
    if ends:
        return min(ends)
    if len(buffer) - at > most:
        raise MimeError(f"a part's headers are longer than {most} bytes")
    return -1


def read_headers(block: bytes, most: int) -> dict[str, str]:
    """The block as values by lower-case name; MimeError for more than `most` or for a Content- header given twice."""
    headers: dict[str, str] = {}
    lines = _lines(block)
    if len(lines) > most:
        raise MimeError(f"a part has more than {most} headers")
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise MimeError("a part has a malformed header line")
        if name in headers and name.startswith("content-"):
            raise MimeError(f"a part has two {name[:40]} headers")
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _lines(block: bytes) -> list[str]:
    """The lines as text, folded ones joined (RFC 822 section 3.1.1)."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise MimeError("a part's headers are not UTF-8 text") from None
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and lines:
            lines.append(f"{lines.pop()} {line.strip()}")
        elif line:
            lines.append(line)
    return lines
