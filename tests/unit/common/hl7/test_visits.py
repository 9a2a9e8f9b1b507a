"""What ADT messages say of visits: number, place and times, in the forms in which senders write them."""

from __future__ import annotations

import pytest

from common.hl7.message import read_message
from common.hl7.refusals import Hl7Refused
from common.hl7.visits import Told, read_visit

ACCOUNT = f"PID|||1{'|' * 15}A7"
HEAD = "MSH|^~\\&|PAS|{facility}|R|R|{sent}||ADT^{event}|M1|P|2.5\r"


def told(*segments: str, event: str = "A01", facility: str = "NBG^2.999.5^ISO", sent: str = "20260311093000") -> Told:
    head = HEAD.format(facility=facility, sent=sent, event=event)
    return read_visit(read_message((head + "".join(f"{each}\r" for each in segments)).encode()))


def pv1(**fields: str) -> str:
    """PV1 by the numbers of fields, as f3."""
    found = {int(name[1:]): value for name, value in fields.items()}
    return "|".join(["PV1", *(found.get(number, "") for number in range(1, 51))])


@pytest.mark.parametrize(
    ("segments", "visit"),
    [
        ((pv1(f19="V1"),), "V1^NBG"),
        ((pv1(f19="V1^^^NB&2.999.7&ISO"),), "V1^2.999.7"),
        ((pv1(f19="V1^^^NB"),), "V1^NB"),
        ((ACCOUNT, pv1()), "A7^NBG"),
        ((ACCOUNT, pv1(f19='""')), "A7^NBG"),
        ((), "^NBG"),
        ((pv1(f19="^^^NB"),), "^NBG"),
    ],
    ids=["number", "authority", "namespace", "account", "removed", "none", "no number"],
)
def test_a_visit_has_its_number_and_whose_it_is(segments: tuple[str, ...], visit: str) -> None:
    assert told(*segments).visit == visit


@pytest.mark.parametrize(
    ("segments", "places", "field"),
    [
        ((pv1(f3="W1^R2^B3^SOUTH"),), ("SOUTH",), "PV1-3.4"),
        ((pv1(f3="W1^R2^B3^SOUTH&2.999.9&ISO"),), ("SOUTH", "2.999.9"), "PV1-3.4"),
        ((pv1(f3="W1"),), ("NBG", "2.999.5"), "MSH-4"),
        ((), ("NBG", "2.999.5"), "MSH-4"),
    ],
    ids=["facility", "facility with OID", "ward alone", "no PV1"],
)
def test_the_place_is_the_facility_else_the_sender(segments: tuple[str, ...], places: tuple[str], field: str) -> None:
    found = told(*segments)
    assert (found.places, found.field) == (places, field)


def test_a_sender_without_a_name_is_no_place() -> None:
    assert told(facility="").places == ()


@pytest.mark.parametrize(
    ("event", "segments", "recorded", "happened"),
    [
        ("A01", ("EVN||20260311080000",), "20260311080000", "20260311080000"),
        ("A01", ("EVN||20260311080000||||202603110700",), "20260311080000", "20260311070000"),
        ("A01", (pv1(f44="20260310"),), "20260311093000", "20260310000000"),
        ("A02", (pv1(f44="20260310"),), "20260311093000", "20260311093000"),
        ("A03", ("EVN||20260311080000", pv1(f45="20260311075959.1234")), "20260311080000", "20260311075959"),
        ("A03", ("EVN||20260601080000+0100",), "20260601070000", "20260601070000"),
        ("A03", ("EVN||20260601080000-0230",), "20260601103000", "20260601103000"),
        ("A03", ("EVN||00010101000000+0100",), "20260311093000", "20260311093000"),
        ("A03", ("EVN||20261301",), "20260311093000", "20260311093000"),
        ("A03", ("EVN||yesterday",), "20260311093000", "20260311093000"),
    ],
)  # fmt: skip
def test_times_are_told_to_the_second_in_utc(
    event: str, segments: tuple[str, ...], recorded: str, happened: str
) -> None:
    found = told(*segments, event=event)
    assert (found.recorded_at, found.happened_at) == (recorded, happened)


def test_a_message_without_times_has_none() -> None:
    assert told(sent="").recorded_at == ""


def test_a_number_that_is_too_long_is_refused() -> None:
    with pytest.raises(Hl7Refused, match="PV1-19"):
        told(pv1(f19="9" * 257))
