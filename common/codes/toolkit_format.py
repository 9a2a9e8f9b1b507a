"""Reads a codes.xml as IHE's test tools use it: CodeType, Code and AssigningAuthority elements.

A Code without codingScheme is accepted with any scheme; a CodeType that neither its classScheme nor its
name ties to an attribute holds for every attribute. Other elements are left aside.
"""

from typing import Any, Final

from lxml import etree

from common.codes.listing import ALIASES, ATTRIBUTES, EVERY, PLAIN, Entry, Listing
from common.standard.attributes import ATTRIBUTES as ATTRIBUTE_ROWS
from common.standard.attributes import Place

# The names in the file are words for people; the schemes are what counts.
_BY_SCHEME: Final = {
    row.key: ALIASES.get(row.name, row.name)
    for rows in ATTRIBUTE_ROWS.values()
    for row in rows
    if row.place is Place.CODE
}


def read(content: bytes) -> Listing:
    """All that the file says; problems of form are noted in the listing."""
    listing = Listing("xml")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        listing.error(None, f"this is not an XML file: {error}")
        return listing
    about: Any = root.getroottree().docinfo
    if about.doctype:
        listing.error(None, "a document type declaration is not accepted; take the DOCTYPE out")
        return listing
    for kind in root.iter("CodeType"):
        _kind(listing, kind)
    for authority in root.iter("AssigningAuthority"):
        _authority(listing, authority)
    if not listing.present:
        listing.error(None, "there is no CodeType element for any known attribute")
    return listing


def _kind(listing: Listing, kind: etree._Element) -> None:
    name, class_scheme = kind.get("name", ""), kind.get("classScheme", "").lower()
    attribute = _BY_SCHEME.get(class_scheme) or (name if name in ATTRIBUTES else EVERY)
    if class_scheme and class_scheme not in _BY_SCHEME:
        # A classification that XDS does not know: nothing that is submitted can be meant by it.
        listing.warn(_line(kind), f"CodeType {name} has the unknown classScheme {class_scheme}, and is left aside")
        return
    if attribute != EVERY:
        listing.present.add(attribute)
    for code in kind.iter("Code"):
        _code(listing, attribute, code)


def _code(listing: Listing, attribute: str, code: etree._Element) -> None:
    value, display = code.get("code", ""), code.get("display", "")
    if attribute in PLAIN:
        listing.entries.append(Entry(attribute, value.lower(), EVERY, display or value, _line(code)))
    else:
        scheme = code.get("codingScheme") or EVERY
        listing.entries.append(Entry(attribute, value, scheme, display, _line(code)))


def _authority(listing: Listing, authority: etree._Element) -> None:
    """An assigning authority, whose id is the HL7 form `&OID&ISO`."""
    parts = authority.get("id", "").split("&")
    if len(parts) == 3 and not parts[0] and parts[1] and parts[2] == "ISO":
        listing.authorities[parts[1]] = authority.get("display", "")
    else:
        listing.error(_line(authority), "the id of an AssigningAuthority must have the form &OID&ISO")


def _line(element: etree._Element) -> int | None:
    line: Any = element.sourceline
    return line if isinstance(line, int) else None
