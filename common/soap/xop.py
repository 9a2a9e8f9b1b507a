"""XOP references (XOP 1.0 section 2; RFC 2392): what a Document element holds, and which part it means."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from lxml import etree

from common.soap.content_type import MimeError
from common.soap.transfer import Base64

INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
MAX_ID = 1000
_PIECE = 64 * 1024
_FOREIGN = re.compile(r"[^ -~\u00a0-\U0010ffff]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Include:
    """The document is in the part with this Content-ID (no brackets); `href` is the reference as it was written."""

    cid: str
    href: str


@dataclass(frozen=True, slots=True)
class Inline:
    """The document is here, as base64 text."""

    text: str

    def pieces(self) -> Iterator[bytes]:
        """The document's bytes in pieces of at most 48 KiB, MimeError where the text is not base64."""
        decoder = Base64()
        for at in range(0, len(self.text), _PIECE):
            try:
                piece = self.text[at : at + _PIECE].encode("ascii")
            except UnicodeEncodeError:
                raise MimeError("base64 has characters that do not belong there") from None
            if decoded := decoder.feed(piece):
                yield decoded
        decoder.close()


def document_content(document: etree._Element) -> Include | Inline:
    """What an xds:Document element holds; MimeError when it mixes both or holds anything else."""
    if not len(document):
        return Inline(document.text or "")
    include = document[0]
    mixed = (document.text or "").strip() or (include.tail or "").strip()
    if len(document) > 1 or include.tag != INCLUDE or mixed:
        raise MimeError("a Document must hold base64 text or one xop:Include, and nothing else")
    href = include.get("href") or ""
    return Include(cid_of(href), href)


def normalise_content_id(value: str) -> str:
    """A Content-ID header or start parameter without white space and brackets; MimeError for an impossible one."""
    text = value.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1].strip()
    if not text or len(text) > MAX_ID or _FOREIGN.search(text):
        raise MimeError("a Content-ID is empty, too long, or has characters that do not belong there")
    return text


def cid_of(href: str) -> str:
    """The Content-ID that a `cid:` URL means, percent-decoded once; MimeError for every other kind of URL."""
    text = href.strip()
    if text[:4].lower() != "cid:":
        raise MimeError("an xop:Include may only refer to a part of its own message (cid:)")
    if _BAD_PERCENT.search(text):
        raise MimeError("an xop:Include has a malformed href")
    try:
        return normalise_content_id(unquote(text[4:], errors="strict"))
    except UnicodeDecodeError:
        raise MimeError("an xop:Include has a malformed href") from None


def href_for(content_id: str) -> str:
    """The `cid:` URL of a Content-ID (RFC 2392 section 2)."""
    return "cid:" + quote(content_id, safe="!$&'()*+,;=:@-._~")


class Claims:
    """Sees to it that every reference has its part, and no part is taken twice."""

    def __init__(self, content_ids: Collection[str]) -> None:
        self._parts = frozenset(content_ids)
        self._taken: set[str] = set()

    def take(self, include: Include) -> str:
        """The part's Content-ID, now taken; MimeError when there is none or it was taken before.

        Some toolkits percent-encode the Content-ID header as well, so the reference as written is the second guess.
        """
        written = include.href.strip()[4:]
        found = next((cid for cid in (include.cid, written) if cid in self._parts), None)
        if found is None:
            raise MimeError("an xop:Include refers to a part that the message does not have")
        if found in self._taken:
            raise MimeError("two xop:Include elements refer to the same part")
        self._taken.add(found)
        return found

    def unclaimed(self) -> frozenset[str]:
        """The parts that nothing referred to."""
        return self._parts - self._taken
