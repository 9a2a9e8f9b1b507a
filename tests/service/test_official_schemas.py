"""Every message that the services send is valid against the official schemas, and the examples are taken."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from common.demographics import PersonName
from common.hl7v3.asking import write_pdq_query, write_pix_query
from common.hl7v3.wrapper import Id, Wrapper
from common.model import AssociationType
from common.standard.queries import BY_NAME
from common.standard.transactions import (
    ITI_18,
    ITI_42,
    ITI_43,
    ITI_44_ADD,
    ITI_44_MERGE,
    ITI_44_REVISE,
    ITI_45,
    ITI_47,
    ITI_47_CANCEL,
    ITI_47_CONTINUE,
    ITI_51,
)
from tests.factories import (
    AUTHORITY,
    HAS_MEMBER,
    a_code,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    a_submission,
    a_uuid,
)
from tests.running import Pair, a_pair, back_end
from tests.servers.fake_registry import FakeRegistry, passing_on
from tests.service import test_iti44_feed as feeds_v3
from tests.service.conftest import BACK_ENDS
from tests.service.identity_kit import (
    Identity,
    by_id,
    by_name,
    continuation,
    mrn,
    pdq_query,
    pix_query,
    scoped,
)
from tests.wire import NS, STATUS, Answer, Services, answer, envelope, mtom, query_body

SHARED: Final = Path(__file__).parents[2] / "../shared"
DRIVER: Final = SHARED / "schemas/driver/messages.xsd"
EXAMPLES: Final = SHARED / "examples"
BOTH: Final = f"('{STATUS}Approved','{STATUS}Deprecated')"


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """Whole SOAP messages of all transactions."""
    if not DRIVER.is_file():
        pytest.skip("the official schemas are not here (../shared/schemas)")
    return etree.XMLSchema(etree.parse(str(DRIVER), etree.XMLParser(no_network=True)))


@pytest.fixture(scope="session")
def examples() -> Path:
    """Where the example messages are."""
    if not EXAMPLES.is_dir():
        pytest.skip("the example messages are not here (../shared/examples)")
    return EXAMPLES


def problems(schema: etree.XMLSchema, found: Answer) -> str:
    """What is wrong with a message once its documents stand in it; empty when it is valid."""
    root = etree.fromstring(etree.tostring(found.root))
    for include in list(root.iter(f"{{{NS['xop']}}}Include")):
        holder = include.getparent()
        content = base64.b64encode(found.parts[include.get("href")[4:]]).decode()
        holder.remove(include)
        holder.text = content
    return "" if schema.validate(root) else str(schema.error_log)


def hostile(**differs: Any) -> Any:
    """A document with everything, and text that has to be escaped."""
    return a_document(
        entry_uuid=a_uuid(),
        event_codes=(a_code("58000006", display="<&>\"'"), a_code("32485007")),
        reference_id_list=("R^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:referral",),
        extra_slots={"urn:example:<&>": ("a <&> \"'", "文書"), "urn:example:empty": ()},
        uri=("letter.pdf",),
        comments=a_folder().title,
        document_availability="urn:ihe:iti:2010:DocumentAvailability:Online",
        home_community_id="urn:oid:1.2.3",
        **differs,
    )


def in_mtom(services: Services, body: bytes) -> Answer:
    kind, data = mtom(envelope(ITI_18, body), {})
    return answer(services.post(services.registry, data, kind))


MULTIPART: Final = "multipart/related; type=application/xop+xml; boundary=x"
CASES: Final[dict[str, Callable[[Services, str], Answer]]] = {
    "42 success": lambda s, p: s.register(a_submission(hostile(), patient_id=p)),
    "42 failure": lambda s, p: s.register(a_submission(a_document(hash="<&>\"'", mime_type="<&>"), patient_id=p)),
    "42 many failures": lambda s, p: s.register(a_submission(*(a_document(hash="x") for _ in range(50)), patient_id=p)),
    "18 nothing": lambda s, p: s.find(a_patient_id()),
    "18 nothing, leaf": lambda s, p: s.find(a_patient_id(), leaf=True),
    "18 missing": lambda s, p: s.query("FindDocuments", {}),
    "18 unknown": lambda s, p: s.query("urn:uuid:x", {}),
    "18 syntax": lambda s, p: s.find("<&>\"'"),
    "18 mtom": lambda s, p: in_mtom(s, query_body("GetDocuments", [], leaf=True)),
    "51 nothing": lambda s, p: s.query(
        "FindDocumentsForMultiplePatients",
        {"$XDSDocumentEntryPatientId": f"('{p}')", "$XDSDocumentEntryStatus": BOTH},
        action=ITI_51,
    ),
    "44 success": lambda s, p: feeds_v3.sent(s, ITI_44_ADD, feeds_v3.message(ITI_44_ADD, p)),
    "44 failure": lambda s, p: feeds_v3.sent(s, ITI_44_MERGE, feeds_v3.message(ITI_44_MERGE, p, prior=(p,))),
    "44 odd": lambda s, p: feeds_v3.sent(s, ITI_44_REVISE, feeds_v3.odd(ITI_44_REVISE)),
    "41 failure": lambda s, p: s.provide(a_submission(a_document(patient_id=p)), {}),
    "43 nothing": lambda s, p: s.retrieve("<&>\"'"),
    "43 elsewhere": lambda s, p: s.retrieve("1.2.3", repository_id="9.9"),
    "fault: action": lambda s, p: s.simple(s.registry, envelope("urn:x", b"<x/>")),
    "fault: body": lambda s, p: s.simple(s.repository, envelope(ITI_43, b"<x/>")),
    "fault: nothing": lambda s, p: s.simple(s.registry, b""),
    "fault: version": lambda s, p: s.simple(s.registry, b'<Envelope xmlns="urn:x"/>'),
    "fault: not understood": lambda s, p: s.simple(
        s.registry, envelope(ITI_42, b"<x/>", header=b'<q:odd xmlns:q="urn:odd" s:mustUnderstand="1"/>')
    ),
    "fault: MIME": lambda s, p: answer(s.post(s.repository, b"x", MULTIPART)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_sent_is_valid(services: Services, schema: etree.XMLSchema, case: str) -> None:
    assert problems(schema, CASES[case](services, a_patient_id())) == ""


@pytest.fixture(scope="module")
def world(services: Services) -> dict[str, str]:
    """Objects of every kind, with every attribute."""
    patient = a_patient_id()
    old, new, folder = hostile(patient_id=patient), hostile(patient_id=patient), a_folder(entry_uuid=a_uuid())
    folder.patient_id, folder.comments = patient, old.comments
    first = a_submission(old, folder, a_link(HAS_MEMBER, folder, old))
    first.submission_set.intended_recipients = ("Millrace Surgery|^Okafor^Amara|^^Internet^a@b.example",)
    assert services.register(first).registry_status == "Success"
    link = a_link(AssociationType.RPLC, new, old, documentation=(a_code("correction", "portolan"),))
    found = services.register(a_submission(new, link))
    assert found.registry_status == "Success", found.contexts
    return {
        "patient": patient, "document": old.entry_uuid, "folder": folder.entry_uuid,
        "set": first.submission_set.unique_id or "",
    }  # fmt: skip


@pytest.mark.parametrize("leaf", [True, False], ids=["LeafClass", "ObjectRef"])
@pytest.mark.parametrize(
    "name",
    [row.name for row in BY_NAME.values() if row.name.startswith("Get")],
)
def test_objects_of_every_kind_are_valid(
    services: Services, schema: etree.XMLSchema, world: dict[str, str], name: str, leaf: bool
) -> None:
    document = {"$XDSDocumentEntryEntryUUID": f"'{world['document']}'"}
    slots = {
        "GetAll": {"$patientId": f"'{world['patient']}'"}
        | {f"$XDS{kind}Status": BOTH for kind in ("DocumentEntry", "SubmissionSet", "Folder")},
        "GetFolders": {"$XDSFolderEntryUUID": f"'{world['folder']}'"},
        "GetFolderAndContents": {"$XDSFolderEntryUUID": f"'{world['folder']}'"},
        "GetAssociations": {"$uuid": f"('{world['document']}')"},
        "GetSubmissionSets": {"$uuid": f"('{world['document']}')"},
        "GetSubmissionSetAndContents": {"$XDSSubmissionSetUniqueId": f"'{world['set']}'"},
        "GetRelatedDocuments": document | {"$AssociationTypes": f"('{AssociationType.RPLC}')"},
    }.get(name, document)

    found = services.query(name, slots, leaf=leaf)

    assert found.registry_status == "Success", found.contexts
    assert len(found.body.find("rim:RegistryObjectList", NS)) > 0
    assert problems(schema, found) == ""


def test_documents_are_given_out_in_valid_messages(services: Services, schema: etree.XMLSchema) -> None:
    entry = a_document(hash=None, size=None, patient_id=a_patient_id())
    provided = services.provide(a_submission(entry), {entry.entry_uuid: b"x" * 100})

    whole, partly = services.retrieve(entry.unique_id or ""), services.retrieve(entry.unique_id or "", "1.2.3")

    assert [each.registry_status for each in (provided, whole, partly)] == ["Success", "Success", "PartialSuccess"]
    assert [problems(schema, each) for each in (provided, whole, partly)] == ["", "", ""]


def test_what_the_repository_sends_to_the_registry_is_valid(
    services: Services, schema: etree.XMLSchema, tmp_path: Path
) -> None:
    with FakeRegistry(passing_on(services.registry)) as between:
        pair = a_pair(tmp_path, {"REGISTRY_URL": between.url, "SWEEP_AFTER": "40s"})
        pair.repository.start()
        try:
            entry = hostile(patient_id=a_patient_id(), hash=None, size=None, repository_unique_id=None)
            found = pair.services.provide(a_submission(entry), {entry.entry_uuid: b"x"})
            assert found.registry_status == "Success", found.contexts
        finally:
            pair.stop()

    assert between.received
    for message in between.received:
        assert schema.validate(etree.fromstring(message)), schema.error_log


# The example messages, as the digest describes them


@pytest.fixture(scope="module", params=BACK_ENDS)
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A pair with nothing in it."""
    pair = a_pair(tmp_path_factory.mktemp("fresh"), back_end(request.param, request))
    pair.start()
    yield pair
    pair.stop()


