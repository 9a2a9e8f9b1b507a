"""Reads the header of a CDA document as XML, safely, and finds elements in it."""

from typing import Any, Final
from xml.parsers import expat

from lxml import etree

HL7: Final = "urn:hl7-org:v3"

_MOST_HEADER: Final = 1024 * 1024
_STEP: Final = 16 * 1024
_MOST_TEXT: Final = 1000

Element = etree._Element


class CdaError(Exception):
    """A document whose header cannot be used; the message is one sentence without patient data."""


class _Enough(Exception):  # noqa: N818 (no mistake: the root element has been reached)
    """Raised to stop reading."""


def header_of(content: bytes) -> Element:
    """The root with all that comes before the body; CdaError when it is not CDA, too large or not safe."""
    _refuse_document_type(content)
    parser: Any = etree.XMLPullParser(
        events=("start",),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return _read(parser, content)
    except etree.XMLSyntaxError as error:
        raise CdaError(f"The document is not well-formed XML near line {error.lineno or 1}.") from None


def _read(parser: Any, content: bytes) -> Element:
    root: Element | None = None
    element: Element
    for start in range(0, min(len(content), _MOST_HEADER), _STEP):
        parser.feed(content[start : min(start + _STEP, _MOST_HEADER)])
        for _, element in parser.read_events():
            if root is None:
                root = _checked(element)
            # The body may be of any size, and nothing in it is needed.
            if element.tag == f"{{{HL7}}}component" and element.getparent() is root:
                return root
    if len(content) > _MOST_HEADER:
        raise CdaError(f"The document's header is longer than {_MOST_HEADER} bytes.")
    return _checked(parser.close())


def _checked(root: Element) -> Element:
    if root.tag != f"{{{HL7}}}ClinicalDocument":
        raise CdaError("The document is not CDA: its root is not ClinicalDocument of urn:hl7-org:v3.")
    return root


def _refuse_document_type(content: bytes) -> None:
    """Read up to the root element only, so that nothing a document type declares is ever taken in."""
    reader = expat.ParserCreate()
    reader.StartDoctypeDeclHandler = _document_type
    reader.StartElementHandler = _root_reached
    try:
        reader.Parse(content[:_MOST_HEADER], True)
    except _Enough:
        return
    except (expat.ExpatError, ValueError, LookupError):
        raise CdaError("The document is not well-formed XML.") from None
    raise CdaError("The document is not well-formed XML.")


def _document_type(*_: object) -> None:
    raise CdaError("The document has a document type declaration (DOCTYPE), which is not accepted.")


def _root_reached(*_: object) -> None:
    raise _Enough


def all_of(parent: Element | None, path: str) -> list[Element]:
    """All elements at a path of names in HL7's namespace; none below what is not there."""
    if parent is None:
        return []
    return parent.findall("/".join(f"{{{HL7}}}{name}" for name in path.split("/")))


def first(parent: Element | None, path: str) -> Element | None:
    """The first element at a path, or None."""
    return next(iter(all_of(parent, path)), None)


def text_of(element: Element | None) -> str | None:
    """All text within an element, white space put in order, or None when there is none."""
    if element is None:
        return None
    return _ordered("".join(str(part) for part in element.itertext()))


def attribute(element: Element | None, name: str) -> str | None:
    """An attribute, white space put in order, or None when it is absent, empty or the element has a nullFlavor."""
    if element is None or element.get("nullFlavor"):
        return None
    return _ordered(element.get(name) or "")


def _ordered(text: str) -> str | None:
    ordered = " ".join(text.split())
    if len(ordered) > _MOST_TEXT:
        raise CdaError(f"The document's header has a value of more than {_MOST_TEXT} characters.")
    return ordered or None
