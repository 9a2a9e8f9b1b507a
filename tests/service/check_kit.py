"""Both stores, filled by hand through the services' own code, and `portolan check` run on them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.db import Database, open_database
from common.model import AssociationType, DocumentEntry, Submission
from console.cli import portolan
from registry.register import Register
from registry.store import schema
from repository.storage import Blob, DocumentStore, open_store
from tests.factories import (
    AnyDomain,
    a_document,
    a_link,
    a_submission,
    an_oid,
)
from tests.running import back_end

CONTENT = b"%PDF-1.7 a letter"


@dataclass
class Kept:
    """Both stores, filled by hand through the services' own code."""

    database: Database
    store: DocumentStore
    settings: dict[str, str]

    def bytes(self, content: bytes = CONTENT, *, unique_id: str | None = None, pending: bool = False) -> Blob:
        """Store bytes; settled, unless they are to stay marked."""
        with self.store.upload() as upload:
            upload.write(content)
            blob = upload.commit(unique_id or an_oid(), "application/pdf")
        if not pending:
            blob = self.store.settle(blob)
            # What is left for later is done now, so that a test sees no mark that it did not make.
            self.store.close()
            self.store = store_of(self.settings)
        return blob

    def register(self, *items: Any) -> Submission:
        """Register a submission; its objects have their names afterwards."""
        submission = a_submission(*items)
        register = Register(self.database, AnyDomain(), max_objects=1000)
        answer = register.register(lambda: submission, message_id=None, digest="a digest", correlation="test")
        assert answer.errors == ()
        return submission

    def document(self, content: bytes = CONTENT, **differs: Any) -> DocumentEntry:
        """A document with its bytes, registered and settled."""
        blob = self.bytes(content)
        return self.register(an_entry_of(blob, **differs)).entries[0]

    def replacement(self, old: DocumentEntry) -> DocumentEntry:
        """A document that replaces another."""
        new = an_entry_of(self.bytes(), patient_id=old.patient_id)
        return self.register(new, a_link(AssociationType.RPLC, new, old.entry_uuid)).entries[0]

    def change(self, statement: Any) -> None:
        """Do to the database what nothing of ours would."""
        with self.database.engine.begin() as connection:
            assert connection.execute(statement).rowcount == 1

    def check(self, *arguments: str, code: int = 1) -> dict[str, dict[str, Any]]:
        """The findings by their kinds, which are to be different, after a run with this exit code."""
        done = CliRunner().invoke(portolan, ["check", "--json", *arguments], env=self.environ)
        assert done.exit_code == code, done.output
        told = json.loads(done.stdout)
        found = {each["kind"]: each for each in told["findings"]}
        assert len(found) == len(told["findings"]), told
        assert (told["summary"]["differences"] > 0) is (code == 1)
        return found

    @property
    def environ(self) -> dict[str, str | None]:
        """The environment that names these stores, and nothing else of ours."""
        others: dict[str, str | None] = {name: None for name in os.environ if name.startswith("PORTOLAN_")}
        return others | {f"PORTOLAN_{name}": value for name, value in self.settings.items()}


def an_entry_of(blob: Blob, **differs: Any) -> DocumentEntry:
    """An entry that fits stored bytes."""
    return a_document(unique_id=blob.unique_id, hash=blob.sha1, size=str(blob.size), **differs)


def store_of(settings: dict[str, str]) -> DocumentStore:
    """The store that settings name, opened anew."""
    return open_store(
        settings["STORAGE"],
        endpoint=settings.get("S3_ENDPOINT", ""),
        access_key=settings.get("S3_ACCESS_KEY", ""),
        secret_key=settings.get("S3_SECRET_KEY", ""),
    )


@contextmanager
def stores(request: pytest.FixtureRequest, back_end_name: str, folder: Path) -> Iterator[Kept]:
    """Empty stores of one of the back ends."""
    local = {"DATA": str(folder), "DATABASE": f"sqlite:///{folder / 'r.db'}", "STORAGE": str(folder / "bytes")}
    settings = local | back_end(back_end_name, request)
    database = open_database(settings["DATABASE"])
    schema.upgrade(database)
    found = Kept(database, store_of(settings), settings)
    yield found
    found.store.close()
    database.close()
