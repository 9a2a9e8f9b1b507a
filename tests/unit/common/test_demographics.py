"""Demographics: what is compared, and what the two families of messages say of the same person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.demographics import Address, Demographics, PersonName, digits, folded, folded_postcode
from common.hl7.demographics import read_demographics
from common.hl7.identifiers import Identifier, parse_cx
from common.hl7.message import read_message
from common.hl7v3.demographics import read_person, write_person

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=9)
XML = WORDS.filter(lambda text: all(ord(each) not in (0xFFFE, 0xFFFF) for each in text))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zoë", "ZOE"), ("O'Malley", "omalley"), ("O’Malley", "OMALLEY"), ("Søren", "soren"), ("Łucja", "LUCJA"),
     ("Smith-Jones", "smith  jones"), ("Straße", "STRASSE"), ("  Ann ", "ann"), ("文書", "文書")],
)  # fmt: skip
def test_names_are_compared_without_case_accents_and_punctuation(one: str, other: str) -> None:
    assert folded(one) == folded(other) != ""


@given(st.text(max_size=400))
def test_folding_is_bounded_and_done_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert len(folded(text)) <= 256


def test_postcodes_and_telephones_are_compared_by_what_counts() -> None:
    assert folded_postcode("zz99 3vz") == folded_postcode("ZZ993VZ") == "zz993vz"
    assert digits("+44 113 496 0001") == digits("0113 496 0001")[-10:] == "1134960001"


def test_a_pid_is_read_as_far_as_it_makes_sense() -> None:
    pid = (
        "PID|||1||O\\T\\C^MAUD^ANN MAY^JR^MRS~MAIDEN||1942031712:30|f|||"
        '12 LANE^FLAT 1^NORTHBECK^""^ZZ99 3VZ^GBR~^^^^^||0113 496 0001~^PRN^PH^^44^113^4960002|0113 496 0003'
    )
    message = read_message(f"MSH|^~\\&|A|B|C|D|1||ADT^A01|1|P|2.3.1\r{pid}\r".encode())
    segment = message.first("PID")
    assert segment is not None

    assert read_demographics(message, segment) == Demographics(
        (PersonName("O&C", ("MAUD", "ANN", "MAY"), "MRS", "JR"), PersonName("MAIDEN")),
        "19420317",
        "F",
        (Address(("12 LANE", "FLAT 1"), "NORTHBECK", "", "ZZ99 3VZ", "GBR"),),
        ("0113 496 0001", "113 4960002", "0113 496 0003"),
    )


@given(
    st.builds(
        Demographics,
        names=st.lists(st.builds(PersonName, XML, st.lists(XML, max_size=3).map(tuple), XML, XML), max_size=3).map(
            tuple
        ),
        birth=st.sampled_from(["", "1942", "19420317"]),
        sex=st.sampled_from(["", "M", "F", "UN"]),
        addresses=st.lists(
            st.builds(Address, st.lists(XML, min_size=1, max_size=2).map(tuple), XML, XML, XML, XML), max_size=2
        ).map(tuple),
        phones=st.lists(st.from_regex(r"\+?[0-9]{3,12}", fullmatch=True), max_size=2).map(tuple),
    )
)
def test_what_is_written_in_hl7_v3_is_read_again(told: Demographics) -> None:
    root = etree.fromstring(f'<x xmlns="urn:hl7-org:v3">{write_person(told)}</x>')

    assert read_person(root[0]) == told


def test_a_patient_id_is_parsed_strictly() -> None:
    assert parse_cx("L1^^^&2.999.1&ISO") == Identifier("L1", oid="2.999.1")
    for wrong in ("", "L1", "L1^^^NHS", "^^^&2.999.1&ISO", "L1^^^&x&ISO", "L1^^^&2.999.1&DNS", "L1^x^^&2.999.1&ISO"):
        with pytest.raises(ValueError, match="patient id"):
            parse_cx(wrong)
