"""Text into XML bytes, for the few places that write XML by splicing."""

import re

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN = re.compile(r"[ -%'-;=?-~]*")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def escape(text: str) -> str:
    """The text as XML character data or attribute value; what XML 1.0 (section 2.2) cannot hold becomes U+FFFD."""
    if _PLAIN.fullmatch(text) and '"' not in text:
        return text
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)