REPLACED: Final = b"urn:uuid:6f2c1f0e-2c9b-4f43-9a5d-0d2b7e4c1a01"
SET: Final = b"2.999.826.9.2.20260311.1"


def test_the_examples_of_a_provided_letter_are_taken(fresh: Pair, examples: Path, schema: etree.XMLSchema) -> None:
    services = fresh.services
    head, _, data = (examples / "iti41-request.mime").read_bytes().partition(b"\r\n\r\n")
    told = re.search(rb"(?is)content-type:(.*?)(?:\r\n\S|\Z)", head)
    assert told
    kind = b" ".join(told[1].split()).decode()

    first, again = (answer(services.post(services.repository, data, kind)) for _ in range(2))
    inline = (examples / "iti41-request.xml").read_bytes().replace(SET + b'"', SET + b'.2"')
    as_text = services.simple(services.repository, inline)
    retrieved = services.simple(services.repository, (examples / "iti43-request.xml").read_bytes())

    for found in (first, again, as_text):
        assert found.registry_status == "Success", (found.contexts, found.fault)
    assert (examples / "discharge-letter.pdf").read_bytes() in retrieved.documents().values(), retrieved.contexts
    assert [problems(schema, each) for each in (first, as_text, retrieved)] == ["", "", ""]


def test_the_examples_of_registration_and_query_are_taken(fresh: Pair, examples: Path, schema: etree.XMLSchema) -> None:
    services = fresh.services
    # The example that is replaced has a UUID; the sets are renamed where an earlier example has used their name.
    texts = [
        (examples / "iti42-request.xml")
        .read_bytes()
        .replace(b"Document01", REPLACED)
        .replace(SET + b'"', SET + b'.3"'),
        (examples / "iti42-request-folder.xml").read_bytes().replace(SET + b'"', SET + b'.4"'),
        (examples / "iti42-request-replace.xml").read_bytes(),
    ]
    for text in texts:
        found = services.simple(services.registry, text)
        assert found.registry_status == "Success", found.contexts

    filled = 0
    for path in (*sorted(examples.glob("iti18-*-request.xml")), examples / "iti51-request.xml"):
        found = services.simple(services.registry, path.read_bytes())
        assert found.registry_status == "Success", (path.name, found.contexts, found.fault)
        assert problems(schema, found) == ""
        filled += len(found.body.find("rim:RegistryObjectList", NS)) > 0
    assert filled >= 4


