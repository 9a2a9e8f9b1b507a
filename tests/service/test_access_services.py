"""Registry and Repository that decide who may see what: the cases of ``tests/access_cases.py`` over the wire."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from lxml import etree

from common.access.names import role
from common.access.policy import SHIPPED
from common.db import Database, open_database
from common.ebxml.removal import write_remove_documents, write_remove_objects
from common.ebxml.retrieve import DocumentRequest
from common.model import AssociationType, AvailabilityStatus, DocumentEntry
from common.settings import load
from common.standard.transactions import ITI_18, ITI_42, ITI_43, ITI_57, ITI_62, ITI_86, Transaction
from common.tls import Files, Role
from common.tls.contexts import made
from common.xua import Coded
from console import development_ca
from tests.access_cases import CASES, DONE, FOUND, HIDDEN, PRACTICE, REFUSED, AccessCase
from tests.access_kit import a_county, an_agreement, keep, of_case
from tests.factories import (
    a_code,
    a_document,
    a_link,
    a_new_version,
    a_patient_id,
    a_submission,
    an_update,
    submit_objects,
    text,
)
from tests.feeds import a_pas, adt, pid
from tests.running import Pair, back_end
from tests.secure import a_pki, a_portal, a_secure_pair, run
from tests.service.test_iti61_on_demand import CODES
from tests.service.test_mutual_tls import Pki
from tests.system.survival_kit import of_back_ends
from tests.wire import Answer, Services, answer, envelope, mtom, mtom_provide, query_body, retrieve_body
from tests.xua import Sts, security

ON_DEMAND = (*CODES, "--generator", "document-list-cda", "--mime-type", "text/xml")
CONTENT = b"a letter that not everybody may read"


@dataclass
class County:
    """Running services, their database, and who signs assertions."""

    pair: Pair
    portal: Services
    node: Services
    database: Database
    sts: Sts

    def header(self, case: AccessCase, patient_id: str) -> bytes:
        """Of a user as the case has them; any for another patient."""
        code, _, system = role(case.role).partition("^")
        purpose, _, scheme = case.purpose.partition("^")
        about = a_patient_id() if case.another_patient else patient_id
        return security(
            self.sts.sign(
                audiences=tuple(each.url for each in (self.pair.registry, self.pair.repository)),
                organisation_id=f"urn:oid:2.16.840.1.113883.2.1.3.2.4.19.1:{case.organisation}",
                roles=(Coded(code, system),),
                purposes=(Coded(purpose, scheme),),
                patient_id=about,
            )
        )

    def send(self, url: str, transaction: Transaction, body: bytes, header: bytes, *, as_node: bool = False) -> Answer:
        """A message of somebody's."""
        services = self.node if as_node else self.portal
        message = envelope(transaction, body, header=header)
        if transaction is ITI_43:
            kind, data = mtom(message, {})
            return answer(services.post(url, data, kind))
        return services.simple(url, message)

    def kept(self, case: AccessCase, patient_id: str) -> DocumentEntry:
        """A document of the case, stored and registered by the Repository for a manager."""
        code = a_code(case.confidentiality, "2.16.840.1.113883.5.25", "Confidentiality")
        letter = a_document(hash=None, size=None, patient_id=patient_id, confidentiality_codes=(code,))
        kind, data = mtom_provide(a_submission(letter), {letter.entry_uuid: CONTENT})
        stored = answer(self.node.post(self.pair.repository.url, data, kind))
        assert stored.registry_status == "Success", stored.contexts
        return letter


