"""`portolan check` names every difference between database and store, each made by hand here, and mends what it may."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from common.db import open_database
from console.checking.documents import Documents
from console.checking.repair import Repair
from console.cli import portolan
from registry.store import schema
from registry.store.tables import entry
from repository.storage import Blob, DocumentStore
from repository.storage.digest import name_of
from tests.factories import (
    HAS_MEMBER,
    REPOSITORY_ID,
    a_document,
    a_folder,
    a_link,
    a_patient_id,
    an_oid,
)
from tests.service.check_kit import Kept, an_entry_of, store_of, stores
from tests.service.conftest import BACK_ENDS


@pytest.fixture(params=BACK_ENDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    with stores(request, request.param, tmp_path) as found:
        yield found


def age(kept: Kept) -> None:
    """Have the marks so far be old: the limit is lowered, and outlived."""
    kept.settings |= {"SWEEP_AFTER": "1", "CONNECT_TIMEOUT": "0.1", "ANSWER_TIMEOUT": "0.5"}
    time.sleep(1.1)


def test_d12_what_agrees_is_clean(kept: Kept) -> None:
    old = kept.document()
    new = kept.replacement(old)
    kept.replacement(new)
    folder = a_folder()
    letter = an_entry_of(kept.bytes())
    kept.register(folder, letter, a_link(HAS_MEMBER, folder, letter))
    kept.register(a_document(repository_unique_id="2.999.826.1.99"))

    assert kept.check("--deep", code=0) == {}
    assert kept.check("--repair", code=0) == {}
    assert "Clean" in CliRunner().invoke(portolan, ["check"], env=kept.environ).stdout


def test_d12_an_entry_without_bytes_is_named(kept: Kept) -> None:
    letter = kept.document()
    kept.store.remove(kept.store.find(letter.unique_id or "")[0])

    found = kept.check()

    assert found.keys() == {"entry-without-bytes"}
    assert found["entry-without-bytes"]["id"] == letter.unique_id
    assert letter.entry_uuid in found["entry-without-bytes"]["detail"]
    assert kept.check("--repair").keys() == {"entry-without-bytes"}


def test_d12_bytes_without_an_entry_are_named_and_removed_on_request(kept: Kept) -> None:
    letter = kept.document()
    blob = kept.bytes(b"nobody points here")

    assert kept.check()["bytes-without-entry"]["id"] == blob.unique_id
    assert kept.store.find(blob.unique_id)

    assert kept.check("--repair", code=0)["bytes-without-entry"]["repaired"] == "removed"

    kept.store = store_of(kept.settings)
    assert kept.store.find(blob.unique_id) == []
    assert kept.store.find(letter.unique_id or "")
    assert kept.check(code=0) == {}


def test_d12_the_database_of_somebody_else_repairs_nothing(kept: Kept) -> None:
    blob = kept.bytes()

    done = CliRunner().invoke(portolan, ["check", "--repair"], env=kept.environ)

    assert done.exit_code == 1
    assert "Nothing was repaired" in done.output
    assert kept.store.find(blob.unique_id)


def test_a_young_mark_is_shown_and_is_no_difference(kept: Kept) -> None:
    kept.document()
    blob = kept.bytes(pending=True)

    found = kept.check(code=0)

    assert found.keys() == {"mark"}
    assert "not registered" in found["mark"]["detail"]
    kept.check("--repair", code=0)
    assert kept.store.find(blob.unique_id) == [blob]


def test_d5_an_old_mark_without_an_entry_is_removed_on_request(kept: Kept) -> None:
    kept.document()
    blob = kept.bytes(pending=True)
    age(kept)

    assert kept.check()["mark-old"]["id"] == blob.unique_id
    assert kept.check("--repair", code=0)["mark-old"]["repaired"] == "removed"
    assert kept.store.find(blob.unique_id) == []


def test_d6_a_registered_mark_is_settled_on_request(kept: Kept) -> None:
    blob = kept.bytes(pending=True)
    kept.register(an_entry_of(blob))

    assert "not" not in kept.check(code=0)["mark"]["detail"]
    assert kept.check("--repair", code=0)["mark"]["repaired"] == "settled"
    assert [each.pending for each in kept.store.find(blob.unique_id)] == [False]
    assert kept.check(code=0) == {}


def test_r7_bytes_that_are_registered_while_they_are_removed_stay(kept: Kept) -> None:
    kept.document()
    blob = kept.bytes(b"sent again at this very moment")

    class Racing:
        """The store; just before settled bytes go, a Repository registers the same document and relies on them."""

        def __getattr__(self, name: str) -> Any:
            return getattr(kept.store, name)

        def remove(self, gone: Blob) -> None:
            if not gone.pending:
                mine = kept.bytes(b"sent again at this very moment", unique_id=blob.unique_id, pending=True)
                kept.register(an_entry_of(mine))
                kept.store.settle(mine)
            kept.store.remove(gone)

    store = cast(DocumentStore, Racing())
    [found] = Documents(kept.database, store, REPOSITORY_ID, 900).blobs(Repair(kept.database, store, 900))

    assert found.repaired.startswith("kept")
    [stays] = kept.store.find(blob.unique_id)
    assert not stays.pending
    with kept.store.read(stays) as reader:
        assert reader.content() == b"sent again at this very moment"


def test_d12_other_bytes_than_the_entry_tells_of_are_named_and_stay(kept: Kept) -> None:
    blob = kept.bytes(b"some bytes")
    kept.register(a_document(unique_id=blob.unique_id))

    assert kept.check("--repair").keys() == {"bytes-differ"}
    assert kept.store.find(blob.unique_id)


@pytest.mark.parametrize("size", [1000, 100_000])
def test_d11_damaged_bytes_are_found_by_hashing_them(kept: Kept, request: pytest.FixtureRequest, size: int) -> None:
    letter = kept.document(b"x" * size)
    blob = kept.store.find(letter.unique_id or "")[0]
    if "S3_ENDPOINT" in kept.settings:
        server = request.getfixturevalue("minio_server").client()
        changed = server.get_object(kept.settings["STORAGE"][5:], blob.locator).read()[:-1] + b"y"
        server.put_object(kept.settings["STORAGE"][5:], blob.locator, io.BytesIO(changed), len(changed))
    else:
        with (Path(kept.settings["STORAGE"]) / blob.locator).open("r+b") as file:
            file.write(b"y")

    assert kept.check(code=0) == {}
    assert kept.check("--deep")["bytes-damaged"]["id"] == letter.unique_id


def test_d12_the_bytes_of_a_settled_description_may_be_gone_by_themselves(
    kept: Kept, request: pytest.FixtureRequest
) -> None:
    if "S3_ENDPOINT" not in kept.settings:
        pytest.skip("in a folder both are one file")
    letter = kept.document(b"x" * 100_000)
    blob = kept.store.find(letter.unique_id or "")[0]
    request.getfixturevalue("minio_server").client().remove_object(kept.settings["STORAGE"][5:], blob.locator)

    assert kept.check().keys() == {"entry-without-bytes"}


def test_what_does_not_say_what_it_is_is_named_and_stays(kept: Kept, request: pytest.FixtureRequest) -> None:
    kept.document()
    name = name_of(an_oid())
    place = f"documents/{name[:2]}/{name[2:4]}/{name}"
    if "S3_ENDPOINT" in kept.settings:
        server = request.getfixturevalue("minio_server").client()
        server.put_object(kept.settings["STORAGE"][5:], place, io.BytesIO(b"?"), 1)
    else:
        path = Path(kept.settings["STORAGE"]) / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")

    assert kept.check("--repair")["unreadable"]["id"] == place


def test_a_wrong_repository_uid_is_told_and_costs_no_bytes(kept: Kept) -> None:
    letter = kept.document()
    other = kept.document()
    kept.change(
        update(entry).where(entry.c.entry_uuid == letter.entry_uuid).values(repository_unique_id="2.999.826.1.99")
    )

    assert kept.check("--repair")["entry-elsewhere"]["id"] == letter.unique_id
    assert kept.store.find(letter.unique_id or "")
    assert kept.store.find(other.unique_id or "")


def test_a_row_says_what_it_means_and_what_to_do(kept: Kept) -> None:
    kept.document()
    blob = kept.bytes()

    done = CliRunner().invoke(portolan, ["check"], env=kept.environ)

    told, summary = done.stdout.splitlines()
    assert done.exit_code == 1
    assert told.startswith("bytes-without-entry")
    assert blob.unique_id in told
    assert "no entry points at these bytes" in told
    assert "--repair removes" in told
    assert summary == "1 difference to be seen to: 1 bytes-without-entry."


def test_more_than_one_page_is_read(kept: Kept) -> None:
    for _ in range(3):
        patient = a_patient_id()
        kept.register(*(an_entry_of(kept.bytes(), patient_id=patient) for _ in range(100)))

    assert kept.check(code=0) == {}


def test_a_store_or_database_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    database = open_database(f"sqlite:///{tmp_path / 'r.db'}")
    schema.upgrade(database)
    database.close()
    environ = {"PORTOLAN_DATA": str(tmp_path), "PORTOLAN_DATABASE": f"sqlite:///{tmp_path / 'r.db'}"}

    no_store = CliRunner().invoke(portolan, ["check"], env={**environ, "PORTOLAN_STORAGE": str(tmp_path / "file")})
    no_schema = CliRunner().invoke(portolan, ["check"], env={"PORTOLAN_DATA": str(tmp_path / "new")})

    assert no_store.exit_code == 1
    assert "The store" in no_store.output
    assert no_schema.exit_code == 3
    assert "portolan migrate" in no_schema.output