def test_the_examples_of_updates_are_taken(examples: Path, schema: etree.XMLSchema, tmp_path: Path) -> None:
    made = a_pair(tmp_path / "updates")
    made.start()
    services = made.services
    folder = b"urn:uuid:6f2c1f0e-2c9b-4f43-9a5d-0d2b7e4c1d01"
    previous = b"PreviousVersion"
    try:
        restricted = (examples / "iti92-request.xml").read_bytes()
        begin, _, rest = restricted.partition(previous)
        texts = [
            (examples / "iti42-request.xml").read_bytes().replace(b"Document01", REPLACED),
            (examples / "iti42-request-folder.xml")
            .read_bytes()
            .replace(b"Folder01", folder)
            .replace(SET + b'"', SET + b'.4"'),
            (examples / "iti57-submitassociation-request.xml").read_bytes(),
            (examples / "iti57-status-request.xml").read_bytes(),
            (examples / "iti57-status-request.xml")
            .read_bytes()
            .replace(b"2.999.826.9.2.20260401.2", b"2.999.826.9.2.20260401.22")
            .replace(b"StatusType:Approved", b"StatusType:?")
            .replace(b"StatusType:Deprecated", b"StatusType:Approved")
            .replace(b"StatusType:?", b"StatusType:Deprecated"),
            (examples / "iti57-update-request.xml").read_bytes(),
            begin + previous + rest.replace(b"<rim:Value>1</rim:Value>", b"<rim:Value>2</rim:Value>", 1),
            (examples / "iti61-request.xml").read_bytes(),
        ]
        for text in texts:
            found = services.simple(services.registry, text)
            assert found.registry_status == "Success", (found.contexts, found.fault)
            assert problems(schema, found) == ""
        slots = {"$XDSDocumentEntryLogicalID": f"('{REPLACED.decode()}')", "$MetadataLevel": "2"}
        versions = services.query("GetDocuments", slots, leaf=True)
        assert problems(schema, versions) == ""
        assert len(versions.objects("ExtrinsicObject")) == 3
    finally:
        made.stop()


