"""The WSDLs and schemas: they load in zeep, from disk and as served, and take every message the official ones take."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep.transports import Transport

from common import wsdl

SHARED = Path(__file__).parents[2] / "../shared"
needs_examples = pytest.mark.skipif(
    not (SHARED / "examples").is_dir(), reason="the example messages are not beside this checkout"
)
needs_schemas = pytest.mark.skipif(
    not (SHARED / "schemas").is_dir(), reason="the official schemas are not beside this checkout"
)

ADDRESS = "http://portolan.test/some/path?a=1&b=2"
XS = "{http://www.w3.org/2001/XMLSchema}"
SOAP_BODY = "{http://www.w3.org/2003/05/soap-envelope}Body"
XOP = "{http://www.w3.org/2004/08/xop/include}Include"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"

A_PACKAGE = {"id": "SubmissionSet01", "Name": {"LocalizedString": [{"value": "Letters"}]}}
A_QUERY = {"ResponseOption": {"returnType": "LeafClass"}, "AdhocQuery": {"id": "urn:uuid:14d4debf"}}
A_FEED = {
    "ITSVersion": "XML_1.0",
    "id": {"root": "1.2.3", "extension": "1"},
    "creationTime": {"value": "20260306093000"},
    "interactionId": {"root": "2.16.840.1.113883.1.6", "extension": "PRPA_IN201301UV02"},
    **{name: {"code": "P"} for name in ("processingCode", "processingModeCode", "acceptAckCode")},
    **{
        name: {"typeCode": code, "device": {"classCode": "DEV", "determinerCode": "INSTANCE", "id": [{"root": "1.2"}]}}
        for name, code in (("receiver", "RCV"), ("sender", "SND"))
    },
    "controlActProcess": {"classCode": "CACT", "moodCode": "EVN"},
}
FEEDS = ("PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02")
PATIENT_QUERIES = (
    "PRPA_IN201305UV02",
    "PRPA_IN201309UV02",
    "QUQI_IN000003UV01_Continue",
    "QUQI_IN000003UV01_Cancel",
)
REQUESTS: dict[str, dict[str, Any]] = {
    "DocumentRegistry_RegistryStoredQuery": A_QUERY,
    "DocumentRegistry_MultiPatientStoredQuery": A_QUERY,
    **{f"DocumentRegistry_{name}": A_FEED for name in FEEDS},
    **{f"PIXManager_{name}": A_FEED for name in (*FEEDS, *PATIENT_QUERIES)},
    "DocumentRegistry_RegisterDocumentSet-b": {"RegistryObjectList": {"Identifiable": []}},
    "DocumentRegistry_RegisterOnDemandDocumentEntry": {"RegistryObjectList": {"Identifiable": []}},
    "DocumentRegistry_UpdateDocumentSet": {"RegistryObjectList": {"Identifiable": []}},
    "DocumentRegistry_RestrictedUpdateDocumentSet": {"RegistryObjectList": {"Identifiable": []}},
    "DocumentRepository_ProvideAndRegisterDocumentSet-b": {
        "SubmitObjectsRequest": {"RegistryObjectList": {"Identifiable": []}},
        "Document": [{"_value_1": b"%PDF", "id": "Document01"}],
    },
    "DocumentRegistry_DeleteDocumentSet": {"ObjectRefList": {"ObjectRef": [{"id": "urn:uuid:14d4debf"}]}},
    "DocumentRepository_RemoveDocuments": {
        "DocumentRequest": [{"RepositoryUniqueId": "1.2.3", "DocumentUniqueId": "1.2.3.4"}]
    },
    "DocumentRepository_RetrieveDocumentSet": {
        "DocumentRequest": [{"RepositoryUniqueId": "1.2.3", "DocumentUniqueId": "1.2.3.4"}]
    },
}
ACTIONS = {
    **{f"DocumentRegistry_{name}": f"urn:hl7-org:v3:{name}" for name in FEEDS},
    **{f"PIXManager_{name}": f"urn:hl7-org:v3:{name}" for name in (*FEEDS, *PATIENT_QUERIES)},
    "DocumentRegistry_RegistryStoredQuery": "urn:ihe:iti:2007:RegistryStoredQuery",
    "DocumentRegistry_MultiPatientStoredQuery": "urn:ihe:iti:2009:MultiPatientStoredQuery",
    "DocumentRegistry_RegisterDocumentSet-b": "urn:ihe:iti:2007:RegisterDocumentSet-b",
    "DocumentRegistry_RegisterOnDemandDocumentEntry": "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
    "DocumentRegistry_UpdateDocumentSet": "urn:ihe:iti:2010:UpdateDocumentSet",
    "DocumentRegistry_RestrictedUpdateDocumentSet": "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
    "DocumentRepository_ProvideAndRegisterDocumentSet-b": "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    "DocumentRegistry_DeleteDocumentSet": "urn:ihe:iti:2010:DeleteDocumentSet",
    "DocumentRepository_RemoveDocuments": "urn:ihe:iti:2017:RemoveDocuments",
    "DocumentRepository_RetrieveDocumentSet": "urn:ihe:iti:2007:RetrieveDocumentSet",
}


class Served(Transport):
    """Hands out what a service at this address would."""

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.base = ADDRESS.partition("?")[0]
        self.answers = {f"{self.base}?wsdl": name} | {f"{self.base}?xsd={xsd}": xsd for xsd in wsdl.SCHEMAS}

    def load(self, url: str) -> bytes:
        """The file for the URL; KeyError for any other URL, so that nothing is fetched."""
        return wsdl.document(self.answers[url], self.base)


def operations(client: Any) -> Iterator[tuple[str, Any, Any]]:
    for service in client.wsdl.services.values():
        for port in service.ports.values():
            for name, operation in port.binding._operations.items():
                yield name, operation, port


def a_client(location: str, transport: Transport | None = None) -> Any:
    return zeep.Client(location, transport=transport)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("name", wsdl.WSDLS)
@pytest.mark.parametrize("served", [False, True])
def test_zeep_makes_a_valid_request_for_every_operation(name: str, served: bool) -> None:
    client = (
        a_client("http://portolan.test/some/path?wsdl", Served(name))
        if served
        else a_client(str(wsdl.local_path(name)))
    )
    seen = []
    for operation, binding, port in operations(client):
        seen.append(operation)
        service = client.create_service(str(port.binding.name), "http://portolan.test/x")
        message = client.create_message(service, operation, **REQUESTS[operation])
        assert our_schema().validate(body_of(message)), our_schema().error_log
        assert binding.abstract.wsa_action == ACTIONS[operation]
        assert port.binding.name.localname == f"{operation.partition('_')[0]}_Binding_Soap12"
        if served:
            assert port.binding_options["address"] == "http://portolan.test/some/path"

    [service_name] = client.wsdl.services
    assert sorted(seen) == sorted(key for key in REQUESTS if key.startswith(service_name.removesuffix("_Service")))


def test_zeep_makes_registry_objects() -> None:
    client = a_client(str(wsdl.local_path("registry.wsdl")))
    package = client.get_element(f"{{{RIM}}}RegistryPackage")(**A_PACKAGE)
    entry = client.get_element(f"{{{RIM}}}ExtrinsicObject")(
        id="Document01",
        mimeType="application/pdf",
        Slot=[{"name": "languageCode", "ValueList": {"Value": ["en-GB"]}}],
        Name={"LocalizedString": [{"value": "Letter", "lang": "en-GB"}]},
    )
    for element in (package, entry):
        holder = etree.Element("holder")
        name = "RegistryPackage" if element is package else "ExtrinsicObject"
        client.get_element(f"{{{RIM}}}{name}").render(holder, element)
        assert our_schema().validate(holder[0]), our_schema().error_log


def test_the_address_and_the_imports_are_filled_in() -> None:
    for name in wsdl.NAMES:
        root = etree.fromstring(wsdl.document(name, ADDRESS))
        for imported in root.iter(f"{XS}import"):
            where = imported.get("schemaLocation") or ""
            assert where.removeprefix("?xsd=") in wsdl.SCHEMAS
            assert where.startswith("?xsd=")
        for address in root.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address"):
            assert address.get("location") == ADDRESS
        assert wsdl.document(name, ADDRESS) == wsdl.document(name, ADDRESS)


@pytest.mark.parametrize("name", ["", "other.xsd", "../soap/xml.py", "registry"])
def test_other_names_are_unknown(name: str) -> None:
    with pytest.raises(KeyError):
        wsdl.document(name, ADDRESS)


def test_files_name_no_host_but_the_standards_own() -> None:
    hosts = ("http://www.w3.org/", "http://schemas.xmlsoap.org/")
    for name in wsdl.NAMES:
        text = wsdl.local_path(name).read_text(encoding="utf-8")
        for url in text.split('"')[1::2]:
            assert not url.startswith(("http:", "https:")) or url.startswith(hosts), (name, url)


def schema_of(folder: Path, imports: dict[str, str]) -> etree.XMLSchema:
    """One schema that knows all of these namespaces."""
    lines = [
        f'<xs:import namespace="{uri}" schemaLocation="{(folder / file).as_uri()}"/>' for uri, file in imports.items()
    ]
    driver = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{"".join(lines)}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(driver))


def our_schema() -> etree.XMLSchema:
    return schema_of(
        wsdl.local_path("rim.xsd").parent,
        {
            "urn:ihe:iti:xds-b:2007": "xds.xsd",
            "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0": "query.xsd",
            "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0": "lcm.xsd",
            "urn:hl7-org:v3": "hl7v3.xsd",
            "urn:ihe:iti:rmd:2017": "rmd.xsd",
        },
    )


def body_of(root: etree._Element) -> etree._Element:
    """The message in the SOAP body alone, references to parts replaced by nothing."""
    [message] = root.iter(SOAP_BODY).__next__()
    for include in list(message.iter(XOP)):
        holder = include.getparent()
        assert holder is not None
        holder.remove(include)
        holder.text = base64.b64encode(b"x").decode()
    return etree.fromstring(etree.tostring(message))


def example_bodies() -> Iterator[tuple[str, etree._Element]]:
    """The example messages of the transactions these WSDLs describe, and of those they will."""
    for number in (18, 41, 42, 43, 44, 51, 57, 61, 62, 86):
        for path in sorted((SHARED / "examples").glob(f"iti{number}-*.xml")):
            yield path.name, body_of(etree.parse(str(path)).getroot())


@needs_examples
def test_the_examples_are_valid() -> None:
    schema = our_schema()
    names = []
    for name, body in example_bodies():
        names.append(name)
        assert schema.validate(body), (name, schema.error_log)
    assert len(names) > 20


def declarations(folder: Path, files: list[str]) -> dict[str, list[tuple[str, ...]]]:
    """What the schemas say of each type and element, without what is mere wording."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for file in files:
        root = etree.parse(str(folder / file)).getroot()
        target = root.get("targetNamespace") or ""
        for item in root:
            if isinstance(item.tag, str) and item.get("name"):
                found[f"{target} {etree.QName(item).localname} {item.get('name')}"] = list(flat(item))
    return found