@pytest.fixture(scope="module", params=of_back_ends(["sqlite and folder", "postgresql and s3"]))
def county(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    data = tmp_path_factory.mktemp("data")
    pki: Pki = a_pki(tmp_path_factory.mktemp("pki") / "pki")
    sts = Sts(tmp_path_factory.mktemp("sts"))
    systems = data / "systems"
    fingerprint = development_ca.fingerprint((pki.folder / "node.pem").read_bytes())
    systems.write_text(f"sha256:{fingerprint}\n")
    (data / "places.toml").write_text(f'[organisations]\nSOUTHBECK = "{PRACTICE}"\n')
    (data / "access.toml").write_text(SHIPPED.read_text().replace("grace_days = 30", "grace_days = 0"))
    xua = {
        "XUA": "required",
        "XUA_ISSUERS": str(sts.file),
        "XUA_SYSTEMS": str(systems),
        "ACCESS": "on",
        "ACCESS_POLICY": str(data / "access.toml"),
        "ACCESS_RELATIONSHIPS_FROM_ADT": "true",
        "ACCESS_PLACES": str(data / "places.toml"),
    }
    pair = a_secure_pair(data, pki, back_end(request.param, request) | xua)
    pair.start()
    database = open_database(load(pair.registry.environment).database_url)
    a_county(database)
    an_agreement(database)
    rights = ("search", "read", "submit", "judge", "any-patient", "restricted", "sealed")
    keep(database, "roles", *({"role": "REPOSITORY^2.999.1", "right": right} for right in rights))
    node = {"user": f"sha256:{fingerprint}", "name": "Repository", "kind": "system", "roles": "REPOSITORY^2.999.1"}
    keep(database, "users", node)
    services = a_portal(pair, pki)
    as_node = a_portal(pair, pki)
    as_node.session.cert = str(pki.folder / "node.pem")
    yield County(pair, services, as_node, database, sts)
    database.close()
    pair.stop()


def find_body(patient_id: str) -> bytes:
    status = f"('{AvailabilityStatus.APPROVED}')"
    slots = [("$XDSDocumentEntryPatientId", f"'{patient_id}'"), ("$XDSDocumentEntryStatus", status)]
    return query_body("FindDocuments", slots, leaf=False)


def outcome(found: Answer) -> str:
    assert found.registry_status in ("Success", "Failure"), found.fault
    if found.registry_status == "Success":
        return DONE
    assert all("not allowed to whoever asks" in each for each in found.contexts), found.contexts
    return REFUSED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_comes_of_each_transaction(county: County, case: AccessCase) -> None:
    if not case.agreement and case.search == HIDDEN:
        case_without_agreement(county, case)
        return
    check(county, case)


def case_without_agreement(county: County, case: AccessCase) -> None:
    """A practice that shares nothing with the hospital."""
    keep(county.database, "organisations", {"code": "ZG903", "name": "Westbeck Surgery", "care_setting": "gp"})
    check(county, replace(case, organisation="ZG903"))


def check(county: County, case: AccessCase) -> None:
    patient_id = a_patient_id()
    of_case(county.database, case, patient_id)
    letter = county.kept(case, patient_id)
    send = partial(county.send, header=county.header(case, patient_id))
    registry, repository = county.pair.registry.url, county.pair.repository.url

    listed = send(registry, ITI_18, find_body(patient_id))
    if case.search == REFUSED:
        assert outcome(listed) == REFUSED
    else:
        assert listed.registry_status == "Success", listed.contexts
        assert len(listed.ids()) == (case.search == FOUND)
    given = send(repository, ITI_43, retrieve_body([letter.unique_id or ""], county.portal.repository_id))
    if case.read == FOUND:
        assert given.documents() == {letter.unique_id: CONTENT}
    else:
        unknown = send(repository, ITI_43, retrieve_body(["2.25.404"], county.portal.repository_id))
        assert told_alike(given, letter.unique_id or "") == told_alike(unknown, "2.25.404")
        assert given.codes == ["XDSDocumentUniqueIdError"]

    submission = a_submission(a_document(patient_id=patient_id))
    assert outcome(send(registry, ITI_42, submit_objects(submission))) == case.submit
    by_user = a_document(hash=None, size=None, patient_id=patient_id)
    kind, data = mtom_provide(a_submission(by_user), {by_user.entry_uuid: b"x"})
    data = data.replace(b"</s:Header>", county.header(case, patient_id) + b"</s:Header>", 1)
    assert outcome(answer(county.portal.post(repository, data, kind))) == case.submit

    [entry_uuid] = county.send(registry, ITI_18, find_by(letter), b"", as_node=True).ids()
    letter.entry_uuid = entry_uuid
    version = a_new_version(letter, hash="a" * 40, size="1", repository_unique_id=county.portal.repository_id)
    update = send(registry, ITI_57, submit_objects(an_update(version, previous="7")))
    assert allowed(update) is (case.update == DONE)
    removal = send(repository, ITI_86, remove_body(county, "2.25.404"))
    assert allowed(removal) is (case.remove == DONE)
    assert allowed(send(registry, ITI_62, write_remove_objects(["urn:uuid:" + "0" * 36], ""))) is (case.remove == DONE)


def find_by(letter: DocumentEntry) -> bytes:
    return query_body("GetDocuments", [("$XDSDocumentEntryUniqueId", f"('{letter.unique_id}')")], leaf=False)


def remove_body(county: County, *unique_ids: str) -> bytes:
    return write_remove_documents([DocumentRequest(county.portal.repository_id, each) for each in unique_ids])


def allowed(found: Answer) -> bool:
    """Whether it was looked at at all; what is asked for here is always wrong in some other way."""
    assert found.registry_status == "Failure"
    return not any("not allowed to whoever asks" in each for each in found.contexts)


def told_alike(found: Answer, unique_id: str) -> str:
    """An answer without the ids that differ between any two."""
    assert found.status == 200
    body = etree.tostring(found.root, encoding="unicode").replace(unique_id, "DOCUMENT")
    return re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "ID", body)