@pytest.mark.parametrize("name", ["iti38-request.xml", "iti80-request.xml"])
def test_examples_of_transactions_that_are_not_served_are_refused(fresh: Pair, examples: Path, name: str) -> None:
    found = fresh.services.simple(fresh.services.registry, (examples / name).read_bytes())

    assert (found.status, found.registry_status) == (400, "Fault")
    assert "ActionNotSupported" in found.body.findtext("s:Code/s:Subcode/s:Value", "", NS)


def test_answers_of_the_cross_reference_are_valid(identity: Identity, schema: etree.XMLSchema) -> None:
    number, local = a_patient_id(), mrn()
    rest = "|||12 <SAMPLE> LANE^^NORTHBECK^^ZZ99 3VZ^GBR||0113 496 0001"
    identity.tell(local, number, name="Ø'MALLEY&SONS^ZOË^ANN^JR^DR~MAIDEN^ZOË", rest=rest)
    nobody = mrn()
    identity.tell(nobody, name="")
    queries = [
        (ITI_45, pix_query(local)),
        (ITI_45, pix_query(local, AUTHORITY)),
        (ITI_45, pix_query(nobody, AUTHORITY)),
        (ITI_45, pix_query(mrn())),
        (ITI_45, pix_query(local, "2.999.77")),
        (ITI_47, pdq_query(by_id(local))),
        (ITI_47, pdq_query(by_id(nobody))),
        (ITI_47, pdq_query(by_id(mrn()))),
        (ITI_47, pdq_query(by_name("Maiden"), query_id="portion", quantity=0)),
        (ITI_47, pdq_query(by_id(local), scoped("2.999.77"))),
        (ITI_47_CONTINUE, continuation("portion", quantity=1)),
        (ITI_47_CONTINUE, continuation("nothing")),
        (ITI_47_CANCEL, continuation("portion", cancel=True)),
        (ITI_47_CANCEL, continuation("portion", cancel=True)),
        (ITI_44_ADD, feeds_v3.message(ITI_44_ADD, local)),
        (ITI_44_MERGE, feeds_v3.message(ITI_44_MERGE, local, prior=(local,))),
    ]
    for transaction, body in queries:
        answered = identity.post(transaction, body)
        assert answered.status == 200
        assert problems(schema, answered) == "", (transaction, body)