def flat(item: etree._Element) -> Iterator[tuple[str, ...]]:
    """Each element and attribute with its name, its type, and how often it must and may be there."""
    for part in item.iter(f"{XS}element", f"{XS}attribute", f"{XS}extension", f"{XS}maxLength", f"{XS}enumeration"):
        kind = etree.QName(part).localname
        name, type_ = (part.get("name") or part.get("ref") or part.get("base") or ""), part.get("type") or ""
        local = (kind, name.rpartition(":")[2], type_.rpartition(":")[2], part.get("value") or "")
        yield (*local, part.get("use") or "optional", *occurrence(part))


def occurrence(part: etree._Element) -> tuple[str, str]:
    """minOccurs and maxOccurs, with those of the sequence around the element taken in."""
    around = part.getparent()
    both = (part, around) if around is not None and around.tag == f"{XS}sequence" else (part,)
    least = "0" if any(each.get("minOccurs") == "0" for each in both) else "1"
    most = "unbounded" if any(each.get("maxOccurs") == "unbounded" for each in both) else "1"
    return least, most


def in_order(lines: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The elements as they stand, then everything else sorted."""
    return [line for line in lines if line[0] == "element"] + sorted(line for line in lines if line[0] != "element")


@needs_schemas
def test_our_registry_objects_are_the_official_ones() -> None:
    ours = declarations(wsdl.local_path("rim.xsd").parent, ["rim.xsd", "rs.xsd", "lcm.xsd", "query.xsd"])
    official = declarations(SHARED / "schemas/xds/schema/ebRS30", ["rim.xsd", "rs.xsd", "lcm.xsd", "query.xsd"])

    # A document in an ExtrinsicObject is a wildcard in ours, so that it does not depend on the schema of XDS.
    extra = ("element", "Document", "", "", "optional", "0", "1")
    told = {key: [line for line in lines if line != extra] for key, lines in official.items()}

    # Elements have an order, attributes have none.
    unlike = {key for key in ours if in_order(ours[key]) != in_order(told.get(key, []))}
    assert unlike == set(), {key: (ours[key], told.get(key)) for key in unlike}
    assert {key for key in told if key.startswith(RIM)} - set(ours) == set()
