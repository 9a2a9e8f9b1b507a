"""ITI-8 to the cross-reference service: what links, what merges, what is refused, and what an administrator is told."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories import a_patient_id
from tests.feeds import Pas, a_control_id, adt, hl7
from tests.service.identity_kit import GP, LAB, NHS, Identity, a_pid, by_id, by_name, mrn


@pytest.fixture
def pas(identity: Identity) -> Iterator[Pas]:
    with identity.pas() as made:
        yield made


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08"])
def test_ids_of_one_message_are_of_one_person(identity: Identity, event: str) -> None:
    number, local, practice = a_patient_id(), mrn(), mrn(GP)

    assert identity.tell(local, practice, event=event).code == "AA"
    assert identity.tell(practice, number, event=event).code == "AA"
    assert identity.tell(practice, number, event=event).code == "AA"

    assert identity.pix(local).ids == {number, practice}


def test_an_authority_may_be_named(identity: Identity) -> None:
    number, local = a_patient_id(), mrn()

    assert identity.tell(f"{number.partition('^')[0]}^^^NHS", local, "123^^^NOBODY-KNOWS").code == "AA"

    assert identity.pix(local).ids == {number}


def test_a_wrong_check_digit_is_refused_and_nothing_is_linked(identity: Identity) -> None:
    local = mrn()

    answer = identity.tell(local, f"9990001007^^^&{NHS}&ISO")

    assert answer.code == "AE"
    assert answer.error.startswith("ERR|PID^1^3^204&")
    assert "9990001007" not in answer.text
    assert identity.pix(local).codes == ("AE", "AE")


@pytest.mark.parametrize("ids", [(), ("123",), ("123^^^UNHEARD",)])
def test_a_patient_without_a_usable_id_is_refused(identity: Identity, ids: tuple[str, ...]) -> None:
    assert identity.tell(*ids).code == "AE"


def test_a_local_id_told_with_another_nhs_number_stays_as_it_was(identity: Identity) -> None:
    first, second, local = a_patient_id(), a_patient_id(), mrn()
    identity.tell(local, first)

    answer = identity.tell(local, second)

    assert answer.code == "AE"
    assert answer.error.startswith("ERR|PID^1^3^205&")
    assert identity.pix(local, NHS).ids == {first}
    assert identity.pix(second).codes == ("AE", "AE")  # nobody has told of it in a message that was accepted


def test_two_persons_with_nhs_numbers_are_not_joined_by_a_local_id(identity: Identity) -> None:
    first, second, one, two = a_patient_id(), a_patient_id(), mrn(), mrn(GP)
    identity.tell(one, first)
    identity.tell(two, second)

    assert identity.tell(one, two).code == "AE"
    assert identity.tell(mrn(LAB), first, second).code == "AE"

    assert (identity.pix(one).ids, identity.pix(two).ids) == ({first}, {second})


def test_nhs_numbers_are_merged_by_their_own_authority(identity: Identity) -> None:
    first, second, one, two = a_patient_id(), a_patient_id(), mrn(), mrn(GP)
    identity.tell(one, first)
    identity.tell(two, second)
    control = a_control_id()

    assert identity.merge(second, first, control=control).code == "AA"
    assert identity.merge(second, first, control=control).code == "AA"

    assert identity.pix(two).ids == {first, one}
    assert identity.pix(second).ids == {first, one, two}
    assert identity.tell(two, second).code == "AA"  # the old number is the same person's
    assert identity.pix(two).ids == {first, one}


def test_a_hospitals_merge_moves_its_own_id_alone_where_nhs_numbers_differ(identity: Identity) -> None:
    first, second, old, new, practice = a_patient_id(), a_patient_id(), mrn(), mrn(), mrn(GP)
    identity.tell(old, first)
    identity.tell(practice, first)
    identity.tell(new, second)

    assert identity.merge(old, new).code == "AA"

    assert identity.pix(old).ids == {second, new}
    assert identity.pix(first).ids == {practice}


def test_w9_a_merge_that_cannot_be_is_refused_and_changes_nothing(identity: Identity) -> None:
    number, old, new, other = a_patient_id(), mrn(), mrn(), mrn()
    for each in (old, other):
        identity.tell(each)
    identity.tell(new, number)

    assert identity.merge(old, old).error.startswith("ERR|MRG^1^1^205&")
    assert identity.merge(mrn(), new).error.startswith("ERR|MRG^1^1^204&")  # nobody knows it
    assert identity.merge(old, mrn(GP)).error.startswith("ERR|PID^1^3^204&")  # of another authority
    assert identity.merge(f"{old}~{other}", new).error.startswith("ERR|MRG^1^1^205&")
    assert identity.merge(old, new).code == "AA"
    assert identity.merge(old, new).error.startswith("ERR|MRG^1^1^204&")  # another message
    assert identity.merge(new, old).error.startswith("ERR|PID^1^3^204&")  # in a circle
    assert identity.merge(other, old).error.startswith("ERR|PID^1^3^204&")  # into who is gone
    assert identity.pix(other).codes == ("AA", "NF")
    assert identity.pix(number).ids == {new}


def test_merges_chain(identity: Identity) -> None:
    first, second, third = mrn(), mrn(), mrn()
    for each in (first, second, third):
        identity.tell(each)

    assert identity.merge(first, second).code == "AA"
    assert identity.merge(second, third).code == "AA"

    assert [identity.pix(each).ids for each in (first, second)] == [{third}, {third}]


def test_what_a_subsumed_id_was_told_of_is_not_found_any_more(identity: Identity) -> None:
    old, new, family = mrn(), mrn(), f"Q{mrn()[1:8]}"
    identity.tell(old, name=f"{family}^ANNA")
    identity.tell(new, name="OTHER^ANNA")
    assert identity.pdq(by_name(family)).patients == [[old]]

    identity.merge(old, new)

    assert identity.pdq(by_name(family)).codes == ("AA", "NF")
    assert identity.pdq(by_id(old)).patients == identity.pdq(by_id(new)).patients == [[new]]


@pytest.mark.parametrize("case", ["no MSH", "delimiters", "two messages", "other type", "other event", "two PID"])
def test_w8_what_cannot_be_carried_out_is_rejected(pas: Pas, case: str) -> None:
    good = adt("A01", a_pid(mrn()))
    message = {
        "no MSH": b"PID|||1",
        "delimiters": b"MSH|^^^^|A|B\r",
        "two messages": good + good,
        "other type": good.replace(b"ADT^A01", b"ORU^R01"),
        "other event": adt("A03", a_pid(mrn())),
        "two PID": adt("A01", a_pid(mrn()), a_pid(mrn())),
    }[case]
    assert pas.send(message).code == "AR"
    assert pas.send(good).code == "AA"


def test_w8_a_connection_whose_framing_breaks_is_closed_and_the_service_lives(identity: Identity) -> None:
    with identity.pas() as bad:
        with contextlib.suppress(OSError):
            bad.write(b"\x0bMSH|\x0bMSH|\x1c\r")
        assert bad.is_closed()
    with identity.pas() as good:
        assert good.send(hl7("MSH|^~\\&|A|B|C|D|1||ADT^A01||P|2.3.1", a_pid(mrn()))).code == "AE"  # no MSH-10
    assert identity.tell(mrn()).code == "AA"


def test_at_once_one_local_id_gets_one_nhs_number(identity: Identity) -> None:
    local, numbers = mrn(), [a_patient_id() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: identity.tell(local, number).code, numbers))

    assert sorted(codes) == ["AA"] + ["AE"] * 7
    assert identity.pix(local, NHS).ids == {numbers[codes.index("AA")]}


def test_at_once_a_chain_of_pairs_becomes_one_person(identity: Identity) -> None:
    chain = [mrn(domain) for _ in range(6) for domain in (GP, LAB)]
    pairs = list(itertools.pairwise(chain))

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda pair: identity.tell(*pair).code, pairs * 2))

    assert codes == ["AA"] * len(codes)
    assert identity.pix(chain[0]).ids == set(chain[1:])


def test_at_once_merges_of_one_id_happen_once(identity: Identity) -> None:
    old, new = mrn(), [mrn() for _ in range(6)]
    for each in (old, *new):
        identity.tell(each)

    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda each: identity.merge(old, each).code, new))

    assert sorted(codes) == ["AA"] + ["AE"] * 5
    assert identity.pix(old).ids == {new[codes.index("AA")]}