def test_queries_of_our_client_are_valid(schema: etree.XMLSchema) -> None:
    wrapper, own_id = Wrapper(Id(""), "P", Id("2.999.1"), Id("2.999.2")), Id("2.999.3", "1")
    asked = [
        (ITI_45, write_pix_query(Id("2.999.4", "A&B"), ["2.999.5"], wrapper=wrapper, own_id=own_id, now="20260306")),
        (
            ITI_47,
            write_pdq_query(
                name=PersonName("<Fenwick>", ("Maud",)),
                birth="19420317",
                sex="F",
                patient=Id("2.999.4", "A"),
                wrapper=wrapper,
                own_id=own_id,
                now="20260306",
            ),
        ),
    ]
    for transaction, body in asked:
        message = etree.fromstring(envelope(transaction, body))
        assert schema.validate(message), schema.error_log


def test_the_examples_of_the_cross_reference_are_taken(identity: Identity, examples: Path) -> None:
    """The same feed, the same queries: the answers say what the examples of answers do."""

    def body_of(name: str) -> bytes:
        root = etree.parse(str(examples / name)).getroot()
        return etree.tostring(root.find("s:Body", NS)[0])

    unknown = identity.ask(ITI_45, body_of("iti45-request.xml").replace(b"NGH4471893", b"NGH-NOBODY"))
    assert unknown.codes == ("AE", "AE")
    with identity.pas() as pas:
        assert pas.send((examples / "iti8-adt-a01.hl7").read_bytes()).code == "AA"
    linked = feeds_v3.message(ITI_44_REVISE, "NGH4471893^^^&2.999.826.4.1&ISO", a_patient_id("9990001006"))
    for transaction, body in ((ITI_44_ADD, body_of("iti44-add-request.xml")), (ITI_44_REVISE, linked)):
        assert feeds_v3.code(identity.post(transaction, body)) == "CA"

    pix = identity.ask(ITI_45, body_of("iti45-request.xml"))
    assert (pix.codes, pix.patients) == (("AA", "OK"), [[a_patient_id("9990001006")]])
    pdq = identity.ask(ITI_47, body_of("iti47-request.xml"))
    assert pdq.codes == ("AA", "OK")
    # Other tests fed people who are found as well, and the example wants ten at most.
    assert a_patient_id("9990001006") in pdq.ids or pdq.counts()[2] > 0
