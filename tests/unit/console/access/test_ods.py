from __future__ import annotations

import time
from pathlib import Path

import pytest

from common.access.records import KINDS
from console.access import ods
from console.access.files import checked
from console.failure import Failure

ORGANISATIONS = KINDS["organisations"]
ROW = (
    '"ZG902","SOUTHBECK SURGERY","Y99","ZQ1","1 NO STREET","","","SOUTHBECK","","ZZ99 9ZZ","20100401","","A","1","ZI1",'
    '"20130401","","","","","","0","","","","4",""\n'
)
XML = """<?xml version="1.0" encoding="UTF-8"?>
<HSCOrgRefData xmlns="http://refdata.hscic.gov.uk/org/v2-0-0"><Manifest/>
<CodeSystems><CodeSystem name="OrganisationRole"><concept id="1" code="RO197" displayName="NHS TRUST"/></CodeSystem>
</CodeSystems><Organisations>
<Organisation orgRecordClass="RC1"><Name>NORTHBECK NHS TRUST</Name>
 <Date><Type value="Legal"/><Start value="2001-01-01"/></Date>
 <Date><Type value="Operational"/><Start value="2001-04-01"/></Date>
 <OrgId root="2.16.840.1.113883.2.1.3.2.4.18.48" extension="ZT901"/><Status value="Active"/>
 <GeoLoc><Location><Town>NORTHBECK</Town><PostCode>ZZ99 1ZZ</PostCode></Location></GeoLoc>
 <Roles><Role id="RO197" uniqueRoleId="1" primaryRole="true"><Status value="Active"/></Role></Roles></Organisation>
<Organisation orgRecordClass="RC2"><Name>NORTHBECK SITE</Name>
 <Date><Type value="Operational"/><Start value="2005-04-01"/><End value="2024-03-31"/></Date>
 <OrgId extension="ZT90101"/><Status value="Inactive"/>
 <Roles><Role id="RO198"><Status value="Active"/></Role></Roles>
 <Rels><Rel id="RE4"><Status value="Active"/><Target><OrgId extension="ZI1"/></Target></Rel>
 <Rel id="RE6"><Status value="Inactive"/><Target><OrgId extension="ZT000"/></Target></Rel>
 <Rel id="RE6"><Status value="Active"/><Target><OrgId extension="ZT901"/></Target></Rel></Rels></Organisation>
<Organisation><Name>SOUTHBECK SURGERY</Name><OrgId extension="ZG902"/>
 <Roles><Role id="RO177" primaryRole="true"/><Role id="RO76"/></Roles></Organisation>
</Organisations></HSCOrgRefData>"""


def written(folder: Path, text: str | bytes, name: str = "x.xml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_legacy_file_is_read_by_its_columns(tmp_path: Path) -> None:
    file = written(tmp_path, ROW, "epraccur.csv")

    [found] = checked(ORGANISATIONS, ods.legacy(file, "gp", sites=False), file)

    assert found == {
        "code": "ZG902", "name": "SOUTHBECK SURGERY", "care_setting": "gp", "part_of": "", "also": "",
        "town": "SOUTHBECK", "postcode": "ZZ99 9ZZ", "begins": "20100401000000", "ends": "",
        "source": "ODS epraccur.csv",
    }  # fmt: skip
    [site] = checked(ORGANISATIONS, ods.legacy(file, "health", sites=True), file)
    assert site["part_of"] == "ZI1"


def test_the_last_day_of_an_organisation_still_counts(tmp_path: Path) -> None:
    file = written(tmp_path, ROW.replace('"20100401",""', '"20100401","20240331"'), "x.csv")

    [found] = checked(ORGANISATIONS, ods.legacy(file, "gp", sites=False), file)

    assert found["ends"] == "20240401000000"


@pytest.mark.parametrize(
    ("text", "told"),
    [("a,b\n", "27"), (ROW.replace("20100401", "2010"), "line 1: begins"), (ROW + '"x', "it is no CSV"),
     (ROW + ROW, "stands in line 1 already")],
)  # fmt: skip
def test_what_is_wrong_in_a_legacy_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text, "x.csv")

    with pytest.raises(Failure, match=told):
        checked(ORGANISATIONS, ods.legacy(file, "gp", sites=False), file)


def test_the_xml_is_read_with_roles_operators_and_days(tmp_path: Path) -> None:
    file = written(tmp_path, XML)

    trust, site, practice = checked(ORGANISATIONS, ods.xml(file), file)

    assert (trust["code"], trust["care_setting"], trust["begins"], trust["town"]) == (
        "ZT901", "health", "20010401000000", "NORTHBECK",
    )  # fmt: skip
    assert (site["part_of"], site["ends"]) == ("ZT901", "20240401000000")
    assert (practice["care_setting"], practice["part_of"]) == ("gp", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<a/>", "not HSCOrgRefData"),
        ("", "no XML"),
        (XML[:900], "no XML"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><HSCOrgRefData/>", "DOCTYPE"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><HSCOrgRefData/>', "DOCTYPE"),
        ("<HSCOrgRefData><Organisation/></HSCOrgRefData>", "code: is needed"),
        ("<HSCOrgRefData>" + "<a>" * 100_000, "no XML"),
    ],
)
def test_hostile_xml_is_refused_and_quickly(tmp_path: Path, text: str, told: str) -> None:
    file, began = written(tmp_path, text), time.perf_counter()

    with pytest.raises(Failure, match=told):
        checked(ORGANISATIONS, ods.xml(file), file)
    assert time.perf_counter() - began < 2


def test_a_billion_laughs_are_not_laughed(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    file = written(tmp_path, f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><HSCOrgRefData><a>&l9;</a></HSCOrgRefData>')

    with pytest.raises(Failure, match="Nothing was taken"):
        checked(ORGANISATIONS, ods.xml(file), file)


def test_a_long_file_takes_little_memory(tmp_path: Path) -> None:
    one = XML[XML.index("<Organisation orgRecordClass") : XML.index("</Organisation>") + 15]
    many = "".join(one.replace("ZT901", f"ZT{number:05d}") for number in range(3000))
    file = written(tmp_path, f"<HSCOrgRefData><Organisations>{many}</Organisations></HSCOrgRefData>")

    assert len(checked(ORGANISATIONS, ods.xml(file), file)) == 3000