KEEPER = "KEEPER^2.999.1"
"""A role that may do everything to a record, where it has to do with the patient."""


def objects_touched(letter: DocumentEntry, logical_id: str, repository_id: str) -> dict[str, tuple[Transaction, bytes]]:
    """Acts that name an object, and are good but for who does them; the removals come last."""
    version = a_new_version(
        replace(letter, logical_id=logical_id, entry_uuid=logical_id),
        hash=hashlib.sha1(CONTENT).hexdigest(),
        size=str(len(CONTENT)),
        repository_unique_id=repository_id,
    )
    new = a_document(patient_id=letter.patient_id)
    new_too = a_document(patient_id=letter.patient_id)
    target = replace(letter, entry_uuid=logical_id)
    removed = [DocumentRequest(repository_id, letter.unique_id or "")]
    return {
        "append": (ITI_42, submit_objects(a_submission(new, a_link(AssociationType.APND, new, target)))),
        "update": (ITI_57, submit_objects(an_update(version, previous="1"))),
        "replace": (ITI_42, submit_objects(a_submission(new_too, a_link(AssociationType.RPLC, new_too, target)))),
        "remove": (ITI_62, write_remove_objects([logical_id])),
        "remove document": (ITI_86, write_remove_documents(removed)),
    }


def test_an_admission_over_mllp_opens_the_record_and_a_discharge_closes_it(county: County) -> None:
    case, patient_id = replace(CASES[0], related=False), a_patient_id()
    letter = county.kept(case, patient_id)
    header, folder = county.header(case, patient_id), Path(str(county.portal.session.cert)).parent
    body = retrieve_body([letter.unique_id or ""], county.portal.repository_id)

    def given() -> tuple[int, int]:
        found = county.send(county.pair.registry.url, ITI_18, find_body(patient_id), header)
        return len(found.ids()), len(county.send(county.pair.repository.url, ITI_43, body, header).documents())

    assert given() == (0, 0)
    context = made(Files(str(folder / "portal.pem"), "", str(folder / "ca.pem")), Role.CLIENT)
    context.check_hostname = False
    pv1 = "PV1||I|W1^^^SOUTHBECK" + "|" * 16 + "V1"
    with a_pas(county.pair.mllp, context) as pas:
        assert pas.send(adt("A01", pid(patient_id), pv1, version="2.5")).code == "AA"
        assert given() == (0, 0)  # whoever may not feed opens nothing
        keep(county.database, "roles", {"role": "PAS^2.999.1", "right": "feed"})
        keep(
            county.database, "users", {"user": "name:portal", "name": "A PAS", "kind": "system", "roles": "PAS^2.999.1"}
        )
        assert pas.send(adt("A01", pid(patient_id), pv1, version="2.5")).code == "AA"
        assert given() == (1, 1)
        assert pas.send(adt("A03", pid(patient_id), pv1, version="2.5")).code == "AA"
    assert given() == (0, 0)


