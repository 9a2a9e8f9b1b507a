"""ITI-45 against a running service: every row of the standard's cases, whatever feeds have told before."""

from __future__ import annotations

from tests.factories import a_patient_id
from tests.service.identity_kit import GP, LAB, NGH, NHS, Identity, mrn
from tests.wire import NS


def test_the_nhs_number_to_a_local_id_is_found(identity: Identity) -> None:
    number, local = a_patient_id(), mrn()
    assert identity.tell(local, number).code == "AA"

    found = identity.pix(local, NHS)

    assert found.codes == ("AA", "OK")
    assert found.patients == [[number]]
    assert found.answer.body.tag == "{urn:hl7-org:v3}PRPA_IN201310UV02"
    assert found.answer.root.findtext(".//wsa:Action", "", NS) == "urn:hl7-org:v3:PRPA_IN201310UV02"


def test_without_data_sources_every_other_id_comes(identity: Identity) -> None:
    number, local, practice = a_patient_id(), mrn(), mrn(GP)
    identity.tell(local, number)
    identity.tell(practice, number, event="A04")

    assert identity.pix(local).ids == {number, practice}
    assert identity.pix(number).ids == {local, practice}
    assert identity.pix(number, NGH, GP).ids == {local, practice}
    assert identity.pix(number, GP).ids == {practice}


def test_known_but_nothing_in_these_domains(identity: Identity) -> None:
    identity.tell(mrn(LAB))
    local = mrn()
    identity.tell(local)

    assert identity.pix(local, NHS).codes == ("AA", "NF")
    assert identity.pix(local, LAB).codes == ("AA", "NF")
    assert identity.pix(local).codes == ("AA", "NF")


def test_an_unknown_id_or_domain_is_told_with_code_and_place(identity: Identity) -> None:
    local = mrn()
    identity.tell(local)
    place = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList"

    unknown = identity.pix(mrn(), NHS)
    assert unknown.codes == ("AE", "AE")
    assert unknown.detail == ("204", f"{place}/patientIdentifier/value")
    assert identity.pix("X1^^^&2.999.77&ISO").detail == ("204", f"{place}/patientIdentifier/value")
    assert identity.pix(local, "2.999.77").detail == ("204", f"{place}/dataSource/value")
    assert identity.pix(local, NHS, "2.999.77").detail == ("204", f"{place}/dataSource[2]/value")


def test_the_query_is_repeated_in_the_answer(identity: Identity) -> None:
    local = mrn()
    identity.tell(local, a_patient_id())

    body = identity.pix(local, NHS).answer.body

    echo = body.find("{*}controlActProcess/{*}queryByParameter")
    assert echo.find("{*}queryId").get("extension") == "45"
    assert echo.find("{*}parameterList/{*}patientIdentifier/{*}value").get("extension") == local.partition("^")[0]
    assert body.find("{*}controlActProcess/{*}queryAck/{*}queryId").get("extension") == "45"
    assert body.find("{*}acknowledgement/{*}targetMessage/{*}id").get("root") == "2.999.6.1"


def test_merged_ids_lead_to_their_survivors(identity: Identity) -> None:
    number, old, new = a_patient_id(), mrn(), mrn()
    identity.tell(old, number)
    identity.tell(new)

    assert identity.merge(old, new).code == "AA"

    assert identity.pix(new, NHS).ids == {number}
    assert identity.pix(old, NHS).ids == {number}
    assert identity.pix(old).ids == {number, new}
    assert identity.pix(number).ids == {new}
