"""Relationships made of ADT: messages into the Registry's feed, and who sees what afterwards; on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from common.access import Who
from common.access.places import Places
from common.access.records import KINDS
from common.db import Database
from common.faults import armed
from common.observe.metrics import _child
from registry.access import store
from registry.access.senders import Senders
from registry.feed import Authority, Feed
from registry.patients import Patients
from registry.relink import Relink
from registry.visiting import BY, Visits
from tests.access_cases import HOSPITAL, PRACTICE
from tests.access_kit import keep
from tests.factories import AUTHORITY, AnyDomain, a_document, a_patient_id, a_submission, a_uuid
from tests.feeds import a_control_id, hl7
from tests.service.test_access_queries import BOTH, DE, GuardedRegistry, database

__all__ = ["database"]

LOCAL = "L{}^^^&2.999.44&ISO"


@dataclass
class Ward(GuardedRegistry):
    """A Registry that a PAS feeds; the clock is moved by hand."""

    database: Database
    grace_days: int = 30
    now: str = "20260311150000"
    sender: Who | None = None
    """Whoever is judged; nobody is where it is None."""

    def __post_init__(self) -> None:
        super().__init__(self.database)

    def feed(self) -> Feed:
        domain, tick = AnyDomain(), {"now": lambda: self.now}
        places = Places({"SOUTHBECK": PRACTICE, "NORTHBECK": HOSPITAL, "SITE": "ZT90101"})
        senders = Senders(self.guard, lambda: self.sender or Who()) if self.sender is not None else None
        visits = Visits(places, self.grace_days, senders)
        authority = Authority(AUTHORITY, frozenset())
        return Feed(Patients(self.database, domain, **tick), Relink(self.database, domain, visits, **tick), authority,
                    visits, **tick)  # type: ignore[arg-type] # fmt: skip

    def told(
        self, event: str, patient: str, visit: str = "V1", *, at: str = "", place: str = "SOUTHBECK", **more: Any
    ) -> str:
        """The acknowledgement's code of a message that was recorded at a time."""
        at, control = at or self.now, more.get("control") or a_control_id()
        ids = "~".join(filter(None, (patient, more.get("local", ""))))
        message = hl7(
            f"MSH|^~\\&|PAS|X|R|R|{at}||ADT^{event}|{control}|T|2.5",
            f"EVN|{event}|{at}",
            f"PID|||{ids}",
            more.get("mrg") or f"PV1||I|W1^^^{place}{'|' * 16}{visit}^^^PAS",
        )
        answer = (more.get("feed") or self.feed()).answer(message).decode()
        return answer.split("\r")[1].split("|")[1]

    def document_of(self, patient: str) -> None:
        self.registered(a_submission(a_document(patient_id=patient)))

    def sees(self, patient: str) -> bool:
        return bool(self.ids("FindDocuments", {f"{DE}PatientId": f"'{patient}'", f"{DE}Status": BOTH}))

    def relationships(self, patient: str) -> list[dict[str, str]]:
        with self.database.read() as work:
            return store.records(work, KINDS["relationships"], patient=patient)


@pytest.fixture
def ward(database: Database) -> Ward:
    return Ward(database)


def a_patient(ward: Ward) -> str:
    patient = a_patient_id()
    ward.document_of(patient)
    return patient


def unmapped() -> float:
    return float(_child("visit_events_total", "unmapped")._value.get())


def test_whoever_admits_sees_the_record_until_the_grace_after_the_discharge_is_over(ward: Ward) -> None:
    patient = a_patient(ward)
    assert not ward.sees(patient)

    assert ward.told("A01", patient) == "AA"
    assert ward.sees(patient)
    ward.now = "20260320090000"
    assert ward.told("A03", patient) == "AA"
    ward.now = "20260419085959"
    assert ward.sees(patient)
    ward.now = "20260419090000"
    assert not ward.sees(patient)


def test_without_grace_the_record_is_closed_at_once(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)

    ward.told("A04", patient)
    assert ward.sees(patient)
    ward.told("A03", patient)
    assert not ward.sees(patient)
    ward.told("A13", patient)
    assert ward.sees(patient)
    ward.told("A11", patient)
    assert not ward.sees(patient)


def test_a_transfer_takes_the_relationship_along(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)

    ward.told("A05", patient, place="NORTHBECK")
    assert not ward.sees(patient)
    ward.told("A02", patient)
    assert ward.sees(patient)
    ward.told("A12", patient, place="NORTHBECK")
    assert not ward.sees(patient)


def test_the_evidence_is_kept(ward: Ward) -> None:
    patient = a_patient(ward)

    ward.told("A01", patient, at="20260311140000", control="C1")
    [kept] = ward.relationships(patient)
    assert (kept["organisation"], kept["begins"], kept["ends"]) == (PRACTICE, "20260311140000", "")
    assert kept["source"] == "ADT A01 20260311140000 PAS|X|C1"
    with ward.database.read() as work:
        [change] = [each for each in store.changes(work) if each["record"] == kept["id"]]
    assert (change["by"], change["change"], change["at"]) == (BY, "add", ward.now)