def test_what_may_not_be_seen_is_touched_by_nobody(county: County) -> None:
    rights = ("search", "read", "submit", "update", "remove")
    keep(county.database, "roles", *({"role": KEEPER, "right": right} for right in rights))
    case = replace(CASES[0], role=KEEPER, related=False)
    patient_id = a_patient_id()
    letter = county.kept(case, patient_id)
    [entry_uuid] = county.send(county.pair.registry.url, ITI_18, find_by(letter), b"", as_node=True).ids()
    unknown = replace(letter, unique_id="2.25.404")
    header = county.header(case, patient_id)
    nobody = "urn:uuid:00000000-0000-4000-8000-000000000404"

    def codes(of: DocumentEntry, uuid: str) -> dict[str, list[str]]:
        found = {}
        for name, (transaction, body) in objects_touched(of, uuid, county.portal.repository_id).items():
            url = county.pair.repository.url if transaction is ITI_86 else county.pair.registry.url
            came = county.send(url, transaction, body, header)
            found[name] = came.codes if came.registry_status != "Success" else ["Success"]
        return found

    hidden = codes(letter, entry_uuid)
    assert hidden == codes(unknown, nobody)
    assert all("Success" not in each for each in hidden.values()), hidden
    keep(county.database, "relationships", {"patient_id": patient_id, "organisation": case.organisation})
    seen = codes(letter, entry_uuid)
    assert [seen[name] for name in ("append", "update", "remove document")] == [["Success"]] * 3, seen
    assert seen["remove"] != hidden["remove"]


def test_nor_by_way_of_the_repository(county: County) -> None:
    rights = ("search", "read", "submit")
    keep(county.database, "roles", *({"role": KEEPER, "right": right} for right in rights))
    case, patient_id = replace(CASES[0], role=KEEPER, related=False), a_patient_id()
    letter = county.kept(case, patient_id)
    [entry_uuid] = county.send(county.pair.registry.url, ITI_18, find_by(letter), b"", as_node=True).ids()

    def provided(kind: AssociationType, target: str) -> Answer:
        new = a_document(hash=None, size=None, patient_id=patient_id)
        link = a_link(kind, new, replace(letter, entry_uuid=target))
        content, data = mtom_provide(a_submission(new, link), {new.entry_uuid: CONTENT})
        data = data.replace(b"</s:Header>", county.header(case, patient_id) + b"</s:Header>", 1)
        return answer(county.portal.post(county.pair.repository.url, data, content))

    nobody = "urn:uuid:00000000-0000-4000-8000-000000000404"
    for kind in (AssociationType.APND, AssociationType.RPLC):
        hidden, unknown = provided(kind, entry_uuid), provided(kind, nobody)
        assert hidden.codes == unknown.codes != []
        texts = [re.sub(r"Link[0-9]+", "Link", each.contexts[0].split("[")[0]) for each in (hidden, unknown)]
        assert texts[0].replace(entry_uuid, "") == texts[1].replace(nobody, "")
    keep(county.database, "relationships", {"patient_id": patient_id, "organisation": case.organisation})
    assert provided(AssociationType.APND, entry_uuid).registry_status == "Success"
    assert provided(AssociationType.RPLC, entry_uuid).registry_status == "Success"


