"""Reads a codes.xml as IHE's test tools use it: CodeType, Code and AssigningAuthority elements.

A Code without codingScheme is accepted with any scheme; a CodeType that neither its classScheme nor its
name ties to an attribute holds for every attribute. Other elements are left aside.
"""

from typing import Any, Final

from lxml import etree

from common.codes.listing import ATTRIBUTES, EVERY, PLAIN, Entry, Listing

# ITI TF-3 section 4.2.5.2; the names in the file are words for people, the schemes are what counts.
_BY_SCHEME: Final = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "classCode",
    "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": "confidentialityCode",
    "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": "eventCodeList",
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": "formatCode",
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcareFacilityTypeCode",
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "practiceSettingCode",
    "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": "typeCode",
    "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500": "contentTypeCode",
    "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5": "folderCodeList",
    "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3": "associationDocumentation",
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
