"""ITI-41: documents and their metadata belong together (ITI TF-2 3.41.4.1.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.standard.errors import ErrorCode
from repository.rules.provide import PROVIDE, Bytes, Delivery, Entry

WRONG = ErrorCode.XDSRepositoryMetadataError
SHA1 = "ab" * 20
ONE = Entry("one", "1.2.1", True, SHA1.upper(), "7")
TWO = Entry("two", "1.2.2", True, None, None)


def a_delivery(*entries: Entry, documents: tuple[str, ...] | None = None) -> Delivery:
    names = tuple(entry.id for entry in entries) if documents is None else documents
    return Delivery(True, entries, names, {name: Bytes(SHA1, 7) for name in names})


def check(delivery: Delivery) -> list[tuple[ErrorCode, str]]:
    return [(each.code, each.where) for each in PROVIDE.check(delivery)]


@pytest.mark.parametrize("entries", [(), (ONE,), (ONE, TWO)])
def test_a_delivery_in_which_everything_fits_is_good(entries: tuple[Entry, ...]) -> None:
    assert check(a_delivery(*entries)) == []


def test_a_delivery_without_submission_is_refused() -> None:
    assert check(Delivery(False, (), (), {})) == [(WRONG, "")]


def test_an_entry_without_document_is_refused() -> None:
    assert check(a_delivery(ONE, TWO, documents=("one",))) == [(ErrorCode.XDSMissingDocument, "two")]


def test_a_document_without_entry_is_refused() -> None:
    assert check(a_delivery(ONE, documents=("one", "x"))) == [(ErrorCode.XDSMissingDocumentMetadata, "x")]


def test_two_documents_for_one_entry_are_refused() -> None:
    assert check(a_delivery(ONE, documents=("one", "one"))) == [(WRONG, "one")]


def test_two_entries_of_one_id_are_refused() -> None:
    assert check(a_delivery(ONE, replace(ONE, unique_id="1.3"), documents=("one",))) == [(WRONG, "one")]


def test_only_stable_entries_are_provided() -> None:
    assert check(a_delivery(replace(ONE, is_stable=False))) == [(WRONG, "one")]


@pytest.mark.parametrize("unique_id", ["", " ", "x" * 257, "1.2\x00"])
def test_every_entry_has_a_unique_id(unique_id: str) -> None:
    assert check(a_delivery(replace(ONE, unique_id=unique_id))) == [(WRONG, "one")]


def test_unique_ids_differ_within_a_message() -> None:
    assert check(a_delivery(ONE, replace(TWO, unique_id=ONE.unique_id))) == [
        (ErrorCode.XDSRepositoryDuplicateUniqueIdInMessage, ONE.unique_id)
    ]


@pytest.mark.parametrize("hash_", ["cd" * 20, "", "ab" * 19])
def test_a_declared_hash_is_that_of_the_bytes(hash_: str) -> None:
    assert check(a_delivery(replace(ONE, hash=hash_))) == [(WRONG, "one")]


@pytest.mark.parametrize("size", ["8", "", "07", "-7", "٧"])
def test_a_declared_size_is_that_of_the_bytes(size: str) -> None:
    assert check(a_delivery(replace(ONE, size=size))) == [(WRONG, "one")]


def test_all_that_is_wrong_is_told() -> None:
    delivery = a_delivery(
        replace(ONE, hash="x", size="x", unique_id=""), replace(TWO, is_stable=False), documents=("one", "x")
    )

    assert {code for code, _ in check(delivery)} == {
        WRONG, ErrorCode.XDSMissingDocument, ErrorCode.XDSMissingDocumentMetadata,
    }  # fmt: skip
    assert len(check(delivery)) == 6