def test_the_same_message_again_changes_nothing(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)
    first = {"at": "20260311140000", "control": "C2"}

    ward.told("A01", patient, **first)
    before = ward.relationships(patient)
    ward.told("A01", patient, **first)
    assert ward.relationships(patient) == before
    ward.told("A03", patient, at="20260311143000")
    ward.told("A01", patient, **first)
    assert not ward.sees(patient)


def test_an_older_discharge_does_not_close_a_newer_visit(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)

    ward.told("A01", patient, "V8", at="20260301080000")
    ward.told("A01", patient, "V9", at="20260310080000")
    ward.told("A03", patient, "V8", at="20260302080000")
    assert ward.sees(patient)
    ward.told("A03", patient, "V9")
    assert not ward.sees(patient)


def test_without_visit_numbers_the_times_tell(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)

    ward.told("A01", patient, "", at="20260310080000")
    ward.told("A03", patient, "", at="20260302080000")
    assert ward.sees(patient)


def test_an_admission_that_comes_after_its_discharge_opens_nothing(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)

    ward.told("A03", patient, at="20260311140000")
    ward.told("A01", patient, at="20260311080000")
    assert not ward.sees(patient)
    assert ward.relationships(patient)[0]["begins"] == "20260311080000"


def test_a_message_of_no_visit_is_none(ward: Ward) -> None:
    patient, before = a_patient(ward), unmapped()

    assert ward.told("A04", patient, mrg="PV1||N") == "AA"
    assert ward.relationships(patient) == []
    assert unmapped() == before


