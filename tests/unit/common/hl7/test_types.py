"""Data types of document sharing metadata: each table row is a promise (ITI TF-3 Table 4.2.3.1.7-2)."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.hl7 import types
from common.rules.datatypes import CHECKS
from common.standard.attributes import DataType

OID: Final = "2.16.840.1.113883.2.1.4.1"
GOOD: Final[dict[DataType, tuple[str, ...]]] = {
    DataType.CX: (f"9990001006^^^&{OID}&ISO", "a b^^^&1.2&ISO", f"x^^^&{OID}&ISO^^^"),
    DataType.CXI: (
        f"R-1^^^&{OID}&ISO^urn:ihe:iti:xds:2013:referral",
        "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "A1^^^NAMESPACE^urn:ihe:iti:xds:2013:accession",
        "A1^^^^a local type",
    ),
    DataType.XCN: (
        "^Okafor",
        "555021935107",
        "555021935107^Okafor^Amara^B^Jr^Dr^MD^^&1.2.826.0.1285.0.2.0.65&ISO",
        "^Okafor&van^Amara",
        "^O'Hara^Séan^^^^^^^^^",
    ),
    DataType.DTM: ("2026", "202603", "20260311", "2026031114", "202603111415", "20260311141500", "20240229", "0001"),
    DataType.OID: ("1.2", "2.999.826.1.1", "0.0", "2.25." + "9" * 39),
    DataType.OID_URN: ("urn:oid:1.2.3",),
    DataType.SHA1: ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
    DataType.SIZE: ("0", "1480", "9" * 19),
    DataType.LANGUAGE: ("en", "en-GB", "cy-GB", "zh-Hant-TW"),
    DataType.MIME_TYPE: ("application/pdf", "text/xml", "application/hl7-cda+xml", "text/plain; charset=UTF-8"),
    DataType.IDENTIFIER: ("1.2.3", "1.2.3^ext", "urn:uuid:abc", "http://x.example/y?z=1", "x" * 256),
    DataType.RECIPIENT: (
        "Millrace Surgery^^^^^&2.16.840.1.113883.2.1.3.2.4.19.1&ISO^^^^ZT902",
        "Millrace Surgery|^Okafor^Amara",
        "|^Okafor",
        "||^^Internet^a@b.example",
        "Millrace Surgery^^^^^&1.2&ISO^^^^Z1|^Okafor|^PRN^PH^^^0113^496000",
    ),
    DataType.PATIENT_INFO: (
        f"PID-3|NGH1^^^&{OID}&ISO",
        f"PID-3|NGH1^^^&{OID}&ISO~NGH2^^^&1.2&ISO",
        "PID-5|Fenwick^Maud^^^Mrs",
        "PID-7|19480117",
        "PID-11|1 Mill Lane^^Northbeck",
    ),
    DataType.TEXT: ("", "any text", "tabs\tand\nlines", "‘unicode’ 文書"),
}
BAD: Final[dict[DataType, tuple[str, ...]]] = {
    DataType.CX: (
        "",
        "9990001006",
        "9990001006^^^NHS",
        f"^^^&{OID}&ISO",
        f"x^1^^&{OID}&ISO",
        f"x^^1^&{OID}&ISO",
        f"x^^^&{OID}&ISO^NI",
        f"x^^^{OID}&ISO",
        f"x^^^&{OID}&UUID",
        f"x^^^n&{OID}&ISO",
        "x^^^&not.an.oid&ISO",
        f"x^^^&{OID}&ISO&y",
    ),
    DataType.CXI: ("", "A1", f"A1^^^&{OID}&ISO", "^^^^type", "A1^x^^^type", "A1^^x^^type"),
    DataType.XCN: ("", "^", "^^Amara", f"^Okafor^^^^^^^&{OID}&ISO", "5^Okafor^^^^^^^NHS", f"5^^^^^^^^&{OID}&DNS"),
    DataType.DTM: (
        "",
        "26",
        "20261",
        "202613",
        "202600",
        "20260229",
        "20260431",
        "2026033124",
        "202603312360",
        "20260331235960",
        "20260311141500Z",
        "20260311141500+0000",
        "20260311141500.1",
        "0000",
        "2026-03-11",
        "²026",
        "٢٠٢٦",
        "202603111415000",
        "2026\n",
    ),
    DataType.OID: ("", "1", "1.02", "1..2", "1.2.", ".1.2", "3.1", "1.2a", "2." + "1" * 63, "1.2\n"),
    DataType.OID_URN: ("", "1.2.3", "urn:oid:", "urn:oid:1.02", "URN:OID:1.2", "urn:uuid:1.2"),
    DataType.SHA1: ("", "da39", "g" * 40, "d" * 41, "d" * 40 + "\n"),
    DataType.SIZE: ("", "-1", "1.5", "1e3", "0x10", "٣", "1 ", "9" * 20),
    DataType.LANGUAGE: ("", "e n", "en_GB", "en-", "abcdefghi", "en-" + "-".join(["abcdefgh"] * 8), "en\n"),
    DataType.MIME_TYPE: ("", "pdf", "application/", "/pdf", "a b/c", "application/pdf x", "a/" + "b" * 300),
    DataType.IDENTIFIER: ("", " ", "x" * 257, "1.2\x00"),
    DataType.RECIPIENT: ("", "|", "||", "a|^b|^^Internet^c@d|e", "^^^x", "Surgery|^^Amara", "Surgery||^^Internet"),
    DataType.PATIENT_INFO: (
        "",
        "Fenwick",
        "PID-5",
        "PID-|x",
        "PID-0|x",
        "PID3|x",
        "PID-3|NGH1",
        "PID-3|a^^^&1.2&ISO~b",
    ),
    DataType.TEXT: ("\x00", "a\x1fb", "a\x7f"),
}


def each(table: dict[DataType, tuple[str, ...]]) -> list[object]:
    return [
        pytest.param(kind, value, id=f"{kind}-{value[:40]!r}") for kind, values in table.items() for value in values
    ]


def test_every_data_type_with_a_check_has_good_and_bad_examples() -> None:
    assert CHECKS.keys() == GOOD.keys() == BAD.keys()
    assert set(DataType) - CHECKS.keys() == {DataType.CODE, DataType.AUTHOR}


@pytest.mark.parametrize(("kind", "value"), each(GOOD))
def test_a_good_value_is_accepted(kind: DataType, value: str) -> None:
    assert CHECKS[kind](value) is None


@pytest.mark.parametrize(("kind", "value"), each(BAD))
def test_a_bad_value_is_objected_to_in_words_that_do_not_repeat_it(kind: DataType, value: str) -> None:
    problem = CHECKS[kind](value)

    assert problem
    assert len(value) <= 12 or value not in problem


@pytest.mark.parametrize(
    "value",
    [
        "Northbeck General Hospital",
        "Northbeck^^^^^&1.2&ISO^^^^ZT901",
        "Northbeck^^^^^^^^^1.2.3.4",
        "Northbeck^^^^^&1.2&ISO",
        "Northbeck^^^^^&1.2&ISO^^^^1.2.3",
    ],
)
def test_an_organisation_has_a_name_and_perhaps_an_id(value: str) -> None:
    assert types.xon(value) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "component 1"),
        ("^^^^^&1.2&ISO^^^^ZT901", "component 1"),
        ("Northbeck^^^^^^^^^ZT901", "component 6"),
        ("Northbeck^^^^^ODS^^^^ZT901", "component 6"),
        ("Northbeck^D", "component 2"),
        ("Northbeck^^^^^&1.2&ISO^XX^^^ZT901", "component 7"),
        ("Northbeck^^^^^&1.2&ISO^^^^ZT901^x", "component 11"),
    ],
)
def test_what_is_wrong_with_an_organisation_is_named_by_its_component(value: str, told: str) -> None:
    assert told in (types.xon(value) or "")


@pytest.mark.parametrize(
    "value",
    ["^^Internet^a@b.example", "^NET^Internet^a@b.example", "^PRN^PH^^44^113^4960000^12",
     "^WPN^CP^^^^^^^^^0113 4960000", "0113 496 0000"],
)  # fmt: skip
def test_an_address_is_a_telephone_number_or_an_e_mail_address(value: str) -> None:
    assert types.xtn(value) is None


@pytest.mark.parametrize("value", ["", "^^Internet", "^^PH", "^PRN^PH"])
def test_an_address_without_number_is_none(value: str) -> None:
    assert types.xtn(value)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("urn:uuid:0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c", True),
        ("urn:uuid:0D3C1F0E-8D51-4C6E-9A3C-2B1F8A7E6D5C", False),
        ("0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c", False),
        ("urn:uuid:0d3c1f0e8d514c6e9a3c2b1f8a7e6d5c", False),
        ("urn:uuid:", False),
        ("urn:uuid:0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c\n", False),
    ],
)
def test_a_uuid_is_lower_case_with_its_prefix(value: str, good: bool) -> None:
    assert types.is_uuid(value) is good


@pytest.mark.parametrize(
    ("value", "full"),
    [
        ("2026", "20260101000000"),
        ("202603", "20260301000000"),
        ("20260311", "20260311000000"),
        ("2026031114", "20260311140000"),
        ("202603111415", "20260311141500"),
        ("20260311141516", "20260311141516"),
    ],
)
def test_a_time_is_completed_with_the_smallest_values(value: str, full: str) -> None:
    assert types.dtm_complete(value) == full


@given(st.datetimes(), st.sampled_from([4, 6, 8, 10, 12, 14]))
def test_every_prefix_of_a_real_time_is_a_time(moment: object, digits: int) -> None:
    value = moment.strftime("%Y%m%d%H%M%S").zfill(14)[:digits]  # type: ignore[attr-defined]

    assert types.dtm(value) is None


@given(st.sampled_from(sorted(CHECKS)), st.text(max_size=80))
def test_no_text_makes_a_check_fail(kind: DataType, value: str) -> None:
    problem = CHECKS[kind](value)

    assert problem is None or problem
