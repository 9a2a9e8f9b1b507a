"""Which of the two permitted character encodings a message is in: UTF-8 or UTF-16 (XML 1.0 section 4.3.3, RFC 7303)."""

import re

_UTF8 = frozenset({"utf-8", "utf8"})
_UTF16 = frozenset({"utf-16", "utf16", "utf-16le", "utf-16be"})
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_NEVER = (
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\x00<", "UTF-32"),
    (b"<\x00\x00\x00", "UTF-32"),
    (b"+/v", "UTF-7"),
    (b"\x4c\x6f\xa7\x94", "EBCDIC"),
)


class XmlRefused(ValueError):  # noqa: N818 - it is a refusal, told as such
    """The bytes are not XML this product reads; `reason` is a sentence that quotes nothing of the content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def to_utf8(data: bytes, charset: str | None) -> bytes:
    """The message as UTF-8 bytes, by byte order mark, else `charset`, else its own declaration (RFC 7303 section 3)."""
    named = _family(charset) if charset else None
    codec = _by_mark(data) or _by_look(data, named)
    if codec == "utf-8":
        text = data
    else:
        try:
            text = data.decode(codec).encode()
        except UnicodeError:
            raise XmlRefused("the message is not valid UTF-16") from None
    if named is None:
        _check_declaration(text, codec)
    return text


def _family(name: str) -> str:
    """The name as the one this module uses, or XmlRefused when it is neither UTF-8 nor UTF-16."""
    lower = name.strip().lower()
    if lower in _UTF8:
        return "utf-8"
    if lower in _UTF16:
        return lower
    raise XmlRefused("the character encoding must be UTF-8 or UTF-16")


def _by_mark(data: bytes) -> str | None:
    """The codec that a byte order mark names, or None without one."""
    head = data[:4]
    for mark, name in _NEVER:
        if head.startswith(mark):
            raise XmlRefused(f"the character encoding must be UTF-8 or UTF-16, not {name}")
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return None


def _by_look(data: bytes, named: str | None) -> str:
    """The codec of a message without a mark: UTF-16 shows in the zero byte beside the first `<` (XML 1.0 app. F)."""
    looks = {b"<\x00": "utf-16-le", b"\x00<": "utf-16-be"}.get(data[:2])
    if named is None or named == "utf-8":
        return looks if looks and named is None else "utf-8"
    if looks is None:
        raise XmlRefused("the message is declared as UTF-16 but is not UTF-16")
    return looks


def _check_declaration(text: bytes, found: str) -> None:
    """Nothing outside the message names its encoding, so its own declaration must agree with what it is."""
    declared = _DECLARED.match(text)
    if declared and (_family(declared[1].decode("ascii")) == "utf-8") != (found == "utf-8"):
        raise XmlRefused("the message's bytes and its encoding declaration disagree")