def test_a_place_without_a_code_is_no_relationship_and_is_counted(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    patient, before = a_patient(ward), unmapped()

    assert ward.told("A01", patient, place="ELSEWHERE") == "AA"
    assert not ward.sees(patient)
    assert ward.relationships(patient) == []
    assert unmapped() == before + 1
    assert "stands for no organisation" in caplog.text
    assert patient.partition("^")[0] not in caplog.text


def test_another_patient_with_the_same_visit_number_is_another_visit(ward: Ward) -> None:
    ward.grace_days, one, two = 0, a_patient(ward), a_patient(ward)

    ward.told("A01", one)
    ward.told("A03", two)
    assert ward.sees(one)
    assert not ward.sees(two)


def test_a_relationship_goes_with_a_merge_and_is_closed_by_the_survivors_discharge(ward: Ward) -> None:
    ward.grace_days, old, new = 0, a_patient(ward), a_patient(ward)

    ward.told("A01", old)
    assert ward.told("A40", new, mrg=f"MRG|{old}") == "AA"
    assert ward.sees(new)
    ward.told("A03", new)
    assert not ward.sees(new)


@pytest.mark.parametrize("visit", ["V1", ""])
def test_a_discharge_ends_what_was_told_of_both_that_were_merged(ward: Ward, visit: str) -> None:
    ward.grace_days, old, new = 0, a_patient(ward), a_patient(ward)

    for patient in (old, new):
        ward.told("A01", patient, visit)
    ward.told("A40", new, mrg=f"MRG|{old}")
    ward.told("A01", old, visit)
    assert ward.sees(new)
    ward.told("A03", new, visit)
    assert not ward.sees(new)


def test_without_visit_numbers_a_link_change_takes_the_messages_of_its_local_id(ward: Ward) -> None:
    ward.grace_days, old, new = 0, a_patient(ward), a_patient(ward)
    here, there = (LOCAL.format(a_uuid()[-8:]) for _ in range(2))

    ward.told("A01", old, "", local=here)
    ward.told("A01", old, "", local=there, place="NORTHBECK")
    ward.told("A43", new, local=there, mrg=f"MRG|{old}~{there}")
    assert ward.sees(old)
    assert not ward.sees(new)
    ward.told("A03", old, "", local=here)
    assert not ward.sees(old)


@pytest.mark.parametrize("form", ["{}", "A {} 2"], ids=["plain", "with spaces"])
def test_a_link_change_takes_the_visits_of_the_local_id_along(ward: Ward, form: str) -> None:
    old, new, local = a_patient(ward), a_patient(ward), LOCAL.format(form.format(a_uuid()[-8:]))

    ward.told("A01", old, local=local)
    assert ward.sees(old)
    assert ward.told("A43", new, local=local, mrg=f"MRG|{old}~{local}") == "AA"
    assert not ward.sees(old)
    assert ward.sees(new)
    ward.told("A01", old, "V2")
    assert ward.sees(old)
    ward.grace_days = 0
    ward.told("A03", new)
    assert not ward.sees(new)


def test_what_somebody_has_ended_by_hand_stays_ended(ward: Ward) -> None:
    patient = a_patient(ward)
    ward.told("A01", patient)
    [kept] = ward.relationships(patient)
    with ward.database.write() as work:
        store.end(work, KINDS["relationships"], kept["id"], ends=ward.now, by="a clerk", at=ward.now)
        work.commit()

    ward.told("A03", patient)
    assert not ward.sees(patient)
    assert ward.relationships(patient)[0]["ends"] == ward.now


def test_what_somebody_has_ended_by_hand_in_the_days_of_grace_stays_ended(ward: Ward) -> None:
    patient = a_patient(ward)
    ward.told("A01", patient)
    ward.told("A03", patient)
    [kept] = ward.relationships(patient)
    with ward.database.write() as work:
        store.end(work, KINDS["relationships"], kept["id"], ends=ward.now, by="a clerk", at=ward.now)
        work.commit()

    ward.told("A13", patient)
    assert not ward.sees(patient)


def test_what_was_kept_by_hand_is_left_alone(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)
    keep(ward.database, "relationships", {"patient_id": patient, "organisation": PRACTICE})

    ward.told("A01", patient)
    ward.told("A03", patient)
    assert ward.sees(patient)


def test_who_may_not_feed_opens_nothing_and_who_is_of_one_organisation_opens_its_own(ward: Ward) -> None:
    name = f"name:pas-{a_uuid()[-6:]}"
    patient, ward.grace_days = a_patient(ward), 0

    for ward.sender in (Who(), Who(system=(name,))):
        assert ward.told("A01", patient) == "AA"
        assert not ward.sees(patient)
    keep(ward.database, "roles", {"role": "PAS^2.999.1", "right": "feed"})
    system = {"user": name, "name": "A PAS", "kind": "system", "roles": "PAS^2.999.1"}
    keep(ward.database, "users", {**system, "organisation": HOSPITAL})
    keep(ward.database, "organisations", {"code": "ZT90101", "name": "A site", "part_of": HOSPITAL})
    ward.told("A01", patient)
    ward.told("A01", patient, place="ELSEWHERE")
    assert ward.relationships(patient) == []
    ward.told("A01", patient, "V1", place="NORTHBECK")
    ward.told("A01", patient, "V2", place="SITE")
    assert {each["organisation"] for each in ward.relationships(patient)} == {HOSPITAL, "ZT90101"}
    keep(ward.database, "users", system)
    ward.told("A01", patient, "V3")
    assert ward.sees(patient)


def test_who_is_of_one_organisation_ends_its_own_visits_and_nobody_elses(ward: Ward) -> None:
    name, patient, ward.grace_days = f"name:pas-{a_uuid()[-6:]}", a_patient(ward), 0
    keep(ward.database, "roles", {"role": "PAS^2.999.1", "right": "feed"})
    system = {"user": name, "name": "A PAS", "kind": "system", "roles": "PAS^2.999.1"}
    keep(ward.database, "users", {**system, "organisation": HOSPITAL})
    ward.told("A01", patient, "V1")
    ward.sender = Who(system=(name,))

    for place in ("NORTHBECK", "ELSEWHERE", "SOUTHBECK"):
        ward.told("A03", patient, "V1", place=place)
        assert ward.sees(patient)
    ward.told("A01", patient, "V2", place="NORTHBECK")
    ward.told("A03", patient, "V2", place="ELSEWHERE")
    assert {each["organisation"]: bool(each["ends"]) for each in ward.relationships(patient)} == {
        PRACTICE: False,
        HOSPITAL: True,
    }


def test_a_message_that_fails_half_way_leaves_nothing_and_may_come_again(ward: Ward) -> None:
    patient, control = a_patient(ward), a_control_id()

    with armed("visit.noted=raise"):
        assert ward.told("A01", patient, control=control) == "AE"
    assert ward.relationships(patient) == []
    assert not ward.sees(patient)
    assert ward.told("A01", patient, control=control) == "AA"
    assert ward.sees(patient)


def test_messages_about_one_visit_may_come_all_at_once(ward: Ward) -> None:
    ward.grace_days, patient = 0, a_patient(ward)
    feed = ward.feed()
    events = [(f"A0{1 + 2 * (number % 2)}", f"2026031110{number:02}00") for number in range(12)]

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda each: ward.told(each[0], patient, at=each[1], feed=feed), events))
    assert codes == ["AA"] * 12
    assert not ward.sees(patient)
    assert len(ward.relationships(patient)) == 6


def test_a_message_that_is_refused_leaves_no_visit(ward: Ward) -> None:
    patient = a_patient(ward)

    assert ward.told("A01", patient, "9" * 300) == "AE"
    assert ward.told("A03", "") == "AE"
    assert ward.relationships(patient) == []
