"""Rules on single objects, over the table of attributes (ITI TF-3 4.2.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.model import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    LocalizedString,
    ObjectType,
    RegistryObject,
    Severity,
    Submission,
    SubmissionSet,
)
from common.rules import Objection, Rulebook, metadata
from common.rules.datatypes import CHECKS
from common.standard.attributes import ATTRIBUTES, Attribute, By, Place
from common.standard.errors import ErrorCode
from tests.factories import HAS_MEMBER, a_code, a_document, a_folder, a_link, a_submission, an_author, text
from tests.unit.common.hl7.test_types import BAD

KINDS: tuple[type[RegistryObject], ...] = (SubmissionSet, DocumentEntry, Folder, Association)
ROWS = [(kind, row) for kind in KINDS for row in ATTRIBUTES[kind]]


def rows(chosen: Any) -> Any:
    found = [pytest.param(kind, row, id=f"{kind.__name__}.{row.name}") for kind, row in ROWS if chosen(row)]
    return pytest.mark.parametrize(("kind", "row"), found)


def everything() -> Submission:
    document, folder = a_document(), a_folder()
    return a_submission(document, folder, a_link(HAS_MEMBER, folder, document))


def of(submission: Submission, kind: type[RegistryObject]) -> RegistryObject:
    return next(item for item in submission.objects() if type(item) is kind)


def told(submission: Submission) -> list[tuple[str, str]]:
    return list(metadata.attributes_are_there_and_well_formed(submission))


def test_what_the_factories_make_is_good() -> None:
    submission = everything()

    assert told(submission) == []
    assert list(metadata.texts_are_short_enough(submission)) == []
    assert list(metadata.service_starts_before_it_stops(submission)) == []
    assert list(metadata.ids_are_symbolic_or_uuids(submission)) == []


@rows(lambda row: row.required & By.REGISTER)
def test_every_required_attribute_that_is_missing_is_named(kind: type[RegistryObject], row: Attribute) -> None:
    submission = everything()
    item = of(submission, kind)
    setattr(item, row.field, () if row.many else None)

    assert told(submission) == [(item.entry_uuid, f"{row.name} is missing")]


@rows(lambda row: not row.required & By.REGISTER)
def test_no_other_attribute_is_missed(kind: type[RegistryObject], row: Attribute) -> None:
    submission = everything()
    setattr(of(submission, kind), row.field, () if row.many else None)

    assert told(submission) == []


@rows(lambda row: row.forbidden & By.ON_DEMAND)
def test_what_only_fixed_bytes_have_is_refused_for_on_demand_entries_and_not_missed(
    kind: type[RegistryObject], row: Attribute
) -> None:
    submission = a_submission(a_document(object_type=ObjectType.ON_DEMAND, creation_time=None, hash=None, size=None))
    assert told(submission) == []

    setattr(of(submission, kind), row.field, "2026" if row.name == "creationTime" else "0" * 40)

    assert [what for _, what in told(submission)] == [f"{row.name} must not be there for this kind of entry"]


@rows(lambda row: row.type in CHECKS)
def test_every_value_that_is_not_of_its_data_type_is_objected_to(kind: type[RegistryObject], row: Attribute) -> None:
    bad = next(value for value in BAD[row.type] if value.strip())
    submission = everything()
    item = of(submission, kind)
    setattr(item, row.field, (bad,) if row.many else bad)

    [(where, what)] = told(submission)

    assert where == item.entry_uuid
    assert what.startswith(f"{row.name} ")


@rows(lambda row: row.type in CHECKS and row.many)
def test_every_one_of_several_values_is_judged(kind: type[RegistryObject], row: Attribute) -> None:
    bad = next(value for value in BAD[row.type] if value.strip())
    submission = everything()
    item = of(submission, kind)
    good = getattr(item, row.field)
    setattr(item, row.field, (*good, bad, *good, bad))

    assert len(told(submission)) == 2


@rows(lambda row: row.place is not Place.AUTHOR)
def test_no_value_has_more_than_256_characters(kind: type[RegistryObject], row: Attribute) -> None:
    submission = everything()
    item = of(submission, kind)
    value: Any = Code("x" * 257, "1.2") if row.place is Place.CODE else "x" * 257
    setattr(item, row.field, (value,) if row.many else value)

    [(where, what)] = told(submission)

    assert where == item.entry_uuid
    assert row.name in what
    assert "256" in what


@rows(lambda row: row.place is Place.CODE)
def test_neither_coding_scheme_nor_display_name_of_a_code_may_be_too_long(
    kind: type[RegistryObject], row: Attribute
) -> None:
    submission = everything()
    code = Code("x", "1" * 257, text("y" * 1025))
    setattr(of(submission, kind), row.field, (code,) if row.many else code)

    scheme, display = (what for _, what in told(submission))

    assert "codingScheme" in scheme
    assert "display name" in display


@pytest.mark.parametrize(
    ("author", "problem"),
    [
        (Author(), "must have an authorPerson"),
        (Author(roles=("GP",), specialties=("x",)), "must have an authorPerson"),
        (an_author(person="^^x"), "authorPerson must name"),
        (an_author(institutions=("^x",)), "authorInstitution must name"),
        (an_author(telecommunications=("^^Internet",)), "authorTelecommunication must hold"),
        (an_author(roles=("\x01",)), "authorRole must not hold control"),
        (an_author(specialties=("\x01",)), "authorSpecialty must not hold control"),
        (an_author(specialties=("x" * 257,)), "authorSpecialty has a value of more than 256"),
    ],
)
def test_an_author_that_is_not_well_formed_is_objected_to(author: Author, problem: str) -> None:
    submission = a_submission(a_document(authors=(an_author(), author)))

    [(_, what)] = told(submission)

    assert problem in what


@pytest.mark.parametrize(
    "author",
    [
        an_author(),
        Author(person="^Okafor"),
        Author(institutions=("Northbeck",)),
        Author(telecommunications=("^^Internet^a@b.example",)),
    ],
)
def test_an_author_needs_one_of_person_institution_and_telecommunication(author: Author) -> None:
    assert metadata.author_problem(author) is None


@pytest.mark.parametrize(("make", "limit"), [(a_document, 127), (a_folder, 256)], ids=["DocumentEntry", "Folder"])
def test_a_title_is_short(make: Any, limit: int) -> None:
    assert list(metadata.texts_are_short_enough(a_submission(make(title=text("x" * limit))))) == []

    [(_, what)] = metadata.texts_are_short_enough(a_submission(make(title=text("x" * (limit + 1)))))

    assert f"at most {limit}" in what


def test_the_title_of_a_submission_set_has_fewer_than_256_characters() -> None:
    submission = a_submission()
    submission.submission_set.title = text("x" * 256)

    assert [what for _, what in metadata.texts_are_short_enough(submission)] == [
        "title has 256 characters; at most 255 are allowed"
    ]


def test_comments_have_at_most_1024_characters_on_every_kind_of_object() -> None:
    submission = everything()
    for item in submission.objects():
        item.comments = text("x" * 1025)

    assert len(list(metadata.texts_are_short_enough(submission))) == len(submission.objects())


def test_a_folder_has_a_title() -> None:
    [(_, what)] = metadata.texts_are_short_enough(a_submission(a_folder(title=())))

    assert "title is missing" in what


@pytest.mark.parametrize(
    ("start", "stop", "good"),
    [
        ("20260101", "20260102", True),
        ("20260101", "20260101", True),
        ("20260102", "20260101", False),
        ("2026", "20260101", True),
        ("20261231235959", "2026", True),
        ("2027", "20261231", False),
        (None, "2026", True),
        ("2026", None, True),
    ],
)
def test_a_service_does_not_stop_before_it_starts_at_the_shorter_precision(
    start: str | None, stop: str | None, good: bool
) -> None:
    submission = a_submission(a_document(service_start_time=start, service_stop_time=stop))

    assert (not list(metadata.service_starts_before_it_stops(submission))) is good


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("urn:example:one", "x", True),
        ("urn:example:one", "x" * 257, False),
        ("urn:ihe:iti:xds:2013:odd", "x", False),
        ("odd", "x", False),
        ("creationTIME", "x", False),
        ("", "x", False),
    ],
)
def test_extra_metadata_have_a_urn_of_their_own_for_a_name(name: str, value: str, good: bool) -> None:
    submission = everything()
    for item in submission.objects():
        item.extra_slots = {name: (value,)}

    found = list(metadata.extra_metadata_have_names_of_their_own(submission))

    assert len(found) == (0 if good else len(submission.objects()))


@pytest.mark.parametrize("kind", [SubmissionSet, DocumentEntry, Folder], ids=lambda kind: kind.__name__)
def test_limited_metadata_are_refused(kind: type[RegistryObject]) -> None:
    submission = everything()
    item: Any = of(submission, kind)
    item.limited_metadata = True

    assert [where for where, _ in metadata.nothing_is_limited_metadata(submission)] == [item.entry_uuid]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("Document01", True),
        ("x" * 256, True),
        ("urn:uuid:0d3c1f0e-8d51-4c6e-9a3c-2b1f8a7e6d5c", True),
        ("", False),
        ("x" * 257, False),
        ("urn:uuid:1", False),
        ("urn:uuid:" + "x" * 300, False),
    ],
)
def test_an_id_is_symbolic_or_a_uuid(name: str, good: bool) -> None:
    submission = Submission(entries=[a_document(entry_uuid=name)])

    assert (not list(metadata.ids_are_symbolic_or_uuids(submission))) is good


def test_a_rulebook_gives_every_objection_of_every_rule_with_its_code_in_order() -> None:
    book: Rulebook[[int]] = Rulebook()

    @book.rule(ErrorCode.XDSRegistryError)
    def is_small(number: int) -> Any:
        if number > 1:
            yield "a", "too large"
            yield "b", "too large"

    @book.rule(ErrorCode.XDSUnknownPatientId)
    def is_even(number: int) -> Any:
        if number % 2:
            yield "", "odd"

    assert book.check(0) == []
    assert [(each.code, each.where) for each in book.check(3)] == [
        (ErrorCode.XDSRegistryError, "a"),
        (ErrorCode.XDSRegistryError, "b"),
        (ErrorCode.XDSUnknownPatientId, ""),
    ]


@pytest.mark.parametrize(
    ("where", "correlation", "context"),
    [("x", "", "x: y"), ("", "", "y"), ("x", "c1", "x: y [c1]"), ("", "c1", "y [c1]")],
)
def test_an_objection_becomes_an_error_that_says_where_and_what(where: str, correlation: str, context: str) -> None:
    error = Objection(ErrorCode.XDSRegistryError, where, "y").as_error(correlation)

    assert (error.code, error.context, error.location) == ("XDSRegistryError", context, where)
    assert error.severity is Severity.ERROR


def test_two_codes_are_the_same_when_code_and_scheme_are() -> None:
    assert a_code("1", display="a") == a_code("1", display="b")
    assert a_code("1") != replace(a_code("1"), scheme="other")
    assert a_code("1", "2").key == "1^^2"
    assert LocalizedString("a") == LocalizedString("a")
