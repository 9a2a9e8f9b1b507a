"""Identity messages of HL7 v3: what is there is found, what is missing is empty, and every one can be answered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.hl7v3.identity import read_identity, write_acknowledgement
from common.hl7v3.wrapper import Detail, Id
from common.standard.transactions import ITI_44_MERGE
from tests.service.test_iti44_feed import message, odd

VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30).filter(
    lambda value: all(ord(each) not in (0xFFFE, 0xFFFF) for each in value)
)


def test_the_ids_of_a_message_are_found() -> None:
    body = message(ITI_44_MERGE, "1^^^&1.2&ISO", "2^^^&1.3&ISO", prior=("3^^^&1.2&ISO",), number="9")

    found = read_identity(etree.fromstring(body))

    assert found.id == Id("2.999.6.1", "9")
    assert found.patients == (Id("1.2", "1"), Id("1.3", "2"))
    assert found.prior == (Id("1.2", "3"),)
    assert (found.wrapper.sender, found.wrapper.receiver) == (Id("2.999.826.5.1"), Id("2.999.826.5.2"))


def test_what_is_missing_is_empty() -> None:
    found = read_identity(etree.fromstring('<x xmlns="urn:hl7-org:v3"/>'))

    assert (found.id, found.patients, found.prior, found.wrapper.processing_code) == (Id(""), (), (), "")


@given(st.builds(Detail, VALUES, VALUES, VALUES, VALUES), st.builds(Id, VALUES, VALUES))
def test_an_answer_is_well_formed_whatever_stands_in_it(detail: Detail, own_id: Id) -> None:
    asked = read_identity(etree.fromstring(odd(ITI_44_MERGE)))

    root = etree.fromstring(write_acknowledgement(asked.wrapper, own_id=own_id, now="20260306093000", detail=detail))

    told = root.find("{*}acknowledgement/{*}acknowledgementDetail/{*}text").text or ""
    assert told == detail.text
    assert root.find("{*}acknowledgement/{*}targetMessage/{*}id").get("nullFlavor") == "NI"