def test_a_user_may_not_ask_what_others_may(county: County) -> None:
    patient_id, case = a_patient_id(), CASES[0]
    slots = [("$AccessAct", "'read'"), ("$XDSDocumentEntryUniqueId", "('2.25.1')"), ("$AccessUser", "'somebody'")]
    body = query_body("JudgeAccess", slots, leaf=False)

    asked = county.send(county.pair.registry.url, ITI_18, body, county.header(case, patient_id))
    assert outcome(asked) == REFUSED
    assert county.send(county.pair.registry.url, ITI_18, body, b"", as_node=True).registry_status == "Success"


def test_a_message_in_nobodys_name_is_no_systems(county: County) -> None:
    found = county.send(county.pair.registry.url, ITI_18, find_body(a_patient_id()), b"")

    assert found.registry_status == "Fault"


def test_where_the_registry_does_not_say_nothing_is_given(county: County) -> None:
    case, patient_id = CASES[0], a_patient_id()
    of_case(county.database, case, patient_id)
    letter = county.kept(case, patient_id)
    header = county.header(case, patient_id)
    county.pair.registry.stop()
    try:
        body = retrieve_body([letter.unique_id or "", "2.25.404"], county.portal.repository_id)
        refused = county.send(county.pair.repository.url, ITI_43, body, header)
        removed = county.send(county.pair.repository.url, ITI_86, remove_body(county, "2.25.404"), header)
    finally:
        county.pair.registry.start()

    assert refused.codes == ["XDSRepositoryError"] * 2
    assert refused.documents() == {}
    assert removed.codes == ["XDSRepositoryError"]
    body = retrieve_body([letter.unique_id or ""], county.portal.repository_id)
    assert county.send(county.pair.repository.url, ITI_43, body, header).documents() == {letter.unique_id: CONTENT}


def test_by_policy_a_document_is_listed_and_not_given_but_never_a_sealed_one(county: County) -> None:
    withdrawn = next(each for each in CASES if each.name == "consent withdrawn")
    patient_id = a_patient_id()
    of_case(county.database, withdrawn, patient_id)
    letter = county.kept(withdrawn, patient_id)
    county.kept(replace(withdrawn, confidentiality="V"), patient_id)
    header = county.header(withdrawn, patient_id)
    county.pair.registry.stop()
    county.pair.registry.start(PORTOLAN_ACCESS_LISTED="true")
    try:
        listed = county.send(county.pair.registry.url, ITI_18, find_body(patient_id), header)
        body = retrieve_body([letter.unique_id or ""], county.portal.repository_id)
        given = county.send(county.pair.repository.url, ITI_43, body, header)
    finally:
        county.pair.registry.stop()
        county.pair.registry.start()

    [entry_uuid] = county.send(county.pair.registry.url, ITI_18, find_by(letter), b"", as_node=True).ids()
    assert listed.ids() == [entry_uuid]
    assert given.codes == ["XDSDocumentUniqueIdError"]
    assert county.send(county.pair.registry.url, ITI_18, find_body(patient_id), header).ids() == []


def test_a_document_made_on_demand_tells_its_reader_of_nothing_hidden(county: County) -> None:
    manager, patient_id = CASES[-1], a_patient_id()
    for confidentiality, title in (("N", "An open letter"), ("V", "A sealed letter")):
        code = a_code(confidentiality, "2.16.840.1.113883.5.25", "Confidentiality")
        letter = a_document(patient_id=patient_id, confidentiality_codes=(code,), title=text(title))
        assert county.node.register(a_submission(letter)).registry_status == "Success"
    told = run(county.pair, "on-demand", "register", "--patient", patient_id.partition("^")[0], *ON_DEMAND)
    name = told.split()[3].rstrip(";")

    body = retrieve_body([name], county.portal.repository_id)
    given = county.send(county.pair.repository.url, ITI_43, body, county.header(manager, patient_id))
    by_node = county.send(county.pair.repository.url, ITI_43, body, b"", as_node=True)

    [made], [whole] = given.documents().values(), by_node.documents().values()
    assert b"An open letter" in made
    assert b"A sealed letter" not in made
    assert b"A sealed letter" in whole
