"""What a sender can get wrong in ebRIM becomes a flaw that names the object; nothing is dropped in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from common.ebxml.submission import read_submission
from common.model import Flaw, Submission
from common.standard.identifiers import FOLDER_NODE, LCM, RIM, SUBMISSION_SET_NODE
from tests.factories import a_document, a_submission, submit_objects

CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"


def read(objects: str) -> Submission:
    return read_submission(
        etree.fromstring(
            f'<l:SubmitObjectsRequest xmlns:l="{LCM}" xmlns="{RIM}"><RegistryObjectList>{objects}'
            "</RegistryObjectList></l:SubmitObjectsRequest>"
        )
    )


def entry(inner: str, attributes: str = f'objectType="{STABLE}"') -> Submission:
    return read(f'<ExtrinsicObject id="e1" {attributes}>{inner}</ExtrinsicObject>')


def slot(name: str, *values: str) -> str:
    inner = "".join(f"<Value>{value}</Value>" for value in values)
    return f'<Slot name="{name}"><ValueList>{inner}</ValueList></Slot>'


def code(inner: str, scheme: str = CLASS, owner: str = "e1", node: str = "c") -> str:
    told = f'classifiedObject="{owner}" classificationScheme="{scheme}" nodeRepresentation="{node}"'
    return f'<Classification id="x" {told}>{inner}</Classification>'


def unique_id(value: str = "1.2", owner: str = "e1", scheme: str = UNIQUE_ID) -> str:
    return f'<ExternalIdentifier id="i" registryObject="{owner}" identificationScheme="{scheme}" value="{value}"/>'


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        pytest.param(slot("hash", "a") + slot("hash", "b"), "'hash' occurs twice", id="slot twice"),
        pytest.param(slot("hash", "a", "b"), "hash must have one value, and has 2", id="values of a single slot"),
        pytest.param(code("") , "must have one codingScheme, and has 0", id="no scheme"),
        pytest.param(code(slot("codingScheme", "a", "b")), "must have one codingScheme, and has 2", id="two schemes"),
        pytest.param(code(slot("codingScheme", "a") * 2), "'codingScheme' occurs twice", id="scheme twice"),
        pytest.param(code(slot("codingScheme", "a"), node=" "), "no nodeRepresentation", id="no code"),
        pytest.param(code(slot("codingScheme", "a")) * 2, "classCode must occur once", id="single code twice"),
        pytest.param(code(slot("codingScheme", "a"), owner="e2"), "as its classifiedObject", id="foreign owner"),
        pytest.param(unique_id(owner="e2"), "as its registryObject", id="foreign identifier"),
        pytest.param(unique_id(scheme="urn:uuid:odd"), "has no meaning here", id="identifier scheme"),
        pytest.param(unique_id() * 2, "uniqueId must occur once", id="identifier twice"),
        pytest.param(code(slot("authorHat", "x"), AUTHOR, node=""), "'authorHat', which authors do not", id="author"),
        pytest.param(code(slot("authorPerson", "x", "y"), AUTHOR, node=""), "one authorPerson", id="persons"),
        pytest.param("<Odd/>", "'Odd' has no place", id="element"),
    ],
)  # fmt: skip
def test_what_no_object_can_hold_is_a_flaw_that_names_the_object(inner: str, told: str) -> None:
    submission = entry(inner)

    assert len(submission.entries) == 1
    assert [flaw.where for flaw in submission.flaws] == ["e1"]
    assert told in submission.flaws[0].what


def test_an_object_type_that_is_neither_stable_nor_on_demand_is_a_flaw() -> None:
    assert "objectType" in entry("", 'objectType="urn:uuid:x"').flaws[0].what
    assert "objectType" in entry("", "").flaws[0].what


@pytest.mark.parametrize("kind", ["", "HasMember", "RPLC", "signs", "urn:ihe:iti:2007:AssociationType:Odd"])
def test_an_association_of_unknown_type_is_a_flaw_bare_names_of_xds_a_included(kind: str) -> None:
    submission = read(f'<Association id="a1" associationType="{kind}" sourceObject="x" targetObject="y"/>')

    assert submission.associations == []
    [flaw] = submission.flaws
    assert flaw.where == "a1"


def package(id_: str, *nodes: str) -> str:
    inner = "".join(
        f'<Classification id="n{node}" classifiedObject="{id_}" classificationNode="{node}"/>' for node in nodes
    )
    return f'<RegistryPackage id="{id_}">{inner}</RegistryPackage>'


def test_a_package_is_what_its_classification_says_inside_it_or_beside_it() -> None:
    beside = f'<Classification id="b" classifiedObject="f1" classificationNode="{FOLDER_NODE}"/>'
    submission = read(beside + package("s1", SUBMISSION_SET_NODE) + package("f1"))

    assert [item.entry_uuid for item in submission.submission_sets] == ["s1"]
    assert [item.entry_uuid for item in submission.folders] == ["f1"]
    assert submission.flaws == []


@pytest.mark.parametrize("nodes", [(), (FOLDER_NODE, SUBMISSION_SET_NODE), ("urn:uuid:other",)])
def test_a_package_that_is_neither_or_both_is_a_flaw(nodes: tuple[str, ...]) -> None:
    submission = read(package("p1", *nodes))

    assert submission.objects() == []
    assert [flaw.where for flaw in submission.flaws] == ["p1"]


def test_what_cannot_be_registered_is_a_flaw() -> None:
    assert read('<Service id="s"/>').flaws == [Flaw("s", "a 'Service' cannot be registered")]


def test_object_refs_and_classifications_beside_objects_are_no_flaw() -> None:
    assert read('<ObjectRef id="urn:uuid:x"/><Classification id="c"/>').flaws == []


def test_a_request_without_object_list_is_a_flaw() -> None:
    [flaw] = read_submission(etree.fromstring(f'<l:SubmitObjectsRequest xmlns:l="{LCM}"/>')).flaws

    assert "RegistryObjectList" in flaw.what


def test_a_second_object_list_is_a_flaw_and_not_dropped_in_silence() -> None:
    request = etree.fromstring(submit_objects(a_submission(a_document())))
    request.append(etree.fromstring(etree.tostring(request[0])))

    assert read_submission(request).flaws


@pytest.mark.parametrize("node", ["urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"])
def test_limited_metadata_are_noticed(node: str) -> None:
    [item] = entry(f'<Classification id="l" classifiedObject="e1" classificationNode="{node}"/>').entries

    assert item.limited_metadata


def test_classifications_of_unknown_schemes_are_kept_with_all_they_hold() -> None:
    named = '<Name><LocalizedString value="shown"/></Name>'
    [item] = entry(code(slot("a", "b") + named, "urn:example:scheme")).entries

    [extra] = item.extra_classifications
    assert (extra.scheme, extra.representation, extra.slots["a"]) == ("urn:example:scheme", "c", ("b",))
    assert extra.names[0].value == "shown"


def test_several_codes_of_one_attribute_keep_their_order() -> None:
    first, second = (code(slot("codingScheme", "s"), CONFIDENTIALITY, node=node) for node in "AB")

    [item] = entry(first + second).entries

    assert [each.code for each in item.confidentiality_codes] == ["A", "B"]


@pytest.mark.parametrize(
    ("told", "version"), [("1", 1), ("12", 12), ("", None), ("1.1", None), ("٣", None), ("9" * 10, None)]
)
def test_a_version_is_a_number(told: str, version: int | None) -> None:
    assert entry(f'<VersionInfo versionName="{told}"/>').entries[0].version == version


def test_content_versions_are_ignored_and_an_unnamed_version_is_the_first() -> None:
    submission = entry('<VersionInfo/><ContentVersionInfo versionName="7"/>')

    assert submission.entries[0].version == 1
    assert submission.flaws == []


def test_white_space_around_values_and_empty_values_do_not_count() -> None:
    [item] = entry(
        slot("hash", "\n  abc \n") + slot("size") + slot("sourcePatientInfo", "PID-3|x", "  ", "PID-5|y")
        + "<Slot name='URI'><ValueList><Value/></ValueList><Odd/></Slot>" + unique_id(" 1.2 ")
    ).entries  # fmt: skip

    assert (item.hash, item.size, item.unique_id, item.uri) == ("abc", None, "1.2", ())
    assert item.source_patient_info == ("PID-3|x", "PID-5|y")


def test_an_author_slot_without_value_is_no_person() -> None:
    [item] = entry(code(slot("authorPerson") + slot("authorRole", "GP"), AUTHOR, node="")).entries

    assert item.authors[0].person is None
    assert item.authors[0].roles == ("GP",)


def test_a_localized_string_without_value_is_dropped_and_an_empty_identifier_is_missing() -> None:
    [item] = entry("<Name><LocalizedString/><Odd/></Name>" + unique_id("")).entries

    assert item.title == ()
    assert item.unique_id is None


MESSAGE = submit_objects(a_submission(a_document(), a_document()))


@given(st.lists(st.tuples(st.integers(0, len(MESSAGE)), st.integers(0, 30), st.binary(max_size=3)), max_size=5))
def test_no_mutation_of_a_submission_makes_the_reader_fail(mutations: list[tuple[int, int, bytes]]) -> None:
    data = MESSAGE
    for at, length, new in mutations:
        data = data[:at] + new + data[at + length :]
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:
        return

    assert isinstance(read_submission(root), Submission)


@given(st.randoms(use_true_random=False))
def test_no_shuffling_of_elements_makes_the_reader_fail(random: object) -> None:
    root = etree.fromstring(MESSAGE)
    every = list(root.iter())
    for _ in range(5):
        one, other = random.choice(every), random.choice(every)  # type: ignore[attr-defined]
        if one is not other and one not in other.iterancestors() and other.getparent() is not None and one is not root:
            other.append(one) if other not in one.iterdescendants() else None

    assert isinstance(read_submission(root), Submission)
